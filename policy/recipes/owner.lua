-- SPDX-License-Identifier: Apache-2.0
-- Single owner: everyone sees, changes and deletes the threads they made and
-- nobody else's. What is created or changed is stamped, so that nobody can
-- make a thread somebody else's. Assistants are the operator's: read only.
local auth = require "agentauth"

local function owned(ctx)
  return { owner = ctx.user.identity }
end

local function stamped(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return owned(ctx)
end

auth.on(function(ctx, value) return false end)

auth.on.threads(owned)
auth.on.threads.create(stamped)
auth.on.threads.update(stamped)
auth.on.threads.create_run(stamped)

auth.on("assistants:read", function(ctx, value) return true end)
auth.on("assistants:search", function(ctx, value) return true end)
