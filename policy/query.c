/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the query of a URL as the backends do: '&', '=', '+' and percent. */
#include "query.h"
#include "value.h"

#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a bad escape, or one of NUL. */
static char *decode(const char *text, apr_size_t len, apr_pool_t *p)
{
    char *out = apr_palloc(p, len + 1), *to = out;

    for (apr_size_t i = 0; i < len; i++) {
        if (text[i] == '+') {
            *to++ = ' ';
        }
        else if (text[i] == '%') {
            int high = len - i > 2 ? hex(text[i + 1]) : -1;
            int low = len - i > 2 ? hex(text[i + 2]) : -1;

            if (high < 0 || low < 0 || !(high | low))
                return NULL;
            *to++ = (char)(high << 4 | low);
            i += 2;
        }
        else {
            *to++ = text[i];
        }
    }
    *to = '\0';
    return out;
}

static int is_named(const char *name, const char *const *names)
{
    for (; names && *names; names++)
        if (!strcmp(*names, name))
            return 1;
    return 0;
}

/* What is wrong with one more parameter; NULL: nothing. */
static const char *add(json_t *object, const char *name, const char *value,
                       aa_query_e mode)
{
    json_t *string = json_string(value);
    json_t *was = json_object_get(object, name);

    if (!string)
        return "a parameter of the query is not valid UTF-8";
    if (!was) {
        if (json_object_set_new(object, name, string))
            return "a parameter of the query is not valid UTF-8";
        return NULL;
    }
    if (mode != AA_QUERY_ALL) {
        json_decref(string);
        return "a parameter of the query is there twice";
    }
    if (!json_is_array(was)) {
        was = json_pack("[O]", was);
        json_object_set_new(object, name, was);
    }
    return json_array_append_new(was, string) ? "no memory" : NULL;
}

static const char *read_pair(json_t *object, const char *text, apr_size_t len,
                             aa_query_e mode, const char *const *names,
                             apr_pool_t *p)
{
    const char *equals = memchr(text, '=', len);
    apr_size_t n = equals ? (apr_size_t)(equals - text) : len;
    char *name = decode(text, n, p), *value;

    value = equals ? decode(equals + 1, len - n - 1, p) : apr_pstrdup(p, "");
    if (!name || !value)
        return "the query has a bad percent escape";
    if (mode == AA_QUERY_NAMED && !is_named(name, names))
        return NULL;
    return add(object, name, value, mode);
}

apr_status_t aa_query_parse(json_t **object, const char **why,
                            const char *query, aa_query_e mode,
                            const char *const *names, apr_pool_t *p)
{
    int count = 0;

    *object = aa_value_own(json_object(), p);
    *why = NULL;
    while (query && *query) {
        apr_size_t len = strcspn(query, "&");

        if (len && ++count > AA_QUERY_PARAMS_MAX)
            *why = "the query has too many parameters";
        else if (len)
            *why = read_pair(*object, query, len, mode, names, p);
        if (*why)
            return APR_EINVAL;
        query += len;
        query += *query == '&';
    }
    return APR_SUCCESS;
}
