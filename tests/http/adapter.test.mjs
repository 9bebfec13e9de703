// SPDX-License-Identifier: Apache-2.0
// docs/examples/langgraph/auth.mjs in the real agent server: assertions are
// made here, no httpd takes part.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertion, compact, makeKey, startJwks } from "./lib/assertion.mjs";
import { decide } from "./lib/decide.mjs";
import { startGates } from "./lib/gate.mjs";
import { adapterDir, startLangGraph } from "./lib/langgraph.mjs";
import { agentServerSuite, sdkClient } from "./lib/suite.mjs";

const VECTORS = JSON.parse(readFileSync(new URL("../vectors/adapter.json", import.meta.url)));
const FILTERS = JSON.parse(readFileSync(new URL("../vectors/filters.json", import.meta.url)));
const SERVER_AUTH = new URL(
  "node_modules/@langchain/langgraph-api/dist/auth/index.mjs",
  import.meta.url,
);
const { issuer: ISSUER, audience: AUDIENCE } = VECTORS;

/** A patch of the vectors: null drops a member, {"now": n} is a time. */
function patched(patch = {}) {
  const now = Math.floor(Date.now() / 1000);
  const bend = (v) => (v === null ? undefined : typeof v?.now === "number" ? now + v.now : v);
  return Object.fromEntries(Object.entries(patch).map(([name, v]) => [name, bend(v)]));
}

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

  const stranger = makeKey("k1");
  const unknown = makeKey("k9");

  test("a good one is accepted", async () => {
    assert.equal((await search()).status, 200);
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

  for (const { name, header, claims, request, expect } of VECTORS.assertions)
    test(`${expect === 200 ? "accepted" : "refused"}: ${name}`, async () => {
      const { method, path, query } = { ...VECTORS.request, ...request };
      const url = `${world.server.url}${path}${query && "?"}${query}`;
      const token = signFor(world.key, "alice", VECTORS.request.method, world.server.url + path, undefined, {
        header: patched(header),
        claims: patched(claims),
      });
      const response = await fetch(url, { method, headers: { "AgentAuth-Assertion": token } });
      assert.equal(response.status, expect);
      if (expect === 401) assert.equal(await response.text(), "authentication required");
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

  for (const { name, filter: flt, js, match } of VECTORS.filters)
    test(`filter: ${name}`, async () => {
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
      const metadata = { topic, ...VECTORS.metadata };
      const made = await send("/threads", JSON.stringify({ metadata }), [
        { res: "threads", act: "create", kind: "all" },
      ]);
      assert.equal(made.status, 200);
      const found = await send("/threads/search", JSON.stringify({ metadata: { topic } }), [
        { res: "threads", act: "search", kind: "filter", flt },
      ]);
      if (typeof js === "number") return assert.equal(found.status, js);
      assert.equal(found.status, 200);
      assert.equal((await found.json()).length, match ? 1 : 0);
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
  let dir, make, translate;
  const ENV = { AGENTAUTH_JWKS: "http://127.0.0.1:1/", AGENTAUTH_ISSUER: ISSUER, AGENTAUTH_AUDIENCE: AUDIENCE };
  before(async () => {
    dir = await adapterDir();
    Object.assign(process.env, ENV);
    ({ agentAuth: make, translate } = await import(pathToFileURL(join(dir, "auth.mjs"))));
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
    for (const { name, dec, asks, only } of VECTORS.events) {
      if (only && only !== "js") continue;
      test(name, async () => {
        const on = await userWith(dec);
        for (const { event, value = {}, answer, after } of asks) {
          const given = structuredClone(value);
          const { metadata } = given;
          if (typeof answer === "number") assert.throws(() => on(event, given), { status: answer }, event);
          else assert.deepEqual(on(event, given), answer, event);
          if (after) assert.deepEqual(given, after);
          assert.equal({}.polluted, undefined);
          if (metadata) assert.equal(given.metadata, metadata, "stamped in place");
        }
      });
    }
    test("a user of another kind has no decisions", () => {
      const on = make({ jwks: "x", issuer: ISSUER, audience: AUDIENCE })["~handlerCache"].callbacks["*"];
      const user = { kind: "StudioUser", identity: "langgraph-studio-user" };
      assert.throws(() => on({ event: "threads:read", value: {}, user }), { status: 403 });
      assert.throws(() => on({ event: "threads:read", value: {} }), { status: 403 });
    });
  });

  describe("filters in the server's words", () => {
    for (const { name, filter, js } of VECTORS.filters)
      test(name, () => {
        if (typeof js === "number") assert.throws(() => translate(filter), { status: js });
        else assert.deepEqual(translate(filter), js);
      });
  });

  // The server's own matching, under the adapter's words for a filter: what it
  // shows is what the filter means, and what cannot be said shows nothing.
  test("filters mean to the server what they mean to the gateway", async () => {
    const { isAuthMatching } = await import(SERVER_AUTH);
    let said = 0;
    for (const { name, filter, metadata, match, error } of FILTERS) {
      let words;
      try {
        words = translate(filter);
      } catch (refusal) {
        assert.equal(refusal.status, 500, name);
        continue;
      }
      if (error) continue; // the gateway lets none of these out
      // JavaScript has no 2^53 + 1: to this server it is 2^53.
      if (Object.values(metadata).some((v) => Math.abs(v) >= 2 ** 53)) continue;
      assert.equal(isAuthMatching(metadata, words), match, name);
      said++;
    }
    assert.ok(said >= 200, `only ${said} filters could be said`);
  });
});
