-- SPDX-License-Identifier: Apache-2.0
-- Who authenticate-policy.lua says is calling.
local test = require "agentauth.test"

-- doc: tests
test "a partner is known by the header" {
  headers = { ["X-Partner-Id"] = "b6f1c2d3a4958677" }, "GET", "/threads/42",
  expect = { user = { identity = "partner:north", permissions = { "threads:read" } },
             filter = { owner = "partner:north" } },
}

test "an unknown partner is refused" {
  headers = { ["X-Partner-Id"] = "b6f1c2d3a4958678" }, "GET", "/threads/42",
  expect = { status = 401, detail = "unknown partner" },
}

test "without the header it is nobody" {
  headers = {}, "GET", "/threads/42",
  expect = { user = false, status = 401 },
}

test "whom a key has proved stays" {
  user = "alice", headers = { ["X-Partner-Id"] = "b6f1c2d3a4958677" }, "GET", "/threads/42",
  expect = { user = "alice", filter = { owner = "alice" } },
}
-- doc: end
