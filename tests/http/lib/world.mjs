// SPDX-License-Identifier: Apache-2.0
// The same agent server in the three ways in which it can have tenants: with
// handlers of its own, behind the gateway with the adapter of the docs, and
// without any authentication behind a gateway that enforces.
import { fileURLToPath } from "node:url";
import { startAgents } from "./agents.mjs";
import { startGates } from "./gate.mjs";
import { startLangGraph } from "./langgraph.mjs";
import { request } from "./wire.mjs";

const ALL = ["native", "headers", "gateway"];
const NATIVE = fileURLToPath(new URL("native-auth.mjs", import.meta.url));

/** AA_MODES=headers,gateway: only these. */
export const MODES = process.env.AA_MODES?.split(",") ?? ALL;

async function startNative(policyName) {
  const gates = await startGates();
  try {
    const server = await startLangGraph({
      gate: gates.url,
      auth: NATIVE,
      env: { AA_TEST_POLICY: policyName },
    });
    const stop = async () => {
      await server.stop();
      gates.close();
    };
    return { gates, server, stop, port: server.port, headers: (name) => ({ "X-API-Key": name }) };
  } catch (error) {
    gates.close();
    throw error;
  }
}

async function startBehind(mode, policy, more) {
  const agents = await startAgents({ enforce: mode, policy, more });
  return { ...agents, port: agents.httpd.port };
}

/* Lists stay as they are: with them a test says every header itself. */
function message({ json, body, headers = {} }) {
  if (json !== undefined) body = JSON.stringify(json);
  const typed = json === undefined ? {} : { "Content-Type": "application/json" };
  // Node would send the body of a DELETE without its length.
  const sized = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
  return { body, headers: { ...typed, ...sized, ...headers } };
}

/** Server-sent events of a response as they come. */
async function* events(response) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    for (let at; (at = text.indexOf("\n\n")) >= 0; text = text.slice(at + 2)) {
      const lines = text.slice(0, at).split("\n").map((line) => /^(\w+): ?(.*)$/s.exec(line));
      const field = (name) =>
        lines.filter((line) => line?.[1] === name).map((line) => line[2]).join("\n");
      yield { id: field("id"), event: field("event"), data: field("data") };
    }
  }
}

/**
 * @param mode   native, headers, gateway
 * @param policy {name, text}: of lib/policies.mjs, and in native-auth.mjs
 * @param more   further directives of the place
 */
export async function startWorld(mode, { name, text }, more) {
  const world = await (mode === "native" ? startNative(name) : startBehind(mode, text, more));
  const send = (port, headers, { method = "GET", path, ...rest }) => {
    const { body, headers: own } = message(rest);
    return request({ port, method, path, body, headers: { ...headers, ...own } });
  };
  const headersOf = (who) => (typeof who === "string" ? world.headers(who) : (who ?? {}));
  return {
    ...world,
    mode,
    /** One whole answer; who: a name, or headers; null: without credentials. */
    ask: (who, what) => send(world.port, headersOf(who), what),
    /** What is really there: asked of a server without authentication itself. */
    truth: (what) =>
      mode === "gateway"
        ? send(world.server.port, {}, what)
        : send(world.port, world.headers("admin"), what),
    /** An answer that goes on: {status, headers, events, stop()}. */
    async stream(who, { method = "GET", path, ...rest }) {
      const { body, headers } = message(rest);
      delete headers["Content-Length"]; // fetch knows
      const away = new AbortController();
      const response = await fetch(`http://127.0.0.1:${world.port}${path}`, {
        method,
        headers: { ...headersOf(who), ...headers },
        body,
        signal: away.signal,
      });
      return {
        status: response.status,
        headers: response.headers,
        events: events(response),
        stop: () => away.abort(),
      };
    },
  };
}
