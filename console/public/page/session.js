/* One client's session: who and where it is, its queue, its subscriptions, and its end. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, query } from "../api.js";
import { useAnswer } from "../answer.js";
import { duration } from "../duration.js";
import { html, useState } from "../html.js";
import { Confirm } from "../part/confirm.js";
import { Facts } from "../part/facts.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Presence } from "../part/presence.js";
import { address, go } from "../route.js";
import { Ago, useEvery } from "../time.js";
import { written } from "../unit.js";

const REFRESH_MS = 2000;

export const principalText = ({ principal }) => (principal.id ? `${principal.kind} ${principal.id}` : principal.kind);

const Principal = ({ session }) =>
  session.principal.kind === "device"
    ? html`<a href=${address(["devices", session.principal.id])}>${session.principal.id}</a>`
    : principalText(session);

const expiryText = (seconds) => (seconds === null ? "never" : seconds === 0 ? "with its connection" : `${duration(seconds)} after its connection`);

const About = ({ session }) => html`
  <${Facts} rows=${[
    ["Principal", html`<${Principal} session=${session} />`],
    [session.connected ? "Connected" : "Away", session.since && html`<${Ago} when=${session.since} />`],
    ["Address", session.peer],
    ["Transport", session.transport],
    ["MQTT", session.version],
    ["Keep-alive", session.keep_alive_s ? duration(session.keep_alive_s) : "none"],
    ["Session ends", expiryText(session.expiry_s)],
  ]} />
`;

const Figure = ({ name, value, note, bad }) => html`
  <div class="tile" data-figure=${name}>
    <span class="tile-name">${name}</span>
    <span class="tile-value figure ${bad ? "bad-figure" : ""}">${value}</span>
    <span class="tile-note">${note}</span>
  </div>
`;

const count = (number) => number.toLocaleString("en");

const Figures = ({ session }) => html`
  <div class="tiles">
    <${Figure} name="Queued" value=${count(session.queued)} note=${`${written(session.queued_bytes, "B")}, ${count(session.under_way)} under way`} />
    <${Figure} name="Dropped" value=${count(session.dropped)} bad=${session.dropped > 0} note="its queue was full" />
    <${Figure} name="Messages in" value=${count(session.messages_in)} note="from this client" />
    <${Figure} name="Messages out" value=${count(session.messages_out)} note="to this client" />
  </div>
`;

const optionsText = (watch) => [watch.no_local && "no local", watch.as_published && "retain as published"].filter(Boolean).join(", ") || "–";

const Watches = ({ session }) => html`
  <section aria-labelledby="watches-title">
    <h2 id="watches-title">Subscriptions</h2>
    ${session.watches.length === 0
      ? html`<${Empty} title="No subscriptions">This client hears nothing; it may publish all the same.<//>`
      : html`<table class="values watches">
          <thead><tr><th scope="col">Filter</th><th scope="col">QoS</th><th scope="col" class="wide">Options</th><th scope="col"><span class="hidden">Watch</span></th></tr></thead>
          <tbody>
            ${session.watches.map((watch) => html`
              <tr key=${watch.filter}>
                <th scope="row"><code>${watch.filter}</code></th><td class="figure">${watch.qos}</td><td class="wide">${optionsText(watch)}</td>
                <td class="end">${!watch.filter.startsWith("$share/") && html`<a href=${address(["live"], { filter: watch.filter })}>Watch<span class="hidden"> ${watch.filter}</span></a>`}</td>
              </tr>`)}
          </tbody>
        </table>`}
    ${session.subscriptions > session.watches.length && html`<p class="faint">${count(session.subscriptions - session.watches.length)} more are not shown.</p>`}
  </section>
`;

/* `state`: the session's state goes, too. */
function Kick({ name, session, state, close, refresh }) {
  const act = async () => {
    await call("/sessions/one" + query({ ...name, state: state ? "true" : "" }), { method: "DELETE" });
    if (state) go(["sessions"]);
    else refresh();
  };
  if (!state) {
    return html`<${Confirm} title=${`Disconnect ${session.client}?`} verb="Disconnect" act=${act} close=${close}>
      <p>The client may come back at once. ${session.expiry_s === 0
        ? "Its session ends with the connection: subscriptions and queued messages are gone."
        : "Its subscriptions and queued messages wait for it meanwhile."}</p>
    <//>`;
  }
  return html`<${Confirm} title=${`End the session of ${session.client}?`} verb="End the session" act=${act} close=${close}>
    <p>Its connection ends, and its ${count(session.subscriptions)} subscriptions and ${count(session.queued)} queued messages are gone for good. When the client comes back it begins anew.</p>
  <//>`;
}

function Missing({ client, problem }) {
  if (problem.status !== 404) return html`<${Page} title=${client}><${ProblemNotice} problem=${problem} /><//>`;
  return html`<${Page} title=${client}><${Empty} title="No such session">It may have ended. <a href="#/sessions">Show all sessions</a>.<//><//>`;
}

export function Session({ kind, principal, client }) {
  const name = { kind, principal, client };
  const { answer: session, problem, refresh } = useAnswer("/sessions/one" + query(name));
  const [kicking, setKicking] = useState(null);
  useEvery(REFRESH_MS, refresh);
  if (problem?.status === 404 || (problem && !session)) return html`<${Missing} client=${client} problem=${problem} />`;
  if (!session) return html`<${Page} title=${client}><${Waiting} /><//>`;
  return html`
    <${Page} title=${client} aside=${html`
      <span class="page-marks"><${Presence} device=${session} /></span>
      <span class="buttons end">
        ${session.connected && html`<button type="button" class="quiet" onClick=${() => setKicking("connection")}>Disconnect…</button>`}
        <button type="button" class="quiet" onClick=${() => setKicking("session")}>End session…</button>
      </span>`}>
      <${About} session=${session} />
      <${Figures} session=${session} />
      <${Watches} session=${session} />
      ${kicking && html`<${Kick} name=${name} session=${session} state=${kicking === "session"} close=${() => setKicking(null)} refresh=${refresh} />`}
    <//>
  `;
}
