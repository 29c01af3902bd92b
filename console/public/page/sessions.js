/* Clients' MQTT sessions: the list to find one in. With a client in the address, that one session (page/session.js). */
/* SPDX-License-Identifier: Apache-2.0 */
import { query } from "../api.js";
import { useAnswer } from "../answer.js";
import { html } from "../html.js";
import { Choice, Search } from "../part/field.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Presence } from "../part/presence.js";
import { address, refine } from "../route.js";
import { Ago, useEvery } from "../time.js";
import { Session, principalText } from "./session.js";

const PAGE = 50;
const REFRESH_MS = 5000;
const CONNECTED = [["", "Any"], ["true", "Connected"], ["false", "Away"]];

const addressOf = ({ principal, client }) => address(["sessions"], { kind: principal.kind, principal: principal.id, client });

const Row = ({ session }) => html`
  <tr data-session=${session.client}>
    <th scope="row"><a class="row-link" href=${addressOf(session)}>${session.client}</a><span class="narrow-only faint">${principalText(session)}</span></th>
    <td><${Presence} device=${session} /></td>
    <td class="wide">${principalText(session)}</td>
    <td class="widest"><${Ago} when=${session.since} never="–" /></td>
    <td class="wide figure">${session.subscriptions.toLocaleString("en")}</td>
    <td class="wide figure">${session.queued.toLocaleString("en")}</td>
    <td class="figure ${session.dropped ? "bad-figure" : ""}">${session.dropped.toLocaleString("en")}</td>
  </tr>
`;

const Table = ({ sessions }) => html`
  <table class="fleet">
    <thead>
      <tr>
        <th scope="col">Client</th><th scope="col">Connection</th><th scope="col" class="wide">Principal</th>
        <th scope="col" class="widest">Since</th><th scope="col" class="wide">Subscriptions</th><th scope="col" class="wide">Queued</th><th scope="col">Dropped</th>
      </tr>
    </thead>
    <tbody>${sessions.map((session) => html`<${Row} key=${addressOf(session)} session=${session} />`)}</tbody>
  </table>
`;

function Filters({ parameters }) {
  const change = (name) => (value) => refine({ [name]: value, after: "" });
  return html`
    <form class="filters" role="search" aria-label="Sessions" onSubmit=${(event) => event.preventDefault()}>
      <${Search} label="Search" placeholder="Part of a client or principal" value=${parameters.search ?? ""} change=${change("search")} />
      <${Choice} label="Connection" value=${parameters.connected ?? ""} choices=${CONNECTED} change=${change("connected")} />
    </form>
  `;
}

function Pager({ answer, parameters }) {
  const from = (after) => address(["sessions"], { ...parameters, after });
  return html`
    <p class="pager">
      <span class="faint" role="status">${answer.total === 1 ? "1 session" : `${answer.total.toLocaleString("en")} sessions`}</span>
      ${parameters.after && html`<a class="button" href=${from("")}>First page</a>`}
      ${answer.next && html`<a class="button" rel="next" href=${from(answer.next)}>Next</a>`}
    </p>
  `;
}

function Listing({ answer, parameters, filtered }) {
  if (answer.sessions.length > 0) return html`<${Table} sessions=${answer.sessions} /><${Pager} answer=${answer} parameters=${parameters} />`;
  if (filtered) return html`<${Empty} title="No session matches">Loosen the search, or <a href="#/sessions">show all sessions</a>.<//>`;
  return html`<${Empty} title="No sessions yet">Clients of MQTT appear here by themselves.<//>`;
}

function List({ parameters }) {
  const { search = "", connected = "", after = "" } = parameters;
  const { answer, problem, refresh } = useAnswer("/sessions" + query({ search, connected, after, limit: PAGE }));
  useEvery(REFRESH_MS, refresh);
  return html`
    <${Page} title="Sessions" aside=${html`<a class="button" href="#/live">Watch messages</a>`}>
      <${Filters} parameters=${parameters} />
      <${ProblemNotice} problem=${problem} />
      ${answer ? html`<${Listing} answer=${answer} parameters=${parameters} filtered=${Boolean(search || connected || after)} />` : !problem && html`<${Waiting} />`}
    <//>
  `;
}

export const Sessions = ({ parameters }) =>
  parameters.client
    ? html`<${Session} key=${JSON.stringify(parameters)} kind=${parameters.kind ?? ""} principal=${parameters.principal ?? ""} client=${parameters.client} />`
    : html`<${List} parameters=${parameters} />`;
