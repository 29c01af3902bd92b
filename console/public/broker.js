/* What the broker does, over the time that somebody looked at it: the server's counts, asked for every few seconds, as rates and
 * levels. The server keeps no past of them (Prometheus does); what was seen stays while the console's page stands. */
/* SPDX-License-Identifier: Apache-2.0 */
import { EMPTY, since, withValue } from "./series.js";

const KEPT_MS = 3600000;
const US = 1e6;

/* [name of the series, member of health's numbers]; rates are per second. */
const LEVELS = [["connections", "connections"], ["sessions", "sessions"], ["queued", "queued_bytes"], ["waiting", "queued_messages"]];
const RATES = [["in", "messages_in"], ["out", "messages_out"], ["dropped", "messages_dropped"], ["refused", "messages_refused"]];

/* The time that so great a share of what fell into the buckets did not exceed, in seconds; null: nothing did. Within a bucket
 * the times count as spread evenly. */
export function quantile(bounds, counts, share) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let left = share * all;
  for (let at = 0; at < counts.length; at++) {
    if (counts[at] > 0 && left <= counts[at]) {
      const low = at ? bounds[at - 1] : 0;
      const high = bounds[at] ?? low;
      return (low + (high - low) * (left / counts[at])) / US;
    }
    left -= counts[at];
  }
  return bounds[bounds.length - 1] / US;
}

function latencies(now, before) {
  const [to, from] = [now.latencies.acknowledgement_seconds, before.latencies.acknowledgement_seconds];
  if (!to || !from) return [];
  const counts = to.counts.map((count, at) => count - (from.counts[at] ?? 0));
  return [["median", quantile(to.bounds_us, counts, 0.5)], ["p99", quantile(to.bounds_us, counts, 0.99)]];
}

/* [[name, value]...] of one moment, from two answers of GET /health. A server that began anew in between has no rates yet. */
export function measured(now, before, seconds) {
  const levels = LEVELS.map(([name, member]) => [name, now.numbers[member]]);
  if (!before || before.started !== now.started || !(seconds > 0)) return levels;
  const rates = RATES.map(([name, member]) => [name, (now.numbers[member] - before.numbers[member]) / seconds]);
  return [...levels, ...rates, ...latencies(now, before)];
}

/* The series with one more moment; they are made anew. */
export function withMoment(series, time, values) {
  const next = new Map(series);
  for (const [name, value] of values) {
    if (typeof value === "number" && Number.isFinite(value)) next.set(name, since(withValue(next.get(name) ?? EMPTY, time, value), time - KEPT_MS));
  }
  return next;
}
