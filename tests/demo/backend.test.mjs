// SPDX-License-Identifier: Apache-2.0
// The demo's backend alone: mod_lua over SQLite, the note set by a test hook.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const example = path.join(import.meta.dirname, "../../docs/examples/demo");
const modules = execFileSync("apxs", ["-q", "LIBEXECDIR"]).toString().trim();
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "demo-backend-"));
let httpd, base;

// What the module would do: here the note comes from the request.
const HOOK = `function fixup(r)
  r.notes["agentauth-filter"] = r.headers_in["X-Test-Filter"]
  return apache2.OK
end`;

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

function config(port) {
  const words = {
    DIR: dir, PORT: port, MODULES: modules, MODULE: "", USER: "www-data",
    GROUP: "www-data",
  };
  return fs.readFileSync(path.join(example, "httpd.conf.in"), "utf8")
    .replace(/@([A-Z]+)@/g, (_, word) => words[word])
    .replace(/^LoadModule agentauth_module.*$/m, "")
    .replace(/^AgentAuth.*$/gm, "")
    .replace(/<Location "\/">[^]*?<\/Location>/, "")
    .replace(/agentauth:info/, "")
    + `LuaHookFixups "${dir}/hook.lua" fixup\n`;
}

async function answers() {
  for (let i = 0; i < 100; i++) {
    try { return await fetch(base); } catch { /* not yet */ }
    assert.equal(httpd.exitCode, null, "httpd ended");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("httpd does not answer");
}

before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  fs.chmodSync(dir, 0o755);
  for (const sub of ["logs", "run", "data"]) {
    fs.mkdirSync(path.join(dir, sub));
    fs.chmodSync(path.join(dir, sub), 0o777);
  }
  fs.copyFileSync(path.join(example, "backend.lua"), path.join(dir, "backend.lua"));
  fs.writeFileSync(path.join(dir, "hook.lua"), HOOK);
  fs.writeFileSync(path.join(dir, "httpd.conf"), config(port));
  httpd = spawn("apache2", ["-DFOREGROUND", "-f", path.join(dir, "httpd.conf")],
    { stdio: "inherit" });
  await answers();
});

after(async () => {
  if (httpd && httpd.exitCode === null) {
    const ended = new Promise((resolve) => httpd.once("exit", resolve));
    httpd.kill("SIGTERM");
    await ended;
  }
  fs.rmSync(dir, { recursive: true, force: true });
});

async function ask(method, uri, filter, body) {
  const headers = {};
  if (filter !== undefined) {
    const text = typeof filter === "string" ? filter : JSON.stringify(filter);
    headers["X-Test-Filter"] = Buffer.from(text).toString("latin1"); // its bytes
  }
  const answer = await fetch(base + uri, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  try {
    return { status: answer.status, json: JSON.parse(text) };
  } catch {
    throw new Error(`${method} ${uri}: ${answer.status} ${text}`);
  }
}

async function stored(metadata) {
  const made = await ask("POST", "/threads", "true", { metadata });
  assert.equal(made.status, 200);
  return made.json.thread_id;
}

test("without the note nothing is shown", async () => {
  const id = await stored({ owner: "alice" });
  for (const [method, uri, body] of [["GET", `/threads/${id}`],
    ["DELETE", `/threads/${id}`], ["POST", "/threads/search", {}],
    ["POST", "/threads", {}]]) {
    assert.equal((await ask(method, uri, undefined, body)).status, 403);
  }
  assert.equal((await ask("GET", `/threads/${id}`, "true")).status, 200);
});

test("a thread keeps its metadata byte by byte", async () => {
  const metadata = { owner: "ali'ce %s \"ß\"", n: 1.5, on: true, no: null, list: [1, "a"] };
  const made = await ask("POST", "/threads", "true", { metadata });
  assert.deepEqual(made.json.metadata, metadata);
  assert.match(made.json.thread_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  const seen = await ask("GET", `/threads/${made.json.thread_id}`, "true");
  assert.deepEqual(seen.json, made.json);
});

test("create with an id: once, and again only for who may see it", async () => {
  const thread_id = "11111111-2222-4333-8444-555555555555";
  const body = { thread_id, metadata: { owner: "alice" } };
  const alice = { owner: "alice" };
  assert.equal((await ask("POST", "/threads", alice, body)).status, 200);
  assert.equal((await ask("POST", "/threads", alice, body)).status, 409);
  body.if_exists = "do_nothing";
  assert.equal((await ask("POST", "/threads", alice, body)).status, 200);
  assert.equal((await ask("POST", "/threads", { owner: "bob" }, body)).status, 409);
});

test("delete reaches what the filter shows, and nothing else", async () => {
  const id = await stored({ owner: "carol" });
  assert.equal((await ask("DELETE", `/threads/${id}`, { owner: "bob" })).status, 404);
  assert.equal((await ask("GET", `/threads/${id}`, { owner: "carol" })).status, 200);
  assert.equal((await ask("DELETE", `/threads/${id}`, { owner: "carol" })).status, 200);
  assert.equal((await ask("GET", `/threads/${id}`, { owner: "carol" })).status, 404);
});

test("search narrows by filter, by the client's metadata, by limit", async () => {
  for (const topic of ["tea", "tea", "ale"]) await stored({ owner: "dora", topic });
  const mine = { owner: "dora" };
  const find = async (body) => (await ask("POST", "/threads/search", mine, body)).json;
  assert.equal((await find({})).length, 3);
  assert.equal((await find({ metadata: { topic: "tea" } })).length, 2);
  assert.equal((await find({ metadata: { topic: "tea", owner: "alice" } })).length, 0);
  assert.equal((await find({ limit: 1 })).length, 1);
  assert.equal((await find({ limit: 5, offset: 2 })).length, 1);
  assert.equal((await ask("POST", "/threads/search", { owner: "nobody" }, {})).json.length, 0);
});

test("what is no filter is an error, never all", async () => {
  const id = await stored({ owner: "alice" });
  for (const filter of ["", "false", "1", "\"true\"", "{", "{}", "[]",
    "{\"owner\":[\"alice\"]}", "{\"owner\":{\"$in\":[\"alice\"]}}", "{\"owner\":{}}",
    "{\"$or\":[]}", "{\"$or\":[{}]}"]) {
    const answer = await ask("GET", `/threads/${id}`, filter);
    assert.ok([403, 500].includes(answer.status), `${filter}: ${answer.status}`);
    const made = await ask("POST", "/threads", filter, {});
    assert.ok([403, 500].includes(made.status), `${filter}: ${made.status}`);
  }
});

// The vectors of every matcher, in the normal form that a note has: $eq is
// written as the shorthand. Rows that are no filter never reach a backend, so
// how they are refused is left open; "true" would be all. JavaScript cannot
// send the one number beyond its own.
const short = (value) => {
  if (Array.isArray(value)) return value.map(short);
  if (value === null || typeof value !== "object") return value;
  if (Object.hasOwn(value, "$eq") && Object.keys(value).length === 1) return value.$eq;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, short(v)]));
};
const vectors = path.join(import.meta.dirname, "../vectors/filters.json");
const rows = JSON.parse(fs.readFileSync(vectors, "utf8")).filter((row) =>
  row.filter !== true && !JSON.stringify(row).includes(`${2 ** 53}`));
for (const row of rows) {
  test(row.name, async () => {
    const id = await stored(row.metadata);
    const filter = row.error ? row.filter : row.normal ?? short(row.filter);
    const { status } = await ask("GET", `/threads/${id}`, filter);
    if (row.match === true) assert.equal(status, 200);
    else if (row.match === false) assert.equal(status, 404);
    else assert.notEqual(status, 200);
  });
}
