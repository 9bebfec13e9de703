// SPDX-License-Identifier: Apache-2.0
// An agent server in memory that knows nobody: threads and runs in LangGraph's
// shapes, and any answer, at any moment, that a test wants of it.
import { createServer } from "node:http";
import { once } from "node:events";
import { randomUUID } from "node:crypto";

const now = () => new Date().toISOString();

/** "GET /threads/x" says exactly that, a RegExp matches it, null all. */
const matcher = (wanted) => (line) =>
  wanted === null || (wanted instanceof RegExp ? wanted.test(line) : line === wanted);

class Gate {
  #open;
  #arrive;
  constructor() {
    this.opened = new Promise((resolve) => (this.#open = resolve));
    /** Somebody stands at it. */
    this.arrived = new Promise((resolve) => (this.#arrive = resolve));
  }
  open() {
    this.#open();
  }
  pass() {
    this.#arrive();
    return this.opened;
  }
}

/**
 * {port, url, threads, seen, say(), hold(), close()}
 * @param more (self) => {"METHOD /path": handler}: further rows, which come first
 */
export async function startThreads(more = () => ({})) {
  const threads = new Map();
  const runs = new Map();
  const scripts = [];
  const server = createServer();
  const self = { threads, runs, seen: [] };

  const system = (id) => ({
    assistant_id: id, graph_id: "agent", name: "agent", config: {}, version: 1,
    created_at: now(), updated_at: now(), metadata: { created_by: "system" },
  });
  const find = (id, answer) => threads.get(id) ?? void answer.text(404, `Thread with ID ${id} not found`);
  const contains = (object, part) =>
    Object.entries(part ?? {}).every(([k, v]) => JSON.stringify(object?.[k]) === JSON.stringify(v));

  self.make = (id, metadata, more = {}) => {
    const thread = {
      thread_id: id, created_at: now(), updated_at: now(), metadata: metadata ?? {},
      status: "idle", config: {}, values: null, ...more,
    };
    threads.set(id, thread);
    return thread;
  };
  const makeRun = (thread, body) => {
    const run = {
      run_id: randomUUID(), thread_id: thread, assistant_id: body.assistant_id, metadata: body.metadata ?? {},
      status: "success", kwargs: { input: body.input, config: body.config },
    };
    runs.set(run.run_id, run);
    return run;
  };
  self.run = makeRun;

  /* Each: path, handler(answer, body, ids). */
  const rows = {
    "POST /threads": (answer, body) => {
      const id = body.thread_id ?? randomUUID();
      const there = threads.get(id);
      if (there && body.if_exists !== "do_nothing") return answer.text(409, "Thread already exists");
      answer.json(there ?? self.make(id, body.metadata));
    },
    "POST /threads/search": (answer, body) => {
      const all = [...threads.values()].filter((t) => contains(t.metadata, body.metadata));
      const from = body.offset ?? 0;
      answer.json(all.slice(from, from + (body.limit ?? 10)));
    },
    "POST /threads/count": (answer, body) =>
      answer.json([...threads.values()].filter((t) => contains(t.metadata, body.metadata)).length),
    "GET /threads/*": (answer, body, [id]) => find(id, answer) && answer.json(threads.get(id)),
    "PATCH /threads/*": (answer, body, [id]) => {
      const thread = find(id, answer);
      if (!thread) return;
      Object.assign(thread.metadata, body.metadata);
      answer.json(thread);
    },
    "DELETE /threads/*": (answer, body, [id]) => {
      if (!find(id, answer)) return;
      threads.delete(id);
      answer.empty(204);
    },
    "POST /threads/*/copy": (answer, body, [id]) => {
      const thread = find(id, answer);
      if (thread) answer.json(self.make(randomUUID(), structuredClone(thread.metadata), { values: thread.values }));
    },
    "GET /threads/*/state": (answer, body, [id]) => {
      const thread = find(id, answer);
      if (thread) answer.json({ values: thread.values, checkpoint: { thread_id: id } });
    },
    "POST /threads/*/state": (answer, body, [id]) => {
      const thread = find(id, answer);
      if (!thread) return;
      thread.values = { ...thread.values, ...body.values };
      answer.json({ checkpoint: { thread_id: id } });
    },
    "GET /threads/*/runs": (answer, body, [id]) =>
      find(id, answer) && answer.json([...runs.values()].filter((r) => r.thread_id === id)),
    "POST /threads/*/runs": (answer, body, [id]) => {
      if (!find(id, answer)) return;
      const run = makeRun(id, body);
      answer.json(run, { "Content-Location": `/threads/${id}/runs/${run.run_id}` });
    },
    "GET /threads/*/runs/*": (answer, body, [id, run]) =>
      runs.get(run)?.thread_id === id ? answer.json(runs.get(run)) : answer.text(404, "Run not found"),
    "POST /runs/batch": (answer, body) => answer.json(body.map((one) => makeRun(randomUUID(), one))),
    "POST /runs": (answer, body) => {
      const run = makeRun(randomUUID(), body);
      answer.json(run, { "Content-Location": `/runs/${run.run_id}` });
    },
    "GET /assistants/*": (answer, body, [id]) =>
      id.startsWith("agent") ? answer.json(system(id)) : answer.text(404, "Assistant not found"),
    "GET /ok": (answer) => answer.json({ ok: true }),
  };
  const compiled = [...Object.entries(more(self)), ...Object.entries(rows)].map(([row, handle]) => [
    new RegExp(`^${row.replaceAll("*", "([^/]+)")}$`), handle,
  ]);

  function answerOf(response) {
    const send = (status, type, text, headers = {}) => {
      if (response.destroyed) return;
      response.writeHead(status, { ...(type ? { "Content-Type": type } : {}), ...headers });
      response.end(text);
    };
    return {
      response,
      socket: response.socket,
      json: (value, headers) => send(200, "application/json", JSON.stringify(value), headers),
      text: (status, text) => send(status, "text/plain;charset=UTF-8", text),
      empty: (status) => send(status),
      /** Exact bytes; then the connection stays as it is, or ends. */
      raw(bytes, { end = true } = {}) {
        response.socket.write(bytes);
        if (end) response.socket.end();
      },
    };
  }

  async function handle(line, answer, body) {
    for (const [pattern, act] of compiled) {
      const found = pattern.exec(line);
      if (found) return act(answer, body, found.slice(1).map(decodeURIComponent));
    }
    answer.text(404, "404 Not Found");
  }

  server.on("request", async (request, response) => {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the other side went away
    }
    const text = Buffer.concat(chunks).toString("utf8");
    const path = request.url.split("?")[0];
    const line = `${request.method} ${path}`;
    const answer = answerOf(response);
    answer.query = new URLSearchParams(request.url.split("?")[1]);
    self.seen.push({ line, url: request.url, text, headers: request.headers });
    const at = scripts.findIndex((one) => one.matches(line));
    const script = at < 0 ? null : scripts[at];
    if (script && !script.always) scripts.splice(at, 1);
    const act = () => handle(line, answer, text ? JSON.parse(text) : {});
    try {
      await (script ? script.act(answer, act) : act());
    } catch (error) {
      answer.text(500, error.message);
    }
  });
  server.on("clientError", (error, socket) => socket.destroy());
  server.on("connection", (socket) => socket.on("error", () => {}));

  /** The next request that matches (`always`: each) is answered by act(answer,
   *  usual); usual() does what would have been done. */
  self.say = (wanted, act, { always = false } = {}) => {
    const script = { matches: matcher(wanted), act, always };
    scripts.push(script);
    return () => scripts.includes(script) && scripts.splice(scripts.indexOf(script), 1);
  };
  /** The next request that matches stands at a gate: before anything is done,
   *  or `after` it was done and before its answer. */
  self.hold = (wanted, { after = false } = {}) => {
    const gate = new Gate();
    self.say(wanted, async (answer, usual) => {
      if (!after) {
        await gate.pass();
        return usual();
      }
      let late = null;
      const { json, text, empty } = answer;
      for (const [name, send] of Object.entries({ json, text, empty }))
        answer[name] = (...args) => (late = () => send(...args));
      await usual();
      await gate.pass();
      late?.();
    });
    return gate;
  };
  /** Nothing of what was said stands any more. */
  self.forget = () => scripts.splice(0);
  self.take = () => self.seen.splice(0);

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  self.port = server.address().port;
  self.url = `http://127.0.0.1:${self.port}`;
  self.drop = () => server.closeAllConnections();
  self.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return self;
}
