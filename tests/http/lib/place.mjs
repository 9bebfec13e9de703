// SPDX-License-Identifier: Apache-2.0
// A gateway with a policy before an echo backend: what most wall tests need.
import assert from "node:assert/strict";
import { startEcho } from "./echo.mjs";
import { startHttpd } from "./httpd.mjs";

/** Writes what the policy saw into what the backend gets. */
export const WITNESS = `
local auth = require "agentauth"

auth.on(function(ctx, value) return { owner = ctx.user.identity } end)

local function stamp(ctx, value)
  value.metadata = value.metadata or {}
  if value.metadata.deny then return false end
  value.metadata.owner = ctx.user.identity
  value.metadata.path = ctx.path
  return { owner = ctx.user.identity }
end
auth.on.threads.create(stamp)
auth.on.threads.create_run(stamp)

auth.on.threads.delete(function(ctx, value) return false end)
`;

/** A section of one place; `lines` come last and so win. */
export const place = (path, lines = "", section = "Location") => `<${section} "${path}">
AuthType AgentAuth
Require valid-user
AgentAuthPolicy policy.lua
AgentAuthEnforce headers
${lines}
</${section}>
`;

/**
 * @param options of startHttpd; config(httpd, echo) makes the configuration
 * @param options.policy text of policy.lua
 */
export async function startPlace({ config, policy = WITNESS, prepare, ...options }) {
  const echo = await startEcho();
  const world = { echo };
  try {
    world.httpd = await startHttpd({
      ...options,
      modules: ["proxy", "proxy_http", ...(options.modules ?? [])],
      prepare: async (httpd) => {
        await httpd.write("policy.lua", policy);
        await prepare?.(httpd, echo);
      },
      config: (httpd) => config(httpd, echo),
    });
    await world.httpd.addUser("alice");
    world.key = await world.httpd.addKey("alice");
  } catch (error) {
    await world.httpd?.stop().catch(() => {});
    echo.close();
    throw error;
  }
  /** One request as alice; `headers` a flat list. */
  world.ask = (method, path, { headers = [], body, ...rest } = {}) =>
    world.httpd.request({ method, path, headers: ["X-API-Key", world.key, ...headers], body, ...rest });
  /** What the backend saw of exactly one request that was let in. */
  world.passed = (answer, name = "") => {
    const seen = echo.take();
    assert.equal(answer.status, 200, `${name} ${answer.header("agentauth-error")} ${answer.text}`);
    assert.equal(seen.length, 1, `${name}: seen ${seen.length} times`);
    return seen[0];
  };
  /** Refused in JSON, with a code, and the backend was not asked. */
  world.refused = (answer, status, code, name = "") => {
    const seen = echo.take();
    assert.equal(answer.status, status, `${name} ${answer.header("agentauth-error")} ${answer.text}`);
    assert.equal(answer.header("agentauth-error"), code, name);
    if (answer.header("content-type")) assert.equal(answer.header("content-type"), "application/json", name);
    if (answer.body.length) assert.ok(answer.json.error, name);
    assert.deepEqual(seen.map((s) => `${s.method} ${s.url}`), [], `${name}: the backend was asked`);
  };
  world.stop = async () => {
    echo.close();
    await world.httpd.stop();
  };
  return world;
}
