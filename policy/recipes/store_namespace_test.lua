-- SPDX-License-Identifier: Apache-2.0
-- What store_namespace.lua decides: agentauth policy test store_namespace_test.lua
local test = require "agentauth.test"

test "one's own namespace may be written" {
  user = "alice", "PUT", "/store/items",
  body = { namespace = { "alice", "notes" }, key = "k", value = {} },
  expect = "allow",
}

test "another's may not" {
  user = "alice", "PUT", "/store/items",
  body = { namespace = { "bob", "alice" }, key = "k", value = {} },
  expect = "deny",
}

test "an empty namespace is nobody's" {
  user = "alice", "PUT", "/store/items",
  body = { namespace = test.array {}, key = "k", value = {} },
  expect = "deny",
}

test "one's own may be read, the namespace is in the query" {
  user = "alice", "GET", "/store/items?namespace=alice.notes&key=k",
  expect = "allow",
}

test "another's may not be read" {
  user = "alice", "GET", "/store/items?namespace=bob.notes&key=k",
  expect = "deny",
}

test "shared is read by all" {
  user = "alice", "POST", "/store/items/search", body = { namespace_prefix = { "shared" } },
  expect = "allow",
}

test "shared is written by nobody" {
  user = "alice", "DELETE", "/store/items", body = { namespace = { "shared" }, key = "k" },
  expect = "deny",
}

test "a search without a prefix is refused" {
  user = "alice", "POST", "/store/items/search", body = {},
  expect = "deny",
}

test "namespaces below one's own may be listed" {
  user = "alice", "POST", "/store/namespaces", body = { prefix = { "alice" } },
  expect = "allow",
}

test "all namespaces may not" {
  user = "alice", "POST", "/store/namespaces", body = {},
  expect = "deny",
}

test "threads are not this policy's business" {
  user = "alice", "GET", "/threads/42",
  expect = "deny",
}
