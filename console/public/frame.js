/* What stands around every page: the bar with its links, and the banner when the server is lost. */
/* SPDX-License-Identifier: Apache-2.0 */
import { reach } from "./api.js";
import { html, useState } from "./html.js";
import { Logo } from "./part/logo.js";
import { signOut } from "./session.js";
import { useSignal } from "./signal.js";

const LINKS = [
  ["", "Fleet"],
  ["events", "Events"],
  ["sessions", "Sessions"],
  ["live", "Live"],
  ["broker", "Broker"],
  ["enrol", "Enrol"],
  ["about", "About"],
];

/* A device belongs to the fleet. */
const partOf = (path) => (path[0] === "devices" ? "" : (path[0] ?? ""));

export const LostBanner = () =>
  html`<div class="banner-room" role="status">
    ${useSignal(reach) === "lost" && html`<p class="banner">The server does not answer. What you see may be old; trying again…</p>`}
  </div>`;

export function ThemeButton() {
  const [name, setName] = useState(window.theme.now());
  const toggle = () => {
    window.theme.toggle();
    setName(window.theme.now());
  };
  const other = name === "dark" ? "light" : "dark";
  return html`
    <button type="button" class="icon" onClick=${toggle} aria-label="Show in ${other} colours" title="Show in ${other} colours">
      <svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="7" /><path d="M10 3a7 7 0 0 1 0 14Z" /></svg>
    </button>
  `;
}

export const Frame = ({ operator, path, children }) => html`
  <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector("main h1")?.focus())}>Skip to the content</a>
  <header class="bar">
    <a class="brand" href="#/" aria-label="Holdfast, to the fleet"><${Logo} />Holdfast</a>
    <nav aria-label="Pages">
      ${LINKS.map(([page, text]) => html`<a key=${page} href="#/${page}" aria-current=${partOf(path) === page ? "page" : undefined}>${text}</a>`)}
    </nav>
    <div class="bar-end">
      <${ThemeButton} />
      <span class="who" title="Signed in as ${operator.name}">${operator.name}</span>
      <button type="button" onClick=${() => signOut().catch(() => {})}>Sign out</button>
    </div>
  </header>
  <${LostBanner} />
  <main id="main">${children}</main>
`;
