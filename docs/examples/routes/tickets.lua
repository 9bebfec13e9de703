-- SPDX-License-Identifier: Apache-2.0
-- Rows of a service that keeps tickets and authorises nobody.
--
--   AgentAuthRoutes crud +/etc/agentauth/tickets.lua
--
-- A ticket: { "id": "T-7", "customer": "acme", "title": "It is late" }

local ticket = "/tickets/{id}"
local missing = { 404, "application/json", '{{"error":"no ticket {id}"}}' }

-- Filters speak of members of the ticket itself: { customer = "acme" }.
local own = "."

-- GET /tickets?limit=20&offset=40 answers { "tickets": [ … ] }
route { "GET", "/tickets",
  events = { { "tickets", "search",
               value = { limit = query, offset = query } } },
  enforce = { check = "list", match = own,
              page = { query = true, limit = { "limit", 20 },
                       offset = "offset", max = 100, items = "tickets" } } }

-- The service makes the id, the gateway says whose it is.
route { "POST", "/tickets",
  events = { { "tickets", "create",
               value = { customer = body, title = body } } },
  mutable = { "customer" }, body = "json",
  enforce = { rewrite = { drop_body = { "id" }, stamp = own }, sent = true,
              check = "object", match = own } }

route { "GET", ticket,
  events = { { "tickets", "read", value = { id = path } } },
  enforce = { check = "object", match = own, hidden = missing } }

-- Nobody else changes or deletes it between the question and the answer, and
-- nobody gives it away: `keep`. What the path names is not named again.
route { "PATCH", ticket,
  events = { { "tickets", "update", value = { id = path, title = body } } },
  body = "json",
  enforce = { ask_first = { ticket, hold = "exclusive" },
              rewrite = { drop_body = { "id" }, stamp = own, keep = own },
              match = own, hidden = missing } }

route { "DELETE", ticket,
  events = { { "tickets", "delete", value = { id = path } } },
  enforce = { ask_first = { ticket, hold = "exclusive" }, match = own,
              hidden = missing } }

-- Comments do not say whose their ticket is: the ticket is asked for.
route { "GET", ticket .. "/comments",
  events = { { "tickets", "read", value = { id = path } } },
  enforce = { ask_first = ticket, match = own, hidden = missing } }

-- One that replies to another is of the same ticket as that.
route { "POST", ticket .. "/comments",
  events = { { "tickets", "update", value = { id = path, text = body } } },
  body = "json",
  enforce = { match = own, hidden = missing,
    ask_first = { ticket,
                  { "/comments/{body.reply_to}", optional = true, events = {},
                    same = { ticket = "{id}" } } } } }

-- Nothing in the request or the answer tells whose tickets these are.
route { "POST", "/tickets/export",
  events = { { "tickets", "export" } }, body = "json",
  enforce = { refuse = "it exports the tickets of all customers" } }
