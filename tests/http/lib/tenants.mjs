// SPDX-License-Identifier: Apache-2.0
// The gateway before threads in memory, and two tenants with keys.
import { startHttpd } from "./httpd.mjs";
import { startThreads } from "./threads.mjs";
import { OWNERS } from "./policies.mjs";
import { moreRoutes } from "./routes.mjs";

/** Where the gateway of a place leads. */
export const gatewayPlace = (httpd, url, lines = "") => `<Location "/">
AuthType AgentAuth
Require valid-user
AgentAuthPolicy "${httpd.path("policy.lua")}"
AgentAuthEnforce gateway
${moreRoutes}
ProxyPass ${url}/ flushpackets=on retry=0
${lines}
</Location>
`;

/**
 * {httpd, backend, keys, ask(), stop()}
 * @param options of startHttpd; policy, names: who there is, permissions: by name
 * @param options.start the backend, startThreads or like it
 * @param options.config(httpd, backend): the configuration
 */
export async function startTenants({
  policy = OWNERS, names = ["alice", "bob"], permissions = {}, start = startThreads, config, ...options
} = {}) {
  const backend = await start();
  const world = { backend, keys: {} };
  const makeConfig = config ?? ((httpd) => gatewayPlace(httpd, backend.url));
  try {
    const httpd = (world.httpd = await startHttpd({
      ...options,
      modules: ["proxy", "proxy_http", ...(options.modules ?? [])],
      async prepare(h) {
        await options.prepare?.(h);
        await h.write("policy.lua", policy);
      },
      config: (h) => makeConfig(h, backend),
    }));
    for (const name of names) {
      await httpd.addUser(name, { permissions: permissions[name] });
      world.keys[name] = await httpd.addKey(name);
    }
  } catch (error) {
    await world.httpd?.stop().catch(() => {});
    backend.close();
    throw error;
  }
  /** One request by somebody; `body` is said as JSON unless it is a text. */
  world.ask = (name, line, body, headers = []) => {
    const [method, path] = line.split(" ");
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const type = text === undefined ? [] : ["Content-Type", "application/json"];
    return world.httpd.request({
      method, path, body: text,
      headers: ["X-API-Key", world.keys[name], ...type, ...headers],
    });
  };
  /** The same as bytes. */
  world.bytes = (name, line, body) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const head = [`${line} HTTP/1.1`, "Host: x", `X-API-Key: ${world.keys[name]}`];
    if (text) head.push("Content-Type: application/json", `Content-Length: ${Buffer.byteLength(text)}`);
    return `${head.join("\r\n")}\r\n\r\n${text}`;
  };
  world.stop = async () => {
    backend.close();
    await world.httpd.stop();
  };
  return world;
}
