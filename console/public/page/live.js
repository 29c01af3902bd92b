/* Messages as they pass: the tail of a topic filter. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useId, useState } from "../html.js";
import { LiveMark } from "../part/live-mark.js";
import { Empty, ProblemNotice } from "../part/notice.js";
import { Page } from "../part/page.js";
import { payloadText } from "../payload.js";
import { refine } from "../route.js";
import { useTail } from "../tail.js";
import { written } from "../unit.js";

const EXAMPLES = ["devices/+/telemetry/#", "devices/+/events", "$holdfast/events/#", "#"];

function FilterForm({ filter }) {
  const id = useId();
  const submit = (event) => {
    event.preventDefault();
    refine({ filter: new FormData(event.currentTarget).get("filter").trim() });
  };
  return html`
    <form class="filters" role="search" aria-label="Messages" onSubmit=${submit}>
      <div class="field search">
        <label for=${id}>Topic filter</label>
        <input id=${id} key=${filter} name="filter" data-search defaultValue=${filter} value=${filter} placeholder="devices/+/telemetry" autocomplete="off" spellcheck=${false}
          required maxlength="1024" aria-keyshortcuts="/" aria-describedby="${id}-hint" />
      </div>
      <button type="submit" class="primary">Watch</button>
      <p class="hint filters-hint" id="${id}-hint">+ stands for one level, # for all that follow.</p>
    </form>
  `;
}

const timeText = (when) => new Date(when).toLocaleTimeString(undefined, { hour12: false });

const propertyRows = ({ content_type: type, response_topic: response, correlation_data: correlation, user }) =>
  [["content type", type], ["response topic", response], ["correlation data", correlation], ...user].filter(([, value]) => value !== null);

const Message = ({ message }) => html`
  <li class="message" data-topic=${message.topic}>
    <div class="message-head">
      <time class="figure faint" datetime=${message.time}>${timeText(message.time)}</time>
      <code class="topic">${message.topic}</code>
      <span class="faint">QoS ${message.qos}${message.retain ? ", retained" : ""}, ${written(message.payload.bytes, "B")}${message.payload.encoding === "base64" ? ", not text: in base64" : ""}</span>
    </div>
    <pre class="payload">${payloadText(message.payload)}${message.payload.whole ? "" : " …"}</pre>
    ${propertyRows(message.properties).length > 0 && html`<p class="detail">${propertyRows(message.properties).map(([name, value], at) => html`<span key=${at}><span class="faint">${name}</span> ${value}</span>`)}</p>`}
  </li>
`;

const count = (number) => number.toLocaleString("en");

function Messages({ tail, held }) {
  if (tail.messages.length === 0) {
    return html`<${Empty} title=${held ? "Nothing was shown yet" : "Waiting for messages"}>What is published from now on appears here by itself; retained messages and the past do not.<//>`;
  }
  return html`<ol class="messages" aria-label="Messages, newest first">${tail.messages.map((message) => html`<${Message} key=${message.number} message=${message} />`)}</ol>`;
}

function Tail({ filter }) {
  const [held, setHeld] = useState(false);
  const tail = useTail(filter, held);
  return html`
    <div class="tab-head">
      <p class="faint" role="status" data-seen=${tail.seen}>${count(tail.seen)} seen${tail.skipped ? `, ${count(tail.skipped)} left out: more than can be shown` : ""}</p>
      <span class="buttons">
        ${!held && !tail.problem && html`<${LiveMark} live=${tail.state === "open"} />`}
        <button type="button" aria-pressed=${held} onClick=${() => setHeld(!held)}>${held ? "Go on" : "Hold"}</button>
        <button type="button" onClick=${tail.clear}>Clear</button>
      </span>
    </div>
    <${ProblemNotice} problem=${tail.problem} />
    ${!tail.problem && html`<${Messages} tail=${tail} held=${held} />`}
  `;
}

export function Live({ parameters }) {
  const filter = parameters.filter ?? "";
  return html`
    <${Page} title="Live">
      <${FilterForm} filter=${filter} />
      ${filter
        ? html`<${Tail} key=${filter} filter=${filter} />`
        : html`<${Empty} title="Which messages?">Give a topic filter, such as ${EXAMPLES.map((example, at) => html`${at ? ", " : ""}<a href="#/live?${new URLSearchParams({ filter: example })}"><code>${example}</code></a>`)}.<//>`}
    <//>
  `;
}
