-- SPDX-License-Identifier: Apache-2.0
-- Teams: a thread carries the list of teams that may use it, and a user with
-- the claim `team` sees the threads whose list contains it. New threads belong
-- to the maker's team. The list can be changed only where a request sets it
-- anew, and the maker's own team always stays in it.
local auth = require "agentauth"

local function of_team(ctx)
  return { teams = { ["$contains"] = ctx.user.team } }
end

local function contains(list, wanted)
  for _, element in ipairs(list) do
    if element == wanted then return true end
  end
  return false
end

auth.on(function(ctx, value) return false end)

auth.on.threads(of_team)

auth.on { resources = { "threads" }, actions = { "create", "update", "create_run" } } (
  function(ctx, value)
    local metadata = value.metadata or {}
    if ctx.action ~= "update" or metadata.teams ~= nil then
      local teams = metadata.teams or auth.array {}
      if not contains(teams, ctx.user.team) then teams[#teams + 1] = ctx.user.team end
      metadata.teams = teams
      value.metadata = metadata
    end
    return of_team(ctx)
  end)
