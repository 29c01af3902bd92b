/* A series: {times, values} of one metric, oldest first, times in ms. Pure; series are never changed, only made anew. */
/* SPDX-License-Identifier: Apache-2.0 */

export const EMPTY = { times: [], values: [] };

/* [[time, value]...] in the order of time. Points of one millisecond cannot be told apart on a screen: the last stands. */
export function fromPoints(points) {
  const out = { times: [], values: [] };
  for (const [time, value] of points) {
    const at = out.times[out.times.length - 1] === time ? out.times.length - 1 : out.times.length;
    out.times[at] = time;
    out.values[at] = value;
  }
  return out;
}

/* Two series in the order of time. Of two values for one time the second series' stands: what came live is also stored,
 * and is then read again. */
export function merged(a, b) {
  if (!b.times.length) return a;
  if (!a.times.length) return b;
  const out = { times: [], values: [] };
  const push = (from, at) => {
    out.times.push(from.times[at]);
    out.values.push(from.values[at]);
  };
  let i = 0;
  let j = 0;
  while (i < a.times.length || j < b.times.length) {
    if (j >= b.times.length || a.times[i] < b.times[j]) push(a, i++);
    else {
      if (a.times[i] === b.times[j]) i++;
      push(b, j++);
    }
  }
  return out;
}

/* With one more value. Nearly always it is the newest; a device that was offline sends older ones, too. */
export function withValue(series, time, value) {
  const { times, values } = series;
  if (!times.length || time > times[times.length - 1]) return { times: [...times, time], values: [...values, value] };
  return merged(series, { times: [time], values: [value] });
}

/* What is not older than `from`. */
export function since(series, from) {
  const first = series.times.findIndex((time) => time >= from);
  if (first === 0) return series;
  if (first < 0) return EMPTY;
  return { times: series.times.slice(first), values: series.values.slice(first) };
}

/* A pause of more than this many usual pauses is drawn as a gap: a line across it would claim values nobody measured. */
const GAP = 3.5;
const GAP_MS_MIN = 15000;

function usualPause(times) {
  const pauses = [];
  for (let at = 1; at < times.length; at++) pauses.push(times[at] - times[at - 1]);
  pauses.sort((a, b) => a - b);
  return pauses[Math.floor(pauses.length / 2)] ?? 0;
}

/* With a null in the middle of every gap, where the line is then broken. */
export function withGaps({ times, values }) {
  const longest = Math.max(usualPause(times) * GAP, GAP_MS_MIN);
  const out = { times: [], values: [] };
  for (let at = 0; at < times.length; at++) {
    if (at > 0 && times[at] - times[at - 1] > longest) {
      out.times.push((times[at] + times[at - 1]) / 2);
      out.values.push(null);
    }
    out.times.push(times[at]);
    out.values.push(values[at]);
  }
  return out;
}
