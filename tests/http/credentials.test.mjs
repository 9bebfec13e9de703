// SPDX-License-Identifier: Apache-2.0
// Which credential counts, and what becomes of it: keys, bearer tokens, the
// policy's own, guests; in every process of every MPM.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as later } from "node:timers/promises";
import { makeKey } from "./lib/assertion.mjs";
import { startEcho } from "./lib/echo.mjs";
import { MODULE, startHttpd, until } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";

const ALL = `local auth = require "agentauth"
auth.on(function(ctx, value) return true end)
`;
const WHO = `${ALL}
auth.authenticate(function(req)
  local said = req.headers["x-say"]
  if req.claims then
    if said == "refuse-known" then error(auth.HTTPException { status_code = 403, detail = "not you" }) end
    return nil
  end
  if req.authorization == "Bearer opaque-1" then return "opaque" end
  if req.authorization == "Bearer a.b.c" then return "jwt-shaped" end
  if said == "string" then return "zora" end
  if said == "table" then return { identity = "tina", permissions = { "p1", "p2" }, team = "red" } end
  if said == "402" then
    error(auth.HTTPException { status_code = 402, detail = "pay first", headers = { ["X-Quota"] = "0", ["Retry-After"] = "7" } })
  end
  if said == "401" then
    error(auth.HTTPException { status_code = 401, detail = "no such badge", headers = { ["WWW-Authenticate"] = 'Badge realm="x"' } })
  end
  if said == "error" then error("a mistake with swordfish") end
  if said == "number" then return 42 end
  if said == "nameless" then return { permissions = {} } end
  if said == "empty" then return "" end
  if said == "guest" then return "guest" end
  if said == "loop" then while true do end end
  if said == "not-authenticated" then return { identity = "ghost", is_authenticated = false } end
  return nil
end)
`;

const section = (httpd, path, echo, more = "") => `<Location "${path}">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("all.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
  ProxyPass ${echo.url}${path}
  ${more}
</Location>`;

const bearer = (value) => ["Authorization", `Bearer ${value}`];
const xkey = (value) => ["X-API-Key", value];
const basic = ["Authorization", "Basic YWxpY2U6cGFzc3dvcmQ="];

/* An answer of ours: JSON, a code, no-store, one challenge exactly when 401. */
function refusal(answer, status, code, name = "") {
  assert.equal(answer.status, status, `${name}: ${answer.status} ${answer.text}`);
  assert.equal(answer.header("AgentAuth-Error"), code, name);
  assert.match(answer.header("Content-Type"), /^application\/json/);
  assert.equal(typeof answer.json.error, "string");
  assert.ok(!answer.text.includes("AGA"), "the code is in the header alone");
  assert.equal(answer.header("Cache-Control"), "no-store");
  assert.equal(answer.headers("WWW-Authenticate").length, status === 401 ? 1 : 0, name);
}

/** A site that has keys and a discovery document, and counts its visitors. */
async function startSite() {
  const site = { keys: [], hits: {}, status: 200 };
  const server = createServer((request, response) => {
    site.hits[request.url] = (site.hits[request.url] ?? 0) + 1;
    response.writeHead(site.status, { "Content-Type": "application/json" });
    if (request.url.endsWith("/openid-configuration"))
      response.end(JSON.stringify({ issuer: site.issuer, jwks_uri: `${site.url}/found.json` }));
    else response.end(JSON.stringify({ keys: site.keys }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.issuer = `${site.url}/tenant`;
  site.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return site;
}

// ------------------------------------------------------------ one of everything

describe("credentials", () => {
  let httpd, echo, site, stranger;
  const issuers = {};
  const keys = {};

  before(async () => {
    echo = await startEcho();
    site = await startSite();
    stranger = makeIssuer("https://stranger.test", "gateway");
    issuers.file = makeIssuer("https://file.test", "gateway");
    issuers.url = makeIssuer("https://url.test", "gateway");
    issuers.found = makeIssuer(site.issuer, "gateway");
    site.keys = [issuers.url.key.jwk, issuers.found.key.jwk];
    httpd = await startHttpd({
      ports: 2,
      logLevel: "info agentauth:trace8",
      modules: ["proxy", "proxy_http"],
      async prepare(h) {
        await h.write("all.lua", ALL);
        await h.write("who.lua", WHO);
        await h.write("keys.json", issuers.file.jwks);
      },
      config: (h) => `LimitRequestFieldSize 100000
<AgentAuthIssuer https://file.test>
  AgentAuthAudience gateway
  AgentAuthJWKS "${h.path("keys.json")}"
  AgentAuthIdentityPrefix "file:"
</AgentAuthIssuer>
<AgentAuthIssuer https://url.test>
  AgentAuthAudience other gateway
  AgentAuthJWKS ${site.url}/named.json
  AgentAuthIdentityPrefix "url:"
  AgentAuthPermissionsClaim realm_access.roles
</AgentAuthIssuer>
<AgentAuthIssuer ${site.issuer}>
  AgentAuthAudience gateway
  AgentAuthIdentityPrefix "found:"
  AgentAuthIdentityClaim email
</AgentAuthIssuer>
${section(h, "/p/", echo)}
${section(h, "/key/", echo, "AgentAuthMethods apikey")}
${section(h, "/token/", echo, "AgentAuthMethods bearer")}
${section(h, "/guest/", echo, "AgentAuthOptional On")}
${section(h, "/open/", echo, "AgentAuthOpenAccess On")}
${section(h, "/who/", echo, `AgentAuthPolicy "${h.path("who.lua")}"`)}
${section(h, "/who-alone/", echo, `AgentAuthPolicy "${h.path("who.lua")}"\nAgentAuthMethods policy`)}
${section(h, "/who-unasked/", echo, `AgentAuthPolicy "${h.path("who.lua")}"\nAgentAuthMethods apikey`)}
${section(h, "/who-guest/", echo, `AgentAuthPolicy "${h.path("who.lua")}"\nAgentAuthOptional On`)}
<VirtualHost 127.0.0.1:${h.ports[1]}>
  ServerName away.test
  AgentAuthRealm gateway.test
  <AgentAuthIssuer https://away.test>
    AgentAuthAudience gateway
    AgentAuthJWKS http://127.0.0.1:1/keys.json
    AgentAuthIdentityPrefix "away:"
  </AgentAuthIssuer>
</VirtualHost>`,
    });
    for (const name of ["alice", "bob"]) {
      await httpd.addUser(name);
      keys[name] = await httpd.addKey(name);
    }
  });
  after(async () => {
    await httpd?.stop();
    echo?.close();
    site?.close();
  });

  /* Who the backend is told; null with the answer when it is not asked. */
  async function who(options) {
    echo.take();
    const answer = await httpd.request(options);
    const seen = echo.take();
    return { answer, identity: seen.length ? seen[0].header("AgentAuth-Identity") : null };
  }

  async function lets(path, headers, identity, name) {
    const got = await who({ path, headers });
    assert.equal(got.answer.status, 200, `${name}: ${got.answer.status} ${got.answer.text}`);
    assert.equal(got.identity, identity, name);
  }

  async function refuses(path, headers, status, code, name) {
    const got = await who({ path, headers });
    refusal(got.answer, status, code, name);
    assert.equal(got.identity, null, "the backend is not asked");
    return got.answer;
  }

  // ------------------------------------------------------------- precedence

  const broken = (key) => key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
  const rows = [
    // name, headers, 200 and who | status and code
    ["a key as bearer", (k) => bearer(k.alice), "alice"],
    ["a key in its header", (k) => xkey(k.alice), "alice"],
    ["the same key in both", (k) => [...bearer(k.alice), ...xkey(k.alice)], "alice"],
    ["scheme in lower case", (k) => ["authorization", `bearer ${k.alice}`], "alice"],
    ["scheme in upper case, blanks", (k) => ["Authorization", `BEARER   ${k.alice}  `], "alice"],
    ["two keys in the two headers", (k) => [...bearer(k.alice), ...xkey(k.bob)], 400, "AGA0102"],
    ["Authorization twice, the same", (k) => [...bearer(k.alice), ...bearer(k.alice)], 400, "AGA0102"],
    ["Authorization twice, different", (k) => [...bearer(k.alice), ...bearer(k.bob)], 400, "AGA0102"],
    ["key header twice", (k) => [...xkey(k.alice), ...xkey(k.alice)], 400, "AGA0102"],
    ["key header: ours and a foreign one", (k) => [...xkey(k.alice), ...xkey("lsv2_x")], 400, "AGA0102"],
    ["joined by a comma", (k) => bearer(`${k.alice},${k.alice}`), 400, "AGA0102"],
    ["joined by a comma in the key header", (k) => xkey(`${k.alice}, ${k.bob}`), 400, "AGA0102"],
    ["a foreign key alone", () => xkey("lsv2_pt_0123"), 401, "AGA0105"],
    ["a foreign key beside a bearer", (k) => [...xkey("lsv2_pt_0123"), ...bearer(k.bob)], "bob"],
    ["a foreign key beside a token", () => [...xkey("x"), ...bearer(issuers.file.token("t"))], "file:t"],
    ["a key beside Basic", (k) => [...xkey(k.alice), ...basic], 400, "AGA0102"],
    ["Basic alone", () => basic, 401, "AGA0104"],
    ["Digest with commas", () => ["Authorization", 'Digest username="a", realm="b"'], 401, "AGA0104"],
    ["nothing", () => [], 401, "AGA0101"],
    ["Authorization empty", () => ["Authorization", ""], 401, "AGA0104"],
    ["a bearer of nothing", () => ["Authorization", "Bearer"], 401, "AGA0104"],
    ["a bearer of blanks", () => ["Authorization", "Bearer    "], 401, "AGA0104"],
    ["a key header of nothing", () => ["X-API-Key", ""], 401, "AGA0105"],
    ["two words", () => ["Authorization", "Bearer a b"], 401, "AGA0104"],
    ["64 kB", () => bearer("a".repeat(65536)), 401, "AGA0104"],
    ["64 kB in the key header", (k) => xkey(k.alice + "a".repeat(65536)), 401, "AGA0104"],
    ["bytes beyond ASCII", () => ["Authorization", "Bearer a\xe9b"], 401, "AGA0104"],
    ["bytes beyond ASCII in the key header", (k) => xkey(`${k.alice}\xff`), 401, "AGA0104"],
    ["a session that is none here", () => bearer("sess_0123456789abcdef"), 401, "AGA0103"],
    ["a wrong checksum", (k) => bearer(broken(k.alice)), 401, "AGA0110"],
    ["a key cut short", (k) => bearer(k.alice.slice(0, -3)), 401, "AGA0110"],
    ["a key with more", (k) => bearer(`${k.alice}x`), 401, "AGA0110"],
    ["another case of the prefix", (k) => bearer(k.alice.replace("sk-", "SK-")), 401, "AGA0104"],
    ["an opaque token", () => bearer("opaque"), 401, "AGA0104"],
    ["four parts", () => bearer("a.b.c.d"), 401, "AGA0104"],
    ["a token of a stranger", () => bearer(stranger.token("x")), 401, "AGA0121"],
  ];
  for (const [name, headers, wanted, code] of rows)
    test(name, async () => {
      if (code) await refuses("/p/x", headers(keys), wanted, code, name);
      else await lets("/p/x", headers(keys), wanted, name);
    });

  test("a credential in the query is none", async () => {
    await refuses(`/p/x?access_token=${keys.alice}&api_key=${keys.alice}`, [], 401, "AGA0101");
    await lets(`/p/x?access_token=${keys.alice}`, bearer(keys.bob), "bob");
  });

  test("a wrong one never falls through to another", async () => {
    for (const wrong of [bearer(broken(keys.alice)), bearer(stranger.token("x")), basic])
      for (const path of ["/p/x", "/guest/x"])
        assert.ok([400, 401].includes((await who({ path, headers: [...wrong, ...xkey(keys.bob)] })).answer.status));
  });

  test("the challenge", async () => {
    const nobody = await refuses("/p/x", [], 401, "AGA0101");
    assert.equal(nobody.header("WWW-Authenticate"), 'Bearer realm="gateway.test"');
    assert.deepEqual(nobody.json, { error: "authentication required" });
    for (const headers of [bearer(broken(keys.alice)), bearer(stranger.token("x")), bearer("opaque")]) {
      const wrong = await refuses("/p/x", headers, 401, (await who({ path: "/p/x", headers })).answer.header("AgentAuth-Error"));
      assert.equal(wrong.header("WWW-Authenticate"), 'Bearer realm="gateway.test", error="invalid_token"');
    }
    const foreign = await refuses("/p/x", xkey("other"), 401, "AGA0105");
    assert.equal(foreign.header("WWW-Authenticate"), 'Bearer realm="gateway.test"');
  });

  test("HEAD, TRACE-like and unknown methods are answered alike", async () => {
    for (const method of ["HEAD", "POST", "DELETE", "PROPFIND", "TRACE", "BREW"]) {
      const answer = await httpd.request({ method, path: "/p/x" });
      assert.equal(answer.status, 401, method);
      assert.equal(answer.header("AgentAuth-Error"), "AGA0101");
      assert.equal(answer.headers("WWW-Authenticate").length, 1);
      if (method === "HEAD") assert.equal(answer.body.length, 0);
    }
    const override = ["X-HTTP-Method-Override", "GET", ...bearer(keys.alice)];
    await who({ method: "POST", path: "/p/x", headers: override });
    assert.equal((await httpd.request({ method: "HEAD", path: "/p/x", headers: bearer(keys.alice) })).status, 200);
  });

  // ---------------------------------------------------------------- methods

  test("AgentAuthMethods limits", async () => {
    await lets("/key/x", bearer(keys.alice), "alice");
    await refuses("/key/x", bearer(issuers.file.token("t")), 401, "AGA0103");
    await lets("/token/x", bearer(issuers.file.token("t")), "file:t");
    await refuses("/token/x", bearer(keys.alice), 401, "AGA0103");
    await refuses("/token/x", xkey(keys.alice), 401, "AGA0103");
    await refuses("/who-alone/x", bearer(keys.alice), 401, "AGA0103");
    await lets("/who-alone/x", ["X-Say", "string"], "zora");
    await refuses("/who-unasked/x", ["X-Say", "string"], 401, "AGA0101");
    await lets("/who-unasked/x", bearer(keys.alice), "alice");
  });

  // ------------------------------------------------------------------- keys

  test("unknown, revoked, expired, disabled: one answer, the same bytes", async () => {
    const made = {};
    for (const name of ["carol", "dave"]) await httpd.addUser(name);
    made.revoked = await httpd.addKey("carol");
    made.disabled = await httpd.addKey("dave");
    made.expired = await httpd.addKey("carol", { expires: "1s" });
    made.unknown = await httpd.addKey("carol");
    for (const key of Object.values(made)) await lets("/p/x", bearer(key), key === made.disabled ? "dave" : "carol");

    const id = (key) => key.slice("sk-agentauth-".length).slice(0, 10);
    await httpd.cliOk("--realm", "gateway.test", "key", "revoke", id(made.revoked));
    await httpd.cliOk("--realm", "gateway.test", "user", "disable", "dave");
    await httpd.cliOk("--realm", "gateway.test", "key", "revoke", id(made.unknown));
    const answers = {};
    await until(
      async () => (answers.expired = (await who({ path: "/p/x", headers: bearer(made.expired) })).answer).status === 401,
      "the key to expire",
    );
    for (const name of Object.keys(made))
      answers[name] = await refuses("/p/x", bearer(made[name]), 401, "AGA0111", name);
    const bytes = (answer) =>
      JSON.stringify([answer.text, answer.rawHeaders.filter(([n]) => !/^date$/i.test(n))]);
    assert.equal(new Set(Object.values(answers).map(bytes)).size, 1, JSON.stringify(Object.values(answers).map(bytes)));
    await httpd.cliOk("--realm", "gateway.test", "user", "enable", "dave");
    await lets("/p/x", bearer(made.disabled), "dave", "enabled again");
  });

  test("a rotated key: both work while they overlap", async () => {
    const realm = ["--realm", "gateway.test"];
    const old = await httpd.addKey("bob");
    const id = old.slice("sk-agentauth-".length).slice(0, 10);
    const fresh = await httpd.cliOk(...realm, "key", "rotate", id, "--overlap", "1s");
    assert.notEqual(fresh, old);
    await lets("/p/x", bearer(fresh), "bob");
    await until(async () => (await who({ path: "/p/x", headers: bearer(old) })).answer.status === 401, "the old one to end");
    await lets("/p/x", bearer(fresh), "bob");
  });

  // ----------------------------------------------------------------- tokens

  const soon = () => Math.floor(Date.now() / 1000);
  test("a token of each issuer", async () => {
    await lets("/p/x", bearer(issuers.file.token("ann")), "file:ann");
    const found = { email: "ann@x.test", email_verified: true };
    await until(async () => (await who({ path: "/p/x", headers: bearer(issuers.url.token("w")) })).answer.status === 200, "keys");
    await lets("/p/x", bearer(issuers.url.token("ann", { realm_access: { roles: ["r"] } })), "url:ann");
    await until(async () => (await who({ path: "/p/x", headers: bearer(issuers.found.token("w", found)) })).answer.status === 200, "keys");
    await lets("/p/x", bearer(issuers.found.token("x", found)), "found:ann@x.test");
    await refuses("/p/x", bearer(issuers.found.token("x", { ...found, email_verified: false })), 401, "AGA0127");
    await refuses("/p/x", bearer(issuers.found.token("x", { email: "a@x.test" })), 401, "AGA0127");
    const user = echo.requests;
    assert.deepEqual(user, []);
  });

  const tokens = [
    ["expired", { exp: soon() - 3600, iat: soon() - 7200 }, {}, "AGA0125"],
    ["without exp", { exp: undefined }, {}, "AGA0125"],
    ["not yet valid", { nbf: soon() + 3600 }, {}, "AGA0125"],
    ["exp as a string", { exp: String(soon() + 600) }, {}, "AGA0125"],
    ["exp beyond all measure", { exp: 1e300 }, {}, "AGA0125"],
    ["for another audience", { aud: "elsewhere" }, {}, "AGA0126"],
    ["for nobody", { aud: undefined }, {}, "AGA0126"],
    ["of another issuer", { iss: "https://file.test/" }, {}, "AGA0121"],
    ["of no issuer", { iss: undefined }, {}, "AGA0121"],
    ["without a name", { sub: undefined }, {}, "AGA0127"],
    ["whose name is a number", { sub: 7 }, {}, "AGA0127"],
    ["alg none", {}, { alg: "none" }, "AGA0122"],
    ["alg HS256", {}, { alg: "HS256" }, "AGA0122"],
    ["an unknown crit", {}, { crit: ["exp"] }, "AGA0120"],
    ["an unknown kid", {}, { kid: "nobody's" }, "AGA0123"],
    ["an ID Token", { nonce: "n", at_hash: "x" }, { typ: "JWT" }, null],
    ["a logout token", {}, { typ: "logout+jwt" }, "AGA0128"],
  ];
  for (const [name, claims, header, code] of tokens)
    test(`a token: ${name}`, async () => {
      const token = issuers.file.token("mallory", claims, header);
      const { answer, identity } = await who({ path: "/p/x", headers: bearer(token) });
      assert.equal(identity, null, `${name}: let in`);
      refusal(answer, 401, code ?? answer.header("AgentAuth-Error"), name);
      assert.match(answer.header("WWW-Authenticate"), /error="invalid_token"$/);
    });

  test("a token: altered anywhere", async () => {
    const token = issuers.file.token("ann");
    for (const at of [0, 1, 2]) {
      const parts = token.split(".");
      const middle = Math.floor(parts[at].length / 2);
      const other = parts[at][middle] === "A" ? "B" : "A";
      parts[at] = parts[at].slice(0, middle) + other + parts[at].slice(middle + 1);
      const { answer, identity } = await who({ path: "/p/x", headers: bearer(parts.join(".")) });
      assert.equal(identity, null);
      assert.equal(answer.status, 401);
    }
    await lets("/p/x", bearer(token), "file:ann", "its twin");
  });

  test("an unknown kid from many: at most one fetch by all processes", async () => {
    const before = site.hits["/named.json"];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        httpd.request({ path: "/p/x", headers: bearer(issuers.url.token("ann", {}, { kid: `k${i}` })) })),
    );
    for (const answer of answers) refusal(answer, 401, "AGA0123");
    assert.ok(site.hits["/named.json"] - before <= 1, `${site.hits["/named.json"] - before} fetches`);
    await lets("/p/x", bearer(issuers.url.token("ann")), "url:ann", "its twin");
  });

  test("a key file that is changed is read again", async () => {
    const next = makeIssuer("https://file.test", "gateway");
    await refuses("/p/x", bearer(next.token("new")), 401, "AGA0123");
    await httpd.write("keys.json", JSON.stringify({ keys: [next.key.jwk, issuers.file.key.jwk] }));
    await until(async () => (await who({ path: "/p/x", headers: bearer(next.token("new")) })).answer.status === 200, "the new key");
    await lets("/p/x", bearer(issuers.file.token("ann")), "file:ann", "the old one is still in it");
  });

  test("an issuer that is away: 503, told when to come again; keys still count", async () => {
    const away = makeIssuer("https://away.test", "gateway");
    const port = httpd.ports[1];
    const { answer } = await who({ port, path: "/p/x", headers: bearer(away.token("x")) });
    refusal(answer, 503, "AGA0129");
    assert.match(answer.header("Retry-After"), /^[1-9]\d*$/);
    const twin = await who({ port, path: "/p/x", headers: bearer(keys.alice) });
    assert.equal(twin.identity, "alice");
  });

  // ---------------------------------------------------- the policy's own word

  test("authenticate: what it may say", async () => {
    await lets("/who/x", ["X-Say", "string"], "zora");
    await lets("/who/x", bearer("opaque-1"), "opaque");
    echo.take();
    await httpd.request({ path: "/who/x", headers: ["X-Say", "table"] });
    const user = JSON.parse(echo.take()[0].header("AgentAuth-User"));
    assert.deepEqual(user.permissions, ["p1", "p2"]);
    assert.equal(user.identity, "tina");
    await refuses("/who/x", [], 401, "AGA0101", "nil");
    await refuses("/who/x", basic, 401, "AGA0104", "nil for a scheme that is not ours");
    await lets("/who/x", bearer(keys.alice), "alice", "nil for somebody verified");
  });

  test("authenticate: a wrong key or token is not its business", async () => {
    await refuses("/who/x", [...bearer(broken(keys.alice)), "X-Say", "string"], 401, "AGA0110");
    await refuses("/who/x", [...bearer("a.b.c"), "X-Say", "string"], 401, "AGA0120");
    await refuses("/who/x", [...bearer(keys.alice), ...bearer(keys.alice), "X-Say", "string"], 400, "AGA0102");
  });

  test("authenticate: HTTPException with its headers", async () => {
    const paid = await refuses("/who/x", ["X-Say", "402"], 402, "AGA0130");
    assert.deepEqual(paid.json.detail, "pay first");
    assert.equal(paid.header("X-Quota"), "0");
    assert.deepEqual(paid.headers("Retry-After"), ["7"]);
    const badge = await refuses("/who/x", ["X-Say", "401"], 401, "AGA0130");
    assert.equal(badge.header("WWW-Authenticate"), 'Badge realm="x"');
    const known = await refuses("/who/x", [...bearer(keys.alice), "X-Say", "refuse-known"], 403, "AGA0130");
    assert.equal(known.json.detail, "not you");
  });

  test("authenticate: mistakes let nobody in, not even as guest", async () => {
    for (const path of ["/who/x", "/who-guest/x"]) {
      const error = await refuses(path, ["X-Say", "error"], 500, "AGA0204");
      assert.ok(!error.text.includes("swordfish"));
      await refuses(path, ["X-Say", "loop"], 500, "AGA0205");
      for (const say of ["number", "nameless", "empty", "guest"])
        await refuses(path, ["X-Say", say], 500, "AGA0206", say);
    }
  });

  test("is_authenticated false is 401", async () => {
    await refuses("/who/x", ["X-Say", "not-authenticated"], 401, "AGA0208");
    await lets("/who/x", ["X-Say", "string"], "zora");
  });

  // --------------------------------------------------------- guests and all

  test("AgentAuthOptional: nobody is the guest, a wrong credential is not", async () => {
    await lets("/guest/x", [], "guest");
    await lets("/guest/x", bearer(keys.alice), "alice");
    await refuses("/guest/x", bearer(broken(keys.alice)), 401, "AGA0110");
    await refuses("/guest/x", xkey("other"), 401, "AGA0105");
    await refuses("/guest/x", basic, 401, "AGA0104");
    await lets("/who-guest/x", [], "guest");
    await lets("/who-guest/x", ["X-Say", "string"], "zora");
    await refuses("/who-guest/x", ["X-Say", "402"], 402, "AGA0130");
  });

  test("a reserved name is nobody's", async () => {
    for (const name of ["guest", "anonymous"]) {
      const { code } = await httpd.cli("--realm", "gateway.test", "user", "create", name);
      assert.notEqual(code, 0, name);
    }
  });

  test("AgentAuthOpenAccess: everybody is anonymous", async () => {
    await lets("/open/x", [], "anonymous");
    await lets("/open/x", bearer(keys.alice), "anonymous");
    await lets("/open/x", bearer("rubbish"), "anonymous");
    assert.match(await httpd.errorLog(), /AGA0914/);
    await refuses("/p/x", [], 401, "AGA0101", "its twin");
  });

  // ------------------------------------------------------------------- logs

  test("no secret in the log, whatever the level", async () => {
    const token = issuers.file.token("ann");
    const bad = `${token.slice(0, -4)}AAAA`;
    for (const path of ["/p/x", "/token/x", "/who/x"])
      for (const value of [token, bad, keys.alice, broken(keys.alice), keys.bob])
        await who({ path, headers: bearer(value) });
    const log = await httpd.errorLog();
    for (const secret of [token, bad, ...Object.values(keys), broken(keys.alice)])
      for (const part of [secret, secret.slice(-30), secret.slice(20, 50)])
        assert.ok(!log.includes(part), `the log has ${part}`);
    assert.match(log, /AGA0110/);
  });

  test("what a client says does not break a line", async () => {
    const token = issuers.file.token("ann", {}, { kid: "x\n[agentauth:error] AGA0000 forged \u001b[31m" });
    await refuses("/p/x", bearer(token), 401, "AGA0123");
    await httpd.request({ path: "/p/%0a[agentauth:error]%20AGA0001%1b[0m" });
    const log = await httpd.errorLog();
    assert.doesNotMatch(log, /^\[agentauth:error\]/m);
    assert.ok(!log.includes("\u001b"));
    assert.match(log, /\\n\[agentauth:error\] AGA0000/);
  });
});

test("AuthType alone starts nothing, and lets nobody in", async () => {
  const echo = await startEcho();
  const httpd = await startHttpd({
    module: false,
    modules: ["proxy", "proxy_http"],
    config: `LoadModule agentauth_module "${MODULE}"
<Location "/p/">
  AuthType AgentAuth
  Require valid-user
  ProxyPass ${echo.url}/p/
</Location>`,
  });
  try {
    for (const headers of [[], bearer("x"), xkey("sk-agentauth-0123456789"), ["A", "1", "B", "2"]]) {
      refusal(await httpd.request({ path: "/p/x", headers }), 503, "AGA0503");
      assert.equal(echo.take().length, 0);
    }
    await httpd.logged(/AgentAuthStateDir/);
  } finally {
    await httpd.stop();
    echo.close();
  }
});

// ----------------------------------------------------------------- every child

for (const mpm of ["event", "worker", "prefork"])
  describe(`all processes of ${mpm}`, () => {
    let httpd, echo;
    before(async () => {
      echo = await startEcho();
      httpd = await startHttpd({
        mpm,
        modules: ["proxy", "proxy_http", "log_config"],
        prepare: (h) => h.write("all.lua", ALL),
        config: (h) => `LogFormat %P process
CustomLog "${h.path("log/processes")}" process
${section(h, "/p/", echo)}`,
      });
    });
    after(async () => {
      await httpd?.stop();
      echo?.close();
    });

    /* So many at once that several processes serve them. */
    const ask = async (key) =>
      (await Promise.all(
        Array.from({ length: 30 }, () => httpd.request({ path: "/p/x", headers: bearer(key) })),
      )).map((answer) => answer.status);
    const all = (statuses, wanted) => assert.deepEqual([...new Set(statuses)], [wanted]);
    const id = (key) => key.slice("sk-agentauth-".length).slice(0, 10);

    test("revoked, disabled, enabled and deleted are seen at once", async () => {
      await httpd.addUser("ann");
      const [one, two] = [await httpd.addKey("ann"), await httpd.addKey("ann")];
      all(await ask(one), 200);
      all(await ask(two), 200);
      await httpd.cliOk("key", "revoke", id(one));
      all(await ask(one), 401);
      all(await ask(two), 200);
      await httpd.cliOk("user", "disable", "ann");
      all(await ask(two), 401);
      await httpd.cliOk("user", "enable", "ann");
      all(await ask(two), 200);
      all(await ask(one), 401);
      const three = await httpd.cliOk("key", "rotate", id(two), "--overlap", "1h");
      all(await ask(two), 200);
      await httpd.cliOk("key", "revoke", id(two));
      all(await ask(two), 401);
      all(await ask(three), 200);
      await httpd.cliOk("user", "delete", "ann");
      all(await ask(three), 401);
      const served = new Set((await readFile(httpd.path("log/processes"), "utf8")).split("\n"));
      assert.ok(served.size > 2, "one process served it all");
    });

    test("a key that comes to life is seen at once, too", async () => {
      await httpd.addUser("ben");
      for (let i = 0; i < 3; i++) {
        const key = await httpd.addKey("ben");
        all(await ask(key), 200);
        await httpd.cliOk("key", "revoke", id(key));
        all(await ask(key), 401);
      }
    });
  });

// ------------------------------------------------------------------- rotation

test("an issuer's new key is found, by one fetch in the interval", async () => {
  const echo = await startEcho();
  const site = await startSite();
  const [old, next] = [makeIssuer("https://url.test", "gateway"), makeIssuer("https://url.test", "gateway")];
  site.keys = [old.key.jwk];
  const httpd = await startHttpd({
    modules: ["proxy", "proxy_http"],
    prepare: (h) => h.write("all.lua", ALL),
    config: (h) => `<AgentAuthIssuer https://url.test>
  AgentAuthAudience gateway
  AgentAuthJWKS ${site.url}/named.json
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>
${section(h, "/p/", echo)}`,
  });
  try {
    const get = (issuer) => httpd.request({ path: "/p/x", headers: bearer(issuer.token("ann")) });
    await until(async () => (await get(old)).status === 200, "the first keys");
    const first = site.hits["/named.json"];
    assert.equal(first, 1, "one fetch serves all processes");
    site.keys = [next.key.jwk, makeKey("another").jwk];
    const end = Date.now() + 90_000; // the interval is a minute
    let tries = 0;
    while ((await get(next)).status !== 200) {
      assert.ok(Date.now() < end, "the new key is not found");
      tries++;
      await later(500);
    }
    assert.ok(tries > 0, "within the interval nothing is fetched");
    assert.equal(site.hits["/named.json"], first + 1);
    const many = await Promise.all(Array.from({ length: 40 }, () => get(next)));
    assert.deepEqual([...new Set(many.map((one) => one.status))], [200]);
    assert.equal(site.hits["/named.json"], first + 1);
  } finally {
    await httpd.stop();
    site.close();
    echo.close();
  }
});
