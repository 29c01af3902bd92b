/* What a page reads from the server: the last good answer stays on the screen while a newer one is on its way. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, reach } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

const NOTHING = { answer: null, problem: null };

/* {answer, problem, refresh}. Reads at once, when the path changes, and when a lost server is found again. */
export function useAnswer(path) {
  const [state, setState] = useState(NOTHING);
  const reading = useRef(null);

  const refresh = useCallback(() => {
    // One request at a time: a call that comes during another is made up for once, afterwards.
    if (reading.current?.path === path) {
      reading.current.again = true;
      return;
    }
    reading.current?.abort.abort();
    const mine = { path, again: false, abort: new AbortController() };
    reading.current = mine;
    const done = (change) => {
      if (reading.current !== mine) return;
      reading.current = null;
      setState(change);
      if (mine.again) refresh();
    };
    call(path, { signal: mine.abort.signal }).then(
      (answer) => done({ answer, problem: null }),
      (problem) => done((old) => ({ ...old, problem })),
    );
  }, [path]);

  useEffect(() => {
    refresh();
    return reach.listen((state) => state === "ok" && refresh());
  }, [refresh]);

  useEffect(
    () => () => {
      reading.current?.abort.abort();
      reading.current = null;
    },
    [],
  );

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
