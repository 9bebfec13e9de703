/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the one credential that a request is judged by.
 *
 * httpd folds a header that was sent twice into one value, "a, b", before
 * anybody sees it. Nothing that we accept holds a comma: not a Bearer token
 * (RFC 6750 s2.1), not Basic's base64, not a key of ours. So a comma there
 * is the seam of two headers, and the request is refused, not guessed at. */
#include <string.h>
#include <strings.h>

#include "apr_strings.h"
#include "authn/authn.h"
#include "authn/seen.h"
#include "model/limits.h"

#define SESSION_PREFIX "sess_"

/** A header's first value, trimmed, and how often it came. */
typedef struct header_t {
    const char *value; /* NULL: absent */
    apr_size_t len;
    int n;
} header_t;

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int header_take(void *baton, const char *name, const char *value)
{
    header_t *header = baton;

    (void)name;
    if (header->n++)
        return 1;
    while (is_blank(*value))
        value++;
    header->value = value;
    header->len = strlen(value);
    while (header->len && is_blank(value[header->len - 1]))
        header->len--;
    return 1;
}

/* Visible ASCII and no longer than we read: all else is refused before a
 * digest is spent on it. */
static int is_whole(const char *text, apr_size_t len)
{
    if (len < 1 || len > AA_CREDENTIAL_MAX)
        return 0;
    for (apr_size_t i = 0; i < len; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return 0;
    return 1;
}

static void text_take(aa_credential_t *credential, const char *text,
                      apr_size_t len, const aa_request_t *request)
{
    credential->text =
        text[len] ? apr_pstrmemdup(request->pool, text, len) : text;
    credential->len = len;
}

/* Not whole: it is no credential, and nobody shall take it for one. */
static apr_status_t bad_form(aa_credential_t *credential,
                             const aa_request_t *request, aa_error_t *err,
                             const char *why)
{
    credential->text = NULL;
    credential->len = 0;
    return aa_refuse(err, request->pool, AA_E_CREDENTIAL_FORM, "%s", why);
}

static apr_status_t two(const aa_request_t *request, aa_error_t *err)
{
    return aa_refuse(err, request->pool, AA_E_TWO_CREDENTIALS,
                     "two credentials, or one header twice");
}

/* ------------------------------------------------------------ the key header
 */

/* 0: none of ours; 1: one of ours; 2: one of ours and something more. */
static int key_header_read(const header_t *key, const char *const *prefixes)
{
    const char *at = key->value;
    int ours = 0, parts = 0;

    while (at) {
        while (is_blank(*at))
            at++;
        parts++;
        ours += aa_key_shaped(at, prefixes);
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return !ours ? 0 : ours + parts + key->n == 3 ? 1 : 2;
}

/* ------------------------------------------------------------- Authorization
 */

/* Three base64url parts; header and payload are never empty. */
static int is_jwt_shaped(const char *text)
{
    int dots = 0;

    if (*text == '.')
        return 0;
    for (; *text; text++) {
        if (*text == '.' && (++dots > 2 || (dots == 2 && text[-1] == '.')))
            return 0;
        if (*text != '.' && *text != '-' && *text != '_' &&
            !(*text >= '0' && *text <= '9') &&
            !(*text >= 'A' && *text <= 'Z') && !(*text >= 'a' && *text <= 'z'))
            return 0;
    }
    return dots == 2;
}

static aa_method_e bearer_kind(const char *text, const char *const *prefixes)
{
    if (aa_key_shaped(text, prefixes))
        return AA_METHOD_APIKEY;
    if (!strncmp(text, SESSION_PREFIX, strlen(SESSION_PREFIX)))
        return AA_METHOD_SESSION;
    return is_jwt_shaped(text) ? AA_METHOD_BEARER : AA_METHOD_POLICY;
}

static int scheme_is(const header_t *header, apr_size_t len, const char *word)
{
    return len == strlen(word) && !strncasecmp(header->value, word, len);
}

/* Another scheme, or nothing at all: ours it is not, the policy may know. */
static apr_status_t other_scheme(aa_credential_t *credential,
                                 const header_t *header,
                                 const aa_request_t *request, aa_error_t *err)
{
    int printable = header->len >= 1 && header->len <= AA_CREDENTIAL_MAX;

    for (apr_size_t i = 0; printable && i < header->len; i++)
        printable = header->value[i] >= 0x20 && header->value[i] < 0x7f;
    if (printable)
        credential->method = AA_METHOD_POLICY;
    return aa_refuse(err, request->pool, AA_E_CREDENTIAL_FORM,
                     "Authorization is not of the scheme Bearer");
}

static apr_status_t bad_token(aa_credential_t *credential,
                              const aa_request_t *request, aa_error_t *err)
{
    return bad_form(credential, request, err,
                    "Bearer token is empty, too long, or not visible ASCII");
}

static apr_status_t authorization_read(aa_credential_t *credential,
                                       const header_t *header,
                                       const aa_authn_conf_t *conf,
                                       const aa_request_t *request,
                                       aa_error_t *err)
{
    apr_size_t len = strcspn(header->value, " \t"), skip;
    int bearer = scheme_is(header, len, "Bearer");

    credential->in_authorization = 1;
    /* In a foreign scheme's parameters a comma is nothing special. */
    if (header->n > 1 || memchr(header->value, ',', len) ||
        ((bearer || scheme_is(header, len, "Basic")) &&
         strchr(header->value, ',')))
        return two(request, err);
    if (!bearer)
        return other_scheme(credential, header, request, err);
    skip = len + strspn(header->value + len, " \t");
    if (skip >= header->len)
        return bad_token(credential, request, err);
    text_take(credential, header->value + skip, header->len - skip, request);
    if (aa_seen_find(credential, request->seen, conf))
        return APR_SUCCESS; /* its shape is known, too */
    if (!is_whole(credential->text, credential->len))
        return bad_token(credential, request, err);
    credential->method = bearer_kind(credential->text, conf->key_prefixes);
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- both of them
 */

static apr_status_t key_find(aa_credential_t *credential, const header_t *key,
                             const aa_authn_conf_t *conf,
                             const aa_request_t *request, aa_error_t *err)
{
    text_take(credential, key->value, key->len, request);
    credential->in_key_header = 1;
    if (aa_seen_find(credential, request->seen, conf))
        return APR_SUCCESS;
    if (!is_whole(credential->text, credential->len))
        return bad_form(credential, request, err,
                        "API key is too long, or not visible ASCII");
    credential->method = AA_METHOD_APIKEY;
    return APR_SUCCESS;
}

/* A key of ours in its header, and an Authorization: the same key twice is
 * what some clients send and means one; all else means two. */
static apr_status_t both_find(aa_credential_t *credential,
                              const header_t *authorization,
                              const header_t *key, const aa_authn_conf_t *conf,
                              const aa_request_t *request, aa_error_t *err)
{
    apr_status_t rv =
        authorization_read(credential, authorization, conf, request, err);

    if (rv == APR_SUCCESS && credential->len == key->len &&
        !memcmp(credential->text, key->value, key->len)) {
        credential->in_key_header = 1;
        return APR_SUCCESS;
    }
    credential->text = NULL;
    credential->method = AA_METHOD_OPEN;
    return two(request, err);
}

apr_status_t aa_credential_find(aa_credential_t *credential,
                                const aa_authn_conf_t *conf,
                                const aa_request_t *request, aa_error_t *err)
{
    header_t authorization = {0}, key = {0};
    int ours;

    memset(credential, 0, sizeof(*credential));
    credential->method = AA_METHOD_OPEN;
    apr_table_do(header_take, &authorization, request->headers, "Authorization",
                 NULL);
    apr_table_do(header_take, &key, request->headers, conf->key_header, NULL);
    ours = key_header_read(&key, conf->key_prefixes);
    if (ours == 2)
        return two(request, err);
    if (ours && authorization.value)
        return both_find(credential, &authorization, &key, conf, request, err);
    if (ours)
        return key_find(credential, &key, conf, request, err);
    /* SDKs send another service's key from the environment by themselves. */
    credential->foreign_key = key.value != NULL;
    if (authorization.value)
        return authorization_read(credential, &authorization, conf, request,
                                  err);
    if (!key.value)
        return APR_ENOENT;
    credential->method = AA_METHOD_POLICY;
    return aa_refuse(err, request->pool, AA_E_FOREIGN_KEY,
                     "%s holds no key of ours", conf->key_header);
}
