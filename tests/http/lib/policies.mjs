// SPDX-License-Identifier: Apache-2.0
// Lua policies that several tests share.

/** Owners see what is theirs, permission "admin" sees and may do all. */
export const OWNERS = `
local auth = require "agentauth"

local function is_admin(ctx)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "admin" then return true end
  end
  return false
end

auth.on(function(ctx, value) return false end)

auth.on({ "threads", "assistants" }, function(ctx, value)
  if is_admin(ctx) then return true end
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end)

auth.on.store(function(ctx, value)
  if is_admin(ctx) then return true end
  assert(value.namespace and value.namespace[1] == ctx.user.identity, "Not authorized")
end)
`;

/** The policy of LangGraph's own how-to on custom authentication, word for
 *  word: one handler stamps and filters by owner, one guards the store. */
export const HOWTO = `
local auth = require "agentauth"

-- Add owner to resource metadata and filter by owner.
auth.on(function(ctx, value)
  local filters = { owner = ctx.user.identity }
  value.metadata = value.metadata or {}
  for k, v in pairs(filters) do value.metadata[k] = v end
  return filters
end)

-- Assumes you organize information in store like (user_id, resource_type, resource_id)
auth.on.store(function(ctx, value)
  local namespace = value.namespace
  assert(namespace[1] == ctx.user.identity, "Not authorized")
end)
`;

const ADMIN = `
local auth = require "agentauth"

local function is_admin(ctx)
  for _, permission in ipairs(ctx.permissions) do
    if permission == "admin" then return true end
  end
  return false
end

auth.on(function(ctx, value) return false end)

local function owned(ctx, value)
  if is_admin(ctx) then return true end
  value.metadata = value.metadata or {}
  value.metadata.owner = ctx.user.identity
  return { owner = ctx.user.identity }
end

auth.on({ "threads", "assistants" }, owned)

auth.on.crons(function(ctx, value)
  return is_admin(ctx) or { owner = ctx.user.identity }
end)
`;

/** As OWNERS, but the store has filters too: an item belongs to those whose
 *  name is a label of its namespace, one on a shelf to who put it there. */
export const TENANTS = `${ADMIN}
auth.on.store(function(ctx, value)
  if is_admin(ctx) then return true end
  if value.namespace and value.namespace[1] == "shelf" then
    if ctx.action == "put" then value.value.owner = ctx.user.identity end
    return { owner = ctx.user.identity }
  end
  return { namespace = { ["$contains"] = ctx.user.identity } }
end)
`;

/** What tempts an agent server to show everything: filters with an operator
 *  that is unknown or empty, chosen by metadata.try of a search, and the
 *  documented pattern of a store namespace that begins with one's name. */
export const TEMPTING = `${ADMIN}
local mistakes = {
  ["eq-empty"] = function(who) return { owner = { ["$eq"] = "" } } end,
  ["in"] = function(who) return { owner = { ["$in"] = { who } } } end,
  ["no-operator"] = function(who) return { owner = {} } end,
  ["or"] = function(who)
    return { ["$or"] = { { owner = who }, { team = who } } }
  end,
  list = function(who) return { owner = { who } } end,
  nothing = function(who) return {} end,
  eq = function(who) return { owner = { ["$eq"] = who } } end,
}

auth.on.threads.search(function(ctx, value)
  local mistake = value.metadata and mistakes[value.metadata.try]
  if mistake and not is_admin(ctx) then return mistake(ctx.user.identity) end
  return owned(ctx, value)
end)

auth.on.store(function(ctx, value)
  if is_admin(ctx) then return true end
  local namespace = { ctx.user.identity }
  for _, label in ipairs(value.namespace or {}) do
    namespace[#namespace + 1] = label
  end
  value.namespace = namespace
  return true
end)
`;
