/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the templates of a route map with what the request says. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

#define UUID_DIGITS 32

/** A template under way. */
typedef struct fill_t {
    aa_task_t *task;
    const json_t *element;
    int in_query;
    const char *sent, *canonical, *plain; /* the text so far, in each form */
    const char *why;
} fill_t;

/* ----------------------------------------------------------------- values */

static json_t *path_param(const aa_task_t *task, const char *name)
{
    for (int i = 0; i < task->match->nparams; i++)
        if (!strcmp(task->match->params[i].name, name))
            return aa_json_own(json_string(task->match->params[i].value),
                               task->p);
    return NULL;
}

static json_t *query_param(fill_t *fill, const char *name)
{
    json_t *parameters;

    if (aa_query_read(&parameters, fill->task) == APR_SUCCESS)
        return json_object_get(parameters, name);
    fill->why = "the query cannot be read";
    return NULL;
}

/* What stands for {name}; NULL: absent, unless fill->why is set. */
static json_t *value_of(fill_t *fill, const char *name)
{
    json_t *value;

    if (!strncmp(name, "body.", 5))
        value = aa_member_at(fill->element, name + 5);
    else if (!strncmp(name, "answer.", 7))
        value = aa_member_at(fill->task->answer, name + 7);
    else if (!strncmp(name, "query.", 6))
        value = query_param(fill, name + 6);
    else
        value = path_param(fill->task, name);
    return json_is_null(value) ? NULL : value;
}

/* A namespace is a list in bodies and one text with dots in queries. */
static const char *list_text(fill_t *fill, const json_t *list)
{
    const char *text = aa_list_text(list, fill->task->p);

    if (!text)
        fill->why = "a list is empty, or has parts that are no texts or have "
                    "dots";
    return text;
}

/* NULL: fill->why. */
static const char *text_of(fill_t *fill, const json_t *value)
{
    if (json_is_integer(value))
        return apr_psprintf(fill->task->p, "%" JSON_INTEGER_FORMAT,
                            json_integer_value(value));
    if (json_is_array(value) && fill->in_query)
        return list_text(fill, value);
    if (json_is_string(value) &&
        strlen(json_string_value(value)) == json_string_length(value))
        return json_string_value(value);
    fill->why = "it is not a text";
    return NULL;
}

/* ----------------------------------------------------------------- spelling */

const char *aa_percent_encode(const char *text, apr_pool_t *p)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = apr_palloc(p, 3 * strlen(text) + 1), *to = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (apr_isalnum(c) || strchr("-._~", c)) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    *to = '\0';
    return out;
}

/* What stands around and between the digits of a UUID; NULL: none begins. */
static const char *past_filling(const char *text)
{
    if (!strncmp(text, "urn:", 4))
        return text + 4;
    if (!strncmp(text, "uuid:", 5))
        return text + 5;
    return *text && strchr("-{}", *text) ? text + 1 : NULL;
}

/* The 32 characters that Python's UUID() reads as a number in base 16: it also
 * takes a sign, "0x", and '_' between digits. NULL: it is no such number. */
static const char *hex_number(const char *digits, apr_pool_t *p)
{
    char *out = apr_palloc(p, UUID_DIGITS + 1), *to = out;

    for (; *digits; digits++) {
        int zero = to == out && *digits == '0';
        int sign = *digits && strchr("_+ xX", *digits);

        if (zero || sign)
            continue;
        if (!apr_isxdigit(*digits))
            return NULL;
        *to++ = (char)apr_tolower(*digits);
    }
    *to = '\0';
    return out;
}

/* A backend may read a UUID in upper case, in braces, without hyphens or in
 * odder ways as the same one: then it is one key as well. Texts that are one
 * for no backend may share a key; that only lets them wait for each other. */
const char *aa_one_spelling(const char *text, apr_pool_t *p)
{
    char digits[UUID_DIGITS + 1];
    const char *at = text, *past, *number;
    int n = 0;

    while (*at) {
        if ((past = past_filling(at))) {
            at = past;
            continue;
        }
        if (n == UUID_DIGITS)
            return text;
        digits[n++] = *at++;
    }
    digits[n] = '\0';
    number = n == UUID_DIGITS ? hex_number(digits, p) : NULL;
    return number ? number : text;
}

/* One that is empty, or that a URL's reader takes for no segment, would ask
 * for another object. */
static int usable(const char *value)
{
    return *value && strcmp(value, ".") && strcmp(value, "..") &&
           strlen(value) <= AA_BACKEND_URL_MAX;
}

/* ------------------------------------------------------------------ filling */

static void add(fill_t *fill, const char *sent, const char *canonical,
                const char *plain)
{
    apr_pool_t *p = fill->task->p;

    fill->sent = apr_pstrcat(p, fill->sent, sent, NULL);
    fill->canonical = apr_pstrcat(p, fill->canonical, canonical, NULL);
    fill->plain = apr_pstrcat(p, fill->plain, plain, NULL);
}

static apr_status_t fill_value(fill_t *fill, const char *name)
{
    apr_pool_t *p = fill->task->p;
    const json_t *value = value_of(fill, name);
    const char *text = NULL;

    if (!value && !fill->why)
        return APR_ENOENT;
    if (!fill->why)
        text = text_of(fill, value);
    if (text && !usable(text))
        fill->why = "it is empty, a dot segment or too long";
    if (fill->why) {
        fill->why = apr_pstrcat(p, name, ": ", fill->why, NULL);
        return APR_EINVAL;
    }
    add(fill, aa_percent_encode(text, p),
        aa_percent_encode(aa_one_spelling(text, p), p), text);
    return APR_SUCCESS;
}

/* One piece of a template: its length, 0 at the end.
 * @param name of a place; NULL: @a text stands for itself */
static size_t next_piece(const char **text, const char **name,
                         const char *template, apr_pool_t *p)
{
    size_t n = strcspn(template, "{}");

    *name = NULL;
    if (n || !*template) {
        *text = apr_pstrmemdup(p, template, n);
        return n;
    }
    if (template[0] == template[1]) { /* a brace itself */
        *text = apr_pstrmemdup(p, template, 1);
        return 2;
    }
    n = strcspn(template + 1, "}");
    *name = apr_pstrmemdup(p, template + 1, n);
    return n + 2;
}

static apr_status_t fill_all(fill_t *fill, const char *template)
{
    const char *text, *name;
    apr_status_t rv = APR_SUCCESS;
    size_t n;

    fill->sent = fill->canonical = fill->plain = "";
    while (rv == APR_SUCCESS &&
           (n = next_piece(&text, &name, template, fill->task->p))) {
        template += n;
        if (name) {
            rv = fill_value(fill, name);
            continue;
        }
        fill->in_query |= strchr(text, '?') != NULL;
        add(fill, text, text, text);
    }
    return rv;
}

apr_status_t aa_template_fill(aa_filled_t *filled, const char **why,
                              const char *template, aa_task_t *task,
                              const json_t *element)
{
    fill_t fill = {.task = task, .element = element};
    apr_status_t rv = fill_all(&fill, template);

    *why = fill.why;
    filled->target = fill.sent;
    filled->canonical = fill.canonical;
    return rv;
}

apr_status_t aa_template_text(const char **text, const char *template,
                              aa_task_t *task, const json_t *element)
{
    fill_t fill = {.task = task, .element = element};
    apr_status_t rv = fill_all(&fill, template);

    *text = fill.plain;
    return rv;
}

/* The name when a text is one {…} alone. */
static const char *alone(const char *template, apr_pool_t *p)
{
    const char *text, *name;
    size_t n = next_piece(&text, &name, template, p);

    return name && !template[n] ? name : NULL;
}

static apr_status_t fill_json_value(json_t **out, const json_t *value,
                                    aa_task_t *task, const json_t *element)
{
    fill_t fill = {.task = task, .element = element};
    const char *name, *text;
    apr_status_t rv;

    if (json_is_object(value))
        return aa_template_json(out, value, task, element);
    if (!json_is_string(value)) {
        *out = (json_t *)value;
        return APR_SUCCESS;
    }
    name = alone(json_string_value(value), task->p);
    if (name) {
        *out = value_of(&fill, name);
        return fill.why ? APR_EINVAL : APR_SUCCESS;
    }
    rv = aa_template_text(&text, json_string_value(value), task, element);
    *out = rv == APR_SUCCESS ? aa_json_own(json_string(text), task->p) : NULL;
    return rv;
}

apr_status_t aa_template_json(json_t **out, const json_t *template,
                              aa_task_t *task, const json_t *element)
{
    json_t *object = (json_t *)template, *value, *filled;
    const char *key;
    apr_status_t rv;

    *out = aa_json_own(json_object(), task->p);
    json_object_foreach(object, key, value)
    {
        rv = fill_json_value(&filled, value, task, element);
        if (rv != APR_SUCCESS)
            return rv;
        if (filled)
            json_object_set(*out, key, filled);
    }
    return APR_SUCCESS;
}
