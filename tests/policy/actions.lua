-- SPDX-License-Identifier: Apache-2.0
-- Every handler of LangGraph's table of actions, each of which says its name.
local auth = require "agentauth"

local function says(name)
  return function(ctx, value)
    assert(ctx.resource .. "." .. ctx.action == name, "wrong handler")
    return { handler = name }
  end
end

auth.on.threads.create(says "threads.create")
auth.on.threads.read(says "threads.read")
auth.on.threads.update(says "threads.update")
auth.on.threads.delete(says "threads.delete")
auth.on.threads.search(says "threads.search")
auth.on.threads.create_run(says "threads.create_run")
auth.on.assistants.create(says "assistants.create")
auth.on.assistants.read(says "assistants.read")
auth.on.assistants.update(says "assistants.update")
auth.on.assistants.delete(says "assistants.delete")
auth.on.assistants.search(says "assistants.search")
auth.on.crons.create(says "crons.create")
auth.on.crons.read(says "crons.read")
auth.on.crons.update(says "crons.update")
auth.on.crons.delete(says "crons.delete")
auth.on.crons.search(says "crons.search")
auth.on.store.put(says "store.put")
auth.on.store.get(says "store.get")
auth.on.store.search(says "store.search")
auth.on.store.delete(says "store.delete")
auth.on.store.list_namespaces(says "store.list_namespaces")
auth.on.runs.create(says "runs.create")
