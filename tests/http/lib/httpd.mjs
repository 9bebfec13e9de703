// SPDX-License-Identifier: Apache-2.0
// A private httpd for one test file: own ServerRoot, own ports, own state.
//
// Environment: AA_HTTPD (binary), AA_HTTPD_MODULES, AA_MODULE, AA_CLI,
// AA_PRELOAD (a sanitizer's run-time library), AA_KEEP (leave the directory).
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Connection, h2Request, request } from "./wire.mjs";

const REPO = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
const MODULES = process.env.AA_HTTPD_MODULES ?? "/usr/lib/apache2/modules";
export const MODULE = process.env.AA_MODULE ?? join(REPO, ".libs/mod_agentauth.so");
export const CLI = process.env.AA_CLI ?? join(REPO, "agentauth");
export const haveModule = existsSync(MODULE);
const DEADLINE = 30_000; // ms for whatever is awaited
const POLL = 15; // ms
const READY = /resuming normal operations/g;
const CRASH = /exit signal (?!Terminated)|AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed/;

function findBinary() {
  const path = (process.env.PATH ?? "").split(":");
  const places = [...path, "/usr/sbin", "/usr/local/sbin", "/usr/local/apache2/bin"];
  const found = [
    process.env.AA_HTTPD,
    "/usr/sbin/apache2",
    ...places.flatMap((dir) => [join(dir, "httpd"), join(dir, "apache2")]),
  ].find((file) => file && existsSync(file));
  if (!found) throw new Error("no httpd found: set AA_HTTPD");
  return found;
}

/** Wait until a condition holds; the value it holds with. */
export async function until(condition, what) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
    await later(POLL);
  }
}

async function freePorts(n) {
  const servers = await Promise.all(
    Array.from({ length: n }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

const isRoot = process.getuid() === 0;

/** Whom the children run as when the test runs as root. */
function childUser() {
  const names = readFileSync("/etc/passwd", "utf8").match(/^[^:]+/gm);
  return ["www-data", "apache", "daemon", "nobody"].find((name) => names.includes(name));
}

function userLines() {
  if (!isRoot) return "";
  const user = childUser();
  const groups = readFileSync("/etc/group", "utf8").match(/^[^:]+/gm);
  return `User ${user}\nGroup ${groups.includes(user) ? user : "nogroup"}`;
}

const MPM = {
  event: `StartServers 2
ServerLimit 4
ThreadsPerChild 16
MinSpareThreads 16
MaxSpareThreads 64
MaxRequestWorkers 64`,
  prefork: `StartServers 4
MinSpareServers 2
MaxSpareServers 8
MaxRequestWorkers 32`,
};
MPM.worker = MPM.event;

/** A sanitizer's library comes first, else it refuses to run. */
export const preloads = (env) => [process.env.AA_PRELOAD, env.LD_PRELOAD].filter(Boolean).join(":");

/** LoadModule, unless the module is built in. */
const load = (name, file = join(MODULES, `mod_${name}.so`)) =>
  `<IfModule !${name}_module>\nLoadModule ${name}_module ${file}\n</IfModule>`;

const BASE = ["unixd", "log_config", "watchdog", "authn_core", "authz_core", "authz_user", "env"];

/* Ended from outside, a test takes its httpd along (see #launch). */
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"])
  process.once(signal, () => process.exit(1));

export class Httpd {
  /** See startHttpd for the options. */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.stateDir = join(root, "state");
    this.log = join(root, "log/error.log");
    this.conf = join(root, "httpd.conf");
  }

  get port() {
    return this.ports[0];
  }
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // ------------------------------------------------------------ configuration

  #text() {
    const { mpm, modules, module, config, serverName, logLevel } = this.options;
    return [
      `ServerRoot "${this.root}"`,
      `DefaultRuntimeDir "${join(this.root, "run")}"`,
      `PidFile "${join(this.root, "run/httpd.pid")}"`,
      `ServerName ${serverName}`,
      ...this.ports.map((port) => `Listen 127.0.0.1:${port}`),
      // First, as where files are read in the order of their names.
      module ? load("agentauth", MODULE) : "",
      load(`mpm_${mpm}`),
      MPM[mpm],
      ...[...new Set([...BASE, ...modules])].map((name) => load(name)),
      modules.some((name) => ["cgid"].includes(name)) ? `ScriptSock "${join(this.root, "run/cgid")}"` : "",
      module ? `AgentAuthStateDir "${this.stateDir}"` : "",
      userLines(),
      `Mutex "file:${join(this.root, "run")}" default`,
      `ErrorLog "${this.log}"`,
      `LogLevel ${logLevel}`,
      `DocumentRoot "${join(this.root, "htdocs")}"`,
      "KeepAliveTimeout 30",
      "GracefulShutdownTimeout 5",
      typeof config === "function" ? config(this) : config,
    ].join("\n");
  }

  /** Write the configuration anew, say before a graceful restart. */
  async configure(config = this.options.config) {
    this.options.config = config;
    await writeFile(this.conf, `${this.#text()}\n`);
  }

  #env() {
    const env = { PATH: process.env.PATH, LANG: "C.UTF-8", ...this.options.env };
    if (process.env.AA_PRELOAD) {
      env.LD_PRELOAD = preloads(env);
      env.ASAN_OPTIONS = process.env.ASAN_OPTIONS ?? "detect_leaks=0";
      env.UBSAN_OPTIONS = process.env.UBSAN_OPTIONS ?? "print_stacktrace=1";
    }
    return env;
  }

  /** httpd -t: {code, text}. */
  configtest() {
    return run(findBinary(), ["-t", "-f", this.conf], { env: this.#env() });
  }

  // ------------------------------------------------------------ start and stop

  async start() {
    for (let attempt = 0; ; attempt++) {
      this.ports = await freePorts(this.options.ports);
      await this.configure();
      if (await this.#launch()) return this;
      const log = await this.errorLog();
      if (attempt === 5 || !/could not bind to address|make_sock/.test(log + this.output))
        throw new Error(`httpd does not start:\n${this.output}\n${log}`);
    }
  }

  async #launch() {
    this.output = "";
    const before = await this.#readies();
    const args = ["-D", "FOREGROUND", "-f", this.conf];
    if (this.options.single) args.unshift("-X");
    const [file, ...under] = [...this.options.under, findBinary()];
    const child = spawn(file, [...under, ...args], {
      cwd: this.root, // where a crash would leave its core
      env: this.#env(),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, so that stopping reaches just it
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
    this.gone = once(child, "exit");
    this.atExit = () => this.#kill("SIGKILL");
    process.once("exit", this.atExit);
    await until(
      async () => this.ended || (await this.#ready(before)),
      `httpd to start; it says:\n${this.output}`,
    );
    if (this.ended) process.off("exit", this.atExit);
    return !this.ended;
  }

  /** With -X it never says that it is ready, but it answers. */
  async #ready(before) {
    if (!this.options.single) return (await this.#readies()) > before;
    return this.request().then(() => true, () => false);
  }

  get ended() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get pid() {
    return this.child.pid;
  }

  #kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // already gone
    }
  }

  /** How often it has come up so far. */
  async #readies() {
    return ((await this.errorLog()).match(READY) ?? []).length;
  }

  /** Graceful restart, done when the new generation serves. */
  async graceful() {
    const before = await this.#readies();
    process.kill(this.child.pid, "SIGUSR1");
    await until(
      async () => this.ended || (await this.#readies()) > before,
      "the graceful restart",
    );
    if (this.ended) throw new Error(`httpd ended:\n${this.output}\n${await this.errorLog()}`);
  }

  /** End it. Throws when a child of it has crashed. */
  async stop() {
    const log = await this.halt();
    const crash = CRASH.exec(log + this.output);
    if (!process.env.AA_KEEP) await rm(this.root, { recursive: true, force: true });
    if (crash) throw new Error(`crashed: ${crash[0]}\n${this.output}\n${log.slice(-8000)}`);
  }

  /** Connections that are on their way to their end: not listening, not open,
   *  and still held by a process. */
  async #closing() {
    const ports = new Set(this.ports.map((port) => port.toString(16).toUpperCase().padStart(4, "0")));
    const tables = await Promise.all(
      ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
    );
    return tables
      .flatMap((table) => table.split("\n").map((line) => line.trim().split(/\s+/)))
      .some(([, local, , state, , , , , , inode]) =>
        ports.has(local?.split(":")[1]) && state !== "0A" && state !== "01" && inode !== "0");
  }

  /** End it and keep its directory; the error log. start() begins again. */
  async halt() {
    if (!this.ended) {
      /* Told to stop at once, httpd's event MPM looks into sockets whose threads
       * may be closing them just then, and crashes now and then, bare as well. A
       * thread lets go of one a little after the kernel has: look twice. */
      for (let i = 0, quiet = 0; i < 100 && quiet < 3; i++) {
        quiet = (await this.#closing()) ? 0 : quiet + 1;
        await later(5);
      }
      process.kill(this.child.pid, "SIGTERM");
      const late = setTimeout(() => this.#kill("SIGKILL"), 15_000);
      await this.gone;
      clearTimeout(late);
      process.off("exit", this.atExit);
    }
    return this.errorLog();
  }

  // -------------------------------------------------------------------- looking

  async errorLog() {
    return readFile(this.log, "utf8").catch(() => "");
  }

  /** Wait for a line of the error log; the match. */
  logged(pattern) {
    return until(async () => pattern.exec(await this.errorLog()), `the log line ${pattern}`);
  }

  // ------------------------------------------------------------------- talking

  /** One HTTP/1.1 request: {status, headers, rawHeaders, body, json()}. */
  request(options) {
    return request({ port: this.port, ...options });
  }

  /** One HTTP/2 request over a clear connection; needs module http2. */
  h2(options) {
    return h2Request({ port: this.port, ...options });
  }

  /** A TCP connection for exact bytes. */
  connect(port = this.port) {
    return Connection.open(port);
  }

  // -------------------------------------------------------------------- feeding

  path(name) {
    return join(this.root, name);
  }

  /** Put a file in place at once, as a careful editor does. Its path. */
  async write(name, text, mode = 0o644) {
    const file = this.path(name);
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.new`;
    await writeFile(temporary, text);
    await chmod(temporary, mode);
    await rename(temporary, file);
    return file;
  }

  /** Run the command: {code, stdout, stderr}. */
  cli(...args) {
    return this.cliWith({}, ...args);
  }

  /** The same in an environment of its own. */
  cliWith(env, ...args) {
    const all = { PATH: process.env.PATH, ...env };
    if (env.LD_PRELOAD) all.LD_PRELOAD = preloads(env);
    return run(CLI, ["--state", this.stateDir, ...args], { env: all });
  }

  /** The same, and it must succeed; its output. */
  async cliOk(...args) {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code) throw new Error(`agentauth ${args.join(" ")}: ${code}: ${stderr}`);
    return stdout.trim();
  }

  async addUser(name, { permissions = [], realm } = {}) {
    const where = realm ? ["--realm", realm] : [];
    const granted = permissions.flatMap((p) => ["--permission", p]);
    await this.cliOk(...where, "user", "create", name, ...granted);
  }

  /** The new key itself. */
  addKey(user, { permissions = [], realm, expires } = {}) {
    const where = realm ? ["--realm", realm] : [];
    const granted = permissions.flatMap((p) => ["--permission", p]);
    const end = expires ? ["--expires", expires] : [];
    return this.cliOk(...where, "key", "create", "--user", user, ...granted, ...end);
  }
}

function run(file, args, options) {
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ code, stdout, stderr, text: `${stdout}${stderr}` });
    });
  });
}

/** The directories of an httpd, readable for whoever its children run as. */
export async function makeHttpd(options = {}) {
  const root = await mkdtemp(join(tmpdir(), "aa-httpd-"));
  await chmod(root, 0o755);
  for (const dir of ["run", "log", "htdocs"]) await mkdir(join(root, dir));
  await (await open(join(root, "log/error.log"), "w", 0o644)).close();
  const httpd = new Httpd(root, {
    mpm: "event",
    modules: [],
    module: true,
    config: "",
    serverName: "gateway.test",
    logLevel: "info",
    ports: 1,
    single: false,
    under: [],
    env: {},
    ...options,
  });
  httpd.ports = [1];
  return httpd;
}

/**
 * Start a private httpd.
 * @param options.mpm        event, worker, prefork
 * @param options.modules    more modules by short name: ["proxy", "proxy_http"]
 * @param options.module     false: without mod_agentauth
 * @param options.config     text, or a function of the Httpd that makes it
 * @param options.ports      how many to listen on
 * @param options.prepare    async function of the Httpd, before it starts
 * @param options.serverName, logLevel, env, single (-X)
 * @param options.under      a command that runs it: ["valgrind", "--tool=…"]
 */
export async function startHttpd(options = {}) {
  const httpd = await makeHttpd(options);
  try {
    await options.prepare?.(httpd);
    return await httpd.start();
  } catch (error) {
    if (httpd.child) await httpd.halt();
    await rm(httpd.root, { recursive: true, force: true });
    throw error;
  }
}

/** configtest of a configuration: {code, text}. */
export async function checkConfig(options) {
  const httpd = await makeHttpd(options);
  try {
    await options.prepare?.(httpd);
    await httpd.configure();
    return await httpd.configtest();
  } finally {
    await rm(httpd.root, { recursive: true, force: true });
  }
}
