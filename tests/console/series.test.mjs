/* The console's arithmetic on series: rows of rule, input, expected. */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, fromPoints, merged, since, withGaps, withValue } from "../../console/public/series.js";

const series = (...points) => ({ times: points.map(([time]) => time), values: points.map(([, value]) => value) });

const ROWS = [
  ["points become columns", fromPoints([[1, 10], [2, 20]]), series([1, 10], [2, 20])],
  ["of points in one millisecond the last stands", fromPoints([[1, 10], [1, 11], [2, 20]]), series([1, 11], [2, 20])],
  ["merging with nothing changes nothing", merged(EMPTY, series([1, 10])), series([1, 10])],
  ["merging puts times in order", merged(series([1, 10], [4, 40]), series([2, 20], [3, 30])), series([1, 10], [2, 20], [3, 30], [4, 40])],
  ["for one time the second series' value stands", merged(series([1, 10], [2, 20]), series([2, 21])), series([1, 10], [2, 21])],
  ["a new value is appended", withValue(series([1, 10]), 2, 20), series([1, 10], [2, 20])],
  ["a late value finds its place", withValue(series([1, 10], [3, 30]), 2, 20), series([1, 10], [2, 20], [3, 30])],
  ["a value for a known time replaces", withValue(series([1, 10]), 1, 11), series([1, 11])],
  ["old values leave", since(series([1, 10], [2, 20], [3, 30]), 2), series([2, 20], [3, 30])],
  ["when all are old, nothing is left", since(series([1, 10]), 2), EMPTY],
  ["a long pause breaks the line", withGaps(series([0, 1], [5e3, 2], [10e3, 3], [60e3, 4])), series([0, 1], [5e3, 2], [10e3, 3], [35e3, null], [60e3, 4])],
  ["a pause that is usual does not", withGaps(series([0, 1], [60e3, 2], [120e3, 3])), series([0, 1], [60e3, 2], [120e3, 3])],
];

for (const [rule, got, expected] of ROWS) test(rule, () => assert.deepEqual(got, expected));
