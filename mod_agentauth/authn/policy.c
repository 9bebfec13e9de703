/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the policy's authenticate handler and makes a principal of its user. */
#include "apr_strings.h"

#include "authn/policy.h"
#include "base/json.h"

aa_code_e aa_policy_code(aa_policy_cause_e cause)
{
    switch (cause) {
    case AA_CAUSE_FALSE:
        return AA_E_DENIED;
    case AA_CAUSE_EXCEPTION:
    case AA_CAUSE_ASSERT:
        return AA_E_EXCEPTION;
    case AA_CAUSE_UNMATCHED:
        return AA_E_UNMATCHED;
    case AA_CAUSE_ANONYMOUS:
        return AA_E_NOT_AUTHENTICATED;
    case AA_CAUSE_BUDGET:
        return AA_E_POLICY_BUDGET;
    case AA_CAUSE_RESULT:
        return AA_E_POLICY_RESULT;
    case AA_CAUSE_QUERY:
        return AA_E_QUERY;
    case AA_CAUSE_BODY:
        return AA_E_BODY_JSON;
    case AA_CAUSE_LUA:
        return AA_E_POLICY_ERROR;
    case AA_CAUSE_NONE:
    case AA_CAUSE_OURS:
        break;
    }
    return AA_E_INTERNAL;
}

typedef struct bound_t {
    aa_policy_t *policy;
    const aa_routes_t *routes;
    const aa_route_match_t *match;
    const apr_table_t *headers;
} bound_t;

/* Strings of the user object, copied to where the principal lives. */
static const char *const *permissions(const json_t *user, apr_pool_t *p)
{
    const json_t *list = json_object_get(user, "permissions");
    size_t n = json_array_size(list);
    const char **words = apr_pcalloc(p, (n + 1) * sizeof(*words));

    for (size_t i = 0; i < n; i++)
        words[i] = apr_pstrdup(p, json_string_value(json_array_get(list, i)));
    return words;
}

static apr_status_t make(aa_principal_t **out, json_t *user, aa_error_t *err,
                         apr_pool_t *p)
{
    aa_principal_t *principal = aa_principal_create(AA_METHOD_POLICY);
    const char *identity = json_string_value(json_object_get(user, "identity"));

    if (!principal)
        return aa_refuse(err, p, AA_E_INTERNAL, "no memory");
    principal->identity =
        apr_pstrdup(principal->pool, identity ? identity : "");
    principal->permissions = permissions(user, principal->pool);
    principal->claims = json_incref(user);
    if (aa_principal_seal(principal) != APR_SUCCESS) {
        aa_principal_unref(principal);
        return aa_refuse(err, p, AA_E_POLICY_RESULT,
                         "authenticate returned an identity or a permission "
                         "that is not allowed");
    }
    *out = principal;
    return APR_SUCCESS;
}

static apr_status_t refused(aa_error_t *err, bound_t *bound,
                            const aa_policy_verdict_t *verdict, apr_pool_t *p)
{
    aa_code_e code = verdict->cause == AA_CAUSE_EXCEPTION
                         ? AA_E_POLICY_CREDENTIAL
                         : aa_policy_code(verdict->cause);

    aa_refuse(err, p, code, "%s", verdict->reason ? verdict->reason : "");
    if (err) {
        err->status = verdict->status;
        err->detail = verdict->detail;
    }
    bound->headers = verdict->headers;
    return AA_EREFUSED;
}

static apr_status_t authenticate(aa_principal_t **principal, void *baton,
                                 const aa_request_t *request,
                                 const aa_principal_t *verified,
                                 aa_error_t *err)
{
    bound_t *bound = baton;
    const char *path = aa_routes_strip(bound->routes, request->path);
    aa_policy_who_t who = {
        .method = request->method,
        .path = path ? path : request->path,
        .query = request->query,
        .match = bound->match->route ? bound->match : NULL,
        .headers = request->headers,
        .claims = verified ? verified->user : NULL,
    };
    aa_policy_verdict_t verdict = {0};
    json_t *user;
    apr_status_t rv;

    *principal = NULL;
    rv = aa_policy_authenticate(&user, &verdict, bound->policy, &who,
                                request->pool);
    if (rv == APR_SUCCESS)
        return make(principal, user, err, request->pool);
    if (rv == APR_ENOENT)
        return APR_ENOENT;
    return refused(err, bound, &verdict, request->pool);
}

aa_authn_policy_t *aa_authn_policy_bind(aa_policy_t *policy,
                                        const aa_routes_t *routes,
                                        const aa_route_match_t *match,
                                        apr_pool_t *p)
{
    aa_authn_policy_t *out = apr_pcalloc(p, sizeof(*out));
    bound_t *bound = apr_pcalloc(p, sizeof(*bound));

    bound->policy = policy;
    bound->routes = routes;
    bound->match = match;
    out->authenticate = authenticate;
    out->baton = bound;
    return out;
}

const apr_table_t *aa_authn_policy_headers(const aa_authn_policy_t *policy)
{
    const bound_t *bound = policy->baton;

    return bound->headers;
}
