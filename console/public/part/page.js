/* The frame of every page: its title, in the tab and as heading, and the focus that follows the reader. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect, useLayoutEffect, useRef } from "../html.js";

export function Page({ title, aside, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
  // Going to another page moves the focus to its heading, so that the keyboard and a screen reader begin there.
  useLayoutEffect(() => {
    if (document.body.dataset.moved) heading.current.focus({ preventScroll: true });
    document.body.dataset.moved = "yes";
    scrollTo(0, 0);
  }, []);
  return html`
    <div class="page-head">
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${aside}
    </div>
    ${children}
  `;
}
