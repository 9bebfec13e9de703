-- SPDX-License-Identifier: Apache-2.0
-- Rows for routes of one's own beside the agent server's (its `http.app`).
--
--   AgentAuthRoutes langgraph +/etc/apache2/agentauth/app.lua

-- Any user, no policy.
route { "GET", "/app/health", access = "user" }

-- Decided by auth.on.reports.create: it sees who asks for which report.
route { "POST", "/app/reports/{report_id}",
  events = { { "reports", "create",
    value = { report_id = path, format = query, title = body,
              range = { from = body "filter.from", to = body "filter.to" } } } },
  mutable = { "title" }, body = "json" }

-- Files of any depth; an upload is passed on unread.
route { "GET", "/app/files/{file...}",
  events = { { "files", "read", value = { file = path } } } }
route { "PUT", "/app/files/{file...}",
  events = { { "files", "write", value = { file = path } } },
  body = "stream" }

-- Replaces a row of the built-in map: nobody deletes threads here.
route { "DELETE", "/threads/{thread_id}", access = "refuse" }
