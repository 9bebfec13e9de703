/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites what goes on: stamps, restricts, says who calls, cuts. */
#include <string.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/json.h"
#include "enforce/steps.h"

/* ------------------------------------------------------------------- query */

/* {"namespace":["a","b"]} is one text with dots in a query. */
static apr_status_t set_parameter(aa_task_t *task, json_t *parameters,
                                  const char *name, const json_t *value)
{
    const char *text = json_is_array(value) ? aa_list_text(value, task->p)
                                            : json_string_value(value);

    if (!text ||
        (json_is_string(value) && strlen(text) != json_string_length(value)))
        return aa_task_refuse(task, AA_E_STAMP, "%s cannot be said in a query",
                              name);
    json_object_set_new(parameters, name, json_string(text));
    return APR_SUCCESS;
}

/* What handlers made of a parameter; NULL: nothing. */
static const json_t *changed(const aa_task_t *task, const char *name)
{
    const aa_policy_verdict_t *verdict = task->verdict;
    const json_t *value = NULL;

    for (int i = 0; i < verdict->ndecisions && !value; i++)
        value = json_object_get(verdict->decisions[i].set, name);
    return value;
}

static apr_status_t set_parameters(aa_task_t *task, json_t *parameters)
{
    const char *const *name = task->rule->set_query;
    apr_status_t rv = APR_SUCCESS;

    for (; name && *name && rv == APR_SUCCESS; name++)
        if (changed(task, *name))
            rv = set_parameter(task, parameters, *name, changed(task, *name));
    return rv;
}

static void drop_parameters(const aa_task_t *task, json_t *parameters)
{
    const char *const *name = task->rule->drop_query;

    for (; name && *name; name++)
        json_object_del(parameters, *name);
}

static int changes_query(const aa_task_t *task)
{
    const char *const *name = task->rule->set_query;

    for (; name && *name; name++)
        if (changed(task, *name))
            return 1;
    return task->rule->drop_query && task->query;
}

static apr_status_t rewrite_query(aa_task_t *task)
{
    json_t *parameters;
    apr_status_t rv;

    if (!changes_query(task))
        return APR_SUCCESS;
    rv = aa_query_read(&parameters, task);
    if (rv != APR_SUCCESS)
        return rv;
    drop_parameters(task, parameters);
    rv = set_parameters(task, parameters);
    if (rv == APR_SUCCESS)
        task->query = aa_query_write(parameters, task->p);
    return rv;
}

/* --------------------------------------------------------- filters in bodies
 */

static json_t *rule_filter(const aa_task_t *task)
{
    return aa_task_filter(task, task->rule->events);
}

/* A request that was decided as something else: it makes nothing to stamp. */
static int stamps_nothing(const aa_task_t *task)
{
    return task->verdict->ndecisions &&
           !aa_task_decided(task, task->rule->events);
}

static apr_status_t stamp(aa_edit_t *edit)
{
    const char *path = edit->task->rule->stamp;
    json_t *filter = rule_filter(edit->task), *pairs, *object;
    int rest, clash;
    apr_status_t rv;

    if (stamps_nothing(edit->task))
        return APR_SUCCESS;
    aa_filter_pairs(&pairs, &rest, &clash, filter, edit->task->p);
    if (clash)
        return aa_task_refuse(edit->task, AA_E_STAMP,
                              "the filter contradicts itself");
    if (!json_object_size(pairs))
        return APR_SUCCESS;
    rv = aa_edit_object(&object, edit, path);
    if (rv == APR_SUCCESS && !json_object_update(object, pairs))
        rv = aa_edit_set(edit, path, object);
    return rv;
}

/* A key of the filter that cannot be set to one value is not changed at all. */
static apr_status_t keep_key(aa_edit_t *edit, const char *path, const char *key)
{
    if (strchr(key, '.'))
        return aa_task_refuse(edit->task, AA_E_ENFORCE_BODY,
                              "%s decides who sees it", key);
    if (strcmp(path, "."))
        key = apr_pstrcat(edit->task->p, path, ".", key, NULL);
    return aa_edit_set(edit, key, NULL);
}

static apr_status_t keep(aa_edit_t *edit)
{
    const char *path = edit->task->rule->keep, *key;
    json_t *filter = rule_filter(edit->task);
    json_t *pairs, *object, *copy, *value;
    int rest, clash;
    apr_status_t rv = aa_edit_object(&object, edit, path);

    if (rv != APR_SUCCESS || !filter || !json_object_size(object))
        return rv;
    aa_filter_pairs(&pairs, &rest, &clash, filter, edit->task->p);
    copy = aa_json_own(json_copy(object), edit->task->p);
    json_object_foreach(object, key, value) if (json_object_get(pairs, key))
        json_object_set(copy, key, json_object_get(pairs, key));
    rv = aa_edit_set(edit, path, copy);
    json_object_foreach(object, key, value) if (rv == APR_SUCCESS &&
                                                aa_filter_names(filter, key) &&
                                                !json_object_get(pairs, key))
        rv = keep_key(edit, path, key);
    return rv;
}

/* A search that contradicts the filter goes on as one for what nobody has: the
 * backend's own answer to it is that of any search that finds nothing. */
static apr_status_t set_impossible(aa_edit_t *edit, json_t *object,
                                   const char *key)
{
    apr_pool_t *p = edit->task->p;
    unsigned char random[16];

    if (aa_crypto_random(random, sizeof(random)) != APR_SUCCESS)
        return aa_task_refuse(edit->task, AA_E_INTERNAL, "no random bytes");
    json_object_set_new(object, key,
                        json_string(aa_hex(random, sizeof(random), p)));
    return APR_SUCCESS;
}

static apr_status_t restrict_search(aa_edit_t *edit)
{
    const char *path = edit->task->rule->restrict_to, *key;
    json_t *pairs, *object, *value;
    int rest, clash;
    apr_status_t rv;

    aa_filter_pairs(&pairs, &rest, &clash, rule_filter(edit->task),
                    edit->task->p);
    if (!clash && !json_object_size(pairs))
        return APR_SUCCESS;
    rv = aa_edit_object(&object, edit, path);
    if (rv != APR_SUCCESS)
        return rv;
    if (clash)
        rv = set_impossible(edit, object, "agentauth");
    json_object_foreach(pairs, key, value)
    {
        json_t *asked = json_object_get(object, key);

        if (rv != APR_SUCCESS)
            break;
        if (asked && !aa_member_same(asked, value))
            rv = set_impossible(edit, object, key);
        else
            json_object_set(object, key, value);
    }
    return rv == APR_SUCCESS ? aa_edit_set(edit, path, object) : rv;
}

/* ------------------------------------------------------------- who is calling
 */

#define AUTH_PREFIX "langgraph_auth_"

static void forget_claims(json_t *configurable)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(
        configurable, next, key,
        value) if (!strncmp(key, AUTH_PREFIX, sizeof(AUTH_PREFIX) - 1))
        json_object_del(configurable, key);
}

static apr_status_t say_who(aa_edit_t *edit)
{
    const char *path = edit->task->rule->configurable;
    json_t *user = (json_t *)edit->task->user;
    json_t *permissions = json_object_get(user, "permissions");
    json_t *object;
    apr_status_t rv = aa_edit_object(&object, edit, path);

    if (rv != APR_SUCCESS)
        return rv;
    forget_claims(object);
    json_object_set(object, AUTH_PREFIX "user", user);
    json_object_set_new(object, AUTH_PREFIX "user_id",
                        json_string(edit->task->identity));
    json_object_set_new(object, AUTH_PREFIX "permissions",
                        permissions ? json_incref(permissions) : json_array());
    return aa_edit_set(edit, path, object);
}

static apr_status_t vet_webhook(aa_edit_t *edit)
{
    aa_task_t *task = edit->task;
    const char *path = task->rule->webhook, *why = "it is no text";
    const json_t *url = aa_member_at(edit->json, path);

    if (!url || json_is_null(url))
        return APR_SUCCESS;
    if (json_is_string(url) &&
        strlen(json_string_value(url)) == json_string_length(url))
        why = aa_webhook_why_not(json_string_value(url), task);
    if (!why)
        return APR_SUCCESS;
    if (task->webhook == AA_WEBHOOK_REFUSE)
        return aa_task_refuse(task, AA_E_WEBHOOK, "%s: %s", path, why);
    task->dropped = why;
    return aa_edit_set(edit, path, NULL);
}

/* -------------------------------------------------------------------- steps */

static apr_status_t change(aa_edit_t *edit)
{
    const aa_rule_t *rule = edit->task->rule;
    const char *const *path = rule->drop_body;
    apr_status_t rv = APR_SUCCESS;

    for (; path && *path && rv == APR_SUCCESS; path++)
        if (aa_member_at(edit->json, *path))
            rv = aa_edit_set(edit, *path, NULL);
    if (rv == APR_SUCCESS && rule->keep)
        rv = keep(edit);
    if (rv == APR_SUCCESS && rule->stamp)
        rv = stamp(edit);
    if (rv == APR_SUCCESS && rule->restrict_to)
        rv = restrict_search(edit);
    if (rv == APR_SUCCESS && rule->configurable && !edit->task->reply)
        rv = say_who(edit);
    if (rv == APR_SUCCESS && rule->webhook && !edit->task->reply)
        rv = vet_webhook(edit);
    return rv;
}

apr_status_t aa_step_rewrite(aa_task_t *task)
{
    apr_status_t rv = rewrite_query(task);

    return rv == APR_SUCCESS ? aa_edit_body(task, change) : rv;
}

/* A search of one's own would not find it again: then it is not made. */
apr_status_t aa_step_created(aa_task_t *task)
{
    const aa_rule_t *rule = task->rule;
    json_t *filter;

    if (!rule->sent && !(rule->check == AA_CHECK_OBJECT && rule->stamp))
        return APR_SUCCESS;
    filter = rule_filter(task);
    if (!filter || !json_is_object(task->json) ||
        aa_filter_match(filter, aa_task_view(task, rule->match, task->json)))
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_STAMP,
                          "what would be made does not satisfy the filter");
}
