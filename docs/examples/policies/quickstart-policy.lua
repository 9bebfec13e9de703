-- SPDX-License-Identifier: Apache-2.0
local auth = require "agentauth"

local function mine(ctx)
  return { owner = ctx.user.identity }
end

local function stamp(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return mine(ctx)
end

-- Whatever no handler below covers is refused.
auth.on(function(ctx, value) return false end)

-- Threads belong to the user who made them.
auth.on.threads(mine)
auth.on { resources = { "threads" }, actions = { "create", "update", "create_run" } } (stamp)

-- Everybody may use the assistants that the server offers.
auth.on { resources = { "assistants" }, actions = { "read", "search" } } (
  function(ctx, value) return true end)

-- In the store, each user has the namespaces below their own name.
auth.on.store(function(ctx, value)
  assert(value.namespace ~= nil and value.namespace[1] == ctx.user.identity,
         "this namespace is not yours")
end)
