/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where foreign JSON meets jansson. */
#include <errno.h>
#include <math.h>
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

/* ------------------------------------------- what jansson has no type for */

#define NUMBER_CHARS "+-.0123456789eE"

typedef struct plainer_t {
    const char *at, *end;
    char *to;
} plainer_t;

static void copy(plainer_t *text, apr_size_t n)
{
    if (n > (apr_size_t)(text->end - text->at))
        n = (apr_size_t)(text->end - text->at);
    memcpy(text->to, text->at, n);
    text->to += n;
    text->at += n;
}

static void say(plainer_t *text, const char *instead)
{
    apr_size_t n = strlen(instead);

    memcpy(text->to, instead, n);
    text->to += n;
}

/* What replaces it is never longer, but for the ".0" of 19 digits or more. */
static void plain_number(plainer_t *text, apr_pool_t *p)
{
    apr_size_t n = 0;
    const char *number;
    char small[64] = "", *stop;

    while (text->at + n < text->end && strchr(NUMBER_CHARS, text->at[n]) &&
           text->at[n])
        n++;
    number = n < sizeof(small) ? memcpy(small, text->at, n)
                               : apr_pstrmemdup(p, text->at, n);
    if (isinf(strtod(number, NULL))) {
        say(text, *number == '-' ? "-1e308" : "1e308");
        text->at += n;
        return;
    }
    copy(text, n);
    errno = 0;
    (void)strtoll(number, &stop, 10);
    if (errno == ERANGE && !*stop)
        say(text, ".0");
}

/* The code of "\uD83D", or -1. */
static long escape_at(const plainer_t *text, apr_size_t n)
{
    char digits[5] = "", *stop;
    long code;

    if (text->end - text->at < (long)n + 6 || text->at[n] != '\\' ||
        text->at[n + 1] != 'u')
        return -1;
    memcpy(digits, text->at + n + 2, 4);
    code = strtol(digits, &stop, 16);
    return *stop ? -1 : code;
}

static void plain_escape(plainer_t *text)
{
    long code = escape_at(text, 0), next = escape_at(text, 6);

    if (code >= 0xd800 && code < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
        copy(text, 12);
    }
    else if (!code || (code >= 0xd800 && code < 0xe000)) {
        say(text, "\\ufffd");
        text->at += 6;
    }
    else {
        copy(text, 2);
    }
}

/* The same text in what jansson reads; faults stay as they are. */
static apr_size_t plainer(char **out, const char *bytes, apr_size_t len,
                          apr_pool_t *p)
{
    plainer_t text = {bytes, bytes + len, apr_palloc(p, len + len / 8 + 8)};
    int in_string = 0;

    *out = text.to;
    while (text.at < text.end) {
        char c = *text.at;

        if (in_string && c == '\\') {
            plain_escape(&text);
            continue;
        }
        if (!in_string && c && strchr("-0123456789", c)) {
            plain_number(&text, p);
            continue;
        }
        in_string ^= c == '"';
        copy(&text, 1);
    }
    return (apr_size_t)(text.to - *out);
}

apr_status_t aa_json_read(json_t **value, const char **why, const char *text,
                          apr_size_t len, int depth, apr_pool_t *p)
{
    apr_status_t rv = aa_json_parse(value, why, text, len, depth, p);
    apr_pool_t *own;
    char *plain;

    if (rv == APR_SUCCESS || nesting(text, len) > depth ||
        apr_pool_create(&own, p) != APR_SUCCESS)
        return rv;
    len = plainer(&plain, text, len, own);
    rv = aa_json_parse(value, why, plain, len, depth, p);
    apr_pool_destroy(own);
    return rv;
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
