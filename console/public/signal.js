/* A value that tells its listeners when it changes; the only state that is shared between modules. */
/* SPDX-License-Identifier: Apache-2.0 */
import { useEffect, useState } from "./html.js";

export function signal(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    /* Returns the function that ends the listening. */
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useSignal(of) {
  const [value, setValue] = useState(of.get());
  useEffect(() => {
    setValue(of.get()); // it may have changed between the first drawing and this effect
    return of.listen((next) => setValue(next));
  }, [of]);
  return value;
}
