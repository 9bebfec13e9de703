/* SPDX-License-Identifier: Apache-2.0 */
/* Members of JSON objects by path, as the route map names them. */
#include <string.h>

#include "enforce/steps.h"

/* A client's member whose name holds a dot is another one than the path's. */
json_t *aa_member_at(const json_t *object, const char *path)
{
    const char *dot = strchr(path, '.');
    char name[256];

    if (!json_is_object(object))
        return NULL;
    if (!dot)
        return json_object_get(object, path);
    if ((size_t)(dot - path) >= sizeof(name))
        return NULL;
    memcpy(name, path, (size_t)(dot - path));
    name[dot - path] = '\0';
    return aa_member_at(json_object_get(object, name), dot + 1);
}

void aa_member_set(json_t *object, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    char name[256];
    json_t *inner;

    if (!dot) {
        if (value)
            json_object_set(object, path, value);
        else
            json_object_del(object, path);
        return;
    }
    if ((size_t)(dot - path) >= sizeof(name))
        return;
    memcpy(name, path, (size_t)(dot - path));
    name[dot - path] = '\0';
    inner = json_object_get(object, name);
    if (!json_is_object(inner) && value) {
        json_object_set_new(object, name, json_object());
        inner = json_object_get(object, name);
    }
    if (inner)
        aa_member_set(inner, dot + 1, value);
}

int aa_member_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return a && b && json_equal(a, b);
}

int aa_member_has(const json_t *object, const json_t *pairs)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)pairs, key, value)
    {
        if (!aa_member_same(json_object_get(object, key), value))
            return 0;
    }
    return 1;
}
