-- SPDX-License-Identifier: Apache-2.0
local test = require "agentauth.test"

test "alice finds her own threads alone" {
  user = "alice", "POST", "/threads/search", body = {},
  expect = { filter = { owner = "alice" } },
}

test "a thread belongs to whoever makes it" {
  user = "alice", "POST", "/threads", body = { metadata = { owner = "bob", topic = "tea" } },
  expect = {
    filter = { owner = "alice" },
    set = { metadata = { owner = "alice" } },
    body = { metadata = { owner = "alice", topic = "tea" } },
  },
}

test "everybody may use the assistants" {
  user = "alice", "GET", "/assistants/7",
  expect = "allow",
}

test "nobody may make one" {
  user = "alice", "POST", "/assistants", body = { graph_id = "agent" },
  expect = "deny",
}

-- It is Lua: what many cases share is a local, and a loop makes many cases.
for _, whose in ipairs { "bob", "alice2", "Alice" } do
  test("alice cannot read the namespace of " .. whose) {
    user = { identity = "alice", permissions = { "store:get" } },
    "GET", "/store/items?key=k&namespace=" .. whose .. ".notes",
    expect = { status = 403, detail = "this namespace is not yours" },
  }
end
