-- SPDX-License-Identifier: Apache-2.0
-- A policy that decides itself who is calling.
local auth = require "agentauth"

-- doc: authenticate
local partners = {
  ["b6f1c2d3a4958677"] = { identity = "partner:north", permissions = { "threads:read" } },
}

auth.authenticate(function(req)
  -- Somebody whom an API key or a token has proved already: keep that.
  if req.claims then return nil end

  local sent = req.headers["x-partner-id"]
  if not sent then return nil end -- no credential of mine
  for id, user in pairs(partners) do
    if auth.equals(id, sent) then return user end
  end
  error(auth.HTTPException { status_code = 401, detail = "unknown partner" })
end)
-- doc: end

auth.on.threads(function(ctx, value)
  return { owner = ctx.user.identity }
end)
