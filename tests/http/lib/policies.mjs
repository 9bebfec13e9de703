// SPDX-License-Identifier: Apache-2.0
// Lua policies that several tests share.

/** Owners see what is theirs, permission "admin" sees and may do all. */
export const OWNERS = `
local auth = require "agentauth"

local function is_admin(ctx)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "admin" then return true end
  end
  return false
end

auth.on(function(ctx, value) return false end)

auth.on({ "threads", "assistants" }, function(ctx, value)
  if is_admin(ctx) then return true end
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)

auth.on.store(function(ctx, value)
  if is_admin(ctx) then return true end
  assert(value.namespace and value.namespace[1] == ctx.user.identity, "Not authorized")
end)
`;

/** The policy of LangGraph's own how-to on custom authentication, word for
 *  word: one handler stamps and filters by owner, one guards the store. */
export const HOWTO = `
local auth = require "agentauth"

-- Add owner to resource metadata and filter by owner.
auth.on(function(ctx, value)
  local filters = { owner = ctx.user.identity }
  value.metadata = value.metadata or {}
  for k, v in pairs(filters) do value.metadata[k] = v end
  return filters
end)

-- Assumes you organize information in store like (user_id, resource_type, resource_id)
auth.on.store(function(ctx, value)
  local namespace = value.namespace
  assert(namespace[1] == ctx.user.identity, "Not authorized")
end)
`;
