/* SPDX-License-Identifier: Apache-2.0 */
/* Form of a compact JWS, and what its claims must say (RFC 7515, 7519). */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "base/json.h"
#include "base/jwk.h"
#include "model/limits.h"

#define DATE_MAX 253402300799.0 /* seconds: the last second of year 9999 */

static const aa_jose_alg_t algorithms[] = {
    {"RS256", AA_KTY_RSA, NULL, 32, 0},
    {"RS384", AA_KTY_RSA, NULL, 48, 0},
    {"RS512", AA_KTY_RSA, NULL, 64, 0},
    {"PS256", AA_KTY_RSA, NULL, 32, 0},
    {"PS384", AA_KTY_RSA, NULL, 48, 0},
    {"PS512", AA_KTY_RSA, NULL, 64, 0},
    {"ES256", AA_KTY_EC, "P-256", 32, 64},
    {"ES384", AA_KTY_EC, "P-384", 48, 96},
    {"ES512", AA_KTY_EC, "P-521", 64, 132},
    {"HS256", AA_KTY_OCT, NULL, 32, 32},
    {"HS384", AA_KTY_OCT, NULL, 48, 48},
    {"HS512", AA_KTY_OCT, NULL, 64, 64},
    {"EdDSA", AA_KTY_OKP, "Ed25519", 64, 64},
};

const aa_jose_alg_t *aa_jose_alg_find(const char *name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
        if (!strcmp(algorithms[i].name, name))
            return &algorithms[i];
    return NULL;
}

int aa_jose_alg_known(const char *alg)
{
    return aa_jose_alg_find(alg) != NULL;
}

/* ------------------------------------------------------------------ form */

/* One base64url part -> a JSON object. */
static apr_status_t object_read(json_t **object, const char *what,
                                const char *text, apr_size_t len,
                                aa_error_t *err, apr_pool_t *p)
{
    unsigned char *bytes;
    apr_size_t n;
    const char *why;

    if (!len || aa_base64url_decode(&bytes, &n, text, len, p) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "%s is not base64url", what);
    if (aa_json_parse(object, &why, (const char *)bytes, n, AA_JOSE_DEPTH_MAX,
                      p) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "%s: %s", what, why);
    if (!json_is_object(*object))
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "%s is no JSON object", what);
    return APR_SUCCESS;
}

/* *text: the member as a string, NULL when absent; 0 when it is no string. */
static int string_read(const char **text, const json_t *object,
                       const char *name)
{
    const json_t *member = json_object_get(object, name);

    *text = json_string_value(member);
    return !member || *text;
}

static apr_status_t header_check(aa_jws_t *jws, aa_error_t *err, apr_pool_t *p)
{
    const char *typ;

    /* RFC 7515 s4.1.11: an extension that is critical and not understood
     * makes the token invalid; we understand none. b64 (RFC 7797) changes
     * what is signed even where a sender forgot to name it in crit. */
    if (json_object_get(jws->header, "crit") ||
        json_object_get(jws->header, "b64"))
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "header has crit or b64");
    if (!string_read(&jws->alg, jws->header, "alg") || !jws->alg ||
        !string_read(&jws->kid, jws->header, "kid") ||
        !string_read(&typ, jws->header, "typ"))
        return aa_refuse(err, p, AA_E_TOKEN_FORM,
                         "alg, kid or typ is not a string");
    if (jws->kid && strlen(jws->kid) > AA_KID_MAX)
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "kid is too long");
    if (!aa_jose_alg_known(jws->alg))
        return aa_refuse(err, p, AA_E_TOKEN_ALG, "alg %.32s is not supported",
                         jws->alg);
    return APR_SUCCESS;
}

/* Ends of header and payload; 0 when there are not exactly three parts. */
static int parts_find(const char *ends[2], const char *compact, apr_size_t len)
{
    const char *end = compact + len;

    ends[0] = memchr(compact, '.', len);
    if (!ends[0])
        return 0;
    ends[1] = memchr(ends[0] + 1, '.', (apr_size_t)(end - ends[0] - 1));
    return ends[1] &&
           !memchr(ends[1] + 1, '.', (apr_size_t)(end - ends[1] - 1));
}

apr_status_t aa_jws_parse(aa_jws_t **pjws, const char *compact, apr_size_t len,
                          aa_error_t *err, apr_pool_t *p)
{
    aa_jws_t *jws = apr_pcalloc(p, sizeof(*jws));
    const char *ends[2];
    unsigned char *signature;
    apr_size_t n;
    apr_status_t rv;

    *pjws = NULL;
    if (len > AA_JWT_MAX)
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "more than %d bytes",
                         AA_JWT_MAX);
    if (!parts_find(ends, compact, len))
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "not exactly three parts");
    jws->compact = compact;
    jws->len = len;
    jws->signed_len = (apr_size_t)(ends[1] - compact);
    n = len - jws->signed_len - 1;
    if (!n || aa_base64url_decode(&signature, &jws->signature_len, ends[1] + 1,
                                  n, p) != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_TOKEN_FORM,
                         "the signature is not base64url");
    jws->signature = signature;
    rv = object_read(&jws->header, "the header", compact,
                     (apr_size_t)(ends[0] - compact), err, p);
    if (rv == APR_SUCCESS)
        rv = header_check(jws, err, p);
    if (rv == APR_SUCCESS)
        rv = object_read(&jws->claims, "the payload", ends[0] + 1,
                         (apr_size_t)(ends[1] - ends[0] - 1), err, p);
    if (rv != APR_SUCCESS)
        return rv;
    if (!string_read(&jws->iss, jws->claims, "iss"))
        return aa_refuse(err, p, AA_E_TOKEN_FORM, "iss is not a string");
    *pjws = jws;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- claims */

static int listed(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (!strcmp(*list, word))
            return 1;
    return 0;
}

/* RFC 7515 s4.1.9: "application/" is left out by senders, and media types are
 * compared without regard to case. */
static int typ_listed(const char *const *list, const char *typ)
{
    if (!strncasecmp(typ, "application/", 12))
        typ += 12;
    for (; *list; list++)
        if (!strcasecmp(*list, typ))
            return 1;
    return 0;
}

/* NumericDate (RFC 7519 s2), fraction allowed. 1: read, 0: absent, -1: wrong */
static int date_read(apr_time_t *date, const json_t *claims, const char *name)
{
    const json_t *member = json_object_get(claims, name);
    double seconds;

    *date = 0;
    if (!member)
        return 0;
    if (!json_is_number(member))
        return -1;
    seconds = json_number_value(member);
    if (!isfinite(seconds) || seconds < 0 || seconds > DATE_MAX)
        return -1;
    *date = (apr_time_t)(seconds * APR_USEC_PER_SEC);
    return 1;
}

apr_time_t aa_jwt_expires(const aa_jws_t *jws)
{
    apr_time_t exp;

    return date_read(&exp, jws->claims, "exp") == 1 ? exp : 0;
}

static apr_status_t times_check(const json_t *claims,
                                const aa_jwt_expect_t *expect, aa_error_t *err,
                                apr_pool_t *p)
{
    apr_time_t exp, nbf, iat;

    if (date_read(&exp, claims, "exp") != 1)
        return aa_refuse(err, p, AA_E_TOKEN_TIME, "no usable exp");
    if (date_read(&nbf, claims, "nbf") < 0 ||
        date_read(&iat, claims, "iat") < 0)
        return aa_refuse(err, p, AA_E_TOKEN_TIME, "nbf or iat is no date");
    if (expect->now - expect->leeway >= exp)
        return aa_refuse(err, p, AA_E_TOKEN_TIME,
                         "expired %" APR_TIME_T_FMT " s ago",
                         apr_time_sec(expect->now - exp));
    if (nbf > expect->now + expect->leeway ||
        iat > expect->now + expect->leeway)
        return aa_refuse(err, p, AA_E_TOKEN_TIME,
                         "nbf or iat is in the future");
    return APR_SUCCESS;
}

/* RFC 7519 s4.1.3: one string or an array of strings. */
static apr_status_t audience_check(const json_t *claims,
                                   const aa_jwt_expect_t *expect,
                                   aa_error_t *err, apr_pool_t *p)
{
    const json_t *aud = json_object_get(claims, "aud"), *one;
    int found = 0;
    size_t i;

    if (json_is_string(aud)) {
        found = listed(expect->aud, json_string_value(aud));
    }
    else {
        json_array_foreach(aud, i, one)
        {
            if (!json_is_string(one))
                return aa_refuse(err, p, AA_E_TOKEN_AUDIENCE,
                                 "aud holds something that is no string");
            found |= listed(expect->aud, json_string_value(one));
        }
    }
    if (!found)
        return aa_refuse(err, p, AA_E_TOKEN_AUDIENCE, "aud names none of ours");
    return APR_SUCCESS;
}

static apr_status_t claims_check(const json_t *claims,
                                 const aa_jwt_expect_t *expect, aa_error_t *err,
                                 apr_pool_t *p)
{
    const char *iss, *nonce;
    apr_status_t rv;

    if (!string_read(&iss, claims, "iss") || !iss || strcmp(iss, expect->iss))
        return aa_refuse(err, p, AA_E_TOKEN_ISSUER, "iss is not %s",
                         expect->iss);
    rv = audience_check(claims, expect, err, p);
    if (rv == APR_SUCCESS)
        rv = times_check(claims, expect, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    if (expect->nonce && (!string_read(&nonce, claims, "nonce") || !nonce ||
                          strcmp(nonce, expect->nonce)))
        return aa_refuse(err, p, AA_E_TOKEN_CLAIM, "nonce is not the one sent");
    return APR_SUCCESS;
}

apr_status_t aa_jwt_verify(const aa_jws_t *jws, const aa_jwks_t *jwks,
                           const aa_jwt_expect_t *expect, aa_error_t *err,
                           apr_pool_t *p)
{
    const aa_jose_alg_t *alg = aa_jose_alg_find(jws->alg);
    const char *typ;
    apr_status_t rv;

    if (!alg || !listed(expect->alg, alg->name))
        return aa_refuse(err, p, AA_E_TOKEN_ALG,
                         "alg %.32s is not allowed here", jws->alg);
    if (!string_read(&typ, jws->header, "typ") ||
        (typ && expect->typ_refused && typ_listed(expect->typ_refused, typ)))
        return aa_refuse(err, p, AA_E_TOKEN_KIND, "typ %.64s is refused here",
                         typ ? typ : "");
    rv = aa_jwks_verify(jwks, jws, alg, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    return claims_check(jws->claims, expect, err, p);
}
