-- SPDX-License-Identifier: Apache-2.0
local test = require "agentauth.test"

test "a customer reads their own tickets" {
  user = "acme", "GET", "/tickets/T-7",
  expect = { filter = { customer = "acme" } },
}

test "a ticket belongs to whoever opens it" {
  user = "acme", "POST", "/tickets", body = { customer = "globex", title = "It is late" },
  expect = {
    filter = { customer = "acme" },
    body = { customer = "acme", title = "It is late" },
  },
}

test "to comment is to change the ticket" {
  user = "acme", "POST", "/tickets/T-7/comments", body = { text = "Still late" },
  expect = { filter = { customer = "acme" } },
}
