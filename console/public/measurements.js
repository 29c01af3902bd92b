/* All that is known of a device's telemetry: latest values, and the series of a range of time. Latest values and history
 * come from the store, then live messages continue them. While there is no live connection, the latest values are read
 * again and again instead, so that the plots move in any case. */
/* SPDX-License-Identifier: Apache-2.0 */
import { devicePath } from "./api.js";
import { useAnswer } from "./answer.js";
import { readHistory } from "./history.js";
import { useCallback, useEffect, useMemo, useRef, useState } from "./html.js";
import { useLiveTelemetry } from "./live.js";
import { EMPTY, merged, since, withValue } from "./series.js";
import { useEvery } from "./time.js";

const POLL_MS = 5000;

/* Newest wins: a spooled sample that arrives late is not the latest value. */
function withValues(values, samples) {
  const next = new Map(values);
  for (const { metric, value, time, unit } of samples) {
    const old = next.get(metric);
    if (!old || old.time <= time) next.set(metric, { value, time, unit: unit ?? old?.unit });
  }
  return next;
}

function withSamples(kept, samples, from) {
  const next = new Map(kept);
  for (const { metric, value, time } of samples) {
    if (typeof value === "number" && time >= from) next.set(metric, since(withValue(next.get(metric) ?? EMPTY, time, value), from));
  }
  return next;
}

const samplesOfLatest = ({ values }) =>
  values.map(({ metric, time, value, unit }) => ({ metric, value, time: Date.parse(time), unit: unit ?? undefined }));

function useHistory({ device, rangeMs, names, epoch }, setKept) {
  const [state, setState] = useState({ reading: true, problem: null });
  useEffect(() => {
    if (!names) return undefined;
    const abort = new AbortController();
    const to = Date.now();
    const from = to - rangeMs;
    const got = (metric, series) => setKept((kept) => new Map(kept).set(metric, since(merged(series, kept.get(metric) ?? EMPTY), from)));
    setState({ reading: true, problem: null });
    readHistory({ device, metrics: names.split("\n"), from, to: to + 60000, signal: abort.signal }, got).then(
      () => setState({ reading: false, problem: null }),
      (problem) => abort.signal.aborted || setState({ reading: false, problem }),
    );
    return () => abort.abort();
  }, [device, rangeMs, names, epoch]);
  return state;
}

/* {values: Map of metric → {value, time, unit}, series: Map of metric → series, live, reading, problem, known}. */
export function useMeasurements(device, rangeMs) {
  const [values, setValues] = useState(new Map());
  const [kept, setKept] = useState(new Map());
  const [epoch, setEpoch] = useState(0);
  const latest = useAnswer(devicePath(device) + "/latest");

  // Another range does not open another connection.
  const range = useRef(rangeMs);
  range.current = rangeMs;
  const take = useCallback((samples) => {
    setValues((old) => withValues(old, samples));
    setKept((old) => withSamples(old, samples, Date.now() - range.current));
  }, []);
  useEffect(() => {
    if (latest.answer) take(samplesOfLatest(latest.answer));
  }, [latest.answer]);

  const live = useLiveTelemetry(device, take);
  useEffect(() => {
    // What was sent while the live connection was away is in the store by now.
    if (live === "open") setEpoch((count) => count + 1);
  }, [live]);
  useEvery(POLL_MS, useCallback(() => live !== "open" && latest.refresh(), [live]));

  const names = useMemo(
    () => [...values].filter(([, { value }]) => typeof value === "number").map(([metric]) => metric).sort().join("\n"),
    [values],
  );
  const history = useHistory({ device, rangeMs, names, epoch }, setKept);
  return { values, series: kept, live, reading: history.reading, problem: latest.problem ?? history.problem, known: Boolean(latest.answer) };
}
