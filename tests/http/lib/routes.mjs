// SPDX-License-Identifier: Apache-2.0
// For scripts/mutate-rules: the map with a rule that was changed, and the tests
// of one row alone.
//
// Environment: AA_ROUTES (a file with rows that take the place of the map's),
// AA_ROW ("METHOD /path").
const { AA_ROUTES, AA_ROW } = process.env;

/** A directive for the place. */
export const moreRoutes = AA_ROUTES ? `AgentAuthRoutes langgraph "+${AA_ROUTES}"` : "";

/** false: everything is tested. */
export const oneRow = Boolean(AA_ROW);

/** For filter(): the rows that are wanted. */
export const wanted = ({ row }) => !AA_ROW || row === AA_ROW;
