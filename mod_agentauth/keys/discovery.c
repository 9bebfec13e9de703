/* SPDX-License-Identifier: Apache-2.0 */
/* Finds an issuer's key set by its discovery document, and fetches it. */
#include <string.h>
#include <strings.h>

#include "apr_strings.h"
#include "base/json.h"
#include "keys/discovery.h"
#include "model/limits.h"

#define OIDC_SUFFIX "/.well-known/openid-configuration"
#define OAUTH_INFIX "/.well-known/oauth-authorization-server"
#define ACCEPT_JWKS "application/jwk-set+json, application/json"

/* One flight: it may take several requests, and all share one deadline. */
typedef struct flight_t {
    const char *issuer; /* exact iss */
    apr_time_t began;   /* real time: the caller's clock stands still */
    apr_interval_time_t timeout;
    const char *why; /* what went wrong */
    apr_pool_t *p;
} flight_t;

/* 1 with an answer of status 200; 0 with *status (0: no answer at all). */
static int document_get(aa_http_answer_t **answer, long *status, flight_t *f,
                        const char *url, const char *accept)
{
    apr_interval_time_t left = f->timeout - (apr_time_now() - f->began);
    const char *why;

    *status = 0;
    if (left <= 0 ||
        aa_http_get(answer, &why, url, accept, left, f->p) != APR_SUCCESS) {
        f->why = apr_psprintf(f->p, "%s: %s", url,
                              left <= 0 ? "no time is left" : why);
        return 0;
    }
    *status = (*answer)->status;
    if (*status != 200)
        f->why = apr_psprintf(f->p, "%s: status %ld", url, *status);
    return *status == 200;
}

/* jwks_uri of a discovery document that is the issuer's own (OIDC Discovery
 * s4.3, RFC 8414 s3.3). */
static const char *jwks_uri_read(flight_t *f, const char *url,
                                 const aa_http_answer_t *answer)
{
    const char *why, *issuer, *uri;
    json_t *document;

    if (aa_json_parse(&document, &why, answer->body, answer->len,
                      AA_JOSE_DEPTH_MAX, f->p) != APR_SUCCESS) {
        f->why = apr_psprintf(f->p, "%s: %s", url, why);
        return NULL;
    }
    issuer = json_string_value(json_object_get(document, "issuer"));
    uri = json_string_value(json_object_get(document, "jwks_uri"));
    if (!issuer || strcmp(issuer, f->issuer)) {
        f->why = apr_psprintf(f->p, "%s: its issuer is '%.256s'", url,
                              issuer ? issuer : "");
        return NULL;
    }
    /* An issuer on https may not lead us off it. */
    if (!uri || !aa_http_allowed(uri) ||
        (!strncasecmp(f->issuer, "https:", 6) &&
         strncasecmp(uri, "https:", 6) != 0)) {
        f->why = apr_psprintf(f->p, "%s: jwks_uri '%.256s' may not be used",
                              url, uri ? uri : "");
        return NULL;
    }
    return uri;
}

/* RFC 8414 s3.1: between the host and the path, not after it. */
static const char *oauth_url(const char *issuer, apr_pool_t *p)
{
    const char *host = strstr(issuer, "://") + 3;
    const char *path = host + strcspn(host, "/");
    apr_size_t len = strlen(path);

    if (len && path[len - 1] == '/')
        len--;
    return apr_pstrcat(p,
                       apr_pstrmemdup(p, issuer, (apr_size_t)(path - issuer)),
                       OAUTH_INFIX, apr_pstrmemdup(p, path, len), NULL);
}

const char *aa_discovery_url(const char *issuer, apr_pool_t *p)
{
    apr_size_t len = strlen(issuer);

    if (len && issuer[len - 1] == '/')
        len--;
    return apr_pstrcat(p, apr_pstrmemdup(p, issuer, len), OIDC_SUFFIX, NULL);
}

static const char *discover(flight_t *f)
{
    const char *url = aa_discovery_url(f->issuer, f->p);
    aa_http_answer_t *answer;
    long status;

    if (document_get(&answer, &status, f, url, "application/json"))
        return jwks_uri_read(f, url, answer);
    if (!status)
        return NULL; /* nobody is there: no second address would answer */
    url = oauth_url(f->issuer, f->p);
    if (document_get(&answer, &status, f, url, "application/json"))
        return jwks_uri_read(f, url, answer);
    return NULL;
}

apr_status_t aa_keys_fetch(aa_jwks_t **set, aa_http_answer_t **answer,
                           const char **why, const char *issuer,
                           const char *url, apr_interval_time_t timeout,
                           apr_pool_t *p)
{
    flight_t f = {issuer, apr_time_now(), timeout, "no memory", p};
    apr_status_t rv = APR_EGENERAL;
    aa_error_t err = {0};
    long status;

    *set = NULL;
    if (!url)
        url = discover(&f);
    if (url && document_get(answer, &status, &f, url, ACCEPT_JWKS)) {
        rv = aa_jwks_parse(set, (*answer)->body, (*answer)->len, &err, p);
        if (err.reason)
            f.why = apr_psprintf(p, "%s: %s", url, err.reason);
    }
    *why = f.why;
    return rv;
}
