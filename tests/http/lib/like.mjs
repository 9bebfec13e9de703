// SPDX-License-Identifier: Apache-2.0
// A foreign object must look like one that does not exist.
import assert from "node:assert/strict";
import { differs } from "./differences.mjs";
import { nobodys, stored, thread } from "./objects.mjs";

/* Of each answer its own. */
const OWN = ["date", "agentauth-decision-id"];

/** Status, headers and body of an answer, with the client's ids named alike. */
export function likeness(answer, ids = []) {
  const alike = (text) => ids.reduce((all, id, i) => all.replaceAll(id, `ID${i}`), text);
  return {
    status: answer.status,
    headers: answer.rawHeaders
      .filter(([name]) => !OWN.includes(name.toLowerCase()))
      .map(([name, value]) => `${name}: ${alike(value)}`),
    body: alike(answer.text),
  };
}

export const showsNothing = (answer, { marker }, about) =>
  assert.ok(!JSON.stringify([answer.rawHeaders, answer.text]).includes(marker), `${about} shows the marker`);

/* Known difference: just what was written down of it. */
function asWritten(known, foreign, missing, about) {
  const wanted = (answer, status) =>
    assert.ok([status].flat().includes(answer.status), `${about}: ${answer.status} ${answer.text}, known is ${status}`);
  wanted(foreign, known.foreign);
  wanted(missing, known.missing);
  return known.foreign !== known.missing || known.leaks || known.apart;
}

/**
 * @param view {about, foreign, missing}: two objects for the same request
 * @param send (name, object) => Answer
 * @param status that bob gets for both, where no difference is known
 */
export async function likeMissing(w, row, { about, foreign, missing }, send, status) {
  const text = `${row}, ${about}`;
  const [a, b] = [await send("bob", foreign), await send("bob", missing)];
  const known = differs(w.mode, row, about);
  if (!known?.leaks) showsNothing(a, foreign, text);
  const expected = known ?? { foreign: status, missing: status };
  if (asWritten(expected, a, b, text)) return;
  assert.deepEqual(likeness(a, foreign.ids), likeness(b, missing.ids), text);
}

/** Alice's object; one that is not there. */
export const foreignView = (w, object) => [{ about: "foreign", foreign: object, missing: nobodys(object) }];

/** Her run below his own thread as well. */
export async function runViews(w, object) {
  const { thread_id } = await thread(w, "bob");
  const foreign = { ...object, thread_id, ids: [thread_id, object.run_id] };
  const missing = { ...foreign, run_id: nobodys({ ids: [object.run_id], run_id: object.run_id }).run_id };
  missing.ids = [thread_id, missing.run_id];
  return [...foreignView(w, object), { about: "foreign run on one's own thread", foreign, missing }];
}

/** A row that a mode does not serve at all; true: so it is. */
export async function refusedHere(w, row, what) {
  const known = differs(w.mode, row, "everyone");
  if (!known) return false;
  for (const name of ["alice", "bob", "admin"]) {
    const answer = await w.ask(name, what);
    assert.equal(answer.status, known.status, `${row}, ${name}: ${answer.text}`);
    if (known.code) assert.equal(answer.header("agentauth-error"), known.code, row);
  }
  return true;
}

/**
 * The test of a row that speaks of one object.
 * @param spec.make    (w, name) => object of lib/objects.mjs
 * @param spec.ask     (object, name) => {path, json, …}
 * @param spec.foreign status that bob gets
 * @param spec.views   (w, object) => [{about, foreign, missing}]
 * @param spec.good    (answer, object, w, name): what alice and the admin get
 */
export function objectRow(row, { make, ask, foreign = 404, views = foreignView, good }) {
  const [method] = row.split(" ");
  return {
    row,
    async test(w) {
      const send = (name, object) => w.ask(name, { method, ...ask(object, name) });
      const hers = await make(w, "alice");
      if (await refusedHere(w, row, { method, ...ask(hers) })) return;
      const before = await stored(w, hers);
      for (const view of await views(w, hers)) await likeMissing(w, row, view, send, foreign);
      assert.deepEqual(await stored(w, hers), before, `${row} changed a foreign object`);
      await good(await send("alice", hers), hers, w, "alice");
      const other = await make(w, "alice");
      await good(await send("admin", other), other, w, "admin");
      for (const view of await views(w, other))
        if (!differs(w.mode, row, view.about)?.leaks) showsNothing(await send("bob", view.foreign), other, row);
    },
  };
}
