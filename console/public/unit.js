/* Figures with units: which unit a metric has, and how a value in it is written. */
/* SPDX-License-Identifier: Apache-2.0 */
import { duration } from "./duration.js";

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/* Three significant figures are what fits and what a person compares. */
function digits(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3 });
}

function binary(value) {
  let step = 0;
  while (Math.abs(value) >= 1024 && step < BINARY.length - 1) {
    value /= 1024;
    step++;
  }
  return `${digits(value)} ${BINARY[step]}`;
}

function seconds(value) {
  const size = Math.abs(value);
  if (size >= 120) return duration(value);
  return size < 1 && size > 0 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
}

/* unit: how a value is written; `low` and `high`: where its axis begins and ends at least. */
const UNITS = {
  share: { write: (value) => `${digits(value * 100)} %`, low: 0, high: 1 },
  "%": { write: (value) => `${digits(value)} %`, low: 0, high: 100 },
  B: { write: binary, low: 0 },
  "B/s": { write: (value) => `${binary(value)}/s`, low: 0, high: 1024 },
  s: { write: seconds },
  time: { write: seconds, low: 0, high: 0.001 },
  count: { write: digits, low: 0, high: 4 },
  "per s": { write: (value) => `${digits(value)}/s`, low: 0, high: 1 },
  load: { write: digits, low: 0, high: 1 },
  records: { write: digits, low: 0, high: 10 },
  Cel: { write: (value) => `${digits(value)} °C` },
};

/* The SenML names (RFC 8428, 12.1) that mean one of the above. "/" is a ratio there. */
const ALIASES = { "/": "share", "%RH": "%", "%EL": "%", "°C": "Cel", bytes: "B" };

/* What the agent's own metrics are measured in: their JSON carries no units. */
const KNOWN = {
  "cpu.load": "share",
  "cpu.load1": "load",
  "memory.used": "B",
  "memory.total": "B",
  "memory.share": "share",
  "disk.used": "B",
  "disk.total": "B",
  "disk.share": "share",
  "net.rx": "B/s",
  "net.tx": "B/s",
  temperature: "Cel",
  uptime: "s",
  "clock.offset": "s",
  "agent.memory": "B",
  "agent.spooled": "records",
};

/* The unit of a metric: what its sender said, else what the agent's metric of this name has, else none (""). */
export function unitOf(metric, said) {
  if (said) return ALIASES[said] ?? said;
  return KNOWN[metric] ?? "";
}

export function written(value, unit = "") {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  return UNITS[unit]?.write(value) ?? (unit ? `${digits(value)} ${unit}` : digits(value));
}

/* The least span of an axis: a share is drawn from 0 to 1, so that 3 % does not look like a peak. */
export const boundsOf = (unit) => ({ low: UNITS[unit]?.low, high: UNITS[unit]?.high });
