/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of an object of the backend: what filters see of it, and what
 * is compared. Kept for the next request under the version that was read
 * before asking. */
#include <string.h>

#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

json_t *aa_known_of(const aa_task_t *task, const json_t *object,
                    const json_t *same)
{
    json_t *known = aa_json_own(json_object(), task->p), *template, *value;
    const json_t *view = aa_task_view(task, task->rule->match, object);
    const char *key;

    if (view)
        json_object_set(known, "view", (json_t *)view);
    json_object_foreach((json_t *)same, key, template)
    {
        if ((value = json_object_get(object, key)))
            json_object_set(known, key, value);
    }
    return known;
}

int aa_known_matches(const json_t *known, const json_t *filter)
{
    return !filter || aa_filter_match(filter, json_object_get(known, "view"));
}

/* An alias has facts of its own, which no write to the object would end: kept
 * is only what answers to the name that it was asked by. */
static int named_so(const json_t *object, const char *target)
{
    const char *name = strrchr(target, '/');
    json_t *value;
    const char *key;

    if (strchr(target, '?') || !name)
        return 0;
    json_object_foreach((json_t *)object, key, value)
    {
        if (json_is_string(value) &&
            !strcmp(json_string_value(value), name + 1))
            return 1;
    }
    return 0;
}

void aa_known_keep(const aa_task_t *task, const aa_object_key_t *key,
                   apr_uint64_t version, const json_t *known,
                   const json_t *object, const char *target)
{
    const char *text =
        named_so(object, target) ? aa_json_dump(known, task->p) : NULL;

    if (text)
        aa_object_remember(task->objects, key, version, text, strlen(text),
                           task->now);
}

json_t *aa_known_recall(const aa_task_t *task, const aa_object_key_t *key)
{
    const char *text, *why;
    apr_size_t len;
    json_t *known;

    if (aa_object_recall(&text, &len, task->objects, key, task->now, task->p) !=
        APR_SUCCESS)
        return NULL;
    return aa_json_parse(&known, &why, text, len, AA_BODY_DEPTH_MAX, task->p) ==
                   APR_SUCCESS
               ? known
               : NULL;
}
