/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy says and what comes of it: registration, order, returns,
 * exceptions, ctx and value. */
#include "harness.h"

#define ON "local auth = require 'agentauth'\n"
#define ALL ON "auth.on(function(ctx, value)\n"
#define END "\nend)"

/* ----------------------------------------------------------- registration */

/* Each registers one handler that filters; others must not be hit. */
static const struct {
    const char *name, *policy, *request, *verdict;
} spelled[] = {
    {"everything", "auth.on(F)", "GET /threads/a", "filter {\"k\":1}"},
    {"everything by star", "auth.on('*', F)", "GET /threads/a",
     "filter {\"k\":1}"},
    {"resource", "auth.on.threads(F)", "GET /threads/a", "filter {\"k\":1}"},
    {"resource misses", "auth.on.threads(F)", "GET /assistants/a",
     "deny UNMATCHED"},
    {"resource by name", "auth.on('threads', F)", "GET /threads/a",
     "filter {\"k\":1}"},
    {"exact", "auth.on.threads.read(F)", "GET /threads/a", "filter {\"k\":1}"},
    {"exact misses", "auth.on.threads.read(F)", "DELETE /threads/a",
     "deny UNMATCHED"},
    {"exact by name", "auth.on('threads:read', F)", "GET /threads/a",
     "filter {\"k\":1}"},
    {"action of any", "auth.on('*:read', F)", "GET /assistants/a",
     "filter {\"k\":1}"},
    {"action of any misses", "auth.on('*:read', F)", "DELETE /assistants/a",
     "deny UNMATCHED"},
    {"list", "auth.on({'threads', 'assistants:read'}, F)", "GET /assistants/a",
     "filter {\"k\":1}"},
    {"list 2", "auth.on({'threads', 'assistants:read'}, F)",
     "DELETE /threads/a", "filter {\"k\":1}"},
    {"list misses", "auth.on({'threads', 'assistants:read'}, F)",
     "DELETE /assistants/a", "deny UNMATCHED"},
    {"cross",
     "auth.on{resources={'threads','assistants'}, "
     "actions={'read','delete'}}(F)",
     "DELETE /assistants/a", "filter {\"k\":1}"},
    {"cross misses",
     "auth.on{resources={'threads','assistants'}, "
     "actions={'read','delete'}}(F)",
     "POST /assistants/search", "deny UNMATCHED"},
    {"resources alone", "auth.on{resources={'threads'}}(F)",
     "DELETE /threads/a", "filter {\"k\":1}"},
    {"actions alone", "auth.on{actions={'delete'}}(F)", "DELETE /assistants/a",
     "filter {\"k\":1}"},
    {"word instead of list", "auth.on{actions='delete'}(F)",
     "DELETE /assistants/a", "filter {\"k\":1}"},
    {"actions of a resource", "auth.on.threads{actions={'delete'}}(F)",
     "DELETE /threads/a", "filter {\"k\":1}"},
    {"store", "auth.on.store(F)", "POST /store/items/search",
     "filter {\"k\":1}"},
    {"the handler comes back", "auth.on.threads(auth.on.assistants(F))",
     "GET /threads/a", "filter {\"k\":1}"},
    {"none at all", "", "GET /threads/a", "deny UNMATCHED"},
};

static void registration(void **state)
{
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(spelled) / sizeof(*spelled); i++) {
        const char *text =
            apr_pstrcat(w->p, ON "local function F() return {k = 1} end\n",
                        spelled[i].policy, NULL);
        aa_policy_verdict_t v = world_try(w, text, spelled[i].request, "{}");

        print_message("%s\n", spelled[i].name);
        assert_string_equal(world_say(w, &v), spelled[i].verdict);
    }
}

static const struct {
    const char *name, *policy, *error;
} broken[] = {
    {"syntax", "auth.on(function(", "p.lua:2:"},
    {"unknown resource", "auth.on.thread(F)", "'threads'"},
    {"unknown resource by name", "auth.on('thread', F)", "'threads'"},
    {"unknown action", "auth.on.threads.creat(F)", "'create'"},
    {"unknown action of any", "auth.on('*:creat', F)", "'create'"},
    {"action of another resource", "auth.on.threads.put(F)",
     "no action of 'threads'"},
    {"twice", "auth.on.threads(F)\nauth.on('threads', F)",
     "p.lua:3: "
     "'threads' has a "
     "handler already"},
    {"everything twice", "auth.on(F)\nauth.on('*', F)", "'*' has a handler"},
    {"twice in a cross",
     "auth.on.threads.read(F)\n"
     "auth.on{resources={'threads'},actions={'read'}}(F)",
     "'threads:read' has a handler already"},
    {"authenticate twice", "auth.authenticate(F)\nauth.authenticate(F)",
     "p.lua:3: auth.authenticate was called before"},
    {"no function", "auth.on(1)", "needs a function, got number"},
    {"no function for a name", "auth.on('threads')", "needs a function"},
    {"no function for an action", "auth.on.threads.read{}", "needs a function"},
    {"decorator left alone", "auth.on{actions={'read'}}",
     "p.lua:2: auth.on{...} was never given its handler"},
    {"unknown word", "auth.on{ressources={'threads'}}(F)", "'ressources'"},
    {"empty list", "auth.on{resources={}}(F)", "'resources' is no list"},
    {"three parts", "auth.on('a:b:c', F)", "is no event"},
    {"star as action", "auth.on('threads:*', F)", "is no event"},
    {"other module", "require 'os'", "there is no module 'os'"},
    {"assignment", "auth.on.threads = F", "cannot be assigned"},
    {"misspelt member", "auth.onn(F)", "no field 'onn'"},
    {"module is frozen", "auth.on = F", "read-only"},
    {"library is frozen", "string.rep = F", "read-only"},
    {"endless load", "while true do end", "instructions"},
    {"no such global", "foo()", "p.lua:2:"},
    {"bytecode", "\033Lua", "p.lua:2:"},
};

static void load_errors(void **state)
{
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        const char *text = apr_pstrcat(w->p, ON "local function F() end ",
                                       broken[i].policy, NULL);
        const char *file = world_file(w, "p.lua", text), *why = NULL;
        aa_policy_conf_t conf = {.file = file, .routes = w->routes};
        aa_policy_t *policy;

        print_message("%s\n", broken[i].name);
        assert_int_not_equal(aa_policy_open(&policy, &why, &conf, w->p),
                             APR_SUCCESS);
        assert_contains(why, broken[i].error);
        assert_contains(why, file); /* the whole path */
    }
}

static void no_file(void **state)
{
    world_t *w = *state;
    aa_policy_conf_t conf = {.file = "/nowhere/p.lua", .routes = w->routes};
    aa_policy_t *policy;
    const char *why = NULL;

    assert_true(
        APR_STATUS_IS_ENOENT(aa_policy_open(&policy, &why, &conf, w->p)));
    assert_contains(why, "/nowhere/p.lua");
    conf.file = w->dir;
    assert_int_equal(aa_policy_open(&policy, &why, &conf, w->p), APR_EINVAL);
    assert_contains(why, "regular");
}

/* ------------------------------------------------------------------- order */

/* The most specific handler is hit, and it alone. */
static void order(void **state)
{
    static const struct {
        const char *request, *first;
    } rows[] = {{"GET /threads/a", "threads:read"},
                {"DELETE /threads/a", "threads"},
                {"GET /assistants/a", "*:read"},
                {"DELETE /assistants/a", "*"}};
    world_t *w = *state;
    aa_policy_t *policy = world_policy(
        w, ON "for _, k in ipairs{'*', '*:read', 'threads', 'threads:read'} do"
              " auth.on(k, function() return {hit = k} end) end");

    for (size_t i = 0; i < 4; i++) {
        aa_policy_verdict_t v = world_ask(w, policy, rows[i].request, NULL);

        print_message("%s\n", rows[i].request);
        assert_int_equal(v.effect, AA_POLICY_FILTER);
        assert_string_equal(json_string_value(json_object_get(v.filter, "hit")),
                            rows[i].first);
        assert_string_equal(v.policy_id, v.policy_id);
        assert_int_equal(strlen(v.policy_id), 16);
    }
}

static void unmatched(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ON "auth.on.store(function() end)");
    aa_policy_verdict_t v = world_ask(w, policy, "GET /threads/a", NULL);

    assert_string_equal(world_say(w, &v), "deny UNMATCHED");
    assert_contains(v.reason, "threads:read");
    w->allow_unmatched = 1;
    v = world_ask(w, policy, "GET /threads/a", NULL);
    assert_string_equal(world_say(w, &v), "allow");
    assert_null(v.filter);
}

/* ----------------------------------------------------------------- returns */

static const struct {
    const char *name, *body, *verdict;
} returns[] = {
    {"nothing", "", "allow"},
    {"nil", "return nil", "allow"},
    {"true", "return true", "allow"},
    {"false", "return false", "deny FALSE"},
    {"filter", "return {owner = ctx.user.identity}",
     "filter {\"owner\":\"alice\"}"},
    {"$eq is the shorthand", "return {owner = {['$eq'] = 'x'}}",
     "filter {\"owner\":\"x\"}"},
    {"contains", "return {team = {['$contains'] = {'a', 'b'}}}",
     "filter {\"team\":{\"$contains\":[\"a\",\"b\"]}}"},
    {"frozen list in a filter",
     "return {p = {['$contains'] = ctx.user.permissions}}",
     "filter {\"p\":{\"$contains\":[\"threads:read\",\"assistants:create\"]}}"},
    {"number", "return 1", "deny RESULT"},
    {"string", "return 'yes'", "deny RESULT"},
    {"function", "return print or function() end", "deny RESULT"},
    {"null", "return auth.null", "deny RESULT"},
    {"empty filter", "return {}", "deny RESULT"},
    {"empty operand", "return {owner = {}}", "deny RESULT"},
    {"empty string", "return {owner = ''}", "deny RESULT"},
    {"unknown operator", "return {owner = {['$in'] = {'a'}}}", "deny RESULT"},
    {"list", "return {'a'}", "deny RESULT"},
    {"mixed", "return {'a', b = 1}", "deny RESULT"},
    {"function in it", "return {a = function() end}", "deny RESULT"},
    {"not finite", "return {a = 0/0}", "deny RESULT"},
    {"infinite", "return {a = math.huge}", "deny RESULT"},
    {"not UTF-8", "return {a = '\\xff'}", "deny RESULT"},
    {"NUL in a key", "return {['a\\0b'] = 'x'}", "deny RESULT"},
    {"boolean key", "return {[true] = 'x'}", "deny RESULT"},
    {"itself", "local t = {} t.t = t return t", "deny RESULT"},
    {"a billion",
     "local t = {1} for i = 1, 40 do t = {a = t, b = t} end "
     "return t",
     "deny RESULT"},
    {"an exception as a value", "return auth.HTTPException{status_code = 404}",
     "deny RESULT"},
    {"error", "error('text')", "deny LUA"},
    {"error of a table", "error({})", "deny LUA"},
    {"error of nil", "error()", "deny LUA"},
    {"nil index", "return ctx.user.identity.x.y", "deny LUA"},
    {"assert", "assert(false, 'Not authorized')", "deny ASSERT Not authorized"},
    {"assert nil", "assert(nil)", "deny ASSERT assertion failed!"},
    {"assert in a helper", "local function f() assert(1 == 2, 'deep') end f()",
     "deny ASSERT deep"},
    {"assert of a table", "assert(false, {})", "deny ASSERT assertion failed"},
    {"assert that holds", "assert(true, 'x') return true", "allow"},
    {"assert caught", "pcall(assert, false, 'x') return true", "allow"},
    {"assert caught, then an error", "pcall(assert, false, 'x') error('other')",
     "deny LUA"},
    {"assert with the place stripped",
     "assert(pcall(function() error('inner') end))", "deny ASSERT inner"},
    {"assert cleaned", "assert(false, 'a\\nb\\0c')", "deny ASSERT a b"},
    {"assert raises an exception",
     "assert(false, auth.HTTPException{status_code = 404})",
     "deny EXCEPTION 404 Not Found"},
    {"exception",
     "error(auth.HTTPException{status_code = 402, "
     "detail = 'quota used up'})",
     "deny EXCEPTION 402 quota used up"},
    {"exception by default", "error(auth.HTTPException{})",
     "deny EXCEPTION 401 Unauthorized"},
    {"exception 599", "error(auth.HTTPException{status_code = 599})",
     "deny EXCEPTION 599 Failed"},
    {"exception 600", "error(auth.HTTPException{status_code = 600})",
     "deny LUA"},
    {"exception 399", "error(auth.HTTPException{status_code = 399})",
     "deny LUA"},
    {"exception 403.5", "error(auth.HTTPException{status_code = 403.5})",
     "deny LUA"},
    {"exception, wrong member", "error(auth.HTTPException{status = 404})",
     "deny LUA"},
    {"exception, wrong detail", "error(auth.HTTPException{detail = 5})",
     "deny LUA"},
    {"exception changed",
     "local e = auth.HTTPException{} "
     "e.status_code = 200 error(e)",
     "deny RESULT"},
    {"CR LF in the detail", "error(auth.HTTPException{detail = 'a\\r\\nb'})",
     "deny RESULT"},
    {"detail not UTF-8", "error(auth.HTTPException{detail = '\\xff'})",
     "deny RESULT"},
    {"long detail", "error(auth.HTTPException{detail = string.rep('x', 1025)})",
     "deny RESULT"},
    {"longest detail",
     "error(auth.HTTPException{status_code = 400, "
     "detail = string.rep('x', 1024):sub(1024)})",
     "deny EXCEPTION 400 x"},
    {"CR LF in a header",
     "error(auth.HTTPException{headers = "
     "{['X-A'] = 'a\\r\\nSet-Cookie: b'}})",
     "deny RESULT"},
    {"NUL in a header",
     "error(auth.HTTPException{headers = {['X-A'] = 'a\\0'}})", "deny RESULT"},
    {"bad header name", "error(auth.HTTPException{headers = {['X A'] = 'a'}})",
     "deny RESULT"},
    {"framing header",
     "error(auth.HTTPException{headers = {['content-length'] = '0'}})",
     "deny RESULT"},
    {"our own header",
     "error(auth.HTTPException{headers = {['AgentAuth-User'] = 'x'}})",
     "deny RESULT"},
    {"header list", "error(auth.HTTPException{headers = {'a'}})",
     "deny RESULT"},
    {"too many headers",
     "local h = {} for i = 1, 17 do h['X-' .. i] = 'a' end"
     " error(auth.HTTPException{headers = h})",
     "deny RESULT"},
    {"long header",
     "error(auth.HTTPException{headers = "
     "{a = string.rep('x', 1025)}})",
     "deny RESULT"},
};

static void returned(void **state)
{
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(returns) / sizeof(*returns); i++) {
        const char *text = apr_pstrcat(w->p, ALL, returns[i].body, END, NULL);
        aa_policy_verdict_t v = world_try(w, text, "GET /threads/a", NULL);

        print_message("%s\n", returns[i].name);
        assert_string_equal(world_say(w, &v), returns[i].verdict);
        if (v.effect == AA_POLICY_DENY && v.cause != AA_CAUSE_FALSE) {
            assert_contains(v.reason, "; handler *");
            assert_contains(v.reason, w->dir);
            assert_string_equal(v.handler, "*");
        }
        else {
            assert_null(v.reason);
        }
    }
}

static void reasons(void **state)
{
    world_t *w = *state;
    aa_policy_verdict_t v;

    v = world_try(w,
                  ON "auth.on.threads.read(function()\n"
                     "  error('bad\\nluck')\nend)",
                  "GET /threads/a", NULL);
    assert_contains(v.reason, ".lua:3: bad luck; handler threads:read");
    v = world_try(w,
                  ON "auth.on.threads(function()\n\n"
                     "  assert(false, 'no')\nend)",
                  "GET /threads/a", NULL);
    assert_contains(v.reason, ".lua:4: no; handler threads");
    v = world_try(w,
                  ON "auth.on.threads(function()\n\n"
                     "  return {}\nend)",
                  "GET /threads/a", NULL);
    assert_contains(v.reason, ".lua:2: returned a bad filter: ");
    v = world_try(w,
                  ALL "error(auth.HTTPException{headers = {a = 'b', "
                      "['Retry-After'] = 5}})" END,
                  "GET /threads/a", NULL);
    assert_string_equal(apr_table_get(v.headers, "Retry-After"), "5");
    assert_string_equal(apr_table_get(v.headers, "A"), "b");
}

/* --------------------------------------------------------------------- ctx */

/* Each is the body of a handler that must come to `true`. */
static const struct {
    const char *name, *body;
} truths[] = {
    {"identity", "return ctx.user.identity == 'bob'"},
    {"display_name", "return ctx.user.display_name == 'Bob'"},
    {"is_authenticated", "return ctx.user.is_authenticated == true"},
    {"permissions", "return ctx.permissions[2] == 'b'"},
    {"the same permissions", "return ctx.permissions == ctx.user.permissions"},
    {"resource", "return ctx.resource == 'threads'"},
    {"action", "return ctx.action == 'read'"},
    {"path", "return ctx.path == '/test'"},
    {"method", "return ctx.method == 'POST'"},
    {"now", "return ctx.now == 1700000000"},
    {"claims", "return ctx.user.org.id == 7 and ctx.user.rate == 1.5"},
    {"64 bit", "return ctx.user.big == 9007199254740993"},
    {"integers stay integers", "return math.type(ctx.user.org.id) == "
                               "'integer' and math.type(ctx.user.rate) == "
                               "'float'"},
    {"length", "return #ctx.user.permissions == 2 and #ctx.user.none == 0"},
    {"ipairs", "local n = 0 for i, p in ipairs(ctx.user.permissions) do "
               "n = n + i end return n == 3"},
    {"pairs", "local n = 0 for k, v in pairs(ctx.user) do n = n + 1 end "
              "return n == 10"},
    {"pairs of ctx", "local n = 0 for k in pairs(ctx) do n = n + 1 end "
                     "return n == 7"},
    {"next", "return next(ctx.user.none) == nil and "
             "next(ctx.user.permissions) == 1"},
    {"concat", "return table.concat(ctx.user.permissions, ',') == 'a,b'"},
    {"unpack", "local a, b = table.unpack(ctx.user.permissions) "
               "return a == 'a' and b == 'b'"},
    {"nested concat", "return table.concat(ctx.user.org.teams) == 'xy'"},
    {"move out of it", "local t = table.move(ctx.user.org.teams, 1, 2, 1, {}) "
                       "return t[2] == 'y'"},
    {"get", "return auth.get(ctx.user, 'nothing', 5) == 5"},
    {"get null", "return auth.get(ctx.user, 'empty', 5) == 5"},
    {"get present", "return auth.get(ctx.user, 'rate', 5) == 1.5"},
    {"get nested", "return auth.get(ctx.user.org, 'id') == 7 and "
                   "auth.get(ctx.user.org, 'x') == nil"},
    {"index beyond a list", "return ctx.permissions[3] == nil"},
    {"method-like key", "return ctx.user.__index == 'evil'"},
    {"__gc key", "return ctx.user.org.__gc == 1"},
    {"pairs gives the front", "local _, t = pairs(ctx.user) "
                              "return not pcall(function() t.identity = 'x' "
                              "end) and ctx.user.identity == 'bob'"},
    {"assignment", "local ok, e = pcall(function() ctx.user.identity = 'x' "
                   "end) return not ok and e:contains('read-only')"},
    {"assignment to ctx", "return not pcall(function() ctx.user = {} end)"},
    {"new field", "return not pcall(function() ctx.x = 1 end)"},
    {"nested assignment",
     "return not pcall(function() ctx.user.org.id = 8 end)"},
    {"list assignment",
     "return not pcall(function() ctx.permissions[1] = 'admin' end)"},
    {"insert", "return not pcall(table.insert, ctx.permissions, 'admin') and "
               "#ctx.permissions == 2"},
    {"remove", "return not pcall(table.remove, ctx.permissions)"},
    {"sort", "return not pcall(table.sort, ctx.permissions)"},
    {"move into it",
     "return not pcall(table.move, {'x'}, 1, 1, 1, ctx.permissions)"},
    {"setmetatable", "return not pcall(setmetatable, ctx.user, {})"},
    {"as a metatable", "return not pcall(setmetatable, {}, ctx.user)"},
    {"absent field", "local ok, e = pcall(function() return ctx.user.nope end)"
                     " return not ok and e:contains('ctx.user') and "
                     "e:contains(\"'nope'\")"},
    {"null field", "local ok, e = pcall(function() return ctx.user.empty end) "
                   "return not ok and e:contains(\"'empty'\")"},
    {"absent nested", "local ok, e = pcall(function() return ctx.user.org.zip "
                      "end) return not ok and e:contains('ctx.user.org')"},
    {"misspelt ctx", "local ok, e = pcall(function() return ctx.identity end) "
                     "return not ok and e:contains('ctx')"},
    {"equals", "return auth.equals('abc', 'abc') and not "
               "auth.equals('abc', 'abd') and not auth.equals('abc', 'ab') "
               "and not auth.equals('', 'a') and auth.equals('', '')"},
    {"equals of nil", "return not auth.equals(nil, nil)"},
    {"startswith", "return ('a:b'):startswith('a:') and not "
                   "('a'):startswith('a:')"},
    {"endswith", "return ('a.pdf'):endswith('.pdf') and not "
                 "('pdf'):endswith('.pdf')"},
    {"contains", "return ('abc'):contains('b') and ('abc'):contains('') and "
                 "not string.contains('abc', 'x')"},
    {"glob", "return ('team-a'):glob('team-?') and ('a/b'):glob('*/*') and "
             "not ('team-'):glob('team-?') and ('abcbd'):glob('a*bd') and "
             "('a*'):glob('a\\\\*') and not ('ab'):glob('a\\\\*') and "
             "('äx'):glob('?x') and (''):glob('*') and not ('a'):glob('')"},
    {"split", "local t = ('a:b::c'):split(':') return #t == 4 and t[3] == '' "
              "and t[4] == 'c' and #(''):split(',') == 1"},
    {"tostring", "return tostring({}) == 'table' and tostring(nil) == 'nil' "
                 "and tostring(1.5) == '1.5' and tostring(auth.null) == 'null'"
                 " and ('%s'):format({}) == 'table'"},
    {"xpcall", "local ok, m = xpcall(function() error('x', 0) end, "
               "function(e) return e .. '!' end) return not ok and m == 'x!'"},
    {"xpcall through", "local ok, a, b = xpcall(function(...) return ... end, "
                       "error, 1, 2) return ok and a == 1 and b == 2"},
    {"select", "return select('#', 1, 2) == 2"},
    {"table functions",
     "local t = {3, 1, 2} table.sort(t) table.insert(t, 4) table.insert(t, 1, "
     "0) return table.concat(t, '') == '01234' and table.remove(t, 1) == 0 and "
     "table.remove(t) == 4 and #t == 3 and table.remove({}) == nil and "
     "table.unpack({1, 2, 3}, 2) == 2 and #table.pack(1, 2) == 2"},
    {"sort by function", "local t = {1, 2, 3} table.sort(t, function(a, b) "
                         "return a > b end) return t[1] == 3"},
    {"move overlapping", "local t = {1, 2, 3} table.move(t, 1, 3, 2) "
                         "return table.concat(t) == '1123'"},
    {"rep", "return ('ab'):rep(2, '-') == 'ab-ab' and (''):rep(5) == '' and "
            "('a'):rep(0) == '' and ('a'):rep(-1) == ''"},
    {"byte", "return ('abc'):byte(-1) == 99 and select('#', ('abc'):byte(1, "
             "-1)) == 3 and select('#', ('a'):byte(5)) == 0"},
    {"pack", "return string.unpack('<i4', string.pack('<i4', 7)) == 7"},
    {"tonumber", "return tonumber('10') == 10 and tonumber('z', 36) == 35"},
    {"utf8", "return utf8.len('äö') == 2"},
    {"metatables of one's own",
     "local C = {} C.__index = C function C.f() return 1 end "
     "return setmetatable({}, C).f() == 1"},
};

static void ctx(void **state)
{
    world_t *w = *state;
    const char *prefix = ON "auth.on(function(ctx, value)\n";
    aa_route_t route = {0};
    aa_event_t event = {.resource = "threads", .action = "read"};
    aa_route_match_t match = {.route = &route};

    route.events = &event;
    route.nevents = 1;
    w->user = "{\"identity\":\"bob\",\"permissions\":[\"a\",\"b\"],"
              "\"display_name\":\"Bob\",\"is_authenticated\":true,"
              "\"empty\":null,\"none\":[],\"rate\":1.5,"
              "\"big\":9007199254740993,\"__index\":\"evil\","
              "\"__metatable\":false,"
              "\"org\":{\"id\":7,\"teams\":[\"x\",\"y\"],\"__gc\":1}}";
    for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++) {
        aa_policy_t *policy = world_policy(
            w, apr_pstrcat(w->p, prefix, truths[i].body, END, NULL));

        print_message("%s\n", truths[i].name);
        w->serial = i; /* the first one is decoded anew each time */
        for (int again = 0; again < 2; again++) {
            aa_policy_verdict_t v = world_ask_row(w, policy, &match, NULL);

            if (v.effect != AA_POLICY_ALLOW)
                fail_msg("%s: %s", world_say(w, &v), v.reason);
        }
    }
}

/* A state keeps a user's table only under its own serial. */
static void users_are_told_apart(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy =
        world_policy(w, ALL "return {owner = ctx.user.identity}" END);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            const char *name = apr_psprintf(w->p, "user%d", i);
            aa_policy_verdict_t v;

            w->serial = i % 3 ? (apr_uint64_t)(round * 1000 + i) : 0;
            w->user = apr_psprintf(w->p, "{\"identity\":\"%s\"}", name);
            v = world_ask(w, policy, "GET /threads/a", NULL);
            assert_int_equal(v.effect, AA_POLICY_FILTER);
            assert_string_equal(
                json_string_value(json_object_get(v.filter, "owner")), name);
        }
    }
}

static void anonymous(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ALL "return true" END);
    aa_policy_verdict_t v;

    w->user = "{\"identity\":\"x\",\"is_authenticated\":false}";
    v = world_ask(w, policy, "GET /threads/a", NULL);
    assert_string_equal(world_say(w, &v), "deny ANONYMOUS");
    w->user = "{\"identity\":\"x\",\"is_authenticated\":\"no\"}";
    v = world_ask(w, policy, "GET /threads/a", NULL);
    assert_string_equal(world_say(w, &v), "deny ANONYMOUS");
    w->user = "{\"identity\":\"x\"}";
    v = world_ask(w, policy, "GET /threads/a", NULL);
    assert_string_equal(world_say(w, &v), "allow");
}

static void logged(void **state)
{
    world_t *w = *state;

    world_try(w, ALL "auth.log('seen', ctx.user.identity, 1, nil, 'a\\nb')" END,
              "GET /threads/a", NULL);
    assert_contains(w->log, "I p0.lua:3: seen alice 1 nil a b\n");
    /* changes that do not count are told once */
    world_try(w, ALL "value.thread_id = 'x'" END, "GET /threads/a", NULL);
    assert_contains(w->log, "p1.lua: handler * changes members of value that "
                            "threads:read does not let it change");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(registration), WORLD(load_errors), WORLD(no_file),
        WORLD(order),        WORLD(unmatched),   WORLD(returned),
        WORLD(reasons),      WORLD(ctx),         WORLD(users_are_told_apart),
        WORLD(anonymous),    WORLD(logged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
