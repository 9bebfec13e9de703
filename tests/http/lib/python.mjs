// SPDX-License-Identifier: Apache-2.0
// The endpoints that only the Python server has, in memory and without any
// authentication: whoever is let through gets what there is. Where it is not
// known how much that server checks by itself, this one checks nothing.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { until } from "./httpd.mjs";
import { TENANTS } from "./policies.mjs";
import { gatewayPlace, startTenants } from "./tenants.mjs";
import { startThreads } from "./threads.mjs";
import { request } from "./wire.mjs";

const DECISIONS = "log/decisions.json";
const now = () => new Date().toISOString();

/** A JSON-RPC answer that shows all that there is. */
const rpc = (answer, body, result) => answer.json({ jsonrpc: "2.0", id: body.id ?? null, result });

/* A UUID is one however it is spelt. */
const find = (map, id) => map.get(String(id).toLowerCase());

function makeCron(self, thread_id, body) {
  const cron = {
    cron_id: randomUUID(), assistant_id: body.assistant_id, thread_id: thread_id ?? null, schedule: body.schedule,
    created_at: now(), updated_at: now(), payload: body, metadata: body.metadata ?? {},
  };
  self.crons.set(cron.cron_id, cron);
  return cron;
}

const cronsLike = (self, { assistant_id, thread_id }) =>
  [...self.crons.values()].filter(
    (c) => (!assistant_id || c.assistant_id === assistant_id) && (!thread_id || c.thread_id === thread_id),
  );

const threadRows = (self) => ({
  "GET /threads/*": (answer, body, [id]) =>
    find(self.threads, id) ? answer.json(find(self.threads, id)) : answer.text(404, `Thread with ID ${id} not found`),
  "POST /threads/prune": (answer, { thread_ids }) => {
    const gone = thread_ids.filter((id) => self.threads.delete(String(id).toLowerCase()));
    answer.json({ pruned_count: gone.length });
  },
  "GET /threads/*/stream": ({ response, text }, body, [id]) => {
    const thread = find(self.threads, id);
    if (!thread) return text(404, `Thread with ID ${id} not found`);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.end(`event: values\ndata: ${JSON.stringify(thread.values)}\n\n`);
  },
  "GET /threads/*/storage": (answer, body, [id]) => {
    const thread = find(self.threads, id);
    return thread ? answer.json({ files: [thread.values] }) : answer.text(404, `Thread with ID ${id} not found`);
  },
});

const runRows = (self) => ({
  "POST /runs/cancel": (answer, { run_ids, status }) => {
    for (const run of self.runs.values())
      if (status ? ["all", run.status].includes(status) : run_ids?.includes(run.run_id)) run.status = "interrupted";
    answer.empty(204);
  },
  "POST /runs/crons": (answer, body) => answer.json(makeCron(self, body.thread_id, body)),
  "POST /threads/*/runs/crons": (answer, body, [id]) => answer.json(makeCron(self, id, body)),
  "POST /runs/crons/search": (answer, body) => {
    const { limit = 10, offset = 0 } = body;
    const all = cronsLike(self, body);
    answer.json(all.slice(offset, offset + limit), { "X-Pagination-Total": String(all.length) });
  },
  "POST /runs/crons/count": (answer, body) => answer.json(cronsLike(self, body).length),
  "PATCH /runs/crons/*": (answer, body, [id]) => {
    const cron = find(self.crons, id);
    if (!cron) return answer.text(404, "Cron not found");
    answer.json(Object.assign(cron, { schedule: body.schedule ?? cron.schedule }));
  },
  "DELETE /runs/crons/*": (answer, body, [id]) =>
    self.crons.delete(String(id).toLowerCase()) ? answer.empty(204) : answer.text(404, "Cron not found"),
});

const assistantRows = (self) => ({
  "POST /assistants": (answer, body) => {
    const assistant = { config: {}, version: 1, ...body, assistant_id: body.assistant_id ?? randomUUID(), metadata: body.metadata ?? {} };
    self.assistants.set(assistant.assistant_id, assistant);
    answer.json(assistant);
  },
  "GET /assistants/*": (answer, body, [id]) => {
    const built = id.startsWith("agent") && { assistant_id: id, graph_id: "agent", name: "agent", metadata: { created_by: "system" } };
    const there = find(self.assistants, id) ?? built;
    return there ? answer.json(there) : answer.text(404, "Assistant not found");
  },
  "GET /.well-known/agent-card.json": (answer) => {
    const there = find(self.assistants, answer.query.getAll("assistant_id").at(-1));
    return there ? answer.json({ name: there.name, url: "/a2a" }) : answer.text(404, "Assistant not found");
  },
});

/* What a call does is all the same: it shows everything. */
const protocolRows = (self) => {
  const all = () => ({ threads: [...self.threads.values()], assistants: [...self.assistants.values()] });
  const pages = { "/docs": "<html>API</html>", "/openapi.json": '{"openapi":"3.1.0"}', "/metrics": "runs_pending 7" };
  return {
    "POST /a2a/*": (answer, body) => rpc(answer, body, all()),
    "POST /mcp/": (answer, body) => rpc(answer, body, all()),
    "GET /mcp/": (answer) => answer.text(405, "Method Not Allowed"),
    "DELETE /mcp/": (answer) => answer.text(404, "Not Found"),
    ...Object.fromEntries(Object.entries(pages).map(([path, text]) => [`GET ${path}`, (answer) => answer.text(200, text)])),
  };
};

export const startPython = () =>
  startThreads((self) => {
    self.crons = new Map();
    self.assistants = new Map();
    return { ...threadRows(self), ...runRows(self), ...assistantRows(self), ...protocolRows(self) };
  });

/** Of a request to the test's server. */
function send(port, headers, { method = "GET", path, json, headers: own = {} }) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const typed = body === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  return request({ port, method, path, body, headers: { ...headers, ...typed, ...own } });
}

/**
 * The gateway before such a server, as lib/world.mjs has it for the real one.
 * @param lines further directives of the place
 * @param rows  a file of rows of one's own
 */
export async function startPythonWorld(lines = "", rows) {
  const world = await startTenants({
    start: startPython,
    policy: TENANTS,
    names: ["alice", "bob", "admin"],
    permissions: { admin: ["admin"] },
    prepare: (httpd) => rows && httpd.write("rows.lua", rows),
    config(httpd, backend) {
      const map = rows ? `AgentAuthRoutes langgraph "+${httpd.path("rows.lua")}"\n` : "";
      return `AgentAuthDecisionLog "${httpd.path(DECISIONS)}"\n${gatewayPlace(httpd, backend.url, map + lines)}`;
    },
  });
  const { httpd, backend } = world;
  return {
    ...world,
    mode: "gateway",
    ask: (name, what) => send(httpd.port, name ? { "X-API-Key": world.keys[name] } : {}, what),
    truth: (what) => send(backend.port, {}, what),
    /** The requests to this endpoint that have reached the backend meanwhile. */
    async reaching(line, act) {
      backend.take();
      await act();
      return backend.take().filter((seen) => seen.line === line);
    },
    /** What the log says of the decision on a request. */
    decision(answer) {
      const id = `"id":"${answer.header("agentauth-decision-id")}"`;
      return until(async () => {
        const lines = (await readFile(httpd.path(DECISIONS), "utf8")).split("\n");
        const line = lines.find((one) => one.includes(id));
        return line && JSON.parse(line);
      }, "the decision");
    },
  };
}
