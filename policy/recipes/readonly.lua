-- SPDX-License-Identifier: Apache-2.0
-- Read only: everyone who is known may look at everything, and only users with
-- the permission "write" may change it. For dashboards and support accounts.
local auth = require "agentauth"

local function may_write(ctx)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "write" then return true end
  end
  return false
end

auth.on(function(ctx, value)
  if may_write(ctx) then return true end
  error(auth.HTTPException { status_code = 403, detail = "this account is read only" })
end)

auth.on { actions = { "read", "search", "get", "list_namespaces" } } (
  function(ctx, value) return true end)
