/* The messages of a topic filter as they pass (Server-Sent Events). The stream is closed while nobody looks at the page, and
 * has no past: what passes meanwhile is not seen. */
/* SPDX-License-Identifier: Apache-2.0 */
import { PREFIX, query, refusalOf } from "./api.js";
import { useEffect, useState } from "./html.js";

const SHOWN_MAX = 200;
/* Messages may come by the hundred: the screen is drawn a few times a second. */
const DRAW_MS = 200;
const NOTHING = { messages: [], seen: 0, skipped: 0, problem: null };

/* Calls change(old => new) with what came, and say("open" or "closed"). Returns the function that ends it. */
function follow(filter, change, say) {
  const path = "/tail" + query({ filter });
  let source = null;
  let fresh = [];
  let skipped = 0;
  let number = 0;
  const draw = () => {
    if (!fresh.length && !skipped) return;
    const [came, missed] = [fresh.reverse(), skipped];
    [fresh, skipped] = [[], 0];
    change((old) => ({ ...old, messages: [...came, ...old.messages].slice(0, SHOWN_MAX), seen: old.seen + came.length, skipped: old.skipped + missed }));
  };
  const timer = setInterval(draw, DRAW_MS);

  function close() {
    source?.close();
    source = null;
    say("closed");
  }
  /* The browser reconnects by itself after a broken connection, and gives up after an answer that is not a stream. */
  async function failed() {
    say("closed");
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    const problem = await refusalOf(path).catch((lost) => lost);
    if (problem) change((old) => ({ ...old, problem }));
  }
  function open() {
    source = new EventSource(PREFIX + path);
    source.onopen = () => say("open");
    source.onerror = failed;
    source.addEventListener("message", ({ data }) => fresh.push({ ...JSON.parse(data), number: ++number }));
    source.addEventListener("skipped", ({ data }) => (skipped += JSON.parse(data).messages));
  }
  const adjust = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", adjust);
  adjust();
  return () => {
    document.removeEventListener("visibilitychange", adjust);
    clearInterval(timer);
    close();
  };
}

/* {messages (newest first), seen, skipped, problem, state, clear()}. Nothing is followed without a filter or while `held`. */
export function useTail(filter, held) {
  const [tail, setTail] = useState(NOTHING);
  const [state, setState] = useState("closed");
  useEffect(() => setTail(NOTHING), [filter]);
  useEffect(() => {
    if (!filter || held) return undefined;
    return follow(filter, setTail, setState);
  }, [filter, held]);
  return { ...tail, state, clear: () => setTail(NOTHING) };
}
