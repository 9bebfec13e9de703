/* SPDX-License-Identifier: Apache-2.0 */
/* `ask_first` of a rule: objects that the backend is asked for before. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "rule.h"
#include "word.h"

static const char *const ask_words[] = {
    "events", "hold",   "retires", "optional", "each", "absent",
    "create", "exempt", "same",    "hidden",   NULL};
static const char *const create_words[] = {"when",  "path",  "body",
                                           "stamp", "after", NULL};
/* in the order of aa_hold_e */
static const char *const hold_words[] = {"shared", "exclusive", NULL};

/* { "member", "text" }; NULL changes nothing. */
static int read_pair(const aa_rule_in_t *in, const char **member,
                     const char **text, const json_t *pair, const char *what)
{
    if (!pair)
        return 1;
    *text = json_string_value(json_array_get(pair, 1));
    if (json_array_size(pair) != 2 || !*text)
        return aa_form_fail(in->form, "%s: { \"member\", \"text\" }", what);
    return aa_rule_member(in, member, json_array_get(pair, 0), what);
}

static int read_create(const aa_rule_in_t *in, aa_ask_t *ask,
                       const json_t *table)
{
    aa_create_t *create;

    if (!table)
        return 1;
    create = apr_pcalloc(in->form->p, sizeof(*create));
    ask->create = create;
    create->path = json_string_value(json_object_get(table, "path"));
    create->body = json_object_get(table, "body");
    return aa_form_fields(in->form, table, "create", create_words, 0) &&
           aa_rule_path(in, create->path, "create", AA_TEMPLATE_REQUEST) &&
           aa_rule_json(in, create->body, "create: body") &&
           aa_rule_inner(in, &create->stamp, json_object_get(table, "stamp"),
                         "create: stamp") &&
           read_pair(in, &create->when_member, &create->when_is,
                     json_object_get(table, "when"), "create: when") &&
           read_pair(in, &create->then_member, &create->then_is,
                     json_object_get(table, "after"), "create: after");
}

/* true, false or "matching". */
static int read_absent(const aa_rule_in_t *in, aa_ask_t *ask,
                       const json_t *value)
{
    if (!value || json_is_false(value))
        return 1;
    if (json_is_true(value)) {
        ask->absent = AA_ABSENT_FINE;
        return 1;
    }
    if (!json_is_string(value) || strcmp(json_string_value(value), "matching"))
        return aa_form_fail(in->form,
                            "absent must be true, false or \"matching\"");
    ask->absent = AA_ABSENT_MATCHING;
    return aa_rule_reads_body(in, "absent");
}

static int read_exempt(const aa_rule_in_t *in, aa_ask_t *ask,
                       const json_t *table)
{
    json_t *source = (json_t *)table, *value;
    const char *key;

    if (!table)
        return 1;
    if (!json_is_object(table) || !json_object_size(table))
        return aa_form_fail(in->form, "exempt must be a table of names");
    json_object_foreach(source, key, value)
    {
        if (json_is_object(value) || json_is_array(value) || apr_isdigit(*key))
            return aa_form_fail(in->form, "exempt: '%s' is no plain value",
                                key);
    }
    ask->exempt = table;
    if (ask->events && !ask->events[0])
        return aa_form_fail(in->form, "exempt from no events");
    return 1;
}

/* Templates, of texts: an answer is compared with what was asked for. */
static int read_same(const aa_rule_in_t *in, aa_ask_t *ask, const json_t *table)
{
    json_t *source = (json_t *)table, *value;
    const char *key;

    if (!table)
        return 1;
    if (!aa_rule_json(in, table, "same"))
        return 0;
    json_object_foreach(source, key, value)
    {
        if (!json_is_string(value))
            return aa_form_fail(in->form, "same: '%s' is no text", key);
    }
    ask->same = table;
    return 1;
}

/* Where the body is an array, a template speaks of its elements. */
static int check_words(const aa_rule_in_t *in, const aa_ask_t *ask)
{
    const char *place = strstr(ask->path, "{body.");

    if (ask->each && !place)
        return aa_form_fail(in->form, "each: '%s' has no {body.…}", ask->path);
    if (!ask->each && place && in->route->rule->each)
        return aa_form_fail(
            in->form, "'%s' is asked for each element: each = true", ask->path);
    if (ask->optional && !place && !strstr(ask->path, "{query."))
        return aa_form_fail(
            in->form, "optional: '%s' has no {body.…} or {query.…}", ask->path);
    if (ask->retires && ask->hold != AA_HOLD_EXCLUSIVE)
        return aa_form_fail(in->form, "retires: needs hold = \"exclusive\"");
    if (ask->each && !in->route->rule->each &&
        (ask->create || ask->absent == AA_ABSENT_MATCHING))
        return aa_form_fail(in->form, "each text of a list is no body: neither "
                                      "create nor absent = \"matching\"");
    if (ask->create && ask->absent)
        return aa_form_fail(in->form, "create and absent exclude each other");
    return 1;
}

static int read_ask(const aa_rule_in_t *in, aa_ask_t *ask, const json_t *item)
{
    int hold = 0;

    ask->path = json_is_string(item) ? json_string_value(item)
                                     : json_string_value(aa_form_item(item, 1));
    if (!json_is_string(item) &&
        !aa_form_fields(in->form, item, "ask_first", ask_words, 1))
        return 0;
    if (!aa_rule_path(in, ask->path, "ask_first", AA_TEMPLATE_REQUEST) ||
        !aa_rule_events(in, &ask->events, json_object_get(item, "events"),
                        "ask_first") ||
        !aa_form_choice(in->form, &hold, item, "hold", hold_words) ||
        !aa_form_flag(in->form, &ask->retires, item, "retires") ||
        !aa_form_flag(in->form, &ask->optional, item, "optional") ||
        !aa_form_flag(in->form, &ask->each, item, "each") ||
        !read_absent(in, ask, json_object_get(item, "absent")) ||
        !read_create(in, ask, json_object_get(item, "create")) ||
        !read_exempt(in, ask, json_object_get(item, "exempt")) ||
        !read_same(in, ask, json_object_get(item, "same")) ||
        !aa_rule_hidden(in, &ask->status, &ask->type, &ask->body,
                        json_object_get(item, "hidden")))
        return 0;
    ask->hold = (aa_hold_e)hold;
    return check_words(in, ask);
}

int aa_rule_asks(const aa_rule_in_t *in, const aa_ask_t **asks, int *n,
                 const json_t *json)
{
    size_t i, count = json_is_array(json) ? json_array_size(json) : 1;
    aa_ask_t *list;

    if (!json)
        return 1;
    if (!count || (json_is_object(json) && !json_object_size(json)))
        return aa_form_fail(in->form, "ask_first asks for nothing");
    if (count > AA_RULE_ASKS_MAX)
        return aa_form_fail(in->form, "ask_first: more than %d objects",
                            AA_RULE_ASKS_MAX);
    list = apr_pcalloc(in->form->p, sizeof(*list) * count);
    for (i = 0; i < count; i++)
        if (!read_ask(in, &list[i],
                      json_is_array(json) ? json_array_get(json, i) : json))
            return 0;
    *asks = list;
    *n = (int)count;
    return 1;
}
