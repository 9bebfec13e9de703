-- SPDX-License-Identifier: Apache-2.0
-- What org.lua decides: agentauth policy test org_test.lua
local test = require "agentauth.test"

local alice = { identity = "alice", org = "acme" }
local ann = { identity = "ann", org = "acme", role = "admin" }

test "a member sees what is theirs" {
  user = alice, "POST", "/threads/search", body = {},
  expect = { filter = { org = "acme", owner = "alice" } },
}

test "an admin sees the organisation" {
  user = ann, "POST", "/threads/search", body = {},
  expect = { filter = { org = "acme" } },
}

test "another role is a member's" {
  user = { identity = "alice", org = "acme", role = "Admin" }, "GET", "/threads/42",
  expect = { filter = { org = "acme", owner = "alice" } },
}

test "without an organisation nothing is decided" {
  user = { identity = "eve", role = "admin" }, "GET", "/threads/42",
  expect = { status = 500 },
}

test "create" {
  user = alice, "POST", "/threads", body = { metadata = { org = "other" } },
  expect = { filter = { org = "acme", owner = "alice" },
             body = { metadata = { org = "acme", owner = "alice" } } },
}

test "an admin may change a member's thread" {
  user = ann, "PATCH", "/threads/42", body = { metadata = { topic = "tea" } },
  expect = { filter = { org = "acme" },
             body = { metadata = { topic = "tea", org = "acme" } } },
}

test "a member may change their own" {
  user = alice, "PATCH", "/threads/42", body = { metadata = { owner = "bob" } },
  expect = { filter = { org = "acme", owner = "alice" } },
}

test "the store is refused" {
  user = ann, "PUT", "/store/items", body = { namespace = { "acme" }, key = "k", value = {} },
  expect = "deny",
}
