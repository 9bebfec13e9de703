-- SPDX-License-Identifier: Apache-2.0
-- The example policy of LangGraph's page on custom authentication, in Lua:
-- owners see their own, and the store is kept apart by its first namespace.
local auth = require "agentauth"

auth.authenticate(function(req)
  local token = req.authorization:split(" ")[2] -- "Bearer <token>"
  if not auth.equals(token, "alice-token") then
    error(auth.HTTPException { status_code = 401, detail = "Invalid token" })
  end
  return "alice"
end)

-- Add owner to resource metadata and filter by owner.
auth.on(function(ctx, value)
  local filters = { owner = ctx.user.identity }
  value.metadata = value.metadata or {}
  value.metadata.owner = filters.owner
  return filters
end)

-- Information in the store is kept like (user_id, resource_type, resource_id);
-- indexes begin at 1.
auth.on.store(function(ctx, value)
  local namespace = value.namespace
  assert(namespace[1] == ctx.user.identity, "Not authorized")
end)
