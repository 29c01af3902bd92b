/* Times and durations as people read them. Servers speak RFC 3339 in UTC; people get their own zone. */
/* SPDX-License-Identifier: Apache-2.0 */

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
