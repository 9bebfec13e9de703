// SPDX-License-Identifier: Apache-2.0
// A small backend with the shapes of the LangGraph server, in a process of its
// own: 10,000 threads of 100 tenants, searched from the first to the last.
// Prints its address; the end of stdin ends it.
import { createServer } from "node:http";

const THREADS = 10_000;
const TENANTS = 100;
const EVENTS = 300;
const EVERY = 4; // milliseconds

export const threadOf = (i) => ({
  thread_id: `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`,
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
  metadata: { owner: `t${i % TENANTS}`, topic: "tea", graph_id: "agent" },
  status: "idle",
  config: {},
  values: null,
});

const threads = new Map(
  Array.from({ length: THREADS }, (_, i) => threadOf(i)).map((thread) => [thread.thread_id, thread]),
);

function answer(response, value, status = 200) {
  const text = JSON.stringify(value);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

function search(response, { metadata = {}, limit = 10, offset = 0 }) {
  const wanted = Object.entries(metadata);
  const found = [...threads.values()].filter((thread) => wanted.every(([k, v]) => thread.metadata[k] === v));
  answer(response, found.slice(offset, offset + limit));
}

/** Each event says when it was written. */
function stream(response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  let left = EVENTS;
  const timer = setInterval(() => {
    response.write(`data: ${process.hrtime.bigint()}\n\n`);
    if (--left) return;
    clearInterval(timer);
    response.end();
  }, EVERY);
}

function read(request, done) {
  let text = "";
  request.setEncoding("utf8").on("data", (piece) => (text += piece));
  request.on("end", () => done(JSON.parse(text || "{}")));
}

const server = createServer((request, response) => {
  const [, , id, below, run, last] = request.url.split("/");
  if (request.method === "POST") return read(request, (body) => search(response, body));
  if (last === "stream") return stream(response);
  if (below === "runs") return answer(response, { run_id: run, thread_id: id });
  const thread = threads.get(id);
  return thread ? answer(response, thread) : answer(response, { detail: "not found" }, 404);
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => console.log(`LISTENING 127.0.0.1:${server.address().port}`));
process.stdin.resume().on("end", () => process.exit(0));
