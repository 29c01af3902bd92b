/* The fleet: how many devices there are and how they do, and the list to find one in. */
/* SPDX-License-Identifier: Apache-2.0 */
import { query } from "../api.js";
import { useAnswer, useCalm } from "../answer.js";
import { html, useCallback } from "../html.js";
import { Choice, Field, Search } from "../part/field.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Presence, StateBadge } from "../part/presence.js";
import { address, refine } from "../route.js";
import { useEvents } from "../stream.js";
import { Ago, useEvery } from "../time.js";

const PAGE = 50;
const REFRESH_MS = 10000;
const CALM_MS = 700;
const STATES = [["", "Any"], ["enrolled", "Enrolled"], ["active", "Active"]];
const CONNECTED = [["", "Any"], ["true", "Connected"], ["false", "Not connected"]];

const Tile = ({ name, value, href, note }) => html`
  <a class="tile" href=${href}>
    <span class="tile-name">${name}</span>
    <span class="tile-value figure" data-tile=${name}>${value === undefined ? "–" : value.toLocaleString("en")}</span>
    <span class="tile-note">${note}</span>
  </a>
`;

const percent = (part, whole) => (whole ? `${Math.round((part / whole) * 100)} % of all` : "");

const Tiles = ({ counts = {} }) => html`
  <div class="tiles">
    <${Tile} name="Devices" value=${counts.devices} href="#/" note="enrolled so far" />
    <${Tile} name="Connected" value=${counts.connected} href="#/?connected=true" note=${percent(counts.connected, counts.devices)} />
    <${Tile} name="Active" value=${counts.active} href="#/?state=active" note=${percent(counts.active, counts.devices)} />
    <${Tile} name="Events" value=${counts.events} href="#/events" note="in the log" />
  </div>
`;

const Row = ({ device }) => html`
  <tr data-device=${device.id}>
    <th scope="row"><a class="row-link" href=${address(["devices", device.id])}>${device.id}</a><span class="narrow-only faint">${device.group}</span></th>
    <td><${Presence} device=${device} /></td>
    <td class="wide"><${StateBadge} state=${device.state} /></td>
    <td class="wide">${device.group}</td>
    <td><${Ago} when=${device.last_seen} /></td>
    <td class="widest"><${Ago} when=${device.certificate?.expires} never="–" /></td>
  </tr>
`;

const Table = ({ devices }) => html`
  <table class="fleet">
    <thead>
      <tr>
        <th scope="col">Device</th><th scope="col">Connection</th><th scope="col" class="wide">State</th>
        <th scope="col" class="wide">Group</th><th scope="col">Last seen</th><th scope="col" class="widest">Certificate ends</th>
      </tr>
    </thead>
    <tbody>${devices.map((device) => html`<${Row} key=${device.id} device=${device} />`)}</tbody>
  </table>
`;

function Filters({ parameters }) {
  const change = (name) => (value) => refine({ [name]: value, after: "" });
  return html`
    <form class="filters" role="search" aria-label="Devices" onSubmit=${(event) => event.preventDefault()}>
      <${Search} label="Search" placeholder="Part of an id or a group" value=${parameters.search ?? ""} change=${change("search")} />
      <${Field} label="Group" value=${parameters.group ?? ""} placeholder="Any" autocomplete="off" spellcheck=${false}
        onChange=${(event) => change("group")(event.currentTarget.value.trim())} />
      <${Choice} label="State" value=${parameters.state ?? ""} choices=${STATES} change=${change("state")} />
      <${Choice} label="Connection" value=${parameters.connected ?? ""} choices=${CONNECTED} change=${change("connected")} />
    </form>
  `;
}

function Pager({ answer, parameters }) {
  const from = (after) => address([], { ...parameters, after });
  return html`
    <p class="pager">
      <span class="faint" role="status">${answer.total === 1 ? "1 device" : `${answer.total.toLocaleString("en")} devices`}</span>
      ${parameters.after && html`<a class="button" href=${from("")}>First page</a>`}
      ${answer.next && html`<a class="button" rel="next" href=${from(answer.next)}>Next</a>`}
    </p>
  `;
}

function Listing({ answer, parameters, filtered }) {
  if (answer.devices.length > 0) {
    return html`<${Table} devices=${answer.devices} /><${Pager} answer=${answer} parameters=${parameters} />`;
  }
  if (filtered) return html`<${Empty} title="No device matches">Loosen the search, or <a href="#/">show all devices</a>.<//>`;
  return html`<${Empty} title="No devices yet">Make an <a href="#/enrol">enrolment token</a> and paste its command on your first device.<//>`;
}

export function Fleet({ parameters }) {
  const { search = "", group = "", state = "", connected = "", after = "" } = parameters;
  const counts = useAnswer("/fleet");
  const list = useAnswer("/devices" + query({ search, group, state, connected, after, limit: PAGE }));
  const refresh = useCallback(() => {
    counts.refresh();
    list.refresh();
  }, []);
  const calmly = useCalm(CALM_MS, refresh);
  useEvents(useCallback(({ device }) => device && calmly(), [calmly]));
  useEvery(REFRESH_MS, refresh);

  const filtered = Boolean(search || group || state || connected || after);
  return html`
    <${Page} title="Fleet" aside=${html`<a class="button primary" href="#/enrol">Enrol a device</a>`}>
      <${Tiles} counts=${counts.answer ?? undefined} />
      <${Filters} parameters=${parameters} />
      <${ProblemNotice} problem=${list.problem ?? counts.problem} />
      ${list.answer ? html`<${Listing} answer=${list.answer} parameters=${parameters} filtered=${filtered} />` : html`<${Waiting} />`}
    <//>
  `;
}
