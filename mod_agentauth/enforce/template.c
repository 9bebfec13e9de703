/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the templates of a route map with what the request says. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "enforce/steps.h"

#define UUID_DIGITS 32

/* ----------------------------------------------------------------- values */

static const char *path_param(const aa_task_t *task, const char *name)
{
    for (int i = 0; i < task->match->nparams; i++)
        if (!strcmp(task->match->params[i].name, name))
            return task->match->params[i].value;
    return NULL;
}

/* A namespace is a list in bodies and one text with dots in queries. */
static const char *list_text(const char **why, const json_t *list,
                             apr_pool_t *p)
{
    const char *text = NULL;
    json_t *part;
    size_t i;

    json_array_foreach((json_t *)list, i, part)
    {
        const char *label = json_string_value(part);

        if (!label || !*label || strchr(label, '.')) {
            *why = "a list has parts that are no texts, or have dots";
            return NULL;
        }
        text = text ? apr_pstrcat(p, text, ".", label, NULL) : label;
    }
    if (!text)
        *why = "a list is empty";
    return text;
}

/* NULL without *why: absent. */
static const char *value_of(const char **why, const char *name,
                            const aa_task_t *task, const json_t *element)
{
    const json_t *value;

    *why = NULL;
    if (strncmp(name, "body.", 5))
        return path_param(task, name);
    value = aa_member_at(element, name + 5);
    if (!value || json_is_null(value))
        return NULL;
    if (json_is_array(value))
        return list_text(why, value, task->p);
    if (!json_is_string(value) ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        *why = "it is not a text";
        return NULL;
    }
    return json_string_value(value);
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

/* A backend may read a UUID in upper case, in braces or without hyphens as the
 * same one: then it is one key as well. */
const char *aa_one_spelling(const char *text, apr_pool_t *p)
{
    char *out = apr_palloc(p, UUID_DIGITS + 1);
    int n = 0;

    if (!strncmp(text, "urn:uuid:", 9))
        text += 9;
    for (const char *c = text; *c; c++) {
        if (*c == '-' || *c == '{' || *c == '}')
            continue;
        if (!apr_isxdigit(*c) || n == UUID_DIGITS)
            return text;
        out[n++] = (char)apr_tolower(*c);
    }
    out[n] = '\0';
    return n == UUID_DIGITS ? out : text;
}

/* One that is empty, or that a URL's reader takes for no segment, would ask
 * for another object. */
static int usable(const char *value)
{
    return *value && strcmp(value, ".") && strcmp(value, "..");
}

/* ------------------------------------------------------------------ filling */

typedef struct fill_t {
    const aa_task_t *task;
    const json_t *element;
    const char *sent, *canonical, *plain;
    const char *why;
} fill_t;

static apr_status_t fill_value(fill_t *fill, const char *name)
{
    apr_pool_t *p = fill->task->p;
    const char *value = value_of(&fill->why, name, fill->task, fill->element);

    if (!value && !fill->why)
        return APR_ENOENT;
    if (value && !usable(value))
        fill->why = "it is empty or a dot segment";
    if (fill->why) {
        fill->why = apr_pstrcat(p, name, ": ", fill->why, NULL);
        return APR_EINVAL;
    }
    fill->sent = apr_pstrcat(p, fill->sent, aa_percent_encode(value, p), NULL);
    fill->canonical =
        apr_pstrcat(p, fill->canonical,
                    aa_percent_encode(aa_one_spelling(value, p), p), NULL);
    fill->plain = apr_pstrcat(p, fill->plain, value, NULL);
    return APR_SUCCESS;
}

static apr_status_t fill_all(fill_t *fill, const char *template)
{
    apr_pool_t *p = fill->task->p;

    fill->sent = fill->canonical = fill->plain = "";
    for (;;) {
        size_t n = strcspn(template, "{");
        const char *text = apr_pstrmemdup(p, template, n);
        const char *end = strchr(template + n, '}');
        apr_status_t rv;

        fill->sent = apr_pstrcat(p, fill->sent, text, NULL);
        fill->canonical = apr_pstrcat(p, fill->canonical, text, NULL);
        fill->plain = apr_pstrcat(p, fill->plain, text, NULL);
        if (!end)
            return APR_SUCCESS;
        template += n + 1;
        rv = fill_value(fill, apr_pstrmemdup(p, template, end - template));
        if (rv != APR_SUCCESS)
            return rv;
        template = end + 1;
    }
}

apr_status_t aa_template_fill(aa_filled_t *filled, const char **why,
                              const char *template, const aa_task_t *task,
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
                              const aa_task_t *task, const json_t *element)
{
    fill_t fill = {.task = task, .element = element};
    apr_status_t rv = fill_all(&fill, template);

    *text = fill.plain;
    return rv;
}
