/* Live events of the server (Server-Sent Events), one stream for the whole page. It is closed while nobody looks at
 * the page: browsers allow six HTTP/1.1 connections to a server in all tabs together. Who listens must therefore read
 * anew when `streaming` becomes "open". */
/* SPDX-License-Identifier: Apache-2.0 */
import { PREFIX, operator } from "./api.js";
import { useEffect } from "./html.js";
import { KINDS } from "./kinds.js";
import { signal } from "./signal.js";

/* "closed", "opening" or "open". */
export const streaming = signal("closed");

const listeners = new Set();
const REOPEN_MS = 3000;
let source = null;
let reopening = null;

function deliver(message) {
  const event = JSON.parse(message.data);
  for (const listener of [...listeners]) listener(event);
}

function close() {
  clearTimeout(reopening);
  source?.close();
  source = null;
  streaming.set("closed");
}

/* The browser reconnects by itself after a broken connection, and gives up after an answer that is not a stream. */
function failed() {
  streaming.set("opening");
  if (source?.readyState !== EventSource.CLOSED) return;
  close();
  reopening = setTimeout(adjust, REOPEN_MS);
}

function open() {
  streaming.set("opening");
  source = new EventSource(PREFIX + "/events/stream");
  source.onopen = () => streaming.set("open");
  source.onerror = failed;
  for (const kind of Object.keys(KINDS)) source.addEventListener(kind, deliver);
}

function adjust() {
  const wanted = Boolean(operator.get()) && !document.hidden;
  if (wanted && !source) open();
  if (!wanted && source) close();
}

export function watchEvents() {
  operator.listen(adjust);
  document.addEventListener("visibilitychange", adjust);
  adjust();
}

export function useEvents(listener) {
  useEffect(() => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, [listener]);
}
