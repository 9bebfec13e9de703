-- SPDX-License-Identifier: Apache-2.0
-- What a handler may say.
local auth = require "agentauth"

-- doc: returns
auth.on.threads.read(function(ctx, value)
  return { owner = ctx.user.identity }  -- allow, narrowed by this filter
end)

auth.on.threads.search(function(ctx, value)
  return true                           -- allow all; nil says the same
end)

auth.on.threads.delete(function(ctx, value)
  return false                          -- 403
end)

auth.on.threads.create_run(function(ctx, value)
  error(auth.HTTPException {            -- 400 to 599, your own text
    status_code = 402,
    detail = "your quota is used up",
    headers = { ["Retry-After"] = "3600" },
  })
end)

auth.on.threads.update(function(ctx, value)
  assert(ctx.user.identity ~= "intern", "interns may look, not touch")  -- 403 with this text
  return { owner = ctx.user.identity }
end)
-- doc: end

-- doc: filters
auth.on.assistants.read(function(ctx, value)
  return { owner = ctx.user.identity }                        -- equal
end)

auth.on.assistants.search(function(ctx, value)
  return { org = "acme", public = true }                      -- both
end)

auth.on.assistants.update(function(ctx, value)
  return { teams = { ["$contains"] = "red" } }                -- a list that has it
end)

auth.on.assistants.delete(function(ctx, value)
  return { teams = { ["$contains"] = { "red", "admins" } } }  -- a list that has all of them
end)

auth.on.assistants.create(function(ctx, value)
  return { ["$or"] = { { owner = ctx.user.identity }, { created_by = "system" } } }
end)
-- doc: end
