/* What the store keeps of a metric: reads a stretch of time, page by page. */
/* SPDX-License-Identifier: Apache-2.0 */
import { call, devicePath, query } from "./api.js";
import { EMPTY, fromPoints, merged } from "./series.js";

const POINTS = 10000;
/* A bound on what one plot may ask for: 24 hours of a sample per second fit. */
const PAGES_MAX = 10;
const AT_ONCE = 3;

async function readOne(device, metric, from, to, signal) {
  let series = EMPTY;
  let next = from;
  for (let page = 0; page < PAGES_MAX && next !== null; page++) {
    const answer = await call(`${devicePath(device)}/series` + query({ metric, from: next, to, limit: POINTS }), { signal });
    series = merged(series, fromPoints(answer.points.filter(([, value]) => typeof value === "number")));
    next = answer.next;
  }
  return series;
}

/* Calls got(metric, series) for each metric as it arrives, a few at a time. Rejects with the first problem. */
export async function readHistory({ device, metrics, from, to, signal }, got) {
  const left = [...metrics];
  const work = async () => {
    while (left.length) {
      const metric = left.shift();
      got(metric, await readOne(device, metric, from, to, signal));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
