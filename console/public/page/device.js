/* One device: who it is, how it does, and behind tabs its telemetry, its inventory and its events. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, devicePath } from "../api.js";
import { useAnswer, useCalm } from "../answer.js";
import { InventoryTab } from "../device/inventory-tab.js";
import { TelemetryTab } from "../device/telemetry-tab.js";
import { useEventLog } from "../event-log.js";
import { html, useCallback, useState } from "../html.js";
import { Confirm } from "../part/confirm.js";
import { EventList } from "../part/event-list.js";
import { Facts } from "../part/facts.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Presence, StateBadge } from "../part/presence.js";
import { address, go } from "../route.js";
import { useEvents } from "../stream.js";
import { Ago, useEvery } from "../time.js";

const REFRESH_MS = 10000;
const CALM_MS = 500;

const EventsTab = ({ device }) => html`
  <${EventList} log=${useEventLog({ device: device.id })} about=${device.id}>What happens to this device appears here by itself.<//>
`;

const TABS = [
  ["", "Telemetry", TelemetryTab],
  ["inventory", "Inventory", InventoryTab],
  ["events", "Events", EventsTab],
];

const Tabs = ({ id, chosen }) => html`
  <nav class="tabs" aria-label="Parts of this device">
    ${TABS.map(([key, text]) => html`
      <a key=${key} href=${address(["devices", id], { tab: key })} aria-current=${key === chosen ? "page" : undefined}>${text}</a>
    `)}
  </nav>
`;

/* Four-digit groups can be compared by eye. */
const Fingerprint = ({ text }) => html`<code class="fingerprint" title="SHA-256 of the public key">${text.match(/.{1,4}/g).join(" ")}</code>`;

const About = ({ device }) => html`
  <${Facts} rows=${[
    ["Group", device.group],
    ["Last seen", html`<${Ago} when=${device.last_seen} />`],
    ["Connected since", device.connected_since && html`<${Ago} when=${device.connected_since} />`],
    ["Enrolled", html`<${Ago} when=${device.enrolled} />`],
    ["Certificate ends", html`<${Ago} when=${device.certificate?.expires} never="–" />`],
    ["Certificate serial", device.certificate && html`<code class="fingerprint">${device.certificate.serial}</code>`],
    ["Key", device.key && html`<${Fingerprint} text=${device.key.fingerprint} />`],
  ]} />
`;

function Deletion({ id, close }) {
  const act = async () => {
    await call(devicePath(id), { method: "DELETE" });
    go([]);
  };
  return html`
    <${Confirm} title="Delete ${id}?" verb="Delete the device" act=${act} close=${close}>
      <p>Its session ends and its certificate is refused from now on. To come back it must enrol again with a new token.</p>
    <//>
  `;
}

function Missing({ id, problem }) {
  if (problem.status !== 404) return html`<${Page} title=${id}><${ProblemNotice} problem=${problem} /><//>`;
  return html`<${Page} title=${id}><${Empty} title="No such device">It may have been deleted. <a href="#/">Show all devices</a>.<//><//>`;
}

export function Device({ id, parameters }) {
  const { answer: device, problem, refresh } = useAnswer(devicePath(id));
  const [deleting, setDeleting] = useState(false);
  const calmly = useCalm(CALM_MS, refresh);
  useEvents(useCallback((event) => event.device === id && calmly(), [id, calmly]));
  useEvery(REFRESH_MS, refresh);

  if (problem?.status === 404 || (problem && !device)) return html`<${Missing} id=${id} problem=${problem} />`;
  if (!device) return html`<${Page} title=${id}><${Waiting} /><//>`;
  const [chosen, , Tab] = TABS.find(([key]) => key === (parameters.tab ?? "")) ?? TABS[0];
  return html`
    <${Page} title=${id} aside=${html`
      <span class="page-marks"><${StateBadge} state=${device.state} /><${Presence} device=${device} /></span>
      <button type="button" class="quiet end" onClick=${() => setDeleting(true)}>Delete…</button>`}>
      <${About} device=${device} />
      <${Tabs} id=${id} chosen=${chosen} />
      <${Tab} device=${device} parameters=${parameters} />
      ${deleting && html`<${Deletion} id=${id} close=${() => setDeleting(false)} />`}
    <//>
  `;
}
