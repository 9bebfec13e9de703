/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the gate for tokens stand on: keys, a judge, a frame. */
#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "jws_stage.h"

apr_pool_t *pool, *p;
EVP_PKEY *rsa, *p256, *p384, *p521, *ed;
aa_jwks_t *jwks, *secrets;

static const char *const all_algs[] = {
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA", NULL};
static const char *const audiences[] = {"other", "me", NULL};
static const char *const typ_refused[] = {"logout+jwt", NULL};

aa_jwt_expect_t expect(void)
{
    aa_jwt_expect_t e = {"https://op",         audiences, all_algs,
                         typ_refused,          NULL,      NOW,
                         apr_time_from_sec(60)};

    return e;
}

aa_code_e judge(const char *compact, apr_size_t len, const aa_jwks_t *set,
                const aa_jwt_expect_t *e)
{
    aa_error_t err = {0};
    aa_jws_t *jws;
    apr_status_t rv = aa_jws_parse(&jws, compact, len, &err, p);

    if (rv == APR_SUCCESS)
        rv = aa_jwt_verify(jws, set, e, &err, p);
    else
        assert_null(jws);
    if (rv == APR_ENOENT)
        return AA_E_TOKEN_KEY;
    assert_int_equal(rv == APR_SUCCESS, err.code == AA_E_NONE);
    return err.code;
}

const char *two_parts(const char *token)
{
    return apr_pstrmemdup(p, token, (apr_size_t)(strrchr(token, '.') - token));
}

/* ----------------------------------------------------------------- frame */

int row_begin(void **state)
{
    (void)state;
    return apr_pool_create(&p, pool);
}

int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

static int begin(void **state)
{
    const char *text;

    (void)state;
    rsa = token_key_rsa(2048, pool);
    p256 = token_key_ec("P-256", pool);
    p384 = token_key_ec("P-384", pool);
    p521 = token_key_ec("P-521", pool);
    ed = token_key_ed25519(pool);
    text = token_jwks(
        pool, token_jwk(rsa, "rsa", pool), token_jwk(p256, "p256", pool),
        token_jwk(p384, "p384", pool), token_jwk(p521, "p521", pool),
        token_jwk(ed, "ed", pool), NULL);
    return aa_jwks_parse(&jwks, text, strlen(text), NULL, pool) ||
           aa_jwks_count(jwks) != 5 ||
           aa_jwks_from_secret(&secrets, SECRET, strlen(SECRET));
}

static int end(void **state)
{
    (void)state;
    aa_jwks_unref(jwks);
    aa_jwks_unref(secrets);
    return 0;
}

int jws_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
    int failed;

    apr_initialize();
    aa_crypto_init();
    apr_pool_create(&pool, NULL);
    failed = _cmocka_run_group_tests(name, tests, n, begin, end);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
