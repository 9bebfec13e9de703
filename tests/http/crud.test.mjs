// SPDX-License-Identifier: Apache-2.0
// One's own backend behind a gateway, by the map `crud`: each row of it, by a
// proxy's URL, behind a balancer and on a Unix socket.
import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { gatewayPlace, startTenants } from "./lib/tenants.mjs";

const POLICY = `
local auth = require "agentauth"
auth.on(function(ctx, value) return false end)
auth.on({ "items", "documents" }, function(ctx, value) return { owner = ctx.user.identity } end)
`;

/** A service that keeps what it is sent and asks nobody. */
async function startService() {
  const kept = { items: new Map(), documents: new Map() };
  let made = 0;
  const acts = {
    GET: ({ id, all, query }) => (id ? all.get(id) : [...all.values()].slice(+query.get("offset")).slice(0, +(query.get("limit") ?? 20))),
    POST: ({ all, body }) => {
      const object = { id: `made-${++made}`, ...body };
      return all.has(object.id) ? 409 : (all.set(object.id, object), object);
    },
    PUT: ({ id, all, body }) => (all.set(id, { ...body, id }), all.get(id)),
    PATCH: ({ id, all, body }) => all.has(id) && all.set(id, { ...all.get(id), ...body }).get(id),
    DELETE: ({ id, all }) => all.delete(id) && 204,
  };
  async function serve(request, response) {
    const url = new URL(request.url, "http://x");
    const [, collection, id] = url.pathname.split("/");
    let text = "";
    for await (const part of request) text += part;
    const body = text ? JSON.parse(text) : {};
    const out = acts[request.method]({ id, body, query: url.searchParams, all: kept[collection] });
    response.statusCode = typeof out === "number" ? out : out ? 200 : 404;
    response.setHeader("Content-Type", "application/json");
    response.end(typeof out === "object" ? JSON.stringify(out) : response.statusCode === 204 ? "" : '{"error":"not found"}');
  }
  const servers = [];
  const self = { kept, close: () => servers.forEach((server) => (server.closeAllConnections(), server.close())) };
  self.listen = async (...where) => {
    const server = createServer(serve);
    servers.push(server);
    server.listen(...where);
    await once(server, "listening");
    return server.address();
  };
  self.url = `http://127.0.0.1:${(await self.listen(0, "127.0.0.1")).port}`;
  return self;
}

const WAYS = {
  "the proxy's URL": (h, backend) => gatewayPlace(h, backend.url, "AgentAuthRoutes crud"),
  "a balancer": (h, backend) => `<Proxy balancer://pool>
BalancerMember ${backend.url}
</Proxy>
${gatewayPlace(h, "balancer://pool", `AgentAuthRoutes crud\nAgentAuthBackend ${backend.url}`).replace(" flushpackets=on retry=0", "")}`,
  "a Unix socket": (h) => {
    const socket = `unix:${h.path("service.sock")}|http://localhost`;
    return gatewayPlace(h, socket, `AgentAuthRoutes crud\nAgentAuthBackend "${socket}"`);
  },
};

/* How each collection says whose an object is. */
const COLLECTIONS = {
  items: { said: (owner, more) => ({ ...more, owner }), owner: (object) => object.owner },
  documents: { said: (owner, more) => ({ ...more, metadata: { owner } }), owner: (object) => object.metadata.owner },
};

for (const [way, config] of Object.entries(WAYS))
  describe(way, () => {
    let world, backend;
    before(async () => {
      world = await startTenants({
        policy: POLICY,
        config,
        modules: ["proxy_balancer", "slotmem_shm", "lbmethod_byrequests"],
        start: async () => (backend = await startService()),
        prepare: async (h) => {
          await backend.listen(h.path("service.sock"));
          await chmod(h.path("service.sock"), 0o777);
        },
      });
    });
    after(() => world?.stop());

    for (const [collection, { said, owner }] of Object.entries(COLLECTIONS)) {
      const all = () => backend.kept[collection];
      const ask = (name, method, id, body) => world.ask(name, `${method} /${collection}${id ? `/${id}` : ""}`, body);
      const hidden = (answer) => assert.deepEqual([answer.status, answer.text], [404, '{"error":"not found"}']);

      test(`${collection}: what is made bears its owner`, async () => {
        const made = await ask("alice", "POST", null, said("bob", { n: 1 }));
        assert.equal(made.status, 200, made.text);
        assert.equal(owner(all().get(made.json.id)), "alice");
        assert.equal((await ask("alice", "PUT", "put", said("bob", { n: 2 }))).status, 200);
        assert.equal(owner(all().get("put")), "alice");
      });

      test(`${collection}: another's id is taken`, async () => {
        all().set("taken", said("alice", { id: "taken" }));
        const answer = await ask("bob", "POST", null, said("bob", { id: "taken" }));
        assert.deepEqual([answer.status, answer.text], [409, '{"error":"exists"}']);
        assert.equal((await ask("bob", "POST", null, said("bob", { id: "free" }))).status, 200);
      });

      test(`${collection}: another's object is a missing one`, async () => {
        const before = said("alice", { id: "hers", n: 1 });
        all().set("hers", before);
        for (const [method, body] of [["GET"], ["PATCH", { n: 2 }], ["PUT", said("bob", { n: 2 })], ["DELETE"]]) {
          hidden(await ask("bob", method, "hers", body));
          assert.deepEqual(all().get("hers"), before, method);
        }
        hidden(await ask("bob", "GET", "none"));
        assert.deepEqual((await ask("alice", "GET", "hers")).json, before);
        assert.equal((await ask("alice", "PATCH", "hers", said("bob", { n: 2 }))).status, 200);
        assert.deepEqual([all().get("hers").n, owner(all().get("hers"))], [2, "alice"]);
        assert.equal((await ask("alice", "DELETE", "hers")).status, 204);
        assert.equal(all().has("hers"), false);
      });

      test(`${collection}: a list has one's own, page by page`, async () => {
        all().clear();
        for (let i = 0; i < 250; i++) all().set(`${i}`, said(i % 2 ? "alice" : "bob", { id: `${i}` }));
        const page = async (offset) => (await world.ask("alice", `GET /${collection}?limit=50&offset=${offset}`)).json.map(({ id }) => +id);
        const odd = Array.from({ length: 125 }, (_, i) => 2 * i + 1);
        assert.deepEqual([...(await page(0)), ...(await page(50)), ...(await page(100))], odd);
      });
    }
  });
