-- SPDX-License-Identifier: Apache-2.0
-- routes: none
-- Map `none`: the resource is `http`, the action is the method in lower case.
local auth = require "agentauth"

auth.on.http.get(function(ctx, value)
  if value.path:startswith("/reports/") then
    return { team = ctx.user.team }
  end
  return true
end)
