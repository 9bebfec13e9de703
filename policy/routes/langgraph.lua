-- SPDX-License-Identifier: Apache-2.0
-- Route map of the LangGraph server: what each request means to a policy.
--
-- Part 1 is the JavaScript server's 56 method and path pairs, part 2 the 14
-- that only the Python server has. docs/routes.md explains every word.
--
-- Events are those that the server's own handlers are asked for, in its order,
-- so that a backend which verifies decisions finds each one that it looks for.
-- Values hold what the request says; what the server makes (ids, status) is
-- absent. `enforce` says what the gateway does before a server without auth;
-- where `gateway` is true there are events that such a server does not ask for.
--
-- The text of `hidden` is what the JavaScript server says of a missing object.

local thread = { thread_id = path }
local assistant = { assistant_id = path }

local function missing(text, status)
  return { status or 404, "text/plain;charset=UTF-8", text }
end

local no_thread = missing("Thread with ID {thread_id} not found")
local no_run = missing("Run not found")
local no_assistant = missing("Assistant not found")
local no_item = missing("Item not found")

-- Answers that do not carry the thread's metadata: ask first.
local the_thread = "/threads/{thread_id}"
local reads_thread = { ask_first = the_thread, hidden = no_thread }
-- Who reads a thread does not cancel its runs by leaving.
local streams_thread = { ask_first = the_thread, hidden = no_thread,
                         rewrite = { drop_query = { "cancel_on_disconnect" } },
                         stream = true }
-- Who calls is said by the gateway alone. The Python server takes it from a
-- checkpoint and from the context as well, and both from an assistant.
local function claims(at, cut)
  cut[#cut + 1] = at .. ".langgraph_auth_user"
  cut[#cut + 1] = at .. ".langgraph_auth_user_id"
  cut[#cut + 1] = at .. ".langgraph_auth_permissions"
  return cut
end

-- A checkpoint may name a thread of its own.
local reads_checkpoint = {
  ask_first = the_thread, hidden = no_thread,
  rewrite = { drop_body = claims("checkpoint", { "checkpoint.thread_id" }) },
}

-- The filter speaks of the thread; this shows that the run belongs to it.
local the_run = { "/threads/{thread_id}/runs/{run_id}", events = {},
                  same = { thread_id = "{thread_id}" }, hidden = no_run }

-- How searches are paged. Deciding on what was found needs its metadata, which
-- `select` may leave out.
local search_page = {
  limit = { "limit", 10 }, offset = "offset", max = 1000, select = "select",
  total = "x-pagination-total", next = "x-pagination-next",
}
local function count_page(search)
  return { limit = { "limit", 10 }, offset = "offset", max = 1000,
           search = search }
end

-- A webhook that begins with "/" makes the server call itself, the user that a
-- graph sees is what configurable says, and headers go there as well.
local run_rewrite = {
  stamp = "metadata", configurable = "config.configurable",
  webhook = "webhook", drop_headers = { "x-*" },
  drop_body = claims("checkpoint", claims("context", {
    "config.configurable.thread_id", "checkpoint.thread_id" })),
}

-- Who may run an assistant is who may read it; the built-in ones are for all.
local system = { created_by = "system" }
local run_assistant = {
  "/assistants/{body.assistant_id}",
  events = { "assistants:read" }, exempt = system,
  hidden = missing('No assistant found for "{body.assistant_id}". Make sure ' ..
                   "the assistant ID is for a valid assistant or a valid " ..
                   "graph ID."),
}
local reads_assistant = gateway and
  { "assistants", "read", value = { assistant_id = body } } or nil

-- The thread of a run, made here when it may be, so that nobody else can make
-- it between the question and the run. A new one satisfies what an old one has
-- to.
local function run_enforce(stream, ...)
  local events = { "threads:create_run", ... }
  return {
    ask_first = {
      run_assistant,
      { the_thread, events = events,
        create = { when = { "if_not_exists", "create" }, path = "/threads",
                   body = { thread_id = "{thread_id}", if_exists = "raise",
                            metadata = "{body.metadata}" },
                   stamp = "metadata",
                   after = { "if_not_exists", "reject" } } },
    },
    events = events, rewrite = run_rewrite,
    hidden = no_thread, stream = stream,
  }
end

-- Nobody asks the server whose run it is: the gateway remembers.
local function stateless_enforce(stream)
  return {
    ask_first = run_assistant, events = { "threads:create_run" },
    rewrite = run_rewrite, remember = "run", stream = stream,
  }
end

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
  enforce = { ask_first = { "/threads/{body.thread_id}", hold = "exclusive",
                            optional = true, absent = true },
              events = { "threads:create" }, rewrite = { stamp = "metadata" },
              sent = true, check = "object",
              hidden = missing("Thread already exists", 409) } }

-- Native handlers do not see sort_by, sort_order and select either.
route { "POST", "/threads/search",
  events = { { "threads", "search",
    value = { metadata = body, ids = body, status = body, values = body,
              limit = body, offset = body } } },
  body = "json",
  enforce = { rewrite = { restrict = "metadata" }, check = "list",
              page = search_page } }

route { "POST", "/threads/count",
  events = { { "threads", "search",
    value = { metadata = body, status = body, values = body,
              limit = literal(0), offset = literal(0) } } },
  body = "json",
  enforce = { rewrite = { restrict = "metadata" }, check = "count",
              page = count_page "/threads/search" } }

route { "GET", "/threads/{thread_id}",
  events = { { "threads", "read", value = thread } },
  enforce = { check = "object", hidden = no_thread } }

route { "PATCH", "/threads/{thread_id}",
  events = { { "threads", "update",
    value = { thread_id = path, metadata = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = { the_thread, hold = "exclusive" },
              rewrite = { stamp = "metadata", keep = "metadata" },
              hidden = missing("Thread not found") } }

route { "DELETE", "/threads/{thread_id}",
  events = { { "threads", "delete", value = thread } },
  -- The server keeps the events of protocol v2 for an id, not for its thread.
  enforce = { ask_first = { the_thread, hold = "exclusive", retires = true },
              hidden = no_thread } }

-- The new id and its metadata are the server's, so `metadata` starts absent:
-- what a handler writes there goes into the decision alone.
route { "POST", "/threads/{thread_id}/copy",
  events = { { "threads", "read", value = thread },
             { "threads", "create", value = { metadata = {} } } },
  mutable = { "metadata" },
  enforce = { ask_first = { the_thread, events = { "threads:read" } },
              events = { "threads:create" },
              copies = "/threads/{answer.thread_id}",
              hidden = missing("Thread not found", 409) } }

route { "GET", "/threads/{thread_id}/state",
  events = { { "threads", "read", value = thread } },
  enforce = reads_thread }

route { "POST", "/threads/{thread_id}/state",
  events = { { "threads", "update", value = thread },
             { "threads", "read", value = thread } },
  body = "json",
  enforce = reads_checkpoint }

route { "GET", "/threads/{thread_id}/state/{checkpoint_id}",
  events = { { "threads", "read", value = thread } },
  enforce = reads_thread }

-- POSTs that read.
route { "POST", "/threads/{thread_id}/state/checkpoint",
  events = { { "threads", "read", value = thread } },
  body = "json",
  enforce = reads_checkpoint }

route { "GET", "/threads/{thread_id}/history",
  events = { { "threads", "read", value = thread } },
  enforce = reads_thread }

route { "POST", "/threads/{thread_id}/history",
  events = { { "threads", "read", value = thread } },
  body = "json",
  enforce = reads_checkpoint }

------------------------------------------------------- 1. runs on a thread

route { "GET", "/threads/{thread_id}/runs",
  events = { { "threads", "search",
               value = { thread_id = path, status = query } },
             { "threads", "read", value = thread } },
  enforce = reads_thread }

route { "POST", "/threads/{thread_id}/runs",
  events = { { "threads", "create_run", value = run_value }, run_displaces,
             reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = run_enforce(false, "threads:update") }

-- Who starts a run and stays to see it also reads the thread.
route { "POST", "/threads/{thread_id}/runs/stream",
  events = { { "threads", "create_run", value = run_value }, run_displaces,
             { "threads", "read", value = thread },
             { "threads", "update", value = { thread_id = path },
               when = { "on_disconnect", "cancel" } },
             reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = run_enforce(true, "threads:update", "threads:read") }

route { "POST", "/threads/{thread_id}/runs/wait",
  events = { { "threads", "create_run", value = run_value }, run_displaces,
             { "threads", "read", value = thread },
             reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = run_enforce(true, "threads:update", "threads:read") }

route { "GET", "/threads/{thread_id}/runs/{run_id}",
  events = { { "threads", "read", value = thread } },
  enforce = { ask_first = { the_thread, the_run }, hidden = no_thread } }

route { "DELETE", "/threads/{thread_id}/runs/{run_id}",
  events = { { "threads", "delete",
    value = { thread_id = path, run_id = path } } },
  enforce = { ask_first = { the_thread,
                            { "/threads/{thread_id}/runs/{run_id}",
                              events = {}, hold = "exclusive",
                              same = { thread_id = "{thread_id}" } } },
              hidden = no_run } }

local reads_run = { ask_first = { the_thread, the_run }, hidden = no_thread,
                    stream = true }

-- Who reads along and takes the run along when leaving cancels it. What counts
-- as yes depends on the server; what is no surely does not.
local on_leaving = query { "cancel_on_disconnect",
                           except = { "0", "false", "False" } }
local leaves_run = { "threads", "update",
  value = { thread_id = path, action = literal("interrupt"),
            metadata = { run_ids = path { "run_id", split = "," } } },
  when = on_leaving }

route { "GET", "/threads/{thread_id}/runs/{run_id}/join",
  events = { { "threads", "read", value = thread }, leaves_run },
  enforce = reads_run }

route { "GET", "/threads/{thread_id}/runs/{run_id}/stream",
  events = { { "threads", "read", value = thread }, leaves_run },
  enforce = reads_run }

-- With ?wait=true the server reads the thread after the cancel.
route { "POST", "/threads/{thread_id}/runs/{run_id}/cancel",
  events = { { "threads", "update",
               value = { thread_id = path, action = query,
                         metadata = { run_ids = path { "run_id",
                                                       split = "," } } } },
             { "threads", "read", value = thread } },
  enforce = { ask_first = { the_thread, the_run }, hidden = no_run } }

--------------------------------------------------------- 1. stateless runs

route { "POST", "/runs",
  events = { { "threads", "create_run", value = stateless_run_value },
             reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = stateless_enforce(false) }

-- The thread that is read is the run's own, which has no id yet.
route { "POST", "/runs/stream",
  events = { { "threads", "create_run", value = stateless_run_value },
             { "threads", "read" }, reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = stateless_enforce(true) }

route { "POST", "/runs/wait",
  events = { { "threads", "create_run", value = stateless_run_value },
             { "threads", "read" }, reads_assistant },
  mutable = { "metadata" }, body = "json",
  enforce = stateless_enforce(true) }

route { "POST", "/runs/batch",
  events = { { "threads", "create_run", value = stateless_run_value,
               each = true },
             gateway and { "assistants", "read", each = true,
                           value = { assistant_id = body } } or nil },
  mutable = { "metadata" }, body = "json",
  enforce = {
    ask_first = { "/assistants/{body.assistant_id}", each = true,
                  events = { "assistants:read" }, exempt = system,
                  hidden = run_assistant.hidden },
    events = { "threads:create_run" }, rewrite = run_rewrite,
    remember = "run" } }

-- The server asks, but for no thread, and uses no filter: anybody who knows a
-- run id reads along.
route { "GET", "/runs/{run_id}/stream",
  events = { { "threads", "read" },
             { "threads", "update", when = on_leaving,
               value = { action = literal("interrupt"),
                         metadata = { run_ids = path { "run_id",
                                                       split = "," } } } } },
  native_unchecked = true,
  enforce = { asks = "run", hidden = no_run, stream = true } }

------------------------------------------------------------------ 1. crons
-- The JavaScript server answers 500 before any handler; the Python server has
-- them, and asks for the thread as well.

local cron_payload = {
  assistant_id = body, input = body, metadata = body, config = body,
  context = body, webhook = body, interrupt_before = body,
  interrupt_after = body, multitask_strategy = body,
}

-- A cron without a thread makes one each time; a thread that the body names
-- nevertheless is asked for.
local cron_thread = { "/threads/{body.thread_id}", events = { "threads:read" },
                      optional = true, hidden = missing("Thread not found") }

route { "POST", "/runs/crons",
  events = { { "crons", "create",
               value = { payload = cron_payload, schedule = body,
                         end_time = body } },
             reads_assistant,
             gateway and { "threads", "read", value = { thread_id = body },
                           when = "thread_id" } or nil },
  body = "json",
  enforce = { ask_first = { run_assistant, cron_thread },
              events = { "crons:create" }, rewrite = run_rewrite } }

-- Crons are not asked for one by one: the filter for their threads is matched
-- against the cron itself.
route { "POST", "/runs/crons/search",
  events = { { "crons", "search",
               value = { assistant_id = body, thread_id = body, limit = body,
                         offset = body } },
             { "threads", "search", value = { thread_id = body } } },
  body = "json",
  enforce = { check = "list", page = search_page } }

route { "DELETE", "/runs/crons/{cron_id}",
  events = { { "crons", "delete", value = { cron_id = path } },
             { "threads", "read" } },
  enforce = { refuse = "the backend cannot be asked for one cron" } }

route { "POST", "/threads/{thread_id}/runs/crons",
  events = { { "crons", "create",
               value = { thread_id = path, payload = cron_payload,
                         schedule = body, end_time = body } },
             { "threads", "read", value = thread }, reads_assistant },
  body = "json",
  enforce = { ask_first = { run_assistant,
                            { the_thread, events = { "threads:read" } },
                            cron_thread },
              events = { "crons:create" }, rewrite = run_rewrite,
              hidden = no_thread } }

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
    gateway and
    { "assistants", "read",
      value = { assistant_id = body "params.assistant_id" },
      when = { "method", "run.start" } } or nil,
  },
  mutable = { "metadata" }, body = "json", native_unchecked = true,
  enforce = {
    ask_first = {
      { "/assistants/{body.params.assistant_id}", optional = true,
        events = { "assistants:read" }, exempt = system,
        hidden = missing('No assistant found for "{body.params.assistant_id}' ..
                         '". Make sure the assistant ID is for a valid ' ..
                         "assistant or a valid graph ID.") },
      { the_thread, events = { "threads:create_run", "threads:read" },
        create = { when = { "method", "run.start" }, path = "/threads",
                   body = { thread_id = "{thread_id}", if_exists = "raise",
                            metadata = "{body.params.metadata}" },
                   stamp = "metadata" } },
    },
    -- The two of which each command selects one at least.
    events = { "threads:create_run", "threads:read" }, hidden = no_thread,
    rewrite = {
      stamp = "params.metadata", configurable = "params.config.configurable",
      webhook = "params.webhook",
      drop_body = { "params.config.configurable.thread_id" },
      drop_headers = { "x-*" } } } }

-- A client opens it before the run that makes the thread. It is made here, or
-- a subscription to a free id would see what a later owner does; so the policy
-- is asked for that as well.
route { "POST", "/threads/{thread_id}/stream/events",
  events = { { "threads", "read", value = thread },
             gateway and { "threads", "create",
                           value = { thread_id = path, metadata = {},
                                     if_exists = literal("do_nothing") } }
                      or nil },
  body = "json", native_unchecked = true,
  enforce = {
    ask_first = { the_thread, events = { "threads:read" },
                  create = { path = "/threads", stamp = "metadata",
                             body = { thread_id = "{thread_id}",
                                      if_exists = "raise" } } },
    events = { "threads:create" }, hidden = no_thread, stream = true } }

-- Commands in frames: what they ask for is not seen. The two rows above do the
-- same job.
route { "GET", "/threads/{thread_id}/stream/events",
  websocket = true, access = "refuse",
  enforce = { refuse = "its frames carry commands" } }

------------------------------------------------------------- 1. assistants
-- The name of a graph is an alias for its built-in assistant: assistant_id is
-- what the request says.

-- Who may say created_by = "system" would give an assistant to everybody.
local said_of_assistant = claims("config.configurable", claims("context", {
  "metadata.created_by" }))

route { "POST", "/assistants",
  events = { { "assistants", "create",
    value = { assistant_id = body, config = body, context = body,
              graph_id = body, metadata = body, if_exists = body,
              name = body, description = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = { "/assistants/{body.assistant_id}",
                            hold = "exclusive", optional = true,
                            absent = true },
              rewrite = { stamp = "metadata", drop_body = said_of_assistant },
              sent = true, check = "object",
              hidden = missing("Assistant already exists", 409) } }

route { "POST", "/assistants/search",
  events = { { "assistants", "search",
    value = { graph_id = body, metadata = body, limit = body,
              offset = body } } },
  body = "json",
  enforce = { rewrite = { restrict = "metadata" }, check = "list",
              page = search_page } }

route { "POST", "/assistants/count",
  events = { { "assistants", "search",
    value = { graph_id = body, metadata = body, limit = literal(0),
              offset = literal(0) } } },
  body = "json",
  enforce = { rewrite = { restrict = "metadata" }, check = "count",
              page = count_page "/assistants/search" } }

route { "GET", "/assistants/{assistant_id}",
  events = { { "assistants", "read", value = assistant } },
  enforce = { check = "object", hidden = no_assistant } }

local writes_assistant = { "/assistants/{assistant_id}", hold = "exclusive" }

-- context is the Python server's.
route { "PATCH", "/assistants/{assistant_id}",
  events = { { "assistants", "update",
    value = { assistant_id = path, graph_id = body, config = body,
              context = body, metadata = body, name = body,
              description = body } } },
  mutable = { "metadata" }, body = "json",
  enforce = { ask_first = writes_assistant,
              rewrite = { stamp = "metadata", keep = "metadata",
                          drop_body = said_of_assistant },
              hidden = no_assistant } }

-- delete_threads removes the threads of every owner.
route { "DELETE", "/assistants/{assistant_id}",
  events = { { "assistants", "delete", value = assistant } },
  enforce = { ask_first = writes_assistant,
              rewrite = { drop_query = { "delete_threads" } },
              hidden = no_assistant } }

-- These answers carry no metadata: ask first.
local reads_graph = { ask_first = "/assistants/{assistant_id}",
                      hidden = no_assistant }

route { "GET", "/assistants/{assistant_id}/graph",
  events = { { "assistants", "read", value = assistant } },
  enforce = reads_graph }

route { "GET", "/assistants/{assistant_id}/schemas",
  events = { { "assistants", "read", value = assistant } },
  enforce = reads_graph }

route { "GET", "/assistants/{assistant_id}/subgraphs",
  events = { { "assistants", "read", value = assistant } },
  enforce = reads_graph }

route { "GET", "/assistants/{assistant_id}/subgraphs/{namespace}",
  events = { { "assistants", "read", value = assistant } },
  enforce = reads_graph }

route { "POST", "/assistants/{assistant_id}/latest",
  events = { { "assistants", "update",
    value = { assistant_id = path, version = body } } },
  body = "json",
  enforce = { ask_first = writes_assistant, hidden = no_assistant } }

route { "POST", "/assistants/{assistant_id}/versions",
  events = { { "assistants", "read", value = assistant } },
  body = "json",
  enforce = { ask_first = "/assistants/{assistant_id}", check = "list",
              page = { limit = { "limit", 10 }, offset = "offset",
                       max = 1000 },
              hidden = missing('Assistant "{assistant_id}" not found.') } }

------------------------------------------------------------------ 1. store
-- A namespace that a handler changes is used by put, get and delete; searches
-- of a server with auth go on with the one that was sent, those of a gateway
-- with the changed one.

local the_item = "/store/items?namespace={body.namespace}&key={body.key}"
local item_match = { "value", "namespace", "key" }
local searched = gateway and { "namespace" } or {}

route { "PUT", "/store/items",
  events = { { "store", "put",
    value = { namespace = body, key = body, value = body, index = body } } },
  mutable = { "namespace", "key", "value" }, body = "json",
  enforce = { ask_first = { the_item, hold = "exclusive", absent = true },
              match = item_match, sent = true, hidden = no_item } }

-- One string with dots here, a list everywhere else: policies read
-- value.namespace[1].
route { "GET", "/store/items",
  events = { { "store", "get",
    value = { namespace = query { "namespace", split = "." },
              key = query } } },
  mutable = { "namespace", "key" },
  -- A missing item is null here.
  enforce = { check = "object", match = item_match,
              rewrite = { query = { "namespace", "key" } },
              hidden = { 200, "application/json", "null" } } }

route { "DELETE", "/store/items",
  events = { { "store", "delete", value = { namespace = body, key = body } } },
  mutable = { "namespace", "key" }, body = "json",
  enforce = { ask_first = { the_item, hold = "exclusive",
                            absent = "matching" },
              match = item_match, hidden = no_item } }

route { "POST", "/store/items/search",
  events = { { "store", "search",
    value = { namespace = body "namespace_prefix", filter = body,
              limit = body, offset = body, query = body } } },
  mutable = searched, body = "json",
  enforce = { check = "list", match = item_match,
              page = { limit = { "limit", 10 }, offset = "offset", max = 1000,
                       items = "items" } } }

route { "POST", "/store/namespaces",
  events = { { "store", "list_namespaces",
    value = { namespace = body "prefix", suffix = body, max_depth = body,
              limit = body, offset = body } } },
  mutable = searched, body = "json",
  -- Each is a list of texts, without the value of any item.
  enforce = { check = "list", match = item_match, wrap = "namespace",
              page = { limit = { "limit", 100 }, offset = "offset", max = 1000,
                       items = "namespaces" } } }

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
  enforce = { ask_first = { "/threads/{body.thread_ids}", each = true,
                            hold = "exclusive", retires = true },
              hidden = missing("Thread not found") } }

route { "GET", "/threads/{thread_id}/stream",
  events = { { "threads", "read", value = thread } },
  enforce = streams_thread }

route { "GET", "/threads/{thread_id}/storage",
  events = { { "threads", "read", value = thread } },
  enforce = reads_thread }

-- By status it would cross threads: without a thread_id no event is selected,
-- and it is refused. Each run that it names must be of that thread.
route { "POST", "/runs/cancel",
  events = { { "threads", "update",
    value = { thread_id = body, action = query,
              metadata = { run_ids = body, status = body } },
    when = "thread_id" } },
  body = "json",
  enforce = { ask_first = {
                "/threads/{body.thread_id}",
                { "/threads/{body.thread_id}/runs/{body.run_ids}", each = true,
                  events = {}, same = { thread_id = "{body.thread_id}" } } },
              rewrite = { drop_body = { "status" } },
              hidden = no_run } }

------------------------------------------------------ 2. Python server: crons

route { "POST", "/runs/crons/count",
  events = { { "crons", "search",
               value = { assistant_id = body, thread_id = body } },
             { "threads", "search", value = { thread_id = body } } },
  body = "json",
  enforce = { check = "count", page = count_page "/runs/crons/search" } }

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
  enforce = { ask_first = "/assistants/{query.assistant_id}",
              hidden = no_assistant } }

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
route { "GET", "/metrics", access = gateway and "refuse" or "user",
  enforce = gateway and { refuse = "it counts what all users do" } or nil }
