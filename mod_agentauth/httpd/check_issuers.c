/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of <AgentAuthIssuer> blocks, alone and beside each other. */
#include <string.h>

#include "apr_file_io.h"
#include "apr_strings.h"
#include "base/jose.h"
#include "httpd/check.h"
#include "model/limits.h"

static const char *const block_name = "<AgentAuthIssuer>";

/* ----------------------------------------------------------------- a block */

static void algorithms_check(aa_check_t *check, const aa_issuer_block_t *block)
{
    const aa_issuer_t *issuer = block->issuer;
    int secret = issuer->secret != NULL;

    for (const char *const *a = issuer->algorithms; *a; a++) {
        int hash = aa_algorithm_hash(*a);

        if (hash && !secret)
            aa_check_problem(check, AA_E_CONF_KEYS, block_name, block->where,
                             "AgentAuthAlgorithms lists %s, which needs "
                             "AgentAuthIssuerSecret",
                             *a);
        else if (!hash && secret)
            aa_check_problem(check, AA_E_CONF_KEYS, block_name, block->where,
                             "AgentAuthAlgorithms lists %s beside "
                             "AgentAuthIssuerSecret; with a secret only "
                             "HS256, HS384 and HS512 are allowed",
                             *a);
        else if (secret && issuer->secret_len < (apr_size_t)hash)
            aa_check_problem(check, AA_E_CONF_SECRET, block_name, block->where,
                             "AgentAuthIssuerSecret has %" APR_SIZE_T_FMT
                             " bytes; %s needs %d or more",
                             issuer->secret_len, *a, hash);
    }
}

static const char *key_file_check(const char *file, apr_pool_t *p)
{
    const char *why = aa_check_file(file, p);
    aa_error_t err = {0};
    aa_jwks_t *jwks;
    apr_file_t *f;
    apr_size_t len = 0;
    apr_status_t rv;
    char *text;
    int usable;

    if (why)
        return why;
    rv = apr_file_open(&f, file, APR_READ | APR_BINARY, APR_OS_DEFAULT, p);
    if (rv != APR_SUCCESS)
        return "cannot be opened";
    text = apr_palloc(p, AA_JWKS_BYTES_MAX + 1);
    rv = apr_file_read_full(f, text, AA_JWKS_BYTES_MAX + 1, &len);
    apr_file_close(f);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv))
        return "cannot be read";
    if (len > AA_JWKS_BYTES_MAX)
        return apr_psprintf(p, "is longer than %d bytes", AA_JWKS_BYTES_MAX);
    if (aa_jwks_parse(&jwks, text, len, &err, p) != APR_SUCCESS)
        return apr_psprintf(p, "is no JWK set: %s",
                            err.reason ? err.reason : "not as in RFC 7517");
    usable = aa_jwks_count(jwks);
    aa_jwks_unref(jwks);
    return usable ? NULL : "has no key that can verify a signature";
}

static void block_check(aa_check_t *check, const aa_issuer_block_t *block)
{
    const aa_issuer_t *issuer = block->issuer;
    const char *why;

    if (!*issuer->audiences)
        aa_check_problem(check, AA_E_CONF_MISSING, block_name, block->where,
                         "AgentAuthAudience is missing for %s; a token of any "
                         "other service of this issuer would count",
                         issuer->url);
    algorithms_check(check, block);
    if (issuer->secret && issuer->jwks)
        aa_check_problem(check, AA_E_CONF_KEYS, block_name, block->where,
                         "has AgentAuthJWKS and AgentAuthIssuerSecret; allowed "
                         "is one of them");
    if (!issuer->jwks || ap_strstr_c(issuer->jwks, "://"))
        return;
    why = key_file_check(issuer->jwks, check->p);
    if (why)
        aa_check_problem(check, AA_E_CONF_KEYS, block_name, block->where,
                         "AgentAuthJWKS '%s' %s", issuer->jwks, why);
}

/* -------------------------------------------------------------- collisions */

/* One issuer with the same claim and prefix in two virtual hosts of a realm
 * names the same people. */
static int same_source(const aa_issuer_t *a, const aa_issuer_t *b)
{
    return !strcmp(a->url, b->url) &&
           !strcmp(a->identity_claim, b->identity_claim) &&
           !strcmp(a->identity_prefix, b->identity_prefix);
}

/* 1 when the place of an `AuthType AgentAuth`, or of a policy, takes keys. */
static int place_takes_keys(aa_check_t *check, const ap_directive_t *d,
                            const server_rec *s)
{
    const ap_directive_t *section = aa_tree_section(check, d);
    const char *args = d->args;
    unsigned methods;

    if (ap_cstr_casecmp(d->directive, "AgentAuthPolicy") &&
        (ap_cstr_casecmp(d->directive, "AuthType") ||
         ap_cstr_casecmp(ap_getword_conf(check->p, &args), "AgentAuth")))
        return 0;
    if (!aa_tree_in_server(check, section, s))
        return 0;
    methods = aa_tree_effective(check, section, s)->methods;
    return !methods || (methods & AA_METHOD_BIT(AA_METHOD_APIKEY));
}

static int takes_keys(aa_check_t *check, const server_rec *s)
{
    for (int i = 0; i < check->all->nelts; i++)
        if (place_takes_keys(
                check, APR_ARRAY_IDX(check->all, i, const ap_directive_t *), s))
            return 1;
    return 0;
}

/* What else gives identities in the realm of @a s, or NULL. */
static const char *rival(aa_check_t *check, const server_rec *s,
                         const aa_issuer_t *issuer)
{
    const char *realm = aa_server_realm(s);

    for (server_rec *v = check->main; v; v = v->next) {
        const aa_server_conf_t *conf = aa_server_conf(v);

        if (!conf->configured || strcmp(conf->realm, realm))
            continue;
        for (int i = 0; conf->issuers && i < conf->issuers->nelts; i++) {
            const aa_issuer_t *other =
                APR_ARRAY_IDX(conf->issuers, i, aa_issuer_t *);

            if (!same_source(other, issuer))
                return apr_psprintf(check->p, "the issuer %s", other->url);
        }
        if (takes_keys(check, v))
            return "API keys";
    }
    return NULL;
}

static void collision_check(aa_check_t *check, const server_rec *s,
                            const aa_issuer_block_t *block)
{
    const char *other;

    if (block->prefix_given || !(other = rival(check, s, block->issuer)))
        return;
    aa_check_problem(check, AA_E_CONF_COLLISION, block_name, block->where,
                     "%s and %s could give the same identity in the realm "
                     "'%s'; add AgentAuthIdentityPrefix to the block (\"\" "
                     "says that they mean the same people)%s",
                     block->issuer->url, other, aa_server_realm(s),
                     strcmp(other, "API keys")
                         ? ""
                         : ", or AgentAuthMethods without apikey");
}

void aa_check_issuers(aa_check_t *check)
{
    for (server_rec *s = check->main; s; s = s->next) {
        const aa_server_conf_t *conf = aa_server_conf(s);

        for (int i = 0; conf->blocks && i < conf->blocks->nelts; i++) {
            const aa_issuer_block_t *block =
                APR_ARRAY_IDX(conf->blocks, i, aa_issuer_block_t *);

            block_check(check, block);
            collision_check(check, s, block);
        }
    }
}
