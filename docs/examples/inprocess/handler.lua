-- SPDX-License-Identifier: Apache-2.0
-- A mod_lua handler that reads what was decided from the request's notes.
function handle(r)
  local filter = r.notes["agentauth-filter"]
  if not filter then
    r.status = 403 -- no decision: nothing is shown
    return apache2.OK
  end
  r.content_type = "application/json"
  r:write('{"you":"' .. r:escape(r.notes["agentauth-identity"]) .. '","filter":' .. filter .. "}")
  return apache2.OK
end
