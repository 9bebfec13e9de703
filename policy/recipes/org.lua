-- SPDX-License-Identifier: Apache-2.0
-- Organisations with an admin role: members see their own threads, admins see
-- all threads of their organisation, and nobody sees another organisation.
-- Claims: `org` (required) and `role` ("admin", else a member).
local auth = require "agentauth"

local function scope(ctx)
  if auth.get(ctx.user, "role", "member") == "admin" then
    return { org = ctx.user.org }
  end
  return { org = ctx.user.org, owner = ctx.user.identity }
end

auth.on(function(ctx, value) return false end)

auth.on.threads(scope)

auth.on { resources = { "threads" }, actions = { "create", "create_run" } } (
  function(ctx, value)
    value.metadata = value.metadata or {}
    value.metadata.org = ctx.user.org
    value.metadata.owner = ctx.user.identity
    return scope(ctx)
  end)

-- An admin may change a member's thread: it stays the member's.
auth.on.threads.update(function(ctx, value)
  if value.metadata then
    value.metadata.org = ctx.user.org
    if auth.get(ctx.user, "role", "member") ~= "admin" then
      value.metadata.owner = ctx.user.identity
    end
  end
  return scope(ctx)
end)
