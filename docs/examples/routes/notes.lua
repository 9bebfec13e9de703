-- SPDX-License-Identifier: Apache-2.0
-- Rows for a backend's own endpoints, beside those of the map `langgraph`.

route { "GET", "/notes/{note_id}",
  events = { { "notes", "read", value = { note_id = path } } } }

route { "POST", "/notes",
  events  = { { "notes", "create", value = { metadata = body, text = body } } },
  mutable = { "metadata" },
  body    = "json" }

route { "GET", "/notes/help", access = "user" }
