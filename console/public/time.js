/* Time that passes while a page is shown: "12 s ago", and work that is done again and again. */
/* SPDX-License-Identifier: Apache-2.0 */
import { span, stamp } from "./duration.js";
import { html, useEffect } from "./html.js";
import { signal, useSignal } from "./signal.js";

/* The clock of the page, in ms; moves once a second and stands still while nobody looks at the page. */
const clock = signal(Date.now());
setInterval(() => document.hidden || clock.set(Date.now()), 1000);
document.addEventListener("visibilitychange", () => document.hidden || clock.set(Date.now()));

export const useClock = () => useSignal(clock);

/* "12 s ago" or "in 3 h", living; the exact time is in the title and for machines. */
export function Ago({ when, never = "never" }) {
  const now = useClock();
  if (!when) return html`<span class="faint">${never}</span>`;
  const seconds = (now - Date.parse(when)) / 1000;
  // A device or a server whose clock runs a little ahead has not been seen in the future.
  const text = seconds > -5 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
  return html`<time class="figure" datetime=${when} title=${stamp(when)}>${text}</time>`;
}

/* Runs `work` every `ms` while the page is looked at, and at once when it is looked at again. */
export function useEvery(ms, work) {
  useEffect(() => {
    const step = () => document.hidden || work();
    const timer = setInterval(step, ms);
    document.addEventListener("visibilitychange", step);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", step);
    };
  }, [ms, work]);
}
