-- SPDX-License-Identifier: Apache-2.0
-- Route map of the LangGraph server: what each request means to a policy.
--
-- Part 1 is the JavaScript server's 56 method and path pairs, part 2 the 14
-- that only the Python server has. docs/routes.md explains every word.
--
-- Events are those that the server's own handlers are asked for, in its order,
-- so that a backend which verifies decisions finds each one that it looks for.
-- Values hold what the request says; what the server makes (ids, status) is
-- absent. `enforce` says what a gateway does before a backend without auth:
--   rewrite    members of the body that it stamps, restricts or vets
--   check      the answer is one object, or a list, whose metadata must match
--   ask_first  objects of the backend whose metadata must match before
--   refuse     it cannot be made true from outside

local thread = { thread_id = path }
local assistant = { assistant_id = path }

-- A webhook that begins with "/" makes the server call itself, and the user
-- that a graph sees is what configurable says: both are always rewritten.
local run_rewrite = { "metadata", "config.configurable", "webhook" }

local run_kwargs = {
  input = body, command = body, config = body, context = body,
  stream_mode = body, interrupt_before = body, interrupt_after = body,
  webhook = body, feedback_keys = body,
  subgraphs = body "stream_subgraphs", resumable = body "stream_resumable",
}

-- Both servers write the metadata that a handler leaves here into the run and,
-- when they make one, its thread. Other changes are not taken over.
local run_value = {
  thread_id = path, assistant_id = body, metadata = body,
  multitask_strategy = body, if_not_exists = body, after_seconds = body,
  kwargs = run_kwargs,
}
local stateless_run_value = {
  assistant_id = body, metadata = body, multitask_strategy = body,
  if_not_exists = body, after_seconds = body, kwargs = run_kwargs,
}

-- These strategies cancel the runs that are under way: the server asks for
-- that as for any cancel.
local run_displaces = { "threads", "update",
  value = { thread_id = path, action = body "multitask_strategy" },
  when = { "multitask_strategy", "interrupt", "rollback" } }

---------------------------------------------------------------- 1. threads

route { "POST", "/threads",
  events = {
    { "threads", "create",
      value = { thread_id = body, metadata = body, if_exists = body,
                ttl = body } },
    -- Supersteps write state into the thread, which is an update of it.
    { "threads", "update", value = { thread_id = body }, when = "supersteps" },
    { "threads", "read", value = { thread_id = body }, when = "supersteps" },
  },
  mutable = { "metadata" }, body = "json",
  -- do_nothing answers with a thread that exists: it must match as well.
  enforce = { rewrite = { "metadata" }, check = "object",
              ask_first = "/threads/{body.thread_id}" } }

-- Native handlers do not see sort_by, sort_order and select either.
route { "POST", "/threads/search",
  events = { { "threads", "search",
    value = { metadata = body, ids = body, status = body, values = body,
              limit = body, offset = body } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "list" } }

route { "POST", "/threads/count",
  events = { { "threads", "search",
    value = { metadata = body, status = body, values = body,
              limit = literal(0), offset = literal(0) } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "count" } }

route { "GET", "/threads/{thread_id}",
  events = { { "threads", "read", value = thread } },
  enforce = { check = "object" } }

route { "PATCH", "/threads/{thread_id}",
  events = { { "threads", "update",
    value = { thread_id = path, metadata = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/threads/{thread_id}", rewrite = { "metadata" } } }

route { "DELETE", "/threads/{thread_id}",
  events = { { "threads", "delete", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

-- The new id and its metadata are the server's, so `metadata` starts absent:
-- what a handler writes there goes into the decision alone.
route { "POST", "/threads/{thread_id}/copy",
  events = { { "threads", "read", value = thread },
             { "threads", "create", value = { metadata = {} } } },
  mutable = { "metadata" },
  enforce = { ask_first = "/threads/{thread_id}" } }

-- State answers carry the checkpoint's metadata, not the thread's: ask first.

route { "GET", "/threads/{thread_id}/state",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "POST", "/threads/{thread_id}/state",
  events = { { "threads", "update", value = thread },
             { "threads", "read", value = thread } },
  body = "json",
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "GET", "/threads/{thread_id}/state/{checkpoint_id}",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

-- POSTs that read.
route { "POST", "/threads/{thread_id}/state/checkpoint",
  events = { { "threads", "read", value = thread } },
  body = "json",
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "GET", "/threads/{thread_id}/history",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "POST", "/threads/{thread_id}/history",
  events = { { "threads", "read", value = thread } },
  body = "json",
  enforce = { ask_first = "/threads/{thread_id}" } }

------------------------------------------------------- 1. runs on a thread

route { "GET", "/threads/{thread_id}/runs",
  events = { { "threads", "search",
               value = { thread_id = path, status = query } },
             { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "POST", "/threads/{thread_id}/runs",
  events = { { "threads", "create_run", value = run_value }, run_displaces },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/assistants/{body.assistant_id}" },
              rewrite = run_rewrite } }

-- Who starts a run and stays to see it also reads the thread.
route { "POST", "/threads/{thread_id}/runs/stream",
  events = { { "threads", "create_run", value = run_value }, run_displaces,
             { "threads", "read", value = thread },
             { "threads", "update", value = { thread_id = path },
               when = { "on_disconnect", "cancel" } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/assistants/{body.assistant_id}" },
              rewrite = run_rewrite } }

route { "POST", "/threads/{thread_id}/runs/wait",
  events = { { "threads", "create_run", value = run_value }, run_displaces,
             { "threads", "read", value = thread } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/assistants/{body.assistant_id}" },
              rewrite = run_rewrite } }

route { "GET", "/threads/{thread_id}/runs/{run_id}",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "DELETE", "/threads/{thread_id}/runs/{run_id}",
  events = { { "threads", "delete",
    value = { thread_id = path, run_id = path } } },
  enforce = { ask_first = "/threads/{thread_id}" } }

-- The second question shows that run and thread belong together.
route { "GET", "/threads/{thread_id}/runs/{run_id}/join",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/threads/{thread_id}/runs/{run_id}" } } }

route { "GET", "/threads/{thread_id}/runs/{run_id}/stream",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/threads/{thread_id}/runs/{run_id}" } } }

-- With ?wait=true the server reads the thread after the cancel.
route { "POST", "/threads/{thread_id}/runs/{run_id}/cancel",
  events = { { "threads", "update",
               value = { thread_id = path, action = query,
                         metadata = { run_ids = path { "run_id",
                                                       split = "," } } } },
             { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

--------------------------------------------------------- 1. stateless runs

route { "POST", "/runs",
  events = { { "threads", "create_run", value = stateless_run_value } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/assistants/{body.assistant_id}",
              rewrite = run_rewrite } }

-- The thread that is read is the run's own, which has no id yet.
route { "POST", "/runs/stream",
  events = { { "threads", "create_run", value = stateless_run_value },
             { "threads", "read" } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/assistants/{body.assistant_id}",
              rewrite = run_rewrite } }

route { "POST", "/runs/wait",
  events = { { "threads", "create_run", value = stateless_run_value },
             { "threads", "read" } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/assistants/{body.assistant_id}",
              rewrite = run_rewrite } }

route { "POST", "/runs/batch",
  events = { { "threads", "create_run", value = stateless_run_value,
               each = true } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/assistants/{body.assistant_id}",
              rewrite = run_rewrite } }

-- The server asks, but for no thread, and uses no filter: anybody who knows a
-- run id reads along. From outside nothing tells whose run it is.
route { "GET", "/runs/{run_id}/stream",
  events = { { "threads", "read" } },
  native_unchecked = true,
  enforce = { refuse = "nothing tells whose run it is" } }

------------------------------------------------------------------ 1. crons
-- The JavaScript server answers 500 before any handler; the Python server has
-- them, and asks for the thread as well.

local cron_payload = {
  assistant_id = body, input = body, metadata = body, config = body,
  context = body, webhook = body, interrupt_before = body,
  interrupt_after = body, multitask_strategy = body,
}

route { "POST", "/runs/crons",
  events = { { "crons", "create",
    value = { payload = cron_payload, schedule = body, end_time = body } } },
  body = "json",
  enforce = { ask_first = "/assistants/{body.assistant_id}",
              rewrite = run_rewrite } }

route { "POST", "/runs/crons/search",
  events = { { "crons", "search",
               value = { assistant_id = body, thread_id = body, limit = body,
                         offset = body } },
             { "threads", "search", value = { thread_id = body } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "list" } }

route { "DELETE", "/runs/crons/{cron_id}",
  events = { { "crons", "delete", value = { cron_id = path } },
             { "threads", "read" } },
  enforce = { refuse = "the backend cannot be asked for one cron" } }

route { "POST", "/threads/{thread_id}/runs/crons",
  events = { { "crons", "create",
               value = { thread_id = path, payload = cron_payload,
                         schedule = body, end_time = body } },
             { "threads", "read", value = thread } },
  body = "json",
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/assistants/{body.assistant_id}" },
              rewrite = run_rewrite } }

------------------------------------------------------------ 1. protocol v2
-- The server keeps the first caller's identity for a thread and authorises
-- nothing afterwards. Each command is decided here; an unknown one selects no
-- event and is refused.

local command_starts = { "method", "run.start", "input.respond" }

route { "POST", "/threads/{thread_id}/commands",
  events = {
    { "threads", "create_run",
      value = {
        thread_id = path,
        assistant_id = body "params.assistant_id",
        metadata = body "params.metadata",
        multitask_strategy = body "params.multitaskStrategy",
        if_not_exists = literal("create"),
        kwargs = { input = body "params.input",
                   config = body "params.config" },
      },
      when = command_starts },
    { "threads", "read", value = thread,
      when = { "method", "run.start", "input.respond", "state.get",
               "subscription.subscribe", "subscription.unsubscribe",
               "subscription.reconnect", "agent.getTree" } },
  },
  mutable = { "metadata" }, body = "json", native_unchecked = true,
  enforce = { ask_first = { "/threads/{thread_id}",
                            "/assistants/{body.params.assistant_id}" },
              rewrite = { "params.metadata", "params.config.configurable" } } }

-- A client opens it before the run that makes the thread.
route { "POST", "/threads/{thread_id}/stream/events",
  events = { { "threads", "read", value = thread } },
  body = "json", native_unchecked = true,
  enforce = { ask_first = "/threads/{thread_id}" } }

-- Commands in frames: what they ask for is not seen. The two rows above do the
-- same job.
route { "GET", "/threads/{thread_id}/stream/events",
  websocket = true, access = "refuse",
  enforce = { refuse = "its frames carry commands" } }

------------------------------------------------------------- 1. assistants
-- The name of a graph is an alias for its built-in assistant: assistant_id is
-- what the request says.

route { "POST", "/assistants",
  events = { { "assistants", "create",
    value = { assistant_id = body, config = body, context = body,
              graph_id = body, metadata = body, if_exists = body,
              name = body, description = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { rewrite = { "metadata" }, check = "object" } }

route { "POST", "/assistants/search",
  events = { { "assistants", "search",
    value = { graph_id = body, metadata = body, limit = body,
              offset = body } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "list" } }

route { "POST", "/assistants/count",
  events = { { "assistants", "search",
    value = { graph_id = body, metadata = body, limit = literal(0),
              offset = literal(0) } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "count" } }

route { "GET", "/assistants/{assistant_id}",
  events = { { "assistants", "read", value = assistant } },
  enforce = { check = "object" } }

-- context is the Python server's.
route { "PATCH", "/assistants/{assistant_id}",
  events = { { "assistants", "update",
    value = { assistant_id = path, graph_id = body, config = body,
              context = body, metadata = body, name = body,
              description = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = "/assistants/{assistant_id}",
              rewrite = { "metadata" } } }

-- delete_threads removes the threads of every owner.
route { "DELETE", "/assistants/{assistant_id}",
  events = { { "assistants", "delete", value = assistant } },
  enforce = { ask_first = "/assistants/{assistant_id}",
              rewrite = { "delete_threads" } } }

-- These answers carry no metadata: ask first.

route { "GET", "/assistants/{assistant_id}/graph",
  events = { { "assistants", "read", value = assistant } },
  enforce = { ask_first = "/assistants/{assistant_id}" } }

route { "GET", "/assistants/{assistant_id}/schemas",
  events = { { "assistants", "read", value = assistant } },
  enforce = { ask_first = "/assistants/{assistant_id}" } }

route { "GET", "/assistants/{assistant_id}/subgraphs",
  events = { { "assistants", "read", value = assistant } },
  enforce = { ask_first = "/assistants/{assistant_id}" } }

route { "GET", "/assistants/{assistant_id}/subgraphs/{namespace}",
  events = { { "assistants", "read", value = assistant } },
  enforce = { ask_first = "/assistants/{assistant_id}" } }

route { "POST", "/assistants/{assistant_id}/latest",
  events = { { "assistants", "update",
    value = { assistant_id = path, version = body } } },
  body = "json",
  enforce = { ask_first = "/assistants/{assistant_id}" } }

route { "POST", "/assistants/{assistant_id}/versions",
  events = { { "assistants", "read", value = assistant } },
  body = "json",
  enforce = { ask_first = "/assistants/{assistant_id}", check = "list" } }

------------------------------------------------------------------ 1. store
-- A namespace that a handler changes is used by put, get and delete; searches
-- go on with the one that was sent, on the server too.

route { "PUT", "/store/items",
  events = { { "store", "put",
    value = { namespace = body, key = body, value = body, index = body } } },
  mutable = { "namespace", "key", "value" }, body = "json",
  enforce = { rewrite = { "namespace" },
              ask_first = "/store/items?namespace={body.namespace}&key={body.key}" } }

-- One string with dots here, a list everywhere else: policies read
-- value.namespace[1].
route { "GET", "/store/items",
  events = { { "store", "get",
    value = { namespace = query { "namespace", split = "." },
              key = query } } },
  mutable = { "namespace", "key" },
  enforce = { rewrite = { "namespace" }, check = "object" } }

route { "DELETE", "/store/items",
  events = { { "store", "delete", value = { namespace = body, key = body } } },
  mutable = { "namespace", "key" }, body = "json",
  enforce = { rewrite = { "namespace" },
              ask_first = "/store/items?namespace={body.namespace}&key={body.key}" } }

route { "POST", "/store/items/search",
  events = { { "store", "search",
    value = { namespace = body "namespace_prefix", filter = body,
              limit = body, offset = body, query = body } } },
  body = "json",
  enforce = { rewrite = { "namespace_prefix" }, check = "list" } }

route { "POST", "/store/namespaces",
  events = { { "store", "list_namespaces",
    value = { namespace = body "prefix", suffix = body, max_depth = body,
              limit = body, offset = body } } },
  body = "json",
  enforce = { rewrite = { "prefix" }, check = "list" } }

----------------------------------------------------------------- 1. system
-- AgentAuthOpenRoutes can let nobody in to /info and /ok.

route { "GET", "/info", access = "user" }
route { "GET", "/ok", access = "user" }

-- Wipes all data for any user.
route { "POST", "/internal/truncate", access = "refuse", body = "json",
  enforce = { refuse = "wipes the data of all users" } }

route { "POST", "/ui/{graph}", access = "user", body = "json" }
route { "GET", "/ui/{graph}/{file}", access = "user" }

---------------------------------------------------- 2. Python server: threads

-- One request deletes many threads; the filter is applied to each.
route { "POST", "/threads/prune",
  events = { { "threads", "delete", value = { thread_ids = body } } },
  body = "json",
  enforce = { ask_first = "/threads/{body.thread_ids}" } }

route { "GET", "/threads/{thread_id}/stream",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

route { "GET", "/threads/{thread_id}/storage",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = "/threads/{thread_id}" } }

-- By status it would cross threads: without a thread_id no event is selected,
-- and it is refused.
route { "POST", "/runs/cancel",
  events = { { "threads", "update",
    value = { thread_id = body, action = query,
              metadata = { run_ids = body, status = body } },
    when = "thread_id" } },
  body = "json",
  enforce = { ask_first = "/threads/{body.thread_id}" } }

------------------------------------------------------ 2. Python server: crons

route { "POST", "/runs/crons/count",
  events = { { "crons", "search",
               value = { assistant_id = body, thread_id = body } },
             { "threads", "search", value = { thread_id = body } } },
  body = "json",
  enforce = { rewrite = { "metadata" }, check = "count" } }

route { "PATCH", "/runs/crons/{cron_id}",
  events = { { "crons", "update",
               value = { cron_id = path, payload = cron_payload,
                         schedule = body } },
             { "threads", "read" } },
  body = "json",
  enforce = { refuse = "the backend cannot be asked for one cron" } }

-------------------------------------------- 2. Python server: other protocols

-- JSON-RPC. A contextId is a thread, a message starts a run on it. Methods
-- that are not here, and batches, select no event and are refused.
route { "POST", "/a2a/{assistant_id}",
  events = {
    { "threads", "create_run",
      value = { assistant_id = path,
                thread_id = body "params.message.contextId",
                kwargs = { input = body "params.message" } },
      when = { "method", "message/send", "message/stream" } },
    { "threads", "read",
      value = { thread_id = body "params.contextId",
                run_id = body "params.id" },
      when = { "method", "tasks/get" } },
    { "threads", "update", value = { thread_id = body "params.contextId" },
      when = { "method", "tasks/cancel" } },
  },
  body = "json",
  enforce = { refuse = "the run cannot be stamped" } }

route { "GET", "/.well-known/agent-card.json",
  events = { { "assistants", "read", value = { assistant_id = query } } },
  enforce = { ask_first = "/assistants/{query.assistant_id}" } }

-- JSON-RPC too. Tools are assistants: to list or call one is to search them,
-- and the handshake is part of that. A call starts a stateless run; which
-- assistant answers to the tool's name, only the server knows.
route { "POST", "/mcp/",
  events = {
    { "threads", "create_run",
      value = { kwargs = { input = body "params.arguments" } },
      when = { "method", "tools/call" } },
    { "assistants", "search",
      when = { "method", "tools/call", "tools/list", "initialize", "ping",
               "notifications/initialized", "notifications/cancelled" } },
  },
  body = "json",
  enforce = { refuse = "the assistant behind a tool is not known" } }

-- Opens no stream and keeps no session: the server answers 405 or 404.
route { "GET", "/mcp/", access = "user" }
route { "DELETE", "/mcp/", access = "user" }

---------------------------------------------------- 2. Python server: system

route { "GET", "/docs", access = "user" }
route { "GET", "/openapi.json", access = "user" }
route { "GET", "/metrics", access = "user" }
