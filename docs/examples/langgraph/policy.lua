-- SPDX-License-Identifier: Apache-2.0
local auth = require "agentauth"
auth.on.threads(function(ctx, value)
  value.metadata = value.metadata or {}; value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity } end)
