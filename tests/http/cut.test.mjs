// SPDX-License-Identifier: Apache-2.0
// What a request says besides its own business does not reach the backend: who
// is calling, another thread, headers that a graph would see, a webhook that
// leads back, a label of the built-in assistants, threads that go along.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { assistant, thread } from "./lib/objects.mjs";
import { startPythonWorld } from "./lib/python.mjs";
import { wanted } from "./lib/routes.mjs";

const CLAIMS = {
  langgraph_auth_user: { identity: "alice" }, langgraph_auth_user_id: "alice", langgraph_auth_permissions: ["admin"],
};
const OTHER = randomUUID(); // a thread

const run = {
  assistant_id: "agent", webhook: `/threads/${OTHER}/state`, config: { configurable: { ...CLAIMS, thread_id: OTHER, a: 1 } },
  context: { ...CLAIMS, b: 1 }, checkpoint: { ...CLAIMS, thread_id: OTHER, c: 1 },
};

/* Said by the gateway instead. */
function isBobs({ langgraph_auth_user: user, ...configurable }) {
  assert.equal(user.identity, "bob");
  assert.deepEqual(configurable, { a: 1, langgraph_auth_user_id: "bob", langgraph_auth_permissions: [] });
}

function runIsClean(sent, { headers }) {
  isBobs(sent.config.configurable);
  assert.deepEqual([sent.webhook, sent.context, sent.checkpoint], [undefined, { b: 1 }, { c: 1 }]);
  assert.deepEqual([sent.metadata, headers["x-told"]], [{ owner: "bob" }, undefined]);
}

const params = { assistant_id: "agent", webhook: run.webhook, config: run.config };
const command = { id: 1, method: "run.start", params };
function commandIsClean(sent, { headers }) {
  isBobs(sent.params.config.configurable);
  assert.deepEqual([sent.params.webhook, sent.params.metadata, headers["x-told"]], [undefined, { owner: "bob" }, undefined]);
}

const checkpoint = { checkpoint: { ...CLAIMS, thread_id: OTHER, c: 1 } };
const checkpointIsClean = (sent) => assert.deepEqual(sent, { checkpoint: { c: 1 } });

const settings = { graph_id: "agent", metadata: { created_by: "system", m: 1 }, config: { configurable: { ...CLAIMS, a: 1 } }, context: { ...CLAIMS, b: 1 } };
const settingsAreClean = ({ metadata, config, context }) =>
  assert.deepEqual([metadata, config, context], [{ m: 1, owner: "bob" }, { configurable: { a: 1 } }, { b: 1 }]);

const nothing = () => {};
const STARTS = ["", "/stream", "/wait"];
/* Each: row, body, what it looks like at the backend, query, query there. */
const ROWS = [
  ...STARTS.flatMap((end) => [`POST /threads/{thread_id}/runs${end}`, `POST /runs${end}`]).map((row) => [row, run, runIsClean]),
  ["POST /runs/batch", [run, run], (sent, seen) => sent.forEach((one) => runIsClean(one, seen))],
  ["POST /threads/{thread_id}/commands", command, commandIsClean],
  ...["state", "state/checkpoint", "history"].map((end) => [`POST /threads/{thread_id}/${end}`, checkpoint, checkpointIsClean]),
  ["POST /assistants", settings, settingsAreClean],
  ["PATCH /assistants/{assistant_id}", settings, settingsAreClean],
  ["DELETE /assistants/{assistant_id}", undefined, nothing, "?delete_threads=true&x=1&delete%5Fthreads=1", "?x=1"],
  ["DELETE /assistants/{assistant_id}", undefined, nothing, "?delete_threads=true", ""],
].map(([row, json, check, query = "", left = query]) => ({ row, json, check, query, left }));

describe("what reaches the backend", () => {
  let world;
  before(async () => (world = await startPythonWorld()));
  after(() => world?.stop());
  for (const { row, json, check, query, left } of ROWS.filter(wanted))
    test(`${row}${query}`, async () => {
      const { thread_id } = await thread(world, "bob");
      const { assistant_id } = await assistant(world, "bob");
      const [method, path] = row.replace("{thread_id}", thread_id).replace("{assistant_id}", assistant_id).split(" ");
      const seen = await world.reaching(`${method} ${path}`, () =>
        world.ask("bob", { method, path: path + query, json, headers: { "X-Told": "1" } }));
      assert.equal(seen.length, 1, "it reaches the backend");
      assert.equal(seen[0].url, path + left);
      check(seen[0].text ? JSON.parse(seen[0].text) : {}, seen[0]);
    });
});
