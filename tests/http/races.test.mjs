// SPDX-License-Identifier: Apache-2.0
// Between a check and what it was made for: somebody else is faster, the
// backend is slow, a client goes away, a process dies. Access is never the
// outcome, and no lock stays.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { until } from "./lib/httpd.mjs";
import { startTenants } from "./lib/tenants.mjs";

/** Not answered while something else goes on. */
function pending(promise) {
  const state = { done: false };
  promise.then(
    () => (state.done = true),
    () => (state.done = true),
  );
  return state;
}

/* Requests of others that are answered prove that time has passed. */
async function turns(world, n = 3) {
  for (let i = 0; i < n; i++) assert.equal((await world.ask("bob", "POST /threads/count", {})).status, 200);
}

async function children(pid) {
  const all = await readdir("/proc");
  const found = [];
  for (const one of all.filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${one}/stat`, "utf8").catch(() => "");
    if (stat.split(") ")[1]?.split(" ")[1] === String(pid)) found.push(Number(one));
  }
  return found;
}

for (const mpm of ["event", "prefork"])
  describe(mpm, () => {
    let world, backend, T;
    const at = (line) => line.replace("/T", `/${T}`);
    const ask = (name, line, body) => world.ask(name, at(line), body);

    before(async () => {
      world = await startTenants({ mpm });
      backend = world.backend;
    });
    after(() => world?.stop());
    beforeEach(async () => {
      backend.forget();
      T = randomUUID();
      assert.equal((await ask("alice", "POST /threads", { thread_id: T, metadata: { secret: "hers" } })).status, 200);
      backend.take();
    });
    const owner = () => backend.threads.get(T)?.metadata.owner;
    const lines = () => backend.take().map((seen) => seen.line.replace(T, "T"));

    /* Deleted and made again by bob while a request of alice's stands between
     * its check and its act: it must not act on bob's. */
    for (const [line, body] of [
      ["PATCH /threads/T", { metadata: { a: 1 } }],
      ["POST /threads/T/state", { values: { a: 1 } }],
      ["POST /threads/T/runs", { assistant_id: "agent", input: {} }],
      ["GET /threads/T/state"],
      ["GET /threads/T"],
      ["POST /threads/T/copy"],
      ["DELETE /threads/T"],
    ])
      test(`deleted and made again under ${line}`, async () => {
        await ask("alice", "GET /threads/T"); // what is known is used
        const gate = backend.hold(at(line));
        const first = ask("alice", line, body);
        await gate.arrived;
        // Her own delete, and bob, who waits for the id.
        const gone = ask("alice", "DELETE /threads/T");
        const gonePending = pending(gone);
        const taken = (async () => {
          let answer;
          do answer = await ask("bob", "POST /threads", { thread_id: T });
          while (answer.status === 503);
          return answer;
        })();
        const takenPending = pending(taken);
        await turns(world);
        assert.equal(gonePending.done, false, "deleted between check and act");
        assert.equal(takenPending.done, false, "made between check and act");
        gate.open();
        const answer = await first;
        assert.ok([200, 204].includes(answer.status), `${answer.status} ${answer.text}`);
        await gone;
        assert.ok([200, 409].includes((await taken).status));
        if (owner() === "bob") assert.ok(!JSON.stringify(backend.threads.get(T)).includes("hers"));
      });

    test("what a question learns during a write is not believed after it", async () => {
      const gate = backend.hold(at("GET /threads/T"), { after: true });
      const late = ask("alice", "GET /threads/T");
      await gate.arrived;
      // Shared: another reader gets on, a writer waits.
      const write = ask("alice", "DELETE /threads/T");
      const waiting = pending(write);
      await turns(world);
      assert.equal(waiting.done, false);
      gate.open();
      assert.equal((await late).status, 200);
      assert.equal((await write).status, 204);
      // Made again past the gateway: what was learnt would let alice in.
      backend.threads.set(T, { thread_id: T, metadata: { owner: "bob" } });
      for (const line of ["GET /threads/T", "GET /threads/T/state"]) {
        assert.equal((await ask("alice", line)).status, 404, line);
        assert.equal((await ask("bob", line)).status, 200, line);
      }
    });

    test("two make one id", async () => {
      for (let i = 0; i < 8; i++) {
        const id = randomUUID();
        const body = (who) => ({ thread_id: id, metadata: { secret: `of ${who}` } });
        const gate = backend.hold("POST /threads");
        const answers = Promise.all(["alice", "bob"].map((who) => world.ask(who, "POST /threads", body(who))));
        await gate.arrived;
        gate.open();
        const [a, b] = await answers;
        assert.deepEqual([a.status, b.status].sort(), [200, 409], `${a.text} ${b.text}`);
        const [winner, loser] = a.status === 200 ? [["alice", a], ["bob", b]] : [["bob", b], ["alice", a]];
        assert.equal(backend.threads.get(id).metadata.owner, winner[0]);
        assert.ok(!loser[1].text.includes("of "), loser[1].text);
        assert.equal((await world.ask(loser[0], `GET /threads/${id}`)).status, 404);
      }
    });

    test("two run on one id that nobody has", async () => {
      const id = randomUUID();
      const body = { assistant_id: "agent", if_not_exists: "create", input: {} };
      const gate = backend.hold("POST /threads");
      const answers = Promise.all(["alice", "bob"].map((who) => world.ask(who, `POST /threads/${id}/runs`, body)));
      await gate.arrived;
      gate.open();
      const [a, b] = await answers;
      assert.deepEqual([a.status, b.status].sort(), [200, 404], `${a.text} ${b.text}`);
      const winner = a.status === 200 ? "alice" : "bob";
      assert.equal(backend.threads.get(id).metadata.owner, winner);
      for (const run of backend.runs.values()) if (run.thread_id === id) assert.equal(run.metadata.owner, winner);
    });

    /* A backend that looks, waits, and writes without another look. */
    for (const [line, body, lost] of [
      ["POST /threads", (id) => ({ thread_id: id }), 409],
      ["POST /threads/ID/runs", () => ({ assistant_id: "agent", if_not_exists: "create", input: {} }), 404],
    ])
      test(`two make one id by ${line}, and the later one would win`, async () => {
        const id = randomUUID();
        let arrived, open, asked = 0;
        const arrival = new Promise((resolve) => (arrived = resolve));
        const opened = new Promise((resolve) => (open = resolve));
        backend.say("POST /threads", async (answer) => {
          const made = JSON.parse(backend.seen.at(-1).text);
          const there = backend.threads.has(id);
          asked++;
          arrived();
          await opened;
          if (there) return answer.text(409, "Thread already exists");
          answer.json(backend.make(id, made.metadata));
        }, { always: true });
        const names = ["alice", "bob"];
        const answers = Promise.all(names.map((who) => world.ask(who, line.replace("ID", id), body(id))));
        await arrival;
        await turns(world);
        assert.equal(asked, 1, "the other one waits");
        open();
        const got = await answers;
        const at = got.findIndex(({ status }) => status === 200);
        assert.equal(got[1 - at]?.status, lost, got.map(({ status, text }) => `${status} ${text}`).join("; "));
        assert.equal(backend.threads.get(id).metadata.owner, names[at]);
      });

    /* Made on the way, but not yet run on. */
    test("deleted under a run that made its thread", async () => {
      const id = randomUUID();
      const gate = backend.hold(`POST /threads/${id}/runs`);
      const run = world.ask("alice", `POST /threads/${id}/runs`, { assistant_id: "agent", if_not_exists: "create", input: {} });
      await gate.arrived;
      const gone = world.ask("alice", `DELETE /threads/${id}`);
      const waiting = pending(gone);
      await turns(world);
      assert.equal(waiting.done, false, "deleted between the two");
      gate.open();
      assert.equal((await run).status, 200);
      assert.equal((await gone).status, 204);
    });

    test("an id in another spelling is another's, or nobody's", async () => {
      const loud = T.toUpperCase();
      const make = await world.ask("bob", "POST /threads", { thread_id: loud });
      assert.ok([200, 409].includes(make.status));
      await world.ask("bob", `GET /threads/${loud}`); // known now
      for (const [line, body] of [
        ["GET /threads/T"], ["GET /threads/T/state"], ["PATCH /threads/T", { metadata: { a: 1 } }],
        ["POST /threads/T/state", { values: { a: 1 } }], ["DELETE /threads/T"],
      ]) {
        const got = await ask("bob", line, body);
        assert.ok([404, 409].includes(got.status), `${line}: ${got.status} ${got.text}`);
        if (make.status === 200) assert.equal((await world.ask("bob", `GET /threads/${loud}`)).status, 200);
      }
      assert.equal(owner(), "alice");
      assert.equal(backend.threads.get(T).values, null);
      assert.equal((await ask("alice", "GET /threads/T")).status, 200);
      assert.equal((await world.ask("alice", `GET /threads/${loud}`)).status, 404);
    });

    // ------------------------------------------------------- who goes away

    /* The next writer has it as soon as it is free, not at the wait's end. */
    async function free(what) {
      const begun = Date.now();
      const answer = await ask("alice", "PATCH /threads/T", { metadata: { b: 2 } });
      assert.equal(answer.status, 200, `${what}: ${answer.status} ${answer.text}`);
      assert.ok(Date.now() - begun < 9000, `${what}: it was waited for`);
    }

    test("a client goes away", async () => {
      for (const line of ["PATCH /threads/T", "POST /threads/T/runs"]) {
        const gate = backend.hold(at(line));
        const connection = await world.httpd.connect();
        connection.send(world.bytes("alice", at(line), { metadata: { a: 1 }, assistant_id: "agent" }));
        await gate.arrived;
        connection.close();
        gate.open();
        await free(line);
      }
    });

    test("the backend dies under a request", async () => {
      for (const line of ["PATCH /threads/T", "DELETE /threads/T", "POST /threads/T/runs"]) {
        backend.say(at(line), ({ socket }) => socket.destroy(), { always: true });
        const answer = await ask("alice", line, line.startsWith("D") ? undefined : { metadata: {}, assistant_id: "agent" });
        assert.ok(answer.status >= 500, `${line}: ${answer.status}`);
        backend.forget();
        await free(line);
      }
    });

    test("the backend dies under a question", async () => {
      backend.say(at("GET /threads/T"), ({ socket }) => socket.destroy(), { always: true });
      assert.equal((await ask("alice", "PATCH /threads/T", { metadata: {} })).status, 502);
      backend.forget();
      await free("the question");
    });

    test("a process is killed while it holds a lock", async () => {
      const gate = backend.hold(at("PATCH /threads/T"));
      const connection = await world.httpd.connect();
      connection.send(world.bytes("alice", at("PATCH /threads/T"), { metadata: { a: 1 } }));
      await gate.arrived;
      const held = pending(ask("alice", "PATCH /threads/T", { metadata: { c: 1 } }).catch(() => {}));
      await turns(world);
      assert.equal(held.done, false, "it is held");
      const before = await children(world.httpd.pid);
      for (const pid of before) process.kill(pid, "SIGKILL");
      await until(async () => {
        const now = await children(world.httpd.pid);
        return now.length > 0 && !now.some((pid) => before.includes(pid));
      }, "new processes");
      await until(() => ask("alice", "GET /ok").then((a) => a.status === 200, () => false), "an answer");
      await free("the dead process");
      gate.open();
      connection.close();
    });

    test("a graceful restart leaves locks to who has them", async () => {
      const gate = backend.hold(at("PATCH /threads/T"));
      const first = ask("alice", "PATCH /threads/T", { metadata: { a: 1 } });
      await gate.arrived;
      await world.httpd.graceful();
      const second = ask("alice", "DELETE /threads/T");
      const waiting = pending(second);
      await turns(world);
      assert.equal(waiting.done, false, "the new processes know of the lock");
      gate.open();
      assert.equal((await first).status, 200);
      assert.equal((await second).status, 204);
    });

    /* One MPM is enough: it waits as long as anybody does. */
    if (mpm === "event") test("busy says so", async () => {
      const gate = backend.hold(at("PATCH /threads/T"));
      const first = ask("alice", "PATCH /threads/T", { metadata: { a: 1 } });
      await gate.arrived;
      const busy = await ask("alice", "PATCH /threads/T", { metadata: { b: 1 } });
      assert.equal(busy.status, 503);
      assert.equal(busy.header("agentauth-error"), "AGA0704");
      assert.ok(busy.header("retry-after"));
      gate.open();
      assert.equal((await first).status, 200);
      assert.deepEqual(lines().filter((line) => line.startsWith("PATCH")), ["PATCH /threads/T"]);
    });
  });
