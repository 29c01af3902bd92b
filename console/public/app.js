/* The console: finds out who is signed in, and shows the page that the address names. */
/* SPDX-License-Identifier: Apache-2.0 */
import { operator } from "./api.js";
import { Frame, LostBanner } from "./frame.js";
import { html, render, useState } from "./html.js";
import { About } from "./page/about.js";
import { Broker } from "./page/broker.js";
import { Device } from "./page/device.js";
import { Enrol } from "./page/enrol.js";
import { Events } from "./page/events.js";
import { Fleet } from "./page/fleet.js";
import { Live } from "./page/live.js";
import { Sessions } from "./page/sessions.js";
import { FirstAccount, SignIn } from "./page/sign-in.js";
import { Empty } from "./part/notice.js";
import { Page } from "./part/page.js";
import { watchReach } from "./reach.js";
import { route, takeSetupSecret } from "./route.js";
import { learnSession } from "./session.js";
import { useSignal } from "./signal.js";
import { watchEvents } from "./stream.js";

const PAGES = {
  "": ({ parameters }) => html`<${Fleet} parameters=${parameters} />`,
  devices: ({ path, parameters }) => html`<${Device} key=${path[1]} id=${path[1] ?? ""} parameters=${parameters} />`,
  events: ({ parameters }) => html`<${Events} parameters=${parameters} />`,
  sessions: ({ parameters }) => html`<${Sessions} parameters=${parameters} />`,
  live: ({ parameters }) => html`<${Live} parameters=${parameters} />`,
  broker: () => html`<${Broker} />`,
  enrol: () => html`<${Enrol} />`,
  about: () => html`<${About} />`,
};

const Nowhere = () => html`<${Page} title="No such page"><${Empty} title="There is nothing at this address">Go to the <a href="#/">fleet</a>.<//><//>`;

function App({ setup }) {
  const [secret, setSecret] = useState(setup);
  const who = useSignal(operator);
  const at = useSignal(route);
  if (secret !== null) return html`<${LostBanner} /><${FirstAccount} secret=${secret} leave=${() => setSecret(null)} />`;
  if (who === undefined) return html`<${LostBanner} />`;
  if (who === null) return html`<${LostBanner} /><${SignIn} />`;
  const show = PAGES[at.path[0] ?? ""] ?? Nowhere;
  return html`<${Frame} operator=${who} path=${at.path}>${show(at)}<//>`;
}

/* "/" goes to the page's search box, unless somebody is writing a "/". */
function watchSlash() {
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, select, textarea, dialog");
    const box = document.querySelector("[data-search]");
    if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || writing || !box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}

const app = document.getElementById("app");
app.textContent = "";
watchSlash();
watchReach();
watchEvents();
render(html`<${App} setup=${takeSetupSecret()} />`, app);
learnSession().catch(() => {});
// A one-time link may be opened in a tab that shows the console already.
addEventListener("hashchange", () => new URLSearchParams(location.hash.slice(1)).has("setup") && location.reload());
