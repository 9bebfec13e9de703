// SPDX-License-Identifier: Apache-2.0
// What a client, a backend or a careless line of the configuration may not say
// in our name, and what of the request must not travel on.
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";

const POLICY = `local auth = require "agentauth"
auth.on(function(ctx, value)
  if value.path:contains("everything") then return true end
  if value.path:contains("long") then return { owner = ("\u00e9"):rep(800) } end
  return { owner = ctx.user.identity }
end)
`;
const LANGGRAPH = `local auth = require "agentauth"
auth.on(function(ctx, value) return { owner = ctx.user.identity } end)
`;
/* Everything that was handed on inside the server, hex so that bytes are bytes. */
const HANDLER = `
local function hex(s) return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end
function handle(r)
  r.content_type = "text/plain"
  local body = r:requestbody()
  for _, n in ipairs{"identity", "user", "resource", "action", "filter", "decision-id"} do
    local v = r.notes["agentauth-" .. n]
    if v then r:puts("note ", n, " ", hex(v), "\\n") end
    local e = r.subprocess_env["AGENTAUTH_" .. n:upper():gsub("-", "_")]
    if e then r:puts("env ", n, " ", hex(e), "\\n") end
  end
  if r.user then r:puts("env r-user ", hex(r.user), "\\n") end
  local u = r.subprocess_env["REMOTE_USER"]
  if u then r:puts("env remote-user ", hex(u), "\\n") end
  return apache2.OK
end
`;
const OURS = ["Identity", "User", "Resource", "Action", "Filter", "Decision-Id", "Assertion"];

/* What a policy decided, in a section of its own. */
const place = (httpd, path, backend, more = "") => `<Location "${path}">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("policy.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
  ${more}
  ${backend}
</Location>`;

let httpd, echo, issuer, key;

before(async () => {
  echo = await startEcho();
  issuer = makeIssuer("https://issuer.test", "gateway");
  httpd = await startHttpd({
    ports: 3,
    modules: [
      "proxy", "proxy_http", "headers", "rewrite", "setenvif", "http2", "lua", "cgid", "alias",
      "auth_basic", "authn_file", "log_config", "env",
    ],
    async prepare(h) {
      await h.write("policy.lua", POLICY);
      await h.write("langgraph.lua", LANGGRAPH);
      await h.write("handler.lua", HANDLER);
      await h.write("issuer.json", issuer.jwks);
      await h.write("cgi/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n", 0o755);
      await h.write("passwords", "basil:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"); // "password"
    },
    config: (h) => `Protocols h2c http/1.1
LogFormat "%u|%r|%>s" who
CustomLog "${h.path("log/access.log")}" who
<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience gateway
  AgentAuthJWKS "${h.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>


${place(h, "/p/", `ProxyPass ${echo.url}/p/`)}
${place(h, "/bearer/", `ProxyPass ${echo.url}/bearer/`, "AgentAuthForwardCredential bearer")}
${place(h, "/lua/", "SetHandler none")}
${place(h, "/cgi/", "SetHandler cgi-script\nOptions +ExecCGI", "AgentAuthEnforce notes")}
LuaMapHandler "^/lua/" "${h.path("handler.lua")}" handle
Alias /cgi/ "${h.path("cgi")}/"
<Directory "${h.path("cgi")}">
  Require all granted
</Directory>
<Location "/lang/">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${h.path("langgraph.lua")}"
  AgentAuthRoutes langgraph prefix=/lang
  AgentAuthOpenRoutes /ok
  AgentAuthEnforce headers
  ProxyPass ${echo.url}/
</Location>
<Location "/basic/">
  AuthType Basic
  AuthName basic
  AuthUserFile "${h.path("passwords")}"
  Require valid-user
  ProxyPass ${echo.url}/basic/
</Location>
<Location "/plain/">
  ProxyPass ${echo.url}/plain/
</Location>
<VirtualHost 127.0.0.1:${h.ports[0]}>
  ServerName gateway.test
</VirtualHost>
# An administrator's lines that touch our names.
<VirtualHost 127.0.0.1:${h.ports[1]}>
  ServerName gateway.test
  MergeTrailers On
  RewriteEngine On
  RewriteRule ^ - [E=REMOTE_USER:admin,E=AGENTAUTH_IDENTITY:admin,E=AGENTAUTH_FILTER:true]
  SetEnvIf Request_URI . AGENTAUTH_USER={} AGENTAUTH_FILTER=true REMOTE_USER=admin
  SetEnvIf AgentAuth-Filter (.*) HTTP_SEEN=$1
  RequestHeader set AgentAuth-Filter true early
  RequestHeader set AgentAuth-Identity admin
  RequestHeader append AgentAuth-User "{}"
  RequestHeader set Agentauth_Filter true
  LuaMapHandler "^/lua/" "${h.path("handler.lua")}" handle
  <LocationMatch "^/(lua|cgi|p)/">
    SetEnv AGENTAUTH_FILTER true
    SetEnv REMOTE_USER admin
    SetEnv AGENTAUTH_ASSERTION x
    RewriteEngine On
    RewriteRule .* - [E=AGENTAUTH_IDENTITY:admin,E=AGENTAUTH_USER:{}]
  </LocationMatch>
</VirtualHost>
# Cookies of a name that was chosen.
<VirtualHost 127.0.0.1:${h.ports[2]}>
  ServerName gateway.test
  AgentAuthCookieName __Host-agents
</VirtualHost>`,
  });
  await httpd.addUser("alice");
  key = await httpd.addKey("alice");
});
after(async () => {
  await httpd?.stop();
  echo?.close();
});

/* The one thing the backend saw. */
async function through(options, wanted = 200) {
  echo.take();
  const answer = await httpd.request(options);
  assert.equal(answer.status, wanted, `${answer.status} ${answer.text}`);
  const seen = echo.take();
  assert.equal(seen.length, 1);
  return seen[0];
}

async function through2(options, wanted = 200) {
  echo.take();
  const answer = await httpd.h2(options);
  assert.equal(answer.status, wanted, `${answer.status} ${answer.text}`);
  return echo.take().at(-1);
}

const like = (name) => /^agentauth-/.test(name.toLowerCase().replace(/[_. ]/g, "-"));
const named = (seen) => seen.rawHeaders.filter(([name]) => like(name));

/* Exactly ours, each once. */
function decided(seen, filter = '{"owner":"alice"}', identity = "alice") {
  assert.equal(seen.header("AgentAuth-Filter"), filter);
  assert.equal(seen.header("AgentAuth-Identity"), identity);
  assert.equal(JSON.parse(seen.header("AgentAuth-User")).identity, decodeURIComponent(identity));
  assert.equal(seen.header("AgentAuth-Resource"), "http");
  assert.equal(named(seen).length, 6, JSON.stringify(named(seen)));
  for (const [name] of named(seen)) assert.match(name, /^AgentAuth-[A-Z]/, name);
}

const bearer = () => ["Authorization", `Bearer ${key}`];

// ------------------------------------------------------------------- forging

const FORGERIES = [
  ["three times", (n) => [`AgentAuth-${n}`, "true", `AgentAuth-${n}`, "true", `AgentAuth-${n}`, "true"]],
  ["lower case", (n) => [`agentauth-${n.toLowerCase()}`, "true"]],
  ["upper case", (n) => [`AGENTAUTH-${n.toUpperCase()}`, "true"]],
  ["underscores", (n) => [`AgentAuth_${n.replace("-", "_")}`, "true"]],
  ["dots", (n) => [`agentauth.${n}`, "true"]],
  ["all of them", (n) => [
    `AgentAuth-${n}`, "true", `agentauth_${n}`, "true", `AGENTAUTH.${n}`, "true", `aGENTaUTH-${n}`, "true",
  ]],
  ["a name of tomorrow", () => ["AgentAuth-Anything", "1", "agentauth_anything", "1"]],
];

describe("forged headers", () => {
  for (const [name, forge] of FORGERIES)
    test(name, async () => {
      for (const ours of OURS) {
        const headers = [...forge(ours), ...bearer()];
        decided(await through({ path: "/p/x", headers }));
        const open = await through({ path: "/plain/x", headers: forge(ours) });
        assert.deepEqual(named(open), [], "where nobody is asked");
        const basic = ["Authorization", "Basic YmFzaWw6cGFzc3dvcmQ="];
        const other = await through({ path: "/basic/x", headers: [...forge(ours), ...basic] });
        assert.deepEqual(named(other), [], "below another AuthType");
      }
    });

  test("a name beside ours is none of ours", async () => {
    const headers = ["AgentAuthorize", "1", "X-AgentAuth-Filter", "2", "AgentAut-Filter", "3", ...bearer()];
    const seen = await through({ path: "/p/x", headers });
    decided(seen);
    assert.equal(seen.header("AgentAuthorize"), "1");
    assert.equal(seen.header("X-AgentAuth-Filter"), "2");
    assert.equal(seen.header("AgentAut-Filter"), "3");
  });

  test("nothing of it over HTTP/2 either", async () => {
    const forged = {
      "agentauth-filter": ["true", "true", "true"],
      agentauth_filter: "true",
      "agentauth.identity": "admin",
      "agentauth-assertion": "x",
    };
    decided(await through2({ path: "/p/x", headers: { authorization: `Bearer ${key}`, ...forged } }));
    assert.deepEqual(named(await through2({ path: "/plain/x", headers: forged })), []);
  });

  test("a permitted everything says true, and only then", async () => {
    decided(await through({ path: "/p/everything", headers: bearer() }), "true");
  });
});

describe("Connection", () => {
  for (const value of [
    "AgentAuth-Filter",
    "agentauth-filter, agentauth-identity",
    "close;AgentAuth-Filter",
    "keep-alive, AgentAuth-Filter;AgentAuth-User , x-other",
    "foo AgentAuth-Filter",
    '"AgentAuth-Filter"',
    "AgentAuth_Filter, AgentAuth-Filter",
  ])
    test(value, async () => {
      decided(await through({ path: "/p/x", headers: ["Connection", value, ...bearer()] }));
    });

  test("said in several lines", async () => {
    const headers = ["Connection", "close", "Connection", "AgentAuth-Filter", "connection", "AGENTAUTH-USER", ...bearer()];
    decided(await through({ path: "/p/x", headers }));
  });

  test("still obeyed for what is the client's", async () => {
    const headers = ["Connection", "close, X-Hop, AgentAuth-Filter", "X-Hop", "1", "X-Stay", "1", ...bearer()];
    const seen = await through({ path: "/p/x", headers });
    decided(seen);
    assert.equal(seen.header("X-Hop"), null);
    assert.equal(seen.header("X-Stay"), "1");
  });

  test("cannot hide the credential from being judged", async () => {
    const headers = ["Connection", "Authorization, X-API-Key", ...bearer()];
    decided(await through({ path: "/p/x", headers }));
  });
});

describe("trailers", () => {
  const lines = (path) => [
    `POST ${path} HTTP/1.1`, "Host: x", `Authorization: Bearer ${key}`, "Transfer-Encoding: chunked",
    "Trailer: AgentAuth-Filter",
  ];
  const trailers = "AgentAuth-Filter: true\r\nAgentAuth-Identity: admin\r\nagentauth_filter: true\r\n";

  for (const merge of [0, 1])
    test(`named like ours, MergeTrailers ${merge ? "On" : "Off"}`, async () => {
      const connection = await httpd.connect(httpd.ports[merge]);
      echo.take();
      connection.sendLines(...lines("/p/x")).send(`3\r\nabc\r\n0\r\n${trailers}\r\n`);
      assert.equal((await connection.answer()).status, 200);
      const [seen] = echo.take();
      decided(seen);
      assert.equal(seen.text, "abc");
      connection.sendLines(...lines("/lua/x")).send(`3\r\nabc\r\n0\r\n${trailers}\r\n`);
      const inside = await connection.answer();
      assert.match(inside.text, new RegExp(`note filter ${hex('{"owner":"alice"}')}\n`));
      assert.match(inside.text, new RegExp(`note identity ${hex("alice")}\n`));
      connection.close();
    });

  test("of HTTP/2", async () => {
    const session = http2.connect(httpd.url);
    echo.take();
    const stream = session.request(
      { ":method": "POST", ":path": "/p/x", authorization: `Bearer ${key}` },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "agentauth-filter": "true", "agentauth-identity": "admin" }));
    stream.end("abc");
    const [answer] = await once(stream, "response");
    assert.equal(answer[":status"], 200);
    stream.resume();
    await once(stream, "end");
    session.destroy();
    decided(echo.take()[0]);
  });
});

// --------------------------------------------------------- what stays behind

describe("credentials end here", () => {
  const token = () => issuer.token("alice");

  test("in Authorization", async () => {
    assert.equal((await through({ path: "/p/x", headers: bearer() })).header("Authorization"), null);
    assert.equal(
      (await through({ path: "/p/x", headers: ["authorization", `bearer ${token()}`] })).header("Authorization"),
      null,
    );
  });

  test("in the key header, ours and another service's", async () => {
    const ours = await through({ path: "/p/x", headers: ["X-API-Key", key] });
    assert.equal(ours.header("X-API-Key"), null);
    const foreign = await through({ path: "/p/x", headers: ["X-API-Key", "lsv2_pt_other", ...bearer()] });
    assert.equal(foreign.header("X-API-Key"), null);
    const both = await through({ path: "/p/x", headers: ["X-API-Key", key, ...bearer()] });
    assert.equal(both.header("X-API-Key"), null);
    assert.equal(both.header("Authorization"), null);
  });

  test("nowhere in what the backend sees", async () => {
    for (const secret of [key, token()]) {
      const seen = await through({ path: "/p/x", headers: ["Authorization", `Bearer ${secret}`] });
      assert.ok(!JSON.stringify(seen.rawHeaders).includes(secret));
    }
  });

  test("AgentAuthForwardCredential bearer keeps a bearer token, no key", async () => {
    const value = `Bearer ${token()}`;
    const kept = await through({ path: "/bearer/x", headers: ["Authorization", value] });
    assert.equal(kept.header("Authorization"), value);
    assert.equal((await through({ path: "/bearer/x", headers: bearer() })).header("Authorization"), null);
    assert.equal((await through({ path: "/bearer/x", headers: ["X-API-Key", key] })).header("X-API-Key"), null);
  });

  test("where nobody is asked they are none of ours", async () => {
    const seen = await through({ path: "/plain/x", headers: ["Authorization", "Bearer x", "X-API-Key", "y"] });
    assert.equal(seen.header("Authorization"), "Bearer x");
    assert.equal(seen.header("X-API-Key"), "y");
  });

  test("HTTP/2", async () => {
    const seen = await through2({ path: "/p/x", headers: { "x-api-key": key } });
    assert.equal(seen.header("X-API-Key"), null);
    decided(seen);
  });
});

describe("cookies", () => {
  const rows = [
    ["alone", "agentauth_session=abc", null],
    ["__Host-", "__Host-agentauth_session=abc", null],
    ["first", "agentauth_session=abc; a=1;b=2", "a=1;b=2"],
    ["last", "a=1; agentauth_session=abc", "a=1"],
    ["between, odd blanks kept", 'a="1";  b = 2;agentauth_session=abc;c=%20;  d', 'a="1";  b = 2;c=%20;  d'],
    ["twice", "agentauth_session=1; x=y; __Host-agentauth_session=2; agentauth_session=3", "x=y"],
    ["blanks around its name", "a=1;\tagentauth_session =abc; b=2", "a=1; b=2"],
    ["a name beside it", "agentauth_session2=abc; xagentauth_session=1; agentauth_sess=2",
      "agentauth_session2=abc; xagentauth_session=1; agentauth_sess=2"],
    ["its name in a value", "a=agentauth_session=1; b=2", "a=agentauth_session=1; b=2"],
    ["a comma in a value", "a=1,2; b=3, 4", "a=1,2; b=3, 4"],
    ["none", "a=1; b=2", "a=1; b=2"],
  ];
  for (const [name, sent, left] of rows)
    test(name, async () => {
      const seen = await through({ path: "/p/x", headers: ["Cookie", sent, ...bearer()] });
      assert.equal(seen.header("Cookie"), left);
    });

  test("in two headers, which httpd folds into one", async () => {
    const headers = ["Cookie", "a=1", "Cookie", "agentauth_session=abc", "Cookie", "b=2", ...bearer()];
    const seen = await through({ path: "/p/x", headers });
    assert.match(seen.header("Cookie"), /^a=1[,;] ?b=2$/);
  });

  test("HTTP/2, where cookies come in crumbs", async () => {
    const headers = { authorization: `Bearer ${key}`, cookie: ["a=1", "agentauth_session=abc", "b=2"] };
    assert.equal((await through2({ path: "/p/x", headers })).header("Cookie"), "a=1; b=2");
  });

  test("a name that was chosen, literally", async () => {
    const port = httpd.ports[2];
    const headers = ["Cookie", "a=1; __Host-agents=abc; b=2", ...bearer()];
    assert.equal((await through({ port, path: "/p/x", headers })).header("Cookie"), "a=1; b=2");
    headers[1] = "agentauth_session=abc; __Host-agents2=1";
    assert.equal((await through({ port, path: "/p/x", headers })).header("Cookie"), headers[1]);
  });

  test("where nobody is asked all stay", async () => {
    const seen = await through({ path: "/plain/x", headers: ["Cookie", "agentauth_session=abc; a=1"] });
    assert.equal(seen.header("Cookie"), "agentauth_session=abc; a=1");
  });
});

test("a route that is open carries no decision and no credential", async () => {
  for (const headers of [[], bearer(), ["Authorization", "Bearer rubbish"]]) {
    const forged = ["AgentAuth-Filter", "true", "agentauth_identity", "admin", "X-Auth-Scheme", "langsmith"];
    const seen = await through({ path: "/lang/ok", headers: [...forged, ...headers] });
    assert.deepEqual(named(seen).filter(([name]) => !/-decision-id$/i.test(name)), []);
    assert.equal(seen.header("Authorization"), null);
    assert.equal(seen.header("X-Auth-Scheme"), null);
  }
  assert.equal((await httpd.request({ path: "/lang/info" })).status, 401, "its twin");
});

describe("X-Auth-Scheme", () => {
  test("does not reach an agent server", async () => {
    const headers = ["X-Auth-Scheme", "langsmith", "x-auth-scheme", "langsmith-agent", ...bearer()];
    const seen = await through({ path: "/lang/threads/0c3a1a43-8e7e-4b0a-bb1c-0f6a3f2d1e11", headers });
    assert.equal(seen.header("X-Auth-Scheme"), null);
    assert.equal(seen.header("AgentAuth-Resource"), "threads");
    const connection = ["Connection", "X-Auth-Scheme", ...headers];
    const again = await through({ path: "/lang/threads/0c3a1a43-8e7e-4b0a-bb1c-0f6a3f2d1e11", headers: connection });
    assert.equal(again.header("X-Auth-Scheme"), null);
  });
  test("is nothing special elsewhere", async () => {
    const seen = await through({ path: "/p/x", headers: ["X-Auth-Scheme", "mine", ...bearer()] });
    assert.equal(seen.header("X-Auth-Scheme"), "mine");
  });
});

// ------------------------------------------------------ what a backend may say

describe("a backend's answer", () => {
  const say = (list) => (echo.respond = (request, response) => {
    response.writeHead(200, list);
    response.end("ok");
  });
  let usual;
  before(() => (usual = echo.respond));
  after(() => (echo.respond = usual));

  test("does not set our cookies and speaks no AgentAuth-*", async () => {
    say([
      "Set-Cookie", "a=1; Path=/", "Set-Cookie", "agentauth_session=evil; Path=/",
      "Set-Cookie", "__Host-agentauth_session=evil; Secure; Path=/", "Set-Cookie", "b=2",
      "Set-Cookie", "agentauth_session =evil", "Set-Cookie", "=agentauth_session=evil",
      "AgentAuth-Error", "AGA0201", "AgentAuth-Decision-Id", "evil", "agentauth_filter", "true", "X-Mine", "1",
    ]);
    for (const answer of [
      await httpd.request({ path: "/p/x", headers: bearer() }),
      await httpd.h2({ path: "/p/x", headers: { authorization: `Bearer ${key}` } }),
    ]) {
      assert.deepEqual(answer.headers("Set-Cookie"), ["a=1; Path=/", "b=2"]);
      assert.equal(answer.header("AgentAuth-Error"), null);
      assert.equal(answer.header("agentauth_filter"), null);
      assert.match(answer.headers("AgentAuth-Decision-Id").join(), /^[0-9a-f]{16}$/);
      assert.equal(answer.header("X-Mine"), "1");
    }
  });

  test("a chosen cookie name likewise, others pass", async () => {
    say(["Set-Cookie", "__Host-agents=evil", "Set-Cookie", "agentauth_session=free", "Set-Cookie", "agents=free"]);
    const answer = await httpd.request({ port: httpd.ports[2], path: "/p/x", headers: bearer() });
    assert.deepEqual(answer.headers("Set-Cookie"), ["agentauth_session=free", "agents=free"]);
  });

  test("where nobody is asked it says what it likes", async () => {
    say(["Set-Cookie", "agentauth_session=1"]);
    const answer = await httpd.request({ path: "/plain/x" });
    assert.deepEqual(answer.headers("Set-Cookie"), ["agentauth_session=1"]);
  });
});

// --------------------------------------------------- lines of the configuration

const hex = (text) => Buffer.from(text).toString("hex");
const handed = (text) =>
  Object.fromEntries(
    text.trim().split("\n").map((line) => {
      const [kind, name, value] = line.split(" ");
      return [`${kind} ${name}`, Buffer.from(value, "hex").toString()];
    }),
  );

describe("rewrite, setenvif and headers", () => {
  const port = () => httpd.ports[1];

  test("do not change what the backend gets", async () => {
    decided(await through({ port: port(), path: "/p/x", headers: bearer() }));
    decided(await through2({ port: port(), path: "/p/x", headers: { authorization: `Bearer ${key}` } }));
  });

  test("do not change what a handler gets", async () => {
    const answer = await httpd.request({ port: port(), path: "/lua/x", headers: bearer() });
    const got = handed(answer.text);
    for (const kind of ["note", "env"]) {
      assert.equal(got[`${kind} identity`], "alice");
      assert.equal(got[`${kind} filter`], '{"owner":"alice"}');
      assert.equal(JSON.parse(got[`${kind} user`]).identity, "alice");
    }
    assert.equal(got["env r-user"], "alice");
    assert.equal(got["env remote-user"], "alice");
  });

  test("do not change what a CGI program gets", async () => {
    const answer = await httpd.request({ port: port(), path: "/cgi/env", headers: bearer() });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /^REMOTE_USER=alice$/m);
    assert.match(answer.text, /^AGENTAUTH_IDENTITY=alice$/m);
    assert.match(answer.text, /^AGENTAUTH_FILTER=\{"owner":"alice"\}$/m);
    assert.ok(!answer.text.includes(key));
  });

  test("do not make somebody of nobody", async () => {
    for (const path of ["/p/x", "/lua/x", "/cgi/env"]) {
      echo.take();
      assert.equal((await httpd.request({ port: port(), path })).status, 401);
      assert.equal(echo.take().length, 0);
    }
  });
});

// ------------------------------------------------------------- in the process

describe("handed on inside", () => {
  test("notes and variables, everything decided", async () => {
    const got = handed((await httpd.request({ path: "/lua/everything", headers: bearer() })).text);
    for (const kind of ["note", "env"]) {
      assert.equal(got[`${kind} identity`], "alice");
      assert.equal(got[`${kind} filter`], "true");
      assert.equal(got[`${kind} resource`], "http");
      assert.equal(got[`${kind} action`], "get");
      assert.match(got[`${kind} decision-id`], /^[0-9a-f]{16}$/);
    }
  });

  test("a client's headers become no variable of ours", async () => {
    const headers = ["AgentAuth-Filter", "true", "Agentauth_Filter", "true", "Agentauth-User", "x", ...bearer()];
    const { text } = await httpd.request({ path: "/cgi/env", headers });
    assert.doesNotMatch(text, /^HTTP_AGENTAUTH/m);
    assert.match(text, /^AGENTAUTH_FILTER=\{"owner":"alice"\}$/m);
    assert.doesNotMatch(text, /^HTTP_AUTHORIZATION/m);
  });

  const NAMES = ["zo\u00eb", "\u6f22\u5b57 100%", 'a"b\\c', "x y,z;=%41", "e\u0301\u{1f600}"];
  for (const name of NAMES)
    test(`identity ${JSON.stringify(name)}`, async () => {
      const headers = ["Authorization", `Bearer ${issuer.token(name)}`];
      const got = handed((await httpd.request({ path: "/lua/x", headers })).text);
      assert.equal(got["note identity"], name);
      assert.equal(got["env identity"], name);
      assert.equal(got["env r-user"], name);
      assert.equal(JSON.parse(got["note user"]).identity, name);
      assert.match(got["note user"], /^[\x20-\x7e]*$/);

      const seen = await through({ path: "/p/x", headers });
      const header = seen.header("AgentAuth-Identity");
      assert.match(header, /^(?:[\x21-\x24\x26-\x7e]|%[0-9A-F]{2})+$/);
      assert.equal(decodeURIComponent(header), name);
      assert.match(seen.header("AgentAuth-User"), /^[\x20-\x7e]*$/);
      assert.equal(JSON.parse(seen.header("AgentAuth-User")).identity, name);
      assert.match(seen.header("AgentAuth-Filter"), /^[\x20-\x7e]*$/);
      assert.equal(JSON.parse(seen.header("AgentAuth-Filter")).owner, name);
    });

  test("control characters are no identity", async () => {
    for (const name of ["a\nb", "a\r\nAgentAuth-Filter: true", "a\u0000b", "a\u007f", "", "a\u0085", "x".repeat(256), "guest", "anonymous"]) {
      const headers = ["Authorization", `Bearer ${issuer.token(name)}`];
      const answer = await httpd.request({ path: "/p/x", headers });
      assert.equal(answer.status, 401, JSON.stringify(name));
    }
    const most = ["Authorization", `Bearer ${issuer.token("x".repeat(255))}`];
    assert.equal((await httpd.request({ path: "/p/x", headers: most })).status, 200);
  });
});

describe("sizes", () => {
  test("a header over 4 KiB is a refusal, not a shorter header", async () => {
    echo.take();
    const answer = await httpd.request({ path: "/p/long", headers: bearer() });
    assert.equal(answer.status, 500);
    assert.equal(answer.header("AgentAuth-Error"), "AGA0401");
    assert.deepEqual(answer.json, { error: "decision too large" });
    assert.equal(echo.take().length, 0);
  });
  test("claims: 4 KiB passes, a byte more does not", async () => {
    const sized = async (n) => {
      const token = issuer.token("alice", { display_name: "n".repeat(n) });
      echo.take();
      const answer = await httpd.request({ path: "/p/x", headers: ["Authorization", `Bearer ${token}`] });
      return { answer, seen: echo.take()[0] };
    };
    const first = await sized(10);
    const room = 4096 - first.seen.header("AgentAuth-User").length + 10;
    const full = await sized(room);
    assert.equal(full.answer.status, 200);
    assert.equal(full.seen.header("AgentAuth-User").length, 4096);
    const over = await sized(room + 1);
    assert.equal(over.answer.status, 500);
    assert.equal(over.answer.header("AgentAuth-Error"), "AGA0401");
    assert.equal(over.seen, undefined);
  });
});

test("the access log names the user on one line", async () => {
  const name = 'eve" 200|\u00eb';
  const token = issuer.token(name);
  await httpd.request({ path: "/p/log-me", headers: ["Authorization", `Bearer ${token}`] });
  await httpd.request({ path: "/p/log-nobody" });
  const { readFile } = await import("node:fs/promises");
  const log = await readFile(httpd.path("log/access.log"), "utf8");
  const line = log.split("\n").find((one) => one.includes("log-me"));
  assert.match(line, /^eve\\" 200\|\\xc3\\xab\|GET \/p\/log-me/);
  assert.match(log, /^-\|GET \/p\/log-nobody HTTP\/1.1\|401$/m);
  assert.ok(!log.includes(token) && !log.includes(key));
});
