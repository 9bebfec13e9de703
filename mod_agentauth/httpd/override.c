/* SPDX-License-Identifier: Apache-2.0 */
/* Drops headers by which some backends take another method or path than the
 * one of the request line: that one is what was decided. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "context.h"

static const char *const names[] = {"x-http-method-override", "x-http-method",
                                    "x-method-override",      "x-original-url",
                                    "x-rewrite-url",          NULL};

/* A backend may read '_', '.' and ' ' in a name as '-', as WSGI does. */
static int reads_as(const char *name, const char *known)
{
    for (; *name && *known; name++, known++) {
        char c = (char)apr_tolower(*name);

        if (c == '_' || c == '.' || c == ' ')
            c = '-';
        if (c != *known)
            return 0;
    }
    return !*name && !*known;
}

/* Every request passes here: the third letter tells most of them apart. */
static int is_override(const char *name)
{
    if ((name[0] | 0x20) != 'x' || !name[1])
        return 0;
    for (int i = 0; names[i]; i++)
        if ((name[2] | 0x20) == names[i][2] && reads_as(name, names[i]))
            return 1;
    return 0;
}

void aa_override_drop(apr_table_t *headers, apr_pool_t *p)
{
    const apr_array_header_t *all = apr_table_elts(headers);
    const apr_table_entry_t *e = (const apr_table_entry_t *)all->elts;

    for (int i = all->nelts - 1; i >= 0; i--)
        if (is_override(e[i].key)) {
            /* unset moves the entries: look again from the end */
            apr_table_unset(headers, apr_pstrdup(p, e[i].key));
            e = (const apr_table_entry_t *)all->elts;
            i = all->nelts;
        }
}
