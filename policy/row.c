/* SPDX-License-Identifier: Apache-2.0 */
/* Checks one row of a route map and compiles it.
 *
 * A row that is misread opens a door, so nothing is guessed: every word must
 * be known, every source must exist, every mutable member must be a member. */
#include <stdlib.h>
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "form.h"
#include "row.h"
#include "rule.h"
#include "word.h"

/** One row under way. */
typedef struct row_t {
    aa_form_t form;
    aa_route_t *route;
    apr_array_header_t *params;  /* const char *: names in the path */
    apr_array_header_t *queries; /* const char *: names in values */
    int gateway;                 /* its rule will be used */
} row_t;

static const char *const row_words[] = {
    "events",           "mutable",         "body",
    "enforce",          "access",          "websocket",
    "native_unchecked", "events_optional", NULL};
static const char *const event_words[] = {"value", "when", "each", NULL};
static const char *const source_words[] = {"path", "query", "body", "literal",
                                           NULL};
/* in the order of aa_access_e and aa_body_e */
static const char *const access_words[] = {"policy", "user", "open", "refuse",
                                           NULL};
static const char *const body_words[] = {"none", "json", "stream", NULL};

/* a-z, digits and '_', beginning with a letter. */
static int is_name(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (!apr_islower(text[i]) &&
            (!i || (!apr_isdigit(text[i]) && text[i] != '_')))
            return 0;
    return len > 0 && len <= AA_WORD_MAX;
}

/* ---------------------------------------------------- method and path */

static int read_method(row_t *row, const json_t *value)
{
    const char *method = json_string_value(value), *s;

    if (!method || !*method || strlen(method) > 32)
        return aa_form_fail(&row->form,
                            "a row begins with a method and a path");
    for (s = method; *s; s++)
        if (!apr_isupper(*s))
            return aa_form_fail(&row->form, "method '%s' is not upper case",
                                method);
    if (!strcmp(method, "HEAD"))
        return aa_form_fail(&row->form, "HEAD is decided by the row of GET");
    row->route->method = method;
    return 1;
}

/* {name} or {name...}, the latter last only. */
static int read_param(row_t *row, const char *segment, size_t len)
{
    const char *name = segment + 1;
    size_t n = len - 2;
    int is_tail;

    if (len < 3 || segment[len - 1] != '}')
        return aa_form_fail(&row->form, "'%.*s' is no {name}", (int)len,
                            segment);
    is_tail = n > 3 && !strncmp(name + n - 3, "...", 3);
    if (is_tail)
        n -= 3;
    if (!is_name(name, n))
        return aa_form_fail(&row->form, "'%.*s' is no {name}", (int)len,
                            segment);
    if (is_tail && segment[len])
        return aa_form_fail(&row->form, "{%.*s...} must be the last segment",
                            (int)n, name);
    name = apr_pstrmemdup(row->form.p, name, n);
    if (aa_word_index(name, aa_form_terminated(row->params)) >= 0)
        return aa_form_fail(&row->form, "{%s} is there twice", name);
    if (row->params->nelts == AA_ROUTE_PARAMS_MAX)
        return aa_form_fail(&row->form, "more than %d parameters",
                            AA_ROUTE_PARAMS_MAX);
    APR_ARRAY_PUSH(row->params, const char *) = name;
    return 1;
}

static int read_segments(row_t *row, const char *path)
{
    const char *segment = path + 1;
    int n = 0;

    for (;;) {
        size_t len = strcspn(segment, "/");

        if (++n > AA_ROW_SEGMENTS_MAX)
            return aa_form_fail(&row->form, "more than %d segments",
                                AA_ROW_SEGMENTS_MAX);
        if (*segment == '{') {
            if (!read_param(row, segment, len))
                return 0;
        }
        else if (strcspn(segment, "{}") < len)
            return aa_form_fail(&row->form, "a {name} is a whole segment");
        if (!segment[len])
            return 1;
        segment += len + 1;
    }
}

static int read_path(row_t *row, const json_t *value)
{
    const char *path = json_string_value(value), *why = NULL;

    if (!path)
        return aa_form_fail(&row->form,
                            "a row begins with a method and a path");
    row->route->path = path;
    row->route->name =
        apr_pstrcat(row->form.p, row->route->method, " ", path, NULL);
    if (strlen(path) > AA_ROW_NAME_MAX)
        return aa_form_fail(&row->form, "the path is longer than %d bytes",
                            AA_ROW_NAME_MAX);
    if (!aa_path_plain(path, &why))
        return aa_form_fail(&row->form, "no plain path: %s", why);
    return read_segments(row, path);
}

/* --------------------------------------------------------------- values */

static int read_members(row_t *row, aa_member_t **members, int *n,
                        const json_t *table);

/* The name in the source: $key, or the member's own. */
static int read_key(row_t *row, aa_member_t *member, const json_t *source)
{
    const json_t *key = json_object_get(source, "$key");

    member->key = key ? json_string_value(key) : member->name;
    if (!member->key || !*member->key)
        return aa_form_fail(&row->form, "%s: the name in the source is no text",
                            member->name);
    return 1;
}

static int read_split(row_t *row, aa_member_t *member, const json_t *source)
{
    const json_t *split = json_object_get(source, "$split");

    if (!split)
        return 1;
    if (json_string_length(split) != 1 || member->from == AA_FROM_BODY)
        return aa_form_fail(&row->form,
                            "%s: split is one character, for path and query",
                            member->name);
    member->split = *json_string_value(split);
    return 1;
}

/* Those parameters are read, and may come once. */
static void name_query(row_t *row, const char *name)
{
    if (aa_word_index(name, aa_form_terminated(row->queries)) < 0)
        APR_ARRAY_PUSH(row->queries, const char *) = name;
}

static int read_source(row_t *row, aa_member_t *member, json_t *source)
{
    const char *from = json_string_value(json_object_get(source, "$from"));
    int kind = from ? aa_word_index(from, source_words) : -1;

    if (kind < 0)
        return aa_form_fail(&row->form, "%s: no such source", member->name);
    member->from = (aa_from_e)kind; /* words are in the order of aa_from_e */
    if (json_object_get(source, "$except"))
        return aa_form_fail(&row->form, "%s: except is for when", member->name);
    if (member->from == AA_FROM_LITERAL) {
        member->literal = json_object_get(source, "$value");
        if (!member->literal)
            member->literal = json_null();
        return 1;
    }
    if (!read_key(row, member, source) || !read_split(row, member, source))
        return 0;
    if (member->from == AA_FROM_PATH &&
        aa_word_index(member->key, aa_form_terminated(row->params)) < 0)
        return aa_form_fail(
            &row->form, "%s: the path has no {%s}%s", member->name, member->key,
            aa_word_hint(member->key, aa_form_terminated(row->params),
                         row->form.p));
    if (member->from == AA_FROM_QUERY)
        name_query(row, member->key);
    if (member->from == AA_FROM_BODY)
        row->route->reads_body = 1;
    return 1;
}

static int read_member(row_t *row, aa_member_t *member, const char *name,
                       json_t *value)
{
    member->name = name;
    if (apr_isdigit(*name) || !*name)
        return aa_form_fail(&row->form, "a value has names, not items");
    if (!json_is_object(value))
        return aa_form_fail(
            &row->form, "%s: path, query, body, literal(v) or a table", name);
    if (json_object_get(value, "$from"))
        return read_source(row, member, value);
    member->from = AA_FROM_TABLE;
    return read_members(row, &member->members, &member->nmembers, value);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const aa_member_t *)a)->name,
                  ((const aa_member_t *)b)->name);
}

/* Members in the order of their names: Lua keeps none. */
static int read_members(row_t *row, aa_member_t **members, int *n,
                        const json_t *table)
{
    json_t *source = (json_t *)table, *value;
    aa_member_t *list;
    const char *key;

    *n = 0;
    if (!table)
        return 1;
    if (!json_is_object(table))
        return aa_form_fail(&row->form, "a value is a table of names");
    if (json_object_size(table) > AA_ROW_MEMBERS_MAX)
        return aa_form_fail(&row->form, "more than %d members",
                            AA_ROW_MEMBERS_MAX);
    list =
        apr_pcalloc(row->form.p, sizeof(*list) * (json_object_size(table) + 1));
    json_object_foreach(source, key, value)
    {
        if (!read_member(row, &list[(*n)++], key, value))
            return 0;
    }
    qsort(list, (size_t)*n, sizeof(*list), by_name);
    *members = list;
    return 1;
}

/* --------------------------------------------------------------- events */

/* query "name", query { "name", except = { "one", "other" } } */
static int read_when_query(row_t *row, aa_event_t *event, const json_t *source)
{
    apr_array_header_t *texts =
        apr_array_make(row->form.p, 4, sizeof(const char *));
    const char *from = json_string_value(json_object_get(source, "$from"));

    event->when = json_string_value(json_object_get(source, "$key"));
    if (!from || strcmp(from, "query") || !event->when || !*event->when ||
        json_object_get(source, "$split"))
        return aa_form_fail(&row->form, "when: a member of the body, or query "
                                        "\"name\"");
    if (!aa_form_texts(&row->form, texts, json_object_get(source, "$except"),
                       "except"))
        return 0;
    name_query(row, event->when);
    event->when_query = 1;
    event->when_in = aa_form_terminated(texts);
    return 1;
}

static int read_when(row_t *row, aa_event_t *event, const json_t *when)
{
    apr_array_header_t *texts =
        apr_array_make(row->form.p, 4, sizeof(const char *));
    const char *const *words;

    if (!when)
        return 1;
    if (json_object_get(when, "$from"))
        return read_when_query(row, event, when);
    row->route->reads_body = 1;
    if (json_is_string(when)) {
        event->when = json_string_value(when);
        return *event->when ? 1
                            : aa_form_fail(&row->form, "when: an empty name");
    }
    if (!aa_form_texts(&row->form, texts, when, "when"))
        return 0;
    if (texts->nelts < 2)
        return aa_form_fail(&row->form,
                            "when: a name, or a list of a name and its values");
    words = aa_form_terminated(texts);
    event->when = words[0];
    event->when_in = words + 1;
    return 1;
}

static int read_event(row_t *row, aa_event_t *event, const json_t *table)
{
    const char *resource = json_string_value(aa_form_item(table, 1));
    const char *action = json_string_value(aa_form_item(table, 2));

    if (!aa_form_fields(&row->form, table, "an event", event_words, 2))
        return 0;
    if (!resource || !action || !is_name(resource, strlen(resource)) ||
        !is_name(action, strlen(action)))
        return aa_form_fail(&row->form,
                            "an event begins with a resource and an action");
    event->resource = resource;
    event->action = action;
    if (!read_members(row, &event->members, &event->nmembers,
                      json_object_get(table, "value")) ||
        !read_when(row, event, json_object_get(table, "when")) ||
        !aa_form_flag(&row->form, &event->each, table, "each"))
        return 0;
    if (event->each)
        row->route->reads_body = 1;
    return 1;
}

static int read_events(row_t *row, const json_t *list)
{
    size_t i, n = json_array_size(list);

    if (list && !json_is_array(list))
        return aa_form_fail(
            &row->form, "events must be a list: {{ \"threads\", \"read\" }}");
    if (n > AA_POLICY_EVENTS_MAX)
        return aa_form_fail(&row->form, "more than %d events",
                            AA_POLICY_EVENTS_MAX);
    row->route->events =
        apr_pcalloc(row->form.p, sizeof(*row->route->events) * (n + 1));
    for (i = 0; i < n; i++)
        if (!read_event(row, &row->route->events[i], json_array_get(list, i)))
            return 0;
    row->route->nevents = (int)n;
    return 1;
}

/* ------------------------------------------------------ -------- mutable */

static int mark(aa_event_t *event, const char *name)
{
    int i, found = 0;

    for (i = 0; i < event->nmembers; i++)
        if (!strcmp(event->members[i].name, name))
            found = event->members[i].is_mutable = 1;
    return found;
}

static const char *const *member_names(row_t *row)
{
    apr_array_header_t *names =
        apr_array_make(row->form.p, 8, sizeof(const char *));
    int i, j;

    for (i = 0; i < row->route->nevents; i++)
        for (j = 0; j < row->route->events[i].nmembers; j++)
            APR_ARRAY_PUSH(names, const char *) =
                row->route->events[i].members[j].name;
    return aa_form_terminated(names);
}

static int read_mutable(row_t *row, const json_t *list)
{
    apr_array_header_t *names =
        apr_array_make(row->form.p, 4, sizeof(const char *));
    const char *name;
    int i, j, found;

    if (!aa_form_texts(&row->form, names, list, "mutable"))
        return 0;
    for (i = 0; i < names->nelts; i++) {
        name = APR_ARRAY_IDX(names, i, const char *);
        for (j = found = 0; j < row->route->nevents; j++)
            found |= mark(&row->route->events[j], name);
        if (!found)
            return aa_form_fail(
                &row->form, "mutable '%s' is a member of no value%s", name,
                aa_word_hint(name, member_names(row), row->form.p));
    }
    return 1;
}

/* ------------------------------------------------------------------ the row */

/* What fits together only when all of the row is known. */
static int check_whole(row_t *row)
{
    const aa_route_t *route = row->route;

    if (route->access == AA_ACCESS_POLICY && !route->nevents)
        return aa_form_fail(&row->form, "access \"policy\" needs events; "
                                        "access \"user\" lets any user in");
    if (route->access != AA_ACCESS_POLICY && route->nevents)
        return aa_form_fail(&row->form,
                            "access \"%s\" asks no policy, so it has no events",
                            access_words[route->access]);
    if (route->reads_body && route->body != AA_BODY_JSON)
        return aa_form_fail(&row->form,
                            "its events read the body: body = \"json\"");
    if (route->websocket && strcmp(route->method, "GET"))
        return aa_form_fail(&row->form, "a websocket begins with GET");
    return 1;
}

static int read_rule(row_t *row, const json_t *table)
{
    aa_rule_in_t in = {&row->form, row->route, NULL, row->queries,
                       row->gateway};

    in.params = aa_form_terminated(row->params);
    return !table || aa_rule_compile(&in, table);
}

static int read_row(row_t *row, const json_t *json)
{
    aa_route_t *route = row->route;
    int access, body;

    if (!read_method(row, aa_form_item(json, 1)) ||
        !read_path(row, aa_form_item(json, 2)) ||
        !aa_form_fields(&row->form, json, "a row", row_words, 2) ||
        !aa_form_choice(&row->form, &access, json, "access", access_words) ||
        !aa_form_choice(&row->form, &body, json, "body", body_words) ||
        !aa_form_flag(&row->form, &route->websocket, json, "websocket") ||
        !aa_form_flag(&row->form, &route->native_unchecked, json,
                      "native_unchecked") ||
        !aa_form_flag(&row->form, &route->events_optional, json,
                      "events_optional"))
        return 0;
    route->access = (aa_access_e)access;
    route->body = (aa_body_e)body;
    return read_events(row, json_object_get(json, "events")) &&
           read_mutable(row, json_object_get(json, "mutable")) &&
           check_whole(row) && read_rule(row, json_object_get(json, "enforce"));
}

apr_status_t aa_row_compile(aa_route_t *route, const char **why,
                            const json_t *json, int gateway, apr_pool_t *p)
{
    row_t row = {{p, NULL}, route, NULL, NULL, gateway};

    memset(route, 0, sizeof(*route));
    row.params = apr_array_make(p, AA_ROUTE_PARAMS_MAX, sizeof(const char *));
    row.queries = apr_array_make(p, 4, sizeof(const char *));
    if (!read_row(&row, json)) {
        *why = route->name
                   ? apr_pstrcat(p, route->name, ": ", row.form.why, NULL)
                   : row.form.why;
        return APR_EINVAL;
    }
    route->query_names = aa_form_terminated(row.queries);
    return APR_SUCCESS;
}
