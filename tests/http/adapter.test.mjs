// SPDX-License-Identifier: Apache-2.0
// docs/examples/langgraph/auth.mjs in the real agent server: assertions are
// made here, no httpd takes part.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertion, compact, makeKey, startJwks } from "./lib/assertion.mjs";
import { decide } from "./lib/decide.mjs";
import { startGates } from "./lib/gate.mjs";
import { adapterDir, startLangGraph } from "./lib/langgraph.mjs";
import { agentServerSuite, sdkClient } from "./lib/suite.mjs";

const ISSUER = "https://gateway.test";
const AUDIENCE = "http://backend.test:2024";

/** Signs for a request as the gateway would. */
function signFor(key, user, method, url, body, patch = {}, dec = decide(user, method, url, body)) {
  const { pathname, search } = new URL(url);
  return assertion(
    key,
    {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: user,
      usr: { identity: user, display_name: user, email: `${user}@test` },
      perm: user === "admin" ? ["admin"] : ["threads:read"],
      dec,
      method,
      path: pathname,
      query: search.slice(1),
      body,
    },
    patch,
  );
}

async function startWorld() {
  const key = makeKey("k1");
  const jwks = await startJwks([key.jwk]);
  const gates = await startGates();
  const env = { AGENTAUTH_JWKS: jwks.url, AGENTAUTH_ISSUER: ISSUER, AGENTAUTH_AUDIENCE: AUDIENCE };
  const server = await startLangGraph({ env, gate: gates.url });
  return {
    key,
    jwks,
    gates,
    server,
    client: (name) =>
      sdkClient({
        apiUrl: server.url,
        onRequest(url, init) {
          const headers = new Headers(init.headers);
          const method = init.method ?? "GET";
          headers.set("AgentAuth-Assertion", signFor(key, name, method, url, init.body));
          return { ...init, headers };
        },
      }),
    raw(name, method, path, json) {
      const url = server.url + path;
      const body = json === undefined ? undefined : JSON.stringify(json);
      const headers = { "AgentAuth-Assertion": signFor(key, name, method, url, body) };
      if (body) headers["Content-Type"] = "application/json";
      return fetch(url, { method, headers, body });
    },
    async stop() {
      await server.stop();
      gates.close();
      jwks.close();
    },
  };
}

describe("the agent server obeys assertions", () => agentServerSuite(startWorld));

describe("assertions", () => {
  let world;
  before(async () => (world = await startWorld()));
  after(() => world?.stop());

  /** POST /threads/search?q with an assertion that was bent by `patch`. */
  async function search(patch = {}, more = {}) {
    const url = `${world.server.url}/threads/search?x=it's`;
    const body = "{}";
    const key = more.key ?? world.key;
    const token = more.token ?? signFor(key, "alice", "POST", url, body, patch, more.dec);
    const headers = { "Content-Type": "application/json", ...more.headers };
    if (token) headers["AgentAuth-Assertion"] = token;
    return fetch(url, { method: "POST", headers, body: more.body ?? body });
  }

  const now = () => Math.floor(Date.now() / 1000);
  const stranger = makeKey("k1");
  const unknown = makeKey("k9");

  test("a good one is accepted", async () => {
    assert.equal((await search()).status, 200);
  });
  test("audience may be a list", async () => {
    assert.equal((await search({ claims: { aud: ["x", AUDIENCE] } })).status, 200);
  });
  test("HEAD is decided as GET", async () => {
    const url = `${world.server.url}/ok`;
    const headers = { "AgentAuth-Assertion": signFor(world.key, "alice", "GET", url) };
    assert.equal((await fetch(url, { method: "HEAD", headers })).status, 200);
  });
  test("the query is compared as it was sent", async () => {
    const url = `${world.server.url}/ok?a=it%27s%20%22%C3%A9`;
    for (const query of ["a=it%27s%20%22%C3%A9", "a=it's%20\"%C3%A9"]) {
      const token = assertion(world.key, {
        iss: ISSUER, aud: AUDIENCE, sub: "alice", dec: [], method: "GET", path: "/ok", query,
      });
      const { status } = await fetch(url, { headers: { "AgentAuth-Assertion": token } });
      assert.equal(status, 200, query);
    }
  });
  test("without bdy the body is not looked at", async () => {
    assert.equal((await search({ claims: { bdy: undefined } })).status, 200);
  });

  const bent = {
    "another issuer": { claims: { iss: "https://evil.test" } },
    "no issuer": { claims: { iss: undefined } },
    "another audience": { claims: { aud: "http://other.test" } },
    "no audience": { claims: { aud: undefined } },
    expired: { claims: { iat: now() - 60, exp: now() - 30 } },
    "no expiry": { claims: { exp: undefined } },
    "expiry is text": { claims: { exp: "9999999999" } },
    "issued in the future": { claims: { iat: now() + 60, exp: now() + 90 } },
    "no subject": { claims: { sub: undefined } },
    "empty subject": { claims: { sub: "" } },
    "two identities": { claims: { usr: { identity: "bob" } } },
    "another method": { claims: { htm: "GET" } },
    "another path": { claims: { htp: "/threads/count" } },
    "no path": { claims: { htp: undefined } },
    "another query": { claims: { htq: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" } },
    "no query hash": { claims: { htq: undefined } },
    "no decisions": { claims: { dec: undefined } },
    "decisions of another shape": { claims: { dec: [{ res: "threads", act: "search", kind: "maybe" }] } },
    "filter without a filter": { claims: { dec: [{ res: "threads", act: "search", kind: "filter" }] } },
    "permissions are text": { claims: { perm: "admin" } },
    "another type": { header: { typ: "JWT" } },
    "no type": { header: { typ: undefined } },
    "another algorithm": { header: { alg: "HS256" } },
    "no algorithm": { header: { alg: "none" } },
    "critical extensions": { header: { crit: ["b64"] } },
    "no key id": { header: { kid: undefined } },
  };
  for (const [name, patch] of Object.entries(bent))
    test(`refused: ${name}`, async () => {
      const response = await search(patch);
      assert.equal(response.status, 401);
      assert.equal(await response.text(), "authentication required");
    });

  test("refused: missing", async () => {
    const response = await search({}, { token: "" });
    assert.equal(response.status, 401);
    assert.equal((await fetch(`${world.server.url}/ok`)).status, 401);
  });
  test("refused: signed by another key of that name", async () => {
    assert.equal((await search({}, { key: stranger })).status, 401);
  });
  test("refused: another body than the one decided", async () => {
    assert.equal((await search({}, { body: '{"limit":99}' })).status, 401);
  });
  test("refused: broken shapes", async () => {
    const good = signFor(world.key, "alice", "POST", `${world.server.url}/threads/search?x=it's`, "{}");
    const [h, p, s] = good.split(".");
    const flip = (text) => (text[0] === "A" ? "B" : "A") + text.slice(1);
    for (const token of [
      "x", "..", `${h}.${p}`, `${h}.${p}.`, `${h}..${s}`, `${h}.${p}.${s}.`, `${h}.${p}.${flip(s)}`,
      `${h}.${flip(p)}.${s}`, `${h}.${p}.${s}=`, `${h}.${p}.${s}, ${good}`, "a".repeat(9000),
      compact(null, {}, world.key.privateKey), compact([], {}, world.key.privateKey),
      compact({ alg: "ES256", typ: "agentauth+jwt", kid: "k1" }, null, world.key.privateKey),
    ])
      assert.equal((await search({}, { token })).status, 401, token.slice(0, 60));
  });
  test("refused: the studio's own log-in", async () => {
    const headers = { "x-auth-scheme": "langsmith" };
    assert.equal((await search({}, { token: "", headers })).status, 401);
  });
  test("an event that was not decided is 403", async () => {
    const dec = [{ res: "threads", act: "read", kind: "all" }];
    assert.equal((await search({}, { dec })).status, 403);
    assert.equal((await search({}, { dec: [] })).status, 403);
  });
  test("an unknown key is fetched once an interval", async () => {
    const before = world.jwks.fetches;
    for (let i = 0; i < 5; i++) assert.equal((await search({}, { key: unknown })).status, 401);
    assert.ok(world.jwks.fetches - before <= 1, `${world.jwks.fetches - before} fetches`);
    assert.equal((await search()).status, 200);
  });

  const filters = [
    // name, filter, is it found, or the status
    ["equality", { owner: "alice" }, true],
    ["equality that does not hold", { owner: "bob" }, false],
    ["$eq of a falsy value", { n: { $eq: 0 } }, true],
    ["$eq of a falsy value that does not hold", { owner: { $eq: "" } }, false],
    ["false", { off: false }, true],
    ["false that does not hold", { n: false }, false],
    ["$contains", { tags: { $contains: "a" } }, true],
    ["$contains of a falsy value", { tags: { $contains: 0 } }, true],
    ["$contains of a falsy value that does not hold", { tags: { $contains: false } }, false],
    ["$contains of a list", { tags: { $contains: ["a", 0] } }, true],
    ["$contains of a list that does not hold", { tags: { $contains: ["a", "b"] } }, false],
    ["$and of different keys", { $and: [{ owner: "alice" }, { n: 0 }] }, true],
    ["$and of different keys that does not hold", { $and: [{ owner: "alice" }, { n: 1 }] }, false],
    ["$and beside a key", { owner: "alice", $and: [{ n: 1 }] }, false],
    ["$and of two $contains", { $and: [{ tags: { $contains: "a" } }, { tags: { $contains: "z" } }] }, false],
    ["$or of one", { $or: [{ owner: "bob" }] }, false],
    ["$or", { $or: [{ owner: "bob" }, { owner: "alice" }] }, 500],
    ["$and with one key twice", { $and: [{ owner: "bob" }, { owner: "alice" }] }, 500],
    ["$or inside $and", { $and: [{ $or: [{ a: 1 }, { b: 2 }] }] }, 500],
    ["an unknown operator", { owner: { $in: ["bob"] } }, 500],
    ["two operators", { owner: { $eq: "bob", $contains: "a" } }, 500],
    ["a list", { owner: ["bob"] }, 500],
    ["nothing", {}, 500],
    ["an empty condition", { owner: {} }, 500],
    ["an empty $contains", { tags: { $contains: [] } }, 500],
    ["an empty $and", { $and: [] }, 500],
    ["an unknown word at the top", { $not: { owner: "bob" } }, 500],
    ["a member that would vanish", JSON.parse('{"__proto__":"x"}'), 500],
  ];
  for (const [name, flt, wanted] of filters)
    test(`filter: ${name}`, async () => {
      const url = `${world.server.url}/threads/search`;
      const topic = randomUUID();
      const send = (path, body, dec) =>
        fetch(world.server.url + path, {
          method: "POST",
          body,
          headers: {
            "Content-Type": "application/json",
            "AgentAuth-Assertion": signFor(world.key, "alice", "POST", world.server.url + path, body, {}, dec),
          },
        });
      const metadata = { topic, owner: "alice", n: 0, off: false, tags: ["a", 0] };
      const made = await send("/threads", JSON.stringify({ metadata }), [
        { res: "threads", act: "create", kind: "all" },
      ]);
      assert.equal(made.status, 200);
      const found = await send("/threads/search", JSON.stringify({ metadata: { topic } }), [
        { res: "threads", act: "search", kind: "filter", flt },
      ]);
      if (typeof wanted === "number") return assert.equal(found.status, wanted);
      assert.equal(found.status, 200, url);
      assert.equal((await found.json()).length, wanted ? 1 : 0);
    });

  test("the user is what the assertion says", async () => {
    const run = await world.client("alice").runs.create(null, "agent", { input: { text: "" } });
    const { configurable } = run.kwargs.config;
    assert.equal(configurable.langgraph_auth_user_id, "alice");
    assert.deepEqual(configurable.langgraph_auth_permissions, ["threads:read"]);
    assert.deepEqual(configurable.langgraph_auth_user, {
      identity: "alice",
      display_name: "alice",
      email: "alice@test",
      permissions: ["threads:read"],
      is_authenticated: true,
    });
  });
});

describe("the adapter by itself", () => {
  let dir, make;
  const ENV = { AGENTAUTH_JWKS: "http://127.0.0.1:1/", AGENTAUTH_ISSUER: ISSUER, AGENTAUTH_AUDIENCE: AUDIENCE };
  before(async () => {
    dir = await adapterDir();
    Object.assign(process.env, ENV);
    make = (await import(pathToFileURL(join(dir, "auth.mjs")))).agentAuth;
  });
  after(async () => {
    for (const name of Object.keys(ENV)) delete process.env[name];
    await rm(dir, { recursive: true, force: true });
  });

  const request = (token) =>
    new Request("http://127.0.0.1/ok", { headers: { "AgentAuth-Assertion": token } });

  /** An adapter under a clock of its own, and a function that asks it. */
  async function clocked(keys) {
    const jwks = await startJwks(keys.map((key) => key.jwk));
    const clock = { ms: 1_700_000_000_000 };
    const auth = make({ jwks: jwks.url, issuer: ISSUER, audience: AUDIENCE, now: () => clock.ms });
    const ask = async (key) => {
      const iat = clock.ms / 1000;
      const token = signFor(key, "alice", "GET", "http://127.0.0.1/ok", undefined, {
        claims: { iat, exp: iat + 30 },
      });
      try {
        await auth["~handlerCache"].authenticate(request(token));
        return 200;
      } catch (error) {
        return error.status;
      }
    };
    return { jwks, clock, ask };
  }

  for (const name of Object.keys(ENV))
    test(`does not start without ${name}`, async () => {
      const { [name]: gone, ...env } = ENV;
      await assert.rejects(startLangGraph({ env }), new RegExp(`${name} is not set`));
    });

  test("a new key is picked up, an old one dropped", async () => {
    const [old, fresh] = [makeKey("old"), makeKey("new")];
    const { jwks, clock, ask } = await clocked([old]);
    assert.equal(await ask(old), 200);
    jwks.keys = [fresh.jwk];
    assert.equal(await ask(fresh), 401, "asked a moment ago");
    clock.ms += 11_000;
    assert.equal(await ask(fresh), 200);
    assert.equal(await ask(old), 401);
    assert.equal(jwks.fetches, 2);
    jwks.close();
  });

  test("many who ask at once cause one fetch", async () => {
    const key = makeKey("k");
    const { jwks, ask } = await clocked([key]);
    assert.deepEqual(await Promise.all(Array.from({ length: 8 }, () => ask(key))), Array(8).fill(200));
    assert.equal(jwks.fetches, 1);
    jwks.close();
  });

  test("old keys outlive a gateway that does not answer, for an hour", async () => {
    const key = makeKey("k");
    const { jwks, clock, ask } = await clocked([key]);
    assert.equal(await ask(key), 200);
    jwks.status = 503;
    clock.ms += 600_000;
    assert.equal(await ask(key), 200);
    clock.ms += 3_600_000;
    assert.equal(await ask(key), 401);
    jwks.status = 200;
    clock.ms += 11_000;
    assert.equal(await ask(key), 200);
    jwks.close();
  });

  describe("decisions and events", () => {
    /** handlers of a user whose assertion carries `dec` */
    async function userWith(dec) {
      const key = makeKey("k");
      const jwks = await startJwks([key.jwk]);
      const auth = make({ jwks: jwks.url, issuer: ISSUER, audience: AUDIENCE });
      const token = signFor(key, "alice", "GET", "http://127.0.0.1/ok", undefined, {}, dec);
      const user = await auth["~handlerCache"].authenticate(request(token));
      jwks.close();
      const on = auth["~handlerCache"].callbacks["*"];
      // The server hands on a copy of what authenticate returned.
      return (event, value = {}) => on({ event, value, user: { ...user } });
    }
    const flt = (n) => ({ res: "threads", act: "create_run", kind: "filter", flt: { n }, set: { metadata: { n } } });

    test("a batch takes its decisions in order", async () => {
      const on = await userWith([flt(1), flt(2), flt(3)]);
      for (const n of [1, 2, 3]) {
        const value = { metadata: {} };
        assert.deepEqual(on("threads:create_run", value), { n });
        assert.deepEqual(value.metadata, { n });
      }
      assert.throws(() => on("threads:create_run"), { status: 403 });
      assert.throws(() => on("threads:read"), { status: 403 }, "whose?");
    });
    test("equal decisions answer as often as asked", async () => {
      const on = await userWith([flt(1), flt(1)]);
      for (let i = 0; i < 5; i++) assert.deepEqual(on("threads:create_run"), { n: 1 });
    });
    test("one decision answers as often as asked", async () => {
      const on = await userWith([{ res: "threads", act: "read", kind: "all" }]);
      assert.equal(on("threads:read"), true);
      assert.equal(on("threads:read"), true);
    });
    test("what follows from a run is under its filter, without its stamp", async () => {
      const on = await userWith([flt(1)]);
      const value = { action: "interrupt", metadata: {} };
      assert.deepEqual(on("threads:update", value), { n: 1 });
      assert.deepEqual(value.metadata, {});
      assert.deepEqual(on("threads:read"), { n: 1 });
      assert.deepEqual(on("threads:delete", { run_id: "r" }), { n: 1 });
      for (const [event, v] of [
        ["threads:update", { metadata: {} }],
        ["threads:delete", { thread_id: "t" }],
        ["threads:create"], ["threads:search"], ["assistants:read"], ["store:get"],
      ])
        assert.throws(() => on(event, v), { status: 403 }, event);
    });
    test("reading does not let anybody change", async () => {
      const on = await userWith([{ res: "threads", act: "read", kind: "all" }]);
      assert.throws(() => on("threads:update", { action: "interrupt" }), { status: 403 });
    });
    test("a user of another kind has no decisions", () => {
      const on = make({ jwks: "x", issuer: ISSUER, audience: AUDIENCE })["~handlerCache"].callbacks["*"];
      const user = { kind: "StudioUser", identity: "langgraph-studio-user" };
      assert.throws(() => on({ event: "threads:read", value: {}, user }), { status: 403 });
      assert.throws(() => on({ event: "threads:read", value: {} }), { status: 403 });
    });
    test("stamps are put in place, beside what is there", async () => {
      const metadata = { copied: 1 };
      const on = await userWith([
        { res: "threads", act: "create", kind: "all", set: { metadata: { owner: "alice" } } },
        { res: "store", act: "put", kind: "all", set: { namespace: ["alice", "x"], key: "k" } },
      ]);
      const value = { metadata };
      on("threads:create", value);
      assert.equal(value.metadata, metadata);
      assert.deepEqual(metadata, { copied: 1, owner: "alice" });
      const put = { namespace: ["x"], key: "k" };
      on("store:put", put);
      assert.deepEqual(put.namespace, ["alice", "x"]);
      const bare = {};
      on("threads:create", bare);
      assert.deepEqual(bare.metadata, { owner: "alice" });
    });
  });
});
