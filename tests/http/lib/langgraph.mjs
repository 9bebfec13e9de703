// SPDX-License-Identifier: Apache-2.0
// Starts and stops the real agent server with the adapter of the docs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const CHILD = here("langgraph-child.mjs");
const GRAPH = here("graph.mjs");
const MODULES = here("../node_modules");
const AUTH = here("../../../docs/examples/langgraph/auth.mjs");
const START_TIMEOUT = 60_000;

/** A directory in which the adapter finds its packages, as in a deployment. */
export async function adapterDir(auth = AUTH) {
  const dir = await mkdtemp(join(tmpdir(), "aa-langgraph-"));
  await symlink(MODULES, join(dir, "node_modules"));
  await copyFile(auth, join(dir, "auth.mjs"));
  return dir;
}

/**
 * @param env  AGENTAUTH_*, for the adapter
 * @param gate URL of the gates that graphs wait at
 * @param auth false: a server without any authentication; a file: its handlers
 * @returns {url, port, log(), stop()}
 */
export async function startLangGraph({ env = {}, gate = "", auth = true, port = 0 } = {}) {
  const dir = await adapterDir(typeof auth === "string" ? auth : undefined);
  const options = {
    port,
    host: "127.0.0.1",
    nWorkers: 20,
    cwd: dir,
    graphs: { agent: `${GRAPH}:graph` },
  };
  if (auth) options.auth = { path: `${join(dir, "auth.mjs")}:auth`, disable_studio_auth: true };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      LOG_JSON: "true",
      LOG_LEVEL: "info",
      LANGSMITH_TRACING: "false",
      AA_TEST_GATE: gate,
      ...env,
    },
  });
  let log = "";
  let onText = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      log += text;
      onText();
    });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      child.stdin.end();
      const hard = setTimeout(() => child.kill("SIGKILL"), 5000);
      await gone;
      clearTimeout(hard);
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const host = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("does not start")), START_TIMEOUT);
      onText = () => {
        const found = /^LISTENING (\S+)$/m.exec(log);
        if (!found) return;
        clearTimeout(late);
        resolve(found[1]);
      };
      child.once("exit", (code) => {
        clearTimeout(late);
        reject(new Error(`agent server ended with ${code}`));
      });
    });
    return {
      url: `http://${host}`,
      port: Number(host.split(":").at(-1)),
      log: () => log,
      stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${log}`);
  }
}
