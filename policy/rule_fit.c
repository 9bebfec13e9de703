/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the words of a rule fit together, and fit the row.
 *
 * A rule that is half carried out lets somebody through who relies on it, so a
 * word without an effect is refused, and so is what no word carries out. */
#include <string.h>

#include "rule.h"
#include "word.h"

/* ----------------------------------------------------------- word with word */

/* A rule that does nothing would let everything through. */
static int does_something(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    if (rule->nasks || rule->check || rule->stamp || rule->sent ||
        rule->asks_runs)
        return 1;
    return aa_form_fail(in->form, "enforce: neither ask_first, check, stamp, "
                                  "sent nor asks");
}

static int fits_check(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    int is_many = rule->check == AA_CHECK_LIST || rule->check == AA_CHECK_COUNT;

    if (rule->check == AA_CHECK_COUNT && !rule->page.search)
        return aa_form_fail(in->form, "a count needs page = { search = … }");
    if (rule->restrict_to && !is_many)
        return aa_form_fail(in->form,
                            "restrict is for check = \"list\" and \"count\"");
    if (rule->wrap && rule->check != AA_CHECK_LIST)
        return aa_form_fail(in->form, "wrap is for check = \"list\"");
    if (rule->copies && is_many)
        return aa_form_fail(in->form, "copies: the answer is one object, no "
                                      "list or count");
    return 1;
}

/* What is looked at, or made anew, is held until it is whole. */
static int fits_stream(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    if (!rule->long_lived && !in->route->websocket)
        return 1;
    if (rule->check || rule->copies)
        return aa_form_fail(in->form, "a stream is passed on as it comes: "
                                      "neither check nor copies");
    return 1;
}

static int fits_elements(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    if (rule->each && rule->page.limit && !rule->page.in_query)
        return aa_form_fail(in->form, "page: the body is an array");
    if (rule->events && !*rule->events)
        return aa_form_fail(in->form, "events: an empty list");
    return 1;
}

/* ------------------------------------------------------------ rule with row */

static int is_among(const char *name, const char *const *names)
{
    return names && aa_word_index(name, names) >= 0;
}

/* A change of this member, or of one below it, reaches the backend. */
static int arrives(const aa_rule_t *rule, const aa_member_t *member)
{
    int i;

    switch (member->from) {
    case AA_FROM_BODY:
        return 1;
    case AA_FROM_QUERY:
        return is_among(member->name, rule->set_query);
    case AA_FROM_TABLE:
        if (!member->nmembers)
            return rule->copies && !strcmp(member->name, rule->match[0]);
        for (i = 0; i < member->nmembers; i++)
            if (!arrives(rule, &member->members[i]))
                return 0;
        return 1;
    default:
        return 0;
    }
}

/* Without a backend that reads decisions, a change that no word carries out
 * would be lost, and a policy that relies on it with it. */
static int carries_changes(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    const aa_event_t *event;
    int i, j;

    for (i = 0; i < in->route->nevents; i++) {
        event = &in->route->events[i];
        for (j = 0; j < event->nmembers; j++)
            if (event->members[j].is_mutable &&
                !arrives(rule, &event->members[j]))
                return aa_form_fail(in->form,
                                    "enforce: a change of mutable '%s' would "
                                    "not reach the backend",
                                    event->members[j].name);
    }
    return 1;
}

static int fits_row(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    if (!in->gateway)
        return 1;
    if (in->route->access != AA_ACCESS_POLICY)
        return aa_form_fail(in->form, "enforce: no policy is asked here, so "
                                      "it can only refuse");
    return carries_changes(in, rule);
}

int aa_rule_fits(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    return does_something(in, rule) && fits_check(in, rule) &&
           fits_stream(in, rule) && fits_elements(in, rule) &&
           fits_row(in, rule);
}
