-- SPDX-License-Identifier: Apache-2.0
-- The module `agentauth`: what a policy registers its handlers with.
--
-- Compiled in. Runs once in each Lua state, before the policy. Whatever is
-- misspelt here is an error while the policy loads, with the policy's line.
local core = ...
local fail = core.fail

-- Decorators that wait for their function, by the line that made them.
local waiting = {}

local function check_function(f, spelling)
  if type(f) ~= "function" then
    fail(spelling .. " needs a function, got " .. type(f),
      spelling .. "(function(ctx, value) ... end)")
  end
end

local function register(resource, action, f)
  core.register(resource, action, f)
  return f
end

-- "threads:create", "threads", "*:create", "*"
local function parse(key)
  local parts = key:split(":")
  local resource, action = parts[1], parts[2]
  if #parts > 2 or resource == "" or action == "" or action == "*" then
    fail("'" .. key .. "' is no event",
      'events are written "threads:create", "threads", "*:create" or "*"')
  end
  if resource == "*" then resource = nil end
  return resource, action
end

local function register_key(key, f)
  if type(key) ~= "string" then
    fail("a list of events contains a " .. type(key),
      'auth.on({"threads", "assistants:read"}, f)')
  end
  local resource, action = parse(key)
  return register(resource, action, f)
end

local function words(list, name)
  if list == nil then return { false } end
  if type(list) == "string" then return { list } end
  if type(list) ~= "table" or #list == 0 then
    fail("'" .. name .. "' is no list of names", name .. ' = {"threads"}')
  end
  for _, word in ipairs(list) do
    if type(word) ~= "string" then
      fail("'" .. name .. "' contains a " .. type(word), name .. ' = {"threads"}')
    end
  end
  return list
end

-- auth.on{resources = {...}, actions = {...}}(f): every pair of the two.
local function decorator(spec, only)
  for name in pairs(spec) do
    if name ~= "actions" and (name ~= "resources" or only) then
      fail("'" .. tostring(name) .. "' is not understood here",
        'auth.on{resources = {"threads"}, actions = {"read"}}(f)')
    end
  end
  if spec.resources == nil and spec.actions == nil then
    fail("no resources and no actions", "auth.on(f) is the handler for everything")
  end
  local resources = only and { only } or words(spec.resources, "resources")
  local actions = words(spec.actions, "actions")
  for _, resource in ipairs(resources) do
    for _, action in ipairs(actions) do
      core.known(resource or nil, action or nil)
    end
  end
  local place = core.where()
  waiting[place] = (waiting[place] or 0) + 1
  return function(f)
    check_function(f, "auth.on{...}")
    waiting[place] = waiting[place] - 1
    for _, resource in ipairs(resources) do
      for _, action in ipairs(actions) do
        register(resource or nil, action or nil, f)
      end
    end
    return f
  end
end

local function on_resource(resource)
  core.known(resource, nil)
  return setmetatable({}, {
    __metatable = true,
    __newindex = core.read_only,
    __index = function(_, action)
      core.known(resource, action)
      return function(f)
        check_function(f, "auth.on." .. resource .. "." .. action)
        return register(resource, action, f)
      end
    end,
    __call = function(_, f)
      if type(f) == "table" then return decorator(f, resource) end
      check_function(f, "auth.on." .. resource)
      return register(resource, nil, f)
    end,
  })
end

local function on_call(_, what, f)
  if type(what) == "function" then return register(nil, nil, what) end
  if type(what) == "string" then
    check_function(f, 'auth.on("' .. what .. '", f)')
    return register_key(what, f)
  end
  if type(what) ~= "table" then
    fail("auth.on needs a function, got " .. type(what),
      "auth.on(function(ctx, value) ... end)")
  end
  if #what == 0 then return decorator(what) end
  check_function(f, "auth.on({...}, f)")
  for _, key in ipairs(what) do register_key(key, f) end
  return f
end

local on = setmetatable({}, {
  __metatable = true,
  __newindex = core.read_only,
  __index = function(_, resource) return on_resource(resource) end,
  __call = on_call,
})

local function finish()
  for place, n in pairs(waiting) do
    if n > 0 then
      core.fail_at(place, "auth.on{...} was never given its handler",
        "auth.on{...}(function(ctx, value) ... end)")
    end
  end
end

local auth = core.freeze({
  on = on,
  authenticate = function(f)
    check_function(f, "auth.authenticate")
    core.authenticate(f)
    return f
  end,
  HTTPException = core.exception,
  get = core.get,
  equals = core.equals,
  log = core.log,
  array = core.array,
  null = core.null,
}, "auth")

return auth, finish
