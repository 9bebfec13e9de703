-- SPDX-License-Identifier: Apache-2.0
-- What readonly.lua decides: agentauth policy test readonly_test.lua
local test = require "agentauth.test"

test "everyone reads" {
  user = "eve", "GET", "/threads/42",
  expect = "allow",
}

test "everyone searches" {
  user = "eve", "POST", "/assistants/search", body = {},
  expect = "allow",
}

test "everyone reads the store" {
  user = "eve", "GET", "/store/items?namespace=a&key=k",
  expect = "allow",
}

test "nobody changes" {
  user = "eve", "DELETE", "/threads/42",
  expect = "deny",
}

test "a run is a change" {
  user = "eve", "POST", "/runs", body = { assistant_id = "agent" },
  expect = "deny",
}

test "reading and writing in one request needs both" {
  user = "eve", "POST", "/threads/42/copy",
  expect = "deny",
}

test "write may" {
  user = { identity = "walter", permissions = { "write" } }, "DELETE", "/threads/42",
  expect = "allow",
}

test "a longer word is another permission" {
  user = { identity = "walter", permissions = { "writer" } }, "DELETE", "/threads/42",
  expect = "deny",
}
