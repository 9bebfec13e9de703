// SPDX-License-Identifier: Apache-2.0
// One test for every endpoint of the agent server, in each of the ways in which
// it can have tenants: what alice gets for her object, that bob's answer for it
// is the one for an object that does not exist, what an admin sees, what is
// stamped, and that alice's object is as it was.
//
// Environment: AA_MODES (native,headers,gateway).
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { unused } from "./lib/differences.mjs";
import { TENANTS } from "./lib/policies.mjs";
import { oneRow, wanted } from "./lib/routes.mjs";
import { assistantRows } from "./lib/rows-assistants.mjs";
import { protocolRows } from "./lib/rows-protocol.mjs";
import { runRows } from "./lib/rows-runs.mjs";
import { storeRows } from "./lib/rows-store.mjs";
import { systemRows } from "./lib/rows-system.mjs";
import { streamTests } from "./lib/streams.mjs";
import { threadRows } from "./lib/rows-threads.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

const ROWS = [threadRows, runRows, assistantRows, storeRows, protocolRows, systemRows].flat();
const MAP = new URL("../../policy/routes/langgraph.lua", import.meta.url);

/** The server's own rows, of part 1 of the map. */
async function mapped() {
  const [part] = (await readFile(MAP, "utf8")).split(/^-+ 2\. Python server/m);
  return [...part.matchAll(/^route \{ "([A-Z]+)", "([^"]+)"/gm)].map(([, method, path]) => `${method} ${path}`);
}

test("each endpoint has a test", async () => {
  const rows = ROWS.map(({ row }) => row);
  assert.equal(rows.length, 56);
  assert.deepEqual(rows.sort(), (await mapped()).sort());
});

for (const mode of MODES)
  describe(`mode ${mode}`, () => {
    let world;
    before(async () => (world = await startWorld(mode, { name: "tenants", text: TENANTS })));
    after(() => world?.stop());

    describe("rows", { concurrency: 6 }, () => {
      for (const { row, test: check } of ROWS.filter(wanted)) test(row, { timeout: 30_000 }, () => check(world));
    });

    describe("streams", { concurrency: 8, skip: oneRow }, () => {
      for (const { title, test: check, modes = [mode] } of streamTests)
        if (modes.includes(mode)) test(title, { timeout: 30_000 }, () => check(world));
    });

    test("every difference that is written down is one", { skip: oneRow }, () => {
      assert.deepEqual(unused(mode, ROWS.map(({ row }) => row)), []);
    });
  });
