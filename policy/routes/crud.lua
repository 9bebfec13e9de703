-- SPDX-License-Identifier: Apache-2.0
-- Route map of a service that keeps objects: an example of enforcement by the
-- gateway, to be copied and changed. docs/routes.md explains every word.
--
-- /items       the object itself says whose it is: { "id": 1, "owner": "bob" }
-- /documents   its metadata does: { "id": 1, "metadata": { "owner": "bob" } }

local missing = { 404, "application/json", '{{"error":"not found"}}' }
local taken = { 409, "application/json", '{{"error":"exists"}}' }

-- collection: "/items"; resource: what policies call it; where: what filters
-- speak of, a member of the object or "." for the object itself; fields: what
-- handlers see of a body.
local function collection(collection, resource, where, fields)
  local object = collection .. "/{id}"
  local writes = { object, hold = "exclusive" }
  local changes = { id = path }
  local creates = { id = body }
  for i = 1, #fields do
    changes[fields[i]] = body
    creates[fields[i]] = body
  end

  -- No service is trusted to filter: all that it lists is looked at.
  route { "GET", collection,
    events = { { resource, "search",
                 value = { limit = query, offset = query } } },
    enforce = { check = "list", match = where,
                page = { query = true, limit = { "limit", 20 },
                         offset = "offset", max = 100 } } }

  -- The id is the service's or the client's; one of another owner is taken.
  route { "POST", collection,
    events = { { resource, "create", value = creates } },
    mutable = fields, body = "json",
    enforce = { ask_first = { collection .. "/{body.id}", hold = "exclusive",
                              optional = true, absent = true },
                rewrite = { stamp = where }, sent = true, check = "object",
                match = where, hidden = taken } }

  route { "GET", object,
    events = { { resource, "read", value = { id = path } } },
    enforce = { check = "object", match = where, hidden = missing } }

  -- Replaces all of it, and makes it when it is missing.
  route { "PUT", object,
    events = { { resource, "update", value = changes } },
    mutable = fields, body = "json",
    enforce = { ask_first = { object, hold = "exclusive", absent = true },
                rewrite = { stamp = where, keep = where }, sent = true,
                match = where, hidden = missing } }

  route { "PATCH", object,
    events = { { resource, "update", value = changes } },
    mutable = fields, body = "json",
    enforce = { ask_first = writes,
                rewrite = { stamp = where, keep = where }, match = where,
                hidden = missing } }

  route { "DELETE", object,
    events = { { resource, "delete", value = { id = path } } },
    enforce = { ask_first = writes, match = where, hidden = missing } }
end

collection("/items", "items", ".", { "owner" })
collection("/documents", "documents", "metadata", { "metadata" })
