// SPDX-License-Identifier: Apache-2.0
// What the module costs a request: bare httpd against httpd with the module,
// by turns. docs/benchmarks.md says how to read it; run it by scripts/bench.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile, chmod } from "node:fs/promises";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeIssuer } from "../http/lib/jwt.mjs";
import { startHttpd } from "../http/lib/httpd.mjs";

const run = promisify(execFile);
const SECONDS = Number(process.argv[2] ?? 3);
const N = Number(process.argv[3] ?? 300);
const ROUNDS = 3; // of load
const CONNECTIONS = 8;
const TICK = 100; // of /proc/PID/stat, a second
const OUT = process.env.AA_BENCH_OUT ?? "/tmp";
const CPUS = availableParallelism();

const POLICY = `
local auth = require "agentauth"
auth.on(function(ctx, value) return false end)
auth.on.threads(function(ctx, value) return { owner = ctx.user.identity } end)
auth.on.threads.create(function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)
`;

/** 253 bytes, as in policy_bench.c. */
const BODY =
  '{"thread_id":"6f8d2a0e-6a42-4c8e-9a5e-2f6d3f1b7c11","metadata":{' +
  '"title":"Trip to Lisbon","tags":["travel","family","spring"],' +
  '"score":1.10,"source":"web","graph_id":"agent","n":12345},' +
  '"if_exists":"raise","ttl":{"strategy":"delete","ttl":43200},' +
  '"x":"yyyyyyyy"}';

const KEY = { credential: "key" };
const BEARER = { credential: "bearer" };
const POST = { method: "POST", body: BODY };

/**
 * What is measured. `base` names the row of bare httpd to compare with, which
 * gets the very same request where that can be; a row without one is bare.
 */
const ROWS = [
  { name: "file", path: "/threads/42" },
  { name: "file, with a key", path: "/threads/42", ...KEY },
  { name: "file, API key", base: "file, with a key", path: "/threads/42", ...KEY },
  { name: "file, with a token", path: "/threads/42", ...BEARER },
  { name: "file, bearer", base: "file, with a token", path: "/threads/42", ...BEARER },
  { name: "proxy, with a key", path: "/agent/threads/42", ...KEY },
  { name: "proxy, API key", base: "proxy, with a key", path: "/agent/threads/42", ...KEY },
  { name: "proxy, assertion too", base: "proxy, with a key", path: "/signed/threads/42", ...KEY },
  { name: "proxy, with a token", path: "/agent/threads/42", ...BEARER },
  { name: "proxy, bearer", base: "proxy, with a token", path: "/agent/threads/42", ...BEARER },
  { name: "proxy, with key and body", path: "/agent/threads", ...POST, ...KEY },
  { name: "proxy, body changed", base: "proxy, with key and body", path: "/agent/threads", ...POST, ...KEY },
  { name: "401, nobody", base: "file", path: "/threads/42", status: 401 },
  { name: "403, policy says no", base: "file, with a key", path: "/assistants/42", status: 403, ...KEY },
];

// ---------------------------------------------------------------- the servers

const LOAD = `
<IfModule mpm_event_module>
  StartServers 1
  ServerLimit 1
  ThreadsPerChild 16
  MinSpareThreads 1
  MaxSpareThreads 16
  MaxRequestWorkers 16
</IfModule>
MaxKeepAliveRequests 0
`;

const place = (httpd, path, routes, pass) => `<Location "${path}">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("policy.lua")}"
  AgentAuthRoutes langgraph ${routes}
  AgentAuthEnforce headers
  AgentAuthPassAs ${pass}
</Location>`;

/** What bare httpd has in their place: the same sections, empty of us. */
const open = ["/threads", "/assistants", "/agent", "/signed"]
  .map((path) => `<Location "${path}">\n  Require all granted\n</Location>\n`)
  .join("");

const protection = (httpd, issuer) => `<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience ${issuer.audience}
  AgentAuthJWKS "${httpd.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>
${place(httpd, "/threads", "", "header")}
${place(httpd, "/assistants", "", "header")}
${place(httpd, "/agent", "prefix=/agent", "header")}
${place(httpd, "/signed", "prefix=/signed", "both")}`;

async function startBackend() {
  return startHttpd({
    module: false,
    modules: ["lua"],
    logLevel: "notice",
    config: (httpd) => `${LOAD}
LuaScope thread
LuaCodeCache forever
LuaMapHandler "^/[a-z]+/threads$" "${httpd.path("answer.lua")}" answer`,
    async prepare(httpd) {
      await httpd.write("answer.lua", "function answer(r) r:write('{}') return apache2.OK end\n");
      for (const dir of ["agent", "signed"])
        await httpd.write(`htdocs/${dir}/threads/42`, '{"thread_id":"42"}\n');
    },
  });
}

/** A gateway, bare or with the module; and what its users send. */
async function startGateway(backend, issuer, withModule, options = {}) {
  const httpd = await startHttpd({
    module: withModule,
    modules: ["proxy", "proxy_http"],
    logLevel: "notice",
    config: (h) => `${LOAD}
ProxyPass /agent ${backend.url}/agent
ProxyPass /signed ${backend.url}/signed
${withModule ? protection(h, issuer) : open}`,
    async prepare(h) {
      await h.write("policy.lua", POLICY);
      await h.write("issuer.json", issuer.jwks);
      for (const dir of ["threads", "assistants"])
        await h.write(`htdocs/${dir}/42`, '{"thread_id":"42"}\n');
    },
    ...options,
  });
  let key = `sk-agentauth-${"0".repeat(48)}`; // bare httpd does not look at it
  if (withModule) {
    await httpd.addUser("alice", { permissions: ["threads:read", "threads:create"] });
    key = await httpd.addKey("alice");
  }
  const claims = { email: "alice@example.com", permissions: ["threads:read"] };
  const bearer = `Authorization: Bearer ${issuer.token("alice", claims)}`;
  return { httpd, headers: { undefined: [], key: [`X-API-Key: ${key}`], bearer: [bearer] } };
}

/** What a row sends to a gateway, without Host. */
function headersOf(row, gateway) {
  const body = row.body ? ["Content-Type: application/json"] : [];
  return [...gateway.headers[row.credential], ...body];
}

// ------------------------------------------------------- requests and CPU time

/** Ticks of user and system time that all children have used. */
async function ticks(httpd) {
  const children = await readFile(`/proc/${httpd.pid}/task/${httpd.pid}/children`, "utf8");
  let sum = 0;
  for (const pid of children.trim().split(" ")) {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).replace(/^.*\) /s, "").split(" ");
    sum += Number(fields[11]) + Number(fields[12]);
  }
  return sum;
}

async function pin(pid, cpu) {
  if (CPUS > 1) await run("taskset", ["-a", "-p", "-c", String(cpu), String(pid)]);
}

async function pinServer(httpd, cpu) {
  const children = await readFile(`/proc/${httpd.pid}/task/${httpd.pid}/children`, "utf8");
  for (const pid of children.trim().split(" ")) await pin(pid, cpu);
}

/** One turn of load on one row: {rate, cpu} a second and in microseconds. */
async function turn(row, gateway, seconds) {
  const script = join(OUT, "load.lua");
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script];
  for (const header of headersOf(row, gateway)) args.push("-H", header);
  await writeFile(
    script,
    `wrk.method = "${row.method ?? "GET"}"\nwrk.body = ${row.body ? `[[${row.body}]]` : "nil"}
function done(summary) io.write("RESULT ", summary.requests, " ", summary.duration, " ", summary.errors.status, "\\n") end\n`,
  );
  const before = await ticks(gateway.httpd);
  const pinned = CPUS > 1 ? ["taskset", "-c", "0", "wrk"] : ["wrk"];
  const { stdout } = await run(pinned[0], [...pinned.slice(1), ...args, gateway.httpd.url + row.path]);
  const used = (await ticks(gateway.httpd)) - before;
  const [, requests, duration, refused] = /RESULT (\d+) (\d+) (\d+)/.exec(stdout).map(Number);
  if (refused !== (row.status ? requests : 0))
    throw new Error(`${row.name}: ${refused} of ${requests} refused`);
  return { rate: requests / (duration / 1e6), cpu: (used / TICK / requests) * 1e6 };
}

/** Every row in every round, so that all see the same weather. */
async function load(rows, gatewayOf) {
  const turns = new Map(rows.map((row) => [row.name, []]));
  for (const row of rows) await turn(row, gatewayOf(row), 1); // warm
  for (let round = 0; round < ROUNDS; round++)
    for (const row of rows) turns.get(row.name).push(await turn(row, gatewayOf(row), SECONDS));
  return turns;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** The median over rounds of what a row has against its base. */
function ratio(turns, row, what) {
  const own = turns.get(row.name);
  const base = turns.get(row.base ?? row.name);
  return median(own.map((one, i) => one[what] / base[i][what]));
}

// ---------------------------------------------------------------- instructions

/** Send a row's request n times over one connection, one after the other. */
async function ask(row, gateway, n) {
  const { port } = gateway.httpd;
  const lines = [
    `${row.method ?? "GET"} ${row.path} HTTP/1.1`,
    "Host: gateway.test",
    ...headersOf(row, gateway),
    ...(row.body ? [`Content-Length: ${row.body.length}`] : []),
  ];
  const text = `${lines.join("\r\n")}\r\n\r\n${row.body ?? ""}`;
  const socket = connect(port, "127.0.0.1").setEncoding("latin1").setNoDelay();
  await once(socket, "connect");
  for (let i = 0; i < n; i++) {
    socket.write(text);
    const status = await answer(socket);
    if (status !== (row.status ?? 200)) throw new Error(`${row.name}: status ${status}`);
  }
  socket.destroy();
}

/** Wait for one whole answer; its status. */
async function answer(socket) {
  let text = "";
  for (;;) {
    const [piece] = await once(socket, "data");
    text += piece;
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const length = Number(/^Content-Length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? NaN);
    const whole = Number.isNaN(length)
      ? text.endsWith("0\r\n\r\n") && text.length > end + 4
      : text.length >= end + 4 + length;
    if (whole) return Number(text.slice(9, 12));
  }
}

/** Counts while a connection is served: starting and stopping is never the same. */
const COUNT = [
  "valgrind",
  "-q",
  "--tool=callgrind",
  "--vgdb=no",
  "--toggle-collect=ap_process_connection",
];

/** All instructions with which an httpd -X answers n times on one connection. */
async function instructions(row, n, backend, issuer) {
  const file = join(OUT, `${row.name.replace(/\W+/g, "-")}.${n}.callgrind`);
  await rm(file, { force: true });
  const gateway = await startGateway(backend, issuer, row.base !== undefined, {
    mpm: "prefork",
    single: true,
    under: [...COUNT, `--callgrind-out-file=${file}`],
  });
  try {
    await chmod(file, 0o666); // made by root, written as httpd's user
    await ask(row, gateway, n);
  } finally {
    await gateway.httpd.stop();
  }
  return Number(/^(?:totals|summary): (\d+)/m.exec(await readFile(file, "latin1"))[1]);
}

/** What the connection and its first request cost is in both runs and cancels out. */
async function perRequest(row, backend, issuer) {
  const [once_, twice] = await Promise.all(
    [N, 2 * N].map((n) => instructions(row, n, backend, issuer)),
  );
  return Math.round((twice - once_) / N);
}

// --------------------------------------------------------------------- the run

function print(rows, turns, counts) {
  const cells = ["", "requests/s", "ratio", "CPU us", "ratio", "instructions", "added"];
  const line = (list) =>
    console.log(list.map((c, i) => (i ? String(c).padStart(13) : c.padEnd(28))).join(""));
  line(cells);
  for (const row of rows) {
    const own = turns.get(row.name);
    const of = (what) => (row.base && own ? ratio(turns, row, what).toFixed(2) : "");
    const at = (what, digits) => (own ? median(own.map((one) => one[what])).toFixed(digits) : "");
    const count = counts.get(row.name);
    const added = row.base && count ? count - counts.get(row.base) : "";
    line([row.name, at("rate", 0), of("rate"), at("cpu", 1), of("cpu"), count ?? "", added]);
  }
}

async function main() {
  const only = process.env.AA_BENCH_ROWS?.split(";");
  const rows = ROWS.filter((row) => !only || only.includes(row.name));
  const undo = [];
  const kept = async (starting) => {
    const one = await starting;
    undo.push(() => (one.httpd ?? one).stop());
    return one;
  };
  await mkdir(OUT, { recursive: true });
  const issuer = makeIssuer("https://issuer.test", "gateway");
  try {
    const backend = await kept(startBackend());
    let turns = new Map();
    if (SECONDS) {
      const bare = await kept(startGateway(backend, issuer, false));
      const ours = await kept(startGateway(backend, issuer, true));
      await pinServer(backend, 0);
      for (const one of [bare, ours]) await pinServer(one.httpd, CPUS - 1);
      turns = await load(rows, (row) => (row.base ? ours : bare));
    }
    const counts = new Map();
    if (N) for (const row of rows) counts.set(row.name, await perRequest(row, backend, issuer));
    print(rows, turns, counts);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

await main();
