/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: whose they are, of which kind, and who they prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "authn/authn.h"
#include "base/crypto.h"
#include "base/http.h"
#include "base/log.h"
#include "keys/issuer.h"
#include "model/limits.h"
#include "tokens.h"
#include "webserver.h"

#define SEC(n) apr_time_from_sec(n)
#define NOW SEC(1700000000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"HS256\"}"
#define BASE "\"iss\":\"https://op\",\"aud\":\"me\",\"exp\":1700000300"
#define KIND AA_E_TOKEN_KIND
#define CLAIM AA_E_TOKEN_CLAIM

static apr_pool_t *pool, *p;
static webserver_t *server;
static EVP_PKEY *ec, *ec2;
static const char *const audiences[] = {"me", NULL};
static const char *const hs256[] = {"HS256", NULL};
static const char *const es256[] = {"ES256", NULL};

static void quiet(aa_log_level_e level, aa_code_e code, apr_status_t rv,
                  const char *line)
{
    (void)level;
    (void)code;
    (void)rv;
    (void)line;
}

/* An issuer with a secret; claims names as the test wants them. */
static aa_issuer_t *secret_issuer(const char *url, const char *secret,
                                  const char *identity, const char *permissions)
{
    aa_issuer_t *issuer = apr_pcalloc(p, sizeof(*issuer));
    aa_keysource_conf_t conf = {0};

    issuer->url = url;
    issuer->audiences = audiences;
    issuer->secret = secret;
    issuer->secret_len = strlen(secret);
    issuer->algorithms = hs256;
    issuer->identity_claim = identity;
    issuer->permissions_claim = permissions;
    issuer->identity_prefix = "op:";
    assert_int_equal(
        aa_keysource_create(&issuer->keys, issuer, &conf, NULL, NULL, p),
        APR_SUCCESS);
    return issuer;
}

static aa_issuer_t *url_issuer(void)
{
    aa_issuer_t *issuer = apr_pcalloc(p, sizeof(*issuer));
    aa_keysource_conf_t conf = {0};

    issuer->url = "https://op";
    issuer->audiences = audiences;
    issuer->jwks =
        apr_psprintf(p, "http://127.0.0.1:%d/jwks", webserver_port(server));
    issuer->algorithms = es256;
    issuer->identity_claim = "sub";
    issuer->permissions_claim = "permissions";
    issuer->identity_prefix = "";
    conf.timeout = SEC(5);
    assert_int_equal(
        aa_keysource_create(&issuer->keys, issuer, &conf, NULL, NULL, p),
        APR_SUCCESS);
    return issuer;
}

static apr_status_t prove(aa_principal_t **principal, aa_error_t *err,
                          const char *token, apr_time_t now,
                          aa_issuer_t *const *issuers)
{
    aa_credential_t credential = {0};
    aa_authn_conf_t conf = {0};
    aa_request_t request = {0};
    apr_status_t rv;

    credential.method = AA_METHOD_BEARER;
    credential.text = token;
    credential.len = strlen(token);
    conf.realm = "r";
    conf.issuers = issuers;
    conf.leeway = SEC(60);
    request.now = now;
    request.pool = p;
    memset(err, 0, sizeof(*err));
    rv = aa_authn_bearer.prove(principal, &credential, &conf, &request, err);
    assert_int_equal(rv, err->code ? AA_EREFUSED : APR_SUCCESS);
    assert_int_equal(*principal != NULL, rv == APR_SUCCESS);
    return rv;
}

static const char *hs(const char *secret, const char *header,
                      const char *claims)
{
    token_key_t key = {NULL, secret};

    return token_sign(key, "HS256", header, claims, p);
}

/* --------------------------------------------------- claims -> principal */

typedef struct row_t {
    const char *name;
    const char *claims; /* after BASE */
    aa_code_e code;
    const char *identity;                           /* when let in */
    const char *permissions;                        /* joined with '|' */
    const char *identity_claim, *permissions_claim; /* NULL: defaults */
} row_t;

static row_t rows[] = {
    {"sub", ",\"sub\":\"alice\"", AA_E_NONE, "op:alice", "", NULL, NULL},
    {"sub missing", "", CLAIM, NULL, NULL, NULL, NULL},
    {"sub empty", ",\"sub\":\"\"", CLAIM, NULL, NULL, NULL, NULL},
    {"sub a number", ",\"sub\":1", CLAIM, NULL, NULL, NULL, NULL},
    {"sub null", ",\"sub\":null", CLAIM, NULL, NULL, NULL, NULL},
    {"sub a list", ",\"sub\":[\"alice\"]", CLAIM, NULL, NULL, NULL, NULL},
    {"sub with NUL", ",\"sub\":\"alice\\u0000x\"", AA_E_TOKEN_FORM, NULL, NULL,
     NULL, NULL},
    {"sub with a newline", ",\"sub\":\"alice\\nx\"", CLAIM, NULL, NULL, NULL,
     NULL},
    {"sub with CR LF", ",\"sub\":\"a\\r\\nX: y\"", CLAIM, NULL, NULL, NULL,
     NULL},
    {"sub with DEL", ",\"sub\":\"a\\u007f\"", CLAIM, NULL, NULL, NULL, NULL},
    {"sub with ESC", ",\"sub\":\"a\\u001b[31m\"", CLAIM, NULL, NULL, NULL,
     NULL},
    {"sub beyond ASCII", ",\"sub\":\"\\u00e4\"", AA_E_NONE, "op:\xc3\xa4", "",
     NULL, NULL},
    {"other claim", ",\"sub\":\"x\",\"uid\":\"bob\"", AA_E_NONE, "op:bob", "",
     "uid", NULL},
    {"nested claim", ",\"a\":{\"b\":{\"uid\":\"bob\"}}", AA_E_NONE, "op:bob",
     "", "a.b.uid", NULL},
    {"nested claim missing", ",\"a\":{\"b\":\"bob\"}", CLAIM, NULL, NULL,
     "a.b.uid", NULL},
    {"claim with dots in its name", ",\"https://x.y/uid\":\"bob\"", AA_E_NONE,
     "op:bob", "", "https://x.y/uid", NULL},
    {"email verified", ",\"email\":\"a@b\",\"email_verified\":true", AA_E_NONE,
     "op:a@b", "", "email", NULL},
    {"email not verified", ",\"email\":\"a@b\",\"email_verified\":false", CLAIM,
     NULL, NULL, "email", NULL},
    {"email nothing said", ",\"email\":\"a@b\"", CLAIM, NULL, NULL, "email",
     NULL},
    {"email verified as text", ",\"email\":\"a@b\",\"email_verified\":\"true\"",
     CLAIM, NULL, NULL, "email", NULL},
    {"email verified as 1", ",\"email\":\"a@b\",\"email_verified\":1", CLAIM,
     NULL, NULL, "email", NULL},
    {"email nested, verified beside",
     ",\"u\":{\"email\":\"a@b\",\"email_verified\":true}", AA_E_NONE, "op:a@b",
     "", "u.email", NULL},
    {"email nested, verified elsewhere",
     ",\"u\":{\"email\":\"a@b\"},\"email_verified\":true", CLAIM, NULL, NULL,
     "u.email", NULL},
    {"permissions a list", ",\"sub\":\"a\",\"permissions\":[\"x\",\"y:z\"]",
     AA_E_NONE, "op:a", "x|y:z", NULL, NULL},
    {"permissions an empty list", ",\"sub\":\"a\",\"permissions\":[]",
     AA_E_NONE, "op:a", "", NULL, NULL},
    {"permissions as scope", ",\"sub\":\"a\",\"scope\":\"x  y:z \"", AA_E_NONE,
     "op:a", "x|y:z", NULL, "scope"},
    {"permissions as empty scope", ",\"sub\":\"a\",\"scope\":\"\"", AA_E_NONE,
     "op:a", "", NULL, "scope"},
    {"permissions nested",
     ",\"sub\":\"a\",\"realm_access\":{\"roles\":[\"x\"]}", AA_E_NONE, "op:a",
     "x", NULL, "realm_access.roles"},
    {"permissions a number", ",\"sub\":\"a\",\"permissions\":1", CLAIM, NULL,
     NULL, NULL, NULL},
    {"permissions null", ",\"sub\":\"a\",\"permissions\":null", CLAIM, NULL,
     NULL, NULL, NULL},
    {"permissions an object", ",\"sub\":\"a\",\"permissions\":{\"x\":true}",
     CLAIM, NULL, NULL, NULL, NULL},
    {"permissions with a number", ",\"sub\":\"a\",\"permissions\":[\"x\",1]",
     CLAIM, NULL, NULL, NULL, NULL},
    {"permissions with an empty one", ",\"sub\":\"a\",\"permissions\":[\"\"]",
     CLAIM, NULL, NULL, NULL, NULL},
    {"permissions with a newline", ",\"sub\":\"a\",\"permissions\":[\"x\\n\"]",
     CLAIM, NULL, NULL, NULL, NULL},
    /* 42 */
    {"42 ID Token by nonce", ",\"sub\":\"a\",\"nonce\":\"n\"", KIND, NULL, NULL,
     NULL, NULL},
    {"42 ID Token by at_hash", ",\"sub\":\"a\",\"at_hash\":\"n\"", KIND, NULL,
     NULL, NULL, NULL},
    {"42 ID Token by c_hash", ",\"sub\":\"a\",\"c_hash\":\"n\"", KIND, NULL,
     NULL, NULL, NULL},
    {"42 logout token by events",
     ",\"sub\":\"a\",\"events\":{\"http://schemas.openid.net/event/"
     "backchannel-logout\":{}}",
     KIND, NULL, NULL, NULL, NULL},
    {"42 access token with a list named events",
     ",\"sub\":\"a\",\"events\":[1]", AA_E_NONE, "op:a", "", NULL, NULL},
};

static void claims(void **state)
{
    const row_t *row = *state;
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET,
                      row->identity_claim ? row->identity_claim : "sub",
                      row->permissions_claim ? row->permissions_claim
                                             : "permissions"),
        NULL};
    const char *token =
        hs(SECRET, HEADER, apr_pstrcat(p, "{" BASE, row->claims, "}", NULL));
    const char *joined = "";
    aa_principal_t *principal;
    aa_error_t err;

    (void)prove(&principal, &err, token, NOW, issuers);
    assert_int_equal(err.code, row->code);
    if (row->code)
        return;
    assert_string_equal(principal->identity, row->identity);
    for (const char *const *one = principal->permissions; *one; one++)
        joined = apr_pstrcat(p, joined, *joined ? "|" : "", *one, NULL);
    assert_string_equal(joined, row->permissions);
    assert_string_equal(
        json_string_value(json_object_get(principal->user, "identity")),
        row->identity);
    aa_principal_unref(principal);
}

/* ------------------------------------------------------------ header typ */

typedef struct typ_t {
    const char *typ;
    aa_code_e code;
} typ_t;

static typ_t typs[] = {
    {"JWT", AA_E_NONE},
    {"at+jwt", AA_E_NONE},
    {"application/at+jwt", AA_E_NONE},
    {"logout+jwt", KIND},
    {"agentauth+jwt", KIND},
    {"AgentAuth+JWT", KIND},
    {"application/agentauth+jwt", KIND},
    {"dpop+jwt", KIND},
    {"secevent+jwt", KIND},
};

static void header_typ(void **state)
{
    const typ_t *row = *state;
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    aa_principal_t *principal;
    aa_error_t err;

    (void)prove(
        &principal, &err,
        hs(SECRET,
           apr_psprintf(p, "{\"alg\":\"HS256\",\"typ\":\"%s\"}", row->typ),
           "{" BASE ",\"sub\":\"a\"}"),
        NOW, issuers);
    assert_int_equal(err.code, row->code);
    aa_principal_unref(principal);
}

/* ------------------------------------------------------- one whole token */

static void facts(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    const char *token = hs(SECRET, HEADER,
                           "{" BASE ",\"sub\":\"a\",\"jti\":\"t-1\","
                           "\"org\":\"acme\",\"identity\":\"root\","
                           "\"permissions\":[\"x\"]}");
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    assert_int_equal(prove(&principal, &err, token, NOW, issuers), APR_SUCCESS);
    assert_int_equal(principal->method, AA_METHOD_BEARER);
    assert_true(principal->expires == SEC(1700000300));
    assert_true(principal->stale == NOW + AA_CACHE_TTL_MAX);
    assert_int_equal(principal->has_epoch, 0);
    assert_string_equal(principal->credential_id, "t-1");
    assert_true(principal->bytes > strlen(token));
    assert_string_equal(
        json_string_value(json_object_get(principal->claims, "org")), "acme");
    /* A claim does not become who the user is. */
    assert_string_equal(
        json_string_value(json_object_get(principal->user, "identity")),
        "op:a");
    assert_true(
        json_is_true(json_object_get(principal->user, "is_authenticated")));
    aa_principal_unref(principal);
    assert_int_equal(prove(&principal, &err, token, SEC(1700000270), issuers),
                     APR_SUCCESS);
    assert_true(principal->stale == SEC(1700000300)); /* the end of exp */
    aa_principal_unref(principal);
    assert_int_equal(prove(&principal, &err, token, SEC(1700000360), issuers),
                     AA_EREFUSED);
    assert_int_equal(err.code, AA_E_TOKEN_TIME);
}

/* The principal lives on when the request's pool, and its JSON, are gone. */
static void outlives_request(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    apr_pool_t *whole = p;
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    apr_pool_create(&p, whole);
    assert_int_equal(prove(&principal, &err,
                           hs(SECRET, HEADER,
                              "{" BASE ",\"sub\":\"a\",\"jti\":\"t\","
                              "\"permissions\":[\"x\"]}"),
                           NOW, issuers),
                     APR_SUCCESS);
    apr_pool_destroy(p);
    p = whole;
    assert_string_equal(principal->identity, "op:a");
    assert_string_equal(principal->permissions[0], "x");
    assert_string_equal(principal->credential_id, "t");
    assert_string_equal(
        json_string_value(json_object_get(principal->claims, "sub")), "a");
    aa_principal_unref(principal);
}

/* A jti that would spoil a log line is left out; the token is good. */
static void unclean_jti(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    static const char *const jtis[] = {"\"a b\"", "\"a\\nb\"", "\"\"", "1",
                                       "\"\\u00e4\""};
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    for (size_t i = 0; i < sizeof(jtis) / sizeof(*jtis); i++) {
        const char *text = apr_pstrcat(
            p, "{" BASE ",\"sub\":\"a\",\"jti\":", jtis[i], "}", NULL);

        assert_int_equal(
            prove(&principal, &err, hs(SECRET, HEADER, text), NOW, issuers),
            APR_SUCCESS);
        assert_null(principal->credential_id);
        aa_principal_unref(principal);
    }
}

static void many_permissions(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "scope"), NULL};

    (void)state;
    for (int n = AA_PERMISSIONS_MAX; n <= AA_PERMISSIONS_MAX + 1; n++) {
        char *scope = apr_palloc(p, 2 * (apr_size_t)n + 1);
        aa_principal_t *principal;
        aa_error_t err;

        for (int i = 0; i < n; i++)
            memcpy(scope + 2 * i, "x ", 3);
        (void)prove(&principal, &err,
                    hs(SECRET, HEADER,
                       apr_pstrcat(p, "{" BASE ",\"sub\":\"a\",\"scope\":\"",
                                   scope, "\"}", NULL)),
                    NOW, issuers);
        assert_int_equal(err.code, n > AA_PERMISSIONS_MAX ? CLAIM : AA_E_NONE);
        aa_principal_unref(principal);
    }
}

static void identity_length(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};

    (void)state;
    /* "op:" counts too */
    for (int n = AA_IDENTITY_MAX - 3; n <= AA_IDENTITY_MAX - 2; n++) {
        char *sub = apr_pcalloc(p, (apr_size_t)n + 1);
        aa_principal_t *principal;
        aa_error_t err;

        memset(sub, 's', (apr_size_t)n);
        (void)prove(
            &principal, &err,
            hs(SECRET, HEADER,
               apr_pstrcat(p, "{" BASE ",\"sub\":\"", sub, "\"}", NULL)),
            NOW, issuers);
        assert_int_equal(err.code, n > AA_IDENTITY_MAX - 3 ? CLAIM : AA_E_NONE);
        aa_principal_unref(principal);
    }
}

/* ---------------------------------------------------------- which issuer */

/* 39: the key is chosen by issuer first: the secret of one proves nothing
 * about the tokens of another. */
static void two_issuers(void **state)
{
    const char *other = "fedcba9876543210fedcba9876543210";
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"),
        secret_issuer("https://op/", other, "uid", "permissions"), NULL};
    const char *theirs = "{\"iss\":\"https://op/\",\"aud\":\"me\","
                         "\"exp\":1700000300,\"sub\":\"a\",\"uid\":\"u\"}";
    const char *ours = "{" BASE ",\"sub\":\"a\",\"uid\":\"u\"}";
    static const struct {
        int theirs, by_other;
        aa_code_e code;
    } cases[] = {{0, 0, AA_E_NONE},
                 {0, 1, AA_E_TOKEN_SIGNATURE},
                 {1, 1, AA_E_NONE},
                 {1, 0, AA_E_TOKEN_SIGNATURE}};
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        (void)prove(&principal, &err,
                    hs(cases[i].by_other ? other : SECRET, HEADER,
                       cases[i].theirs ? theirs : ours),
                    NOW, issuers);
        assert_int_equal(err.code, cases[i].code);
        if (principal)
            assert_string_equal(principal->identity,
                                cases[i].theirs ? "op:u" : "op:a");
        aa_principal_unref(principal);
    }
}

static void unknown_issuer(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    aa_issuer_t *none[] = {NULL};
    static const char *const texts[] = {
        "{\"iss\":\"https://OP\",\"aud\":\"me\",\"exp\":1700000300}",
        "{\"aud\":\"me\",\"exp\":1700000300}",
        "{\"iss\":\"\",\"aud\":\"me\",\"exp\":1700000300}"};
    const char *good = hs(SECRET, HEADER, "{" BASE ",\"sub\":\"a\"}");
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        (void)prove(&principal, &err, hs(SECRET, HEADER, texts[i]), NOW,
                    issuers);
        assert_int_equal(err.code, AA_E_TOKEN_ISSUER);
    }
    (void)prove(&principal, &err, good, NOW, none);
    assert_int_equal(err.code, AA_E_TOKEN_ISSUER);
    assert_int_equal(prove(&principal, &err, good, NOW, issuers), APR_SUCCESS);
    aa_principal_unref(principal);
}

/* -------------------------------------------------------- keys that move */

static void serve(int status, const char *body)
{
    webserver_page_t pages[] = {
        {"/jwks", WEBSERVER_ANSWER, status, NULL, body, 0},
        {NULL, WEBSERVER_ANSWER, 0, NULL, NULL, 0}};

    webserver_pages(server, pages);
}

static const char *es(EVP_PKEY *key, const char *kid)
{
    token_key_t with = {key, NULL};

    return token_sign(
        with, "ES256",
        apr_psprintf(p, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid),
        "{" BASE ",\"sub\":\"a\"}", p);
}

/* First use fetches; a rotated key is found; an unknown one is not sought
 * again within the interval, and what needs no key never is. */
static void rotated_key(void **state)
{
    aa_issuer_t *issuers[] = {url_issuer(), NULL};
    const char *old_set = token_jwks(p, token_jwk(ec, "k1", p), NULL);
    const char *new_set = token_jwks(p, token_jwk(ec2, "k2", p), NULL);
    int before = webserver_count(server);
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    serve(200, old_set);
    assert_int_equal(prove(&principal, &err, es(ec, "k1"), NOW, issuers),
                     APR_SUCCESS);
    assert_string_equal(principal->identity, "a");
    aa_principal_unref(principal);
    assert_int_equal(webserver_count(server), before + 1);
    serve(200, new_set);
    (void)prove(&principal, &err, es(ec2, "k2"), NOW + SEC(59), issuers);
    assert_int_equal(err.code, AA_E_TOKEN_KEY);
    assert_int_equal(err.retry_after, 0);
    assert_int_equal(webserver_count(server), before + 1);
    assert_int_equal(
        prove(&principal, &err, es(ec2, "k2"), NOW + SEC(60), issuers),
        APR_SUCCESS);
    aa_principal_unref(principal);
    assert_int_equal(webserver_count(server), before + 2);
    (void)prove(&principal, &err, es(ec, "k1"), NOW + SEC(61), issuers);
    assert_int_equal(err.code, AA_E_TOKEN_KEY);
    (void)prove(&principal, &err, es(ec, "k2"), NOW + SEC(200), issuers);
    assert_int_equal(err.code, AA_E_TOKEN_SIGNATURE);
    (void)prove(&principal, &err,
                hs(SECRET, "{\"alg\":\"HS256\",\"kid\":\"new\"}",
                   "{" BASE ",\"sub\":\"a\"}"),
                NOW + SEC(200), issuers);
    assert_int_equal(err.code, AA_E_TOKEN_ALG);
    assert_int_equal(webserver_count(server), before + 2);
}

/* 54: known keys go on working, unknown ones are 503 with Retry-After. */
static void provider_down(void **state)
{
    aa_issuer_t *issuers[] = {url_issuer(), NULL};
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    serve(500, "");
    (void)prove(&principal, &err, es(ec, "k1"), NOW, issuers);
    assert_int_equal(err.code, AA_E_KEYS_AWAY);
    assert_int_equal(aa_codes[err.code].status, 503);
    assert_in_range(err.retry_after, 1, 60);
    serve(200, token_jwks(p, token_jwk(ec, "k1", p), NULL));
    (void)prove(&principal, &err, es(ec, "k1"), NOW + SEC(59), issuers);
    assert_int_equal(err.code, AA_E_KEYS_AWAY);
    assert_int_equal(
        prove(&principal, &err, es(ec, "k1"), NOW + SEC(60), issuers),
        APR_SUCCESS);
    aa_principal_unref(principal);
    serve(500, "");
    (void)prove(&principal, &err, es(ec2, "k2"), NOW + SEC(120), issuers);
    assert_int_equal(err.code, AA_E_KEYS_AWAY);
    assert_int_equal(
        prove(&principal, &err, es(ec, "k1"), NOW + SEC(120), issuers),
        APR_SUCCESS);
    aa_principal_unref(principal);
}

/* 49: form is judged before anything else, fast and without a fetch. */
static void malformed(void **state)
{
    aa_issuer_t *issuers[] = {url_issuer(), NULL};
    int before = webserver_count(server);
    char *large = apr_palloc(p, 65537);
    const char *const tokens[] = {
        "", ".", "..", "a.b.c", " ", "\xc3\xa4.b.c", "sess_abc", large};
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    memset(large, 'A', 65536);
    large[65536] = '\0';
    large[100] = large[200] = '.';
    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
        (void)prove(&principal, &err, tokens[i], NOW, issuers);
        assert_int_equal(err.code, AA_E_TOKEN_FORM);
        assert_int_equal(aa_codes[err.code].status, 401);
    }
    assert_int_equal(webserver_count(server), before);
}

/* What is refused is not told with the token in it. */
static void reasons_keep_secrets(void **state)
{
    aa_issuer_t *issuers[] = {
        secret_issuer("https://op", SECRET, "sub", "permissions"), NULL};
    const char *token = hs("fedcba9876543210fedcba9876543210", HEADER,
                           "{" BASE ",\"sub\":\"a\"}");
    aa_principal_t *principal;
    aa_error_t err;

    (void)state;
    (void)prove(&principal, &err, token, NOW, issuers);
    assert_int_equal(err.code, AA_E_TOKEN_SIGNATURE);
    assert_null(err.detail);
    assert_null(strstr(err.reason, strrchr(token, '.') + 1));
    assert_null(strstr(err.reason, SECRET));
}

/* ----------------------------------------------------------------- frame */

static int row_begin(void **state)
{
    (void)state;
    return apr_pool_create(&p, pool);
}

static int row_end(void **state)
{
    (void)state;
    apr_pool_destroy(p);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ONE(function)                                                          \
    tests[n++] = (struct CMUnitTest)                                           \
    {                                                                          \
#function, function, row_begin, row_end, NULL                          \
    }

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(typs) + 16];
    size_t n = 0;
    int failed;

    apr_initialize();
    aa_crypto_init();
    aa_http_init();
    aa_log_to(quiet);
    apr_pool_create(&pool, NULL);
    ec = token_key_ec("P-256", pool);
    ec2 = token_key_ec("P-256", pool);
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){rows[i].name, claims, row_begin,
                                         row_end, &rows[i]};
    for (size_t i = 0; i < COUNT(typs); i++)
        tests[n++] =
            (struct CMUnitTest){apr_pstrcat(pool, "42 typ ", typs[i].typ, NULL),
                                header_typ, row_begin, row_end, &typs[i]};
    ONE(facts);
    ONE(outlives_request);
    ONE(unclean_jti);
    ONE(many_permissions);
    ONE(identity_length);
    ONE(two_issuers);
    ONE(unknown_issuer);
    ONE(rotated_key);
    ONE(provider_down);
    ONE(malformed);
    ONE(reasons_keep_secrets);
    server = webserver_start(0);
    failed = _cmocka_run_group_tests("bearer", tests, n, NULL, NULL);
    webserver_stop(server);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
