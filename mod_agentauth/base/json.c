/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where foreign JSON meets jansson. */
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"

static apr_status_t release(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

json_t *aa_json_own(json_t *value, apr_pool_t *p)
{
    if (value)
        apr_pool_cleanup_register(p, value, release, apr_pool_cleanup_null);
    return value;
}

/* Deepest nesting of brackets outside strings. */
static int nesting(const char *text, apr_size_t len)
{
    int depth = 0, deepest = 0, in_string = 0;

    for (apr_size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        }
        else if (c == '"')
            in_string = 1;
        else if (c == '{' || c == '[') {
            if (++depth > deepest)
                deepest = depth;
        }
        else if (c == '}' || c == ']')
            depth--;
    }
    return deepest;
}

apr_status_t aa_json_parse(json_t **value, const char **why, const char *text,
                           apr_size_t len, int depth, apr_pool_t *p)
{
    json_error_t error;

    *value = NULL;
    *why = NULL;
    if (nesting(text, len) > depth) {
        *why = "nested too deeply";
        return APR_EINVAL;
    }
    *value = aa_json_own(
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error),
        p);
    if (*value)
        return APR_SUCCESS;
    *why = apr_psprintf(p, "JSON error %d at byte %d", json_error_code(&error),
                        error.position);
    return APR_EINVAL;
}

const char *aa_json_dump(const json_t *value, apr_pool_t *p)
{
    size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY;
    char small[512]; /* most are: then it is written once, not measured */
    size_t len = json_dumpb(value, small, sizeof(small), flags);
    char *text;

    if (!len)
        return NULL;
    text = apr_palloc(p, len + 1);
    if (len <= sizeof(small))
        memcpy(text, small, len);
    else
        json_dumpb(value, text, len, flags);
    text[len] = '\0';
    return text;
}

json_t *aa_json_at(const json_t *object, const char *path)
{
    json_t *whole = json_object_get(object, path);
    const char *dot;
    char name[256];

    if (whole || !json_is_object(object))
        return whole;
    dot = strchr(path, '.');
    if (!dot || (size_t)(dot - path) >= sizeof(name))
        return NULL;
    memcpy(name, path, (size_t)(dot - path));
    name[dot - path] = '\0';
    return aa_json_at(json_object_get(object, name), dot + 1);
}
