// SPDX-License-Identifier: Apache-2.0
// What browsers do by themselves, our own endpoints, Require, and what the
// administrator can look at afterwards.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd, until } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";

/* Somebody is who the cookie says; everything is permitted but "no". */
const POLICY = `local auth = require "agentauth"
auth.authenticate(function(req)
  local cookie = req.headers["cookie"]
  if cookie and cookie:contains("who=carla") then return "carla" end
  return nil
end)
auth.on(function(ctx, value)
  if value.path:contains("no") then return false end
  if value.path:contains("mine") then return { owner = ctx.user.identity } end
  return true
end)
`;

const section = (httpd, path, echo, more = "") => `<Location "${path}">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("policy.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
  ProxyPass ${echo.url}${path}
  ${more}
</Location>`;

const require = (path, echo, rules) => `<Location "${path}">
  AuthType AgentAuth
  ${rules}
  ProxyPass ${echo.url}${path}
</Location>`;

const LISTED = "https://app.test";
let httpd, echo, key, issuer;

before(async () => {
  echo = await startEcho();
  issuer = makeIssuer("https://issuer.test", "gateway");
  httpd = await startHttpd({
    ports: 3,
    modules: ["proxy", "proxy_http", "proxy_wstunnel", "status", "authz_host", "http2", "dir", "alias"],
    async prepare(h) {
      await h.write("policy.lua", POLICY);
      await h.write("issuer.json", issuer.jwks);
      await h.write("htdocs/sorry.html", "<h1>sorry</h1>");
      await h.write("pipe.sh", `#!/bin/sh\nexec cat >> "${h.path("log/piped.json")}"\n`, 0o755);
    },
    config: (h) => `Protocols h2c http/1.1
AgentAuthDecisionLog "${h.path("log/decisions.json")}"
ExtendedStatus On
<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience gateway
  AgentAuthJWKS "${h.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>
${section(h, "/p/", echo, `AgentAuthCORSOrigin ${LISTED} https://other.test:8443\nAgentAuthOrigin https://pages.test`)}
${section(h, "/closed/", echo)}
${section(h, "/any/", echo, "AgentAuthCORSOrigin *\nAgentAuthOrigin *")}
${section(h, "/page/", echo, "ErrorDocument 403 /sorry.html")}
${section(h, "/open/", echo, "AgentAuthOpenAccess On")}
<Location "/ws/">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${h.path("policy.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
  AgentAuthOrigin https://pages.test
  ProxyPass ${echo.url}/ws/ upgrade=websocket
</Location>
<Location "/plain/">
  ProxyPass ${echo.url}/plain/
</Location>
ProxyPass "/server-status" !
<Location "/server-status">
  SetHandler server-status
</Location>
${require("/r/perm/", echo, "Require agentauth-permission write admin")}
${require("/r/claim/", echo, "Require agentauth-claim org:acme level:3 vip:true groups:g1 deep.er:x")}
${require("/r/scope/", echo, "Require agentauth-scope repo:read repo:all")}
${require("/r/user/", echo, "Require user alice")}
${require("/r/all/", echo, "<RequireAll>\nRequire agentauth-permission write\nRequire not agentauth-claim banned:true\n</RequireAll>")}
${require("/r/ip/", echo, "<RequireAny>\nRequire ip 127.0.0.1\nRequire agentauth-permission write\n</RequireAny>")}
${require("/r/noip/", echo, "<RequireAny>\nRequire ip 10.9.9.9\nRequire agentauth-permission write\n</RequireAny>")}
${require("/r/none/", echo, "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire agentauth-permission banned\n</RequireNone>\n</RequireAll>")}
${require("/r/granted/", echo, "Require all granted")}
${require("/r/denied/", echo, "Require all denied")}
${require("/r/perm/open/", echo, "Require valid-user")}
${require("/r/perm/and/", echo, "AuthMerging And\nRequire agentauth-permission admin")}
<VirtualHost 127.0.0.1:${h.ports[0]}>
  ServerName gateway.test
  ProxyPass "/.well-known/" "${echo.url}/.well-known/"
  ProxyPass "/auth" "${echo.url}/auth"
  ProxyPass "/authors" "${echo.url}/authors"
  ProxyPass "/AUTH" "${echo.url}/AUTH"
  ProxyPass "/other" "${echo.url}/other"
</VirtualHost>
<VirtualHost 127.0.0.1:${h.ports[1]}>
  ServerName piped.test
  AgentAuthOpenAccess On
  AgentAuthRealm gateway.test
  AgentAuthDecisionLog "|${h.path("pipe.sh")}"
</VirtualHost>
# All of it is protected, and the endpoints stand somewhere else.
<VirtualHost 127.0.0.1:${h.ports[2]}>
  ServerName gateway.test
  AgentAuthPath /gate/x
  ProxyPass "/" "${echo.url}/"
  <Location "/">
    AuthType AgentAuth
    Require valid-user
    AgentAuthPolicy "${h.path("policy.lua")}"
    AgentAuthRoutes none
    AgentAuthEnforce headers
    AgentAuthPassAs assertion
    AgentAuthAssertionAudience backend
  </Location>
</VirtualHost>`,
  });
  await httpd.addUser("alice", { permissions: ["read"] });
  key = await httpd.addKey("alice");
});
after(async () => {
  await httpd?.stop();
  echo?.close();
});

const bearer = (value = key) => ["Authorization", `Bearer ${value}`];
const carla = ["Cookie", "x=1; who=carla"];

async function ask(options) {
  echo.take();
  const answer = await httpd.request(options);
  return { answer, seen: echo.take() };
}
async function refused(options, status, code) {
  const { answer, seen } = await ask(options);
  assert.equal(answer.status, status, `${JSON.stringify(options)}: ${answer.status} ${answer.text}`);
  if (code) assert.equal(answer.header("AgentAuth-Error"), code, JSON.stringify(options));
  assert.equal(seen.length, 0, "the backend is not asked");
  return answer;
}
async function passed(options, status = 200) {
  const { answer, seen } = await ask(options);
  assert.equal(answer.status, status, `${JSON.stringify(options)}: ${answer.status} ${answer.text}`);
  assert.equal(seen.length, 1, "the backend is asked once");
  return { answer, seen: seen[0] };
}

// ----------------------------------------------------------------------- CORS

describe("preflights", () => {
  const preflight = (origin, more = []) => ["Origin", origin, "Access-Control-Request-Method", "PATCH", ...more];
  const options = (path, headers) => ({ method: "OPTIONS", path, headers });

  test("of a listed origin are answered, by us", async () => {
    for (const origin of [LISTED, "HTTPS://App.Test", "https://app.test:443", "https://other.test:8443"]) {
      const headers = preflight(origin, ["Access-Control-Request-Headers", "content-type, x-api-key"]);
      const answer = await refused(options("/p/x", headers), 204);
      assert.equal(answer.header("Access-Control-Allow-Origin"), origin);
      assert.equal(answer.header("Access-Control-Allow-Credentials"), "true");
      assert.equal(answer.header("Access-Control-Allow-Methods"), "PATCH");
      assert.equal(answer.header("Access-Control-Allow-Headers"), "content-type, x-api-key");
      assert.match(answer.header("Vary"), /Origin/);
      assert.equal(answer.body.length, 0);
    }
  });

  test("of another origin are refused", async () => {
    for (const origin of [
      "https://evil.test", "http://app.test", "https://app.test.evil.test", "https://app.test:8443", "null",
      "https://xapp.test", "https://app.test/", "https://other.test", "",
    ]) {
      const answer = await refused(options("/p/x", preflight(origin)), 403, "AGA0311");
      assert.equal(answer.header("Access-Control-Allow-Origin"), null, origin);
    }
  });

  test("where no origin is listed none is answered", async () => {
    await refused(options("/closed/x", preflight(LISTED)), 403, "AGA0311");
  });

  test("with * there are no cookies", async () => {
    const answer = await refused(options("/any/x", preflight("https://evil.test")), 204);
    assert.equal(answer.header("Access-Control-Allow-Origin"), "*");
    assert.equal(answer.header("Access-Control-Allow-Credentials"), null);
  });

  test("what is echoed is words", async () => {
    const more = ["Access-Control-Request-Headers", "x-a\tb\"<script>"];
    const answer = await refused(options("/p/x", preflight(LISTED, more)), 204);
    assert.equal(answer.header("Access-Control-Allow-Headers"), null);
  });

  test("with a credential they are preflights all the same", async () => {
    await refused(options("/p/x", [...preflight(LISTED), ...bearer()]), 204);
    await refused(options("/p/x", [...preflight("https://evil.test"), ...bearer()]), 403, "AGA0311");
  });

  test("HTTP/2", async () => {
    echo.take();
    const answer = await httpd.h2({
      method: "OPTIONS", path: "/p/x", headers: { origin: LISTED, "access-control-request-method": "GET" },
    });
    assert.equal(answer.status, 204);
    assert.equal(answer.header("access-control-allow-origin"), LISTED);
    assert.equal(echo.take().length, 0);
  });

  test("every other OPTIONS is decided like any request", async () => {
    await refused(options("/p/x", []), 401, "AGA0101");
    await refused(options("/p/x", ["Origin", LISTED]), 401, "AGA0101");
    await refused(options("/p/x", ["Access-Control-Request-Method", "GET"]), 401, "AGA0101");
    await refused(options("/p/no", bearer()), 403, "AGA0201");
    assert.equal((await passed(options("/p/x", bearer()))).seen.method, "OPTIONS");
  });

  test("elsewhere they go to the backend", async () => {
    await passed(options("/plain/x", preflight("https://evil.test")));
  });

  test("another method is no preflight", async () => {
    await refused({ method: "POST", path: "/p/x", headers: preflight(LISTED) }, 401, "AGA0101");
  });
});

describe("our errors for a page of another origin", () => {
  const from = (origin, ...more) => ["Origin", origin, ...more.flat()];
  test("can be read by a listed one", async () => {
    for (const [path, headers, status] of [
      ["/p/x", [], 401], ["/p/no", bearer(), 403], ["/p/x", bearer("sess_x"), 401],
    ]) {
      const answer = await refused({ path, headers: from(LISTED, headers) }, status);
      assert.deepEqual(answer.headers("Access-Control-Allow-Origin"), [LISTED]);
      assert.equal(answer.header("Access-Control-Allow-Credentials"), "true");
      assert.match(answer.header("Access-Control-Expose-Headers"), /AgentAuth-Error/);
      assert.match(answer.header("Vary"), /Origin/);
      const other = await refused({ path, headers: from("https://evil.test", headers) }, status);
      assert.equal(other.header("Access-Control-Allow-Origin"), null);
      const none = await refused({ path, headers }, status);
      assert.equal(none.header("Access-Control-Allow-Origin"), null);
    }
  });
  test("with * by any, without credentials", async () => {
    const answer = await refused({ path: "/any/x", headers: from("https://evil.test") }, 401);
    assert.equal(answer.header("Access-Control-Allow-Origin"), "*");
    assert.equal(answer.header("Access-Control-Allow-Credentials"), null);
  });
  test("a backend's own answer keeps its own headers", async () => {
    const { answer } = await passed({ path: "/p/x", headers: from(LISTED, bearer()) });
    assert.equal(answer.header("Access-Control-Allow-Origin"), null);
  });
});

// ------------------------------------------------------------------- websocket

describe("a WebSocket", () => {
  const upgrade = (...more) => [
    "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
    "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", ...more.flat(),
  ];
  const own = () => `http://127.0.0.1:${httpd.port}`;
  async function arrives(headers) {
    echo.upgrades.splice(0);
    const { answer } = await ask({ path: "/ws/x", headers });
    assert.notEqual(answer.header("AgentAuth-Error"), "AGA0310");
    assert.equal(echo.upgrades.length, 1, `${answer.status} ${answer.text}`);
    return echo.upgrades[0];
  }

  test("from our own origin, a listed one, and without", async () => {
    for (const origin of [own(), "https://pages.test", "https://PAGES.test:443"]) {
      const seen = await arrives(upgrade("Origin", origin, bearer()));
      assert.equal(seen.header("AgentAuth-Identity"), "alice");
      assert.equal(seen.header("AgentAuth-Filter"), "true");
      assert.equal(seen.header("Authorization"), null);
    }
    await arrives(upgrade(bearer()));
    await arrives(upgrade(carla));
  });

  test("from another origin: 401 for nobody, 403 for somebody", async () => {
    for (const origin of ["https://evil.test", "null", "http://pages.test", LISTED, `${own()}0`, ""]) {
      echo.upgrades.splice(0);
      await refused({ path: "/ws/x", headers: upgrade("Origin", origin) }, 401, "AGA0101");
      for (const who of [bearer(), carla])
        await refused({ path: "/ws/x", headers: upgrade("Origin", origin, who) }, 403, "AGA0310");
      assert.equal(echo.upgrades.length, 0);
    }
  });

  test("another spelling of the word is one, too", async () => {
    for (const word of ["WebSocket", "h2c, websocket"]) {
      const headers = ["Connection", "upgrade", "Upgrade", word, "Origin", "https://evil.test", ...bearer()];
      await refused({ path: "/p/x", headers }, 403, "AGA0310");
    }
  });

  test("with * any may", async () => {
    for (const origin of ["https://evil.test", "null"]) {
      const { answer } = await ask({ path: "/any/x", headers: upgrade("Origin", origin, bearer()) });
      assert.equal(answer.header("AgentAuth-Error"), null);
    }
  });

  test("the decision is asked as for any request", async () => {
    echo.upgrades.splice(0);
    await refused({ path: "/ws/no", headers: upgrade("Origin", own(), bearer()) }, 403, "AGA0201");
    assert.equal(echo.upgrades.length, 0);
  });
});

// ---------------------------------------------------------- writes by a cookie

describe("a write with a cookie", () => {
  const rows = [
    ["from no browser", [], true],
    ["Sec-Fetch-Site same-origin", ["Sec-Fetch-Site", "same-origin"], true],
    ["Sec-Fetch-Site none", ["Sec-Fetch-Site", "none"], true],
    ["Sec-Fetch-Site same-site", ["Sec-Fetch-Site", "same-site"], false],
    ["Sec-Fetch-Site cross-site", ["Sec-Fetch-Site", "cross-site"], false],
    ["Sec-Fetch-Site of no meaning", ["Sec-Fetch-Site", "SAME-ORIGIN-ish"], false],
    ["our own origin", () => ["Origin", `http://127.0.0.1:${httpd.port}`], true],
    ["a listed origin, cross-site", ["Origin", "https://pages.test", "Sec-Fetch-Site", "cross-site"], true],
    ["a foreign origin", ["Origin", "https://evil.test"], false],
    ["an origin of CORS alone", ["Origin", LISTED], false],
    ["Origin null", ["Origin", "null"], false],
    ["our origin of another scheme", () => ["Origin", `https://127.0.0.1:${httpd.port}`], false],
  ];
  for (const [name, more, good] of rows)
    test(name, async () => {
      const headers = [...carla, ...(typeof more === "function" ? more() : more)];
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
        if (good) assert.equal((await passed({ method, path: "/p/x", headers })).seen.header("AgentAuth-Identity"), "carla");
        else await refused({ method, path: "/p/x", headers }, 403, "AGA0310");
      for (const method of ["GET", "HEAD", "OPTIONS"]) await passed({ method, path: "/p/x", headers });
    });

  test("other credentials are sent on purpose", async () => {
    const foreign = ["Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site", "Cookie", "x=1"];
    await passed({ method: "POST", path: "/p/x", headers: [...foreign, ...bearer()] });
    await passed({ method: "POST", path: "/p/x", headers: [...foreign, "X-API-Key", key] });
    await refused({ method: "POST", path: "/p/x", headers: foreign }, 401, "AGA0101");
  });
});

// ----------------------------------------------------------------- navigations

test("a browser is told 401 as long as there is nothing to log in at", async () => {
  const headers = ["Sec-Fetch-Mode", "navigate", "Accept", "text/html"];
  const answer = await refused({ path: "/p/x", headers }, 401, "AGA0101");
  assert.equal(answer.header("Location"), null);
});

// ------------------------------------------------------------------- endpoints

describe("our endpoints", () => {
  const KEYS = "/.well-known/agentauth/jwks.json";
  const ports = () => [httpd.ports[0], httpd.ports[2]];

  test("answer everybody at their exact path, on every virtual host", async () => {
    for (const port of ports()) {
      const answer = await refused({ port, path: KEYS }, 200);
      assert.ok(Array.isArray(answer.json.keys));
      assert.ok(answer.json.keys.length > 0);
      for (const one of answer.json.keys) assert.equal(one.d, undefined, "no private part");
      await refused({ port, path: `${KEYS}?x=1` }, 200);
      const head = await refused({ port, path: KEYS, method: "HEAD" }, 200);
      assert.equal(head.body.length, 0);
      await refused({ port, path: KEYS, headers: bearer("rubbish") }, 200);
      const post = await refused({ port, path: KEYS, method: "POST", body: "x", headers: ["Content-Type", "text/plain"] }, 405, "AGA0602");
      assert.match(post.header("Allow"), /GET/);
      await refused({ port, path: KEYS, method: "DELETE" }, 405, "AGA0602");
    }
  });

  const SPELLINGS = [
    "/%2ewell-known/agentauth/jwks.json", "/.well-known/agentauth/jwks%2ejson", "//.well-known/agentauth/jwks.json",
    "/.well-known//agentauth/jwks.json", "/./.well-known/agentauth/jwks.json", "/.well-known/agentauth/./jwks.json",
    "/x/../.well-known/agentauth/jwks.json", "/.well-known/agentauth/jwks.json/", "/.well-known/agentauth/jwks.json/x",
    "/.well-known/agentauth/", "/.well-known/agentauth/x", "/.well-known/agentauth/JWKS.json",
    "/.well-known/agentauth/jwks.json%3fx", "/.well-known/agentauth/jwks.json;x=1", "/.well-known/agentauth/jwks",
    "/.well-known/agentauth/jwks.json%20", "/.well-known/agentauth%2fjwks.json",
  ];
  for (const path of SPELLINGS)
    test(`${path} is none`, async () => {
      const first = await refused({ path }, 404);
      assert.ok(!first.text.includes('"keys"'));
      for (const headers of [[], bearer()]) {
        const second = await ask({ port: httpd.ports[2], path, headers });
        assert.ok([400, 401, 404].includes(second.answer.status), `${path}: ${second.answer.status}`);
        assert.ok(!second.answer.text.includes('"keys"'));
        assert.equal(second.seen.length, 0, "never proxied");
      }
    });

  for (const path of [
    "/auth", "/auth/", "/auth/x", "/auth/login", "/%61uth/x", "//auth/x", "/./auth/x", "/x/../auth/x", "/auth//x",
    "/auth/x;y", "/auth/%2e/x", "/auth/x?y=/p/x",
  ])
    test(`${path} is ours, and nothing is there`, async () => {
      for (const headers of [[], bearer()]) {
        const answer = await refused({ path, headers }, 404, "AGA0601");
        assert.deepEqual(answer.json, { error: "not found" });
      }
      echo.take();
      const http2 = await httpd.h2({ path });
      assert.equal(http2.status, 404);
      assert.equal(echo.take().length, 0);
    });

  test("what only begins like it is not ours", async () => {
    await passed({ path: "/AUTH/x" });
    await passed({ path: "/authors" });
    await passed({ path: "/other/auth/x" });
    await passed({ path: "/.well-known/agentauthx" });
  });

  test("AgentAuthPath moves them", async () => {
    const port = httpd.ports[2];
    await refused({ port, path: "/gate/x/y", headers: bearer() }, 404, "AGA0601");
    await refused({ port, path: "/gate/x", headers: bearer() }, 404, "AGA0601");
    await refused({ port, path: "/gate/x/y" }, 401, "AGA0101");
    await passed({ port, path: "/auth/x", headers: bearer() });
    await passed({ port, path: "/gate/xy", headers: bearer() });
  });
});

// --------------------------------------------------------------------- Require

describe("Require", () => {
  const token = (claims) => bearer(issuer.token("tess", claims));
  async function lets(path, headers) {
    const { answer } = await passed({ path, headers });
    return answer;
  }
  async function knows(path, headers) {
    const answer = await refused({ path, headers }, 403, "AGA0603");
    assert.deepEqual(answer.headers("WWW-Authenticate"), []);
    assert.deepEqual(answer.json, { error: "forbidden" });
    assert.equal(answer.header("Cache-Control"), "no-store");
  }

  test("agentauth-permission", async () => {
    await lets("/r/perm/x", token({ permissions: ["read", "write"] }));
    await lets("/r/perm/x", token({ permissions: "read admin" }));
    for (const permissions of [["read"], [], ["writer"], ["Write"], ["write admin"]])
      await knows("/r/perm/x", token({ permissions }));
    await knows("/r/perm/x", bearer());
    await refused({ path: "/r/perm/x" }, 401, "AGA0101");
    await refused({ path: "/r/perm/x", headers: token({ permissions: [1] }) }, 401, "AGA0127");
  });

  test("agentauth-claim", async () => {
    for (const claims of [
      { org: "acme" }, { org: ["other", "acme"] }, { level: 3 }, { vip: true }, { groups: ["g1"] }, { deep: { er: "x" } },
    ])
      await lets("/r/claim/x", token(claims));
    for (const claims of [
      { org: "acme2" }, { org: "ACME" }, { org: { acme: 1 } }, { org: null }, { level: 4 }, { level: "x3" },
      { vip: false }, { deep: "x" }, { groups: "g10" }, {},
    ])
      await knows("/r/claim/x", token(claims));
    await refused({ path: "/r/claim/x" }, 401, "AGA0101");
  });

  test("agentauth-scope", async () => {
    for (const claims of [{ scope: "repo:read" }, { scope: "a repo:all b" }, { scp: ["repo:read"] }, { scp: "x repo:read" }])
      await lets("/r/scope/x", token(claims));
    for (const claims of [{ scope: "repo:reader" }, { scope: "xrepo:read" }, { scope: "repo:" }, { scope: "" }, {}])
      await knows("/r/scope/x", token(claims));
  });

  test("user, all granted, all denied", async () => {
    await lets("/r/user/x", bearer());
    await knows("/r/user/x", token({}));
    await lets("/r/granted/x", bearer());
    await refused({ path: "/r/granted/x" }, 401, "AGA0101");
    await refused({ path: "/r/denied/x", headers: bearer() }, 403);
    await refused({ path: "/r/denied/x" }, 403);
  });

  test("not and RequireNone never let nobody in", async () => {
    await lets("/r/all/x", token({ permissions: ["write"] }));
    await knows("/r/all/x", token({ permissions: ["write"], banned: true }));
    await knows("/r/all/x", token({}));
    await refused({ path: "/r/all/x" }, 401, "AGA0101");
    await lets("/r/none/x", token({ permissions: ["read"] }));
    await knows("/r/none/x", token({ permissions: ["banned"] }));
    await refused({ path: "/r/none/x" }, 401, "AGA0101");
  });

  test("an address is nobody's identity", async () => {
    await refused({ path: "/r/ip/x" }, 401, "AGA0101");
    await lets("/r/ip/x", bearer());
    await lets("/r/noip/x", token({ permissions: ["write"] }));
    await knows("/r/noip/x", bearer());
    await refused({ path: "/r/noip/x" }, 401, "AGA0101");
  });

  test("a section inside replaces, or is merged with And", async () => {
    await lets("/r/perm/open/x", bearer());
    await refused({ path: "/r/perm/open/x" }, 401, "AGA0101");
    await lets("/r/perm/and/x", token({ permissions: ["admin"] }));
    await knows("/r/perm/and/x", token({ permissions: ["write"] }));
  });
});

// ------------------------------------------------------------- looking at it

describe("the decision log", () => {
  const lines = async (name) =>
    (await readFile(httpd.path(`log/${name}.json`), "utf8").catch(() => ""))
      .split("\n").filter(Boolean).map((line) => JSON.parse(line));
  let n = 0;
  /* What is written of one request. */
  async function line(options, name = "decisions") {
    const mark = `m${process.pid}-${n++}`;
    const at = options.path.includes("?") ? options.path : `${options.path}/${mark}`;
    const answer = await httpd.request({ ...options, path: at });
    const found = await until(async () => (await lines(name)).find((one) => one.path.endsWith(mark)), "the line");
    return { answer, line: found };
  }

  test("allowed, filtered, denied, nobody", async () => {
    const allowed = await line({ path: "/p/x", headers: bearer() });
    assert.equal(allowed.line.effect, "allow");
    assert.equal(allowed.line.user, "alice");
    assert.equal(allowed.line.by, "apikey");
    assert.equal(allowed.line.credential, key.slice("sk-agentauth-".length).slice(0, 10));
    assert.deepEqual(allowed.line.events, ["http:get"]);
    assert.equal(allowed.line.status, 200);
    assert.equal(allowed.line.client, "127.0.0.1");
    assert.equal(allowed.line.id, allowed.answer.header("AgentAuth-Decision-Id"));
    assert.match(allowed.line.policy, /^[0-9a-f]{16}/);

    const filtered = await line({ path: "/p/mine", headers: bearer() });
    assert.equal(filtered.line.effect, "filter");
    assert.deepEqual(filtered.line.filter, { owner: "alice" });

    const denied = await line({ path: "/p/no", headers: bearer() });
    assert.equal(denied.line.effect, "deny");
    assert.equal(denied.line.status, 403);
    assert.equal(denied.line.code, "AGA0201");
    assert.equal(denied.line.id, denied.answer.header("AgentAuth-Decision-Id"));

    const nobody = await line({ path: "/p/x" });
    assert.equal(nobody.line.effect, "deny");
    assert.equal(nobody.line.code, "AGA0101");
    assert.equal(nobody.line.user, undefined);
    const required = await line({ path: "/r/user/x", headers: bearer(issuer.token("tess")) });
    assert.equal(required.line.effect, "deny");
    assert.equal(required.line.code, "AGA0603");
    assert.equal(required.line.status, 403);
  });

  test("a denial with a page of the administrator's is still one", async () => {
    const { answer, line: written } = await line({ path: "/page/no", headers: bearer() });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /sorry/);
    assert.equal(written.effect, "deny");
    assert.equal(written.code, "AGA0201");
    assert.equal(written.status, 403);
    assert.equal(written.user, "alice");
  });

  test("whatever bytes a client sends, the line is written and tells", async () => {
    const upgrade = ["Connection", "upgrade", "Upgrade", "websocket", "Origin", "https://\xff\xfe.test"];
    const { line: written } = await line({ path: "/p/x", headers: [...upgrade, ...bearer()] });
    assert.equal(written.code, "AGA0310");
    assert.equal(written.user, "alice");
    const before = (await lines("decisions")).length;
    await httpd.request({ path: "/p/%ff%fe", headers: bearer() });
    const after = await until(async () => {
      const all = await lines("decisions");
      return all.length > before && all;
    }, "the line");
    assert.match(after.at(-1).path, /^\/p\/%ff%fe$/i);
    assert.equal(after.at(-1).user, "alice");
  });

  test("has no credential in it", async () => {
    const token = issuer.token("tess");
    await line({ path: "/p/x", headers: bearer(token) });
    const text = await readFile(httpd.path("log/decisions.json"), "utf8");
    assert.ok(!text.includes(key) && !text.includes(token));
  });

  test("piped to a program, for its virtual host alone", async () => {
    const port = httpd.ports[1];
    const { line: written } = await line({ port, path: "/p/x", headers: bearer() }, "piped");
    assert.equal(written.effect, "allow");
    assert.equal(written.user, "anonymous");
    assert.ok(!(await lines("decisions")).some((one) => one.path === written.path));
  });

  test("nothing of what nobody is asked about", async () => {
    const before = (await lines("decisions")).length;
    await passed({ path: "/plain/x" });
    const { line: next } = await line({ path: "/p/x", headers: bearer() });
    const all = await lines("decisions");
    assert.equal(all.length, before + 1);
    assert.equal(all.at(-1).path, next.path);
  });
});

describe("mod_status", () => {
  test("shows policies and what is open", async () => {
    const short = (await httpd.request({ path: "/server-status?auto" })).text;
    assert.match(short, /^AgentAuthKnownCredentials: \d+$/m);
    assert.match(short, /^AgentAuthPolicy: \S+policy\.lua current$/m);
    assert.equal(short.match(/^AgentAuthOpenAccess: \S+httpd\.conf:\d+$/gm).length, 2, "a place and a virtual host");
    const page = (await httpd.request({ path: "/server-status" })).text;
    assert.match(page, /<h2>mod_agentauth<\/h2>/);
    assert.match(page, /policy\.lua<\/dt><dd>current/);
    assert.ok(!page.includes(key));
  });

  test("says when a policy is broken, and when it is mended", async () => {
    const at = (state) => async () => {
      await httpd.request({ path: "/p/x", headers: bearer() });
      return new RegExp(`^AgentAuthPolicy: \\S+policy\\.lua ${state}$`, "m")
        .test((await httpd.request({ path: "/server-status?auto" })).text);
    };
    await httpd.write("policy.lua", "this is not Lua <script>");
    await until(at("stale"), "the status to say so");
    const page = (await httpd.request({ path: "/server-status" })).text;
    assert.ok(!page.includes("<script>"));
    await httpd.write("policy.lua", POLICY);
    await until(at("current"), "the status to say so");
  });
});
