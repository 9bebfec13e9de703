// SPDX-License-Identifier: Apache-2.0
// Gateway and agent server: httpd with the module before the real server, which
// verifies decisions (headers) or knows nothing of them (gateway).
import { startGates } from "./gate.mjs";
import { startHttpd } from "./httpd.mjs";
import { makeIssuer } from "./jwt.mjs";
import { startLangGraph } from "./langgraph.mjs";
import { moreRoutes } from "./routes.mjs";
import { sdkClient } from "./suite.mjs";

const SERVER_NAME = "gateway.test";
const AUDIENCE = "agents";
const PERMISSIONS = { alice: [], bob: [], admin: ["admin"] };

/* How a client learns that its idle connection had ended. */
const CLOSED = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

const WAYS = {
  headers: `AgentAuthEnforce headers
  AgentAuthPassAs both
  AgentAuthAssertionAudience ${AUDIENCE}`,
  gateway: `AgentAuthEnforce gateway\n  ${moreRoutes}`,
};

function config({ issuer, backendPort, enforce, more = "", server = "" }) {
  const section = (httpd) =>
    issuer
      ? `<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience ${issuer.audience}
  AgentAuthJWKS "${httpd.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>`
      : "";
  // The agent server closes a connection that was idle for 5 s.
  return (httpd) => `${server}
${section(httpd)}
<Location "/">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${httpd.path("policy.lua")}"
  ${WAYS[enforce]}
  ${more}
  ProxyPass http://127.0.0.1:${backendPort}/ flushpackets=on ttl=3
</Location>`;
}

/**
 * The server needs the gateway's address for its keys and the gateway the
 * server's for its proxy: so the gateway starts with a backend that is nowhere
 * and learns the right one by a graceful restart.
 * @param enforce headers: the server has the adapter of the docs; gateway: it
 *                has no authentication at all
 * @param more    further directives of the place
 * @param server  of the server
 */
export async function startAgents({ mpm = "event", policy, bearer, enforce = "headers", more, server: lines }) {
  const issuer = bearer ? makeIssuer("https://issuer.test", "gateway") : null;
  const gates = await startGates();
  const undo = [() => gates.close()];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const httpd = await startHttpd({
      mpm,
      serverName: SERVER_NAME,
      modules: ["proxy", "proxy_http"],
      config: config({ issuer, backendPort: 9, enforce, more, server: lines }),
      async prepare(h) {
        await h.write("policy.lua", policy);
        if (issuer) await h.write("issuer.json", issuer.jwks);
      },
    });
    undo.push(() => httpd.stop());
    const server = await startLangGraph({
      gate: gates.url,
      auth: enforce === "headers",
      env: {
        AGENTAUTH_JWKS: `${httpd.url}/.well-known/agentauth/jwks.json`,
        AGENTAUTH_ISSUER: `http://${SERVER_NAME}`,
        AGENTAUTH_AUDIENCE: AUDIENCE,
      },
    });
    undo.push(() => server.stop());
    await httpd.configure(config({ issuer, backendPort: server.port, enforce, more, server: lines }));
    await httpd.graceful();

    const credentials = {};
    for (const [name, permissions] of Object.entries(PERMISSIONS)) {
      if (issuer) credentials[name] = issuer.token(name, { permissions });
      else {
        await httpd.addUser(name, { permissions });
        credentials[name] = await httpd.addKey(name);
      }
    }
    const headers = (name) =>
      issuer
        ? { Authorization: `Bearer ${credentials[name]}` }
        : { "X-API-Key": credentials[name] };
    return {
      httpd,
      server,
      gates,
      headers,
      stop,
      client: (name) => sdkClient({ apiUrl: httpd.url, defaultHeaders: headers(name) }),
      raw(name, method, path, json, more = {}) {
        const body = json === undefined ? undefined : JSON.stringify(json);
        const type = body ? { "Content-Type": "application/json" } : {};
        const ask = () =>
          fetch(httpd.url + path, {
            method,
            headers: { ...headers(name), ...type, ...more },
            body,
          });
        /* httpd may end an idle child, and its idle connections with it, while
         * a request is on its way (RFC 9110 s9.2.2). */
        return ask().catch((error) => {
          if (method !== "GET" || !CLOSED.includes(error.cause?.code)) throw error;
          return ask();
        });
      },
    };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}
