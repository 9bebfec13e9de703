// SPDX-License-Identifier: Apache-2.0
// The endpoints of the server itself, one test each.
import assert from "node:assert/strict";
import { differs } from "./differences.mjs";
import { likeness } from "./like.mjs";
import { item, stored, thread } from "./objects.mjs";

/** Nobody's object: the same for every user, and nothing for nobody. */
function openRow(row, path, status, check) {
  const [method] = row.split(" ");
  return {
    row,
    async test(w) {
      const ask = (name) => w.ask(name, { method, path, ...(method === "POST" ? { json: {} } : {}) });
      const hers = await ask("alice");
      assert.equal(hers.status, status, hers.text);
      check?.(hers.json);
      for (const name of ["bob", "admin"]) assert.deepEqual(likeness(await ask(name)), likeness(hers));
      const nobody = await ask(null);
      assert.equal(nobody.status, differs(w.mode, row, "nobody")?.status ?? 401, nobody.text);
    },
  };
}

async function truncate(w) {
  const row = "POST /internal/truncate";
  const known = differs(w.mode, row, "everyone");
  const kept = [await thread(w, "alice"), await item(w, "alice")];
  const before = await Promise.all(kept.map((object) => stored(w, object)));
  const all = Object.fromEntries(["runs", "threads", "assistants", "checkpointer", "store"].map((name) => [name, true]));
  // Where it is open, nothing is wiped here for the other tests' sake.
  const json = known.status === 200 ? {} : all;
  for (const name of ["alice", "bob", "admin"]) {
    const answer = await w.ask(name, { method: "POST", path: "/internal/truncate", json });
    assert.equal(answer.status, known.status, `${name} ${answer.text}`);
    if (known.code) assert.equal(answer.header("agentauth-error"), known.code);
  }
  assert.deepEqual(await Promise.all(kept.map((object) => stored(w, object))), before);
}

const plain = (row, path, check) => openRow(row, path, 200, check);

export const systemRows = [
  plain("GET /info", "/info", (info) => assert.equal(info.context, "js")),
  plain("GET /ok", "/ok", (answer) => assert.deepEqual(answer, { ok: true })),
  // This server has no user interfaces.
  openRow("POST /ui/{graph}", "/ui/agent", 404),
  openRow("GET /ui/{graph}/{file}", "/ui/agent/entry.js", 404),
  { row: "POST /internal/truncate", test: truncate },
];
