/* What a page reads from the server: the last good answer stays on the screen while a newer one is on its way. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, reach } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

const NOTHING = { answer: null, problem: null };

/* {answer, problem, refresh}. Reads at once, when the path changes, and when a lost server is found again. refresh is
 * the same function always, and reads what the path is then. */
export function useAnswer(path) {
  const [state, setState] = useState(NOTHING);
  const wanted = useRef(path);
  const reading = useRef(null);
  wanted.current = path;

  const refresh = useCallback(() => {
    // One request at a time: a call that comes during another is made up for once, afterwards.
    if (reading.current?.path === wanted.current) {
      reading.current.again = true;
      return;
    }
    reading.current?.abort.abort();
    const mine = { path: wanted.current, again: false, abort: new AbortController() };
    reading.current = mine;
    const done = (change) => {
      if (reading.current !== mine) return;
      reading.current = null;
      setState(change);
      if (mine.again) refresh();
    };
    call(mine.path, { signal: mine.abort.signal }).then(
      (answer) => done({ answer, problem: null }),
      (problem) => done((old) => ({ ...old, problem })),
    );
  }, []);

  useEffect(refresh, [path]);
  useEffect(() => {
    const end = reach.listen((now) => now === "ok" && refresh());
    return () => {
      end();
      reading.current?.abort.abort();
      reading.current = null;
    };
  }, []);
  return { ...state, refresh };
}

/* Calls `work` soon, and at most once per `ms` however often it is asked: events come in bursts. */
export function useCalm(ms, work) {
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      work();
    }, ms);
  }, [ms, work]);
}
