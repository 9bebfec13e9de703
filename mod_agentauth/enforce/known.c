/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of an object of the backend: what filters see of it, and what
 * is compared. Kept for the next request under the version that was read
 * before asking. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

/* Two spellings may be two objects of the backend though they share a lock, and
 * rows may look at different members: neither speaks for the other. */
static const char *name_of(const aa_task_t *task, const aa_side_t *side)
{
    const char *const *match = task->rule->match;
    const char *name = side->target, *key;
    json_t *template;

    for (; *match; match++)
        name = apr_pstrcat(task->p, name, "\n", *match, NULL);
    json_object_foreach((json_t *)side->same, key, template) name =
        apr_pstrcat(task->p, name, "\n=", key, NULL);
    return name;
}

json_t *aa_known_of(const aa_task_t *task, const aa_side_t *side,
                    const json_t *object)
{
    json_t *known = aa_json_own(json_object(), task->p), *template, *value;
    const json_t *view = aa_task_view(task, task->rule->match, object);
    json_t *same = json_object();
    const char *key;

    json_object_set_new(known, "of", json_string(name_of(task, side)));
    json_object_set_new(known, "same", same);
    if (view)
        json_object_set(known, "view", (json_t *)view);
    json_object_foreach((json_t *)side->same, key, template)
    {
        if ((value = json_object_get(object, key)))
            json_object_set(same, key, value);
    }
    return known;
}

int aa_known_matches(const json_t *known, const json_t *filter)
{
    return !filter || aa_filter_match(filter, json_object_get(known, "view"));
}

/* "/assistants/{body.assistant_id}": "assistant_id"; NULL: another end. */
static const char *id_of(const char *template, apr_pool_t *p)
{
    size_t n = strlen(template), begin = n;

    if (!n || template[n - 1] != '}')
        return NULL;
    while (begin && !strchr("{.", template[begin - 1]))
        begin--;
    return apr_pstrmemdup(p, template + begin, n - 1 - begin);
}

/* An alias has facts of its own, which no write to the object would end: kept
 * is only what answers to the name that it was asked by. */
static int named_so(const json_t *object, const aa_side_t *side, apr_pool_t *p)
{
    const char *name = strrchr(side->target, '/');
    const char *member = id_of(side->template, p), *id = NULL;

    if (member)
        id = json_string_value(json_object_get(object, member));
    return id && name && !strcmp(id, name + 1);
}

void aa_known_keep(const aa_task_t *task, const aa_side_t *side,
                   apr_uint64_t version, const json_t *known,
                   const json_t *object)
{
    const char *text =
        strchr(side->target, '?') || !named_so(object, side, task->p)
            ? NULL
            : aa_json_dump(known, task->p);

    if (text)
        aa_object_remember(task->objects, &side->key, version, text,
                           strlen(text), task->now);
}

/** A fact as this thread has parsed it. */
typedef struct reading_t {
    aa_fact_mark_t mark;
    json_t *known;
} reading_t;

/* Most questions are about an object that the same thread has just looked at:
 * a fact that is the very same is not parsed again. No lock, since it is the
 * thread's own. */
static __thread reading_t readings[AA_OBJECT_READINGS];

static void read_again(reading_t *reading, const char *text, apr_pool_t *p)
{
    json_t *known;
    const char *why;

    json_decref(reading->known);
    reading->known = NULL;
    if (aa_json_parse(&known, &why, text, reading->mark.len, AA_BODY_DEPTH_MAX,
                      p) == APR_SUCCESS)
        reading->known = json_incref(known);
}

json_t *aa_known_recall(const aa_task_t *task, const aa_side_t *side)
{
    reading_t *reading = &readings[side->key.hash[16] % AA_OBJECT_READINGS];
    const char *text, *of;

    if (aa_object_recall(&text, &reading->mark, task->objects, &side->key,
                         task->now, task->p) != APR_SUCCESS)
        return NULL;
    if (text)
        read_again(reading, text, task->p);
    of = json_string_value(json_object_get(reading->known, "of"));
    return of && !strcmp(of, name_of(task, side))
               ? aa_json_own(json_incref(reading->known), task->p)
               : NULL;
}
