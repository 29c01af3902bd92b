/* What a device says it is made of: its inventory with the installed packages, and its other reported documents. */
/* SPDX-License-Identifier: Apache-2.0 */
import { devicePath } from "../api.js";
import { useAnswer } from "../answer.js";
import { html, useMemo } from "../html.js";
import { Facts, rowsOf } from "../part/facts.js";
import { Search } from "../part/field.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { refine } from "../route.js";
import { Ago, useEvery } from "../time.js";
import { written } from "../unit.js";

const REFRESH_MS = 30000;
const ROWS_MAX = 300;
const TITLES = { os: "System", kernel: "Kernel", hardware: "Hardware", key: "Key" };

/* The one inventory figure with a unit. */
const shown = (rows) => rows.map(([name, text]) => [name, name === "memory" && /^\d+$/.test(text) ? written(Number(text), "B") : text]);

const Card = ({ name, title, content }) => html`
  <section class="card" aria-label=${title} data-document=${name}><h2>${title}</h2><${Facts} rows=${shown(rowsOf(content))} /></section>
`;

function Packages({ packages, find }) {
  const wanted = find.toLowerCase();
  const found = useMemo(() => packages.filter(({ name }) => name.toLowerCase().includes(wanted)), [packages, wanted]);
  return html`
    <section aria-labelledby="packages-title">
      <h2 id="packages-title">Packages</h2>
      <form class="filters" role="search" aria-label="Packages" onSubmit=${(event) => event.preventDefault()}>
        <${Search} label="Search" placeholder="Part of a package's name" value=${find} change=${(value) => refine({ find: value })} />
        <p class="faint filters-note" role="status">${found.length.toLocaleString("en")} of ${packages.length.toLocaleString("en")}</p>
      </form>
      ${found.length === 0
        ? html`<${Empty} title="No package matches">The device has ${packages.length} packages; none has “${find}” in its name.<//>`
        : html`
          <table class="packages">
            <thead><tr><th scope="col">Package</th><th scope="col">Version</th></tr></thead>
            <tbody>${found.slice(0, ROWS_MAX).map(({ name, version }) => html`<tr key=${name + version}><th scope="row">${name}</th><td>${version}</td></tr>`)}</tbody>
          </table>`}
      ${found.length > ROWS_MAX && html`<p class="faint">The first ${ROWS_MAX} are shown; search to see the others.</p>`}
    </section>
  `;
}

/* A device may report anything: what is no package is left out, so that no document can break the page. */
const packagesOf = (list) => list.filter((entry) => typeof entry?.name === "string" && ["string", "undefined"].includes(typeof entry.version));

function Inventory({ content, time, find }) {
  const { packages, ...parts } = content;
  // What is not an object has no card of its own.
  const cards = Object.entries(parts).filter(([, part]) => part !== null && typeof part === "object");
  const loose = Object.fromEntries(Object.entries(parts).filter(([, part]) => part === null || typeof part !== "object"));
  return html`
    <p class="faint card-note">Reported <${Ago} when=${time} /></p>
    <div class="cards">
      ${cards.map(([name, part]) => html`<${Card} key=${name} name=${name} title=${TITLES[name] ?? name} content=${part} />`)}
      ${Object.keys(loose).length > 0 && html`<${Card} name="more" title="More" content=${loose} />`}
    </div>
    ${Array.isArray(packages) && html`<${Packages} packages=${packagesOf(packages)} find=${find} />`}
  `;
}

export function InventoryTab({ device, parameters }) {
  const { answer, problem, refresh } = useAnswer(devicePath(device.id) + "/documents");
  useEvery(REFRESH_MS, refresh);
  if (!answer) return problem ? html`<${ProblemNotice} problem=${problem} />` : html`<${Waiting} />`;
  const { inventory, ...others } = answer.documents;
  return html`
    <${ProblemNotice} problem=${problem} />
    ${inventory
      ? html`<${Inventory} content=${inventory.content} time=${inventory.time} find=${parameters.find ?? ""} />`
      : html`<${Empty} title="No inventory yet">The agent reports it to <code>devices/${device.id}/twin/reported</code> when it connects.<//>`}
    ${Object.keys(others).length > 0 && html`
      <h2>Other documents</h2>
      <div class="cards">${Object.entries(others).map(([name, { content }]) => html`<${Card} key=${name} name=${name} title=${name} content=${content} />`)}</div>`}
  `;
}
