/* A log of events: the newest page from the server, older ones on demand, and new ones as they happen. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, query, reach } from "./api.js";
import { useCallback, useEffect, useState } from "./html.js";
import { SEVERITIES } from "./kinds.js";
import { streaming, useEvents } from "./stream.js";

const PAGE = 50;
/* Live events are prepended up to here; beyond, the oldest leave the screen and come back with "Older". */
const SHOWN_MAX = 1000;
const NOTHING = { events: null, next: null, problem: null };

const matches = (event, { device, kind, severity }) =>
  (!device || event.device === device) &&
  (!kind || event.kind === kind) &&
  (!severity || SEVERITIES.indexOf(event.severity) >= SEVERITIES.indexOf(severity));

/* Events in `more` that stand in `events` already are not added again: a stream may repeat what was just read. */
function joined(events, more) {
  const known = new Set(events.map(({ id }) => id));
  return [...events, ...more.filter(({ id }) => !known.has(id))].sort((a, b) => b.id - a.id);
}

function withLive(log, event) {
  if (!log.events) return log;
  const events = joined(log.events, [event]);
  if (events.length <= SHOWN_MAX) return { ...log, events };
  const shown = events.slice(0, SHOWN_MAX);
  return { ...log, events: shown, next: shown[shown.length - 1].id };
}

/* {events (null: not read yet), next, problem, older()}. Filters: device, kind, severity ("at least"). */
export function useEventLog({ device = "", kind = "", severity = "" }) {
  const [log, setLog] = useState(NOTHING);

  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      call("/events" + query({ device, kind, severity, limit: PAGE }), { signal: abort.signal }).then(
        ({ events, next }) => setLog({ events, next, problem: null }),
        (problem) => abort.signal.aborted || setLog((old) => ({ ...old, problem })),
      );
    read();
    // While the stream was closed or the server lost, events may have passed by.
    const ends = [
      streaming.listen((state) => state === "open" && read()),
      reach.listen((state) => state === "ok" && read()),
    ];
    return () => {
      ends.forEach((end) => end());
      abort.abort();
    };
  }, [device, kind, severity]);

  const take = useCallback(
    (event) => matches(event, { device, kind, severity }) && setLog((old) => withLive(old, event)),
    [device, kind, severity],
  );
  useEvents(take);

  const older = useCallback(
    () =>
      call("/events" + query({ device, kind, severity, limit: PAGE, before: log.next })).then(
        ({ events, next }) => setLog((old) => ({ events: joined(old.events ?? [], events), next, problem: null })),
        (problem) => setLog((old) => ({ ...old, problem })),
      ),
    [device, kind, severity, log.next],
  );
  return { ...log, older };
}
