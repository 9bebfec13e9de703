-- SPDX-License-Identifier: Apache-2.0
-- What owner.lua decides: agentauth policy test owner_test.lua
local test = require "agentauth.test"

test "the owner's threads alone are found" {
  user = "alice", "POST", "/threads/search", body = {},
  expect = { filter = { owner = "alice" } },
}

test "reading is narrowed in the same way" {
  user = "alice", "GET", "/threads/42",
  expect = { filter = { owner = "alice" } },
}

test "create is stamped and narrowed" {
  user = "bob", "POST", "/threads", body = { metadata = { owner = "alice", topic = "ale" } },
  expect = { filter = { owner = "bob" },
             body = { metadata = { owner = "bob", topic = "ale" } } },
}

test "a change cannot give it away" {
  user = "alice", "PATCH", "/threads/42", body = { metadata = { owner = "bob" } },
  expect = { filter = { owner = "alice" }, body = { metadata = { owner = "alice" } } },
}

test "a state update is an update and a read, both narrowed" {
  user = "alice", "POST", "/threads/42/state", body = { values = {} },
  expect = { filter = { owner = "alice" } },
}

test "a run needs the thread's owner" {
  user = "alice", "POST", "/threads/42/runs", body = { assistant_id = "agent" },
  expect = { filter = { owner = "alice" },
             body = { assistant_id = "agent", metadata = { owner = "alice" } } },
}

test "assistants may be read" {
  user = "alice", "POST", "/assistants/search", body = {},
  expect = "allow",
}

test "assistants may not be made" {
  user = "alice", "POST", "/assistants", body = { graph_id = "agent" },
  expect = "deny",
}

test "what is not named is refused" {
  user = "alice", "POST", "/store/items/search", body = {},
  expect = "deny",
}
