-- SPDX-License-Identifier: Apache-2.0
-- The store by namespace: the first element of every namespace is the user's
-- identity, or "shared" for reading. Indexes begin at 1. A search without a
-- prefix would go through everybody's items, so it is refused.
local auth = require "agentauth"

local function first(value)
  return value.namespace ~= nil and value.namespace[1] or nil
end

auth.on(function(ctx, value) return false end)

auth.on.store(function(ctx, value)
  assert(first(value) == ctx.user.identity, "this namespace is not yours")
  return true
end)

auth.on { resources = { "store" }, actions = { "get", "search" } } (
  function(ctx, value)
    local owner = first(value)
    return owner == ctx.user.identity or owner == "shared"
  end)
