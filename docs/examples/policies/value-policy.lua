-- SPDX-License-Identifier: Apache-2.0
-- Reading and changing the value.
local auth = require "agentauth"

-- doc: stamp
auth.on.threads.create(function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)
-- doc: end

-- doc: strict
auth.on.threads(function(ctx, value)
  -- auth.get is the optional form: no error when the claim is absent
  local role = auth.get(ctx.user, "role", "member")
  if role == "admin" then return { org = ctx.user.org } end
  -- a user without the claim `org` gets an error here, not a wider filter
  return { org = ctx.user.org, owner = ctx.user.identity }
end)
-- doc: end

-- doc: namespace
auth.on.store(function(ctx, value)
  -- Python: value["namespace"][0] == ctx.user.identity
  assert(value.namespace ~= nil and value.namespace[1] == ctx.user.identity, "Not authorized")
end)
-- doc: end

-- doc: null
auth.on.assistants.create(function(ctx, value)
  local metadata = value.metadata or {}
  metadata.reviewed_by = auth.null      -- JSON null
  metadata.tags = auth.array {}         -- JSON [], where {} would be an object
  metadata.labels = { "new", "draft" }  -- JSON ["new","draft"]
  metadata.owner = ctx.user.identity
  value.metadata = metadata
  return { owner = ctx.user.identity }
end)
-- doc: end
