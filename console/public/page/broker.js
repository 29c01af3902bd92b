/* The broker at work: connections, messages, queues and how long an acknowledgement takes, as small plots that move. */
/* SPDX-License-Identifier: Apache-2.0 */
import { useAnswer } from "../answer.js";
import { measured, withMoment } from "../broker.js";
import { html, useEffect } from "../html.js";
import { LiveMark } from "../part/live-mark.js";
import { ProblemNotice } from "../part/notice.js";
import { Page } from "../part/page.js";
import { Plot } from "../part/plot.js";
import { signal, useSignal } from "../signal.js";
import { useClock, useEvery } from "../time.js";

const EVERY_MS = 2000;
/* The plots grow with what was seen, up to this. */
const RANGE_MS = 15 * 60000;
const RANGE_MS_MIN = 2 * 60000;

const PLOTS = [
  { title: "Connections", unit: "count", lines: [["connections", "open"]] },
  { title: "Sessions", unit: "count", lines: [["sessions", "kept"]] },
  { title: "Messages per second", unit: "per s", lines: [["in", "in"], ["out", "out"]] },
  { title: "Lost per second", unit: "per s", lines: [["dropped", "dropped"], ["refused", "refused"]] },
  { title: "Queues", unit: "B", lines: [["queued", "bytes"]] },
  { title: "Acknowledgement", unit: "time", lines: [["median", "median"], ["p99", "99 %"]] },
];

/* What was seen stays when another page is looked at in between. */
const seen = signal({ series: new Map(), last: null, at: 0 });

function take(answer) {
  const { series, last, at } = seen.get();
  if (answer === last) return;
  const now = Date.now();
  seen.set({ series: withMoment(series, now, measured(answer, last, (now - at) / 1000)), last: answer, at: now });
}

export function Broker() {
  const { answer, problem, refresh } = useAnswer("/health");
  const { series } = useSignal(seen);
  const now = Math.ceil(useClock() / EVERY_MS) * EVERY_MS;
  const first = series.get("connections")?.times[0] ?? now;
  const range = Math.min(RANGE_MS, Math.max(RANGE_MS_MIN, now - first));
  useEffect(() => answer && take(answer), [answer]);
  useEvery(EVERY_MS, refresh);
  return html`
    <${Page} title="Broker" aside=${html`<${LiveMark} live=${Boolean(answer) && !problem} />`}>
      <${ProblemNotice} problem=${problem} />
      <div class="plots">
        ${PLOTS.map(({ title, unit, lines }) => html`<${Plot} key=${title} title=${title} lines=${lines} series=${series} unit=${unit} from=${now - range} to=${now} />`)}
      </div>
      <p class="prose faint">Drawn from when this page was first opened. For longer, let Prometheus read <code>/metrics</code>; the numbers themselves stand on the <a href="#/about">About</a> page.</p>
    <//>
  `;
}
