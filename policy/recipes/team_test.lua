-- SPDX-License-Identifier: Apache-2.0
-- What team.lua decides: agentauth policy test team_test.lua
local test = require "agentauth.test"

local alice = { identity = "alice", team = "red" }

test "the team's threads are found" {
  user = alice, "POST", "/threads/search", body = {},
  expect = { filter = { teams = { ["$contains"] = "red" } } },
}

test "a thread is made for the team" {
  user = alice, "POST", "/threads", body = { metadata = { teams = { "blue" } } },
  expect = { filter = { teams = { ["$contains"] = "red" } },
             body = { metadata = { teams = { "blue", "red" } } } },
}

test "a thread is made without a body's metadata" {
  user = alice, "POST", "/threads", body = {},
  expect = { filter = { teams = { ["$contains"] = "red" } },
             body = { metadata = { teams = { "red" } } } },
}

test "a change of something else leaves the list alone" {
  user = alice, "PATCH", "/threads/42", body = { metadata = { topic = "tea" } },
  expect = { filter = { teams = { ["$contains"] = "red" } } },
}

test "nobody can take their own team out" {
  user = alice, "PATCH", "/threads/42", body = { metadata = { teams = { "blue" } } },
  expect = { filter = { teams = { ["$contains"] = "red" } },
             body = { metadata = { teams = { "blue", "red" } } } },
}

test "a user without a team is an error, not everyone" {
  user = "carol", "POST", "/threads/search", body = {},
  expect = { status = 500 },
}

test "an empty team is an error too" {
  user = { identity = "carol", team = "" }, "POST", "/threads/search", body = {},
  expect = { status = 500 },
}

test "a list that is none is an error" {
  user = alice, "POST", "/threads", body = { metadata = { teams = "blue" } },
  expect = { status = 500 },
}

test "everything else is refused" {
  user = alice, "GET", "/assistants/7",
  expect = "deny",
}
