/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the query that goes on. */
#include <string.h>

#include "apr_strings.h"
#include "enforce/steps.h"
#include "query.h"

const char *aa_list_text(const json_t *list, apr_pool_t *p)
{
    const char *text = NULL;
    json_t *part;
    size_t i;

    json_array_foreach((json_t *)list, i, part)
    {
        const char *label = json_string_value(part);

        if (!label || !*label || strchr(label, '.') ||
            strlen(label) != json_string_length(part))
            return NULL;
        text = text ? apr_pstrcat(p, text, ".", label, NULL) : label;
    }
    return text;
}

apr_status_t aa_query_read(json_t **parameters, aa_task_t *task)
{
    const char *why;

    if (aa_query_parse(parameters, &why, task->query, AA_QUERY_ALL, NULL,
                       task->p) == APR_SUCCESS)
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_QUERY, "%s", why);
}

static const char *add(const char *query, const char *name, const json_t *value,
                       apr_pool_t *p)
{
    const char *text = json_string_value(value);

    return apr_pstrcat(p, query ? query : "", query ? "&" : "",
                       aa_percent_encode(name, p), "=",
                       aa_percent_encode(text ? text : "", p), NULL);
}

const char *aa_query_write(const json_t *parameters, apr_pool_t *p)
{
    const char *name, *query = NULL;
    json_t *value, *one;
    size_t i;

    json_object_foreach((json_t *)parameters, name, value)
    {
        if (!json_is_array(value))
            query = add(query, name, value, p);
        json_array_foreach(value, i, one) query = add(query, name, one, p);
    }
    return query;
}
