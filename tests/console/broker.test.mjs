/* The broker's rates and latencies, out of two answers of the server. */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { measured, quantile, withMoment } from "../../console/public/broker.js";

const answer = (started, messages, counts) => ({
  started,
  numbers: { connections: 5, sessions: 4, queued_bytes: 100, queued_messages: 2, messages_in: messages, messages_out: 0, messages_dropped: 0, messages_refused: 0 },
  latencies: { acknowledgement_seconds: { sum_us: 0, bounds_us: [100, 1000], counts } },
});

test("a quantile lies within its bucket", () => {
  assert.equal(quantile([100, 1000], [0, 0, 0], 0.5), null);
  assert.equal(quantile([100, 1000], [10, 0, 0], 0.5), 50e-6);
  assert.equal(quantile([100, 1000], [0, 10, 0], 1), 1000e-6);
  assert.equal(quantile([100, 1000], [0, 0, 3], 0.99), 1000e-6, "what is beyond all bounds is at least the last one");
  assert.ok(quantile([100, 1000], [90, 10, 0], 0.99) > 900e-6);
});

test("rates need two answers of one server", () => {
  const names = (values) => values.map(([name]) => name);
  const first = answer("a", 100, [0, 0, 0]);
  assert.deepEqual(names(measured(first, null, 0)), ["connections", "sessions", "queued", "waiting"]);
  assert.ok(!names(measured(answer("b", 7, [0, 0, 0]), first, 2)).includes("in"), "a restart is no rate below zero");
  const second = Object.fromEntries(measured(answer("a", 300, [0, 10, 0]), first, 2));
  assert.equal(second.in, 100);
  assert.equal(second.median, 550e-6);
});

test("a moment without a value leaves the series alone", () => {
  const series = withMoment(new Map(), 1000, [["in", 3], ["median", null], ["out", undefined]]);
  assert.deepEqual([...series.keys()], ["in"]);
  const later = withMoment(series, 1000 + 2 * 3600e3, [["in", 4]]);
  assert.deepEqual(later.get("in"), { times: [1000 + 2 * 3600e3], values: [4] }, "an hour is kept");
});
