-- SPDX-License-Identifier: Apache-2.0
local test = require "agentauth.test"

test "a thread is its owner's" {
  user = "alice", "GET", "/threads/6f8d2a0e-6a42-4c8e-9a5e-2f6d3f1b7c11",
  expect = { filter = { owner = "alice" } },
}

test "and so is what is made" {
  user = "alice", "POST", "/threads", body = { metadata = { topic = "tea" } },
  expect = { filter = { owner = "alice" } },
}

test "an admin sees all" {
  user = { identity = "carol", permissions = { "admin" } },
  "POST", "/threads/search", body = {},
  expect = "allow",
}

test "assistants of one's own, and those of the server" {
  user = "bob", "GET", "/assistants/agent",
  expect = { filter = { ["$or"] = { { owner = "bob" }, { created_by = "system" } } } },
}

test "only one's own can be changed" {
  user = "bob", "DELETE", "/assistants/6f8d2a0e-6a42-4c8e-9a5e-2f6d3f1b7c11",
  expect = { filter = { owner = "bob" } },
}

for _, whose in ipairs { "bob", "alice2" } do
  test("alice cannot read the namespace of " .. whose) {
    user = "alice", "GET", "/store/items?key=k&namespace=" .. whose .. ".notes",
    expect = { status = 403, detail = "this namespace is not yours" },
  }
end

test "nobody schedules runs" {
  user = "alice", "POST", "/runs/crons",
  body = { assistant_id = "agent", schedule = "* * * * *" },
  expect = "deny",
}
