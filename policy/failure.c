/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler that did not come to its end means: a refusal with a status,
 * a failed assert, a mistake, a spent limit. */
#include "job.h"
#include "sandbox.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include <lua.h>
#include <lauxlib.h>

#define HEADERS_MAX 16      /* of one HTTPException */
#define HEADER_NAME_MAX 128 /* bytes */
#define HEADER_VALUE_MAX 1024

void aa_event_deny(aa_policy_verdict_t *verdict, aa_policy_cause_e cause,
                   const char *reason)
{
    verdict->effect = AA_POLICY_DENY;
    verdict->cause = cause;
    verdict->reason = reason;
    verdict->status = 0;
    verdict->detail = NULL;
    verdict->headers = NULL;
}

void aa_event_locate(char *out, apr_size_t size, const aa_vm_conf_t *conf,
                     const char *text, apr_size_t len)
{
    apr_size_t n = strlen(conf->name);
    int is_placed = len > n && text[n] == ':' && !memcmp(text, conf->name, n);
    int used = snprintf(out, size, "%s%s%s", conf->dir,
                        is_placed ? "" : conf->name, is_placed ? "" : ": ");

    if (used >= 0 && (apr_size_t)used < size)
        aa_text_clean(out + used, size - (apr_size_t)used, text, len);
}

static const char *with_handler(const aa_job_t *job, const char *located)
{
    const char *label =
        job->scene ? job->vm->handlers[job->handler].label : "authenticate";

    return apr_pstrcat(job->p, located, "; handler ", label, NULL);
}

static apr_size_t reason_size(const aa_job_t *job)
{
    return strlen(job->vm->conf->dir) + AA_VM_MESSAGE_MAX;
}

/* "DIR/policy.lua:12: what; handler threads:create" */
static const char *reason(const aa_job_t *job, const char *text, apr_size_t len)
{
    char *located = apr_palloc(job->p, reason_size(job));

    aa_event_locate(located, reason_size(job), job->vm->conf, text, len);
    return with_handler(job, located);
}

/* What Lua gives no line for: there it is the one where the handler begins. */
static const char *placed(const aa_job_t *job, const char *text)
{
    int line = job->scene ? job->vm->handlers[job->handler].line : 0;

    return line > 0 ? apr_psprintf(job->p, "%s:%d: %s", job->vm->conf->name,
                                   line, text)
                    : apr_psprintf(job->p, "%s: %s", job->vm->conf->name, text);
}

void aa_job_refuse(aa_job_t *job, const char *fmt, ...)
{
    const char *text;
    va_list args;

    va_start(args, fmt);
    text = apr_pvsprintf(job->p, fmt, args);
    va_end(args);
    text = placed(job, text);
    aa_event_deny(job->verdict, AA_CAUSE_RESULT,
                  reason(job, text, strlen(text)));
    if (job->outcome)
        job->outcome->effect = AA_POLICY_DENY;
}

/* ------------------------------------------------------------ HTTPException */

/* RFC 9110 s5.6.2. */
static int is_token(const char *text, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++)
        if (!apr_isalnum(text[i]) &&
            (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
            return 0;
    return len > 0 && len <= HEADER_NAME_MAX;
}

/* RFC 9110 s5.5, without obs-text. */
static int is_field_value(const char *text, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++)
        if (text[i] != '\t' && (text[i] < 0x20 || text[i] > 0x7e))
            return 0;
    return len <= HEADER_VALUE_MAX;
}

/* Framing is the server's, and our own names are for the backend alone. */
static int is_reserved(const char *name)
{
    static const char *const names[] = {
        "Connection", "Content-Encoding",  "Content-Length", "Content-Type",
        "Date",       "Keep-Alive",        "Server",         "TE",
        "Trailer",    "Transfer-Encoding", "Upgrade",        NULL};

    for (int i = 0; names[i]; i++)
        if (!strcasecmp(names[i], name))
            return 1;
    return !strncasecmp(name, "AgentAuth", 9);
}

/* The header on the top: name below value. 0: the verdict says why not. */
static int read_header(lua_State *L, aa_job_t *job)
{
    size_t n, m;
    const char *name, *value;

    if (lua_type(L, -2) != LUA_TSTRING ||
        (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))) {
        aa_job_refuse(job, "HTTPException: a header is no string");
        return 0;
    }
    name = lua_tolstring(L, -2, &n);
    value = lua_tolstring(L, -1, &m);
    if (!is_token(name, n) || is_reserved(name)) {
        aa_job_refuse(job, "HTTPException: a header has a name that is not "
                           "allowed");
        return 0;
    }
    if (!is_field_value(value, m)) {
        aa_job_refuse(job,
                      "HTTPException: the header '%s' has a value that "
                      "is not allowed",
                      name);
        return 0;
    }
    if (apr_table_elts(job->verdict->headers)->nelts == HEADERS_MAX) {
        aa_job_refuse(job, "HTTPException: more than %d headers", HEADERS_MAX);
        return 0;
    }
    apr_table_set(job->verdict->headers, name, value);
    return 1;
}

static int read_headers(lua_State *L, int exception, aa_job_t *job)
{
    lua_pushliteral(L, "headers");
    if (lua_rawget(L, exception) == LUA_TNIL)
        return 1;
    if (!lua_istable(L, -1)) {
        aa_job_refuse(job, "HTTPException: headers is no table");
        return 0;
    }
    job->verdict->headers = apr_table_make(job->p, 4);
    if (aa_value_thaw(L, -1))
        lua_replace(L, -2);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (!read_header(L, job))
            return 0;
    return 1;
}

static void read_exception(lua_State *L, int exception, aa_job_t *job)
{
    aa_policy_verdict_t *v = job->verdict;
    const char *detail;
    lua_Integer status;
    size_t len;

    lua_pushliteral(L, "status_code");
    lua_rawget(L, exception);
    lua_pushliteral(L, "detail");
    lua_rawget(L, exception);
    status = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
    if (status < 400 || status > 599 || lua_type(L, -1) != LUA_TSTRING) {
        aa_job_refuse(job, "HTTPException: status_code is not from 400 to "
                           "599, or detail is no string");
        return;
    }
    detail = lua_tolstring(L, -1, &len);
    if (len > AA_POLICY_DETAIL_MAX || !aa_text_is_plain(detail, len)) {
        aa_job_refuse(job,
                      "HTTPException: detail is longer than %d bytes, "
                      "not valid UTF-8, or has control characters",
                      AA_POLICY_DETAIL_MAX);
        return;
    }
    if (!read_headers(L, exception, job))
        return;
    v->cause = AA_CAUSE_EXCEPTION;
    v->status = (int)status;
    v->detail = apr_pstrmemdup(job->p, detail, len);
    detail = placed(job, apr_psprintf(job->p, "HTTPException %d: %s", v->status,
                                      v->detail));
    v->reason = reason(job, detail, strlen(detail));
}

/* ----------------------------------------------------------------- asserts */

/* A message that went through pcall carries "policy.lua:12: ": where that was
 * is not the client's business. */
static const char *without_place(const aa_vm_conf_t *conf, const char *text)
{
    apr_size_t n = strlen(conf->name);
    const char *at = text + n;

    if (strncmp(text, conf->name, n) || *at != ':')
        return text;
    for (at++; apr_isdigit(*at); at++)
        continue;
    return at[0] == ':' && at[1] == ' ' ? at + 2 : text;
}

static int is_assert(lua_State *L, const aa_job_t *job)
{
    int is;

    /* As in LangGraph: an assert in authenticate is an error like others. */
    if (!job->vm->asserted || !job->scene)
        return 0;
    aa_sandbox_push_asserted(L);
    is = lua_rawequal(L, -1, 1);
    lua_pop(L, 1);
    return is;
}

static void read_assert(lua_State *L, aa_job_t *job)
{
    const char *text = "assertion failed", *place = job->vm->assert_at;

    if (lua_type(L, 1) == LUA_TSTRING)
        text = without_place(job->vm->conf, lua_tostring(L, 1));
    job->verdict->cause = AA_CAUSE_ASSERT;
    job->verdict->detail =
        aa_text_cleaned(text, strlen(text), AA_POLICY_DETAIL_MAX, job->p);
    text = apr_pstrcat(job->p, place, text, NULL);
    job->verdict->reason = reason(job, text, strlen(text));
}

/* ------------------------------------------------------------ any failure */

/* Arguments: the error, the job. Only strings are looked at; __tostring of an
 * error value would be the policy's code running outside of its budget. */
static int describe(lua_State *L)
{
    aa_job_t *job = lua_touserdata(L, 2);
    const char *text;
    size_t len;

    lua_settop(L, 1);
    if (job->phase == AA_PHASE_HANDLER && aa_module_is_exception(L, 1)) {
        read_exception(L, 1, job);
        return 0;
    }
    if (job->phase == AA_PHASE_HANDLER && is_assert(L, job)) {
        read_assert(L, job);
        return 0;
    }
    if (lua_type(L, 1) == LUA_TSTRING)
        text = lua_tolstring(L, 1, &len);
    else {
        text = apr_psprintf(job->p, "%s: error object is a %s value",
                            job->vm->conf->name, luaL_typename(L, 1));
        len = strlen(text);
    }
    job->verdict->cause =
        job->phase == AA_PHASE_HANDLER ? AA_CAUSE_LUA : AA_CAUSE_OURS;
    job->verdict->reason = reason(job, text, len);
    return 0;
}

static void spent(aa_job_t *job)
{
    char *located = apr_palloc(job->p, reason_size(job));

    aa_vm_explain(located, reason_size(job), job->vm);
    aa_event_deny(job->verdict, AA_CAUSE_BUDGET, with_handler(job, located));
}

int aa_job_run(aa_job_t *job, int slot)
{
    aa_vm_t *vm = job->vm;
    lua_State *L = vm->L;
    int top = lua_gettop(L), status;

    vm->asserted = 0;
    aa_vm_disarm(vm);
    lua_pushvalue(L, slot);
    lua_pushlightuserdata(L, job);
    status = lua_pcall(L, 1, 0, 0);
    aa_vm_disarm(vm);
    if (status == LUA_OK && !vm->spent)
        return 1;
    if (status == LUA_ERRMEM)
        aa_vm_spend(vm, AA_SPENT_MEMORY);
    aa_event_deny(job->verdict, AA_CAUSE_OURS, "policy could not be run");
    if (!vm->spent) {
        lua_pushcfunction(L, describe);
        lua_insert(L, -2);
        lua_pushlightuserdata(L, job);
        if (lua_pcall(L, 2, 0, 0) != LUA_OK)
            aa_vm_spend(vm, AA_SPENT_MEMORY);
    }
    if (vm->spent)
        spent(job);
    lua_settop(L, top);
    return 0;
}
