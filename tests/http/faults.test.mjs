// SPDX-License-Identifier: Apache-2.0
// Bad input and broken surroundings: refused in JSON with one log line and a
// code, never open, never down; the next request is read correctly.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";
import { place, startPlace } from "./lib/place.mjs";

const ID = "0192a5f0-0000-4000-8000-000000000001";
const THREAD = `/a/threads/${ID}`;
const issuer = makeIssuer("https://id.test/", "agents");

let world;
before(async () => {
  world = await startPlace({
    modules: ["http2"],
    prepare: async (httpd) => {
      await httpd.write("jwks.json", issuer.jwks);
      await httpd.write("live.lua", version(1));
    },
    config: (httpd, echo) => `Protocols h2c http/1.1
<AgentAuthIssuer ${issuer.url}>
AgentAuthAudience ${issuer.audience}
AgentAuthJWKS jwks.json
AgentAuthIdentityPrefix "id:"
</AgentAuthIssuer>
ProxyPass /a ${echo.url}
${place("/a", "AgentAuthRoutes langgraph prefix=/a\nAgentAuthMaxBody 64k\nAgentAuthReloadInterval 50ms")}
ProxyPass /p ${echo.url}
${place("/p", "AgentAuthRoutes langgraph prefix=/p\nAgentAuthPolicy live.lua\nAgentAuthReloadInterval 50ms")}
`,
  });
});
after(() => world?.stop());

const version = (n) => `local auth = require "agentauth"
auth.on(function(ctx, value) return { version = "v${n}" } end)
`;
const bearer = (token) => ["Authorization", `Bearer ${token}`];
const ask = (headers, path = THREAD) => world.httpd.request({ path, headers });

/* Lines with a code of ours since the last call; decisions are another log. */
let read = 0;
async function lines() {
  const log = await world.httpd.errorLog();
  const fresh = log.slice(read).split("\n").filter((line) => /\bAGA\d{4}\b/.test(line) && !line.includes("] decision {"));
  read = log.length;
  return fresh;
}

describe("credentials of every broken shape", () => {
  const good = issuer.token("carol");
  const [head, claims, signature] = good.split(".");
  const b64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const SHAPES = [
    ["empty parts", ".."],
    ["two parts", `${head}.${claims}`],
    ["four parts", `${good}.x`],
    ["no signature", `${head}.${claims}.`],
    ["cut", good.slice(0, -5)],
    ["another alphabet", `${head}.${claims}.${signature.slice(0, -1)}+`],
    ["padding", `${good}==`],
    ["header is no JSON", `${b64("{")}.${claims}.${signature}`],
    ["header is a list", `${b64([])}.${claims}.${signature}`],
    ["alg none", `${b64({ alg: "none" })}.${claims}.`],
    ["duplicate member", `${b64('{"alg":"none","alg":"ES256"}')}.${claims}.${signature}`],
    ["crit", issuer.token("carol", {}, { crit: ["x"], x: 1 })],
    ["altered", `${head}.${b64({ ...JSON.parse(Buffer.from(claims, "base64url")), sub: "admin" })}.${signature}`],
    ["expired", issuer.token("carol", { exp: 1 })],
    ["no exp", issuer.token("carol", { exp: undefined })],
    ["exp is a text", issuer.token("carol", { exp: "9999999999" })],
    ["another audience", issuer.token("carol", { aud: "others" })],
    ["another issuer", issuer.token("carol", { iss: "https://other.test/" })],
    ["no sub", issuer.token(undefined)],
    ["sub is a number", issuer.token(7)],
    ["sub is empty", issuer.token("")],
    ["NUL in sub", issuer.token("carol\0admin")],
    ["CR LF in sub", issuer.token("carol\r\nAgentAuth-Filter: true")],
    ["long sub", issuer.token("x".repeat(300))],
    ["deep claims", issuer.token("carol", { x: JSON.parse("[".repeat(100) + "]".repeat(100)) })],
    ["key without checksum", "sk-agentauth-" + "A".repeat(48)],
    ["key cut", "sk-agentauth-A"],
    ["session of nowhere", "sess_x"],
    ["7 KB", "x".repeat(7000)],
    ["7 KB with dots", `${"x".repeat(3000)}.${"y".repeat(3000)}.z`],
  ];
  for (const [name, token] of SHAPES)
    test(name, async () => {
      await lines();
      const connection = await world.httpd.connect();
      connection.sendLines(`GET ${THREAD} HTTP/1.1`, "Host: x", `Authorization: Bearer ${token}`);
      const answer = await connection.answer();
      world.refused(answer, 401, answer.header("agentauth-error"), name);
      assert.match(answer.header("agentauth-error"), /^AGA01/);
      assert.match(answer.header("www-authenticate"), /^Bearer /);
      assert.equal(answer.headers("www-authenticate").length, 1);
      const logged = await lines();
      assert.equal(logged.length, 1, logged.join("\n"));
      assert.ok(logged[0].includes(answer.header("agentauth-error")));
      if (token.length > 8) assert.ok(!logged[0].includes(token), "the credential is in the log");
      connection.sendLines(`GET ${THREAD} HTTP/1.1`, "Host: x", `Authorization: Bearer ${good}`);
      const next = world.passed(await connection.answer(), name);
      assert.equal(next.header("agentauth-identity"), "id:carol");
      connection.close();
    });

  test("claims with CR and LF elsewhere are data, with NUL they are refused", async () => {
    const name = 'C\r\nAgentAuth-Filter: true"\u00e9\u2028';
    const seen = world.passed(await ask(bearer(issuer.token("carol", { email: name }))));
    assert.equal(seen.header("agentauth-filter"), '{"owner":"id:carol"}');
    assert.match(seen.header("agentauth-user"), /^[\x20-\x7e]*$/);
    assert.equal(JSON.parse(seen.header("agentauth-user")).email, name);
    /* C strings end at it, so such a token is none. */
    world.refused(await ask(bearer(issuer.token("carol", { email: "a\0b" }))), 401, "AGA0120");
  });

  test("a user too large for a header is refused, not cut", async () => {
    const token = (n) => issuer.token("carol", { email: "x".repeat(n) });
    world.refused(await ask(bearer(token(4200))), 500, "AGA0401");
    world.passed(await ask(bearer(token(3000))));
  });
});

describe("headers", () => {
  test("8 KB of them", async () => {
    const seen = world.passed(await ask(["X-API-Key", world.key, "X-Long", "x".repeat(8000)]));
    assert.equal(seen.header("x-long").length, 8000);
    const answer = await ask(["X-API-Key", world.key, "X-Long", "x".repeat(9000)]);
    assert.equal(answer.status, 400);
    const many = Array.from({ length: 150 }, (_, i) => [`X-${i}`, "y"]).flat();
    assert.equal((await ask(["X-API-Key", world.key, ...many])).status, 400);
    assert.equal(world.echo.take().length, 0);
    world.passed(await ask(["X-API-Key", world.key, ...many.slice(0, 160)]));
  });

  test("a long credential in each place", async () => {
    for (const headers of [["X-API-Key", "y".repeat(8000)], bearer("z".repeat(8000)), ["Authorization", `Basic ${"a".repeat(8000)}`]]) {
      const answer = await ask(headers);
      world.refused(answer, 401, answer.header("agentauth-error"));
    }
  });

  test("bytes that are no header", async () => {
    for (const line of ["X-A: a\0b", "X-A : b", "X A: b", ": b", "X-A: a\rb"]) {
      const connection = await world.httpd.connect();
      connection.send(`GET ${THREAD} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${world.key}\r\n${line}\r\n\r\n`);
      assert.equal((await connection.answer()).status, 400, JSON.stringify(line));
      await connection.closed();
    }
    assert.equal(world.echo.take().length, 0);
  });
});

test("each refusal is one log line with its code, and the connection goes on or ends", async () => {
  const rows = [
    ["GET", "/a/nothing", "", "AGA0210"],
    ["DELETE", THREAD, "", "AGA0201"],
    ["POST", "/a/internal/truncate", "", "AGA0211"],
    ["GET", `${THREAD}/runs?status=1&status=2`, "", "AGA0302"],
    ["GET", "/a/threads/a;b", "", "AGA0301"],
    ["POST", "/a/threads", "{", "AGA0303"],
    ["POST", "/a/threads", `{"a":"${"x".repeat(70000)}"}`, "AGA0304"],
  ];
  for (const [method, path, body, code] of rows) {
    await lines();
    const connection = await world.httpd.connect();
    connection
      .sendLines(`${method} ${path} HTTP/1.1`, "Host: x", `X-API-Key: ${world.key}`, `Content-Length: ${body.length}`)
      .send(body);
    const answer = await connection.answer();
    world.refused(answer, answer.status, code, path);
    assert.ok(answer.status >= 400 && answer.status < 500, path);
    const logged = await lines();
    assert.deepEqual(logged.map((line) => /AGA\d{4}/.exec(line)[0]), [code], logged.join("\n"));
    if (/close/i.test(answer.header("connection") ?? "")) {
      await connection.closed();
      continue;
    }
    connection.sendLines(`GET ${THREAD} HTTP/1.1`, "Host: x", `X-API-Key: ${world.key}`);
    world.passed(await connection.answer(), path);
    connection.close();
  }
});

test("HTTP/2: early refusals of uploads do not hang", async () => {
  for (let i = 0; i < 3; i++) {
    const answer = await world.httpd.h2({ method: "POST", path: "/a/threads", chunks: [Buffer.alloc(60000, 0x20)] });
    assert.equal(answer.status, 401);
  }
  assert.equal(world.echo.take().length, 0);
  const connection = await world.httpd.connect();
  connection.sendLines("POST /a/threads HTTP/1.1", "Host: x", "Content-Length: 3000000").send(Buffer.alloc(3000000, 0x20));
  assert.equal((await connection.answer()).status, 401);
  connection.close();
});

describe("the policy file while httpd runs", () => {
  const shows = async (n) =>
    until(async () => {
      const answer = await world.ask("GET", `/p/threads/${ID}`);
      return world.passed(answer).header("agentauth-filter") === `{"version":"v${n}"}`;
    }, `version ${n}`);

  test("broken: the old one stays, and the log says so once it is seen", async () => {
    await shows(1);
    await world.httpd.write("live.lua", "auth.on(");
    await until(async () => {
      await shows(1);
      return /live\.lua/.test(await world.httpd.errorLog());
    }, "the log to say so");
    await shows(1);
    await world.httpd.write("live.lua", version(2));
    await shows(2);
  });

  test("deleted: the old one stays; a new one takes effect", async () => {
    await rm(world.httpd.path("live.lua"));
    const end = Date.now() + 300; // several looks at it
    while (Date.now() < end) await shows(2);
    await world.httpd.write("live.lua", version(3));
    await shows(3);
  });

  test("unreadable: the old one stays", async () => {
    await chmod(world.httpd.path("live.lua"), 0);
    const end = Date.now() + 200;
    while (Date.now() < end) await shows(3);
    await world.httpd.write("live.lua", version(4));
    await shows(4);
  });
});

describe("the store", () => {
  const files = async () =>
    (await readdir(world.httpd.stateDir)).filter((name) => /sqlite/.test(name)).map((name) => join(world.httpd.stateDir, name));
  const fresh = () => world.httpd.addKey("alice"); // in no cache
  const bogus = () => world.key.replace(/.{6}$/, "AAAAAA");

  async function overwrite(file, bytes) {
    const handle = await open(file, "r+"); // in place: connections have it open
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.close();
  }

  test("destroyed: 503 in JSON, and it works again afterwards", async () => {
    const key = await fresh();
    const saved = await Promise.all((await files()).filter((f) => !f.endsWith("-shm")).map(async (f) => [f, await readFile(f)]));
    assert.ok(saved.length >= 1);
    for (const [file, bytes] of saved) await overwrite(file, Buffer.alloc(bytes.length, 0x78));
    await lines();
    const answer = await ask(["X-API-Key", key]);
    for (const [file, bytes] of saved) await overwrite(file, bytes);
    world.refused(answer, 503, "AGA0501");
    assert.ok(Number(answer.header("retry-after")) > 0);
    assert.ok((await lines()).some((line) => line.includes("AGA0501")));
    await until(async () => (await ask(["X-API-Key", key])).status === 200, "the store to work again");
    world.echo.take();
    assert.equal((await world.httpd.cli("key", "list")).code, 0);
  });

  test("gone: nobody gets in by it, and it works again afterwards", async () => {
    const key = await fresh();
    const all = await files();
    for (const file of all) await rename(file, `${file}.away`);
    const wrong = await ask(["X-API-Key", bogus()]);
    const right = await ask(["X-API-Key", key]);
    const created = await world.httpd.cli("key", "create", "--user", "alice");
    for (const file of await files()) if (!file.endsWith(".away")) await rm(file);
    for (const file of all) await rename(`${file}.away`, file);
    assert.ok([401, 503].includes(wrong.status));
    assert.ok([200, 503].includes(right.status), `${right.status}`); // an open file is still there
    assert.notEqual(created.code, 0);
    world.echo.take();
    await until(async () => (await ask(["X-API-Key", key])).status === 200, "the store to work again");
    world.echo.take();
    world.passed(await ask(["X-API-Key", await fresh()]));
  });

  test("locked by a writer: reads go on, writes are refused, nothing is half done", async () => {
    const key = await fresh();
    const file = (await files()).find((name) => /sqlite$/.test(name)) ?? (await files())[0];
    const python = spawn("python3", ["-c", `
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
c.execute("ROLLBACK")
`, file]);
    try {
      await once(python.stdout, "data");
      world.passed(await ask(["X-API-Key", key]));
      const answer = await ask(["X-API-Key", bogus()]);
      world.refused(answer, 401, answer.header("agentauth-error"));
      const { code, stderr } = await world.httpd.cli("key", "create", "--user", "alice");
      assert.equal(code, 1, stderr);
    } finally {
      python.stdin.end();
      await once(python, "exit");
    }
    world.passed(await ask(["X-API-Key", await fresh()]));
  });

  test("read-only: keys still work, nothing is lost", async () => {
    const key = await fresh();
    const all = await files();
    const modes = await Promise.all(all.map(async (file) => (await stat(file)).mode & 0o777));
    for (const file of all) await chmod(file, 0o400);
    const answer = await ask(["X-API-Key", key]);
    for (const [i, file] of all.entries()) await chmod(file, modes[i]);
    assert.ok([200, 503].includes(answer.status), `${answer.status} ${answer.text}`);
    world.echo.take();
    world.passed(await ask(["X-API-Key", await fresh()]));
  });
});

test("no child has crashed", async () => {
  assert.doesNotMatch(await world.httpd.errorLog(), /exit signal|AddressSanitizer|runtime error:/);
  world.passed(await world.ask("GET", THREAD));
});
