// SPDX-License-Identifier: Apache-2.0
// What alice, bob and an admin may expect of an agent server, whatever stands
// between them and it: every call of the SDK, each refusal beside its twin.
//
// The policy that it expects: threads and assistants carry their owner's name
// in metadata.owner and only the owner sees them; the first label of a store
// namespace is its owner's name; permission "admin" sees and may do all.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client } from "@langchain/langgraph-sdk";

/** SDK client that fails at once instead of trying again. */
export const sdkClient = (options) =>
  new Client({ apiKey: null, callerOptions: { maxRetries: 0 }, ...options });

const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, `${error.status ?? error}: wanted ${wanted}`);
  return true;
};

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const ids = (list, key = "thread_id") => list.map((entry) => entry[key]).sort();

/**
 * @param start async () => {
 *   client(name): an SDK client for alice, bob, admin;
 *   raw(name, method, path, body): Response, for looking at bytes;
 *   gates: of lib/gate.mjs; stop() }
 * @param options.admin false: the policy knows no admin
 */
export function agentServerSuite(start, { admin: hasAdmin = true } = {}) {
  let world, alice, bob, admin;

  before(async () => {
    world = await start();
    [alice, bob] = ["alice", "bob"].map((name) => world.client(name));
    admin = hasAdmin ? world.client("admin") : null;
  });
  after(() => world?.stop());

  /* A foreign object must look like one that does not exist: same status, same
   * bytes but for the id. */
  async function looksMissing(name, method, path, id, body) {
    const nobodys = randomUUID();
    const [foreign, missing] = await Promise.all([
      world.raw(name, method, path(id), body),
      world.raw(name, method, path(nobodys), body),
    ]);
    assert.equal(foreign.status, missing.status, `${method} ${path(id)}`);
    assert.ok(foreign.status >= 400, `${method} ${path(id)}: ${foreign.status}`);
    assert.equal(
      (await foreign.text()).replaceAll(id, "ID"),
      (await missing.text()).replaceAll(nobodys, "ID"),
      `${method} ${path(id)}`,
    );
    assert.equal(foreign.headers.get("content-type"), missing.headers.get("content-type"));
    return foreign.status;
  }

  describe("threads", () => {
    test("create stamps the owner, whatever the client says", async () => {
      const thread = await alice.threads.create({ metadata: { topic: "tea", owner: "bob" } });
      assert.equal(thread.metadata.owner, "alice");
      assert.equal(thread.metadata.topic, "tea");
      const bare = await alice.threads.create();
      assert.equal(bare.metadata.owner, "alice");
    });

    test("an own id may be chosen, a foreign one is taken", async () => {
      const threadId = randomUUID();
      const first = await alice.threads.create({ threadId, ifExists: "do_nothing" });
      assert.equal(first.thread_id, threadId);
      const again = await alice.threads.create({ threadId, ifExists: "do_nothing" });
      assert.equal(again.thread_id, threadId);
      await assert.rejects(bob.threads.create({ threadId, ifExists: "do_nothing" }), status(409));
    });

    test("get: owner and admin, for others it is missing", async () => {
      const { thread_id } = await alice.threads.create();
      assert.equal((await alice.threads.get(thread_id)).thread_id, thread_id);
      if (admin) assert.equal((await admin.threads.get(thread_id)).thread_id, thread_id);
      await assert.rejects(bob.threads.get(thread_id), status(404));
      assert.equal(await looksMissing("bob", "GET", (id) => `/threads/${id}`, thread_id), 404);
    });

    test("search and count show one's own", async () => {
      const topic = randomUUID();
      const metadata = { topic };
      const hers = [
        await alice.threads.create({ metadata }),
        await alice.threads.create({ metadata }),
      ];
      const his = await bob.threads.create({ metadata });
      assert.deepEqual(ids(await alice.threads.search({ metadata })), ids(hers));
      assert.deepEqual(ids(await bob.threads.search({ metadata })), [his.thread_id]);
      if (admin) {
        assert.deepEqual(ids(await admin.threads.search({ metadata })), ids([...hers, his]));
        assert.equal(await admin.threads.count({ metadata }), 3);
      }
      assert.deepEqual(await bob.threads.search({ metadata: { topic, owner: "alice" } }), []);
      assert.equal(await alice.threads.count({ metadata }), 2);
      assert.equal(await bob.threads.count({ metadata }), 1);
    });

    test("update keeps the owner and is for the owner", async () => {
      const { thread_id } = await alice.threads.create();
      const patched = await alice.threads.update(thread_id, {
        metadata: { topic: "coffee", owner: "bob" },
      });
      assert.equal(patched.metadata.topic, "coffee");
      assert.equal(patched.metadata.owner, "alice");
      const metadata = { topic: "stolen" };
      await assert.rejects(bob.threads.update(thread_id, { metadata }), status(404));
      await looksMissing("bob", "PATCH", (id) => `/threads/${id}`, thread_id, { metadata });
      assert.equal((await alice.threads.get(thread_id)).metadata.topic, "coffee");
    });

    test("state and history", async () => {
      const { thread_id } = await alice.threads.create();
      await alice.runs.wait(thread_id, "agent", { input: { text: "one" } });
      await alice.threads.updateState(thread_id, { values: { text: "two" } });
      const state = await alice.threads.getState(thread_id);
      assert.equal(state.values.text, "two");
      const { checkpoint } = state;
      const at = await alice.threads.getState(thread_id, checkpoint);
      assert.equal(at.values.text, "two");
      const byId = await alice.threads.getState(thread_id, checkpoint.checkpoint_id);
      assert.equal(byId.values.text, "two");
      const history = await alice.threads.getHistory(thread_id, { limit: 5 });
      assert.ok(history.length >= 3, `${history.length} states`);
      const got = await world.raw("alice", "GET", `/threads/${thread_id}/history?limit=2`);
      assert.equal(got.status, 200);
      assert.equal((await got.json()).length, 2);

      const under = (rest) => (id) => `/threads/${id}/${rest}`;
      const cp = checkpoint.checkpoint_id;
      for (const [method, path, body] of [
        ["GET", under("state")],
        ["GET", under(`state/${cp}`)],
        ["POST", under("state/checkpoint"), { checkpoint }],
        ["POST", under("state"), { values: { text: "stolen" } }],
        ["GET", under("history")],
        ["POST", under("history"), { limit: 5 }],
      ])
        assert.equal(await looksMissing("bob", method, path, thread_id, body), 404);
      assert.equal((await alice.threads.getState(thread_id)).values.text, "two");
    });

    test("copy keeps metadata and owner", async () => {
      const { thread_id } = await alice.threads.create({ metadata: { topic: "tea" } });
      const copy = await alice.threads.copy(thread_id);
      assert.notEqual(copy.thread_id, thread_id);
      assert.equal(copy.metadata.owner, "alice");
      assert.equal(copy.metadata.topic, "tea");
      await assert.rejects(bob.threads.copy(thread_id), status(409));
      await looksMissing("bob", "POST", (id) => `/threads/${id}/copy`, thread_id);
    });

    test("delete", async () => {
      const { thread_id } = await alice.threads.create();
      await assert.rejects(bob.threads.delete(thread_id), status(404));
      await looksMissing("bob", "DELETE", (id) => `/threads/${id}`, thread_id);
      await alice.threads.delete(thread_id);
      await assert.rejects(alice.threads.get(thread_id), status(404));
      if (!admin) return;
      const other = await alice.threads.create();
      await admin.threads.delete(other.thread_id);
      await assert.rejects(alice.threads.get(other.thread_id), status(404));
    });
  });

  describe("runs", () => {
    test("wait: the graph knows who calls, the client cannot say it", async () => {
      const { thread_id } = await alice.threads.create();
      const values = await alice.runs.wait(thread_id, "agent", {
        input: { text: "hi" },
        config: {
          configurable: { langgraph_auth_user_id: "bob", langgraph_auth_user: { identity: "bob" } },
        },
      });
      assert.equal(values.answer, "echo: hi");
      assert.equal(values.caller, "alice");
    });

    test("create, get, list, join, delete", async () => {
      const { thread_id } = await alice.threads.create();
      const run = await alice.runs.create(thread_id, "agent", { input: { text: "hi" } });
      assert.equal(run.metadata.owner, "alice");
      assert.equal((await alice.runs.join(thread_id, run.run_id)).answer, "echo: hi");
      const done = await alice.runs.get(thread_id, run.run_id);
      assert.equal(done.status, "success");
      assert.doesNotMatch(JSON.stringify(done), /"flt"|"dec"/, "decisions are nobody's to read");
      assert.deepEqual(ids(await alice.runs.list(thread_id), "run_id"), [run.run_id]);

      const under = (rest) => (id) => `/threads/${id}/runs${rest}`;
      for (const [method, rest] of [
        ["GET", ""],
        ["GET", `/${run.run_id}`],
        ["GET", `/${run.run_id}/join`],
        ["POST", `/${run.run_id}/cancel`],
        ["DELETE", `/${run.run_id}`],
      ])
        assert.equal(await looksMissing("bob", method, under(rest), thread_id), 404);
      await alice.runs.delete(thread_id, run.run_id);
      await assert.rejects(alice.runs.get(thread_id, run.run_id), status(404));
    });

    test("nobody runs on a foreign thread", async () => {
      const { thread_id } = await alice.threads.create();
      const input = { text: "stolen" };
      for (const call of [
        () => bob.runs.create(thread_id, "agent", { input }),
        () => bob.runs.create(thread_id, "agent", { input, ifNotExists: "create" }),
        () => bob.runs.wait(thread_id, "agent", { input }),
        () => collect(bob.runs.stream(thread_id, "agent", { input })),
      ])
        await assert.rejects(call, status(404));
      assert.deepEqual(await alice.runs.list(thread_id), []);
    });

    test("a thread made by a run is its caller's", async () => {
      const threadId = randomUUID();
      await alice.runs.wait(threadId, "agent", { input: { text: "a" }, ifNotExists: "create" });
      assert.equal((await alice.threads.get(threadId)).metadata.owner, "alice");
      await assert.rejects(bob.threads.get(threadId), status(404));
    });

    test("stream: each event arrives before the next one is written", async () => {
      const { thread_id } = await alice.threads.create();
      const gate = randomUUID();
      const ticks = 4;
      world.gates.open(`${gate}.0`);
      const seen = [];
      for await (const { event, data } of alice.runs.stream(thread_id, "agent", {
        input: { text: "slow", ticks, gate },
        streamMode: ["custom", "values"],
      })) {
        if (event !== "custom") continue;
        seen.push(data.tick);
        // The graph stands at the next gate until this event has been read.
        const next = data.tick + 1;
        world.gates.open(`${gate}.${next < ticks ? next : "end"}`);
      }
      assert.deepEqual(seen, [0, 1, 2, 3]);
    });

    test("a running run's stream can be joined by its owner only", async () => {
      const { thread_id } = await alice.threads.create();
      const gate = randomUUID();
      const run = await alice.runs.create(thread_id, "agent", {
        input: { text: "late", ticks: 1, gate },
        streamMode: ["custom", "values"],
        streamResumable: true,
      });
      await world.gates.arrived(`${gate}.0`);
      // The server says it in a stream, the gateway by the status.
      const foreign = await collect(bob.runs.joinStream(thread_id, run.run_id)).catch((e) => [
        { event: "error", data: e.message },
      ]);
      assert.deepEqual(foreign.map((e) => e.event), ["error"]);
      assert.match(JSON.stringify(foreign[0].data), /not found/i);
      world.gates.open(`${gate}.0`);
      const seen = [];
      for await (const e of alice.runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" })) {
        seen.push(e.event);
        if (e.event === "custom") world.gates.open(`${gate}.end`);
      }
      assert.ok(seen.includes("custom"), seen.join());
      assert.equal(seen.at(-1), "values");
    });

    test("cancel ends the run, for its owner", async () => {
      const { thread_id } = await alice.threads.create();
      const gate = randomUUID();
      const run = await alice.runs.create(thread_id, "agent", { input: { text: "x", gate } });
      await world.gates.arrived(`${gate}.end`);
      await assert.rejects(bob.runs.cancel(thread_id, run.run_id), status(404));
      assert.equal((await alice.runs.get(thread_id, run.run_id)).status, "running");
      await alice.runs.cancel(thread_id, run.run_id, true);
      assert.equal((await alice.runs.get(thread_id, run.run_id)).status, "interrupted");
    });

    test("a second run may displace the first", async () => {
      const { thread_id } = await alice.threads.create();
      const gate = randomUUID();
      const first = await alice.runs.create(thread_id, "agent", { input: { text: "1", gate } });
      await world.gates.arrived(`${gate}.end`);
      const values = await alice.runs.wait(thread_id, "agent", {
        input: { text: "2", gate: "" },
        multitaskStrategy: "interrupt",
      });
      assert.equal(values.answer, "echo: 2");
      assert.equal((await alice.runs.get(thread_id, first.run_id)).status, "interrupted");
    });

    test("without a thread: wait, stream, create", async () => {
      const values = await alice.runs.wait(null, "agent", { input: { text: "alone" } });
      assert.equal(values.answer, "echo: alone");
      const events = await collect(
        alice.runs.stream(null, "agent", { input: { text: "s", ticks: 2 }, streamMode: "custom" }),
      );
      assert.deepEqual(
        events.filter((e) => e.event === "custom").map((e) => e.data.tick),
        [0, 1],
      );
      const run = await bob.runs.create(null, "agent", { input: { text: "b" } });
      assert.equal(run.metadata.owner, "bob");
    });

    test("batch: each element is decided and stamped", async () => {
      const runs = await alice.runs.createBatch(
        [1, 2, 3].map((n) => ({
          assistantId: "agent",
          input: { text: `${n}` },
          metadata: { n, owner: "bob" },
          on_completion: "keep",
        })),
      );
      assert.deepEqual(
        runs.map(({ metadata }) => [metadata.n, metadata.owner]),
        [1, 2, 3].map((n) => [n, "alice"]),
      );
      for (const run of runs) await assert.rejects(bob.threads.get(run.thread_id), status(404));
      assert.equal((await alice.threads.get(runs[0].thread_id)).metadata.owner, "alice");
    });

    test("a webhook cannot call back into the server", async () => {
      const { thread_id } = await alice.threads.create();
      const mine = await bob.threads.create();
      await alice.runs.wait(thread_id, "agent", { input: { text: "hers" } });
      await bob.runs.wait(mine.thread_id, "agent", {
        input: { text: "stolen" },
        webhook: `/threads/${thread_id}/state`,
      });
      assert.equal((await alice.threads.getState(thread_id)).values.text, "hers");
    });
  });

  describe("assistants", () => {
    const make = (client, more) =>
      client.assistants.create({ graphId: "agent", name: "helper", ...more });

    test("create, get, update keep the owner", async () => {
      const made = await make(alice, { metadata: { team: "tea", owner: "bob" } });
      assert.equal(made.metadata.owner, "alice");
      assert.equal((await alice.assistants.get(made.assistant_id)).name, "helper");
      const updated = await alice.assistants.update(made.assistant_id, {
        graphId: "agent",
        name: "better",
        metadata: { owner: "bob" },
      });
      assert.equal(updated.name, "better");
      assert.equal(updated.metadata.owner, "alice");
      const path = (id) => `/assistants/${id}`;
      assert.equal(await looksMissing("bob", "GET", path, made.assistant_id), 404);
      assert.equal(
        await looksMissing("bob", "PATCH", path, made.assistant_id, { name: "stolen" }),
        404,
      );
      if (admin) assert.equal((await admin.assistants.get(made.assistant_id)).name, "better");
    });

    test("search and count", async () => {
      const tag = randomUUID();
      const hers = await make(alice, { metadata: { tag } });
      const his = await make(bob, { metadata: { tag } });
      const found = (list) => ids(list, "assistant_id");
      const metadata = { tag };
      assert.deepEqual(found(await alice.assistants.search({ metadata })), [hers.assistant_id]);
      assert.deepEqual(found(await bob.assistants.search({ metadata })), [his.assistant_id]);
      assert.equal(await alice.assistants.count({ metadata }), 1);
      if (!admin) return;
      assert.deepEqual(found(await admin.assistants.search({ metadata })), found([hers, his]));
      assert.equal(await admin.assistants.count({ metadata }), 2);
    });

    test("graph, schemas, subgraphs", async () => {
      const { assistant_id } = await make(alice);
      assert.ok((await alice.assistants.getGraph(assistant_id)).nodes.length >= 3);
      assert.equal((await alice.assistants.getSchemas(assistant_id)).graph_id, "agent");
      assert.deepEqual(await alice.assistants.getSubgraphs(assistant_id), {});
      for (const rest of ["graph", "schemas", "subgraphs"])
        assert.equal(
          await looksMissing("bob", "GET", (id) => `/assistants/${id}/${rest}`, assistant_id),
          404,
        );
    });

    test("versions and latest", async () => {
      const { assistant_id } = await make(alice, { metadata: { v: 1 } });
      await alice.assistants.update(assistant_id, { graphId: "agent", metadata: { v: 2 } });
      assert.equal((await alice.assistants.getVersions(assistant_id)).length, 2);
      assert.equal((await alice.assistants.setLatest(assistant_id, 1)).version, 1);
      await assert.rejects(bob.assistants.getVersions(assistant_id), status(404));
      await assert.rejects(bob.assistants.setLatest(assistant_id, 2), status(404));
      await looksMissing("bob", "POST", (id) => `/assistants/${id}/versions`, assistant_id, {});
      await looksMissing("bob", "POST", (id) => `/assistants/${id}/latest`, assistant_id, {
        version: 2,
      });
    });

    test("delete", async () => {
      const { assistant_id } = await make(alice);
      await assert.rejects(bob.assistants.delete(assistant_id), status(404));
      await looksMissing("bob", "DELETE", (id) => `/assistants/${id}`, assistant_id);
      await alice.assistants.delete(assistant_id);
      await assert.rejects(alice.assistants.get(assistant_id), status(404));
    });
  });

  describe("store", () => {
    test("put, get, search, list, delete in one's own namespace", async () => {
      const room = randomUUID();
      await alice.store.putItem(["alice", room], "k", { drink: "tea" });
      assert.deepEqual((await alice.store.getItem(["alice", room], "k")).value, { drink: "tea" });
      const { items } = await alice.store.searchItems(["alice", room]);
      assert.deepEqual(items.map((item) => item.key), ["k"]);
      const { namespaces } = await alice.store.listNamespaces({ prefix: ["alice", room] });
      assert.deepEqual(namespaces, [["alice", room]]);
      await alice.store.deleteItem(["alice", room], "k");
      assert.equal(await alice.store.getItem(["alice", room], "k"), null);
    });

    test("not in a foreign one", async () => {
      const room = randomUUID();
      await alice.store.putItem(["alice", room], "k", { drink: "tea" });
      for (const call of [
        () => bob.store.putItem(["alice", room], "k", { drink: "poison" }),
        () => bob.store.getItem(["alice", room], "k"),
        () => bob.store.searchItems(["alice", room]),
        () => bob.store.listNamespaces({ prefix: ["alice"] }),
        () => bob.store.deleteItem(["alice", room], "k"),
      ])
        await assert.rejects(call, status(403));
      assert.deepEqual((await alice.store.getItem(["alice", room], "k")).value, { drink: "tea" });
      if (!admin) return;
      assert.deepEqual((await admin.store.getItem(["alice", room], "k")).value, { drink: "tea" });
    });
  });
}
