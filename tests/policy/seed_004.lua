-- SPDX-License-Identifier: Apache-2.0
-- The policy that LangGraph's page on access control describes: threads may be
-- created, read and run on; assistants are made by those who may; all else is
-- refused.
local auth = require "agentauth"

-- Reject all unhandled requests.
auth.on(function(ctx, value)
  return false
end)

local function write_owner(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end

auth.on.threads.create(write_owner)

auth.on.threads.read(function(ctx, value)
  return { owner = ctx.user.identity }
end)

auth.on.threads.create_run(write_owner)

auth.on.assistants.create(function(ctx, value)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "assistants:create" then return true end
  end
  error(auth.HTTPException {
    status_code = 403,
    detail = "User lacks the required permissions.",
  })
end)
