/* A device's telemetry: small plots in groups over a range of time, and a table of all latest values. */
/* SPDX-License-Identifier: Apache-2.0 */
import { arranged } from "../arrangement.js";
import { html } from "../html.js";
import { useMeasurements } from "../measurements.js";
import { LiveMark } from "../part/live-mark.js";
import { Empty, ProblemNotice, Waiting } from "../part/notice.js";
import { Plot } from "../part/plot.js";
import { refine } from "../route.js";
import { Ago, useClock } from "../time.js";
import { unitOf, written } from "../unit.js";

const MINUTE_MS = 60000;
const RANGES = [
  { key: "15m", text: "15 min", ms: 15 * MINUTE_MS },
  { key: "1h", text: "1 h", ms: 60 * MINUTE_MS },
  { key: "6h", text: "6 h", ms: 360 * MINUTE_MS },
  { key: "24h", text: "24 h", ms: 1440 * MINUTE_MS },
];
/* A plot slides by about a pixel; more often would be work that nobody sees. */
const STEPS = 450;

const RangeChoice = ({ range }) => html`
  <fieldset class="segments">
    <legend class="hidden">Range of time</legend>
    ${RANGES.map(({ key, text }) => html`
      <label key=${key}><input type="radio" name="range" value=${key} checked=${key === range.key} onChange=${() => refine({ range: key })} /><span>${text}</span></label>
    `)}
  </fieldset>
`;

function Plots({ measured, range }) {
  const step = range.ms / STEPS;
  const to = Math.ceil(useClock() / step) * step;
  const metrics = [...measured.values].filter(([, { value }]) => typeof value === "number").map(([metric]) => metric);
  const unit = (metric) => unitOf(metric, measured.values.get(metric)?.unit);
  return arranged(metrics).map(({ group, plots }) => html`
    <section key=${group} class="plot-group" aria-label=${group}>
      <h2>${group}</h2>
      <div class="plots">
        ${plots.map(({ title, lines }) => html`
          <${Plot} key=${title} title=${title} lines=${lines} series=${measured.series} unit=${unit(lines[0][0])} from=${to - range.ms} to=${to} />
        `)}
      </div>
    </section>
  `);
}

const ValueRow = ({ metric, latest }) => html`
  <tr>
    <th scope="row">${metric}</th>
    <td class="figure">${written(latest.value, unitOf(metric, latest.unit))}</td>
    <td><${Ago} when=${new Date(latest.time).toISOString()} /></td>
  </tr>
`;

const Values = ({ values }) => html`
  <section aria-labelledby="values-title">
    <h2 id="values-title">Latest values</h2>
    <table class="values">
      <thead><tr><th scope="col">Metric</th><th scope="col">Value</th><th scope="col">Measured</th></tr></thead>
      <tbody>${[...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([metric, latest]) => html`<${ValueRow} key=${metric} metric=${metric} latest=${latest} />`)}</tbody>
    </table>
  </section>
`;

export function TelemetryTab({ device, parameters }) {
  const range = RANGES.find(({ key }) => key === parameters.range) ?? RANGES[0];
  const measured = useMeasurements(device.id, range.ms);
  return html`
    <div class="tab-head"><${RangeChoice} range=${range} /><${LiveMark} live=${measured.live === "open"} /></div>
    <${ProblemNotice} problem=${measured.problem} />
    ${!measured.known && !measured.problem && html`<${Waiting} />`}
    ${measured.known && measured.values.size === 0 && html`
      <${Empty} title="No telemetry yet">The device publishes to <code>devices/${device.id}/telemetry</code>; its first values appear here by themselves.<//>`}
    ${measured.values.size > 0 && html`<${Plots} measured=${measured} range=${range} /><${Values} values=${measured.values} />`}
  `;
}
