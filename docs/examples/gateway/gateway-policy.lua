-- SPDX-License-Identifier: Apache-2.0
local auth = require "agentauth"

local function is_admin(ctx)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "admin" then return true end
  end
  return false
end

-- Whatever no handler below covers is refused.
auth.on(function(ctx, value) return false end)

-- What you make is yours, and yours is what you see. The gateway writes the
-- owner into what is made.
auth.on({ "threads", "assistants" }, function(ctx, value)
  if is_admin(ctx) then return true end
  return { owner = ctx.user.identity }
end)

-- Everybody may also use the assistants that the server makes of its graphs.
auth.on({ "assistants:read", "assistants:search" }, function(ctx, value)
  if is_admin(ctx) then return true end
  return { ["$or"] = { { owner = ctx.user.identity }, { created_by = "system" } } }
end)

-- In the store, each user has the namespaces below their own name.
auth.on.store(function(ctx, value)
  assert(value.namespace ~= nil and value.namespace[1] == ctx.user.identity,
         "this namespace is not yours")
end)
