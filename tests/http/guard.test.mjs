// SPDX-License-Identifier: Apache-2.0
// Ways around the decision: whatever leads a request to the backend, the
// decision that belongs to it goes along, or the request does not go.
import assert from "node:assert/strict";
import { chmod, mkdir } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { checkConfig } from "./lib/httpd.mjs";
import { place, startPlace, WITNESS } from "./lib/place.mjs";

const ID = "0192a5f0-0000-4000-8000-000000000001";
const THREAD = `/threads/${ID}`;
const HTTP = `
local auth = require "agentauth"
auth.on("http", function(ctx, value) return { path = ctx.path } end)
`;

/* An SCGI application: answers with its environment as JSON. */
async function startScgi() {
  const server = net.createServer((socket) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (data) => {
      text += data;
      const colon = text.indexOf(":");
      const size = Number(text.slice(0, colon));
      if (colon < 0 || text.length < colon + 1 + size + 1) return;
      const flat = text.slice(colon + 1, colon + 1 + size).split("\0").slice(0, -1);
      const env = {};
      for (let i = 0; i < flat.length; i += 2) env[flat[i]] = flat[i + 1];
      if (text.length < colon + 2 + size + Number(env.CONTENT_LENGTH)) return;
      env.body = text.slice(colon + 2 + size);
      server.seen.push(env);
      socket.end(`Status: 200 OK\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(env)}`);
    });
    socket.on("error", () => {});
  });
  server.seen = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/* MergeSlashes × AllowEncodedSlashes, one virtual host each. */
const HOSTS = ["On", "Off"].flatMap((merge) => ["On", "NoDecode", "Off"].map((slashes) => ({ merge, slashes })));
const MAPPINGS = [["/c", ""], ["/nc", "nocanon"], ["/me", "mapping=encoded"]];

let world, scgi, socketServer;
const bySocket = [];

before(async () => {
  scgi = await startScgi();
  world = await startPlace({
    ports: 1 + HOSTS.length,
    modules: [
      "access_compat", "authz_host", "auth_basic", "authn_file", "include", "dir", "rewrite", "headers", "alias", "mime",
      "proxy_scgi", "proxy_ajp", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "http2", "proxy_http2",
    ],
    prepare: async (httpd) => {
      await httpd.write("http.lua", HTTP);
      await httpd.write("mime.types", "text/html html");
      for (const dir of ["sock", "htdocs/dir", "htdocs/static", "htdocs/combo"]) await mkdir(httpd.path(dir));
      await httpd.write("htdocs/include.shtml", `<!--#include virtual="/a${THREAD}" -->`);
      await httpd.write("htdocs/static/page.html", "the page");
      await httpd.write("htdocs/static/index.html", "the index");
      await httpd.write("htdocs/combo/x.html", "x");
      socketServer = http.createServer((request, response) => {
        bySocket.push(request);
        response.end("{}");
      });
      socketServer.listen(httpd.path("sock/http"));
      await once(socketServer, "listening");
      await chmod(httpd.path("sock/http"), 0o777);
    },
    config: (httpd, echo) => {
      const proxied = (path, lines = "", target = echo.url, options = "") =>
        `ProxyPass ${path} ${target} ${options}\n${place(path, `AgentAuthRoutes langgraph prefix=${path}\n${lines}`)}`;
      const only = (path, lines = "") => place(path, `AgentAuthRoutes langgraph prefix=${path}\n${lines}`);
      const inner = (path, lines) => `<Location "${path}${THREAD}">\n${lines}\n</Location>\n`;
      const bare = echo.url.replace("http://", "");
      const member = (name, url) => `<Proxy balancer://${name}>\nBalancerMember ${url}\n</Proxy>\n`;
      return `<Directory "${httpd.path("htdocs")}">
Require all granted
Options +Includes
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
</Directory>
RewriteEngine On
TypesConfig "${httpd.path("mime.types")}"
${proxied("/a")}
${proxied("/any", "<RequireAny>\nRequire ip 127.0.0.1\nRequire valid-user\n</RequireAny>")}
${proxied("/satisfy", "Order allow,deny\nAllow from all\nSatisfy Any")}
${proxied("/granted")}${inner("/granted", "Require all granted")}
${proxied("/if", '<If "true">\nRequire all granted\n</If>')}
${proxied("/none")}${inner("/none", "AuthType None\nRequire all granted")}
${proxied("/none-open")}${inner("/none-open", "AuthType None\nRequire all granted\nAgentAuthOpenAccess On")}
${proxied("/basic")}${inner("/basic", `AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile "${httpd.path("users")}"\nRequire all granted`)}
${proxied("/negated", "<RequireAll>\nRequire all granted\nRequire not user bob\n</RequireAll>")}

RewriteRule ^/pt/(.*)$ /a/$1 [PT]
RewriteRule ^/nowhere/(.*)$ /a/internal/$1 [PT]
RewriteRule ^/rp/(.*)$ ${echo.url}/$1 [P]
${only("/rp")}
RewriteRule ^/rp-other/threads/(.*)$ ${echo.url}/assistants/$1 [P]
${only("/rp-other")}
RewriteRule ^/rp-query/(.*)$ ${echo.url}/$1?limit=5 [P]
${only("/rp-query")}
RewriteRule ^/env/(.*)$ /a/$1 [PT,E=REMOTE_USER:bob,E=AGENTAUTH_IDENTITY:bob,E=AGENTAUTH_FILTER:true]
${only("/rd", `RewriteEngine On\nRewriteRule (.*) ${echo.url}${THREAD} [P]`)}
${only("/rd-page", `RewriteEngine On\nRewriteRule (.*) ${echo.url}${THREAD} [P]`)}
${proxied("/set", "RequestHeader set AgentAuth-Identity bob\nRequestHeader set AgentAuth-Filter true\nRequestHeader set X-Other yes")}

ProxyPass /broken-page http://127.0.0.1:1/
<Location /doc>
AuthType AgentAuth
Require valid-user
AgentAuthPolicy policy.lua
AgentAuthEnforce headers
AgentAuthRoutes langgraph prefix=/doc
ErrorDocument 403 /a${THREAD}
ErrorDocument 404 /static/page.html
ErrorDocument 400 /rd-page/x
</Location>
ProxyPass /doc-open ${echo.url}
${only("/doc-open", "ErrorDocument 403 /open-page\nErrorDocument 400 /open-page")}
ProxyPass /doc ${echo.url}
ProxyPass /open-page ${echo.url}/open-page
${place("/static", "AgentAuthPolicy http.lua\nAgentAuthRoutes none\nAgentAuthEnforce notes")}
DirectoryIndex index.html
<Directory "${httpd.path("htdocs/dir")}">
DirectoryIndex /a${THREAD}
</Directory>
<Directory "${httpd.path("htdocs/combo")}">
AuthType AgentAuth
Require valid-user
AgentAuthPolicy http.lua
AgentAuthEnforce notes
AgentAuthRoutes none
</Directory>
<Location /combo/x.html>
AgentAuthRoutes none prefix=/combo
</Location>

${only("/handler", `SetHandler "proxy:${echo.url}"`)}
ProxyPassMatch ^/match/(.*)$ ${echo.url}/$1
${only("/match")}
ProxyPassMatch ^/match-other/threads/(.*)$ ${echo.url}/assistants/$1
${only("/match-other")}
${proxied("/socket", "", `unix:${httpd.path("sock/http")}|http://localhost`)}
${proxied("/socket-assertion", "AgentAuthPassAs assertion\nAgentAuthAssertionAudience pool", `unix:${httpd.path("sock/http")}|http://localhost`)}
${member("pool", echo.url)}${member("ajp", `ajp://${bare}`)}${member("h2", `h2c://${bare}`)}
${proxied("/pool", "", "balancer://pool")}
${proxied("/pool-assertion", "AgentAuthPassAs assertion\nAgentAuthAssertionAudience pool", "balancer://pool")}
${proxied("/pool-ajp", "", "balancer://ajp")}
${proxied("/pool-h2", "", "balancer://h2")}
${proxied("/double", "", `${echo.url}/`)}
ProxyPass /scgi scgi://127.0.0.1:${scgi.address().port}
${place("/scgi", "AgentAuthPolicy http.lua\nAgentAuthRoutes none prefix=/scgi\nAgentAuthEnforce notes")}
ProxyPass /unset ${echo.url}
<Location /unset>
AuthType AgentAuth
Require valid-user
AgentAuthPolicy policy.lua
AgentAuthRoutes langgraph prefix=/unset
</Location>
${HOSTS.map(
  ({ merge, slashes }, i) => `<VirtualHost 127.0.0.1:${httpd.ports[i + 1]}>
ServerName gateway.test
MergeSlashes ${merge}
AllowEncodedSlashes ${slashes}
${MAPPINGS.map(([path, options]) => proxied(path, "", echo.url, options)).join("\n")}
</VirtualHost>`,
).join("\n")}
`;
    },
  });
});
after(async () => {
  scgi?.close();
  socketServer?.close();
  await world?.stop();
});

const get = (path, options) => world.ask("GET", path, options);
const nobody = (path, options = {}) => world.httpd.request({ path, ...options });
const ALICE = '{"owner":"alice"}';

function decided(answer, name) {
  const seen = world.passed(answer, name);
  assert.equal(seen.header("agentauth-identity"), "alice", name);
  assert.equal(seen.header("agentauth-filter"), ALICE, name);
  return seen;
}

describe("Require, Satisfy, sections", () => {
  for (const path of ["/any", "/granted", "/if", "/negated"])
    test(`${path}: what lets an address in gives no identity`, async () => {
      world.refused(await nobody(path + THREAD), 401, "AGA0101");
      world.refused(await nobody(path + THREAD, { headers: { "x-api-key": "sk-agentauth-x" } }), 401, "AGA0110");
      decided(await get(path + THREAD));
    });

  test("Satisfy Any skips authentication: nobody gets through", async () => {
    world.refused(await nobody(`/satisfy${THREAD}`), 403, "AGA0213");
    decided(await get(`/a${THREAD}`));
  });

  for (const path of ["/none", "/basic"])
    test(`another AuthType below a policy, ${path}`, async () => {
      for (const answer of [await nobody(path + THREAD), await get(path + THREAD)])
        world.refused(answer, 500, "AGA0214");
      decided(await get(`${path}${THREAD}/history`.replace(ID, ID.replace("1", "2"))));
    });

  test("the same where it is said to be meant", async () => {
    const seen = world.passed(await nobody(`/none-open${THREAD}`, { headers: { "AgentAuth-Filter": "true" } }));
    assert.equal(seen.header("agentauth-filter"), null);
    assert.equal(seen.header("agentauth-identity"), null);
    world.refused(await nobody("/none-open/threads/x"), 401, "AGA0101");
  });
});

describe("subrequests and redirects", () => {
  test("mod_include: the part is decided for who asks", async () => {
    const answer = await get("/include.shtml");
    assert.equal(answer.status, 200);
    const [seen] = world.echo.take();
    assert.equal(seen.header("agentauth-filter"), ALICE);
    assert.equal(seen.header("agentauth-identity"), "alice");
    assert.equal((await nobody("/include.shtml")).status, 200);
    assert.equal(world.echo.take().length, 0);
  });

  test("DirectoryIndex into a place with a policy", async () => {
    assert.notEqual((await nobody("/dir/")).status, 200);
    assert.equal(world.echo.take().length, 0);
    const answer = await get("/dir/");
    const seen = world.echo.take();
    if (answer.status === 200) assert.equal(seen[0].header("agentauth-filter"), ALICE);
    else assert.equal(seen.length, 0);
  });

  test("DirectoryIndex within a place: both requests are decided", async () => {
    assert.equal((await get("/static/")).text, "the index");
    world.refused(await nobody("/static/"), 401, "AGA0101");
  });

  test("RewriteRule PT: decided on the new path", async () => {
    const seen = decided(await get(`/pt${THREAD}`));
    assert.equal(seen.url, THREAD);
    world.refused(await nobody(`/pt${THREAD}`), 401, "AGA0101");
    world.refused(await get("/nowhere/truncate"), 404, "AGA0210");
    world.refused(await world.ask("POST", "/nowhere/truncate"), 403, "AGA0211");
  });

  test("variables that a rule sets are not read back", async () => {
    decided(await get(`/env${THREAD}`));
    world.refused(await nobody(`/env${THREAD}`), 401, "AGA0101");
  });

  test("RequestHeader cannot speak for us", async () => {
    const seen = decided(await get(`/set${THREAD}`));
    assert.equal(seen.header("x-other"), "yes");
  });
});

describe("ErrorDocument", () => {
  const denied = { method: "DELETE", path: `/doc${THREAD}` };

  test("to a page of a backend behind the policy: not sent", async () => {
    const answer = await world.ask(denied.method, denied.path);
    assert.equal(answer.status, 403);
    assert.equal(world.echo.take().length, 0);
    decided(await get(`/doc${THREAD}`));
  });

  test("to a file of a place with a policy: for the same user", async () => {
    const answer = await get("/doc/nothing");
    assert.equal(answer.status, 404);
    assert.equal(answer.text, "the page");
    const posted = await world.ask("POST", "/doc/nothing", { body: '{"metadata":{}}' });
    assert.equal(posted.text, "the page");
    assert.equal(world.echo.take().length, 0);
  });

  test("to an open page of a backend: a GET without body, decision and user", async () => {
    for (const body of ['{"metadata":{"deny":true}}', "{"]) {
      await world.ask("POST", "/doc-open/threads", { body });
      const [seen, ...more] = world.echo.take();
      assert.equal(more.length, 0);
      assert.equal(`${seen.method} ${seen.url}`, "GET /open-page");
      assert.equal(seen.body.length, 0);
      for (const name of ["content-length", "transfer-encoding", "agentauth-identity", "agentauth-filter", "agentauth-user"])
        assert.equal(seen.header(name), null, name);
    }
    assert.equal(decided(await world.ask("POST", "/doc-open/threads", { body: "{}" })).url, "/threads");
  });

  test("to a per-directory proxy rule: not sent", async () => {
    const answer = await world.ask("POST", "/doc/threads", { body: "{" });
    assert.equal(answer.status, 400);
    assert.deepEqual(world.echo.take().map((s) => `${s.method} ${s.url} ${s.rawHeaders}`), []);
  });
});

describe("proxy rules", () => {
  test("RewriteRule [P] of the server: the same path", async () => {
    assert.equal(decided(await get(`/rp${THREAD}`)).url, THREAD);
    assert.equal(decided(await get(`/rp${THREAD}/state?a=%27b`)).url, `${THREAD}/state?a=%27b`);
    world.refused(await nobody(`/rp${THREAD}`), 401, "AGA0101");
  });

  test("RewriteRule [P] of the server: another path", async () => {
    world.refused(await get(`/rp-other${THREAD}`), 500, "AGA0403");
  });

  test("RewriteRule [P] with a query of its own: decided with it", async () => {
    assert.equal(decided(await get(`/rp-query${THREAD}`)).url, `${THREAD}?limit=5`);
  });

  test("RewriteRule [P] of a section comes after the decision", async () => {
    world.refused(await get(`/rd${THREAD}`), 500, "AGA0403");
    world.refused(await nobody(`/rd${THREAD}`), 401, "AGA0101");
  });

  test("ProxyPassMatch: the same path, another path", async () => {
    assert.equal(decided(await get(`/match${THREAD}`)).url, THREAD);
    world.refused(await get(`/match-other${THREAD}`), 500, "AGA0403");
  });

  test("SetHandler proxy: decided path or nothing", async () => {
    world.refused(await nobody(`/handler${THREAD}`), 401, "AGA0101");
    const answer = await get(`/handler${THREAD}`);
    const seen = world.echo.take();
    if (answer.status === 200) {
      assert.ok(seen[0].url.endsWith(THREAD), seen[0].url);
      assert.equal(seen[0].header("agentauth-filter"), ALICE);
    } else {
      assert.equal(answer.header("agentauth-error"), "AGA0403");
      assert.equal(seen.length, 0);
    }
  });

  test("a slash too many in ProxyPass is refused", async () => {
    world.refused(await get(`/double${THREAD}`), 500, "AGA0403");
  });

  test("AgentAuthEnforce is not set", async () => {
    world.refused(await get(`/unset${THREAD}`), 500, "AGA0212");
    decided(await get(`/a${THREAD}`));
  });

  test("sections that were not seen together", async () => {
    world.refused(await get("/combo/x.html"), 500, "AGA0207");
  });
});

describe("other backends", () => {
  test("a Unix socket", async () => {
    bySocket.length = 0;
    assert.equal((await get(`/socket${THREAD}`)).status, 200);
    assert.equal(bySocket[0].url, THREAD);
    assert.equal(bySocket[0].headers["agentauth-filter"], ALICE);
    world.refused(await nobody(`/socket${THREAD}`), 401, "AGA0101");
    const answer = await get(`/socket-assertion${THREAD}`);
    assert.equal(answer.status, 200);
    const [, claims] = bySocket[1].headers["agentauth-assertion"].split(".");
    assert.equal(JSON.parse(Buffer.from(claims, "base64url")).aud, "pool");
    assert.equal(JSON.parse(Buffer.from(claims, "base64url")).htp, THREAD);
    assert.equal(bySocket.length, 2);
  });

  test("a balancer, headers and assertion", async () => {
    assert.equal(decided(await get(`/pool${THREAD}`)).url, THREAD);
    const seen = world.passed(await get(`/pool-assertion${THREAD}`));
    const [, claims] = seen.header("agentauth-assertion").split(".");
    const { aud, htp } = JSON.parse(Buffer.from(claims, "base64url"));
    assert.deepEqual([aud, htp], ["pool", THREAD]);
    assert.equal(seen.header("agentauth-filter"), null);
  });

  for (const path of ["/pool-ajp", "/pool-h2"])
    test(`a member that cannot carry it, ${path}`, async () => {
      world.refused(await get(path + THREAD), 500, "AGA0402");
    });

  test("SCGI gets the environment alone", async () => {
    const answer = await world.ask("POST", "/scgi/some/path?q=1", {
      body: "text", headers: ["AgentAuth-Filter", "true", "Cookie", "agentauth_session=x; other=1"],
    });
    assert.equal(answer.status, 200, answer.text);
    const [env] = scgi.seen.splice(0);
    assert.equal(env.AGENTAUTH_IDENTITY, "alice");
    assert.equal(env.AGENTAUTH_FILTER, '{"path":"/some/path"}');
    assert.equal(env.REMOTE_USER, "alice");
    assert.equal(env.body, "text");
    for (const name of ["HTTP_AGENTAUTH_FILTER", "HTTP_X_API_KEY", "HTTP_AUTHORIZATION"])
      assert.equal(env[name], undefined, name);
    assert.equal(env.HTTP_COOKIE, "other=1");
    assert.equal((await nobody("/scgi/x")).status, 401);
    assert.equal(scgi.seen.length, 0);
  });
});

describe("spellings of a path", () => {
  const rest = `/${ID}/runs`;
  /* [as sent, must be let in somewhere] */
  const SPELLINGS = [
    [`/threads${rest}`, true],
    [`/thread%73${rest}`, true],
    [`/%74hreads${rest}`, true],
    ["/threads/a%20b/runs", true],
    ["/threads/%C3%A9/runs", true],
    [`/x/%2e%2e/threads${rest}`],
    [`/x/../threads${rest}`],
    [`/threads/%2e%2e/threads${rest}`],
    [`/threads/./${ID}/./runs`],
    [`//threads${rest}`],
    [`/threads//${ID}/runs`],
    [`/threads${rest}/`],
    [`/threads${rest}//`],
    [`/threads;x${rest}`],
    [`/threads${rest};x=1`],
    [`/THREADS${rest}`],
    [`/threads%2F${ID}/runs`],
    [`/threads/a%2Fb/runs`],
    [`/threads/${ID}%2Fruns`],
    ["/threads/%252e%252e/runs"],
    ["/threads/a%25b/runs"],
    ["/threads/a%2541/runs"],
    [`/threads${rest}%00`],
    [`/threads${rest}%3F`],
    [`/threads${rest}%3Fa=b`],
    [`/threads${rest}%23`],
    ["/threads/a%5cb/runs"],
    [`/threads%5c${ID}%5cx/../runs`],
    [`/threads\\${ID}\\x/../runs`],
    [`/threads/${ID}\\..\\${ID}/runs`],
    ["/threads/%ff/runs"],
    ["/threads/%c0%ae%c0%ae/runs"],
    ["/threads/%ed%a0%80/runs"],
    ["/threads/%e2%80%ae/runs"],
    ["/threads/%0d%0ax/runs"],
    ["/threads/%zz/runs"],
    ["/threads/%/runs"],
    [`/threads${rest}?`],
    [`/threads${rest}?a=1&b=%2e%2e`, true],
    [`/threads${rest}?x=a/../b`, true],
    [`http://other.test/threads${rest}`],
  ];

  /* The path as backends read it: what the URL standard makes of it. */
  const asBackend = (url) => new URL(url, "http://backend").pathname;

  async function send(port, target) {
    const connection = await world.httpd.connect(port);
    connection.sendLines(
      `POST ${target} HTTP/1.1`, "Host: x", `X-API-Key: ${world.key}`, "Connection: close",
      "Content-Length: 20", "Content-Type: application/json",
    ).send('{"assistant_id":"a"}');
    const answer = await connection.answer();
    connection.close();
    return answer;
  }

  for (const [i, { merge, slashes }] of HOSTS.entries())
    for (const [prefix, mapping] of MAPPINGS)
      test(`MergeSlashes ${merge}, AllowEncodedSlashes ${slashes}, ${mapping || "canonical"}`, async () => {
        const port = world.httpd.ports[i + 1];
        for (const [spelling, must] of SPELLINGS) {
          const target = spelling.startsWith("http:")
            ? spelling.replace("other.test", `other.test${prefix}`)
            : prefix + spelling;
          const answer = await send(port, target);
          const seen = world.echo.take();
          if (answer.status !== 200) {
            assert.equal(seen.length, 0, `${target}: ${answer.status}, yet the backend was asked`);
            /* There the path is not decoded before it is mapped. */
            const undecoded = mapping === "mapping=encoded" && spelling.includes("%");
            assert.ok(!must || undecoded, `${target}: ${answer.status} ${answer.header("agentauth-error")}`);
            continue;
          }
          assert.equal(seen.length, 1, target);
          const saw = JSON.parse(seen[0].text).metadata.path;
          const got = seen[0].url.split("?")[0];
          assert.equal(decodeURIComponent(got), saw, target);
          assert.equal(decodeURIComponent(asBackend(got)), saw, `${target}: as a backend reads ${got}`);
          assert.equal(seen[0].url.split("?").slice(1).join("?"), target.split("?").slice(1).join("?"), target);
        }
      });

  test("every odd one is refused with a code where it is ours to say", async () => {
    const port = world.httpd.ports[1];
    for (const [spelling, status, code] of [
      [`/c/threads;x${rest}`, 400, "AGA0301"],
      [`/c/threads/a%5cb/runs`, 400, "AGA0301"],
      [`/c/threads/%ff/runs`, 400, "AGA0301"],
      [`/c/threads${rest}%3F`, 400, "AGA0301"],
      [`/c/THREADS${rest}`, 404, "AGA0210"],
      [`/c/threads${rest}/`, 404, "AGA0210"],
      [`/nc//threads${rest}`, 500, "AGA0403"],
      [`/nc/x/../threads${rest}`, 500, "AGA0403"],
    ])
      world.refused(await send(port, spelling), status, code, spelling);
  });
});

test("a policy that is broken at the start is a configtest error", async () => {
  const config = place("/a", "AgentAuthRoutes langgraph prefix=/a");
  const check = (policy) =>
    checkConfig({ modules: ["proxy", "proxy_http"], config, prepare: (httpd) => httpd.write("policy.lua", policy) });
  const wrong = await check("auth.on(");
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.text, /AGA0907.*policy\.lua/);
  assert.equal((await check(WITNESS)).code, 0);
});

test("an audience is needed for an assertion to a balancer", async () => {
  const check = (lines) =>
    checkConfig({
      modules: ["proxy", "proxy_http", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests"],
      config: place("/a", `ProxyPass balancer://pool\nAgentAuthRoutes langgraph prefix=/a\nAgentAuthPassAs assertion\n${lines}`),
      prepare: (httpd) => httpd.write("policy.lua", WITNESS),
    });
  const wrong = await check("");
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.text, /AgentAuthAssertionAudience/);
  assert.equal((await check("AgentAuthAssertionAudience pool")).code, 0);
});
