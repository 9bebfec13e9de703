/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that rules are made of: templates, members, events, answers. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "row.h"
#include "rule.h"
#include "word.h"

int aa_rule_reads_body(const aa_rule_in_t *in, const char *what)
{
    if (in->route->body != AA_BODY_JSON)
        return aa_form_fail(in->form, "%s reads the body: body = \"json\"",
                            what);
    if (in->gateway)
        in->route->reads_body = 1;
    return 1;
}

/* "a" or "a.b": no part of it is empty. */
static int is_member(const char *text, size_t len)
{
    size_t i;

    if (!len || len > AA_WORD_MAX || text[0] == '.' || text[len - 1] == '.')
        return 0;
    for (i = 0; i < len; i++)
        if ((text[i] == '.' && text[i + 1] == '.') ||
            apr_iscntrl((unsigned char)text[i]) || strchr("{}", text[i]))
            return 0;
    return 1;
}

/* --------------------------------------------------------------- templates */

static int read_query(const aa_rule_in_t *in, const char *name)
{
    apr_array_header_t *queries = in->queries;

    if (in->gateway && aa_word_index(name, aa_form_terminated(queries)) < 0)
        APR_ARRAY_PUSH(queries, const char *) = name;
    return 1;
}

/* What stands between the braces. */
static int read_place(const aa_rule_in_t *in, const char *place,
                      const char *what, aa_template_e kind)
{
    if (!strncmp(place, "body.", 5) && is_member(place + 5, strlen(place + 5)))
        return aa_rule_reads_body(in, what);
    if (!strncmp(place, "query.", 6) && place[6])
        return read_query(in, place + 6);
    if (kind == AA_TEMPLATE_ANSWER && !strncmp(place, "answer.", 7) &&
        is_member(place + 7, strlen(place + 7)))
        return 1;
    if (aa_word_index(place, in->params) >= 0)
        return 1;
    return aa_form_fail(in->form,
                        "%s: {%s} is no parameter of the path, body.… or "
                        "query.…%s",
                        what, place,
                        aa_word_hint(place, in->params, in->form->p));
}

int aa_rule_template(const aa_rule_in_t *in, const char *text, const char *what,
                     aa_template_e kind)
{
    const char *s = text;
    size_t len;

    while (*(s += strcspn(s, "{}"))) {
        if (s[0] == s[1]) { /* a brace itself */
            s += 2;
            continue;
        }
        len = strcspn(s + 1, "{}");
        if (*s != '{' || s[len + 1] != '}')
            return aa_form_fail(in->form, "%s: a brace is alone in '%s'", what,
                                text);
        if (!read_place(in, apr_pstrmemdup(in->form->p, s + 1, len), what,
                        kind))
            return 0;
        s += len + 2;
    }
    return 1;
}

int aa_rule_path(const aa_rule_in_t *in, const char *text, const char *what,
                 aa_template_e kind)
{
    const char *why = NULL, *path;

    if (!text)
        return aa_form_fail(in->form, "%s: a path is missing", what);
    if (*text != '/')
        return aa_form_fail(in->form, "%s: '%s' does not begin with '/'", what,
                            text);
    path = apr_pstrmemdup(in->form->p, text, strcspn(text, "?"));
    if (strlen(text) > AA_ROW_NAME_MAX || strpbrk(text, " #"))
        return aa_form_fail(in->form, "%s: '%s' is no path", what, text);
    if (!aa_path_plain(path, &why))
        return aa_form_fail(in->form, "%s: no plain path: %s", what, why);
    return aa_rule_template(in, text, what, kind);
}

int aa_rule_json(const aa_rule_in_t *in, const json_t *object, const char *what)
{
    json_t *source = (json_t *)object, *value;
    const char *key;

    if (!json_is_object(object) || !json_object_size(object))
        return aa_form_fail(in->form, "%s must be a table of names", what);
    json_object_foreach(source, key, value)
    {
        if (apr_isdigit(*key))
            return aa_form_fail(in->form, "%s has names, not items", what);
        if (json_is_array(value))
            return aa_form_fail(in->form, "%s: '%s' is a list", what, key);
        if (json_is_object(value) && json_object_size(value) &&
            !aa_rule_json(in, value, what))
            return 0;
        if (json_is_string(value) &&
            !aa_rule_template(in, json_string_value(value), what,
                              AA_TEMPLATE_REQUEST))
            return 0;
    }
    return 1;
}

/* ----------------------------------------------------------- names, members */

int aa_rule_name(const aa_rule_in_t *in, const char **name, const json_t *text,
                 const char *what)
{
    if (!text)
        return 1;
    *name = json_string_value(text);
    if (!*name || !**name || strlen(*name) > AA_WORD_MAX)
        return aa_form_fail(in->form, "%s must be a text of 1 to %d bytes",
                            what, AA_WORD_MAX);
    return 1;
}

int aa_rule_inner(const aa_rule_in_t *in, const char **member,
                  const json_t *text, const char *what)
{
    if (!aa_rule_name(in, member, text, what))
        return 0;
    if (text && !is_member(*member, strlen(*member)))
        return aa_form_fail(in->form, "%s: '%s' is no member", what, *member);
    return 1;
}

int aa_rule_member(const aa_rule_in_t *in, const char **member,
                   const json_t *text, const char *what)
{
    return aa_rule_inner(in, member, text, what) &&
           (!text || aa_rule_reads_body(in, what));
}

int aa_rule_names(const aa_rule_in_t *in, const char *const **names,
                  const json_t *list, const char *what)
{
    apr_array_header_t *texts;
    int i;

    if (!list)
        return 1;
    texts = apr_array_make(in->form->p, 4, sizeof(const char *));
    if (!aa_form_texts(in->form, texts, list, what))
        return 0;
    if (texts->nelts > AA_RULE_TEXTS_MAX)
        return aa_form_fail(in->form, "%s: more than %d texts", what,
                            AA_RULE_TEXTS_MAX);
    for (i = 0; i < texts->nelts; i++)
        if (!*APR_ARRAY_IDX(texts, i, const char *))
            return aa_form_fail(in->form, "%s: an empty text", what);
    *names = aa_form_terminated(texts);
    return 1;
}

/* ------------------------------------------------------------------- events */

static const char *const *row_events(const aa_rule_in_t *in)
{
    apr_array_header_t *names =
        apr_array_make(in->form->p, 8, sizeof(const char *));
    int i;

    for (i = 0; i < in->route->nevents; i++)
        APR_ARRAY_PUSH(names, const char *) =
            apr_pstrcat(in->form->p, in->route->events[i].resource, ":",
                        in->route->events[i].action, NULL);
    return aa_form_terminated(names);
}

int aa_rule_events(const aa_rule_in_t *in, const char *const **events,
                   const json_t *list, const char *what)
{
    const char *const *known = row_events(in), *const * event;

    if (!aa_rule_names(in, events, list, what))
        return 0;
    for (event = *events; event && *event; event++) {
        if (!strchr(*event, ':'))
            return aa_form_fail(in->form, "%s: '%s' is no resource:action",
                                what, *event);
        if (in->gateway && aa_word_index(*event, known) < 0)
            return aa_form_fail(in->form, "%s: the row has no event '%s'%s",
                                what, *event,
                                aa_word_hint(*event, known, in->form->p));
    }
    return 1;
}

/* ------------------------------------------------------------------ answers */

static int is_answer_status(json_int_t status)
{
    return status == 200 || (status >= 400 && status <= 599);
}

static int is_printable(const char *text)
{
    for (; *text; text++)
        if (apr_iscntrl((unsigned char)*text))
            return 0;
    return 1;
}

int aa_rule_hidden(const aa_rule_in_t *in, int *status, const char **type,
                   const char **text, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!list)
        return 1;
    if ((n != 1 && n != 3) ||
        !is_answer_status(json_integer_value(json_array_get(list, 0))))
        return aa_form_fail(in->form, "hidden: { status, \"type\", \"text\" }, "
                                      "a status that is 200 or 400 to 599");
    *status = (int)json_integer_value(json_array_get(list, 0));
    *type = json_string_value(json_array_get(list, 1));
    *text = json_string_value(json_array_get(list, 2));
    if (n == 1)
        return 1;
    if (!*type || !*text || !**type || !is_printable(*type))
        return aa_form_fail(in->form,
                            "hidden: a type and a text, or neither of them");
    return aa_rule_template(in, *text, "hidden", AA_TEMPLATE_REQUEST);
}
