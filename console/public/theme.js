/* Light or dark. A classic script that runs before the first paint, so that a dark page never flashes white. */
/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

(() => {
  const key = "holdfast-theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Storage may be forbidden; the page then follows the system.
  const kept = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(key, theme);
    } catch {
      /* the choice then lasts as long as the page */
    }
  };

  const show = (theme) => {
    root.dataset.theme = theme;
    dispatchEvent(new Event("themechange"));
  };

  show(kept() ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => kept() ?? show(dark.matches ? "dark" : "light"));

  window.theme = {
    now: () => root.dataset.theme,
    toggle() {
      const next = root.dataset.theme === "dark" ? "light" : "dark";
      keep(next);
      show(next);
    },
  };
})();
