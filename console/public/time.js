/* Times as people read them. Servers speak RFC 3339 in UTC; people get their own zone and "12 s ago". */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect } from "./html.js";
import { signal, useSignal } from "./signal.js";

/* The clock of the page, in ms; moves once a second and stands still while nobody looks at the page. */
const clock = signal(Date.now());
setInterval(() => document.hidden || clock.set(Date.now()), 1000);
document.addEventListener("visibilitychange", () => document.hidden || clock.set(Date.now()));

export const useClock = () => useSignal(clock);

const SPANS = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [Infinity, 86400, "d"],
];

/* 75 → "1 min"; the coarsest unit only, because it is read at a glance. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [, size, unit] = SPANS.find(([below]) => whole < below);
  return `${Math.floor(whole / size)} ${unit}`;
}

/* 93784 → "1 d 2 h 3 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
  ];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

export const stamp = (when) =>
  new Date(when).toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });

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
