/* What the console reads out of live messages, and how it writes figures: rows of rule, input, expected. */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { arranged } from "../../console/public/arrangement.js";
import { samplesOf } from "../../console/public/telemetry.js";
import { unitOf, written } from "../../console/public/unit.js";

const NOW = 1_800_000_000_000;
const TOPIC = "devices/pump-7/telemetry";

const PAYLOADS = [
  ["members are metrics, at the time of arrival", TOPIC, '{"a":1,"b":"x"}', [{ metric: "a", value: 1, time: NOW }, { metric: "b", value: "x", time: NOW }]],
  ["nested objects flatten with a dot", TOPIC, '{"cpu":{"load":0.5}}', [{ metric: "cpu.load", value: 0.5, time: NOW }]],
  ["the stream stands before the name", TOPIC + "/north/roof", '{"t":3}', [{ metric: "north.roof.t", value: 3, time: NOW }]],
  ["time may be RFC 3339 text", TOPIC, '{"time":"2027-01-15T08:00:00Z","a":1}', [{ metric: "a", value: 1, time: 1_800_000_000_000 }]],
  ["time may be milliseconds", TOPIC, '{"time":1799999999000,"a":1}', [{ metric: "a", value: 1, time: 1_799_999_999_000 }]],
  [
    "SenML base fields carry over (RFC 8428, 4.1)",
    TOPIC,
    '[{"bn":"room/","bt":1799999990,"bu":"Cel","n":"t","v":20},{"n":"h","u":"%RH","v":40,"t":5},{"n":"on","vb":true}]',
    [
      { metric: "room/t", value: 20, time: 1_799_999_990_000, unit: "Cel" },
      { metric: "room/h", value: 40, time: 1_799_999_995_000, unit: "%RH" },
      { metric: "room/on", value: true, time: 1_799_999_990_000, unit: "Cel" },
    ],
  ],
  ["SenML times below 2**28 are relative to now (4.5.3)", TOPIC, '[{"n":"a","v":1,"t":-10}]', [{ metric: "a", value: 1, time: NOW - 10000, unit: undefined }]],
  ["SenML base values are added (4.1)", TOPIC, '[{"n":"a","bv":100,"v":1}]', [{ metric: "a", value: 101, time: NOW, unit: undefined }]],
  ["what is no JSON is left out", TOPIC, "{", []],
  ["a bare number is left out", TOPIC, "7", []],
];

for (const [rule, topic, payload, expected] of PAYLOADS) test(rule, () => assert.deepEqual(samplesOf(topic, payload, NOW), expected));

const FIGURES = [
  ["a share is a percentage", written(0.125, unitOf("cpu.load")), "12.5 %"],
  ["bytes are counted in powers of two", written(3 * 2 ** 30, unitOf("memory.used")), "3 GiB"],
  ["a rate is per second", written(1536, unitOf("net.rx")), "1.5 KiB/s"],
  ["an uptime is days, hours and minutes", written(93784, unitOf("uptime")), "1 d 2 h 3 min"],
  ["an offset is milliseconds", written(-0.0042, unitOf("clock.offset")), "-4.2 ms"],
  ["the sender's unit goes before the known one", unitOf("temperature", "K"), "K"],
  ["an unknown unit stands as it is", written(4, "lx"), "4 lx"],
  ["truth is yes or no", written(true), "yes"],
  ["text is text", written("closed"), "closed"],
];

for (const [rule, got, expected] of FIGURES) test(rule, () => assert.equal(got, expected));

test("known metrics share plots, others get one each in the group of their first name", () => {
  assert.deepEqual(arranged(["memory.used", "memory.total", "uptime", "tank.level", "flow"]), [
    { group: "Memory and disk", plots: [{ title: "Memory", lines: [["memory.used", "used"], ["memory.total", "total"]] }] },
    { group: "Other", plots: [{ title: "flow", lines: [["flow", "flow"]] }] },
    { group: "tank", plots: [{ title: "tank.level", lines: [["tank.level", "tank.level"]] }] },
  ]);
});
