// SPDX-License-Identifier: Apache-2.0
// Where the three ways of having tenants differ, endpoint by endpoint, and why.
// docs/backends.md says the same in its table; the tests of the rows and the
// dangers take from here what to expect, and fail when it is not so.
//
// Of a difference between a foreign and a missing object there are the two
// statuses; leaks: the answer to the foreign one shows what is in it.

const same = (status) => ({ foreign: status, missing: status });
const REFUSED = { status: 403, code: "AGA0211" };
const NOT_VERIFIED = "the server does not check this endpoint, so its handlers cannot make a decision true";

export const DIFFERENCES = [
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
