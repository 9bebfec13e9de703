-- SPDX-License-Identifier: Apache-2.0
-- For a LangGraph server in Python: whoever starts a run there is also asked
-- whether they may find its assistant, so these rows ask the policy for both.
--
--   AgentAuthRoutes langgraph +/etc/apache2/agentauth/python.lua
--
-- A policy needs a handler for assistants:search with it.
--
-- A gateway asks for assistants:read of the run's assistant instead, and has
-- rules for these rows that must not be replaced.

local kwargs = {
  input = body, command = body, config = body, context = body,
  stream_mode = body, interrupt_before = body, interrupt_after = body,
  webhook = body, feedback_keys = body,
  subgraphs = body "stream_subgraphs", resumable = body "stream_resumable",
}

-- thread_id is nil for a run without a thread: the member is absent then.
local function starts(thread_id, each)
  return { "threads", "create_run", each = each,
    value = {
      thread_id = thread_id, assistant_id = body, metadata = body,
      multitask_strategy = body, if_not_exists = body, after_seconds = body,
      kwargs = kwargs } }
end

local finds = { "assistants", "search" }
local displaces = { "threads", "update",
  value = { thread_id = path, action = body "multitask_strategy" },
  when = { "multitask_strategy", "interrupt", "rollback" } }
local stops = { "threads", "update", value = { thread_id = path },
  when = { "on_disconnect", "cancel" } }
local reads = { "threads", "read", value = { thread_id = path } }
local reads_own = { "threads", "read" }

if not gateway then
  route { "POST", "/threads/{thread_id}/runs",
    events = { starts(path), displaces, finds },
    mutable = { "metadata" }, body = "json" }
  route { "POST", "/threads/{thread_id}/runs/stream",
    events = { starts(path), displaces, reads, stops, finds },
    mutable = { "metadata" }, body = "json" }
  route { "POST", "/threads/{thread_id}/runs/wait",
    events = { starts(path), displaces, reads, finds },
    mutable = { "metadata" }, body = "json" }

  route { "POST", "/runs",
    events = { starts(), finds }, mutable = { "metadata" }, body = "json" }
  route { "POST", "/runs/stream",
    events = { starts(), reads_own, finds },
    mutable = { "metadata" }, body = "json" }
  route { "POST", "/runs/wait",
    events = { starts(), reads_own, finds },
    mutable = { "metadata" }, body = "json" }
  route { "POST", "/runs/batch",
    events = { starts(nil, true), finds },
    mutable = { "metadata" }, body = "json" }
end

-- The server answers at /mcp as well as at /mcp/.
route { "POST", "/mcp",
  events = {
    { "threads", "create_run",
      value = { kwargs = { input = body "params.arguments" } },
      when = { "method", "tools/call" } },
    { "assistants", "search",
      when = { "method", "tools/call", "tools/list", "initialize", "ping",
               "notifications/initialized", "notifications/cancelled" } } },
  body = "json",
  enforce = { refuse = "the assistant behind a tool is not known" } }
route { "GET", "/mcp", access = "user" }
route { "DELETE", "/mcp", access = "user" }
