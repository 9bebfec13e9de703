/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the `enforce` table of a row and compiles it.
 *
 * What it says is all that stands between two tenants, so a word that is not
 * known, or that cannot have an effect in this row, is a mistake. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "rule.h"
#include "word.h"

#define LIMIT_MAX_DEFAULT 1000 /* elements of a page, where no max is said */

static const char *const rule_words[] = {
    "refuse", "ask_first", "rewrite",  "check",  "page",
    "match",  "wrap",      "hidden",   "events", "sent",
    "copies", "stream",    "remember", "asks",   NULL};
static const char *const rewrite_words[] = {
    "stamp",     "keep",         "restrict", "configurable", "webhook",
    "drop_body", "drop_headers", "query",    "drop_query",   NULL};
static const char *const page_words[] = {"limit", "offset", "max",    "query",
                                         "items", "select", "search", "total",
                                         "next",  NULL};
/* in the order of aa_check_e, after AA_CHECK_NONE */
static const char *const check_words[] = {"object", "list", "count", NULL};
static const char *const run_words[] = {"run", NULL};
static const char *const metadata_only[] = {"metadata", NULL};

static const json_t *field(const json_t *table, const char *name)
{
    return json_object_get(table, name);
}

/* A field that is one of @a words, from 1 on; absent is 0. */
static int read_kind(const aa_rule_in_t *in, int *kind, const json_t *table,
                     const char *name, const char *const *words)
{
    if (!aa_form_choice(in->form, kind, table, name, words))
        return 0;
    if (field(table, name))
        ++*kind;
    return 1;
}

/* ------------------------------------------------------------------ rewrite */

static int is_header_char(char c)
{
    return apr_islower(c) || apr_isdigit(c) || c == '-' || c == '_';
}

/* Lower case, and a '*' at the end only. */
static int check_headers(const aa_rule_in_t *in, const char *const *headers)
{
    const char *s;

    for (; headers && *headers; headers++)
        for (s = *headers; *s; s++)
            if (!is_header_char(*s) && (*s != '*' || s[1] || s == *headers))
                return aa_form_fail(in->form,
                                    "drop_headers: '%s' is no name in lower "
                                    "case, with a '*' at its end or without",
                                    *headers);
    return 1;
}

/* Names of a list that are members of the body. */
static int check_members(const aa_rule_in_t *in, const json_t *list)
{
    const char *member;
    size_t i;

    for (i = 0; i < json_array_size(list); i++)
        if (!aa_rule_member(in, &member, json_array_get(list, i), "drop_body"))
            return 0;
    return 1;
}

static int is_mutable_query(const aa_route_t *route, const char *name)
{
    const aa_member_t *member;
    int i, j;

    for (i = 0; i < route->nevents; i++)
        for (j = 0; j < route->events[i].nmembers; j++) {
            member = &route->events[i].members[j];
            if (member->is_mutable && member->from == AA_FROM_QUERY &&
                !strcmp(member->name, name) && !strcmp(member->key, name))
                return 1;
        }
    return 0;
}

static int check_query(const aa_rule_in_t *in, const char *const *names)
{
    for (; names && *names; names++)
        if (in->gateway && !is_mutable_query(in->route, *names))
            return aa_form_fail(in->form,
                                "rewrite: query '%s' is no mutable member that "
                                "comes from the query",
                                *names);
    return 1;
}

/* An object of the body; "." is the body itself. */
static int read_object(const aa_rule_in_t *in, const char **member,
                       const json_t *text, const char *what)
{
    const char *value = json_string_value(text);

    if (!value || strcmp(value, "."))
        return aa_rule_member(in, member, text, what);
    *member = value;
    return aa_rule_reads_body(in, what);
}

static int read_rewrite(const aa_rule_in_t *in, aa_rule_t *rule,
                        const json_t *table)
{
    if (!table)
        return 1;
    return aa_form_fields(in->form, table, "rewrite", rewrite_words, 0) &&
           read_object(in, &rule->stamp, field(table, "stamp"), "stamp") &&
           read_object(in, &rule->keep, field(table, "keep"), "keep") &&
           read_object(in, &rule->restrict_to, field(table, "restrict"),
                       "restrict") &&
           aa_rule_member(in, &rule->configurable, field(table, "configurable"),
                          "configurable") &&
           aa_rule_member(in, &rule->webhook, field(table, "webhook"),
                          "webhook") &&
           aa_rule_names(in, &rule->set_query, field(table, "query"),
                         "query") &&
           check_query(in, rule->set_query) &&
           aa_rule_names(in, &rule->drop_query, field(table, "drop_query"),
                         "drop_query") &&
           aa_rule_names(in, &rule->drop_body, field(table, "drop_body"),
                         "drop_body") &&
           check_members(in, field(table, "drop_body")) &&
           aa_rule_names(in, &rule->drop_headers, field(table, "drop_headers"),
                         "drop_headers") &&
           check_headers(in, rule->drop_headers);
}

/* -------------------------------------------------------------------- pages */

static int read_number(const aa_rule_in_t *in, long *number,
                       const json_t *value, const char *what)
{
    json_int_t n = json_integer_value(value);

    if (!value)
        return 1;
    if (!json_is_integer(value) || n < 1 || n > AA_RULE_PAGE_MAX)
        return aa_form_fail(in->form, "%s must be a number from 1 to %d", what,
                            AA_RULE_PAGE_MAX);
    *number = (long)n;
    return 1;
}

/* The name of a header that is written; NULL stays NULL. */
static int read_header(const aa_rule_in_t *in, const char **name,
                       const json_t *text, const char *what)
{
    const char *s;

    if (!aa_rule_name(in, name, text, what))
        return 0;
    for (s = *name; s && *s; s++)
        if (!is_header_char(*s))
            return aa_form_fail(in->form, "%s: '%s' is no name in lower case",
                                what, *name);
    return 1;
}

/* A parameter of the query, or a member of the body. */
static int read_field(const aa_rule_in_t *in, const char **name, int in_query,
                      const json_t *text, const char *what)
{
    return in_query ? aa_rule_name(in, name, text, what)
                    : aa_rule_member(in, name, text, what);
}

static int check_page(const aa_rule_in_t *in, const aa_rule_t *rule)
{
    const aa_page_t *page = &rule->page;

    if (rule->check != AA_CHECK_LIST && rule->check != AA_CHECK_COUNT)
        return aa_form_fail(in->form,
                            "page is for check = \"list\" and \"count\"");
    if (!page->limit || !page->offset || !page->limit_default)
        return aa_form_fail(in->form, "page: limit = { \"limit\", 10 } and "
                                      "offset = \"offset\"");
    if (page->limit_default > page->limit_max)
        return aa_form_fail(in->form, "page: limit is more than max");
    if (page->search && rule->check != AA_CHECK_COUNT)
        return aa_form_fail(in->form, "search is for check = \"count\"");
    if ((page->total || page->next) && rule->check != AA_CHECK_LIST)
        return aa_form_fail(in->form,
                            "total and next are for check = \"list\"");
    return 1;
}

static int read_page(const aa_rule_in_t *in, aa_rule_t *rule,
                     const json_t *table)
{
    aa_page_t *page = &rule->page;
    const json_t *search = field(table, "search"),
                 *limit = field(table, "limit");

    if (!table)
        return 1;
    page->limit_max = LIMIT_MAX_DEFAULT;
    if (search)
        page->search = json_string_value(search);
    return aa_form_fields(in->form, table, "page", page_words, 0) &&
           aa_form_flag(in->form, &page->in_query, table, "query") &&
           read_field(in, &page->limit, page->in_query,
                      json_array_get(limit, 0), "limit") &&
           read_number(in, &page->limit_default, json_array_get(limit, 1),
                       "limit") &&
           read_number(in, &page->limit_max, field(table, "max"), "max") &&
           read_field(in, &page->offset, page->in_query, field(table, "offset"),
                      "offset") &&
           aa_rule_inner(in, &page->items, field(table, "items"), "items") &&
           aa_rule_member(in, &page->select, field(table, "select"),
                          "select") &&
           (!search ||
            aa_rule_path(in, page->search, "search", AA_TEMPLATE_REQUEST)) &&
           read_header(in, &page->total, field(table, "total"), "total") &&
           read_header(in, &page->next, field(table, "next"), "next") &&
           check_page(in, rule);
}

/* -------------------------------------------------------------------- match */

/* A text, or a list of texts; "." stands alone. */
static int read_match(const aa_rule_in_t *in, aa_rule_t *rule,
                      const json_t *json)
{
    const char **one = apr_pcalloc(in->form->p, sizeof(*one) * 2);
    int i;

    rule->match = metadata_only;
    if (!json)
        return 1;
    if (json_is_string(json)) {
        rule->match = one;
        *one = json_string_value(json);
        return !strcmp(*one, ".") || aa_rule_inner(in, one, json, "match");
    }
    if (!aa_rule_names(in, &rule->match, json, "match"))
        return 0;
    for (i = 0; rule->match[i]; i++)
        if (strchr(rule->match[i], '.'))
            return aa_form_fail(in->form, "match: in a list, '%s' is no name",
                                rule->match[i]);
    return i ? 1 : aa_form_fail(in->form, "match: an empty list");
}

/* --------------------------------------------------------------- the rule */

static int has_param(const aa_rule_in_t *in, const char *name)
{
    return aa_word_index(name, in->params) >= 0;
}

static int read_flags(const aa_rule_in_t *in, aa_rule_t *rule,
                      const json_t *table)
{
    const json_t *copies = field(table, "copies");

    if (copies) {
        rule->copies = json_string_value(copies);
        if (!aa_rule_path(in, rule->copies, "copies", AA_TEMPLATE_ANSWER))
            return 0;
        if (!strstr(rule->copies, "{answer."))
            return aa_form_fail(in->form, "copies: the path has no {answer.…}");
    }
    if (!aa_form_flag(in->form, &rule->long_lived, table, "stream") ||
        !aa_form_flag(in->form, &rule->sent, table, "sent") ||
        !read_kind(in, &rule->remembers_run, table, "remember", run_words) ||
        !read_kind(in, &rule->asks_runs, table, "asks", run_words))
        return 0;
    if (rule->asks_runs && !has_param(in, "run_id"))
        return aa_form_fail(in->form, "asks: the path has no {run_id}");
    return !rule->sent || aa_rule_reads_body(in, "sent");
}

/* Refusing is all that such a rule does. */
static int read_refuse(const aa_rule_in_t *in, aa_rule_t *rule,
                       const json_t *table)
{
    rule->refuse = json_string_value(field(table, "refuse"));
    if (!rule->refuse || !*rule->refuse)
        return aa_form_fail(in->form, "refuse: say why");
    if (json_object_size(table) > 1)
        return aa_form_fail(in->form, "refuse stands alone");
    return 1;
}

/* An array in the body is what `each` of an event says. */
static int each_event(const aa_route_t *route)
{
    int i;

    for (i = 0; i < route->nevents; i++)
        if (route->events[i].each)
            return 1;
    return 0;
}

static int read_rule(const aa_rule_in_t *in, aa_rule_t *rule,
                     const json_t *table)
{
    int check = 0;

    if (!aa_form_fields(in->form, table, "enforce", rule_words, 0))
        return 0;
    if (field(table, "refuse"))
        return read_refuse(in, rule, table);
    rule->each = each_event(in->route);
    if (!aa_rule_asks(in, &rule->asks, &rule->nasks,
                      field(table, "ask_first")) ||
        !read_rewrite(in, rule, field(table, "rewrite")) ||
        !read_kind(in, &check, table, "check", check_words))
        return 0;
    rule->check = (aa_check_e)check;
    return read_page(in, rule, field(table, "page")) &&
           read_match(in, rule, field(table, "match")) &&
           aa_rule_name(in, &rule->wrap, field(table, "wrap"), "wrap") &&
           aa_rule_events(in, &rule->events, field(table, "events"),
                          "enforce") &&
           aa_rule_hidden(in, &rule->hidden_status, &rule->hidden_type,
                          &rule->hidden_body, field(table, "hidden")) &&
           read_flags(in, rule, table) && aa_rule_fits(in, rule);
}

int aa_rule_compile(const aa_rule_in_t *in, const json_t *table)
{
    aa_rule_t *rule = apr_pcalloc(in->form->p, sizeof(*rule));

    rule->hidden_status = 404;
    rule->match = metadata_only;
    in->route->rule = rule;
    return read_rule(in, rule, table);
}
