// SPDX-License-Identifier: Apache-2.0
// The same main job before a server that has no authentication at all: the
// gateway alone makes the decisions true.
import { describe } from "node:test";
import { startAgents } from "./lib/agents.mjs";
import { HOWTO, OWNERS } from "./lib/policies.mjs";
import { agentServerSuite } from "./lib/suite.mjs";

describe("API keys, event", () =>
  agentServerSuite(() => startAgents({ policy: OWNERS, enforce: "gateway" })));

describe("bearer tokens, worker", () =>
  agentServerSuite(() => startAgents({ mpm: "worker", policy: OWNERS, bearer: true, enforce: "gateway" })));

describe("LangGraph's how-to policy, prefork", () =>
  agentServerSuite(() => startAgents({ mpm: "prefork", policy: HOWTO, enforce: "gateway" }), { admin: false }));
