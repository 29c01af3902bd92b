/* One plot: a few lines of one unit over a range of time, drawn by uPlot, with their latest or pointed-at values above. */
/* SPDX-License-Identifier: Apache-2.0 */
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { EMPTY, withGaps } from "../series.js";
import { boundsOf, written } from "../unit.js";
import uPlot from "../vendor/uplot.js";

const HEIGHT = 148;
const COLOURS = ["--line-1", "--line-2", "--line-3"];
const POWERS_OF_TWO = Array.from({ length: 52 }, (_, power) => 2 ** power);

/* A canvas takes no custom properties: the browser resolves them on a real element first. */
function colour(of, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  of.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

const clockText = (withSeconds) => {
  const format = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: withSeconds ? "2-digit" : undefined, hourCycle: "h23" });
  return (time) => format.format(time);
};

function axes(root, unit) {
  const look = { stroke: colour(root, "--ink-faint"), font: "11px system-ui, sans-serif", grid: { stroke: colour(root, "--grid"), width: 1 }, ticks: { show: false } };
  const bytes = unit === "B" || unit === "B/s";
  return [
    { ...look, size: 26, space: 64, values: (u, splits, axis, space, step) => splits.map(clockText(step < 60000)) },
    { ...look, size: 66, space: 28, values: (u, splits) => splits.map((value) => written(value, unit)), ...(bytes && { incrs: POWERS_OF_TWO }) },
  ];
}

/* Room above and below, but never less than the unit's own bounds, and never beyond a natural zero. */
function heightRange(unit) {
  const { low, high } = boundsOf(unit);
  return (u, least, most) => {
    if (least === null) return [low ?? 0, high ?? 1];
    const room = (most - least) * 0.12 || Math.abs(most) * 0.1 || 1;
    const top = most + room;
    if (high !== undefined && most <= high && (unit === "share" || unit === "%")) return [low, high];
    return [low ?? least - room, high === undefined ? top : Math.max(top, high)];
  };
}

function options(root, { lines, unit, width, range, point }) {
  const stroke = (at) => colour(root, COLOURS[at % COLOURS.length]);
  return {
    width,
    height: HEIGHT,
    ms: 1,
    legend: { show: false },
    cursor: { sync: { key: "device" }, drag: { x: false, y: false }, points: { size: 6 } },
    padding: [8, 28, 0, 0], // on the right half a label with seconds, which may stand below the very end
    scales: { x: { time: true, range: () => [range.current.from, range.current.to] }, y: { range: heightRange(unit) } },
    axes: axes(root, unit),
    series: [
      {},
      ...lines.map(([, name], at) => ({
        label: name,
        stroke: stroke(at),
        width: 1.5,
        points: { size: 4 }, // drawn by uPlot where samples are few, so that a single one is seen
        fill: lines.length === 1 ? colour(root, "--line-fill") : undefined,
      })),
    ],
    hooks: { setCursor: [(u) => point(u.cursor.idx)] },
  };
}

/* Several series have several times: uPlot wants one column of times for all. A gap of one line stays a gap (join mode 2
 * would bridge it); a time that only another line has does not break this one. */
function columns(shown) {
  const tables = shown.map(withGaps).map(({ times, values }) => [times, values]);
  return tables.length === 1 ? tables[0] : uPlot.join(tables);
}

const lastOf = ({ values }) => values[values.length - 1];

const Legend = ({ lines, shown, unit, pointed }) => html`
  <span class="plot-values">
    ${lines.map(([metric, name], at) => {
      const value = pointed ? pointed[at] : lastOf(shown[at]);
      return html`<span key=${metric}>
        ${lines.length > 1 && html`<span class="swatch line-${at + 1}" aria-hidden="true"></span><span class="faint">${name} </span>`}
        <span class="figure">${value === undefined || value === null ? "–" : written(value, unit)}</span>
      </span>`;
    })}
  </span>
`;

function useWidth(box) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    setWidth(box.current.clientWidth);
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

function useTheme() {
  const [name, setName] = useState(window.theme.now());
  useEffect(() => {
    const change = () => setName(window.theme.now());
    addEventListener("themechange", change);
    return () => removeEventListener("themechange", change);
  }, []);
  return name;
}

/* `lines`: [metric, name]; `series`: Map of metric → series; `from`, `to`: ms. */
export function Plot({ title, lines, series, unit, from, to }) {
  const box = useRef(null);
  const chart = useRef(null);
  const range = useRef(null);
  range.current = { from, to };
  const [pointedAt, setPointedAt] = useState(null);
  const theme = useTheme();
  const width = useWidth(box);
  const shown = lines.map(([metric]) => series.get(metric) ?? EMPTY);
  const data = useMemo(() => columns(shown), shown);

  useLayoutEffect(() => {
    if (!width) return undefined;
    const made = new uPlot(options(box.current, { lines, unit, width, range, point: setPointedAt }), data, box.current);
    chart.current = made;
    return () => made.destroy();
  }, [width > 0, theme, unit, lines.map(([metric]) => metric).join("\n")]);
  useLayoutEffect(() => chart.current?.setSize({ width: Math.max(width, 1), height: HEIGHT }), [width]);
  useLayoutEffect(() => chart.current?.setData(data), [data, from, to]);

  const points = shown.reduce((sum, { times }) => sum + times.length, 0);
  const pointed = pointedAt === null || pointedAt === undefined ? null : data.slice(1).map((column) => column[pointedAt]);
  return html`
    <figure class="plot" data-plot=${lines[0][0]} data-points=${points}>
      <figcaption><span class="plot-title" title=${lines.map(([metric]) => metric).join(", ")}>${title}</span>
        <${Legend} lines=${lines} shown=${shown} unit=${unit} pointed=${pointed} /></figcaption>
      <div class="plot-box" ref=${box} role="img" aria-label="${title} over time"></div>
      ${points === 0 && html`<p class="plot-empty faint">No values in this range</p>`}
    </figure>
  `;
}
