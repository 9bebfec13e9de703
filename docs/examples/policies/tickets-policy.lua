-- SPDX-License-Identifier: Apache-2.0
-- routes: routes/tickets.lua
-- Each customer has the tickets that bear their name.
local auth = require "agentauth"

auth.on.tickets(function(ctx, value)
  return { customer = ctx.user.identity }
end)

auth.on.tickets.create(function(ctx, value)
  value.customer = ctx.user.identity
  return { customer = ctx.user.identity }
end)
