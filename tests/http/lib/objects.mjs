// SPDX-License-Identifier: Apache-2.0
// Objects of a tenant for the tests of single endpoints, each with a marker
// that nobody else may ever see, and what is really stored of them.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { until } from "./httpd.mjs";

/** The answer to a request that must succeed, as JSON. */
export async function made(w, name, what) {
  const answer = await w.ask(name, what);
  assert.equal(answer.status, 200, `${name} ${what.method} ${what.path}: ${answer.status} ${answer.text}`);
  return answer.json;
}

/** A thread that has state, without a run. */
export async function thread(w, name, metadata = {}) {
  const marker = `marker-${randomUUID()}`;
  const { thread_id } = await made(w, name, {
    method: "POST",
    path: "/threads",
    json: { metadata: { graph_id: "agent", marker, ...metadata } },
  });
  const json = { values: { text: marker } };
  const written = await made(w, name, { method: "POST", path: `/threads/${thread_id}/state`, json });
  return { marker, thread_id, checkpoint_id: written.checkpoint.checkpoint_id, ids: [thread_id] };
}

/** Joining it could take the events from whoever wants them later. */
export const runEnded = (w, { thread_id, run_id }) =>
  until(async () => {
    const { json } = await w.truth({ path: `/threads/${thread_id}/runs/${run_id}` });
    return json.status === "success";
  }, "the end of the run");

/** A run on a new thread: ended, or with `more` that keeps it from ending. */
export async function run(w, name, more) {
  const on = await thread(w, name);
  const created = await made(w, name, {
    method: "POST",
    path: `/threads/${on.thread_id}/runs`,
    json: { assistant_id: "agent", input: { text: on.marker }, stream_resumable: true, ...more },
  });
  const { run_id } = created;
  if (!more) await runEnded(w, created);
  return { ...on, run_id, ids: [on.thread_id, run_id] };
}

/** One that has not begun, and would in an hour. */
export const waitingRun = (w, name) => run(w, name, { after_seconds: 3600 });

export async function assistant(w, name, more) {
  const marker = `marker-${randomUUID()}`;
  const json = { graph_id: "agent", name: marker, metadata: { marker }, ...more };
  const { assistant_id } = await made(w, name, { method: "POST", path: "/assistants", json });
  return { marker, assistant_id, ids: [assistant_id] };
}

/** An item that is its maker's by a label, or by the value on a shelf. */
export async function item(w, name, { shelf = false } = {}) {
  const marker = `marker-${randomUUID()}`;
  const room = `room-${randomUUID()}`;
  const namespace = shelf ? ["shelf", room] : [room, name];
  const json = { namespace, key: "k", value: { marker } };
  const answer = await w.ask(name, { method: "PUT", path: "/store/items", json });
  assert.equal(answer.status, 204, answer.text);
  return { marker, room, namespace, key: "k", ids: [room] };
}

export const itemPath = ({ namespace, key }) =>
  `/store/items?namespace=${encodeURIComponent(namespace.join("."))}&key=${encodeURIComponent(key)}`;

/** The same request would find nothing there: other ids of the same form. */
export function nobodys(object) {
  const text = object.ids.reduce(
    (all, id) => all.replaceAll(id, id.replace(/[0-9a-f-]{36}$/, randomUUID())),
    JSON.stringify(object),
  );
  return JSON.parse(text);
}

const plain = async (w, what) => {
  const { status, text } = await w.truth(what);
  return [what.path, status, text];
};

/** All that the server keeps of an object. */
export async function stored(w, object) {
  const { thread_id, assistant_id, namespace } = object;
  const paths = [];
  if (thread_id)
    for (const rest of ["", "/state", "/history", "/runs?limit=100"])
      paths.push({ path: `/threads/${thread_id}${rest}` });
  if (assistant_id) {
    paths.push({ path: `/assistants/${assistant_id}` });
    paths.push({ method: "POST", path: `/assistants/${assistant_id}/versions`, json: {} });
  }
  if (namespace) paths.push({ path: itemPath(object) });
  return Promise.all(paths.map((what) => plain(w, what)));
}
