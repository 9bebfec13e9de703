/* SPDX-License-Identifier: Apache-2.0 */
/* Puts questions to a backend over HTTP, within the named bounds. */
#include <string.h>

#include "apr_strings.h"
#include "enforce/address.h"
#include "enforce/remote.h"
#include "model/limits.h"

typedef struct remote_t {
    aa_http_pool_t *pool;
    aa_address_t address;
    const char *const *headers; /* "Name: value", NULL-terminated */
    apr_interval_time_t timeout;
} remote_t;

static apr_status_t ask(const aa_backend_t *backend,
                        aa_backend_answer_t *answer, const char **why,
                        const char *method, const char *target,
                        const char *body, apr_size_t len, apr_pool_t *p)
{
    const remote_t *remote = backend->baton;
    aa_http_answer_t *got;
    aa_http_ask_t question = {0};
    apr_status_t rv;

    memset(answer, 0, sizeof(*answer));
    if (*target != '/') { /* else it would lengthen the host's name */
        *why = "the target does not begin with '/'";
        return APR_EGENERAL;
    }
    question.method = method;
    question.url = apr_pstrcat(p, remote->address.base, target, NULL);
    question.unix_socket = remote->address.unix_socket;
    question.body = body;
    question.len = len;
    question.headers = remote->headers;
    question.max = AA_BACKEND_ANSWER_MAX;
    question.timeout = remote->timeout;
    question.connect_timeout = AA_BACKEND_CONNECT;
    rv = aa_http_ask(&got, why, remote->pool, &question, p);
    if (rv != APR_SUCCESS)
        return rv;
    answer->status = (int)got->status;
    answer->content_type = got->content_type;
    answer->body = got->body;
    answer->len = got->len;
    answer->headers = got->headers;
    return APR_SUCCESS;
}

static const char *const *lines_of(const apr_table_t *headers, apr_pool_t *p)
{
    const apr_array_header_t *all = headers ? apr_table_elts(headers) : NULL;
    const char **lines =
        apr_pcalloc(p, sizeof(*lines) * (size_t)((all ? all->nelts : 0) + 1));

    for (int i = 0; all && i < all->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(all, i, apr_table_entry_t);

        lines[i] = apr_pstrcat(p, e->key, ": ", e->val, NULL);
    }
    return lines;
}

apr_status_t aa_remote_backend(aa_backend_t **backend, aa_http_pool_t *pool,
                               const char *base_url, const char *unix_socket,
                               const apr_table_t *headers,
                               apr_interval_time_t timeout, apr_pool_t *p)
{
    remote_t *remote = apr_pcalloc(p, sizeof(*remote));
    const char *text = base_url, *why;
    aa_backend_t *made;

    *backend = NULL;
    if (unix_socket)
        text = apr_pstrcat(p, "unix:", unix_socket, "|", base_url, NULL);
    if (aa_address_read(&remote->address, &why, text, p) != APR_SUCCESS)
        return APR_EINVAL;
    remote->pool = pool;
    remote->headers = lines_of(headers, p);
    remote->timeout = timeout > 0 ? timeout : AA_BACKEND_TIMEOUT;
    made = apr_pcalloc(p, sizeof(*made));
    made->name = aa_address_name(&remote->address, p);
    made->ask = ask;
    made->baton = remote;
    *backend = made;
    return APR_SUCCESS;
}
