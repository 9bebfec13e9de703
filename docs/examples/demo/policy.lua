-- SPDX-License-Identifier: Apache-2.0
-- Everyone sees what is theirs: what is created carries its owner, and every
-- other request is narrowed to it.
local auth = require "agentauth"

auth.on(function(ctx, value) return false end)

auth.on.threads(function(ctx, value)
  return { owner = ctx.user.identity }
end)

auth.on.threads.create(function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)
