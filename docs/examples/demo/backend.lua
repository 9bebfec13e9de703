-- SPDX-License-Identifier: Apache-2.0
-- A small agent server inside httpd: threads in SQLite, for the demo.
--
-- It knows no users and reads no credential. What a request may see stands in
-- the note `agentauth-filter`: "true" for all, else a filter as JSON. Without
-- the note nothing is shown. All JSON work is done by SQLite.

-- A thread as LangGraph's API shows it.
local THREAD = [[json_object('thread_id', id, 'created_at', created,
  'updated_at', created, 'metadata', json(metadata), 'status', 'idle',
  'values', NULL)]]

-- Does the member %s of the object %s stand in the metadata, same type?
local EQUAL = [[EXISTS (SELECT 1 FROM json_each(metadata) m, json_each(%s) f
  WHERE f.key = %s AND m.key = f.key AND m.atom IS f.atom
  AND replace(m.type, 'real', 'integer') = replace(f.type, 'real', 'integer'))]]

-- Is what %s asks for, a value or each of a list, in the metadata's list %s?
local CONTAINS = [[EXISTS (SELECT 1 FROM json_each(metadata) l, (SELECT %s AS f)
  WHERE l.key = %s AND l.type = 'array' AND NOT EXISTS (
    SELECT 1 FROM json_each(f, '$."$contains"') w WHERE NOT EXISTS (
      SELECT 1 FROM json_each(l.value) e WHERE e.atom IS w.atom
      AND replace(e.type, 'real', 'integer') =
          replace(w.type, 'real', 'integer'))))]]

-- A connection for the length of one request. Values travel as parameters.
local function open(r)
  local db = assert(r:dbacquire("mod_dbd"))
  local q = {}
  function q.rows(sql, args)
    local statement = assert(db:prepare(r, sql))
    local results = assert(statement:select(table.unpack(args or {})))
    return results(0) or {}
  end
  function q.value(sql, args)
    local row = q.rows(sql, args)[1]
    return row and row[1]
  end
  function q.run(sql, ...)
    local statement = assert(db:prepare(r, sql))
    return assert(statement:query(...))
  end
  function q.close() db:close() end
  return q
end

-- The condition in SQL that a filter means; its parameters go into args.
local function condition(q, filter, args)
  local parts = {}
  local function add(sql, ...)
    parts[#parts + 1] = sql
    for _, v in ipairs { ... } do args[#args + 1] = v end
  end
  for _, m in ipairs(q.rows("SELECT key, type, value FROM json_each(%s)", { filter })) do
    local key, type, value = m[1], m[2], m[3]
    if key == "$and" or key == "$or" then
      local inner = {}
      for i, f in ipairs(q.rows("SELECT value FROM json_each(%s)", { value })) do
        inner[i] = condition(q, f[1], args)
      end
      assert(#inner > 0, "an empty list in the filter")
      add("(" .. table.concat(inner, key == "$and" and " AND " or " OR ") .. ")")
    elseif type == "object" then
      local op = q.rows("SELECT key FROM json_each(%s)", { value })
      assert(#op == 1 and op[1][1] == "$contains", "an operator unknown here")
      add(CONTAINS, value, key)
    else
      assert(type ~= "array", "a list in the filter")
      add(EQUAL, filter, key)
    end
  end
  assert(#parts > 0, "an empty filter")
  return "(" .. table.concat(parts, " AND ") .. ")"
end

-- What this request may see: a condition and its parameters.
local function visible(q, note)
  local args = {}
  if note == "true" then return "1", args end
  assert(q.value("SELECT json_type(%s)", { note }) == "object", "no filter")
  return condition(q, note, args), args
end

local function reply(r, status, json)
  r.status = status
  r.content_type = "application/json"
  r:write(json)
  return apache2.OK
end

local function find(q, id, where, args)
  return q.value("SELECT " .. THREAD .. " FROM threads WHERE id = %s AND " .. where,
    { id, table.unpack(args) })
end

local function create(r, q, body, where, args)
  local id = q.value([[SELECT coalesce(json_extract(%s, '$.thread_id'),
    substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 13, 3) ||
    '-a' || substr(h, 16, 3) || '-' || substr(h, 19, 12))
    FROM (SELECT lower(hex(randomblob(16))) AS h)]], { body })
  local made = q.run([[INSERT OR IGNORE INTO threads (id, created, metadata)
    SELECT %s, strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ'),
    coalesce(json_extract(%s, '$.metadata'), '{}')]], id, body)
  if made == 1 then return reply(r, 200, find(q, id, "1", {})) end
  local keep = q.value("SELECT json_extract(%s, '$.if_exists')", { body }) == "do_nothing"
  local old = keep and find(q, id, where, args)
  return reply(r, old and 200 or 409, old or '{"detail":"Thread already exists"}')
end

local function search(r, q, body, where, args)
  local wanted = q.value("SELECT coalesce(json_extract(%s, '$.metadata'), '{}')", { body })
  for _, m in ipairs(q.rows("SELECT key FROM json_each(%s)", { wanted })) do
    where = where .. " AND " .. EQUAL
    args[#args + 1] = wanted
    args[#args + 1] = m[1]
  end
  args[#args + 1], args[#args + 2] = body, body
  return reply(r, 200, q.value("SELECT json_group_array(json(t)) FROM (SELECT " ..
    THREAD .. " AS t FROM threads WHERE " .. where .. [[ ORDER BY created DESC, id
    LIMIT coalesce(json_extract(%s, '$.limit'), 10)
    OFFSET coalesce(json_extract(%s, '$.offset'), 0))]], args))
end

local function serve(r, q, note)
  local where, args = visible(q, note)
  local id = r.uri:match("^/threads/([^/]+)$")
  if r.method == "POST" and (r.uri == "/threads" or r.uri == "/threads/search") then
    local body = r:requestbody() or ""
    if body == "" then body = "{}" end
    assert(q.value("SELECT json_type(%s)", { body }) == "object", "no JSON object")
    return (r.uri == "/threads" and create or search)(r, q, body, where, args)
  elseif id and (r.method == "GET" or r.method == "DELETE") then
    local thread = find(q, id, where, args)
    if not thread then return reply(r, 404, '{"detail":"Thread not found"}') end
    if r.method == "DELETE" then q.run("DELETE FROM threads WHERE id = %s", id) end
    return reply(r, 200, r.method == "GET" and thread or "{}")
  end
  return reply(r, 404, '{"detail":"Not found"}')
end

function handle(r)
  local note = r.notes["agentauth-filter"]
  if not note then return reply(r, 403, '{"error":"forbidden"}') end
  local q = open(r)
  local done, result = pcall(serve, r, q, note)
  q.close()
  if done then return result end
  r:err("demo backend: " .. tostring(result))
  return reply(r, 500, '{"detail":"internal error"}')
end
