/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of a policy beside what its author expects. */
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "cli/policy_command.h"

static const char *labelled(const char *label, const json_t *value,
                            apr_pool_t *p)
{
    const char *text = value ? aa_json_dump(value, p) : "none";

    return apr_pstrcat(p, label, " ", text ? text : "?", NULL);
}

static int differ(aa_difference_t *difference, const char *expected,
                  const char *got)
{
    difference->expected = expected;
    difference->got = got;
    return 1;
}

/* 1 when all members of @a wanted are in @a there with the same value. */
static int holds(const json_t *there, const json_t *wanted)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
    {
        if (!json_equal(json_object_get(there, name), value))
            return 0;
    }
    return 1;
}

/* ------------------------------------------------------------------ outcome */

/* "allow", "filter {…}", "deny 403 "detail"" */
static const char *outcome(aa_policy_effect_e effect, const json_t *filter,
                           int status, const char *detail, apr_pool_t *p)
{
    if (effect == AA_POLICY_ALLOW)
        return "allow";
    if (effect == AA_POLICY_FILTER)
        return labelled("filter", filter, p);
    return detail ? apr_psprintf(p, "deny %d \"%s\"", status, detail)
                  : apr_psprintf(p, "deny %d", status);
}

static const char *outcome_got(const aa_answer_t *answer, apr_pool_t *p)
{
    const char *text = outcome(answer->effect, answer->verdict.filter,
                               answer->status, answer->verdict.detail, p);

    return answer->effect == AA_POLICY_DENY && answer->access
               ? apr_pstrcat(p, text, ", ", answer->access, NULL)
               : text;
}

static int same_outcome(const aa_expect_t *expect, const aa_answer_t *answer)
{
    const char *detail = answer->verdict.detail;

    if (answer->effect != expect->effect)
        return 0;
    if (expect->effect == AA_POLICY_FILTER)
        return json_equal(expect->filter, answer->verdict.filter);
    if (expect->effect == AA_POLICY_ALLOW)
        return 1;
    return answer->status == expect->status &&
           (!expect->detail || (detail && !strcmp(detail, expect->detail)));
}

static int differs_outcome(aa_difference_t *difference,
                           const aa_expect_t *expect, const aa_answer_t *answer,
                           apr_pool_t *p)
{
    if (!expect->has_effect || same_outcome(expect, answer))
        return 0;
    return differ(difference,
                  outcome(expect->effect, expect->filter, expect->status,
                          expect->detail, p),
                  outcome_got(answer, p));
}

/* ------------------------------------------------------------------ members */

/* A refusal of authenticate is not "nobody": it may be a mistake in it. */
static int differs_user(aa_difference_t *difference, const aa_expect_t *expect,
                        const aa_answer_t *answer, apr_pool_t *p)
{
    int is_nobody = !answer->user && answer->access;

    if (!expect->user ||
        (json_is_null(expect->user) ? is_nobody
                                    : holds(answer->user, expect->user)))
        return 0;
    return differ(difference,
                  json_is_null(expect->user)
                      ? "nobody"
                      : labelled("user", expect->user, p),
                  is_nobody      ? "nobody"
                  : answer->user ? labelled("user", answer->user, p)
                                 : outcome_got(answer, p));
}

static json_t *headers_of(const aa_answer_t *answer, apr_pool_t *p)
{
    json_t *object = aa_json_own(json_object(), p);
    const apr_array_header_t *all;
    const apr_table_entry_t *entries;

    if (!answer->verdict.headers)
        return object;
    all = apr_table_elts(answer->verdict.headers);
    entries = (const apr_table_entry_t *)all->elts;
    for (int i = 0; i < all->nelts; i++)
        json_object_set_new(object, entries[i].key,
                            json_string(entries[i].val));
    return object;
}

/* Of all events together. */
static json_t *set_of(const aa_answer_t *answer, apr_pool_t *p)
{
    json_t *all = aa_json_own(json_object(), p);

    for (int i = 0; i < answer->verdict.ndecisions; i++) {
        json_t *set = json_deep_copy(answer->verdict.decisions[i].set);

        json_object_update_recursive(all, set);
        json_decref(set);
    }
    return all;
}

/* NULL: none, or no JSON. */
static json_t *body_of(const aa_answer_t *answer, apr_pool_t *p)
{
    json_t *body = answer->body ? json_loadb(answer->body, answer->body_len,
                                             JSON_DECODE_ANY, NULL)
                                : NULL;

    return aa_json_own(body, p);
}

static int differs_member(aa_difference_t *difference, const char *label,
                          const json_t *expected, const json_t *got,
                          apr_pool_t *p)
{
    if (!expected || json_equal(expected, got))
        return 0;
    return differ(difference, labelled(label, expected, p),
                  labelled(label, got, p));
}

/* A handler that returns false says no more than that. */
static const char *reason_of(const aa_answer_t *answer, apr_pool_t *p)
{
    const aa_policy_verdict_t *verdict = &answer->verdict;

    if (answer->effect != AA_POLICY_DENY)
        return NULL;
    if (!verdict->reason && verdict->handler)
        return apr_pstrcat(p, "handler ", verdict->handler, " returned false",
                           NULL);
    return verdict->reason;
}

int aa_cli_differs(aa_difference_t *difference, const aa_expect_t *expect,
                   const aa_answer_t *answer, apr_pool_t *p)
{
    json_t *headers = headers_of(answer, p);

    difference->reason = reason_of(answer, p);
    return differs_user(difference, expect, answer, p) ||
           differs_outcome(difference, expect, answer, p) ||
           (expect->headers && !holds(headers, expect->headers) &&
            differ(difference, labelled("headers", expect->headers, p),
                   labelled("headers", headers, p))) ||
           differs_member(difference, "set", expect->set, set_of(answer, p),
                          p) ||
           differs_member(difference, "body", expect->body, body_of(answer, p),
                          p);
}
