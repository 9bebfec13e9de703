// SPDX-License-Identifier: Apache-2.0
// The main job, end to end: real httpd with the module, the real agent server
// with the adapter of the docs, the real SDK.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startGates } from "./lib/gate.mjs";
import { startHttpd, until } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";
import { startLangGraph } from "./lib/langgraph.mjs";
import { HOWTO, OWNERS } from "./lib/policies.mjs";
import { agentServerSuite, sdkClient } from "./lib/suite.mjs";

const SERVER_NAME = "gateway.test";
const AUDIENCE = "agents";
const RELOAD = 250; // ms, AgentAuthReloadInterval
const PERMISSIONS = { alice: [], bob: [], admin: ["admin"] };

function config({ issuer, backendPort }) {
  const section = (httpd) =>
    issuer
      ? `<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience ${issuer.audience}
  AgentAuthJWKS "${httpd.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>`
      : "";
  return (httpd) => `${section(httpd)}
<Location "/">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("policy.lua")}"
  AgentAuthEnforce headers
  AgentAuthPassAs both
  AgentAuthAssertionAudience ${AUDIENCE}
  ProxyPass http://127.0.0.1:${backendPort}/ flushpackets=on
</Location>`;
}

/* How a client learns that its idle connection had ended. */
const CLOSED = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

/**
 * Gateway and agent server. The server needs the gateway's address for its
 * keys and the gateway the server's for its proxy: so the gateway starts with
 * a backend that is nowhere and learns the right one by a graceful restart.
 */
async function startWorld({ mpm, policy, bearer }) {
  const issuer = bearer ? makeIssuer("https://issuer.test", "gateway") : null;
  const gates = await startGates();
  const undo = [() => gates.close()];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const httpd = await startHttpd({
      mpm,
      serverName: SERVER_NAME,
      modules: ["proxy", "proxy_http"],
      config: config({ issuer, backendPort: 9 }),
      async prepare(h) {
        await h.write("policy.lua", policy);
        if (issuer) await h.write("issuer.json", issuer.jwks);
      },
    });
    undo.push(() => httpd.stop());
    const server = await startLangGraph({
      gate: gates.url,
      env: {
        AGENTAUTH_JWKS: `${httpd.url}/.well-known/agentauth/jwks.json`,
        AGENTAUTH_ISSUER: `http://${SERVER_NAME}`,
        AGENTAUTH_AUDIENCE: AUDIENCE,
      },
    });
    undo.push(() => server.stop());
    await httpd.configure(config({ issuer, backendPort: server.port }));
    await httpd.graceful();

    const credentials = {};
    for (const [name, permissions] of Object.entries(PERMISSIONS)) {
      if (issuer) credentials[name] = issuer.token(name, { permissions });
      else {
        await httpd.addUser(name, { permissions });
        credentials[name] = await httpd.addKey(name);
      }
    }
    const headers = (name) =>
      issuer
        ? { Authorization: `Bearer ${credentials[name]}` }
        : { "X-API-Key": credentials[name] };
    return {
      httpd,
      server,
      gates,
      headers,
      stop,
      client: (name) => sdkClient({ apiUrl: httpd.url, defaultHeaders: headers(name) }),
      raw(name, method, path, json, more = {}) {
        const body = json === undefined ? undefined : JSON.stringify(json);
        const type = body ? { "Content-Type": "application/json" } : {};
        const ask = () =>
          fetch(httpd.url + path, {
            method,
            headers: { ...headers(name), ...type, ...more },
            body,
          });
        /* httpd may end an idle child, and its idle connections with it, while
         * a request is on its way (RFC 9110 s9.2.2). */
        return ask().catch((error) => {
          if (method !== "GET" || !CLOSED.includes(error.cause?.code)) throw error;
          return ask();
        });
      },
    };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

describe("API keys, event", () =>
  agentServerSuite(() => startWorld({ mpm: "event", policy: OWNERS })));

describe("bearer tokens, worker", () =>
  agentServerSuite(() => startWorld({ mpm: "worker", policy: OWNERS, bearer: true })));

describe("LangGraph's how-to policy, prefork", () =>
  agentServerSuite(() => startWorld({ mpm: "prefork", policy: HOWTO }), { admin: false }));

describe("around the agent server", () => {
  let world;
  before(async () => (world = await startWorld({ mpm: "event", policy: OWNERS })));
  after(() => world?.stop());

  test("nobody is refused, and told how to come", async () => {
    const answer = await fetch(`${world.httpd.url}/threads/search`, { method: "POST", body: "{}" });
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get("www-authenticate"), /^Bearer/);
    assert.deepEqual(await answer.json(), { error: "authentication required" });
  });

  test("past the gateway there is nothing to get", async () => {
    assert.equal((await fetch(`${world.server.url}/threads/search`, { method: "POST" })).status, 401);
    const headers = world.headers("alice");
    assert.equal((await fetch(`${world.server.url}/ok`, { headers })).status, 401);
  });

  test("an assertion of one's own is not heard", async () => {
    const { thread_id } = await world.client("alice").threads.create();
    for (const name of ["AgentAuth-Assertion", "AgentAuth-Identity", "AgentAuth-Filter", "x-auth-scheme"]) {
      const forged = { [name]: name === "x-auth-scheme" ? "langsmith" : "true" };
      const answer = await world.raw("bob", "GET", `/threads/${thread_id}`, undefined, forged);
      assert.equal(answer.status, 404, name);
      assert.equal((await world.raw("alice", "GET", `/threads/${thread_id}`, undefined, forged)).status, 200, name);
    }
  });

  test("the server's wipe is out of reach, for the admin too", async () => {
    const all = { runs: true, threads: true, assistants: true, store: true };
    for (const name of ["alice", "admin"]) {
      const answer = await world.raw(name, "POST", "/internal/truncate", all);
      assert.ok([403, 404].includes(answer.status), `${answer.status}`);
    }
  });

  test("an edited policy takes effect, a broken one does not", async () => {
    const { thread_id } = await world.client("alice").threads.create();
    const headers = { ...world.headers("alice"), "Content-Type": "application/json" };
    const create = async () =>
      (await world.httpd.request({ method: "POST", path: "/threads", headers, body: "{}" })).status;
    /* Each child looks for itself, once an interval: an answer is settled when
     * new connections have had no other for some intervals. */
    const settled = async (wanted) => {
      let since = Infinity;
      await until(async () => {
        if ((await create()) !== wanted) since = Infinity;
        else since = Math.min(since, Date.now());
        return Date.now() - since > 4 * RELOAD;
      }, `nothing but ${wanted}`);
    };
    const readOnly = OWNERS.replace(
      "auth.on.store",
      'auth.on("threads:create", function() return false end)\n\nauth.on.store',
    );
    assert.notEqual(readOnly, OWNERS);
    await world.httpd.write("policy.lua", readOnly);
    await settled(403);
    await world.httpd.write("policy.lua", "auth.on(function( return true end)");
    await until(async () => {
      await create(); // it is looked at when somebody asks
      return /policy\.lua:1:/.test(await world.httpd.errorLog());
    }, "the broken policy to be noticed");
    await settled(403);
    assert.equal((await world.raw("alice", "GET", `/threads/${thread_id}`)).status, 200);
    await world.httpd.write("policy.lua", OWNERS);
    await settled(200);
  });

  test("a revoked key is refused at once", async () => {
    const key = await world.httpd.addKey("bob");
    const headers = { "X-API-Key": key };
    // A connection each, so that every child is asked.
    const ask = () => world.httpd.request({ method: "POST", path: "/threads/count", headers, body: "{}" });
    assert.equal((await ask()).status, 200);
    const id = key.slice("sk-agentauth-".length).slice(0, 10);
    await world.httpd.cliOk("key", "revoke", id);
    for (let i = 0; i < 20; i++) assert.equal((await ask()).status, 401);
  });

  test("the keys of the gateway are public", async () => {
    const answer = await fetch(`${world.httpd.url}/.well-known/agentauth/jwks.json`);
    assert.equal(answer.status, 200);
    const { keys } = await answer.json();
    assert.ok(keys.length >= 1);
    for (const key of keys) assert.ok(!("d" in key), "no private part");
  });
});
