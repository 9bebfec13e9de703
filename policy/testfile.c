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

aa_testfile_t *aa_testfile_of(lua_State *L)
{
    return aa_vm_of(L)->conf->testfile;
}

static aa_case_t *case_at(const aa_testfile_t *file, int i)
{
    return &APR_ARRAY_IDX(file->cases, i, aa_case_t);
}

/* ------------------------------------------------------------------- module */

/* At the file's top level: what a function of the author's shares among cases
 * tells nobody which of them it is. */
static int line_of_caller(lua_State *L)
{
    lua_Debug ar;
    int line = 0;

    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "l", &ar);
        if (ar.currentline > 0)
            line = ar.currentline;
    }
    return line;
}

/* A case of which the name alone is known; its place among the cases. */
static int begin(lua_State *L, int arg)
{
    aa_testfile_t *file = aa_testfile_of(L);
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
    aa_case_t *c =
        case_at(aa_testfile_of(L), (int)lua_tointeger(L, lua_upvalueindex(1)));

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (c->method)
        return luaL_error(L, "the case '%s' was told already", c->name);
    aa_testcase_read(L, 1, c);
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
    aa_testcase_read(L, 3, case_at(aa_testfile_of(L), i));
    return 0;
}

static int do_policy(lua_State *L)
{
    aa_testfile_t *file = aa_testfile_of(L);

    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    if (file->policy)
        return luaL_error(L, "test.policy was called before");
    file->policy = aa_testcase_text(L, "test.policy");
    return 0;
}

static int on_unknown_word(lua_State *L)
{
    static const char *const words[] = {"policy", "array", "null", NULL};
    const char *word = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)
                                                     : luaL_typename(L, 2);

    return luaL_error(L, "unknown word 'test.%s'%s", word,
                      aa_word_hint(word, words, aa_testfile_of(L)->p));
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
