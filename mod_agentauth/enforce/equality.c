/* SPDX-License-Identifier: Apache-2.0 */
/* Takes from a filter what a backend's own search can do: equality. */
#include <string.h>

#include "base/json.h"
#include "enforce/steps.h"

typedef struct pairs_t {
    json_t *pairs;
    int rest, clash;
} pairs_t;

static void add(pairs_t *found, const char *key, const json_t *value)
{
    const json_t *was = json_object_get(found->pairs, key);

    if (was && !aa_member_same(was, value))
        found->clash = 1;
    else if (json_object_set(found->pairs, key, (json_t *)value))
        found->rest = 1; /* no memory: then it is matched here */
}

static void collect(pairs_t *found, const json_t *filter)
{
    json_t *object = (json_t *)filter, *value;
    const char *key;

    if (!json_is_object(filter)) { /* what is no filter matches nothing */
        found->clash = 1;
        return;
    }
    json_object_foreach(object, key, value)
    {
        size_t i;
        json_t *part;

        if (!strcmp(key, "$and")) {
            json_array_foreach(value, i, part) collect(found, part);
        }
        /* A stored null and a missing key are one to some searches. */
        else if (*key == '$' || json_is_object(value) || json_is_array(value) ||
                 json_is_null(value))
            found->rest = 1;
        else
            add(found, key, value);
    }
}

void aa_filter_pairs(json_t **pairs, int *rest, int *clash,
                     const json_t *filter, apr_pool_t *p)
{
    pairs_t found = {aa_json_own(json_object(), p), 0, 0};

    if (filter)
        collect(&found, filter);
    *pairs = found.pairs;
    *rest = found.rest || !found.pairs;
    *clash = found.clash;
}

int aa_filter_names(const json_t *filter, const char *key)
{
    json_t *object = (json_t *)filter, *value;
    const char *name;

    json_object_foreach(object, name, value)
    {
        size_t i;
        json_t *part;

        if (*name == '$') {
            json_array_foreach(value, i,
                               part) if (aa_filter_names(part, key)) return 1;
        }
        else if (!strcmp(name, key)) {
            return 1;
        }
    }
    return 0;
}
