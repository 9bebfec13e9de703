/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test file of a policy: Lua as a data language, in the sandbox and
 * the limits of policies. Whatever is misspelt is an error with its line. */
#include "testfile.h"
#include "generation.h"
#include "sandbox.h"
#include "text.h"
#include "value.h"
#include "word.h"

#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

#define NAME_MAX_BYTES 256 /* of a case */
#define ITEMS_MAX 2        /* of a table: method and path */

struct aa_testfile_t {
    const char *policy;
    apr_array_header_t *cases; /* aa_case_t; method NULL: not told yet */
    apr_size_t left;           /* bytes that values may still take */
    apr_pool_t *p;
};

static aa_testfile_t *of(lua_State *L)
{
    return aa_vm_of(L)->conf->testfile;
}

static aa_case_t *case_at(const aa_testfile_t *file, int i)
{
    return &APR_ARRAY_IDX(file->cases, i, aa_case_t);
}

/* ------------------------------------------------------------------- values */

/* [-1, +0, e] The value on the top as JSON, owned by the file's pool. */
static json_t *take(lua_State *L, const char *what)
{
    aa_testfile_t *file = of(L);
    aa_reader_t reader = {file->left, NULL};
    json_t *value = aa_value_own(aa_value_read(L, -1, &reader), file->p);

    if (!value)
        luaL_error(L, "%s: %s", what, reader.why);
    file->left = reader.left;
    lua_pop(L, 1);
    return value;
}

/* [-0, +(0|1), -] Push a field of the table at t, unless it is absent. */
static int has(lua_State *L, int t, const char *name)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, t) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    return 0;
}

/* [-1, +0, e] */
static const char *take_text(lua_State *L, const char *what)
{
    json_t *value = take(L, what);
    const char *text = json_string_value(value);

    if (!text || !aa_text_is_plain(text, json_string_length(value)))
        luaL_error(L, "%s is a text without control characters", what);
    return text;
}

/* [-1, +0, e] An object; an empty table is one. */
static json_t *take_object(lua_State *L, const char *what)
{
    json_t *value = take(L, what);

    if (!json_is_object(value))
        luaL_error(L, "%s is a table with names", what);
    return value;
}

/* [-1, +0, e] */
static json_t *take_headers(lua_State *L, const char *what)
{
    json_t *headers = take_object(L, what), *value;
    const char *name;

    json_object_foreach(headers, name, value)
    {
        if (!json_is_string(value))
            luaL_error(L, "%s: '%s' is no text", what, name);
    }
    return headers;
}

/* [-1, +0, e] "alice" stands for { identity = "alice" }. */
static json_t *take_user(lua_State *L, const char *what)
{
    json_t *user = take(L, what);

    if (json_is_string(user))
        user = aa_value_own(json_pack("{s:O}", "identity", user), of(L)->p);
    if (!json_is_object(user))
        luaL_error(L, "%s is an identity, or a table with one", what);
    return user;
}

/* [-0, +0, e] Whatever is in the table at t is one of these words, or one of
 * its first items. */
static void check_words(lua_State *L, int t, const char *what,
                        const char *const *words, int nitems)
{
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        const char *word;

        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
            lua_tointeger(L, -2) <= nitems)
            continue;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s has an item too many", what);
        word = lua_tostring(L, -2);
        if (aa_word_index(word, words) < 0)
            luaL_error(L, "unknown word '%s' in %s%s", word, what,
                       aa_word_hint(word, words, of(L)->p));
    }
}

/* ------------------------------------------------------------------- expect */

static const char *const expect_words[] = {
    "filter", "status", "detail", "headers", "set", "body", "user", NULL};

static void set_effect(lua_State *L, aa_expect_t *expect,
                       aa_policy_effect_e effect)
{
    if (expect->has_effect && expect->effect != effect)
        luaL_error(L, "expect says two things at once: \"allow\", \"deny\" "
                      "and filter exclude each other, and status and detail "
                      "are a denial's");
    expect->has_effect = 1;
    expect->effect = effect;
    if (effect == AA_POLICY_DENY && !expect->status)
        expect->status = 403;
}

/* [-1, +0, e] "allow" or "deny" */
static void take_effect(lua_State *L, aa_expect_t *expect)
{
    static const char *const words[] = {"deny", "allow", NULL};
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                      : luaL_typename(L, -1);
    int i = aa_word_index(word, words);

    if (i < 0)
        luaL_error(L, "expect begins with \"allow\" or \"deny\", not '%s'%s",
                   word, aa_word_hint(word, words, of(L)->p));
    set_effect(L, expect, i ? AA_POLICY_ALLOW : AA_POLICY_DENY);
    lua_pop(L, 1);
}

/* [-1, +0, e] */
static void take_filter(lua_State *L, aa_expect_t *expect)
{
    json_t *filter = take(L, "filter");
    const char *why = NULL;

    if (aa_filter_normalise(&expect->filter, &why, filter, of(L)->p) !=
        APR_SUCCESS)
        luaL_error(L, "filter: %s", why ? why : "no memory");
    set_effect(L, expect, AA_POLICY_FILTER);
}

/* [-1, +0, e] */
static void take_status(lua_State *L, aa_expect_t *expect)
{
    lua_Integer status = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;

    if (status < 400 || status > 599)
        luaL_error(L, "status is a whole number from 400 to 599");
    lua_pop(L, 1);
    expect->status = (int)status;
    set_effect(L, expect, AA_POLICY_DENY);
}

static void read_denial(lua_State *L, int t, aa_expect_t *expect)
{
    if (has(L, t, "status"))
        take_status(L, expect);
    if (has(L, t, "detail")) {
        expect->detail = take_text(L, "detail");
        set_effect(L, expect, AA_POLICY_DENY);
    }
    if (has(L, t, "headers")) {
        expect->headers = take_headers(L, "headers");
        set_effect(L, expect, AA_POLICY_DENY);
    }
}

/* user = false: nobody was proved. */
static void read_who(lua_State *L, int t, aa_expect_t *expect)
{
    if (!has(L, t, "user"))
        return;
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        expect->user = aa_value_own(json_null(), of(L)->p);
    }
    else {
        expect->user = take_user(L, "user");
    }
}

/* [-1, +0, e] */
static void read_expect(lua_State *L, aa_expect_t *expect)
{
    int t = lua_gettop(L);

    if (!lua_istable(L, t)) {
        take_effect(L, expect);
        return;
    }
    check_words(L, t, "expect", expect_words, 1);
    if (lua_rawgeti(L, t, 1) != LUA_TNIL)
        take_effect(L, expect);
    if (has(L, t, "filter"))
        take_filter(L, expect);
    read_denial(L, t, expect);
    read_who(L, t, expect);
    if (has(L, t, "set"))
        expect->set = take_object(L, "set");
    if (has(L, t, "body"))
        expect->body = take(L, "body");
    if (!expect->has_effect && !expect->user)
        luaL_error(L, "expect says nothing (hint: \"allow\", \"deny\", "
                      "{ filter = ... }, { status = ... }, { user = ... })");
    if ((expect->set || expect->body) &&
        (!expect->has_effect || expect->effect == AA_POLICY_DENY))
        luaL_error(L, "set and body go with \"allow\" or a filter");
    lua_settop(L, t - 1);
}

/* --------------------------------------------------------------------- case */

static const char *const case_words[] = {"user", "headers", "body",
                                         "now",  "expect",  NULL};

static void read_request(lua_State *L, int t, aa_case_t *c)
{
    const char *items[ITEMS_MAX] = {NULL}, *path, *mark, *why;
    apr_pool_t *p = of(L)->p;

    for (int i = 0; i < ITEMS_MAX; i++) {
        if (lua_rawgeti(L, t, i + 1) != LUA_TSTRING)
            luaL_error(L, "a case has a method and a path: { \"GET\", "
                          "\"/threads/42\", user = ..., expect = ... }");
        items[i] = take_text(L, i ? "the path" : "the method");
    }
    if (strspn(items[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(items[0]) ||
        !*items[0])
        luaL_error(L, "method '%s' is not upper case", items[0]);
    path = items[1];
    mark = strchr(path, '?');
    c->query = mark ? mark + 1 : NULL;
    c->path = mark ? apr_pstrmemdup(p, path, (apr_size_t)(mark - path)) : path;
    if (!aa_path_plain(c->path, &why))
        luaL_error(L, "path '%s': %s", c->path, why);
    c->method = items[0];
}

static apr_status_t release_text(void *text)
{
    free(text);
    return APR_SUCCESS;
}

/* [-1, +0, e] A text is sent as it is, anything else as JSON. */
static void take_body(lua_State *L, aa_case_t *c)
{
    json_t *body = take(L, "body");
    char *text;

    c->body = json_string_value(body);
    if (c->body)
        return;
    text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        luaL_error(L, "body cannot be written as JSON");
    apr_pool_cleanup_register(of(L)->p, text, release_text,
                              apr_pool_cleanup_null);
    c->body = text;
}

/* [-1, +0, e] */
static void take_now(lua_State *L, aa_case_t *c)
{
    lua_Integer now = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;

    if (now <= 0 || now > INT64_MAX / APR_USEC_PER_SEC)
        luaL_error(L, "now is in whole seconds since 1970");
    lua_pop(L, 1);
    c->now = apr_time_from_sec(now);
}

/* The table at t is the case. */
static void read_case(lua_State *L, int t, aa_case_t *c)
{
    aa_sandbox_thaw(L, t);
    check_words(L, t, "a case", case_words, ITEMS_MAX);
    if (has(L, t, "user")) {
        c->user = take_user(L, "user");
        if (!json_is_string(json_object_get(c->user, "identity")))
            luaL_error(L, "user has no identity");
    }
    if (has(L, t, "headers"))
        c->headers = take_headers(L, "headers");
    if (has(L, t, "body"))
        take_body(L, c);
    if (has(L, t, "now"))
        take_now(L, c);
    if (!has(L, t, "expect"))
        luaL_error(L, "a case says what it expects: expect = ...");
    read_expect(L, &c->expect);
    read_request(L, t, c); /* the method last: with it the case is whole */
}

/* ------------------------------------------------------------------- module */

static int line_of_caller(lua_State *L)
{
    lua_Debug ar = {0};

    if (lua_getstack(L, 1, &ar))
        lua_getinfo(L, "l", &ar);
    return ar.currentline > 0 ? ar.currentline : 0;
}

/* A case of which the name alone is known; its place among the cases. */
static int begin(lua_State *L, int arg)
{
    aa_testfile_t *file = of(L);
    size_t len;
    const char *name = luaL_checklstring(L, arg, &len);
    aa_case_t *c;

    if (!len || len > NAME_MAX_BYTES || !aa_text_is_plain(name, len))
        luaL_error(L,
                   "the name of a case is a text of 1 to %d bytes "
                   "without control characters",
                   NAME_MAX_BYTES);
    if (file->cases->nelts == AA_TESTS_MAX)
        luaL_error(L, "more than %d cases", AA_TESTS_MAX);
    for (int i = 0; i < file->cases->nelts; i++)
        if (!strcmp(case_at(file, i)->name, name))
            luaL_error(L, "the case of line %d has the same name, '%s'",
                       case_at(file, i)->line, name);
    c = apr_array_push(file->cases);
    memset(c, 0, sizeof(*c));
    c->name = apr_pstrdup(file->p, name);
    c->line = line_of_caller(L);
    return file->cases->nelts - 1;
}

/* test "name" { … }: the second call. Upvalue: which case. */
static int do_rest(lua_State *L)
{
    aa_case_t *c = case_at(of(L), (int)lua_tointeger(L, lua_upvalueindex(1)));

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (c->method)
        return luaL_error(L, "the case '%s' was told already", c->name);
    read_case(L, 1, c);
    return 0;
}

/* test("name", { … }) or test "name" { … }; the module comes first. */
static int do_test(lua_State *L)
{
    int i = begin(L, 2);

    if (lua_isnoneornil(L, 3)) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, do_rest, 1);
        return 1;
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    read_case(L, 3, case_at(of(L), i));
    return 0;
}

static int do_policy(lua_State *L)
{
    aa_testfile_t *file = of(L);

    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    if (file->policy)
        return luaL_error(L, "test.policy was called before");
    file->policy = take_text(L, "test.policy");
    return 0;
}

static int on_unknown_word(lua_State *L)
{
    static const char *const words[] = {"policy", "array", "null", NULL};
    const char *word = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
                                                     : luaL_typename(L, 2);

    return luaL_error(L, "unknown word 'test.%s'%s", word,
                      aa_word_hint(word, words, of(L)->p));
}

void aa_testfile_push_module(lua_State *L)
{
    static const luaL_Reg words[] = {
        {"policy", do_policy}, {"array", aa_module_array}, {NULL, NULL}};
    static const luaL_Reg hooks[] = {{"__index", on_unknown_word},
                                     {NULL, NULL}};

    luaL_newlib(L, words);
    aa_value_push_null(L);
    lua_setfield(L, -2, "null");
    luaL_newlib(L, hooks);
    lua_setmetatable(L, -2);
    aa_value_freeze(L);
    lua_getmetatable(L, -1);
    lua_pushcfunction(L, do_test);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
}

static int on_unknown_global(lua_State *L)
{
    return luaL_error(L, "'%s' is not defined (hint: local %s = ... above)",
                      lua_tostring(L, 2), lua_tostring(L, 2));
}

void aa_testfile_make_strict(lua_State *L)
{
    static const luaL_Reg hooks[] = {{"__index", on_unknown_global},
                                     {NULL, NULL}};

    luaL_newlib(L, hooks);
    lua_setmetatable(L, -2);
}

/* --------------------------------------------------------------------- file */

/* What shows only once the file has run to its end. */
static const char *incomplete(const aa_testfile_t *file, const char *path)
{
    if (!file->cases->nelts)
        return apr_psprintf(file->p, "%s: has no case", path);
    for (int i = 0; i < file->cases->nelts; i++)
        if (!case_at(file, i)->method)
            return apr_psprintf(file->p,
                                "%s:%d: the case '%s' has no table (hint: "
                                "test \"name\" { ... })",
                                path, case_at(file, i)->line,
                                case_at(file, i)->name);
    return NULL;
}

/* NULL: it ran; else why not, from malloc. */
static char *run(aa_testfile_t *file, const char *path)
{
    aa_vm_conf_t conf = {.budget = AA_POLICY_BUDGET,
                         .memory = AA_POLICY_MEMORY,
                         .testfile = file};
    char *why, *text = aa_generation_text(&conf.len, &why, path);
    aa_vm_t *vm;

    if (!text)
        return why ? why : strdup("no memory");
    conf.source = text;
    aa_vm_name(&conf, path, file->p);
    vm = aa_vm_open(&why, &conf);
    if (vm)
        aa_vm_close(vm);
    else if (!why)
        why = strdup("no memory");
    free(text);
    return vm ? NULL : why;
}

apr_status_t aa_tests_read(aa_tests_t *tests, const char **why,
                           const char *path, apr_pool_t *p)
{
    aa_testfile_t file = {.cases = apr_array_make(p, 16, sizeof(aa_case_t)),
                          .left = AA_TESTS_MEMORY,
                          .p = p};
    char *text = run(&file, path);

    if (text) {
        *why = apr_pstrdup(p, text);
        free(text);
        return APR_EINVAL;
    }
    *why = incomplete(&file, path);
    if (*why)
        return APR_EINVAL;
    tests->policy = file.policy;
    tests->cases = (const aa_case_t *)file.cases->elts;
    tests->ncases = file.cases->nelts;
    return APR_SUCCESS;
}
