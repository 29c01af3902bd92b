/* Events, newest first: when, what, which device, and the detail in words. */
/* SPDX-License-Identifier: Apache-2.0 */
import { stamp } from "../duration.js";
import { html } from "../html.js";
import { sentenceOf } from "../kinds.js";
import { address } from "../route.js";
import { rowsOf } from "./facts.js";
import { Empty, ProblemNotice, Waiting } from "./notice.js";
import { SeverityBadge } from "./presence.js";

const Detail = ({ detail }) => html`
  <span class="detail">
    ${rowsOf(detail).map(([name, value]) => html`<span key=${name}><span class="faint">${name}</span> ${value}</span>`)}
  </span>
`;

const EventRow = ({ event, about }) => html`
  <li class="event" data-kind=${event.kind}>
    <time class="figure faint" datetime=${event.time}>${stamp(event.time)}</time>
    <${SeverityBadge} severity=${event.severity} />
    <span class="event-what">
      <strong class="kind" title=${sentenceOf(event.kind)}>${event.kind}</strong>
      ${!about && event.device && html`<a href=${address(["devices", event.device])}>${event.device}</a>`}
      <${Detail} detail=${event.detail} />
    </span>
  </li>
`;

/* `log`: of useEventLog; `about`: the device all events are about, which is then not repeated; children: what to say
 * when there are none. */
export function EventList({ log, about, children }) {
  if (!log.events) return log.problem ? html`<${ProblemNotice} problem=${log.problem} />` : html`<${Waiting} />`;
  return html`
    <${ProblemNotice} problem=${log.problem} />
    ${log.events.length === 0
      ? html`<${Empty} title="No events">${children}<//>`
      : html`<ol class="events">${log.events.map((event) => html`<${EventRow} key=${event.id} event=${event} about=${about} />`)}</ol>`}
    ${log.next && html`<p class="pager"><button type="button" onClick=${log.older}>Older events</button></p>`}
  `;
}
