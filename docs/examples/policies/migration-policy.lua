-- SPDX-License-Identifier: Apache-2.0
-- The tutorial policy of LangGraph, in Lua.
local auth = require "agentauth"

-- doc: migrated
auth.on(function(ctx, value)                        -- @auth.on
  local filters = { owner = ctx.user.identity }     -- filters = {"owner": ctx.user.identity}
  value.metadata = value.metadata or {}             -- metadata = value.setdefault("metadata", {})
  value.metadata.owner = ctx.user.identity          -- metadata.update(filters)
  return filters
end)

auth.on.store(function(ctx, value)                  -- @auth.on.store()
  local namespace = value.namespace or {}           -- namespace: tuple = value["namespace"]
  assert(namespace[1] == ctx.user.identity, "Not authorized")
end)
-- doc: end
