/* SPDX-License-Identifier: Apache-2.0 */
/* Changes members of a body: in its text, so that all other bytes stay, and in
 * what was parsed of it, so that later steps see them. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

/* The way to a member is of objects; a null on it counts as absent. */
static apr_status_t clear_way(aa_edit_t *edit, const char *path)
{
    aa_task_t *task = edit->task;

    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *parent = apr_pstrmemdup(task->p, path, dot - path);
        json_t *value = aa_member_at(edit->json, parent);

        if (!value || json_is_object(value))
            continue;
        if (!json_is_null(value))
            return aa_task_refuse(task, AA_E_ENFORCE_BODY,
                                  "%s is no JSON object", parent);
        return aa_edit_set(edit, parent, NULL);
    }
    return APR_SUCCESS;
}

/* Of the body itself only what differs; a name with a dot would be read as a
 * way. */
static apr_status_t set_members(aa_edit_t *edit, const json_t *object)
{
    const char *key;
    json_t *value;
    apr_status_t rv = APR_SUCCESS;

    json_object_foreach((json_t *)object, key, value)
    {
        if (aa_member_same(value, json_object_get(edit->json, key)))
            continue;
        rv = strchr(key, '.') ? aa_task_refuse(edit->task, AA_E_ENFORCE_BODY,
                                               "%s cannot be set", key)
                              : aa_edit_set(edit, key, value);
        if (rv != APR_SUCCESS)
            return rv;
    }
    return rv;
}

/* Where the next text goes. Each change of a large body is a whole new one, so
 * the one before the last is given up. */
static apr_pool_t *next_pool(aa_edit_t *edit)
{
    apr_pool_t **pool;

    if (edit->text.len < AA_EDIT_SMALL)
        return edit->task->p;
    edit->turn = !edit->turn;
    pool = &edit->scratch[edit->turn];
    if (*pool)
        apr_pool_clear(*pool);
    else
        apr_pool_create(pool, edit->task->p);
    return *pool;
}

apr_status_t aa_edit_set(aa_edit_t *edit, const char *path, json_t *value)
{
    const json_t *was;
    apr_status_t rv;

    if (!strcmp(path, "."))
        return set_members(edit, value);
    rv = clear_way(edit, path);
    was = aa_member_at(edit->json, path);

    if (rv != APR_SUCCESS || (!was && !value))
        return rv;
    if (aa_splice_member(&edit->text, edit->text, path, was, value,
                         next_pool(edit)) != APR_SUCCESS)
        return aa_task_refuse(edit->task, AA_E_ENFORCE_BODY, "%s cannot be set",
                              path);
    aa_member_set(edit->json, path, value);
    return APR_SUCCESS;
}

apr_status_t aa_edit_object(json_t **object, aa_edit_t *edit, const char *path)
{
    int whole = !strcmp(path, ".");
    apr_status_t rv = whole ? APR_SUCCESS : clear_way(edit, path);
    json_t *value;

    *object = NULL;
    if (rv != APR_SUCCESS)
        return rv;
    value = whole ? edit->json : aa_member_at(edit->json, path);
    if (value && !json_is_object(value) && !json_is_null(value))
        return aa_task_refuse(edit->task, AA_E_ENFORCE_BODY,
                              "%s is no JSON object", path);
    *object = aa_json_own(json_is_object(value) ? json_deep_copy(value)
                                                : json_object(),
                          edit->task->p);
    return *object ? APR_SUCCESS
                   : aa_task_refuse(edit->task, AA_E_INTERNAL, "no memory");
}

/* ---------------------------------------------------------------- elements */

static void join(aa_task_t *task, const aa_edit_t *edits, apr_size_t n)
{
    apr_size_t len = 2;
    char *text, *to;

    for (apr_size_t i = 0; i < n; i++)
        len += edits[i].text.len + 1;
    to = text = apr_palloc(task->p, len + 1);
    *to++ = '[';
    for (apr_size_t i = 0; i < n; i++) {
        if (i)
            *to++ = ',';
        memcpy(to, edits[i].text.text, edits[i].text.len);
        to += edits[i].text.len;
    }
    *to++ = ']';
    *to = '\0';
    task->body = text;
    task->body_len = (apr_size_t)(to - text);
}

static apr_status_t edit_each(aa_task_t *task,
                              apr_status_t (*change)(aa_edit_t *))
{
    apr_size_t n = json_array_size(task->json);
    aa_span_t whole = {task->body, task->body_len};
    aa_span_t *spans = apr_palloc(task->p, (n + 1) * sizeof(*spans));
    aa_edit_t *edits = apr_pcalloc(task->p, (n + 1) * sizeof(*edits));
    apr_status_t rv = APR_SUCCESS;

    if (n > AA_BATCH_MAX)
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "more than %d elements",
                              AA_BATCH_MAX);
    if (aa_splice_elements(spans, (int)n, whole) != (int)n)
        return aa_task_refuse(task, AA_E_INTERNAL, "elements were miscounted");
    for (apr_size_t i = 0; i < n && rv == APR_SUCCESS; i++) {
        edits[i].task = task;
        edits[i].text = spans[i];
        edits[i].json = json_array_get(task->json, i);
        rv = json_is_object(edits[i].json)
                 ? change(&edits[i])
                 : aa_task_refuse(task, AA_E_ENFORCE_BODY,
                                  "an element is no JSON object");
    }
    if (rv == APR_SUCCESS)
        join(task, edits, n);
    return rv;
}

apr_status_t aa_edit_body(aa_task_t *task, apr_status_t (*change)(aa_edit_t *))
{
    aa_edit_t edit = {
        .task = task, .text = {task->body, task->body_len}, .json = task->json};
    apr_status_t rv;

    if (!task->json)
        return APR_SUCCESS;
    if (aa_task_each(task))
        return edit_each(task, change);
    if (!json_is_object(task->json))
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "it is no JSON object");
    rv = change(&edit);
    if (rv == APR_SUCCESS) {
        task->body = edit.text.text;
        task->body_len = edit.text.len;
    }
    return rv;
}
