// SPDX-License-Identifier: Apache-2.0
// What httpd itself refuses before it asks which place is meant: in a virtual
// host of ours it is JSON with a code and one log line, and what follows on
// the connection is read correctly or not at all.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { h2Fields } from "./lib/frames.mjs";
import { place, startPlace } from "./lib/place.mjs";

const CODE = "AGA0312";
const LINE = 8190; // LimitRequestLine, LimitRequestFieldSize
const FIELDS = 100; // LimitRequestFields
let world;

before(async () => {
  world = await startPlace({
    modules: ["http2"],
    ports: 2,
    config: (h, echo) => `Protocols h2c http/1.1
AgentAuthDecisionLog "${h.path("log/decisions.log")}"
ProxyPass /a ${echo.url}
${place("/a", "AgentAuthRoutes langgraph prefix=/a")}
<VirtualHost 127.0.0.1:${h.ports[1]}>
ErrorDocument 400 "unreadable"
</VirtualHost>`,
  });
});
after(() => world?.stop());

/* Lines with a code since the last call; decisions are another log. */
let read = 0;
async function lines() {
  const log = await world.httpd.errorLog();
  const fresh = log.slice(read).split("\n").filter((line) => /\bAGA\d{4}\b/.test(line));
  read = log.length;
  return fresh;
}

let decided = 0;
async function decisions() {
  const log = await readFile(world.httpd.path("log/decisions.log"), "utf8");
  const fresh = log.slice(decided).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  decided = log.length;
  return fresh;
}

const GET = "GET /a/threads/x HTTP/1.1";
const POST = "POST /a/threads HTTP/1.1";
const path = (n) => `/a/threads/${"x".repeat(n - "GET /a/threads/ HTTP/1.1".length)}`;
const fill = (n) => Array.from({ length: n }, (_, i) => `X-${i}: y`);

/* [what, status, refused lines, lines of the twin that is let in] */
const ROWS = [
  ["a request line above its limit", 414, [`GET ${path(LINE + 2)} HTTP/1.1`], [`GET ${path(LINE - 10)} HTTP/1.1`]],
  ["a field above its limit", 400, [GET, `X-A: ${"x".repeat(LINE)}`], [GET, `X-A: ${"x".repeat(LINE - 10)}`]],
  ["too many fields", 400, [GET, ...fill(FIELDS + 1)], [GET, ...fill(FIELDS - 3)]],
  ["a field without a colon", 400, [GET, "X-A"], [GET, "X-A:"]],
  ["a blank before the colon", 400, [GET, "X-A : b"], [GET, "X-A:  b"]],
  ["NUL in a field", 400, [GET, "X-A: b\0c"], [GET, "X-A: b\tc"]],
  ["CR in a field", 400, [GET, "X-A: b\rc"], [GET, "X-A: bc"]],
  ["LF alone ends a field", 400, [GET, "X-A: b\nX-B: c"], [GET, "X-A: b", "X-B: c"]],
  ["LF alone ends the request line", 400, [`${GET}\nX-A: b`], [GET, "X-A: b"]],
  ["a fold before any field", 400, [GET, " X-A: b"], [GET, "X-A: b", " c"]],
  ["an encoded slash", 404, ["GET /a/threads/x%2Fy HTTP/1.1"], ["GET /a/threads/x%2Dy HTTP/1.1"]],
  ["an encoded NUL", 404, ["GET /a/threads/x%00 HTTP/1.1"], ["GET /a/threads/x%20 HTTP/1.1"]],
  ["a bad escape", 400, ["GET /a/threads/x%zz HTTP/1.1"], ["GET /a/threads/x%7a HTTP/1.1"]],
  ["a path above the root", 400, ["GET /../../x HTTP/1.1"], ["GET /a/../a/threads/x HTTP/1.1"]],
  ["a path without a slash", 400, ["GET a/threads/x HTTP/1.1"], [GET]],
  ["a fragment", 400, ["GET /a/threads/x#y HTTP/1.1"], [GET]],
  ["a user in the URL", 400, ["GET http://a:b@h/a/threads/x HTTP/1.1"], ["GET http://h/a/threads/x HTTP/1.1"]],
  ["GET *", 400, ["GET * HTTP/1.1"], [GET]],
  ["CONNECT with a path", 400, ["CONNECT /a/threads/x HTTP/1.1"], [GET]],
  ["a method that is no token", 400, ["G(T /a/threads/x HTTP/1.1"], [GET]],
  ["an unknown protocol", 400, ["GET /a/threads/x FTP/1.1"], [GET]],
  ["another protocol's bytes", 400, ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], [GET]],
  ["an unknown coding", 400, [POST, "Transfer-Encoding: gzip"], [POST, "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ["chunked is not the last coding", 400, [POST, "Transfer-Encoding: chunked, identity"], [GET]],
  ["a length with a sign", 400, [POST, "Content-Length: +2"], [POST, "Content-Length: 2"], "{}"],
  ["two lengths", 400, [POST, "Content-Length: 2", "Content-Length: 3"], [POST, "Content-Length: 2"], "{}"],
  ["an expectation nobody knows", 417, [GET, "Expect: tea"], [GET]],
];

/* Neither of the two hosts below is added where a row brings its own. */
const HOSTS = [
  ["no host", [GET], [GET, "Host: x"]],
  ["two hosts", [GET, "Host: x", "Host: y"], [GET, "Host: x"]],
  ["a host that is none", [GET, "Host: x y"], [GET, "Host: x"]],
];

/* Sends it, and another request in the same breath. */
async function pipelined(head, body = "") {
  await lines();
  await decisions();
  world.echo.take();
  const connection = await world.httpd.connect();
  connection.sendLines(...head, `X-API-Key: ${world.key}`).send(body);
  connection.sendLines("GET /a/threads/next HTTP/1.1", "Host: x", `X-API-Key: ${world.key}`, "Connection: close");
  const answer = await connection.answer();
  const rest = (await connection.rest()).toString("latin1");
  connection.close();
  return { answer, rest, seen: world.echo.take().map((one) => one.url) };
}

async function refused(head, status, name) {
  const { answer, rest, seen } = await pipelined(head);
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.header("content-type"), "application/json");
  assert.equal(answer.header("agentauth-error"), CODE);
  assert.equal(answer.header("cache-control"), "no-store");
  assert.ok(answer.json.error);
  const logged = (await lines()).filter((line) => !/decision /.test(line));
  assert.equal(logged.length, 1, logged.join("\n"));
  assert.match(logged[0], new RegExp(`${CODE}: ${status} `), name);
  /* Where httpd knows how far the request goes the next one is served; else
   * it has closed, and nothing of the rest was taken for a request. */
  if (status === 404) assert.match(rest, /^HTTP\/1\.1 200 /);
  else assert.equal(rest, "");
  assert.deepEqual(seen, status === 404 ? ["/threads/next"] : []);
  const said = (await decisions()).filter((line) => line.path !== "/a/threads/next");
  assert.deepEqual(said.map((line) => [line.code, line.status, line.effect]), [[CODE, status, "deny"]]);
}

async function letIn(head, body) {
  const { answer, rest, seen } = await pipelined(head, body);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.header("agentauth-error"), null);
  assert.match(rest, /^HTTP\/1\.1 200 /);
  assert.equal(seen.length, 2);
}

const hosted = ([first, ...more]) => [first, "Host: x", ...more];

describe("HTTP/1.1", () => {
  for (const [name, status, bad, good, body] of ROWS)
    test(name, async () => {
      await refused(bad[0].includes("\n") ? [...bad, "Host: x"] : hosted(bad), status, name);
      await letIn(hosted(good), body);
    });
  for (const [name, bad, good] of HOSTS)
    test(name, async () => {
      await refused(bad, 400, name);
      await letIn(good);
    });

  test("a bad chunk is refused by who reads the body", async () => {
    const { answer, rest, seen } = await pipelined(hosted([POST, "Transfer-Encoding: chunked"]), "zz\r\n{}\r\n0\r\n\r\n");
    assert.equal(answer.status, 400);
    assert.equal(answer.header("agentauth-error"), "AGA0306");
    assert.equal(rest, "");
    assert.deepEqual(seen, []);
    assert.equal((await lines()).length, 1);
  });

  test("a page of the administrator's stays, with the code beside it", async () => {
    const answer = await world.httpd.request({ port: world.httpd.ports[1], path: "/a/threads/x%zz" });
    assert.equal(answer.status, 400);
    assert.equal(answer.text, "unreadable");
    assert.equal(answer.header("agentauth-error"), CODE);
  });

  test("what was read, and is none of ours, is answered by httpd", async () => {
    const answer = await world.httpd.request({ path: "/nowhere" });
    assert.equal(answer.status, 404);
    assert.equal(answer.header("agentauth-error"), null);
    assert.match(answer.header("content-type"), /^text\/html/);
  });
});

describe("HTTP/2", () => {
  const fields = (over = {}, ...more) => [
    ...Object.entries({ ":method": "GET", ":scheme": "http", ":authority": "x", ":path": "/a/threads/x", ...over }),
    ["x-api-key", world.key],
    ...more,
  ];
  const send = (list) => h2Fields({ port: world.httpd.port, fields: list });
  const many = (n) => Array.from({ length: n }, (_, i) => [`x-${i}`, "y"]);
  const H2 = [
    ["a field above its limit", 431, () => fields({}, ["x-a", "x".repeat(LINE + 1)]), () => fields({}, ["x-a", "x".repeat(LINE - 10)])],
    ["too many fields", 431, () => fields({}, ...many(FIELDS + 1)), () => fields({}, ...many(FIELDS - 5))],
    ["a path above its limit", 414, () => fields({ ":path": path(LINE + 100) }), () => fields({ ":path": path(LINE - 100) })],
    ["another scheme", 400, () => fields({ ":scheme": "ftp" }), () => fields()],
    ["an encoded slash", 404, () => fields({ ":path": "/a/threads/x%2Fy" }), () => fields({ ":path": "/a/threads/x%2Dy" })],
    ["an encoded NUL", 404, () => fields({ ":path": "/a/threads/x%00" }), () => fields({ ":path": "/a/threads/x%20" })],
  ];
  for (const [name, status, bad, good] of H2)
    test(name, async () => {
      await lines();
      world.refused(await send(bad()), status, CODE, name);
      const logged = await lines();
      assert.equal(logged.length, 1, logged.join("\n"));
      world.passed(await send(good()), name);
    });
});

test("no child has crashed of it", async () => {
  assert.doesNotMatch(await world.httpd.errorLog(), /exit signal/);
  world.passed(await world.ask("GET", "/a/threads/x"));
});
