-- SPDX-License-Identifier: Apache-2.0
-- Every spelling of a registration.
local auth = require "agentauth"
local function f(ctx, value) return false end

-- doc: spellings
auth.on(f)                                  -- every event
auth.on.threads(f)                          -- every action on threads
auth.on.threads.create(f)                   -- just this event
auth.on("assistants:create", f)             -- the same, as text
auth.on("*:delete", f)                      -- this action on every resource
auth.on({ "crons", "assistants:read" }, f)  -- several at once
auth.on { actions = { "search" } } (f)      -- "*:search"
auth.on { resources = { "store" } } (f)     -- "store"
auth.on { resources = { "threads", "assistants" }, actions = { "update" } } (f)
auth.on.store { actions = { "put", "delete" } } (f)
-- doc: end
