-- SPDX-License-Identifier: Apache-2.0
-- Permission based: a request needs the permission "resource:action", or
-- "resource:*" for all actions of a resource. Threads stay with their owner
-- unless the user also has "threads:all".
local auth = require "agentauth"

local function has(ctx, wanted)
  for _, permission in ipairs(ctx.permissions) do
    if permission == wanted then return true end
  end
  return false
end

local function may(ctx)
  return has(ctx, ctx.resource .. ":" .. ctx.action) or has(ctx, ctx.resource .. ":*")
end

auth.on(function(ctx, value) return may(ctx) end)

auth.on.threads(function(ctx, value)
  if not may(ctx) then return false end
  if has(ctx, "threads:all") then return true end
  return { owner = ctx.user.identity }
end)

auth.on("threads:create", function(ctx, value)
  if not may(ctx) then return false end
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)
