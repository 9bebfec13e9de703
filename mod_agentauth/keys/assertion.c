/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the assertion: which claims it has, and in which form. */
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "keys/assertion.h"
#include "model/limits.h"

/* Base64url of the SHA-256; NULL when OpenSSL fails. */
static const char *hash_text(const char *data, apr_size_t len, apr_pool_t *p)
{
    unsigned char digest[AA_SHA256_LEN];

    if (aa_crypto_sha256(digest, data, len, NULL, 0) != APR_SUCCESS)
        return NULL;
    return aa_base64url_encode(digest, sizeof(digest), p);
}

/* 0 when text is NULL or no UTF-8: half an assertion must not go out. */
static int text_set(json_t *claims, const char *name, const char *text)
{
    return text && json_object_set_new(claims, name, json_string(text)) == 0;
}

static int seconds_set(json_t *claims, const char *name, apr_time_t seconds)
{
    return json_object_set_new(claims, name, json_integer(seconds)) == 0;
}

/* Shared, read-only: jansson counts references atomically. */
static int value_set(json_t *claims, const char *name, const json_t *value)
{
    return json_object_set(claims, name, (json_t *)value) == 0;
}

static int claims_fill(json_t *claims, const aa_assertion_t *a, apr_pool_t *p)
{
    const char *query = a->query ? a->query : "";
    apr_time_t now = apr_time_sec(a->now);

    return text_set(claims, "iss", a->iss) && text_set(claims, "aud", a->aud) &&
           seconds_set(claims, "iat", now) &&
           seconds_set(claims, "exp", now + AA_ASSERTION_LIFE) &&
           text_set(claims, "jti", a->decision_id) &&
           text_set(claims, "sub", a->sub) &&
           value_set(claims, "perm", a->permissions) &&
           value_set(claims, "usr", a->user) &&
           value_set(claims, "dec", a->decisions) &&
           text_set(claims, "htm", a->method) &&
           text_set(claims, "htp", a->path) &&
           text_set(claims, "htq", hash_text(query, strlen(query), p)) &&
           (!a->body ||
            text_set(claims, "bdy", hash_text(a->body, a->body_len, p))) &&
           (!a->policy || text_set(claims, "pol", a->policy));
}

apr_status_t aa_assertion_make(const char **compact,
                               const aa_assertion_t *assertion,
                               const aa_signer_t *signer, aa_error_t *err,
                               apr_pool_t *p)
{
    json_t *claims = aa_json_own(json_object(), p);
    const char *text;

    *compact = NULL;
    if (!claims || !claims_fill(claims, assertion, p) ||
        !(text = aa_json_dump(claims, p)))
        return aa_refuse(err, p, AA_E_ASSERTION,
                         "a claim is missing or no UTF-8");
    if (strlen(text) > AA_ASSERTION_MAX)
        return aa_refuse(err, p, AA_E_HEADER_SIZE, "the assertion is too long");
    if (aa_signer_sign(compact, signer, AA_ASSERTION_TYP, text, p) !=
        APR_SUCCESS)
        return aa_refuse(err, p, AA_E_ASSERTION, "signing failed");
    if (strlen(*compact) > AA_ASSERTION_MAX) {
        *compact = NULL;
        return aa_refuse(err, p, AA_E_HEADER_SIZE, "the assertion is too long");
    }
    return APR_SUCCESS;
}
