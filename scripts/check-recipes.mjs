#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs the tables policy/recipes/NAME_test.json over policy/recipes/NAME.lua,
// and loads every policy that the documentation shows.
//   check-recipes.mjs [NAME...]      default: all
// AA_CLI names the command, default ./agentauth: run it in a build directory.
//
// A row is {name, user, request, body?, expect: {effect, filter?, status?,
// body?}}; request is "METHOD /path?query". `filter` and `body`, what the
// backend gets instead, are compared as JSON; a row whose effect is "filter"
// must state the filter.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const recipes = join(top, "policy/recipes");
const cli = process.env.AA_CLI ?? "./agentauth";
const EFFECTS = ["allow", "filter", "deny"];
let failed = 0;
let passed = 0;

function report(name, why) {
  if (!why) {
    passed++;
    return;
  }
  failed++;
  console.log(`not ok: ${name}\n    ${why.replaceAll("\n", "\n    ")}`);
}

function agentauth(...args) {
  const done = spawnSync(cli, args, { encoding: "utf8" });
  if (done.error) throw new Error(`${cli}: ${done.error.message}`);
  return done;
}

/** What is wrong with this row's shape, so that a typo cannot pass. */
function malformed({ name, user, request, body, expect, ...rest }) {
  if (Object.keys(rest).length) return `unknown: ${Object.keys(rest)}`;
  if (typeof name !== "string" || typeof user?.identity !== "string")
    return "needs name and user.identity";
  if (!/^[A-Z]+ \/\S*$/.test(request)) return "request is no METHOD /path";
  const { effect, filter, status, body: sent, ...more } = expect ?? {};
  if (!EFFECTS.includes(effect) || Object.keys(more).length)
    return "expect needs effect, and knows filter, status and body";
  if (sent !== undefined && effect === "deny") return "a denial sends no body";
  if ((effect === "filter") !== (filter !== undefined))
    return "filter is stated with effect filter, and only then";
  if (status !== undefined && effect !== "deny") return "status is for deny";
  return body === null ? "leave body out instead" : undefined;
}

/* What a client reads when the policy did not choose a status itself. */
const STATUS = { false: 403, assert: 403, unmatched: 403, anonymous: 401, query: 400, body: 400 };

function outcome(got) {
  if (got.effect === "deny") got.status ??= STATUS[got.cause] ?? 500;
  if (got.body !== undefined) got.body = JSON.parse(got.body);
  return got;
}

function decide(file, { user, request, body }) {
  const args = ["--json", "policy", "decide", file, "--user", JSON.stringify(user),
    "--request", request];
  if (body !== undefined) args.push("--body", JSON.stringify(body));
  const done = agentauth(...args);
  try {
    return outcome(JSON.parse(done.stdout));
  } catch {
    throw new Error(`exit ${done.status}: ${done.stdout}${done.stderr}`.trim());
  }
}

function difference(row, got) {
  for (const key of ["effect", "filter", "status", "body"])
    if (row.expect[key] !== undefined && !isDeepStrictEqual(got[key], row.expect[key]))
      return `${key}: expected ${JSON.stringify(row.expect[key])}\ngot ${JSON.stringify(got)}`;
  return undefined;
}

function run(name) {
  const file = join(recipes, `${name}.lua`);
  const table = join(recipes, `${name}_test.json`);
  if (!existsSync(table)) return report(name, `has no ${basename(table)}`);
  const names = new Set();
  for (const row of JSON.parse(readFileSync(table, "utf8"))) {
    const title = `${name}: ${row.name}`;
    try {
      const twice = names.has(row.name) ? "this name is there twice" : undefined;
      names.add(row.name);
      report(title, malformed(row) ?? twice ?? difference(row, decide(file, row)));
    } catch (error) {
      report(title, error.message);
    }
  }
  return undefined;
}

const isPolicy = (name) => /policy[^/]*\.lua$/.test(name);

/** A policy for another map than `langgraph` names it in its first lines. */
function mapOf(file) {
  const routes = readFileSync(file, "utf8").match(/^-- routes: (\S+)$/m)?.[1];
  if (!routes) return [];
  return ["--routes", routes === "none" ? routes : `+${join(top, "docs/examples", routes)}`];
}

function check(file) {
  const args = mapOf(file);
  const done = agentauth("policy", "check", ...args, file);
  report(relative(top, file), done.status ? `${done.stdout}${done.stderr}`.trim() : undefined);
}

const all = readdirSync(recipes)
  .filter((name) => name.endsWith(".lua"))
  .map((name) => basename(name, ".lua"));
const wanted = process.argv.slice(2);
for (const name of wanted.length ? wanted : all) run(name);
if (!wanted.length) {
  const examples = join(top, "docs/examples");
  for (const name of readdirSync(examples, { recursive: true }))
    if (isPolicy(name) && !name.includes("node_modules")) check(join(examples, name));
}
console.log(`recipes: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
