/* What the Live page shows of a payload. */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { payloadText } from "../../console/public/payload.js";

const shown = (data, more = {}) => payloadText({ encoding: "text", data, whole: true, ...more });

const rows = [
  ["room is made", '{"a":1,"b":[2,3]}', '{"a": 1, "b": [2, 3]}'],
  ["lines become one", '{\n  "a": 1,\n  "b": 2\n}', '{"a": 1, "b": 2}'],
  ["numbers stay as they were sent", '{"id":12345678901234567890,"t":1.50}', '{"id": 12345678901234567890, "t": 1.50}'],
  ["members that are repeated stay", '{"a":1,"a":2}', '{"a": 1, "a": 2}'],
  ["texts stay as they are", '{"a":"x,y:  z\\",\\\\"}', '{"a": "x,y:  z\\",\\\\"}'],
  ["no JSON", "a,b:c", "a,b:c"],
  ["a number alone", "21.50", "21.50"],
  ["nothing", "", ""],
  ["markup is text", "<b>1,2</b>", "<b>1,2</b>"],
];

for (const [rule, sent, expected] of rows) test(rule, () => assert.equal(shown(sent), expected));

test("what is cut or no text is left alone", () => {
  assert.equal(shown('{"a":1', { whole: false }), '{"a":1');
  assert.equal(shown("e30=", { encoding: "base64" }), "e30=");
});
