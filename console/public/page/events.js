/* The event log of the whole server, live. */
/* SPDX-License-Identifier: Apache-2.0 */
import { useEventLog } from "../event-log.js";
import { html } from "../html.js";
import { KINDS } from "../kinds.js";
import { EventList } from "../part/event-list.js";
import { Choice, Search } from "../part/field.js";
import { LiveMark } from "../part/live-mark.js";
import { Page } from "../part/page.js";
import { refine } from "../route.js";
import { useSignal } from "../signal.js";
import { streaming } from "../stream.js";

const LEVELS = [["", "All"], ["warning", "Warnings and errors"], ["error", "Errors"]];
const KIND_CHOICES = [["", "All kinds"], ...Object.keys(KINDS).sort().map((kind) => [kind, kind])];

export function Events({ parameters }) {
  const { severity = "", kind = "", device = "" } = parameters;
  const log = useEventLog({ severity, kind, device });
  const stream = useSignal(streaming);
  const filtered = severity || kind || device;
  return html`
    <${Page} title="Events" aside=${html`<${LiveMark} live=${stream === "open"} />`}>
      <form class="filters" role="search" aria-label="Events" onSubmit=${(event) => event.preventDefault()}>
        <${Search} label="Device" placeholder="Whole id" value=${device} change=${(value) => refine({ device: value.trim() })} />
        <${Choice} label="Severity" value=${severity} choices=${LEVELS} change=${(value) => refine({ severity: value })} />
        <${Choice} label="Kind" value=${kind} choices=${KIND_CHOICES} change=${(value) => refine({ kind: value })} />
      </form>
      <${EventList} log=${log}>
        ${filtered ? html`Nothing matches. <a href="#/events">Show all events</a>.` : "What happens from now on appears here by itself."}
      <//>
    <//>
  `;
}
