/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a changed member back into a JSON text; all other bytes stay.
 *
 * Everything here walks text that jansson has accepted, so the walk need not
 * find errors; it only must never leave the text. */
#include "splice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------ what is made */

typedef struct buffer_t {
    char *bytes;
    apr_size_t len, size;
    int failed;
    apr_pool_t *p;
} buffer_t;

static void put(buffer_t *b, const char *bytes, apr_size_t len)
{
    if (b->len + len > b->size) {
        apr_size_t size = (b->len + len) * 2;
        char *grown = apr_palloc(b->p, size);

        if (b->len)
            memcpy(grown, b->bytes, b->len);
        b->bytes = grown;
        b->size = size;
    }
    if (len)
        memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static void put_span(buffer_t *b, const char *begin, const char *end)
{
    put(b, begin, (apr_size_t)(end - begin));
}

static int put_bytes(const char *bytes, size_t len, void *baton)
{
    put(baton, bytes, len);
    return 0;
}

/* The fewest digits that read back as the same number. */
static void put_real(buffer_t *b, double real)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        char *comma;

        snprintf(text, sizeof(text), "%.*g", digits, real);
        if (strtod(text, NULL) != real)
            continue;
        if ((comma = strchr(text, ',')))
            *comma = '.'; /* the locale's */
        break;
    }
    put(b, text, strlen(text));
    if (!strpbrk(text, ".eE"))
        put(b, ".0", 2); /* stays a real for whoever reads it next */
}

static void put_string(buffer_t *b, const char *text, apr_size_t len)
{
    json_t *string = json_stringn(text, len);

    if (!string || json_dump_callback(string, put_bytes, b, JSON_ENCODE_ANY))
        b->failed = 1;
    json_decref(string);
}

static void put_json(buffer_t *b, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put(b, "{", 1);
        i = 0;
        /* jansson's iteration takes no const; it changes nothing. */
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            if (i++)
                put(b, ",", 1);
            put_string(b, key, strlen(key));
            put(b, ":", 1);
            put_json(b, member);
        }
        put(b, "}", 1);
        break;
    case JSON_ARRAY:
        put(b, "[", 1);
        json_array_foreach(value, i, member)
        {
            if (i)
                put(b, ",", 1);
            put_json(b, member);
        }
        put(b, "]", 1);
        break;
    case JSON_REAL:
        put_real(b, json_real_value(value));
        break;
    default:
        if (json_dump_callback(value, put_bytes, b, JSON_ENCODE_ANY))
            b->failed = 1;
    }
}

aa_span_t aa_splice_dump(const json_t *value, apr_pool_t *p)
{
    buffer_t b = {NULL, 0, 0, 0, p};
    aa_span_t span = {"", 0};

    put_json(&b, value);
    if (!b.failed) {
        span.len = b.len;
        put(&b, "", 1);
        span.text = b.bytes;
    }
    return span;
}

/* ------------------------------------------------------------ what is read */

static const char *skip_space(const char *at, const char *end)
{
    while (at < end &&
           (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* Behind the value that begins at at. Iterative: depth costs nothing. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        }
        else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        }
        else if (*at == '}' || *at == ']') {
            if (!depth)
                return at;
            depth--;
            at++;
        }
        else if (!depth && (*at == ',' || *at == ':' || *at == ' ' ||
                            *at == '\t' || *at == '\n' || *at == '\r')) {
            return at;
        }
        else {
            at++;
            continue;
        }
        if (!depth)
            return at;
    }
    return end;
}

/* A member of an object, or an element of an array (key NULL). */
typedef struct item_t {
    const char *begin, *end; /* white space on both sides included */
    const char *key, *key_end;
    const char *value, *value_end;
} item_t;

/* The next item; *at is behind '{', '[' or ','. Afterwards it is on ',' or on
 * the closing bracket. 0: there is none. */
static int next_item(item_t *item, const char **at, const char *end,
                     int is_object)
{
    const char *here = skip_space(*at, end);

    item->begin = *at;
    item->key = item->key_end = NULL;
    if (here >= end || *here == '}' || *here == ']')
        return 0;
    if (is_object) {
        item->key = here;
        item->key_end = skip_string(here, end);
        here = skip_space(item->key_end, end);
        here = skip_space(here < end ? here + 1 : end, end); /* ':' */
    }
    item->value = here;
    item->value_end = skip_value(here, end);
    *at = item->end = skip_space(item->value_end, end);
    return 1;
}

static int is_null(const char *begin, const char *end)
{
    return end - begin == 4 && !memcmp(begin, "null", 4);
}

/* 1 when the token at begin spells the string. */
static int spells(const char *begin, const char *end, const char *string,
                  apr_size_t len)
{
    json_t *read;
    int same;

    if (!memchr(begin, '\\', (apr_size_t)(end - begin)))
        return (apr_size_t)(end - begin) == len + 2 &&
               !memcmp(begin + 1, string, len);
    read = json_loadb(begin, (size_t)(end - begin), JSON_DECODE_ANY, NULL);
    same = read && json_string_length(read) == len &&
           !memcmp(json_string_value(read), string, len);
    json_decref(read);
    return same;
}

/* -------------------------------------------------------------- comparing */

static int same_number(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    return json_number_value(a) == json_number_value(b);
}

static int same_object(const json_t *was, const json_t *is)
{
    json_t *member, *other;
    const char *key;
    size_t common = 0;

    json_object_foreach((json_t *)(uintptr_t)was, key, member)
    {
        other = json_object_get(is, key);
        if (other ? !aa_splice_same(member, other) : !json_is_null(member))
            return 0;
        common += other != NULL;
    }
    return common == json_object_size(is);
}

/* Nulls at the end that the new array does not reach: a policy cannot see
 * them, so it did not remove them. */
static int only_nulls_from(const json_t *was, size_t from)
{
    for (; from < json_array_size(was); from++)
        if (!json_is_null(json_array_get(was, from)))
            return 0;
    return 1;
}

static int same_array(const json_t *was, const json_t *is)
{
    size_t n = json_array_size(is);

    if (json_array_size(was) < n || !only_nulls_from(was, n))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!aa_splice_same(json_array_get(was, i), json_array_get(is, i)))
            return 0;
    return 1;
}

int aa_splice_same(const json_t *was, const json_t *is)
{
    if (json_is_number(was) && json_is_number(is))
        return same_number(was, is);
    if (json_typeof(was) != json_typeof(is))
        return 0;
    if (json_is_object(was))
        return same_object(was, is);
    if (json_is_array(was))
        return same_array(was, is);
    return json_equal(was, is);
}

/* --------------------------------------------------------------- splicing */

static void splice_value(buffer_t *b, const char *begin, const char *end,
                         const json_t *was, const json_t *is);

static void put_member(buffer_t *b, const char *key, const json_t *value,
                       int *count)
{
    if ((*count)++)
        put(b, ",", 1);
    put_string(b, key, strlen(key));
    put(b, ":", 1);
    put_json(b, value);
}

/* An item with the space around it; its value spliced when is is given. */
static void put_item(buffer_t *b, const item_t *item, const json_t *was,
                     const json_t *is, int *count)
{
    if ((*count)++)
        put(b, ",", 1);
    put_span(b, item->begin, item->value);
    if (is)
        splice_value(b, item->value, item->value_end, was, is);
    else
        put_span(b, item->value, item->value_end);
    put_span(b, item->value_end, item->end);
}

/* The item's key as a JSON string; the caller releases it. */
static json_t *key_of(const item_t *item)
{
    apr_size_t len = (apr_size_t)(item->key_end - item->key);

    if (!memchr(item->key, '\\', len))
        return json_stringn(item->key + 1, len - 2);
    return json_loadb(item->key, len, JSON_DECODE_ANY, NULL);
}

static void splice_object(buffer_t *b, const char *begin, const char *end,
                          const json_t *was, const json_t *is)
{
    const char *at = begin + 1, *name;
    json_t *seen = json_object(), *member, *key;
    int count = 0;
    item_t item;

    put(b, "{", 1);
    while (next_item(&item, &at, end, 1)) {
        key = key_of(&item);
        member = json_object_get(is, json_string_value(key));
        if (member)
            json_object_set_new(seen, json_string_value(key), json_true());
        if (member || is_null(item.value, item.value_end))
            put_item(b, &item, json_object_get(was, json_string_value(key)),
                     member, &count);
        if (!seen || !key)
            b->failed = 1;
        json_decref(key);
        if (at < end && *at == ',')
            at++;
    }
    json_object_foreach((json_t *)(uintptr_t)is, name, member)
    {
        if (!json_object_get(seen, name))
            put_member(b, name, member, &count);
    }
    put(b, "}", 1);
    json_decref(seen);
}

/* Elements that a removal or an insertion only moved keep their spelling:
 * they are matched from the end, the rest is written by position. */
static size_t moved_tail(const json_t *was, const json_t *is)
{
    size_t m = json_array_size(was), n = json_array_size(is), tail = 0;

    if (m == n)
        return 0;
    while (tail < m && tail < n &&
           aa_splice_same(json_array_get(was, m - 1 - tail),
                          json_array_get(is, n - 1 - tail)))
        tail++;
    return tail;
}

static void put_element(buffer_t *b, const json_t *value, int *count)
{
    if ((*count)++)
        put(b, ",", 1);
    put_json(b, value);
}

static void splice_array(buffer_t *b, const char *begin, const char *end,
                         const json_t *was, const json_t *is)
{
    const char *at = begin + 1;
    size_t m = json_array_size(was), n = json_array_size(is), from, next = 0;
    int keep_nulls = n < m && only_nulls_from(was, n), count = 0;
    size_t tail = keep_nulls ? 0 : moved_tail(was, is);
    item_t item;

    put(b, "[", 1);
    for (from = 0; next_item(&item, &at, end, 0); from++) {
        /* The middle grew: what is new comes before the tail. */
        while (from + tail == m && next + tail < n)
            put_element(b, json_array_get(is, next++), &count);
        if (next < n && (from + tail >= m || next + tail < n)) {
            put_item(b, &item, json_array_get(was, from),
                     json_array_get(is, next), &count);
            next++;
        }
        else if (keep_nulls) {
            put_item(b, &item, NULL, NULL, &count);
        }
        if (at < end && *at == ',')
            at++;
    }
    while (next < n)
        put_element(b, json_array_get(is, next++), &count);
    put(b, "]", 1);
}

/* The comparison comes first at every level, so that only the way to a change
 * is walked: what a client nests deeply is skipped as one piece. */
static void splice_value(buffer_t *b, const char *begin, const char *end,
                         const json_t *was, const json_t *is)
{
    if (was && aa_splice_same(was, is))
        put_span(b, begin, end);
    else if (*begin == '{' && json_is_object(was) && json_is_object(is))
        splice_object(b, begin, end, was, is);
    else if (*begin == '[' && json_is_array(was) && json_is_array(is))
        splice_array(b, begin, end, was, is);
    else
        put_json(b, is);
}

/* {"a":{"b":value}} for the path "a.b". */
static void put_path(buffer_t *b, const char *path, const json_t *value)
{
    const char *dot = strchr(path, '.');

    put_string(b, path, dot ? (apr_size_t)(dot - path) : strlen(path));
    put(b, ":", 1);
    if (!dot) {
        put_json(b, value);
        return;
    }
    put(b, "{", 1);
    put_path(b, dot + 1, value);
    put(b, "}", 1);
}

static void splice_path(buffer_t *b, const char *begin, const char *end,
                        const char *path, const json_t *was, const json_t *is);

/* The way goes on in this member. */
static void splice_below(buffer_t *b, const item_t *item, const char *rest,
                         const json_t *was, const json_t *is, int *count)
{
    if ((*count)++)
        put(b, ",", 1);
    put_span(b, item->begin, item->value);
    if (*item->value == '{') {
        splice_path(b, item->value, item->value_end, rest, was, is);
    }
    else if (is) {
        put(b, "{", 1);
        put_path(b, rest, is);
        put(b, "}", 1);
    }
    else {
        put_span(b, item->value, item->value_end);
    }
    put_span(b, item->value_end, item->end);
}

static void splice_path(buffer_t *b, const char *begin, const char *end,
                        const char *path, const json_t *was, const json_t *is)
{
    const char *dot = strchr(path, '.'), *at = begin + 1;
    apr_size_t len = dot ? (apr_size_t)(dot - path) : strlen(path);
    int count = 0, found = 0;
    item_t item;

    put(b, "{", 1);
    while (next_item(&item, &at, end, 1)) {
        if (!spells(item.key, item.key_end, path, len)) {
            put_item(b, &item, NULL, NULL, &count);
        }
        else {
            found = 1;
            if (dot)
                splice_below(b, &item, dot + 1, was, is, &count);
            else if (is)
                put_item(b, &item, was, is, &count);
        }
        if (at < end && *at == ',')
            at++;
    }
    if (!found && is) {
        if (count++)
            put(b, ",", 1);
        put_path(b, path, is);
    }
    put(b, "}", 1);
}

apr_status_t aa_splice_member(aa_span_t *out, aa_span_t text, const char *path,
                              const json_t *was, const json_t *is,
                              apr_pool_t *p)
{
    buffer_t b = {NULL, 0, 0, 0, p};
    const char *begin, *end, *close;

    out->text = NULL;
    out->len = 0;
    if (!text.len) {
        text.text = "{}";
        text.len = 2;
    }
    end = text.text + text.len;
    begin = skip_space(text.text, end);
    close = skip_value(begin, end);
    if (begin == end || *begin != '{' || close[-1] != '}')
        return APR_EINVAL;
    b.size = text.len + 256;
    b.bytes = apr_palloc(p, b.size);
    put_span(&b, text.text, begin);
    splice_path(&b, begin, close, path, was, is);
    put_span(&b, close, end);
    if (b.failed)
        return APR_ENOMEM;
    out->text = b.bytes;
    out->len = b.len;
    return APR_SUCCESS;
}

int aa_splice_elements(aa_span_t *spans, int n, aa_span_t text)
{
    const char *end = text.text + text.len;
    const char *at = skip_space(text.text, end);
    int count = 0;
    item_t item;

    if (at == end || *at != '[')
        return -1;
    for (at++; next_item(&item, &at, end, 0); count++) {
        if (count == n)
            return -1;
        spans[count].text = item.value;
        spans[count].len = (apr_size_t)(item.value_end - item.value);
        if (at < end && *at == ',')
            at++;
    }
    return count;
}
