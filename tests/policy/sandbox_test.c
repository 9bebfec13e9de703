/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks from inside a policy: each ends in bounded time, and as a denial. */
#include "harness.h"

#include <malloc.h>
#include <time.h>

#include <lua.h>
#include <lauxlib.h>

#define ALL                                                                    \
    "local auth = require 'agentauth'\n"                                       \
    "auth.on(function(ctx, value)\n"
#define END "\nend)"
#define CPU_MAX 6.0 /* seconds; most rows take a few milliseconds */

static double cpu(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static const struct {
    const char *name, *body, *verdict;
} attacks[] = {
    {"loop", "while true do end", "deny BUDGET"},
    {"loop around pcall",
     "while true do pcall(function() while true do end end) end",
     "deny BUDGET"},
    {"loop of pcalls", "while true do pcall(error) end", "deny BUDGET"},
    {"nested pcalls", "local function f() pcall(f) while true do end end f()",
     "deny BUDGET"},
    {"xpcall whose handler loops",
     "xpcall(function() while true do end end, function() while true do end "
     "end)",
     "deny BUDGET"},
    {"loop around xpcall",
     "while true do xpcall(function() while true do end end, function() while "
     "true do end end) end",
     "deny BUDGET"},
    {"xpcall in a handler of xpcall",
     "local function f() xpcall(f, f) while true do end end f()",
     "deny BUDGET"},
    {"error value with __tostring that loops",
     "error(setmetatable({}, {__tostring = function() while true do end end}))",
     "deny LUA"},
    {"tostring with a loop",
     "tostring(setmetatable({}, {__tostring = function() while true do end "
     "end}))",
     "deny BUDGET"},
    {"concatenation with a loop",
     "return setmetatable({}, {__concat = function() while true do end end}) "
     ".. 'x'",
     "deny BUDGET"},
    {"format with a loop",
     "string.format('%s', setmetatable({}, {__tostring = function() while true "
     "do end end}))",
     "deny BUDGET"},
    {"__gc", "setmetatable({}, {__gc = function() while true do end end})",
     "deny LUA"},
    {"__gc added later",
     "local m = {} for i = 1, 1000 do setmetatable({}, m) end m.__gc = "
     "function() while true do end end return true",
     "allow"},
    {"__len", "setmetatable({}, {__len = function() return 1 << 60 end})",
     "deny LUA"},
    {"__len added later",
     "local m = {} local t = setmetatable({}, m) m.__len = function() return 1 "
     "<< 60 end table.insert(t, 1) table.remove(t) table.concat(t) "
     "table.unpack(t) return true",
     "allow"},
    {"__len for sort",
     "local m = {} local t = setmetatable({}, m) m.__len = function() return 1 "
     "<< 30 end table.sort(t, function() return false end)",
     "deny LUA"},
    {"__mode", "setmetatable({}, {__mode = 'k'})", "deny LUA"},
    {"__close", "setmetatable({}, {__close = function() end})", "deny LUA"},
    {"__close added later",
     "local m = {} local x <close> = nil local t = setmetatable({}, m) "
     "m.__close = function() while true do end end do local y <close> = t end",
     "deny BUDGET"},
    {"protected metatable", "setmetatable(auth, {})", "deny LUA"},
    {"metatable of a decoded list", "setmetatable(value.l, {})", "deny LUA"},
    {"__index that loops",
     "return setmetatable({}, {__index = function() while true do end "
     "end}).x",
     "deny BUDGET"},
    {"__index on itself",
     "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end})"
     " return t.x",
     "deny LUA"},
    {"__eq, __lt in sort",
     "local m = {__lt = function() while true do end end} local t = {} for i = "
     "1, 9 do t[i] = setmetatable({}, m) end table.sort(t)",
     "deny BUDGET"},
    {"__pairs that loops",
     "for k in pairs(setmetatable({}, {__pairs = function() while true do end "
     "end})) do end",
     "deny BUDGET"},
    {"rep of nothing", "string.rep('', 1e15)", "deny LUA"},
    {"rep of nothing, integer", "return (''):rep(1 << 60)", "deny LUA"},
    {"rep", "string.rep('x', 1e9)", "deny LUA"},
    {"rep by 64 K of 64 K", "local s = ('x'):rep(65536) return s:rep(65536)",
     "deny BUDGET"},
    {"rep with separator", "return (''):rep(65536, ('x'):rep(65536))",
     "deny BUDGET"},
    {"move", "table.move({}, 1, 1 << 50, 2)", "deny LUA"},
    {"move wraps", "table.move({}, math.mininteger, math.maxinteger, 1)",
     "deny LUA"},
    {"move at the end", "table.move({1}, 1, 9, math.maxinteger)", "deny LUA"},
    {"concat",
     "table.concat(setmetatable({}, {__index = function() return '' "
     "end}), '', 1, 1 << 50)",
     "deny LUA"},
    {"unpack", "table.unpack({}, 1, 1 << 30)", "deny LUA"},
    {"unpack wraps", "table.unpack({}, math.mininteger, math.maxinteger)",
     "deny LUA"},
    {"unpack 64 K again and again",
     "local t = {} local function f(...) return select('#', ...) end while true"
     " do f(table.unpack(t, 1, 65536)) end",
     "deny BUDGET"},
    {"varargs again and again",
     "local function g(...) return ... end local function f(...) while true do "
     "g(...) end end f(table.unpack({}, 1, 65000))",
     "deny BUDGET"},
    {"insert at the front of a long list",
     "local t = {} for i = 1, 60000 do t[i] = i end while true do "
     "table.insert(t, 1, 0) table.remove(t, 1) end",
     "deny BUDGET"},
    {"sort",
     "local t = {} for i = 1, 60000 do t[i] = -i end while true do "
     "table.sort(t) t[1] = 5 end",
     "deny BUDGET"},
    {"bad comparator",
     "local t = {} for i = 1, 99 do t[i] = i end table.sort(t, function() "
     "return true end)",
     "deny LUA"},
    {"comparator that changes the list",
     "local t = {} for i = 1, 99 do t[i] = i end table.sort(t, function(a, b) "
     "t[1] = nil return a < b end)",
     "deny LUA"},
    {"width of format", "string.format('%999999d', 1)", "deny LUA"},
    {"address by format", "return ('%p'):format({})", "deny LUA"},
    {"width of pack", "string.pack('c2147483647', 'x')", "deny LUA"},
    {"many widths of pack",
     "while true do string.pack(('c65536'):rep(60000), 'x') end",
     "deny BUDGET"},
    {"glob",
     "local s, g = ('a'):rep(65536), ('*a'):rep(500) .. 'b' while true "
     "do s:glob(g) end",
     "deny BUDGET"},
    {"long pattern", "return ('a'):glob(('*'):rep(1025))", "deny LUA"},
    {"contains",
     "local s = ('a'):rep(65536):rep(30) local p = "
     "('a'):rep(65536) .. 'b' while true do s:contains(p) end",
     "deny BUDGET"},
    {"split", "local s = (':'):rep(65536) while true do s:split(':') end",
     "deny LUA"},
    {"split in range",
     "local s = (':'):rep(65000) while true do s:split(':') "
     "end",
     "deny BUDGET"},
    {"compare long strings",
     "local s = ('x'):rep(65536):rep(20) local a, b = s .. 'a', s .. 'a' while "
     "a == b do end",
     "deny BUDGET"},
    {"concatenate long strings",
     "local s = ('x'):rep(65536):rep(20) while true do local t = s .. 'a' end",
     "deny BUDGET"},
    {"tonumber",
     "local s = ('1'):rep(65536):rep(20) while true do tonumber(s) "
     "end",
     "deny BUDGET"},
    {"upper", "local s = ('x'):rep(65536):rep(20) while true do s:upper() end",
     "deny BUDGET"},
    {"utf8.len",
     "local s = ('x'):rep(65536):rep(20) while true do utf8.len(s) "
     "end",
     "deny BUDGET"},
    {"next on an emptied table",
     "local t = {} for i = 1, 100000 do t[i .. ''] = i end for i = 1, 100000 do"
     " t[i .. ''] = nil end while true do next(t) end",
     "deny BUDGET"},
    {"log", "while true do auth.log('x') end", "deny BUDGET"},
    {"memory by strings",
     "local t = {} while true do t[#t + 1] = ('x'):rep("
     "1000) .. #t end",
     "deny BUDGET"},
    {"memory by tables", "local t = {} while true do t = {t} end",
     "deny BUDGET"},
    {"memory, swallowed",
     "local t = {} while true do pcall(function() while true do t[#t + 1] = "
     "('x'):rep(60000) .. #t end end) end",
     "deny BUDGET"},
    {"memory by one string",
     "local s = ('x'):rep(65536) while true do s = s .. s end", "deny BUDGET"},
    {"many alive, collected again and again",
     "local t = {} for i = 1, 60000 do t[i] = {} end while true do local s = "
     "('x'):rep(65536):rep(20) end",
     "deny BUDGET"},
    {"recursion", "local function f() return 1 + f() end return f()",
     "deny BUDGET"},
    {"recursion through C",
     "local function f() return table.concat({(pcall(f)) and 'a' or 'b'}) end "
     "while true do f() end",
     "deny BUDGET"},
    {"recursion of metamethods",
     "local t = setmetatable({}, {}) local m = {} m.__index = function(_, k) "
     "return setmetatable({}, m)[k] end return setmetatable({}, m).x",
     "deny LUA"},
    {"deep value in a filter",
     "local t = {'x'} for i = 1, 600 do t = {a = t} end return t",
     "deny RESULT"},
    {"deep value",
     "local t = {} for i = 1, 600 do t = {a = t} end "
     "value.metadata = t",
     "deny RESULT"},
    {"huge index", "value.metadata = auth.array{} value.metadata[1 << 40] = 1",
     "deny RESULT"},
    {"bomb in metadata",
     "local t = {1} for i = 1, 60 do t = {t, t} end value.metadata = {t = t}",
     "deny RESULT"},
    {"string arithmetic", "while true do local x = '1' + '2' end",
     "deny BUDGET"},
    {"registration in a handler", "auth.on.threads(function() end)",
     "deny LUA"},
    {"global", "leak = 1", "deny LUA"},
    {"global through _G", "_G.leak = 1", "deny LUA"},
    {"global function", "function leak() end", "deny LUA"},
    {"library", "string.rep = 1", "deny LUA"},
    {"method of strings", "local s = 'x' s.rep = 1", "deny LUA"},
    {"module", "auth.equals = function() return true end", "deny LUA"},
    {"module by insert", "table.insert(auth, 1)", "deny LUA"},
};

/* Names that must not be there. */
static const char *const absent[] = {"io",
                                     "os",
                                     "package",
                                     "debug",
                                     "load",
                                     "loadstring",
                                     "loadfile",
                                     "dofile",
                                     "collectgarbage",
                                     "coroutine",
                                     "rawget",
                                     "rawset",
                                     "rawlen",
                                     "rawequal",
                                     "getmetatable",
                                     "print",
                                     "warn",
                                     "string.dump",
                                     "string.find",
                                     "string.match",
                                     "string.gmatch",
                                     "string.gsub",
                                     "('').find",
                                     "('').gsub",
                                     "('').dump",
                                     "math.randomseed",
                                     "module",
                                     "unpack",
                                     "setfenv"};

static void bounded(void **state)
{
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
        const char *text = apr_pstrcat(w->p, ALL, attacks[i].body, END, NULL);
        aa_policy_t *policy = world_policy(w, text);
        double begin = cpu();
        aa_policy_verdict_t v =
            world_ask(w, policy, "POST /threads", "{\"metadata\":{}}");

        print_message("%-44s %.3f s\n", attacks[i].name, cpu() - begin);
        if (strcmp(world_say(w, &v), attacks[i].verdict))
            fail_msg("%s, not %s: %s", world_say(w, &v), attacks[i].verdict,
                     v.reason ? v.reason : "");
        assert_true(cpu() - begin < CPU_MAX);
    }
}

/* What a spent budget leaves behind does not hurt the next request. */
static void next_is_served(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = world_policy(
        w, "local auth = require 'agentauth'\n"
           "auth.on.threads.read(function() while true do end end)\n"
           "auth.on.threads.delete(function() return {a = 1} end)\n");

    for (int i = 0; i < 5; i++) {
        aa_policy_verdict_t v = world_ask(w, policy, "GET /threads/a", NULL);

        assert_string_equal(world_say(w, &v), "deny BUDGET");
        assert_contains(v.reason, "p0.lua:2: used up its instructions; handler "
                                  "threads:read");
        v = world_ask(w, policy, "DELETE /threads/a", NULL);
        assert_string_equal(world_say(w, &v), "filter {\"a\":1}");
    }
}

static void not_there(void **state)
{
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        aa_policy_verdict_t v = world_try(
            w,
            apr_pstrcat(w->p, ALL "return (", absent[i], ") == nil" END, NULL),
            "GET /threads/a", NULL);

        print_message("%s\n", absent[i]);
        assert_string_equal(world_say(w, &v), "allow");
    }
}

static int append(lua_State *L, const void *bytes, size_t len, void *file)
{
    (void)L;
    return fwrite(bytes, 1, len, file) != len;
}

/* Well-formed bytecode of a harmless policy is refused as a file. */
static void bytecode(void **state)
{
    world_t *w = *state;
    const char *file = world_file(w, "b.lua", ""), *why = NULL;
    aa_policy_conf_t conf = {.file = file, .routes = w->routes};
    lua_State *L = luaL_newstate();
    FILE *out = fopen(file, "w");
    aa_policy_t *policy;

    assert_int_equal(luaL_loadstring(L, "return 1"), LUA_OK);
    lua_dump(L, append, out, 0);
    fclose(out);
    lua_close(L);
    assert_int_equal(aa_policy_open(&policy, &why, &conf, w->p), APR_EINVAL);
    assert_contains(why, "binary");
}

/* Nothing that a handler can write is there for the next request. */
static void nothing_leaks(void **state)
{
    static const char *const writes[] = {
        "secret = ctx.user.identity",
        "_G.secret = ctx.user.identity",
        "_ENV.secret = ctx.user.identity",
        "kept.secret = ctx.user.identity",
        "kept.deep.secret = ctx.user.identity",
        "table.insert(kept.list, ctx.user.identity)",
        "string.secret = ctx.user.identity",
        "auth.secret = ctx.user.identity",
        "ctx.user.secret = ctx.user.identity",
        "setmetatable(kept, {__index = {secret = 1}})",
    };
    world_t *w = *state;

    for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++) {
        aa_policy_t *policy = world_policy(
            w, apr_pstrcat(
                   w->p, "local auth = require 'agentauth'\n",
                   "kept = {deep = {}, list = {}}\n"
                   "auth.on.threads.create(function(ctx) pcall(function() ",
                   writes[i],
                   " end) end)\n"
                   "auth.on.threads.read(function(ctx)\n"
                   "  return secret == nil and kept.secret == nil and "
                   "kept.deep.secret == nil and #kept.list == 0 and "
                   "string.secret == nil and ('').secret == nil and "
                   "auth.get(auth, 'secret') == nil and "
                   "auth.get(ctx.user, 'secret') == nil\n"
                   "end)",
                   NULL));
        aa_policy_verdict_t v;

        print_message("%s\n", writes[i]);
        w->serial = 7;
        v = world_ask(w, policy, "POST /threads", "{}");
        assert_string_equal(world_say(w, &v), "allow");
        v = world_ask(w, policy, "GET /threads/a", NULL);
        assert_string_equal(world_say(w, &v), "allow");
    }
}

/* Members of a body named like metamethods are data. */
static void inert_names(void **state)
{
    world_t *w = *state;
    aa_policy_verdict_t v = world_try(
        w,
        ALL "return value.metadata.nothing == nil and "
            "value.metadata.__index.nothing == 1 and #value.metadata == 0 "
            "and not pcall(function() return value.metadata() end)" END,
        "POST /threads",
        "{\"metadata\":{\"__index\":{\"nothing\":1},\"__gc\":\"x\","
        "\"__len\":5,\"__call\":\"y\",\"__metatable\":1}}");

    assert_string_equal(world_say(w, &v), "allow");
    v = world_try(w, ALL "setmetatable({}, value.metadata)" END,
                  "POST /threads", "{\"metadata\":{\"__gc\":\"x\"}}");
    assert_string_equal(world_say(w, &v), "deny LUA");
}

/* Ten thousand limits: no state is left behind. */
static void limits_do_not_leak(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy;
    apr_pool_t *all = w->p, *p;
    size_t begin = 0, end;

    w->budget = 2000;
    w->memory = 256 * 1024;
    policy = world_policy(
        w, "local auth = require 'agentauth'\n"
           "auth.on.threads.read(function() while true do end end)\n"
           "auth.on.threads.delete(function() local t = {} while true do "
           "t[#t + 1] = ('x'):rep(9999) .. #t end end)\n"
           "auth.on.threads.create(function() error(auth.HTTPException{}) "
           "end)\n");
    apr_pool_create(&p, all);
    for (int i = 0; i < 10200; i++) {
        aa_policy_verdict_t v;

        w->p = p;
        v = world_ask(w, policy,
                      i % 3 == 0   ? "GET /threads/a"
                      : i % 3 == 1 ? "DELETE /threads/a"
                                   : "POST /threads",
                      NULL);
        assert_int_equal(v.effect, AA_POLICY_DENY);
        assert_int_equal(v.cause,
                         i % 3 == 2 ? AA_CAUSE_EXCEPTION : AA_CAUSE_BUDGET);
        apr_pool_clear(p);
        if (i == 200) /* after the same request as the last one */
            begin = mallinfo2().uordblks;
    }
    w->p = all;
    end = mallinfo2().uordblks;
    print_message("%zu bytes before, %zu after\n", begin, end);
    assert_true(end < begin + 64 * 1024);
}

/* Values at the deepest nesting pass, one level more is refused. */
static void deep_values(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ALL "value.metadata.owner = 'a'" END);

    for (int depth = 510; depth <= 511; depth++) {
        char *body = apr_pcalloc(w->p, 8192);
        aa_policy_verdict_t v;

        strcpy(body, "{\"metadata\":{\"d\":");
        for (int i = 0; i < depth; i++)
            strcat(body, "[");
        for (int i = 0; i < depth; i++)
            strcat(body, "]");
        strcat(body, "}}");
        v = world_ask(w, policy, "POST /threads", body);
        if (depth == 510) {
            assert_string_equal(world_say(w, &v), "allow");
            assert_contains(v.body, ",\"owner\":\"a\"}}");
        }
        else {
            assert_string_equal(world_say(w, &v), "deny BODY");
        }
    }
}

/* A body with a list of n empty lists. */
static void lists_body(char *body, int n)
{
    const int head = 18;

    strcpy(body, "{\"metadata\":{\"s\":[");
    for (int i = 0; i < n; i++)
        memcpy(body + head + 3 * i, "[],", 4);
    strcpy(body + head + 3 * n - 1, "]}}");
}

/* A body that does not fit the state's memory is refused, and quickly. */
static void huge_values(void **state)
{
    world_t *w = *state;
    aa_policy_t *policy = world_policy(w, ALL "return true" END);
    size_t n = 12 * 1024 * 1024;
    char *body = malloc(n + 64);
    aa_policy_verdict_t v;

    strcpy(body, "{\"metadata\":{\"s\":\"");
    memset(body + strlen(body), 'x', n);
    strcpy(body + n + 18, "\"}}");
    v = world_ask(w, policy, "POST /threads", body);
    assert_string_equal(world_say(w, &v), "deny BUDGET");
    v = world_ask(w, policy, "POST /threads", "{\"metadata\":{}}");
    assert_string_equal(world_say(w, &v), "allow");
    /* As many tables as may be parsed still do not fit the state; more are
     * not even parsed. */
    lists_body(body, 130000);
    v = world_ask(w, policy, "POST /threads", body);
    assert_string_equal(world_say(w, &v), "deny BUDGET");
    lists_body(body, AA_POLICY_VALUES_MAX + 1);
    v = world_ask(w, policy, "POST /threads", body);
    assert_string_equal(world_say(w, &v), "deny BODY");
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        WORLD(bounded),     WORLD(next_is_served), WORLD(not_there),
        WORLD(bytecode),    WORLD(nothing_leaks),  WORLD(inert_names),
        WORLD(deep_values), WORLD(huge_values),    WORLD(limits_do_not_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
