/* Telemetry payloads as the server reads them: JSON objects that flatten with ".", and SenML arrays (RFC 8428). The
 * console only sees what the server accepted; what it cannot read it leaves out. */
/* SPDX-License-Identifier: Apache-2.0 */

const DEPTH_MAX = 4;
/* Times below are relative to now (RFC 8428, 4.5.3). */
const ABSOLUTE_FROM_S = 2 ** 28;

function flattened(object, prefix, depth, into) {
  for (const [name, value] of Object.entries(object)) {
    if (value !== null && typeof value === "object") {
      if (!Array.isArray(value) && depth < DEPTH_MAX) flattened(value, `${prefix}${name}.`, depth + 1, into);
    } else if (value !== null) {
      into.push({ metric: prefix + name, value });
    }
  }
}

function timeOf(value, now) {
  const time = typeof value === "number" ? value : Date.parse(value);
  return Number.isFinite(time) ? time : now;
}

function fromObject({ time, ...metrics }, prefix, now) {
  const samples = [];
  flattened(metrics, prefix, 1, samples);
  const at = timeOf(time, now);
  return samples.map((sample) => ({ ...sample, time: at }));
}

function fromSenml(records, prefix, now) {
  const base = { bn: "", bt: 0, bu: undefined, bv: 0 };
  const samples = [];
  for (const record of records) {
    for (const name of Object.keys(base)) if (name in record) base[name] = record[name];
    const value = "v" in record ? record.v + base.bv : (record.vs ?? record.vb);
    if (value === undefined) continue;
    const seconds = base.bt + (record.t ?? 0);
    const time = seconds < ABSOLUTE_FROM_S ? now + seconds * 1000 : seconds * 1000;
    samples.push({ metric: prefix + base.bn + (record.n ?? ""), value, time, unit: record.u ?? base.bu });
  }
  return samples;
}

/* [{metric, value, time (ms), unit?}] of one message. `now`: the time of those that carry none. */
export function samplesOf(topic, payload, now) {
  const stream = topic.split("/").slice(3); // devices/{id}/telemetry/{stream...}
  const prefix = stream.length ? stream.join(".") + "." : "";
  let document;
  try {
    document = JSON.parse(payload);
  } catch {
    return [];
  }
  if (Array.isArray(document)) return fromSenml(document, prefix, now);
  return document !== null && typeof document === "object" ? fromObject(document, prefix, now) : [];
}
