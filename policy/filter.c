/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: checks them, brings them to their normal form, matches metadata.
 *
 * The two agent servers disagree on what they do not know: an unknown
 * operator, an empty list or a falsy operand matches everything on one of
 * them. So nothing of that kind gets a normal form, and what has one means the
 * same everywhere. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "apr_strings.h"

#include "agentpolicy.h"

#define NUMBER_MAX                                                             \
    9007199254740992.0 /* 2^53: beyond, doubles skip integers                  \
                        */
#define PARTS_MIN 2    /* filters in $and and $or: as the server has it */
#define AUTHOR_DEPTH 2 /* $and and $or inside one another: as the server */
/* A conjunction of ours may be put around what an author wrote. */
#define DEPTH_MAX (AUTHOR_DEPTH + 1)

/** One check under way. */
typedef struct check_t {
    apr_pool_t *p;
    const char *why; /* NULL: no memory */
    int keys;        /* met so far, on all levels */
} check_t;

static json_t *filter_normal(check_t *check, const json_t *filter, int depth);

/* ------------------------------------------------------------- normalising */

/* Always NULL, so that "return refuse(...)" reads well. */
static json_t *refuse(check_t *check, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    check->why = apr_pvsprintf(check->p, fmt, ap);
    va_end(ap);
    return NULL;
}

static apr_status_t release(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

/* The reference is @a p's from here on. */
static json_t *give_to_pool(json_t *json, apr_pool_t *p)
{
    if (json)
        apr_pool_cleanup_register(p, json, release, apr_pool_cleanup_null);
    return json;
}

static json_t *number_normal(check_t *check, const char *key, double value)
{
    if (!isfinite(value) || fabs(value) > NUMBER_MAX)
        return refuse(check, "'%s': a number beyond 2^53 is not exact", key);
    /* 1.0 and 1 are one JSON number; one spelling keeps equal parts equal. */
    if (value == floor(value))
        return json_integer((json_int_t)value);
    return json_real(value);
}

static json_t *string_normal(check_t *check, const char *key,
                             const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (!len)
        return refuse(check, "'%s': an empty string: a claim is missing?", key);
    if (memchr(text, '\0', len))
        return refuse(check, "'%s': a string with a NUL", key);
    return json_stringn(text, len);
}

static json_t *scalar_normal(check_t *check, const char *key,
                             const json_t *value)
{
    json_int_t n;

    switch (json_typeof(value)) {
    case JSON_STRING:
        return string_normal(check, key, value);
    case JSON_INTEGER:
        n = json_integer_value(value);
        if (n > (json_int_t)NUMBER_MAX || n < -(json_int_t)NUMBER_MAX)
            return refuse(check, "'%s': a number beyond 2^53 is not exact",
                          key);
        return json_integer(n);
    case JSON_REAL:
        return number_normal(check, key, json_real_value(value));
    case JSON_TRUE:
        return json_true();
    case JSON_FALSE:
        return json_false();
    case JSON_NULL:
        return json_null();
    default:
        return refuse(check, "'%s': a scalar was expected, not a %s", key,
                      json_is_array(value) ? "list" : "table");
    }
}

/* What $contains looks for; null is refused, since one server skips it. */
static json_t *element_normal(check_t *check, const char *key,
                              const json_t *value)
{
    if (json_is_null(value))
        return refuse(check, "'%s': null inside $contains", key);
    return scalar_normal(check, key, value);
}

static json_t *elements_normal(check_t *check, const char *key,
                               const json_t *list)
{
    json_t *normal = json_array(), *element;
    size_t i;

    if (!json_array_size(list)) {
        json_decref(normal);
        return refuse(check, "'%s': an empty list in $contains", key);
    }
    for (i = 0; i < json_array_size(list); i++) {
        element = element_normal(check, key, json_array_get(list, i));
        if (!element || json_array_append_new(normal, element)) {
            json_decref(normal);
            return NULL;
        }
    }
    return normal;
}

static int is_falsy(const json_t *scalar)
{
    return json_is_false(scalar) ||
           (json_is_integer(scalar) && json_integer_value(scalar) == 0);
}

/* {"$contains": false} and 0 are skipped by one server, a list of one is not:
 * both mean the same, so the list is the normal form. */
static json_t *contains_normal(check_t *check, const char *key,
                               const json_t *operand)
{
    json_t *inner;

    if (json_is_array(operand))
        inner = elements_normal(check, key, operand);
    else {
        inner = element_normal(check, key, operand);
        if (inner && is_falsy(inner))
            inner = json_pack("[o]", inner);
    }
    return inner ? json_pack("{s:o}", "$contains", inner) : NULL;
}

/* { operator: operand } */
static json_t *operator_normal(check_t *check, const char *key, json_t *table)
{
    void *iter = json_object_iter(table);
    const char *name;

    if (json_object_size(table) != 1)
        return refuse(check, "'%s': %s", key,
                      iter ? "more than one operator" : "an empty table");
    name = json_object_iter_key(iter);
    if (!strcmp(name, "$eq"))
        return scalar_normal(check, key, json_object_iter_value(iter));
    if (!strcmp(name, "$contains"))
        return contains_normal(check, key, json_object_iter_value(iter));
    return refuse(check, "'%s': unknown operator '%s' ($eq or $contains)", key,
                  name);
}

static json_t *parts_normal(check_t *check, const char *key,
                            const json_t *parts, int depth)
{
    json_t *normal, *part;
    size_t i;

    if (depth >= DEPTH_MAX)
        return refuse(check, "'%s': nested more than %d deep", key,
                      AUTHOR_DEPTH);
    if (!json_is_array(parts) || json_array_size(parts) < PARTS_MIN)
        return refuse(check, "'%s': a list of at least two filters is needed",
                      key);
    normal = json_array();
    for (i = 0; i < json_array_size(parts); i++) {
        part = filter_normal(check, json_array_get(parts, i), depth + 1);
        if (!part || json_array_append_new(normal, part)) {
            json_decref(normal);
            return NULL;
        }
    }
    return normal;
}

static json_t *member_normal(check_t *check, const char *key, json_t *value,
                             int depth)
{
    if (++check->keys > AA_FILTER_KEYS_MAX)
        return refuse(check, "more than %d keys", AA_FILTER_KEYS_MAX);
    if (!strcmp(key, "$and") || !strcmp(key, "$or"))
        return parts_normal(check, key, value, depth);
    if (!*key)
        return refuse(check, "an empty key");
    if (*key == '$')
        return refuse(check, "unknown operator '%s' ($and or $or)", key);
    if (json_is_object(value))
        return operator_normal(check, key, value);
    return scalar_normal(check, key, value);
}

static json_t *filter_normal(check_t *check, const json_t *filter, int depth)
{
    json_t *source = (json_t *)filter, *normal, *value, *done;
    const char *key;

    if (!json_is_object(filter))
        return refuse(check, "a filter must be a table of metadata keys");
    if (!json_object_size(filter))
        return refuse(check, "an empty filter: return true to allow all");
    normal = json_object();
    json_object_foreach(source, key, value)
    {
        done = member_normal(check, key, value, depth);
        if (!done || json_object_set_new(normal, key, done)) {
            json_decref(normal);
            return NULL;
        }
    }
    return normal;
}

/* An author has two levels; a third is granted to a conjunction of ours. */
static int first_depth(const json_t *filter)
{
    return json_object_size(filter) == 1 && json_object_get(filter, "$and")
               ? 0
               : DEPTH_MAX - AUTHOR_DEPTH;
}

apr_status_t aa_filter_normalise(json_t **normal, const char **why,
                                 const json_t *filter, apr_pool_t *p)
{
    check_t check = {p, NULL, 0};
    json_t *done;
    size_t len;

    *normal = NULL;
    done = give_to_pool(filter_normal(&check, filter, first_depth(filter)), p);
    if (done) {
        len = json_dumpb(done, NULL, 0, JSON_COMPACT);
        if (len && len <= AA_FILTER_BYTES_MAX) {
            *normal = done;
            return APR_SUCCESS;
        }
        refuse(&check, len ? "longer than %d bytes" : "not valid UTF-8",
               AA_FILTER_BYTES_MAX);
    }
    *why = check.why ? check.why : "no memory";
    return check.why ? APR_EINVAL : APR_ENOMEM;
}

/* ---------------------------------------------------------------- matching */

static int same_number(const json_t *a, const json_t *b)
{
    double whole;

    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (json_is_real(a) && json_is_real(b))
        return json_real_value(a) == json_real_value(b);
    if (json_is_real(a))
        return same_number(b, a);
    /* Compared as integers: 2^53 + 1 has no double of its own. */
    whole = json_real_value(b);
    return whole == floor(whole) && fabs(whole) <= NUMBER_MAX &&
           json_integer_value(a) == (json_int_t)whole;
}

static int same_scalar(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return same_number(a, b);
    if (json_typeof(a) != json_typeof(b))
        return 0;
    if (json_is_string(a))
        return json_string_length(a) == json_string_length(b) &&
               !memcmp(json_string_value(a), json_string_value(b),
                       json_string_length(a));
    return json_is_boolean(a) || json_is_null(a);
}

static int array_has(const json_t *array, const json_t *wanted)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        if (same_scalar(json_array_get(array, i), wanted))
            return 1;
    return 0;
}

static int array_has_all(const json_t *array, const json_t *wanted)
{
    size_t i;

    for (i = 0; i < json_array_size(wanted); i++)
        if (!array_has(array, json_array_get(wanted, i)))
            return 0;
    return json_array_size(wanted) > 0;
}

static int literal_match(const json_t *want, const json_t *have)
{
    const json_t *operand;

    if (!have)
        return 0;
    if (!json_is_object(want))
        return same_scalar(want, have);
    operand = json_object_get(want, "$contains");
    if (!operand || !json_is_array(have))
        return 0;
    return json_is_array(operand) ? array_has_all(have, operand)
                                  : array_has(have, operand);
}

static int filter_match(const json_t *filter, const json_t *metadata,
                        int depth);

/* @a any: one part is enough; else all must hold. */
static int parts_match(const json_t *parts, const json_t *metadata, int any,
                       int depth)
{
    size_t i, n = json_array_size(parts);

    for (i = 0; i < n; i++)
        if (filter_match(json_array_get(parts, i), metadata, depth + 1) == any)
            return any;
    return n && !any;
}

/* What has no normal form never matches, so a caller that forgot to check
 * finds a closed door. */
static int filter_match(const json_t *filter, const json_t *metadata, int depth)
{
    json_t *source = (json_t *)filter, *value;
    const char *key;
    int ok;

    if (!json_is_object(filter) || !json_object_size(filter) ||
        depth > DEPTH_MAX)
        return 0;
    json_object_foreach(source, key, value)
    {
        if (!strcmp(key, "$and"))
            ok = parts_match(value, metadata, 0, depth);
        else if (!strcmp(key, "$or"))
            ok = parts_match(value, metadata, 1, depth);
        else
            ok = literal_match(value, json_object_get(metadata, key));
        if (!ok)
            return 0;
    }
    return 1;
}

int aa_filter_match(const json_t *normal, const json_t *metadata)
{
    return json_is_object(metadata) && filter_match(normal, metadata, 0);
}

/* ------------------------------------------------------------- conjunction */

/* 0, or -1 without memory. */
static int add_part(json_t *parts, json_t *filter)
{
    json_t *inner = json_object_get(filter, "$and");
    size_t i;

    if (json_object_size(filter) == 1 && json_is_array(inner)) {
        for (i = 0; i < json_array_size(inner); i++)
            if (add_part(parts, json_array_get(inner, i)))
                return -1;
        return 0;
    }
    for (i = 0; i < json_array_size(parts); i++)
        if (json_equal(json_array_get(parts, i), filter))
            return 0;
    return json_array_append(parts, filter);
}

static json_t *conjunction(json_t *a, json_t *b)
{
    json_t *parts = json_array(), *only;

    if (!parts || add_part(parts, a) || add_part(parts, b)) {
        json_decref(parts);
        return NULL;
    }
    if (json_array_size(parts) > 1)
        return json_pack("{s:o}", "$and", parts);
    only = json_incref(json_array_get(parts, 0));
    json_decref(parts);
    return only;
}

json_t *aa_filter_and(json_t *a, json_t *b, apr_pool_t *p)
{
    json_t *both;

    if (!a || !b)
        return give_to_pool(json_incref(a ? a : b), p);
    both = conjunction(a, b);
    /* NULL would say "all": without memory the answer is a non-filter, which
     * matches nothing and which no backend takes. */
    return both ? give_to_pool(both, p) : json_false();
}
