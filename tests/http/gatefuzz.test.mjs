// SPDX-License-Identifier: Apache-2.0
// Two tenants before a real agent server without login. Whatever bob sends,
// nothing that he gets holds a word of alice's, and nothing of hers changes.
//
// Environment: AA_GATEFUZZ_REQUESTS (how many), AA_GATEFUZZ_SEED,
// AA_GATEFUZZ_SECONDS (of the crowd).
import assert from "node:assert/strict";
import http from "node:http";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startAgents } from "./lib/agents.mjs";

const REQUESTS = Number(process.env.AA_GATEFUZZ_REQUESTS ?? 2000);
const SEED = Number(process.env.AA_GATEFUZZ_SEED ?? 20240607);
const SECONDS = Number(process.env.AA_GATEFUZZ_SECONDS ?? 5);
const LANES = 16;
const CROWD = 16; // clients of two tenants
const STREAM = 200; // ms without an event, then a stream is left
const MARK = "mark-of-alice"; // bob never says it
const TOPIC = "what-both-may-say"; // in hers as well: his searches would find it

/* Owners by equality; dana's twin of bob looks by filters beyond it. */
const POLICY = `
local auth = require "agentauth"
auth.on(function(ctx, value) return false end)
auth.on({ "threads", "assistants" }, function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  if ctx.user.identity == "admin" and ctx.action == "search" then
    return { ["$or"] = { { owner = "admin" }, { owner = "nobody" } } }
  end
  return { owner = ctx.user.identity }
end)
auth.on.crons(function(ctx, value) return { owner = ctx.user.identity } end)
auth.on.store(function(ctx, value)
  assert(value.namespace and value.namespace[1] == ctx.user.identity, "Not authorized")
end)
`;

/* Mulberry32: the same choices for the same seed. */
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
const chance = (p) => next() < p;

let world, hers, his;
const agent = new http.Agent({ keepAlive: true, maxSockets: 40 });

/** {status, text} with a body as given. */
function send(port, { method, path, headers, body }) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent, timeout: 30_000 }, (answer) => {
      const chunks = [];
      let idle;
      const done = () => {
        clearTimeout(idle);
        resolve({ status: answer.statusCode, headers: answer.rawHeaders.join("\n"), text: Buffer.concat(chunks).toString("utf8") });
      };
      const leave = () => {
        done();
        request.destroy();
      };
      const listen = () => {
        clearTimeout(idle);
        if (/event-stream/.test(answer.headers["content-type"])) idle = setTimeout(leave, STREAM);
      };
      listen();
      answer.on("data", (chunk) => {
        chunks.push(chunk);
        listen();
      });
      answer.on("end", done);
      answer.on("error", done);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer: ${method} ${path} ${body?.slice(0, 300)}`)));
    request.on("error", reject);
    request.end(body);
  });
}

/** As somebody through the gateway, or (null) past it. */
async function call(who, method, path, json) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const headers = { ...(who ? world.headers(who) : {}), ...(body ? { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) } : {}) };
  const answer = await send(who ? world.httpd.port : world.server.port, { method, path, headers, body });
  try {
    answer.json = JSON.parse(answer.text);
  } catch {
    answer.json = undefined;
  }
  return answer;
}

async function ok(...args) {
  const answer = await call(...args);
  assert.ok(answer.status < 300, `${args[1]} ${args[2]}: ${answer.status} ${answer.text}`);
  return answer.json;
}

/* A tenant's belongings, each with its mark. */
async function furnish(who, mark) {
  const own = { threads: [], runs: [], assistants: [], checkpoints: [], keys: [], stateless: [] };
  for (let i = 0; i < 3; i++) {
    const assistant = await ok(who, "POST", "/assistants", {
      graph_id: "agent", name: `${mark}-name`, metadata: { note: mark, topic: TOPIC }, config: { configurable: { note: mark } },
    });
    own.assistants.push(assistant.assistant_id);
    const thread = await ok(who, "POST", "/threads", { metadata: { note: mark, topic: TOPIC, n: i } });
    const id = thread.thread_id;
    own.threads.push(id);
    await ok(who, "POST", `/threads/${id}/runs/wait`, { assistant_id: assistant.assistant_id, input: { text: mark }, metadata: { note: mark, topic: TOPIC } });
    const state = await ok(who, "POST", `/threads/${id}/state`, { values: { text: `${mark}-state` } });
    own.checkpoints.push(state.checkpoint?.checkpoint_id ?? randomUUID());
    const list = await ok(who, "GET", `/threads/${id}/runs`);
    own.runs.push(...list.map((run) => run.run_id));
    const key = `key-${i}-of-${who}`;
    await ok(who, "PUT", "/store/items", { namespace: [who, "room"], key, value: { note: mark, topic: TOPIC } });
    own.keys.push(key);
  }
  const run = await ok(who, "POST", "/runs", { assistant_id: "agent", input: { text: mark }, on_completion: "keep", metadata: { note: mark, topic: TOPIC } });
  own.stateless.push(run.run_id);
  own.threads.push(run.thread_id);
  await call(who, "GET", `/threads/${run.thread_id}/runs/${run.run_id}/join`);
  return own;
}

const sorted = (list, key) => [...list].sort((a, b) => (a[key] < b[key] ? -1 : 1));

/* All that the backend has of an owner, asked past the gateway. */
async function dump(owner) {
  const metadata = { owner };
  const threads = await ok(null, "POST", "/threads/search", { metadata, limit: 1000 });
  const assistants = await ok(null, "POST", "/assistants/search", { metadata, limit: 1000 });
  const { items } = await ok(null, "POST", "/store/items/search", { namespace_prefix: [owner], limit: 1000 });
  const states = {}, runs = {}, versions = {};
  for (const { thread_id: id } of threads) {
    states[id] = await ok(null, "GET", `/threads/${id}/history?limit=100`);
    runs[id] = sorted(await ok(null, "GET", `/threads/${id}/runs?limit=100`), "run_id");
  }
  for (const { assistant_id: id } of assistants)
    versions[id] = await ok(null, "POST", `/assistants/${id}/versions`, {});
  return {
    threads: sorted(threads, "thread_id"), assistants: sorted(assistants, "assistant_id"),
    items: sorted(items, "key"), states, runs, versions,
  };
}

// ------------------------------------------------------------- what bob sends

const ROWS = `GET /ok|GET /info|POST /internal/truncate
POST /threads|POST /threads/search|POST /threads/count|GET /threads/T|PATCH /threads/T|DELETE /threads/T
POST /threads/T/copy|GET /threads/T/state|POST /threads/T/state|GET /threads/T/state/C
POST /threads/T/state/checkpoint|GET /threads/T/history|POST /threads/T/history
GET /threads/T/runs|POST /threads/T/runs|POST /threads/T/runs/stream|POST /threads/T/runs/wait
GET /threads/T/runs/R|DELETE /threads/T/runs/R|GET /threads/T/runs/R/join|GET /threads/T/runs/R/stream
POST /threads/T/runs/R/cancel|POST /runs|POST /runs/stream|POST /runs/wait|POST /runs/batch
GET /runs/R/stream|POST /runs/crons|POST /runs/crons/search|DELETE /runs/crons/R|POST /threads/T/runs/crons
POST /threads/T/commands|POST /threads/T/stream/events|GET /threads/T/stream/events
POST /assistants|POST /assistants/search|POST /assistants/count|GET /assistants/A|PATCH /assistants/A
DELETE /assistants/A|GET /assistants/A/graph|GET /assistants/A/schemas|GET /assistants/A/subgraphs
GET /assistants/A/subgraphs/x|POST /assistants/A/latest|POST /assistants/A/versions
PUT /store/items|GET /store/items|DELETE /store/items|POST /store/items/search|POST /store/namespaces
POST /threads/prune|GET /threads/T/stream|GET /threads/T/storage|POST /runs/cancel|POST /runs/crons/count
PATCH /runs/crons/R|POST /a2a/A|POST /mcp/|GET /mcp/|GET /docs|GET /openapi.json|GET /metrics`.split(/[|\n]/);

const GRAPH_ID = "fe096781-5601-53d2-b2f6-0d3403f7e9ca"; // of "agent", as the server makes it

/* Mostly alice's: it is she who is to be protected. */
const id = (kind) => {
  const from = chance(0.65) ? hers : his;
  const value = from[kind].length ? pick(from[kind]) : randomUUID();
  if (chance(0.9)) return value;
  return pick([value.toUpperCase(), value.replaceAll("-", ""), `{${value}}`, `urn:uuid:${value}`, randomUUID(), "agent", GRAPH_ID, "..", "%2e%2e", "search"]);
};

const path = (row) =>
  row
    .replace(/(?<=\/)T\b/, () => id("threads"))
    .replace(/(?<=\/)R\b/, () => id(chance(0.9) ? "runs" : "stateless"))
    .replace(/(?<=\/)A\b/, () => (chance(0.2) ? "agent" : id("assistants")))
    .replace(/(?<=\/)C\b/, () => id("checkpoints"));

const namespace = () =>
  pick([["alice", "room"], ["alice"], ["bob", "room"], ["bob"], [], ["bob", "..", "alice"], ["bob.alice"], ["", "alice"], ["bob:x", "room"],
    ["alice:room"], ["b", "alice"], [["alice"]], "alice", { 1: "bob" }, ["bob", "alice", "room"], null]);

const metadata = () =>
  pick([
    {}, { note: "mine" }, { owner: "alice" }, { owner: "alice", topic: TOPIC }, { owner: null }, { owner: ["bob", "alice"] },
    { owner: { $or: ["alice"] } }, { "owner ": "alice" }, { created_by: "system" }, { "metadata.owner": "alice" }, null, [], "x", { topic: TOPIC },
    { owner: "bob", "\u0000": 1 }, { $or: [{ owner: "alice" }] },
  ]);

const configurable = () => ({
  thread_id: id("threads"), checkpoint_id: id("checkpoints"), langgraph_auth_user_id: "alice", langgraph_auth_user: { identity: "alice" },
  langgraph_auth_permissions: ["admin"], checkpoint_ns: "", run_id: id("runs"), assistant_id: id("assistants"), graph_id: "agent",
});

/* A body of a row with most of its members. */
function shape(row) {
  const checkpoint = { checkpoint_id: id("checkpoints"), thread_id: id("threads"), checkpoint_ns: "", checkpoint_map: {} };
  const run = () => ({
    assistant_id: chance(0.5) ? "agent" : id("assistants"), input: { text: "of bob" }, metadata: metadata(), thread_id: id("threads"),
    config: { configurable: configurable(), metadata: metadata() }, webhook: pick([`/threads/${id("threads")}/state`, `${world.server.url}/threads/${id("threads")}/state`, "//localhost/x"]),
    if_not_exists: pick(["create", "reject"]), on_completion: pick(["keep", "delete"]), checkpoint, checkpoint_id: id("checkpoints"),
    multitask_strategy: pick(["reject", "interrupt", "rollback", "enqueue"]), on_disconnect: pick(["cancel", "continue"]), stream_mode: "values",
    command: { update: { text: "of bob" } }, context: { thread_id: id("threads") },
  });
  const search = () => ({
    metadata: metadata(), ids: [id("threads")], values: {}, limit: pick([1, 10, 1000]), offset: pick([0, 1]), select: ["thread_id", "values", "metadata"],
    sort_by: "created_at", graph_id: "agent", thread_id: id("threads"), assistant_id: id("assistants"),
  });
  if (/runs\/batch/.test(row)) return [run(), run()];
  if (/runs(\/(stream|wait|crons))?$/.test(row)) return run();
  if (/store/.test(row))
    return { namespace: namespace(), namespace_prefix: namespace(), prefix: namespace(), suffix: namespace(), key: pick([...hers.keys, ...his.keys, "k"]), value: { note: "of bob" }, limit: 1000, filter: pick([{}, { topic: TOPIC }]), query: TOPIC };
  if (/commands/.test(row))
    return {
      id: 1, method: pick(["run.start", "input.respond", "state.get", "subscription.subscribe", "subscription.reconnect", "agent.getTree", "state.update", "run.cancel"]),
      params: { ...run(), multitaskStrategy: "interrupt", channels: ["values"], namespace: [], namespaces: [[]] },
    };
  if (/stream\/events/.test(row)) return { channels: ["values", "custom"], namespaces: [[]] };
  if (/search|count|versions/.test(row)) return search();
  if (/^POST \/threads$/.test(row))
    return { thread_id: chance(0.5) ? id("threads") : undefined, metadata: metadata(), if_exists: pick(["do_nothing", "raise"]), supersteps: chance(0.3) ? [{ updates: [{ values: { text: "of bob" }, as_node: "speak" }] }] : undefined };
  if (/^POST \/assistants$/.test(row))
    return { assistant_id: chance(0.5) ? id("assistants") : undefined, graph_id: "agent", metadata: metadata(), if_exists: pick(["do_nothing", "raise"]), config: { configurable: configurable() } };
  if (/latest/.test(row)) return { version: 1 };
  if (/prune|cancel/.test(row)) return { thread_ids: [id("threads"), id("threads")], thread_id: id("threads"), run_ids: [id("runs")], status: "all", strategy: "delete" };
  if (/a2a|mcp/.test(row)) return { jsonrpc: "2.0", id: 1, method: pick(["message/send", "tasks/get", "tools/call"]), params: { message: { contextId: id("threads") }, contextId: id("threads"), id: id("runs") } };
  return { metadata: metadata(), values: { text: "of bob" }, checkpoint, as_node: "speak", limit: 100, graph_id: "agent", name: "of bob", before: { configurable: configurable() } };
}

/* One thing in it that is not as it should be. */
function mutate(value) {
  if (!value || typeof value !== "object") return value;
  const keys = Object.keys(value);
  const key = pick(keys);
  if (key === undefined) return value;
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const kind = upTo(7);
  if (kind < 2 && copy[key] && typeof copy[key] === "object") copy[key] = mutate(copy[key]);
  else if (kind === 2) delete copy[key];
  else if (kind === 3) copy[key] = pick([null, 5, "x", [], {}, true, -1, 1e308, "alice", TOPIC, [["a"]]]);
  else if (kind === 4 && !Array.isArray(copy)) copy[`${key}.x`] = copy[key];
  else if (kind === 5) copy[key] = [copy[key]];
  else if (!Array.isArray(copy)) copy[pick(["owner", "metadata", "thread_id", "ids", "webhook", "limit"])] = pick(["alice", {}, [], 10_000, id("threads")]);
  return copy;
}

/* As text, mostly what JSON.stringify says of it. */
function written(body) {
  let text = JSON.stringify(body);
  if (chance(0.85)) return text;
  switch (upTo(6)) {
    case 0:
      return text.replace(/"(metadata|namespace|thread_id|owner|limit)"/, (whole, name) => `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`);
    case 1:
      return text.replace(/^\{/, '{"metadata":{"owner":"alice"},"thread_id":null,');
    case 2:
      return text.slice(0, upTo(text.length + 1));
    case 3:
      return `\ufeff${text}`;
    case 4:
      return ` \n${text}\t`;
    default:
      return `${text}${text}`;
  }
}

const QUERIES = () => [
  "", "", "", "?limit=1000", `?namespace=alice.room&key=${pick(hers.keys)}`, `?namespace=bob.room&key=${pick(his.keys)}`,
  `?namespace=bob&namespace=alice.room&key=${pick(hers.keys)}`, `?namespace=alice&namespace=room&key=${pick(hers.keys)}`, "?delete_threads=true",
  "?delete%5Fthreads=true", "?subgraphs=true", "?wait=true&action=rollback", "?action=interrupt", "?cancel_on_disconnect=true", "?metadata=%7B%7D",
  `?thread_id=${pick(hers.threads)}`, `?assistant_id=${pick(hers.assistants)}`, "?owner=alice", "?%", "?a=%00", "?limit=1&limit=1000", "?before=x", "??", "?#",
];

/* Escapes, empty and dot segments, letters in other cases. */
function spell(text) {
  if (chance(0.85)) return text;
  const at = upTo(text.length);
  const c = text.charCodeAt(at).toString(16).padStart(2, "0");
  switch (upTo(8)) {
    case 0: return `${text.slice(0, at)}%${c}${text.slice(at + 1)}`;
    case 1: return `${text.slice(0, at)}%25${c}${text.slice(at + 1)}`;
    case 2: return text.replace("/", "//");
    case 3: return `${text}/`;
    case 4: return `/ok/..${text}`;
    case 5: return text.replace(/\/([^/]*)$/, "/./$1");
    case 6: return `${text};x=1`;
    default: return text.replace(/\/([a-z])/, (whole, letter) => `/${letter.toUpperCase()}`);
  }
}

const HEADERS = [
  { "X-User-Id": "alice" }, { "AgentAuth-Identity": "alice" }, { "X-HTTP-Method-Override": "DELETE" }, { "X-Auth-Scheme": "langsmith" }, { "X-Original-URL": "/internal/truncate" },
  { "Last-Event-ID": "-1" }, { Accept: "text/event-stream" }, { Range: "bytes=0-10" }, { "If-None-Match": "*" }, { "Transfer-Encoding": "chunked" },
  { "langgraph_auth_user_id": "alice" }, { "Accept-Encoding": "gzip" }, { Expect: "100-continue" }, { "Content-Encoding": "identity" }, { Prefer: "x" },
];
const TYPES = ["application/json", "application/json", "application/json", "text/plain", "application/x-www-form-urlencoded", "application/json5", "multipart/form-data", "application/json; charset=utf-16"];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

function make(n) {
  const row = pick(ROWS);
  let [method, target] = row.split(" ");
  // bob's own things are his to delete, but some have to be left.
  if (method === "DELETE" && /^\/(threads|assistants)\/.$/.test(target) && chance(0.5)) method = "PATCH";
  target = spell(path(target));
  if (chance(0.05)) method = pick(METHODS);
  const query = /\?/.test(target) ? "" : pick(/store\/items$/.test(row) || chance(0.3) ? QUERIES() : [""]);
  const headers = { ...world.headers(n % 10 === 9 ? "admin" : "bob"), ...(chance(0.2) ? pick(HEADERS) : {}) };
  let body;
  if (!/^(GET|HEAD|OPTIONS)/.test(row) || chance(0.05)) {
    let json = shape(row);
    while (chance(0.35)) json = mutate(json);
    // Members that are all there at once hide one another.
    if (chance(0.5) && json && !Array.isArray(json)) for (const key of Object.keys(json)) if (chance(0.3)) delete json[key];
    body = chance(0.97) ? written(json) : undefined;
    if (body !== undefined) {
      headers["Content-Type"] = pick(TYPES);
      if (!headers["Transfer-Encoding"]) headers["Content-Length"] = Buffer.byteLength(body);
    }
  } else delete headers["Transfer-Encoding"];
  return { method, path: target + query, headers, body };
}

/* What of bob's survives is his to use: ids that he has made join his lists. */
function learn(answer) {
  let json;
  try {
    json = JSON.parse(answer.text);
  } catch {
    return;
  }
  for (const one of [json].flat().slice(0, 3)) {
    if (!one || typeof one !== "object") continue;
    for (const [kind, key] of [["threads", "thread_id"], ["runs", "run_id"], ["assistants", "assistant_id"]])
      if (typeof one[key] === "string" && one[key] !== GRAPH_ID && !hers[kind].includes(one[key])) his[kind].splice(upTo(12), his[kind].length > 12 ? 1 : 0, one[key]);
  }
}

const quote = (request) => `${request.method} ${request.path}\n${JSON.stringify(request.headers)}\n${request.body?.slice(0, 1500)}`;

describe("two tenants", () => {
  before(async () => {
    // Nobody waits for streams that are left; but httpd does, until then.
    world = await startAgents({ policy: POLICY, enforce: "gateway", server: "ProxyTimeout 6" });
    hers = await furnish("alice", MARK);
    his = await furnish("bob", "of-bob");
  });
  after(async () => {
    agent.destroy();
    await world?.stop();
  });

  test(`${REQUESTS} requests, seed ${SEED}`, { timeout: 3_600_000 }, async () => {
    const was = await dump("alice");
    assert.ok(JSON.stringify(was).includes(MARK));
    const count = {};
    const codes = {};
    let n = 0;
    let last = Date.now();
    const lane = async () => {
      while (n < REQUESTS) {
        const request = make(n++);
        let answer;
        try {
          answer = await send(world.httpd.port, request);
        } catch (error) {
          if (/no answer/.test(error.message)) throw new Error(`${error.message}\n${quote(request)}`);
          count.broken = (count.broken ?? 0) + 1; // a request that was none
          continue;
        }
        count[answer.status] = (count[answer.status] ?? 0) + 1;
        const [, code] = /AgentAuth-Error\n(\S+)/.exec(answer.headers) ?? [];
        if (code) codes[code] = (codes[code] ?? 0) + 1;
        const all = answer.headers + answer.text;
        assert.ok(!all.includes(MARK), `${quote(request)}
→ ${answer.status} ${all.slice(0, 3000)}`);
        // A handler stumbles over metadata that is no object; we over nothing.
        assert.ok(answer.status !== 500 || !code || code.startsWith("AGA02"), `${quote(request)}\n→ ${answer.status} ${all.slice(0, 1000)}`);
        // Crons are none there: it says 500. All else it can answer.
        assert.ok(answer.status !== 502 || /crons/i.test(decodeURIComponent(request.path.split("?")[0])), `${quote(request)}\n→ ${answer.status}`);
        learn(answer);
        if (Date.now() - last > 60_000) {
          last = Date.now();
          console.log(n, JSON.stringify(count), JSON.stringify(codes));
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    console.log(JSON.stringify(count), JSON.stringify(codes));
    assert.deepEqual(await dump("alice"), was, "something of alice's has changed");
    assert.ok(count[200] > REQUESTS / 20, "nothing was let in");
    assert.ok(count[404] > REQUESTS / 20, "nothing was hidden");
  });

  /* Ids that all fight for, and for each client some of its own, of which it
   * knows what has to be there. */
  test(`a crowd for ${SECONDS} s`, { timeout: 600_000 }, async () => {
    const shared = Array.from({ length: 12 }, () => randomUUID());
    const end = Date.now() + SECONDS * 1000;
    const clients = Array.from({ length: CROWD }, (_, i) => ({ who: i % 2 ? "bob" : "alice", n: i, own: new Map(), removed: new Set() }));
    const count = {};

    const never = (who, answer, about) => {
      for (const one of [answer.json].flat()) {
        if (!one?.metadata) continue;
        assert.equal(one.metadata.owner, who, `${about}: ${answer.text.slice(0, 500)}`);
        for (const other of ["alice", "bob"])
          if (other !== who) assert.equal(one.metadata[`by_${other}`], undefined, `${about}: ${answer.text.slice(0, 500)}`);
      }
    };
    const ask = async (who, method, path, json) => {
      const answer = await call(who, method, path, json);
      const about = `${who}: ${method} ${path} → ${answer.status}`;
      const key = `${method} ${answer.status}`;
      count[key] = (count[key] ?? 0) + 1;
      assert.ok(answer.status < 500 || answer.status === 503, `${about} ${answer.text} ${answer.headers}`);
      if (answer.status < 300) never(who, answer, about);
      return answer;
    };

    const anywhere = async ({ who }) => {
      const id = pick(shared), path = `/threads/${id}`;
      const mine = { [`by_${who}`]: upTo(1000) };
      switch (upTo(9)) {
        case 0: return ask(who, "POST", "/threads", { thread_id: id, metadata: mine, if_exists: pick(["raise", "do_nothing"]) });
        case 1: return ask(who, "PATCH", path, { metadata: mine });
        case 2: return ask(who, "GET", path);
        case 3: return ask(who, "DELETE", path);
        case 4: return ask(who, "POST", "/threads/search", { limit: 1000 });
        case 5: return ask(who, "GET", `${path}/runs`);
        case 6: return ask(who, "POST", `${path}/runs`, { assistant_id: "agent", input: { text: who }, metadata: mine, if_not_exists: "create", multitask_strategy: "enqueue" });
        case 7: return ask(who, "POST", `${path}/copy`);
        default: return ask(who, "POST", `${path}/state`, { values: { text: `state of ${who}` }, as_node: "speak" });
      }
    };
    const known = async (client) => {
      const { who, own, removed } = client;
      const id = own.size > 2 || (own.size && chance(0.7)) ? pick([...own.keys()]) : null;
      const v = upTo(1e9);
      let answer;
      if (!id) {
        const fresh = removed.size && chance(0.5) ? pick([...removed]) : randomUUID();
        answer = await ask(who, "POST", "/threads", { thread_id: fresh, metadata: { v } });
        removed.delete(fresh);
        own.set(fresh, v);
      } else if (chance(0.4)) {
        answer = await ask(who, "PATCH", `/threads/${id}`, { metadata: { v } });
        own.set(id, v);
      } else if (chance(0.6)) {
        answer = await ask(who, "GET", `/threads/${id}`);
        assert.equal(answer.json?.metadata?.v, own.get(id), `${who} ${id}`);
      } else {
        answer = await ask(who, "DELETE", `/threads/${id}`);
        own.delete(id);
        removed.add(id);
      }
      assert.ok(answer.status < 300, `of one's own: ${answer.status} ${answer.text}`);
    };
    const live = async (client) => {
      while (Date.now() < end) await (chance(0.6) ? anywhere(client) : known(client));
    };
    await Promise.all(clients.map(live));
    console.log(JSON.stringify(count));

    for (const { who, own, removed } of clients) {
      for (const [id, v] of own) {
        const { json } = await call(null, "GET", `/threads/${id}`);
        assert.deepEqual({ owner: json.metadata?.owner, v: json.metadata?.v }, { owner: who, v }, `${id} of ${who}`);
      }
      for (const id of removed) assert.equal((await call(null, "GET", `/threads/${id}`)).status, 404, `${id} of ${who} was deleted`);
    }
    let looked = 0;
    for (let offset = 0, page; (page = await ok(null, "POST", "/threads/search", { limit: 1000, offset })).length; offset += page.length)
      for (const thread of page) {
        const { owner, by_alice, by_bob } = thread.metadata;
        assert.ok(["alice", "bob", "admin"].includes(owner), JSON.stringify(thread));
        if (by_alice !== undefined) assert.equal(owner, "alice", JSON.stringify(thread));
        if (by_bob !== undefined) assert.equal(owner, "bob", JSON.stringify(thread));
        const said = /state of (\w+)/.exec(thread.values?.text ?? "");
        if (said) assert.equal(owner, said[1], JSON.stringify(thread));
        looked++;
      }
    for (const id of shared) {
      const thread = await call(null, "GET", `/threads/${id}`);
      if (thread.status !== 200) continue;
      for (const run of await ok(null, "GET", `/threads/${id}/runs?limit=1000`))
        assert.equal(run.metadata.owner, thread.json.metadata.owner, JSON.stringify(run));
    }
    const total = Object.values(count).reduce((sum, n) => sum + n, 0);
    assert.ok(looked && total > CROWD * SECONDS && count["GET 200"] && count["GET 404"], `${looked} ${total}`);
  });
});
