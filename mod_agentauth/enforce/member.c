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

int aa_member_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return a && b && json_equal(a, b);
}
