/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the authenticate handler: the request it is shown, the user it makes. */
#include "job.h"
#include "sandbox.h"
#include "text.h"

#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

#define IDENTITY_MAX 255      /* bytes */
#define DISPLAY_NAME_MAX 1024 /* bytes */
#define PERMISSIONS_MAX 1024
#define PERMISSION_BYTES_MAX 256
#define USER_BYTES (256 * 1024) /* of the whole object, roughly */

/* --------------------------------------------------------------------- req */

static void set(lua_State *L, const char *name, const char *value)
{
    if (!value)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

/* Lower-case names; a header that is there twice is joined, RFC 9110 s5.3. */
static void push_headers(lua_State *L, const aa_job_t *job)
{
    const apr_array_header_t *headers;
    const apr_table_entry_t *e;

    lua_newtable(L);
    if (job->who->headers) {
        headers = apr_table_elts(job->who->headers);
        e = (const apr_table_entry_t *)(const void *)headers->elts;
        for (int i = 0; i < headers->nelts; i++) {
            char *name = apr_pstrdup(job->p, e[i].key);

            for (char *c = name; *c; c++)
                *c = (char)apr_tolower(*c);
            lua_pushstring(L, name);
            lua_pushvalue(L, -1);
            if (lua_rawget(L, -3) == LUA_TSTRING)
                lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), e[i].val);
            else
                lua_pushstring(L, e[i].val);
            lua_replace(L, -2);
            lua_rawset(L, -3);
        }
    }
    aa_value_freeze(L);
}

static void push_params(lua_State *L, const aa_route_match_t *match)
{
    lua_newtable(L);
    for (int i = 0; match && i < match->nparams; i++)
        set(L, match->params[i].name, match->params[i].value);
    aa_value_freeze(L);
}

static void push_req(lua_State *L, const aa_job_t *job)
{
    const aa_policy_who_t *who = job->who;

    lua_createtable(L, 0, 8);
    set(L, "path", who->path);
    set(L, "method", who->method);
    push_params(L, who->match);
    lua_setfield(L, -2, "path_params");
    if (job->query)
        aa_value_push_frozen(L, job->query, NULL);
    else
        push_params(L, NULL);
    lua_setfield(L, -2, "query_params");
    push_headers(L, job);
    lua_getfield(L, -1, "authorization");
    lua_setfield(L, -3, "authorization");
    lua_setfield(L, -2, "headers");
    if (who->claims) {
        aa_value_push_frozen(L, who->claims, NULL);
        lua_setfield(L, -2, "claims");
    }
    aa_value_freeze(L);
}

/* -------------------------------------------------------------------- user */

/* Argument: the job. */
int aa_job_authenticate(lua_State *L)
{
    aa_job_t *job = lua_touserdata(L, 1);

    aa_module_push_authenticate(L);
    push_req(L, job);
    aa_vm_arm(job->vm);
    job->phase = AA_PHASE_HANDLER;
    lua_call(L, 1, 1);
    job->phase = AA_PHASE_RESULT;
    aa_vm_disarm(job->vm);
    if (lua_isnil(L, -1))
        return 0;
    if (aa_module_is_exception(L, -1)) {
        aa_job_refuse(job, "an HTTPException was returned (hint: "
                           "error(auth.HTTPException{...}))");
        return 0;
    }
    job->reader.left = USER_BYTES;
    job->result = aa_value_own(aa_value_read(L, -1, &job->reader), job->p);
    if (!job->result)
        aa_job_refuse(job, "returned a user that cannot be read: %s",
                      job->reader.why);
    return 0;
}

static int is_name(const json_t *string, apr_size_t max)
{
    apr_size_t len = json_string_length(string);

    return json_is_string(string) && len > 0 && len <= max &&
           aa_text_is_plain(json_string_value(string), len);
}

/* What is wrong with the permissions; NULL: nothing. An empty Lua table is
 * read as an object. */
static const char *bad_permissions(const json_t *list)
{
    const json_t *item;
    size_t i;

    if (!list || (json_is_object(list) && !json_object_size(list)))
        return NULL;
    if (!json_is_array(list) || json_array_size(list) > PERMISSIONS_MAX)
        return "permissions is no list of strings";
    json_array_foreach(list, i, item)
    {
        if (!is_name(item, PERMISSION_BYTES_MAX))
            return "permissions contains what is no plain string of 1 to 256 "
                   "bytes";
    }
    return NULL;
}

static const char *bad_user(const json_t *given)
{
    const json_t *display = json_object_get(given, "display_name");
    const json_t *is = json_object_get(given, "is_authenticated");

    if (!json_is_object(given))
        return "authenticate returned neither a string, a table nor nil";
    if (!is_name(json_object_get(given, "identity"), IDENTITY_MAX))
        return "identity is no plain string of 1 to 255 bytes";
    if (display && !json_is_null(display) &&
        !is_name(display, DISPLAY_NAME_MAX))
        return "display_name is no plain string";
    if (is && !json_is_boolean(is))
        return "is_authenticated is no boolean";
    return bad_permissions(json_object_get(given, "permissions"));
}

/* Our four members first, then the others as they are. */
static json_t *complete(json_t *given, apr_pool_t *p)
{
    json_t *user = aa_value_own(json_object(), p);
    json_t *identity = json_object_get(given, "identity");
    json_t *permissions = json_object_get(given, "permissions");
    json_t *display = json_object_get(given, "display_name");
    json_t *is = json_object_get(given, "is_authenticated");

    json_object_set(user, "identity", identity);
    if (json_is_array(permissions))
        json_object_set(user, "permissions", permissions);
    else
        json_object_set_new(user, "permissions", json_array());
    json_object_set(user, "display_name",
                    json_is_string(display) ? display : identity);
    json_object_set_new(user, "is_authenticated",
                        json_boolean(!json_is_false(is)));
    json_object_update_missing(user, given);
    return user;
}

apr_status_t aa_event_authenticate(json_t **user, aa_policy_verdict_t *verdict,
                                   aa_vm_t *vm, const aa_policy_who_t *who,
                                   const json_t *query, apr_pool_t *p)
{
    aa_job_t job = {
        .vm = vm, .verdict = verdict, .p = p, .who = who, .query = query};
    json_t *given;
    const char *why;

    *user = NULL;
    if (!aa_job_run(&job, AA_SLOT_AUTHENTICATE) ||
        verdict->cause != AA_CAUSE_NONE) {
        verdict->handler = "authenticate";
        return APR_EINVAL;
    }
    given = job.result;
    if (!given)
        return APR_ENOENT;
    if (json_is_string(given))
        given = aa_value_own(json_pack("{s:O}", "identity", given), p);
    why = bad_user(given);
    if (why) {
        aa_job_refuse(&job, "%s", why);
        verdict->handler = "authenticate";
        return APR_EINVAL;
    }
    *user = complete(given, p);
    return APR_SUCCESS;
}
