// SPDX-License-Identifier: Apache-2.0
// One test for every endpoint that only the Python server has, in gateway mode
// before a server in memory that checks nothing: what alice gets for her object,
// that bob's answer for it is the one for an object that does not exist, what
// never gets as far as the backend, and that alice's object is as it was.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { startPythonWorld } from "./lib/python.mjs";
import { oneRow, wanted } from "./lib/routes.mjs";
import { cronRows, pythonRows } from "./lib/rows-python.mjs";

const ROWS = [...pythonRows, ...cronRows];
const MAP = new URL("../../policy/routes/langgraph.lua", import.meta.url);

/** Names of the rows of part 2 of the map. */
async function mapped() {
  const [, ...parts] = (await readFile(MAP, "utf8")).split(/^-+ 2\. Python server/m);
  return [...parts.join("").matchAll(/^route \{ "([A-Z]+)", "([^"]+)"/gm)].map(([, method, path]) => `${method} ${path}`);
}

test("each endpoint has a test", async () => {
  assert.equal(pythonRows.length, 14);
  assert.deepEqual(pythonRows.map(({ row }) => row).sort(), (await mapped()).sort());
});

describe("rows", () => {
  let world;
  before(async () => (world = await startPythonWorld()));
  after(() => world?.stop());
  for (const { row, test: check } of ROWS.filter(wanted)) test(row, { timeout: 30_000 }, () => check(world));

  test("the map has them all", { skip: oneRow }, async () => {
    const lines = (await world.httpd.cliOk("policy", "routes")).split("\n").map((line) => line.trim().split(/\s+/).slice(1).join(" "));
    for (const { row } of ROWS) assert.ok(lines.includes(row), row);
  });
});

/* Opened knowingly: they reach the backend, for those whom the policy lets. */
describe("rows that are opened", { skip: oneRow }, () => {
  const rows = ROWS.filter(({ refused }) => refused);
  let world;
  before(async () => (world = await startPythonWorld(`AgentAuthOpenRoutes ${rows.map(({ row }) => `"${row}"`).join(" ")}`)));
  after(() => world?.stop());

  for (const { row, method, ask } of rows)
    test(row, async () => {
      const what = { method, ...(await ask(world)) };
      const seen = await world.reaching(`${method} ${what.path}`, async () => {
        assert.equal((await world.ask(null, what)).status, 401);
        const answer = await world.ask("alice", what);
        assert.ok([200, 204].includes(answer.status), `${answer.status} ${answer.text}`);
      });
      assert.equal(seen.length, 1);
      if (!what.json?.method) return;
      const unknown = await world.ask("alice", { ...what, json: { ...what.json, method: "unknown" } });
      assert.equal(unknown.header("agentauth-error"), "AGA0303", "a method that selects no event is none");
    });
});

/* No policy is asked there, and so nothing else could refuse. */
test("a row for any user, whose rule refuses it", { skip: oneRow }, async () => {
  const row = (path, more) => `route { "GET", "${path}", access = "user"${more} }\n`;
  const world = await startPythonWorld("", row("/docs", ', enforce = { refuse = "not here" }') + row("/openapi.json", ""));
  try {
    const seen = await world.reaching("GET /docs", async () => {
      const answer = await world.ask("admin", { path: "/docs" });
      assert.deepEqual([answer.status, answer.header("agentauth-error")], [403, "AGA0211"]);
    });
    assert.deepEqual(seen, []);
    assert.equal((await world.ask("bob", { path: "/openapi.json" })).status, 200);
  } finally {
    await world.stop();
  }
});
