-- SPDX-License-Identifier: Apache-2.0
-- What permissions.lua decides: agentauth policy test permissions_test.lua
local test = require "agentauth.test"

local function alice(...)
  return { identity = "alice", permissions = { ... } }
end

local function root(...)
  return { identity = "root", permissions = { ... } }
end

test "the permission lets in, narrowed to the owner" {
  user = alice("threads:read"), "GET", "/threads/42",
  expect = { filter = { owner = "alice" } },
}

test "another action's permission does not" {
  user = alice("threads:read"), "DELETE", "/threads/42",
  expect = "deny",
}

test "no permission at all" {
  user = "alice", "GET", "/threads/42",
  expect = "deny",
}

test "the star covers all actions" {
  user = alice("threads:*"), "DELETE", "/threads/42",
  expect = { filter = { owner = "alice" } },
}

test "the star of another resource does not" {
  user = alice("threads:*"), "GET", "/assistants/7",
  expect = "deny",
}

test "threads:all sees everyone's" {
  user = root("threads:search", "threads:all"), "POST", "/threads/search", body = {},
  expect = "allow",
}

test "create is stamped" {
  user = alice("threads:create"), "POST", "/threads", body = { metadata = { owner = "bob" } },
  expect = { filter = { owner = "alice" }, body = { metadata = { owner = "alice" } } },
}

test "threads:all alone opens nothing" {
  user = root("threads:all"), "POST", "/threads/search", body = {},
  expect = "deny",
}

test "of two events each needs its permission" {
  user = alice("threads:update"), "POST", "/threads/42/state", body = { values = {} },
  expect = "deny",
}

test "both permissions" {
  user = alice("threads:update", "threads:read"),
  "POST", "/threads/42/state", body = { values = {} },
  expect = { filter = { owner = "alice" } },
}

test "assistants by permission, whole" {
  user = alice("assistants:search"), "POST", "/assistants/search", body = {},
  expect = "allow",
}
