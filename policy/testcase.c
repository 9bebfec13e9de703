/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one case of a test file: a request, and what is to come of it.
 * Whatever is misspelt is an error with its line. */
#include "testfile.h"
#include "sandbox.h"
#include "text.h"
#include "value.h"
#include "word.h"

#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

#define ITEMS_MAX 2 /* of a case without a name: method and path */

/* ------------------------------------------------------------------- values */

/* [-1, +0, e] The value on the top as JSON, owned by the file's pool. */
static json_t *take(lua_State *L, const char *what)
{
    aa_testfile_t *file = aa_testfile_of(L);
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

const char *aa_testcase_text(lua_State *L, const char *what)
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
        user = aa_value_own(json_pack("{s:O}", "identity", user),
                            aa_testfile_of(L)->p);
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
                       aa_word_hint(word, words, aa_testfile_of(L)->p));
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
                   word, aa_word_hint(word, words, aa_testfile_of(L)->p));
    set_effect(L, expect, i ? AA_POLICY_ALLOW : AA_POLICY_DENY);
    lua_pop(L, 1);
}

/* [-1, +0, e] */
static void take_filter(lua_State *L, aa_expect_t *expect)
{
    json_t *filter = take(L, "filter");
    const char *why = NULL;

    if (aa_filter_normalise(&expect->filter, &why, filter,
                            aa_testfile_of(L)->p) != APR_SUCCESS)
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
        expect->detail = aa_testcase_text(L, "detail");
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
        expect->user = aa_value_own(json_null(), aa_testfile_of(L)->p);
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
    apr_pool_t *p = aa_testfile_of(L)->p;

    for (int i = 0; i < ITEMS_MAX; i++) {
        if (lua_rawgeti(L, t, i + 1) != LUA_TSTRING)
            luaL_error(L, "a case has a method and a path: { \"GET\", "
                          "\"/threads/42\", user = ..., expect = ... }");
        items[i] = aa_testcase_text(L, i ? "the path" : "the method");
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
    apr_pool_cleanup_register(aa_testfile_of(L)->p, text, release_text,
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

void aa_testcase_read(lua_State *L, int t, aa_case_t *c)
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
