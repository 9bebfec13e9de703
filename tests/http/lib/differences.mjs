// SPDX-License-Identifier: Apache-2.0
// Where the three ways of having tenants differ, endpoint by endpoint, and why.
// docs/backends.md says the same in its table; the tests of the rows and the
// dangers take from here what to expect, and fail when it is not so.
//
// Of a difference between a foreign and a missing object there are the two
// statuses; apart: the answers can be told apart all the same; leaks: the one to
// the foreign object shows what is in it.

const same = (status) => ({ foreign: status, missing: status });
const REFUSED = { status: 403, code: "AGA0211" };
const NOT_VERIFIED = "the server does not check this endpoint, so its handlers cannot make a decision true";

const STARTS = ["POST /threads/{thread_id}/runs", "POST /threads/{thread_id}/runs/stream", "POST /threads/{thread_id}/runs/wait"];
const STATELESS = ["POST /runs", "POST /runs/stream", "POST /runs/wait", "POST /runs/batch"];
const SHOWS_CONFIG = ["POST /threads/{thread_id}/runs", "POST /runs", "POST /runs/batch"];

/** The same in both ways in which the server itself applies the filter. */
const server = (expected) => ({ native: expected, headers: expected });

export const DIFFERENCES = [
  ...STARTS.map((row) => ({
    row,
    about: "foreign",
    ...server({ foreign: 404, missing: 422 }),
    why: "the server says of a thread that does not exist that it is busy, so whoever asks learns which ids exist",
  })),
  ...[...STARTS, ...STATELESS].map((row) => ({
    row,
    about: "foreign assistant",
    ...server({ foreign: 200, missing: 404, leaks: SHOWS_CONFIG.includes(row) }),
    why: "the server does not ask whether the caller may read the assistant that is run",
  })),
  {
    row: "GET /threads/{thread_id}/runs/{run_id}/join",
    about: "foreign run on one's own thread",
    ...server(same(200)),
    why: "the server says that there is no such run in an answer with status 200",
  },
  {
    row: "GET /threads/{thread_id}/runs/{run_id}/stream",
    about: "foreign",
    // A stream that breaks off is noticed before or after its head.
    ...server({ foreign: 200, missing: [200, 502], apart: true }),
    why: "the server says that there is no such thread in a stream with status 200, and fails at a missing one",
  },
  {
    row: "GET /threads/{thread_id}/runs/{run_id}/stream",
    about: "foreign run on one's own thread",
    ...server({ foreign: 200, missing: 200, leaks: true }),
    why: "the server asks for the thread only and reads the events of whichever run was named",
  },
  {
    row: "POST /threads/{thread_id}/commands",
    about: "everyone",
    headers: REFUSED,
    why: NOT_VERIFIED,
  },
  {
    row: "POST /threads/{thread_id}/stream/events",
    about: "everyone",
    headers: REFUSED,
    why: NOT_VERIFIED,
  },
  {
    row: "POST /threads/{thread_id}/stream/events",
    about: "foreign",
    native: { foreign: 200, leaks: true },
    why: "the server asks no handler before it sends a thread's events",
  },
  {
    row: "GET /threads/{thread_id}/stream/events",
    about: "everyone",
    native: { status: 101 },
    headers: REFUSED,
    gateway: REFUSED,
    why: "the commands in its frames would be seen by nobody; the two POST endpoints do the same",
  },
  ...["POST /runs/crons", "POST /threads/{thread_id}/runs/crons"].map((row) => ({
    row,
    about: "foreign",
    ...server(same(500)),
    why: "the server has no crons and says so to everybody; the gateway asks for the thread first",
  })),
  {
    row: "POST /runs/crons/search",
    about: "under a filter",
    gateway: { status: 502, code: "AGA0702" },
    why: "the gateway searches itself, and what the server answers is no list",
  },
  {
    row: "DELETE /runs/crons/{cron_id}",
    about: "everyone",
    gateway: REFUSED,
    why: "nobody can be asked whose a single cron is",
  },
  {
    row: "POST /internal/truncate",
    about: "everyone",
    native: { status: 200 },
    headers: REFUSED,
    gateway: REFUSED,
    why: "it wipes the data of all users for any of them",
  },
  ...["GET /info", "GET /ui/{graph}/{file}"].map((row) => ({
    row,
    about: "nobody",
    native: { status: row === "GET /info" ? 200 : 404 },
    why: "the server serves it without credentials; AgentAuthOpenRoutes can do so too",
  })),
  {
    row: "PUT /store/items",
    about: "foreign",
    ...server({ foreign: 404, missing: 403 }),
    gateway: same(403),
    why: "the server says 404 of a foreign item that is there, and 403 where it may not be made",
  },
  {
    row: "GET /store/items",
    about: "foreign",
    ...server({ foreign: 404, missing: 200 }),
    why: "the server says 404 of a foreign item, and null of a missing one",
  },
  {
    row: "GET /store/items",
    about: "foreign on a shelf",
    ...server({ foreign: 404, missing: 200 }),
    why: "the server says 404 of a foreign item, and null of a missing one",
  },
  {
    row: "DELETE /store/items",
    about: "foreign",
    ...server({ foreign: 404, missing: 403 }),
    why: "the server says 404 of a foreign item that is there, and 403 of a missing one that would be",
  },
  {
    row: "DELETE /store/items",
    about: "foreign on a shelf",
    ...server({ foreign: 404, missing: 403 }),
    why: "the server says 404 of a foreign item that is there, and 403 of a missing one that would be",
  },
  {
    row: "GET /runs/{run_id}/stream",
    about: "foreign",
    native: { foreign: 200, missing: 200, leaks: true },
    why: "the server asks for no thread and applies no filter; the gateway knows whose run it is",
  },
  {
    row: "GET /runs/{run_id}/stream",
    about: "everyone",
    headers: REFUSED,
    why: NOT_VERIFIED,
  },
  // ------------------------------------------- the dangers of dangers.test.mjs
  {
    row: "danger 2",
    about: "headers of the client",
    ...server({ told: "root" }),
    why: "the server copies the headers X-* of a run to its configurable; the gateway drops them",
  },
  {
    row: "danger 5",
    about: "after alice has used it",
    native: { leaks: true },
    why: "the server keeps the first caller's identity for a thread; adapter: refused; the gateway asks each time",
  },
  {
    row: "danger 5",
    about: "after bob has tried it",
    native: { leaks: true },
    why: "the server keeps the first caller's identity for a thread; adapter: refused; the gateway asks each time",
  },
  {
    row: "danger 5",
    about: "the id of a deleted thread",
    native: { leaks: true },
    why: "the server keeps what streamed under an id; the gateway keeps the id for who deleted its thread",
  },
  {
    row: "danger 6",
    about: "through one's own thread",
    ...server({ leaks: true }),
    why: "the server does not ask whether run and thread belong together",
  },
  {
    row: "danger 7",
    about: "a private assistant",
    ...server({ leaks: true }),
    why: "the server does not ask whether the caller may read the assistant that is run",
  },
  {
    row: "danger 8",
    about: "filters with an operator that is unknown or empty",
    native: { leaks: true },
    why: "the server lets everything match what it does not know; the gateway refuses such a filter, or knows it",
  },
  {
    row: "danger 9",
    about: "search and namespaces with the prefix that was sent",
    ...server({ leaks: true }),
    why: "the server goes on with the request's prefix; the gateway with the policy's",
  },
  {
    row: "danger 10",
    about: "wiping everything",
    native: { leaks: true },
    why: "the server lets every user do it",
  },
  {
    row: "danger 12",
    about: "threads of an assistant",
    ...server({ leaks: true }),
    why: "the server deletes the threads of every owner; the gateway drops the parameter",
  },
  {
    row: "danger 13",
    about: "OPTIONS without credentials",
    native: { status: 204 },
    why: "the server answers CORS before it authenticates; AgentAuthCORSOrigin does so in the gateway",
  },
];

const used = new Set();

/** What a mode does there; undefined: as everywhere. */
export function differs(mode, row, about) {
  const found = DIFFERENCES.find((d) => d.row === row && d.about === about);
  if (found?.[mode]) used.add(`${mode} ${row} ${about}`);
  return found?.[mode];
}

/** Differences that no test has asked for. */
export const unused = (mode, rows) =>
  DIFFERENCES.filter((d) => d[mode] && rows.includes(d.row))
    .map((d) => `${mode} ${d.row} ${d.about}`)
    .filter((name) => !used.has(name));
