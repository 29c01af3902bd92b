/* The console's table of events agrees with the server's (src/core/event.def). */
/* SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { KINDS } from "../../console/public/kinds.js";

test("every kind of event has its row, with the same severity and sentence", async () => {
  const rows = await readFile(new URL("../../src/core/event.def", import.meta.url), "utf8");
  const defined = [...rows.matchAll(/^EVENT\(\w+, "([^"]+)", (\w+), "([^"]+)"\)/gm)];
  assert.ok(defined.length > 0);
  const wanted = Object.fromEntries(defined.map(([, kind, severity, sentence]) => [kind, { severity: severity.toLowerCase(), sentence }]));
  assert.deepEqual(KINDS, wanted);
});
