-- SPDX-License-Identifier: Apache-2.0
-- routes: routes/notes.lua
-- A policy for the rows of routes/notes.lua.
local auth = require "agentauth"

auth.on.notes.create(function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)

auth.on.notes.read(function(ctx, value)
  return { owner = ctx.user.identity }
end)
