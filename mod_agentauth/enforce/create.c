/* SPDX-License-Identifier: Apache-2.0 */
/* Makes an object of its own before a request that would make it on the way,
 * so that it bears its stamp from the first moment. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"

/* What is to be made, with the stamp over what the client says of it. */
static apr_status_t body_of(json_t **body, aa_task_t *task,
                            const aa_create_t *create, const json_t *element)
{
    json_t *filter = aa_task_filter(task, task->rule->events);
    json_t *said, *made;

    if (aa_template_json(body, create->body, task, element) != APR_SUCCESS)
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "%s cannot be filled in",
                              create->path);
    said = create->stamp ? aa_member_at(*body, create->stamp) : *body;
    made = aa_json_own(
        json_is_object(said) ? json_deep_copy(said) : json_object(), task->p);
    if (create->stamp) {
        json_object_update(made, aa_task_stamp(task, create->stamp));
        aa_member_set(*body, create->stamp, made);
    }
    else
        json_object_update(*body = made, aa_task_stamp(task, "."));
    if (!filter || aa_filter_match(filter, made))
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_STAMP,
                          "what would be made does not satisfy the filter");
}

static apr_status_t make(aa_task_t *task, const aa_ask_t *ask, json_t *body,
                         const json_t *element)
{
    const aa_create_t *create = ask->create;
    const char *text, *why;
    aa_filled_t filled;
    aa_backend_answer_t answer;
    apr_status_t rv;

    if (aa_template_fill(&filled, &why, create->path, task, element) !=
            APR_SUCCESS ||
        !(text = aa_json_dump(body, task->p)))
        return aa_task_refuse(task, AA_E_ENFORCE_BODY, "%s cannot be filled in",
                              create->path);
    rv =
        aa_task_query(&answer, task, "POST", filled.target, text, strlen(text));
    if (rv != APR_SUCCESS || answer.status < 300)
        return rv;
    /* Not an id that it takes, or another came before us, past the gateway. */
    return aa_task_hide(task, ask,
                        apr_psprintf(task->p, "POST %s: status %d",
                                     filled.target, answer.status));
}

static apr_status_t then(aa_edit_t *edit)
{
    const aa_rule_t *rule = edit->task->rule;
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; i < rule->nasks && rv == APR_SUCCESS; i++) {
        const aa_create_t *create = rule->asks[i].create;

        if (create && create->then_member)
            rv = aa_edit_set(
                edit, create->then_member,
                aa_json_own(json_string(create->then_is), edit->task->p));
    }
    return rv;
}

apr_status_t aa_step_create(aa_task_t *task, const aa_ask_t *ask,
                            const json_t *element)
{
    json_t *body;
    apr_status_t rv = body_of(&body, task, ask->create, element);

    if (rv == APR_SUCCESS)
        rv = make(task, ask, body, element);
    return rv == APR_SUCCESS && !task->reply && ask->create->then_member
               ? aa_edit_body(task, then)
               : rv;
}
