// SPDX-License-Identifier: Apache-2.0
// Route maps over the wire, and the assertion that carries what they decide.
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { readdir, rename } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { place, startPlace } from "./lib/place.mjs";

const ID = "0192a5f0-0000-4000-8000-000000000001";
const THREAD = `/threads/${ID}`;

const POLICY = `
local auth = require "agentauth"
auth.on("threads:read", function(ctx, value) return { reader = ctx.user.identity } end)
auth.on("threads:update", function(ctx, value) return { writer = ctx.user.identity } end)
auth.on("threads:search", function(ctx, value) return true end)
auth.on("threads:create_run", function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)
`;
const APP = `
local auth = require "agentauth"
auth.on.reports.create(function(ctx, value)
  value.title = (value.title or "") .. "!" .. value.report_id .. (value.format or "")
  return { owner = ctx.user.identity }
end)
`;
const APP_ROUTES = `
route { "POST", "/app/reports/{report_id}",
  events = { { "reports", "create", value = { report_id = path, format = query, title = body } } },
  mutable = { "title" }, body = "json" }
route { "DELETE", "/threads/{thread_id}", access = "refuse" }
`;
const HTTP = `
local auth = require "agentauth"
auth.on.http.get(function(ctx, value) return { path = value.path, q = value.query.q or "none" } end)
auth.on.http.post(function(ctx, value) return true end)
`;

let world;
before(async () => {
  world = await startPlace({
    policy: POLICY,
    modules: ["proxy_wstunnel"],
    prepare: async (httpd) => {
      await httpd.write("app.lua", APP);
      await httpd.write("app-routes.lua", APP_ROUTES);
      await httpd.write("http.lua", HTTP);
    },
    config: (httpd, echo) => {
      const proxied = (path, routes, lines = "") =>
        `ProxyPass ${path} ${echo.url}\n${place(path, `AgentAuthRoutes ${routes} prefix=${path}\n${lines}`)}`;
      return [
        proxied("/a", "langgraph"),
        proxied("/open", "langgraph", 'AgentAuthOpenRoutes /ok /info "POST /internal/truncate" "GET /runs/{run_id}/stream"'),
        proxied("/app", "langgraph +app-routes.lua", "AgentAuthPolicy app.lua"),
        proxied("/http", "none", "AgentAuthPolicy http.lua"),
        proxied("/unmatched", "langgraph", "AgentAuthUnmatched allow"),
        proxied("/both", "langgraph", "AgentAuthPassAs both"),
        proxied("/signed", "langgraph", "AgentAuthPassAs assertion\nAgentAuthAssertionAudience agents\nAgentAuthPassClaims identity"),
      ].join("\n");
    },
  });
});
after(() => world?.stop());

const get = (path, options) => world.ask("GET", path, options);
const nobody = (method, path) => world.httpd.request({ method, path });

describe("the map", () => {
  test("prefix: below it, at its border, beside it", async () => {
    assert.equal(world.passed(await get(`/a${THREAD}`)).url, THREAD);
    for (const path of ["/a", "/a/"]) world.refused(await get(path), 404, "AGA0210", path);
    assert.equal((await get(`/ab${THREAD}`)).status, 404);
    assert.equal(world.echo.take().length, 0);
  });

  test("HEAD is decided as GET", async () => {
    const connection = await world.httpd.connect();
    connection.sendLines(`HEAD /a${THREAD} HTTP/1.1`, "Host: x", `X-API-Key: ${world.key}`);
    assert.equal((await connection.answer({ head: true })).status, 200);
    const [seen] = world.echo.take();
    assert.equal(seen.method, "HEAD");
    assert.equal(seen.header("agentauth-filter"), '{"reader":"alice"}');
    connection.sendLines("HEAD /a/nothing HTTP/1.1", "Host: x", `X-API-Key: ${world.key}`);
    assert.equal((await connection.answer({ head: true })).status, 404);
    connection.sendLines(`HEAD /a${THREAD} HTTP/1.1`, "Host: x");
    assert.equal((await connection.answer({ head: true })).status, 401);
    assert.equal(world.echo.take().length, 0);
    connection.close();
  });

  test("no row: 404 of ours, the backend is not asked", async () => {
    for (const [method, path] of [
      ["GET", "/a/nothing"], ["GET", "/a/threads"], ["PUT", `/a${THREAD}`], ["POST", "/a/ok"],
      ["GET", "/a/THREADS/x"], ["TRACE", "/a/nothing"], ["FOO", `/a${THREAD}`], ["OPTIONS", `/a${THREAD}`],
    ]) {
      const answer = await world.ask(method, path);
      if (method === "TRACE") assert.ok([404, 405].includes(answer.status));
      else world.refused(answer, 404, "AGA0210", `${method} ${path}`);
    }
    for (const header of ["X-HTTP-Method-Override", "X-Method-Override"])
      world.refused(await world.ask("POST", "/a/threads/search/x", { headers: [header, "GET"] }), 404, "AGA0210");
  });

  test("refused rows, and the same ones opened", async () => {
    const rows = [["POST", "/internal/truncate"], ["GET", `/runs/${ID}/stream`]];
    for (const [method, path] of rows) {
      world.refused(await world.ask(method, `/a${path}`), 403, "AGA0211", path);
      world.passed(await world.ask(method, `/open${path}`), path);
      world.refused(await nobody(method, `/open${path}`), 401, "AGA0101", path);
    }
    for (const prefix of ["/a", "/open"])
      world.refused(
        await get(`${prefix}${THREAD}/stream/events`, { headers: ["Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="] }),
        403, "AGA0211", prefix,
      );
    assert.equal(world.echo.upgrades.length, 0);
  });

  test("/ok and /info: for a user, or for nobody where they are opened", async () => {
    for (const path of ["/ok", "/info"]) {
      world.refused(await nobody("GET", `/a${path}`), 401, "AGA0101", path);
      world.passed(await get(`/a${path}`), path);
      const seen = world.passed(await nobody("GET", `/open${path}`), path);
      assert.equal(seen.header("agentauth-identity"), null);
      assert.equal(seen.header("agentauth-filter"), null);
      world.passed(await nobody("HEAD", `/open${path}`), path);
      world.refused(await nobody("GET", `/open${path}/x`), 401, "AGA0101", path);
      world.refused(await nobody("POST", `/open${path}`), 401, "AGA0101", path);
    }
    const forged = await world.httpd.request({ path: "/open/ok", headers: { "AgentAuth-Filter": "true", AgentAuth_Identity: "bob" } });
    const seen = world.passed(forged);
    assert.equal(seen.header("agentauth-filter"), null);
    assert.equal(seen.header("agentauth_identity"), null);
  });

  test("rows of one's own, and one that replaces", async () => {
    const seen = world.passed(await world.ask("POST", "/app/app/reports/r7?format=pdf", { body: '{"n":1.10,"title":"T"}' }));
    assert.equal(seen.text, '{"n":1.10,"title":"T!r7pdf"}');
    assert.equal(seen.header("agentauth-resource"), "reports");
    world.refused(await world.ask("POST", "/a/app/reports/r7", { body: "{}" }), 404, "AGA0210");
    world.refused(await world.ask("DELETE", `/app${THREAD}`), 403, "AGA0211");
  });

  test("none: path and query, the body unread", async () => {
    const seen = world.passed(await get("/http/any/path?q=1&q2=%2F"));
    assert.equal(seen.header("agentauth-filter"), '{"path":"/any/path","q":"1"}');
    assert.equal(seen.url, "/any/path?q=1&q2=%2F");
    const posted = world.passed(await world.ask("POST", "/http/x", { body: "{ no JSON", headers: ["Content-Type", "text/x"] }));
    assert.equal(posted.text, "{ no JSON");
    assert.equal(posted.header("content-type"), "text/x");
    assert.equal(posted.header("agentauth-filter"), "true");
    world.refused(await world.ask("PUT", "/http/x", { body: "" }), 403, "AGA0203");
  });

  test("a named query parameter is there once", async () => {
    for (const query of ["status=idle&status=busy", "status=a&%73tatus=b", "status=%zz", "status=%00"])
      world.refused(await get(`/a${THREAD}/runs?${query}`), 400, "AGA0302", query);
    for (const query of ["status=idle", "x=1&x=2&status=idle", ""])
      world.passed(await get(`/a${THREAD}/runs?${query}`), query);
  });

  test("AgentAuthUnmatched", async () => {
    world.refused(await get("/a/assistants/x"), 403, "AGA0203");
    assert.equal(world.passed(await get("/unmatched/assistants/x")).header("agentauth-filter"), "true");
    world.refused(await nobody("GET", "/unmatched/assistants/x"), 401, "AGA0101");
  });

  test("two events with two filters: both in the header", async () => {
    const seen = world.passed(await world.ask("POST", `/a${THREAD}/state`, { body: '{"values":{}}' }));
    assert.deepEqual(JSON.parse(seen.header("agentauth-filter")), { $and: [{ writer: "alice" }, { reader: "alice" }] });
    assert.equal(seen.header("agentauth-action"), "update");
    const one = world.passed(await get(`/a${THREAD}/runs`));
    assert.deepEqual(JSON.parse(one.header("agentauth-filter")), { reader: "alice" });
  });
});

describe("the assertion", () => {
  const sha256 = (data) => createHash("sha256").update(data).digest("base64url");
  const part = (text) => JSON.parse(Buffer.from(text, "base64url"));

  async function keys() {
    const answer = await nobody("GET", "/.well-known/agentauth/jwks.json");
    assert.equal(answer.status, 200);
    for (const key of answer.json.keys) assert.equal(key.d, undefined);
    return answer.json.keys;
  }

  async function opened(seen) {
    const [head, claims, signature] = seen.header("agentauth-assertion").split(".");
    const header = part(head);
    assert.equal(header.alg, "ES256");
    assert.equal(header.typ, "agentauth+jwt");
    const jwk = (await keys()).find((key) => key.kid === header.kid);
    assert.ok(jwk, "its key is published");
    const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
    const good = (text) => verify("sha256", Buffer.from(text), key, Buffer.from(signature, "base64url"));
    assert.ok(good(`${head}.${claims}`));
    assert.ok(!good(`${head}.${claims}x`));
    return { ...part(claims), kid: header.kid };
  }

  test("says what was decided, of what was sent", async () => {
    const body = '{"values":{"a":1.10}}';
    const seen = world.passed(await world.ask("POST", `/both${THREAD}/state?x=%27&y`, { body }));
    const claims = await opened(seen);
    assert.equal(claims.iss, `http://gateway.test`);
    assert.equal(claims.aud, world.echo.url);
    assert.equal(claims.sub, "alice");
    assert.deepEqual(claims.perm, []);
    assert.equal(claims.usr.identity, "alice");
    assert.equal(claims.exp - claims.iat, 30);
    assert.ok(Math.abs(claims.iat - Date.now() / 1000) < 20);
    assert.match(claims.jti, /./);
    assert.deepEqual(
      claims.dec.map(({ res, act, kind, flt }) => [res, act, kind, flt]),
      [["threads", "update", "filter", { writer: "alice" }], ["threads", "read", "filter", { reader: "alice" }]],
    );
    assert.equal(claims.htm, "POST");
    assert.equal(claims.htp, `${THREAD}/state`);
    assert.equal(claims.htq, sha256("x=%27&y"));
    assert.equal(claims.pol, createHash("sha256").update(POLICY).digest("hex").slice(0, 16));
    assert.equal(seen.header("agentauth-identity"), "alice");
  });

  test("covers the body as it is sent", async () => {
    const seen = world.passed(await world.ask("POST", "/both/runs", { body: '{"assistant_id":"a","n":1.10}' }));
    const claims = await opened(seen);
    assert.equal(claims.bdy, sha256(seen.body));
    assert.equal(claims.htq, sha256(""));
    assert.deepEqual(claims.dec[0].set?.metadata ?? seen.json.metadata, { owner: "alice" });
    const without = await opened(world.passed(await get(`/both${THREAD}`)));
    assert.equal(without.bdy, undefined);
    assert.notEqual(without.jti, claims.jti);
  });

  test("a filter of all, and a path that needs escapes", async () => {
    const seen = world.passed(await world.ask("POST", "/both/threads/search", { body: "{}" }));
    const [one] = (await opened(seen)).dec;
    assert.deepEqual([one.res, one.act, one.kind, one.flt], ["threads", "search", "all", undefined]);
    const spelled = world.passed(await get("/both/threads/a%20b%C3%A9"));
    assert.equal((await opened(spelled)).htp, spelled.url);
  });

  test("alone: no headers beside it, audience and claims as configured", async () => {
    const seen = world.passed(await get(`/signed${THREAD}`, { headers: ["AgentAuth-Assertion", "x.y.z"] }));
    const claims = await opened(seen);
    assert.equal(claims.aud, "agents");
    assert.deepEqual(claims.usr, { identity: "alice" });
    for (const name of ["identity", "user", "filter", "resource", "action"])
      assert.equal(seen.header(`agentauth-${name}`), null, name);
  });

  test("a new key signs after rotation, the old one stays published", async () => {
    const old = await opened(world.passed(await get(`/signed${THREAD}`)));
    const dir = `${world.httpd.stateDir}/secrets`;
    const [file, ...more] = (await readdir(dir)).filter((name) => /^signing-.*\.pem$/.test(name));
    assert.equal(more.length, 0);
    const year = 365 * 24 * 3600;
    const aged = file.replace(/^signing-(\d+)-/, (_, seconds) => `signing-${Number(seconds) - year}-`);
    await rename(`${dir}/${file}`, `${dir}/${aged}`);
    await world.httpd.graceful();
    const now = await opened(world.passed(await get(`/signed${THREAD}`)));
    assert.notEqual(now.kid, old.kid);
    assert.deepEqual((await keys()).map((key) => key.kid), [now.kid, old.kid]);
  });
});

test("our endpoints are ours by exact path", async () => {
  assert.equal((await nobody("GET", "/.well-known/agentauth/jwks.json")).status, 200);
  for (const path of ["/.well-known/agentauth/jwks.json/", "/.well-known/agentauth/x", "/auth/nothing"])
    world.refused(await nobody("GET", path), 404, "AGA0601", path);
  world.refused(await nobody("POST", "/.well-known/agentauth/jwks.json"), 405, "AGA0602");
});
