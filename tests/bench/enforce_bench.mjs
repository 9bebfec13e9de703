// SPDX-License-Identifier: Apache-2.0
// What enforcement by the gateway costs: the same requests to the same backend
// through a plain proxy, with headers for an adapter, and with the gateway, by
// turns. docs/benchmarks.md says how to read it; run it by scripts/bench.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { startHttpd } from "../http/lib/httpd.mjs";
import { startLangGraph } from "../http/lib/langgraph.mjs";

const ROUNDS = Number(process.argv[2] ?? 15);
const TIMES = Number(process.argv[3] ?? 200); // of each row in a round
const ON = (process.env.AA_BENCH_ON ?? "files agents real").split(" ");
const TENANT = "t42";
const MINE = 8192; // threads of TENANT in files: more than facts are kept

const POLICY = `
local auth = require "agentauth"
auth.on(function(ctx, value) return false end)
auth.on.threads(function(ctx, value) return { owner = ctx.user.identity } end)
`;

const uuid = (i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
const MISSING = uuid(999_999_999);

// ---------------------------------------------------------------- the servers

const LOAD = `
<IfModule mpm_event_module>
  StartServers 1
  ServerLimit 1
  ThreadsPerChild 32
  MinSpareThreads 1
  MaxSpareThreads 32
  MaxRequestWorkers 32
</IfModule>
MaxKeepAliveRequests 0
`;

/** Threads as files of an httpd: a backend that costs next to nothing. */
async function startFiles() {
  const thread = (id, owner) => JSON.stringify({ thread_id: id, metadata: { owner, topic: "tea" }, values: null });
  return startHttpd({
    module: false,
    logLevel: "notice",
    config: `${LOAD}\n<Location "/">\n  ForceType application/json\n</Location>`,
    async prepare(httpd) {
      for (let i = 0; i < MINE; i++) await httpd.write(`htdocs/threads/${uuid(i)}`, thread(uuid(i), TENANT));
      for (let i = MINE; i < 2 * MINE; i++) await httpd.write(`htdocs/threads/${uuid(i)}`, thread(uuid(i), "t1"));
    },
  });
}

async function startAgents() {
  const child = spawn(process.execPath, [fileURLToPath(new URL("agents.mjs", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [text] = await once(child.stdout.setEncoding("utf8"), "data");
  const stop = async () => {
    child.stdin.end();
    await once(child, "exit");
  };
  return { url: `http://${/LISTENING (\S+)/.exec(text)[1]}`, stop };
}

/** The real server with as many threads, a hundredth of them TENANT's. */
async function startReal() {
  const server = await startLangGraph({ auth: false });
  const make = async (i) => {
    const body = JSON.stringify({ thread_id: uuid(i), metadata: { owner: `t${i % 100}` } });
    const answer = await fetch(`${server.url}/threads`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    await answer.arrayBuffer();
  };
  for (let i = 0; i < 10_000; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => make(i + k)));
  return server;
}

/** Words of AgentAuthEnforce; the plain proxy has no module. */
const WAYS = { plain: null, headers: "headers", gateway: "gateway" };

/** One httpd for each way, with a port for each backend. */
async function startWay(way, backends) {
  const place = (url, h) => `<Location "/">
  ProxyPass ${url}/ flushpackets=on timeout=600
  ${
    WAYS[way]
      ? `AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${h.path("policy.lua")}"
  AgentAuthEnforce ${WAYS[way]}`
      : "Require all granted"
  }
</Location>`;
  const httpd = await startHttpd({
    module: WAYS[way] !== null,
    modules: ["proxy", "proxy_http"],
    logLevel: "notice",
    ports: backends.length,
    config: (h) =>
      LOAD +
      backends
        .map((b, i) => `<VirtualHost 127.0.0.1:${h.ports[i]}>\nServerName gateway.test\n${place(b.url, h)}\n</VirtualHost>`)
        .join("\n"),
    prepare: (h) => h.write("policy.lua", POLICY),
  });
  let key = `sk-agentauth-${"0".repeat(48)}`; // a plain proxy does not look at it
  if (WAYS[way]) {
    await httpd.addUser(TENANT);
    key = await httpd.addKey(TENANT);
  }
  return { httpd, key };
}

// ------------------------------------------------------------------- requests

/** A connection that asks one thing at a time. */
class Client {
  static async open(port, key) {
    const client = new Client();
    client.key = key;
    client.socket = connect(port, "127.0.0.1").setEncoding("latin1").setNoDelay();
    client.socket.on("data", (piece) => client.take(piece));
    client.socket.on("close", () => client.fail?.(new Error("the connection was closed")));
    await once(client.socket, "connect");
    return client;
  }

  take(piece) {
    this.text += piece;
    this.onPiece?.(piece);
    const end = this.text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = /^Content-Length: (\d+)/im.exec(this.text.slice(0, end));
    const whole = length ? this.text.length >= end + 4 + Number(length[1]) : this.text.endsWith("0\r\n\r\n");
    if (whole) this.done?.(Number(this.text.slice(9, 12)));
  }

  /** The status of one request, and how many microseconds it took. */
  async ask({ method = "GET", path, body = "" }) {
    const head = [
      `${method} ${path} HTTP/1.1`,
      "Host: gateway.test",
      `X-API-Key: ${this.key}`,
      ...(body ? ["Content-Type: application/json", `Content-Length: ${body.length}`] : []),
    ];
    const text = `${head.join("\r\n")}\r\n\r\n${body}`;
    const answered = new Promise((done, fail) => Object.assign(this, { done, fail, text: "" }));
    const begin = process.hrtime.bigint();
    this.socket.write(text);
    const status = await answered;
    return { status, time: Number(process.hrtime.bigint() - begin) / 1000 };
  }

  close() {
    this.fail = null;
    this.socket.destroy();
  }
}

// ----------------------------------------------------------------------- rows

const one = { path: `/threads/${uuid(7)}` };
const many = (from, n) => {
  let i = 0;
  return () => ({ path: `/threads/${uuid(from + (i++ % n))}` });
};
const search = (body) => ({ method: "POST", path: "/threads/search", body: JSON.stringify(body) });
const OWN = { metadata: { owner: TENANT } };
/** Of the backends with 10,000 threads, one of TENANT. */
const own = { path: `/threads/${uuid(42)}` };

/**
 * `base` names the row to compare with, `goal` what the ratio shall be at most.
 * Rows of one base stand together, so that they are measured by turns.
 */
const ROWS = [
  { name: "GET thread, files: plain proxy", on: "files", way: "plain", ask: one },
  { name: "  plain proxy again", on: "files", way: "plain", ask: one, base: 0 },
  { name: "  headers", on: "files", way: "headers", ask: one, base: 0 },
  { name: "  gateway, cached", on: "files", way: "gateway", ask: one, base: 0, goal: 1.1 },
  { name: "GET thread, each another: plain", on: "files", way: "plain", ask: many(0, MINE) },
  { name: "  headers", on: "files", way: "headers", ask: many(0, MINE), base: 4 },
  { name: "  gateway, uncached", on: "files", way: "gateway", ask: many(0, MINE), base: 4 },
  { name: "refused: missing", on: "files", way: "gateway", ask: { path: `/threads/${MISSING}` }, status: 404 },
  { name: "  foreign, uncached", on: "files", way: "gateway", ask: many(MINE, MINE), status: 404, base: 7 },
  { name: "  foreign, cached", on: "files", way: "gateway", ask: { path: `/threads/${uuid(MINE)}` }, status: 404, base: 7 },
  { name: "GET thread, node: plain proxy", on: "agents", way: "plain", ask: own },
  { name: "  gateway, cached", on: "agents", way: "gateway", ask: own, base: 10, goal: 1.1 },
  { name: "search, node: plain, filter sent", on: "agents", way: "plain", ask: search(OWN) },
  { name: "  gateway, filter sent", on: "agents", way: "gateway", ask: search(OWN), base: 12, goal: 1.15 },
  { name: "  gateway, {} sent", on: "agents", way: "gateway", ask: search({}), base: 12, goal: 1.15 },
  { name: "GET thread, LangGraph: plain", on: "real", way: "plain", ask: own, times: 20 },
  { name: "  gateway, cached", on: "real", way: "gateway", ask: own, base: 15, goal: 1.1 },
  { name: "search, LangGraph: plain", on: "real", way: "plain", ask: search(OWN), times: 5 },
  { name: "  gateway, {} sent", on: "real", way: "gateway", ask: search({}), base: 17, goal: 1.15 },
];

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** A row and those that have it for their base. */
function groups() {
  return ROWS.map((row, i) => ({ row, i }))
    .filter(({ row }) => row.base === undefined && ON.includes(row.on))
    .map(({ row, i }) => [row, ...ROWS.filter((other) => other.base === i)]);
}

async function timed(row, client) {
  const { status, time } = await client.ask(typeof row.ask === "function" ? row.ask() : row.ask);
  if (status !== (row.status ?? 200)) throw new Error(`${row.name}: status ${status}`);
  return time;
}

/** One of each in turn, so that all see the same weather; a list of p50. */
async function measure(group, clientOf) {
  const clients = await Promise.all(group.map(clientOf));
  const rounds = group.map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    const times = group.map(() => []);
    for (let i = 0; i < (group[0].times ?? TIMES); i++)
      for (let k = 0; k < group.length; k++) {
        const at = (k + i) % group.length; // nobody is always the first
        times[at].push(await timed(group[at], clients[at]));
      }
    if (round >= 0) times.forEach((list, k) => rounds[k].push(median(list)));
  }
  for (const client of clients) client.close();
  return rounds;
}

// -------------------------------------------------------------------- streams

/** From the backend's write of each event to its arrival here. */
async function lag(client) {
  const lags = [];
  client.onPiece = (piece) => {
    const now = process.hrtime.bigint();
    for (const [, written] of piece.matchAll(/^data: (\d+)/gm)) lags.push(Number(now - BigInt(written)) / 1000);
  };
  const { status } = await client.ask({ path: `${own.path}/runs/1/stream` });
  client.onPiece = null;
  if (status !== 200) throw new Error(`stream: status ${status}`);
  return median(lags);
}

async function measureLag(clientOf) {
  const rows = ["plain", "headers", "gateway"].map((way) => ({ on: "agents", way }));
  const clients = await Promise.all(rows.map(clientOf));
  const rounds = rows.map(() => []);
  for (let i = 0; i < 5; i++)
    for (let k = 0; k < rows.length; k++) rounds[k].push(await lag(clients[k]));
  for (const client of clients) client.close();
  return rounds;
}

// --------------------------------------------------------------------- the run

function print(name, own, base, goal) {
  const ratios = base && own.map((time, i) => time / base[i]).sort((a, b) => a - b);
  const cells = [median(own).toFixed(0)];
  if (ratios) cells.push(median(ratios).toFixed(2), `${ratios[0].toFixed(2)}-${ratios.at(-1).toFixed(2)}`);
  else cells.push("", "");
  if (goal) cells.push(`<= ${goal}${median(ratios) > goal ? ", missed" : ""}`);
  console.log(name.padEnd(36) + cells.map((cell) => cell.padStart(12)).join(""));
}

async function main() {
  const undo = [];
  const kept = async (starting, stop = (x) => x.stop()) => {
    const started = await starting;
    undo.push(() => stop(started));
    return started;
  };
  try {
    const start = { files: startFiles, agents: startAgents, real: startReal };
    const backends = {};
    for (const name of ON) backends[name] = await kept(start[name]());
    const names = Object.keys(backends);
    const ways = {};
    for (const way of Object.keys(WAYS))
      ways[way] = await kept(startWay(way, Object.values(backends)), (w) => w.httpd.stop());
    const clientOf = ({ on, way }) => Client.open(ways[way].httpd.ports[names.indexOf(on)], ways[way].key);
    console.log("".padEnd(36) + ["p50 us", "ratio", "of rounds", "goal"].map((c) => c.padStart(12)).join(""));
    for (const group of groups()) {
      const rounds = await measure(group, clientOf);
      group.forEach((row, k) => print(row.name, rounds[k], k ? rounds[0] : null, row.goal));
    }
    if (!ON.includes("agents")) return;
    const lags = await measureLag(clientOf);
    ["event lag: plain proxy", "  headers", "  gateway"].forEach((name, k) => print(name, lags[k], k ? lags[0] : null));
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

await main();
