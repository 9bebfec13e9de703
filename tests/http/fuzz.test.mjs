// SPDX-License-Identifier: Apache-2.0
// Random requests of two tenants: who asked, what was decided and what the
// backend gets belong together, however a request is spelled.
//
// Environment: AA_FUZZ_REQUESTS (how many), AA_FUZZ_SEED.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd } from "./lib/httpd.mjs";

const REQUESTS = Number(process.env.AA_FUZZ_REQUESTS ?? 1500);
const SEED = Number(process.env.AA_FUZZ_SEED ?? 20240607);
const LANES = 8; // connections at a time
const ID = "0192a5f0-0000-4000-8000-000000000001";

const POLICY = `local auth = require "agentauth"
auth.on(function(ctx, value)
  return { owner = ctx.user.identity, path = ctx.path, method = ctx.method }
end)
`;

/* Mulberry32: the same requests for the same seed. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const next = random(SEED);
const upTo = (n) => Math.floor(next() * n);
const pick = (list) => list[upTo(list.length)];
const some = (list, most) => Array.from({ length: upTo(most + 1) }, () => pick(list));

// ------------------------------------------------------------ odd requests

const PLACES = ["/plain", "/raw", "/lang", "/sub"];
const WORDS = [
  "threads", "assistants", "runs", "store", "items", "search", ID, "state", "history", "stream", "ok", "info",
  "x", "plain", "raw", "lang", "sub", "auth", ".well-known", "internal", "%74hreads", "thread%73", "a%20b", "%C3%A9",
  "é", "..", ".", "", "%2e%2e", "%2e", "..;", "a;b", "%3f", "%23", "%25", "%252f", "%2f", "%5c", "\\", "%00", "%0d%0a",
  "%ff", "%c0%af", "%zz", "%", "*", "@", ":80", "a=b", "&", "+", "~", "%7e", "THREADS", "%u0074", "$and",
];
const ENDS = ["", "", "", "", "/", "//", "?", "?a=1", "?a=1&a=2", "?%61=1", "?status=x&status=y", "??", "?#", "#x", "?a=/../b", "?%", "?a=%00", "?x=\\"];
const METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "SEARCH", "get", "FOO"];
const HEADERS = [
  "AgentAuth-Identity: alice", "AgentAuth-Filter: true", 'agentauth_filter: {"owner":"alice"}', "AGENTAUTH.USER: {}",
  "AgentAuth-Assertion: x.y.z", "agentauth-identity:", "Connection: AgentAuth-Identity, AgentAuth-Filter",
  "Connection: close;AgentAuth-Filter", "Connection: Content-Type, Content-Length, Host", "Connection: X-API-Key",
  "Connection: Authorization", "X-Original-URL: /admin", "X-HTTP-Method-Override: DELETE", "X_Rewrite_URL: /admin",
  "X-Forwarded-User: alice", "Cookie: agentauth_session=x; a=b", "Cookie: a=b, agentauth_session=y",
  "X-API-Key: lsv2_other", "Range: bytes=0-1", "If-None-Match: *", "If-Match: x", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT",
  "Upgrade: websocket", "Upgrade: h2c", "TE: trailers, gzip", "Trailer: AgentAuth-Filter", "Origin: null", "Origin: http://evil.test",
  "Access-Control-Request-Method: GET", "Expect: 100-continue", "Accept-Encoding: gzip", "Content-Encoding: gzip",
  "Content-Encoding: identity", "Content-Type: application/json; charset=utf-16", "Content-Type: text/plain", "Host: x",
  "Transfer-Encoding: identity", "Content-Length: 0", "Content-Length: 5", "Proxy: x", "X-Auth-Scheme: langsmith",
  "Authorization: Basic YWxpY2U6eA==", "Authorization: Bearer", `X-Long: ${"a".repeat(7000)}`, "X-\u00e9: 1", " folded: 1", "nocolon",
];
const BODIES = [
  "", "{}", '{"metadata":{}}', '{"metadata":{"owner":"alice"}}', '{"metadata":{},"metadata":{"owner":"alice"}}',
  '{"assistant_id":"a","thread_id":"b","input":null}', '[{"assistant_id":"a"}]', "[]", "null", "{", '{"a":1e400}',
  '{"a":"\\ud800"}', `{"a":${"[".repeat(600)}${"]".repeat(600)}}`, "\u0000", '{"metadata":null}', '{"metadata":{"$or":[]}}',
  '{"namespace":["alice"],"key":"k","value":{}}', "a=b&c=d",
];

function target(place) {
  const path = `${place}/${Array.from({ length: 1 + upTo(5) }, () => pick(WORDS)).join("/")}${pick(ENDS)}`;
  if (next() < 0.3) return `${place}/${pick(["threads", `threads/${ID}`, `threads/${ID}/runs`, "threads/search", "x", "runs/batch"])}${pick(ENDS)}`;
  return next() < 0.06 ? pick(["http://x", "http://alice@x", "https://x:1", "//x", "x", "*"]) + path : path;
}

/* Framing as it should be, or nearly so. */
function framed(body) {
  const size = Buffer.byteLength(body);
  const kind = next();
  if (!size && kind < 0.7) return [[], ""];
  if (kind < 0.75) return [[`Content-Length: ${size}`], body];
  const trailers = pick(["", "AgentAuth-Filter: true\r\nAgentAuth-Identity: alice\r\n"]);
  return [["Transfer-Encoding: chunked"], `${size ? `${size.toString(16)}\r\n${body}\r\n` : ""}0\r\n${trailers}\r\n`];
}

function make(n, who) {
  const place = pick(PLACES);
  const [lines, body] = framed(pick(BODIES));
  const headers = [`X-Number: ${n}`, ...some(HEADERS, 3)];
  headers.splice(upTo(headers.length + 1), 0, next() < 0.5 ? `X-API-Key: ${who.key}` : `Authorization: Bearer ${who.key}`);
  const head = [`${pick(METHODS)} ${target(place)} HTTP/1.${next() < 0.95 ? 1 : 0}`, "Host: x", ...lines, ...headers];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

// ---------------------------------------------------------------- the world

let httpd, echo;
const who = [{ name: "alice" }, { name: "bob" }];

const place = (h, path, lines, backend) => `<Location "${path}">
AuthType AgentAuth
Require valid-user
AgentAuthPolicy "${h.path("policy.lua")}"
AgentAuthEnforce headers
${lines}
</Location>
ProxyPass ${path} ${backend}`;

before(async () => {
  echo = await startEcho();
  httpd = await startHttpd({
    modules: ["proxy", "proxy_http"],
    logLevel: "crit",
    prepare: (h) => h.write("policy.lua", POLICY),
    config: (h) => `LogLevel notice
LimitRequestLine 16000
MergeTrailers On
AllowEncodedSlashes NoDecode
ProxyTimeout 10
${place(h, "/plain", "AgentAuthRoutes none prefix=/plain", echo.url)}
${place(h, "/raw", "AgentAuthRoutes none prefix=/raw", `${echo.url} nocanon`)}
${place(h, "/lang", "AgentAuthRoutes langgraph prefix=/lang", echo.url)}
${place(h, "/sub", "AgentAuthRoutes none", `${echo.url}/sub`)}`,
  });
  for (const one of who) {
    await httpd.addUser(one.name);
    one.key = await httpd.addKey(one.name);
  }
});
after(async () => {
  await httpd?.stop();
  echo?.close();
});

/* As backends read a path: what the URL standard makes of it. */
const read = (url) => decodeURIComponent(new URL(url.split("?")[0], "http://backend").pathname);

function check(seen, sent) {
  const n = parseInt(seen.header("X-Number"), 10); // a folded line may follow
  const { name } = sent[n].who;
  const about = `${sent[n].bytes.toString("latin1").slice(0, 600)}\n→ ${seen.method} ${seen.url}`;
  assert.equal(seen.header("AgentAuth-Identity"), name, about);
  const filter = JSON.parse(seen.header("AgentAuth-Filter"));
  // Rows that ask the policy nothing are for every user.
  if (!filter) assert.match(seen.url, /^\/(ok|info)(\?|$)/, about);
  const all = filter ? (filter.$and ?? [filter]) : [];
  for (const one of all) {
    assert.equal(one.owner, name, about);
    assert.equal(read(seen.url), one.path, about);
    assert.equal(decodeURIComponent(seen.url.split("?")[0]), one.path, about);
    assert.equal(seen.method, one.method, about);
  }
  const ours = seen.rawHeaders.filter(([h]) => /^agentauth/.test(h.toLowerCase()));
  assert.equal(new Set(ours.map(([h]) => h)).size, ours.length, about);
  for (const [h] of ours) assert.match(h, /^AgentAuth-(Identity|User|Resource|Action|Filter|Decision-Id)$/, about);
  for (const [h, v] of seen.rawHeaders) {
    assert.doesNotMatch(h, /^x.(original.url|rewrite.url|http.method.override)$/i, about);
    for (const { key } of who) assert.ok(!v.includes(key), about);
  }
}

/* One request on a connection of its own, to its answer's end. */
async function ask(bytes) {
  const connection = await httpd.connect();
  connection.socket.end(bytes);
  const text = await connection.rest();
  connection.close();
  return text.toString("latin1");
}

test(`${REQUESTS} requests, seed ${SEED}`, { timeout: 1_800_000 }, async () => {
  const sent = [];
  const count = { asked: 0, bob: 0, refused: 0 };
  const lane = async () => {
    while (sent.length < REQUESTS) {
      const n = sent.length;
      const one = { who: pick(who) };
      one.bytes = make(n, one.who);
      sent.push(one);
      const text = await ask(one.bytes);
      for (const { key } of who) assert.ok(!text.includes(key), one.bytes.toString("latin1"));
      count.refused += /^HTTP\/1\.[01] [45]/.test(text);
      for (const seen of echo.take()) {
        check(seen, sent);
        count.asked++;
        count.bob += seen.header("AgentAuth-Identity") === "bob";
      }
      assert.equal(echo.upgrades.length, 0);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  // It is no proof when nothing came through, or nothing was refused.
  assert.ok(count.bob > REQUESTS / 50, JSON.stringify(count));
  assert.ok(count.asked - count.bob > REQUESTS / 50, JSON.stringify(count));
  assert.ok(count.refused > REQUESTS / 10, JSON.stringify(count));
  console.log(JSON.stringify(count));
});
