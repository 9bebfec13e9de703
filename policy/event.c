/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one handler on one event: what it is shown, what comes of it. */
#include "event.h"
#include "job.h"
#include "sandbox.h"

#include <string.h>

#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

#define FILTER_BYTES 65536 /* of a filter as a handler returns it */
#define WATCHED_BODY 65536 /* bodies up to here are compared for the log */

/* Upvalues of run_event. */
#define UP_HANDLERS lua_upvalueindex(1)
#define UP_CTX lua_upvalueindex(2)    /* the frozen front */
#define UP_FIELDS lua_upvalueindex(3) /* the table behind it */
#define UP_USERS lua_upvalueindex(4)

/* --------------------------------------------------------------------- ctx */

/* [-0, +2] The user's frozen table and its permissions, decoded once for each
 * state as long as the serial is the same. */
static void push_user(lua_State *L, aa_vm_t *vm, const aa_policy_user_t *user)
{
    int place = (int)(user->serial % AA_VM_USERS_MAX);

    if (user->serial && vm->users[place].serial == user->serial) {
        lua_rawgeti(L, UP_USERS, 2 * place + 1);
        lua_rawgeti(L, UP_USERS, 2 * place + 2);
        return;
    }
    aa_value_push_frozen(L, user->object, "ctx.user");
    if (!aa_value_thaw(L, -1))
        luaL_error(L, "the user is no object");
    lua_pushliteral(L, "permissions");
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (!user->serial)
        return;
    vm->users[place].serial = 0;
    lua_pushvalue(L, -2);
    lua_rawseti(L, UP_USERS, 2 * place + 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, UP_USERS, 2 * place + 2);
    vm->users[place].serial = user->serial;
}

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, UP_FIELDS, name);
}

static void set_ctx(lua_State *L, const aa_job_t *job)
{
    const aa_scene_t *scene = job->scene;
    aa_vm_t *vm = job->vm;

    if (!scene->user->serial || vm->ctx_serial != scene->user->serial) {
        vm->ctx_serial = 0;
        push_user(L, vm, scene->user);
        lua_setfield(L, UP_FIELDS, "permissions");
        lua_setfield(L, UP_FIELDS, "user");
        vm->ctx_serial = scene->user->serial;
    }
    set_string(L, "resource", scene->resource);
    set_string(L, "action", scene->action);
    set_string(L, "path", scene->input->path);
    set_string(L, "method", scene->input->method);
    lua_pushinteger(L, apr_time_sec(scene->input->now));
    lua_setfield(L, UP_FIELDS, "now");
}

/* ------------------------------------------------------------------- value */

static const char *path_param(const aa_scene_t *scene, const char *name)
{
    const aa_route_match_t *match = scene->match;

    for (int i = 0; match && i < match->nparams; i++)
        if (!strcmp(match->params[i].name, name))
            return match->params[i].value;
    return NULL;
}

static const char *key_of(const aa_member_t *m)
{
    return m->key ? m->key : m->name;
}

/* The text of a member that comes from path or query; NULL: absent. */
static const char *text_of(const aa_scene_t *scene, const aa_member_t *m)
{
    if (m->from == AA_FROM_PATH)
        return path_param(scene, key_of(m));
    return json_string_value(json_object_get(scene->query, key_of(m)));
}

static void push_split(lua_State *L, const char *text, char at)
{
    const char *end;
    lua_Integer n = 0;

    lua_newtable(L);
    while ((end = strchr(text, at))) {
        lua_pushlstring(L, text, (size_t)(end - text));
        lua_rawseti(L, -2, ++n);
        text = end + 1;
    }
    lua_pushstring(L, text);
    lua_rawseti(L, -2, ++n);
    aa_value_mark_array(L, -1);
}

static int push_members(lua_State *L, const aa_scene_t *scene,
                        const aa_member_t *members, int n);

/* [-0, +(0|1)] 0: the member is absent. */
static int push_member(lua_State *L, const aa_scene_t *scene,
                       const aa_member_t *m)
{
    const json_t *json;
    const char *text;

    switch (m->from) {
    case AA_FROM_PATH:
    case AA_FROM_QUERY:
        text = text_of(scene, m);
        if (text && m->split)
            push_split(L, text, m->split);
        else if (text)
            lua_pushstring(L, text);
        return text != NULL;
    case AA_FROM_TABLE:
        if (push_members(L, scene, m->members, m->nmembers))
            return 1;
        lua_pop(L, 1);
        return 0;
    case AA_FROM_LITERAL:
        json = m->literal;
        break;
    default:
        json = aa_value_at(scene->body, key_of(m));
    }
    if (!json || json_is_null(json))
        return 0;
    aa_value_push(L, json);
    return 1;
}

/* [-0, +1] Returns how many members are present. */
static int push_members(lua_State *L, const aa_scene_t *scene,
                        const aa_member_t *members, int n)
{
    int present = 0;

    luaL_checkstack(L, 6, "value");
    lua_createtable(L, 0, n);
    for (int i = 0; i < n; i++) {
        if (!push_member(L, scene, &members[i]))
            continue;
        lua_setfield(L, -2, members[i].name);
        present++;
    }
    return present;
}

/* ----------------------------------------------------------------- changes */

/* The member as it was, for comparing; NULL: absent. */
static const json_t *source_of(const aa_job_t *job, const aa_member_t *m)
{
    const char *text, *end;
    json_t *list;

    if (m->from == AA_FROM_LITERAL)
        return m->literal;
    if (m->from == AA_FROM_BODY)
        return aa_value_at(job->scene->body, key_of(m));
    text = text_of(job->scene, m);
    if (!text)
        return NULL;
    if (!m->split)
        return aa_value_own(json_string(text), job->p);
    list = aa_value_own(json_array(), job->p);
    while ((end = strchr(text, m->split))) {
        json_array_append_new(list, json_stringn(text, (size_t)(end - text)));
        text = end + 1;
    }
    json_array_append_new(list, json_string(text));
    return list;
}

/* 1 when the value on the top is no longer what it was. */
static int is_changed(lua_State *L, const aa_job_t *job, const aa_member_t *m)
{
    const char *text;

    if ((m->from == AA_FROM_PATH || m->from == AA_FROM_QUERY) && !m->split) {
        text = text_of(job->scene, m);
        if (lua_isnil(L, -1))
            return text != NULL;
        return !text || lua_type(L, -1) != LUA_TSTRING ||
               lua_rawlen(L, -1) != strlen(text) ||
               strcmp(lua_tostring(L, -1), text) != 0;
    }
    return !aa_value_same(L, -1, source_of(job, m));
}

/* Take the value on the top as the member's new one. 0: it cannot be. */
static int take_change(lua_State *L, aa_job_t *job, const aa_member_t *m,
                       json_t **set)
{
    json_t *is = NULL;
    aa_change_t *change;

    if (!lua_isnil(L, -1)) {
        is = aa_value_own(aa_value_read(L, -1, &job->reader), job->p);
        if (!is) {
            aa_job_refuse(job, "value.%s cannot be sent: %s", m->name,
                          job->reader.why);
            return 0;
        }
    }
    if (!*set)
        *set = aa_value_own(json_object(), job->p);
    json_object_set_new(*set, m->name, is ? json_incref(is) : json_null());
    if (m->from != AA_FROM_BODY)
        return 1;
    if (!job->outcome->changes)
        job->outcome->changes = apr_array_make(job->p, 2, sizeof(*change));
    change = apr_array_push(job->outcome->changes);
    change->path = key_of(m);
    change->is = is;
    return 1;
}

static int collect(lua_State *L, aa_job_t *job, const aa_member_t *members,
                   int n, int may, json_t **set);

/* A table of members: its own changes go into a table of the same name. */
static int collect_below(lua_State *L, aa_job_t *job, const aa_member_t *m,
                         int may, json_t **set)
{
    json_t *below = NULL;

    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    if (!collect(L, job, m->members, m->nmembers, may, &below))
        return 0;
    if (below && !*set)
        *set = aa_value_own(json_object(), job->p);
    if (below)
        json_object_set(*set, m->name, below);
    return 1;
}

/* Look at the members of the table on the top. may: all of them may change.
 * watch: changes to the others are worth a line in the log. */
static int collect(lua_State *L, aa_job_t *job, const aa_member_t *members,
                   int n, int may, json_t **set)
{
    int watch =
        job->vm->conf->log && job->scene->input->body_len <= WATCHED_BODY;
    int top = lua_gettop(L);

    luaL_checkstack(L, 8, "value");
    if (aa_value_thaw(L, -1))
        lua_replace(L, top);
    for (int i = 0; i < n; i++, lua_settop(L, top)) {
        const aa_member_t *m = &members[i];
        int mutable = may || m->is_mutable;

        lua_pushstring(L, m->name);
        lua_rawget(L, top);
        if (m->from == AA_FROM_TABLE) {
            if (!collect_below(L, job, m, mutable, set))
                return 0;
        }
        else if ((mutable || watch) && is_changed(L, job, m)) {
            if (!mutable)
                job->elsewhere = 1;
            else if (!take_change(L, job, m, set))
                return 0;
        }
    }
    return 1;
}

/* The value as the handler left it is on the top. */
static void read_changes(lua_State *L, aa_job_t *job)
{
    const aa_scene_t *scene = job->scene;

    if (scene->whole)
        return;
    job->reader.left = job->vm->conf->memory;
    job->reader.why = NULL;
    if (!collect(L, job, scene->members, scene->nmembers, 0,
                 &job->outcome->set))
        job->outcome->set = NULL;
}

static int has_members(const aa_job_t *job)
{
    const aa_scene_t *scene = job->scene;

    /* Without a log nobody is told of changes that do not count. */
    if (job->vm->conf->log)
        return scene->nmembers > 0;
    for (int i = 0; i < scene->nmembers; i++)
        if (scene->members[i].is_mutable ||
            scene->members[i].from == AA_FROM_TABLE)
            return 1;
    return 0;
}

/* ------------------------------------------------------------------ result */

/* The table on the top as a filter. */
static void read_filter(lua_State *L, aa_job_t *job)
{
    aa_outcome_t *out = job->outcome;
    const char *text = NULL;

    aa_memo_spell(job->filter, L, -1);
    out->filter = aa_memo_find(&text, &job->vm->filters, job->filter);
    if (out->filter) {
        job->is_normal = 1;
        out->filter_text = apr_pstrdup(job->p, text);
        out->filter = aa_value_own(json_incref(out->filter), job->p);
    }
    else {
        job->reader.left = FILTER_BYTES;
        job->reader.why = NULL;
        out->filter = aa_value_own(aa_value_read(L, -1, &job->reader), job->p);
    }
    if (out->filter)
        out->effect = AA_POLICY_FILTER;
    else
        aa_job_refuse(job, "returned a bad filter: %s", job->reader.why);
}

/* The handler's result is on the top. A policy that misspeaks must not open a
 * door: what is no decision denies. */
static void read_result(lua_State *L, aa_job_t *job)
{
    aa_outcome_t *out = job->outcome;
    int type = lua_type(L, -1);

    if (type == LUA_TNIL || (type == LUA_TBOOLEAN && lua_toboolean(L, -1))) {
        out->effect = AA_POLICY_ALLOW;
    }
    else if (type == LUA_TBOOLEAN) {
        aa_event_deny(job->verdict, AA_CAUSE_FALSE, NULL);
    }
    else if (aa_module_is_exception(L, -1)) {
        aa_job_refuse(job, "an HTTPException was returned (hint: "
                           "error(auth.HTTPException{...}))");
    }
    else if (type == LUA_TTABLE) {
        read_filter(L, job);
    }
    else {
        aa_job_refuse(job,
                      "returned a %s, which is no decision (hint: nil "
                      "and true allow, false denies, a table filters)",
                      lua_typename(L, type));
    }
}

/* Argument: the job. Stack: 1 job, 2 value, then the call. */
static int run_event(lua_State *L)
{
    aa_job_t *job = lua_touserdata(L, 1);
    const aa_scene_t *scene = job->scene;

    set_ctx(L, job);
    if (scene->whole)
        aa_value_push(L, scene->whole);
    else
        push_members(L, scene, scene->members, scene->nmembers);
    lua_rawgeti(L, UP_HANDLERS, job->handler + 1);
    lua_pushvalue(L, UP_CTX);
    lua_pushvalue(L, 2);
    aa_vm_arm(job->vm);
    job->phase = AA_PHASE_HANDLER;
    lua_call(L, 2, 1);
    job->phase = AA_PHASE_RESULT;
    aa_vm_disarm(job->vm);
    read_result(L, job);
    if (job->outcome->effect != AA_POLICY_DENY && has_members(job)) {
        lua_pushvalue(L, 2);
        read_changes(L, job);
    }
    return 0;
}

void aa_event_open(lua_State *L)
{
    lua_createtable(L, 0, 8);
    aa_value_make_strict(L, "ctx");
    lua_pushvalue(L, -1);
    aa_value_freeze(L);
    lua_insert(L, -2);
    lua_createtable(L, 2 * AA_VM_USERS_MAX, 0);
    lua_pushcclosure(L, run_event, 4);
    lua_pushcfunction(L, aa_job_authenticate);
}

/* ------------------------------------------------------------- from outside */

static void tell_elsewhere(aa_job_t *job)
{
    aa_vm_handler_t *handler = &job->vm->handlers[job->handler];
    const aa_vm_conf_t *conf = job->vm->conf;

    if (handler->told)
        return;
    handler->told = 1;
    conf->log(conf->baton, 0,
              apr_pstrcat(job->p, conf->name, ": handler ", handler->label,
                          " changes members of value that ",
                          job->scene->resource, ":", job->scene->action,
                          " does not let it change; this is ignored", NULL));
}

static void check_filter(aa_job_t *job)
{
    aa_outcome_t *out = job->outcome;
    const char *why = "no memory";
    json_t *normal = NULL;

    if (aa_filter_normalise(&normal, &why, out->filter, job->p) !=
        APR_SUCCESS) {
        out->filter = NULL;
        aa_job_refuse(job, "returned a bad filter: %s", why);
        return;
    }
    out->filter = normal;
    aa_memo_keep(&job->vm->filters, job->filter, normal);
}

void aa_event_run(aa_outcome_t *outcome, aa_policy_verdict_t *verdict,
                  aa_vm_t *vm, int handler, const aa_scene_t *scene,
                  apr_pool_t *p)
{
    aa_memo_key_t filter; /* not cleared: half a kilobyte */
    aa_job_t job = {.vm = vm,
                    .filter = &filter,
                    .verdict = verdict,
                    .p = p,
                    .scene = scene,
                    .handler = handler,
                    .outcome = outcome};

    memset(outcome, 0, sizeof(*outcome));
    if (!aa_job_run(&job, AA_SLOT_EVENT))
        outcome->effect = AA_POLICY_DENY;
    else if (outcome->effect == AA_POLICY_FILTER && !job.is_normal)
        check_filter(&job);
    if (outcome->effect == AA_POLICY_DENY)
        verdict->handler = apr_pstrdup(p, vm->handlers[handler].label);
    else if (job.elsewhere)
        tell_elsewhere(&job);
}
