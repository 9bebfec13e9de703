/* SPDX-License-Identifier: Apache-2.0 */
/* Which credential decides, and what happens when it does not. */
#include "apr_strings.h"
#include "authn/authn.h"
#include "authn/seen.h"
#include "base/crypto.h"
#include "model/limits.h"
#include "stage.h"

#define JWT "eyJh.eyJz.c2ln"
#define MINE "sk-agentauth-mine" /* has the shape; no checksum is looked at */
#define YOURS "old-yours"

/* ----------------------------------------------------- finding the credential
 */

static const struct {
    const char *name;
    const char *authorization, *key; /* NULL: no such header */
    aa_code_e code;                  /* AA_E_NONE: found */
    aa_method_e method;
    const char *text;
} find_rows[] = {
    {"nothing", NULL, NULL, AA_E_NO_CREDENTIAL, AA_METHOD_OPEN, NULL},
    /* shapes */
    {"JWT", "Bearer " JWT, NULL, AA_E_NONE, AA_METHOD_BEARER, JWT},
    {"JWT without signature", "Bearer a.b.", NULL, AA_E_NONE, AA_METHOD_BEARER,
     "a.b."},
    {"key as bearer", "Bearer " MINE, NULL, AA_E_NONE, AA_METHOD_APIKEY, MINE},
    {"key in its header", NULL, MINE, AA_E_NONE, AA_METHOD_APIKEY, MINE},
    {"key of an older prefix", NULL, YOURS, AA_E_NONE, AA_METHOD_APIKEY, YOURS},
    {"session as bearer", "Bearer sess_abc", NULL, AA_E_NONE, AA_METHOD_SESSION,
     "sess_abc"},
    {"opaque", "Bearer abc", NULL, AA_E_NONE, AA_METHOD_POLICY, "abc"},
    {"two parts", "Bearer a.b", NULL, AA_E_NONE, AA_METHOD_POLICY, "a.b"},
    {"four parts", "Bearer a.b.c.d", NULL, AA_E_NONE, AA_METHOD_POLICY,
     "a.b.c.d"},
    {"five parts, a JWE", "Bearer a.b.c.d.e", NULL, AA_E_NONE, AA_METHOD_POLICY,
     "a.b.c.d.e"},
    {"padded parts", "Bearer a=.b.c", NULL, AA_E_NONE, AA_METHOD_POLICY,
     "a=.b.c"},
    {"empty header part", "Bearer .b.c", NULL, AA_E_NONE, AA_METHOD_POLICY,
     ".b.c"},
    {"empty payload part", "Bearer a..c", NULL, AA_E_NONE, AA_METHOD_POLICY,
     "a..c"},
    /* the scheme */
    {"lower case", "bearer " JWT, NULL, AA_E_NONE, AA_METHOD_BEARER, JWT},
    {"upper case", "BEARER " JWT, NULL, AA_E_NONE, AA_METHOD_BEARER, JWT},
    {"more spaces", "  Bearer   " JWT "  ", NULL, AA_E_NONE, AA_METHOD_BEARER,
     JWT},
    {"Basic", "Basic YTpi", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_POLICY, NULL},
    {"another word", "Bearers " JWT, NULL, AA_E_CREDENTIAL_FORM,
     AA_METHOD_POLICY, NULL},
    {"a bare token", JWT, NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_POLICY, NULL},
    {"Digest has commas of its own", "Digest username=\"a\", uri=\"/\"", NULL,
     AA_E_CREDENTIAL_FORM, AA_METHOD_POLICY, NULL},
    /* bad tokens */
    {"empty value", "", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN, NULL},
    {"blank value", "  \t ", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN, NULL},
    {"no token", "Bearer", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN, NULL},
    {"blank token", "Bearer   ", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN,
     NULL},
    {"two words", "Bearer a b", NULL, AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN,
     NULL},
    {"non-ASCII", "Bearer a\xc3\xa4", NULL, AA_E_CREDENTIAL_FORM,
     AA_METHOD_OPEN, NULL},
    {"control character", "Bearer a\x01", NULL, AA_E_CREDENTIAL_FORM,
     AA_METHOD_OPEN, NULL},
    {"non-ASCII key", NULL, MINE "\xff", AA_E_CREDENTIAL_FORM, AA_METHOD_OPEN,
     NULL},
    /* two of them */
    {"one header twice", "Bearer " JWT ", Bearer " JWT, NULL,
     AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN, NULL},
    {"twice without a space", "Bearer a,Bearer b", NULL, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"twice, two schemes", "Basic YTpi, Bearer " JWT, NULL,
     AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN, NULL},
    {"twice, the first empty", ", Bearer " JWT, NULL, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"twice, the second empty", "Bearer " JWT ", ", NULL, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"token and key", "Bearer " JWT, MINE, AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN,
     NULL},
    {"two keys", "Bearer " YOURS, MINE, AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN,
     NULL},
    {"key and a longer one", "Bearer " MINE "x", MINE, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"Basic and key", "Basic YTpi", MINE, AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN,
     NULL},
    {"empty and key", "", MINE, AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN, NULL},
    {"key header twice", NULL, MINE ", " YOURS, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"key header twice, the same", NULL, MINE ", " MINE, AA_E_TWO_CREDENTIALS,
     AA_METHOD_OPEN, NULL},
    {"key header twice, one foreign", NULL, "sk-other, " MINE,
     AA_E_TWO_CREDENTIALS, AA_METHOD_OPEN, NULL},
    {"the same key in both", "Bearer " MINE, MINE, AA_E_NONE, AA_METHOD_APIKEY,
     MINE},
    {"the same key, blanks", "Bearer  " MINE " ", " " MINE " ", AA_E_NONE,
     AA_METHOD_APIKEY, MINE},
    /* foreign keys */
    {"foreign alone", NULL, "sk-other", AA_E_FOREIGN_KEY, AA_METHOD_POLICY,
     NULL},
    {"foreign empty", NULL, "", AA_E_FOREIGN_KEY, AA_METHOD_POLICY, NULL},
    {"prefix in upper case is foreign", NULL, "SK-AGENTAUTH-x",
     AA_E_FOREIGN_KEY, AA_METHOD_POLICY, NULL},
    {"foreign beside a token", "Bearer " JWT, "sk-other", AA_E_NONE,
     AA_METHOD_BEARER, JWT},
    {"foreign beside a key", "Bearer " MINE, "sk-other", AA_E_NONE,
     AA_METHOD_APIKEY, MINE},
    {"two foreign beside a token", "Bearer " JWT, "a, b", AA_E_NONE,
     AA_METHOD_BEARER, JWT},
};

/** What a test's request and virtual host are. */
typedef struct scene_t {
    aa_authn_conf_t conf;
    aa_request_t request;
    apr_table_t *headers;
} scene_t;

static aa_issuer_t *const no_issuers[] = {NULL};

static scene_t *scene_make(stage_t *stage, const char *authorization,
                           const char *key)
{
    scene_t *scene = apr_pcalloc(stage->pool, sizeof(*scene));

    scene->conf.realm = REALM;
    scene->conf.key_prefixes = stage_prefixes;
    scene->conf.key_header = "X-API-Key";
    scene->conf.issuers = no_issuers;
    scene->conf.accounts = &stage->accounts;
    scene->conf.configured =
        AA_METHOD_BIT(AA_METHOD_APIKEY) | AA_METHOD_BIT(AA_METHOD_BEARER);
    scene->headers = apr_table_make(stage->pool, 4);
    if (authorization)
        apr_table_set(scene->headers, "authorization", authorization);
    if (key)
        apr_table_set(scene->headers, "x-api-key", key);
    scene->request = (aa_request_t){.method = "GET",
                                    .path = "/",
                                    .headers = scene->headers,
                                    .now = T0,
                                    .pool = stage->pool};
    return scene;
}

static void credential_rows(void **state)
{
    stage_t *stage = *state;

    for (size_t i = 0; i < sizeof(find_rows) / sizeof(*find_rows); i++) {
        scene_t *scene =
            scene_make(stage, find_rows[i].authorization, find_rows[i].key);
        aa_credential_t got;
        aa_error_t err = {0};
        apr_status_t rv;

        print_message("%s\n", find_rows[i].name);
        rv = aa_credential_find(&got, &scene->conf, &scene->request, &err);
        assert_int_equal(rv, find_rows[i].code == AA_E_NONE ? APR_SUCCESS
                             : find_rows[i].code == AA_E_NO_CREDENTIAL
                                 ? APR_ENOENT
                                 : AA_EREFUSED);
        if (rv == AA_EREFUSED)
            assert_int_equal(err.code, find_rows[i].code);
        assert_int_equal(got.method, find_rows[i].method);
        if (!find_rows[i].text) {
            assert_null(got.text);
            continue;
        }
        assert_string_equal(got.text, find_rows[i].text);
        assert_int_equal(got.len, strlen(find_rows[i].text));
        assert_int_equal(got.in_authorization,
                         find_rows[i].authorization != NULL);
        assert_int_equal(got.foreign_key + got.in_key_header,
                         find_rows[i].key != NULL);
    }
}

static void credential_long(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        int good;
    } rows[] = {{"longest", AA_CREDENTIAL_MAX, 1},
                {"one more", AA_CREDENTIAL_MAX + 1, 0},
                {"64 kB", 65536, 0}};
    stage_t *stage = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *token = apr_pcalloc(stage->pool, rows[i].len + 1);
        aa_credential_t got;
        aa_error_t err;
        scene_t *scene;

        print_message("%s\n", rows[i].name);
        memset(token, 'a', rows[i].len);
        scene = scene_make(
            stage, apr_pstrcat(stage->pool, "Bearer ", token, NULL), NULL);
        assert_int_equal(
            aa_credential_find(&got, &scene->conf, &scene->request, &err),
            rows[i].good ? APR_SUCCESS : AA_EREFUSED);
        if (!rows[i].good)
            assert_int_equal(got.method, AA_METHOD_OPEN);
        memcpy(token, PREFIX, strlen(PREFIX));
        scene = scene_make(stage, NULL, token);
        assert_int_equal(
            aa_credential_find(&got, &scene->conf, &scene->request, &err),
            rows[i].good ? APR_SUCCESS : AA_EREFUSED);
    }
}

/* Where headers are not folded into one, there are two entries. */
static void credential_unfolded(void **state)
{
    stage_t *stage = *state;
    scene_t *scene = scene_make(stage, "Bearer " JWT, NULL);
    aa_credential_t got;
    aa_error_t err;

    apr_table_add(scene->headers, "Authorization", "Bearer " JWT);
    assert_int_equal(
        aa_credential_find(&got, &scene->conf, &scene->request, &err),
        AA_EREFUSED);
    assert_int_equal(err.code, AA_E_TWO_CREDENTIALS);
    scene = scene_make(stage, NULL, MINE);
    apr_table_add(scene->headers, "X-Api-Key", MINE);
    assert_int_equal(
        aa_credential_find(&got, &scene->conf, &scene->request, &err),
        AA_EREFUSED);
    assert_int_equal(err.code, AA_E_TWO_CREDENTIALS);
}

/* Neither the query nor the cookie is a place for these. */
static void credential_elsewhere(void **state)
{
    stage_t *stage = *state;
    scene_t *scene = scene_make(stage, NULL, NULL);
    aa_credential_t got;
    aa_error_t err;

    scene->request.query = "access_token=" JWT "&api_key=" MINE;
    apr_table_set(scene->headers, "Cookie", "access_token=" JWT);
    apr_table_set(scene->headers, "Proxy-Authorization", "Bearer " JWT);
    assert_int_equal(
        aa_credential_find(&got, &scene->conf, &scene->request, &err),
        APR_ENOENT);
}

/* -------------------------------------------------------- from it to a user
 *
 * The bearer kind is played here: "good.x.y" is somebody. */

static int proofs;

static aa_principal_t *somebody(aa_method_e method, const char *identity)
{
    aa_principal_t *principal = aa_principal_create(method);

    principal->identity = apr_pstrdup(principal->pool, identity);
    assert_int_equal(aa_principal_seal(principal), APR_SUCCESS);
    return principal;
}

static apr_status_t prove_bearer(aa_principal_t **principal,
                                 const aa_credential_t *credential,
                                 const aa_authn_conf_t *conf,
                                 const aa_request_t *request, aa_error_t *err)
{
    (void)conf;
    proofs++;
    *principal = NULL;
    if (!strncmp(credential->text, "odd.", 4))
        return APR_EGENERAL;
    if (strncmp(credential->text, "good.", 5))
        return aa_refuse(err, request->pool, AA_E_TOKEN_SIGNATURE, "no");
    *principal = somebody(AA_METHOD_BEARER, "bearer-user");
    return APR_SUCCESS;
}

const aa_authn_method_t aa_authn_bearer = {AA_METHOD_BEARER, prove_bearer};

/* The policy's authenticate: what it is to say, and what it was shown. */
typedef struct handler_t {
    apr_status_t rv;
    const char *identity;
    int calls;
    const char *verified;
} handler_t;

static apr_status_t authenticate(aa_principal_t **principal, void *baton,
                                 const aa_request_t *request,
                                 const aa_principal_t *verified,
                                 aa_error_t *err)
{
    handler_t *handler = baton;

    handler->calls++;
    handler->verified =
        verified ? apr_pstrdup(request->pool, verified->identity) : NULL;
    if (handler->rv == AA_EREFUSED)
        return aa_refuse(err, request->pool, AA_E_POLICY_CREDENTIAL, "no");
    if (handler->rv == APR_SUCCESS)
        *principal = somebody(AA_METHOD_POLICY, handler->identity);
    return handler->rv;
}

#define BEARER AA_METHOD_BIT(AA_METHOD_BEARER)
#define APIKEY AA_METHOD_BIT(AA_METHOD_APIKEY)
#define SESSION AA_METHOD_BIT(AA_METHOD_SESSION)
#define POLICY AA_METHOD_BIT(AA_METHOD_POLICY)
#define NOT_ASKED (-1)

static const struct {
    const char *name;
    const char *authorization, *key;
    unsigned methods;
    int handler;       /* what authenticate returns, or NOT_ASKED: none */
    const char *user;  /* NULL: refused, or nobody */
    aa_code_e code;    /* AA_E_NONE with user NULL: nobody */
    int calls;         /* of authenticate */
    const char *shown; /* as verified */
} check_rows[] = {
    /* without a handler */
    {"nobody", NULL, NULL, BEARER | APIKEY, NOT_ASKED, NULL, AA_E_NONE, 0,
     NULL},
    {"bearer", "Bearer good.x.y", NULL, BEARER, NOT_ASKED, "bearer-user",
     AA_E_NONE, 0, NULL},
    {"wrong bearer", "Bearer bad.x.y", NULL, BEARER | APIKEY, NOT_ASKED, NULL,
     AA_E_TOKEN_SIGNATURE, 0, NULL},
    {"ours failed", "Bearer odd.x.y", NULL, BEARER, NOT_ASKED, NULL,
     AA_E_INTERNAL, 0, NULL},
    {"bearer does not count", "Bearer good.x.y", NULL, APIKEY, NOT_ASKED, NULL,
     AA_E_METHOD_OFF, 0, NULL},
    {"key does not count", NULL, MINE, BEARER, NOT_ASKED, NULL, AA_E_METHOD_OFF,
     0, NULL},
    {"broken key", NULL, MINE, APIKEY, NOT_ASKED, NULL, AA_E_KEY_CHECKSUM, 0,
     NULL},
    {"session is not configured", "Bearer sess_x", NULL, SESSION | BEARER,
     NOT_ASKED, NULL, AA_E_METHOD_OFF, 0, NULL},
    {"opaque", "Bearer opaque", NULL, BEARER | APIKEY, NOT_ASKED, NULL,
     AA_E_CREDENTIAL_FORM, 0, NULL},
    {"opaque, word but no handler", "Bearer opaque", NULL, POLICY, NOT_ASKED,
     NULL, AA_E_CREDENTIAL_FORM, 0, NULL},
    {"foreign key", NULL, "sk-other", APIKEY, NOT_ASKED, NULL, AA_E_FOREIGN_KEY,
     0, NULL},
    {"foreign key beside a bearer", "Bearer good.x.y", "sk-other",
     BEARER | APIKEY, NOT_ASKED, "bearer-user", AA_E_NONE, 0, NULL},
    {"two", "Bearer good.x.y", MINE, BEARER | APIKEY, NOT_ASKED, NULL,
     AA_E_TWO_CREDENTIALS, 0, NULL},
    /* with one */
    {"handler: word not given", "Bearer good.x.y", NULL, BEARER, APR_SUCCESS,
     "bearer-user", AA_E_NONE, 0, NULL},
    {"handler: nothing sent, knows", NULL, NULL, POLICY, APR_SUCCESS,
     "policy-user", AA_E_NONE, 1, NULL},
    {"handler: nothing sent, nil", NULL, NULL, POLICY, APR_ENOENT, NULL,
     AA_E_NONE, 1, NULL},
    {"handler: nothing sent, refuses", NULL, NULL, POLICY, AA_EREFUSED, NULL,
     AA_E_POLICY_CREDENTIAL, 1, NULL},
    {"handler: nothing sent, fails", NULL, NULL, POLICY, APR_EGENERAL, NULL,
     AA_E_INTERNAL, 1, NULL},
    {"handler: opaque, knows", "Bearer opaque", NULL, POLICY | BEARER,
     APR_SUCCESS, "policy-user", AA_E_NONE, 1, NULL},
    {"handler: opaque, nil", "Bearer opaque", NULL, POLICY | BEARER, APR_ENOENT,
     NULL, AA_E_CREDENTIAL_FORM, 1, NULL},
    {"handler: Basic, knows", "Basic YTpi", NULL, POLICY, APR_SUCCESS,
     "policy-user", AA_E_NONE, 1, NULL},
    {"handler: Basic, nil", "Basic YTpi", NULL, POLICY, APR_ENOENT, NULL,
     AA_E_CREDENTIAL_FORM, 1, NULL},
    {"handler: foreign key, knows", NULL, "sk-other", POLICY, APR_SUCCESS,
     "policy-user", AA_E_NONE, 1, NULL},
    {"handler: foreign key, nil", NULL, "sk-other", POLICY, APR_ENOENT, NULL,
     AA_E_FOREIGN_KEY, 1, NULL},
    {"handler: two are two", "Bearer a, Bearer b", NULL, POLICY, APR_SUCCESS,
     NULL, AA_E_TWO_CREDENTIALS, 0, NULL},
    {"handler: broken bytes are not shown", "Bearer \x01", NULL, POLICY,
     APR_SUCCESS, NULL, AA_E_CREDENTIAL_FORM, 0, NULL},
    {"handler: verified, nil", "Bearer good.x.y", NULL, POLICY | BEARER,
     APR_ENOENT, "bearer-user", AA_E_NONE, 1, "bearer-user"},
    {"handler: verified, replaced", "Bearer good.x.y", NULL, POLICY | BEARER,
     APR_SUCCESS, "policy-user", AA_E_NONE, 1, "bearer-user"},
    {"handler: verified, refused", "Bearer good.x.y", NULL, POLICY | BEARER,
     AA_EREFUSED, NULL, AA_E_POLICY_CREDENTIAL, 1, "bearer-user"},
    {"handler: verified, fails", "Bearer good.x.y", NULL, POLICY | BEARER,
     APR_EGENERAL, NULL, AA_E_INTERNAL, 1, "bearer-user"},
    {"handler: a wrong one is not judged", "Bearer bad.x.y", NULL,
     POLICY | BEARER, APR_SUCCESS, NULL, AA_E_TOKEN_SIGNATURE, 0, NULL},
    {"handler: nor one that does not count", "Bearer good.x.y", NULL, POLICY,
     APR_SUCCESS, NULL, AA_E_METHOD_OFF, 0, NULL},
};

static void check_table(void **state)
{
    stage_t *stage = *state;

    for (size_t i = 0; i < sizeof(check_rows) / sizeof(*check_rows); i++) {
        scene_t *scene =
            scene_make(stage, check_rows[i].authorization, check_rows[i].key);
        handler_t handler = {check_rows[i].handler, "policy-user", 0, NULL};
        aa_authn_policy_t policy = {authenticate, &handler};
        aa_credential_t credential;
        aa_principal_t *got;
        aa_error_t err;
        apr_status_t rv;

        print_message("%s\n", check_rows[i].name);
        rv = aa_authn_check(&got, &credential, &scene->conf,
                            check_rows[i].methods,
                            check_rows[i].handler == NOT_ASKED ? NULL : &policy,
                            &scene->request, &err);
        assert_int_equal(rv, check_rows[i].user   ? APR_SUCCESS
                             : check_rows[i].code ? AA_EREFUSED
                                                  : APR_ENOENT);
        assert_int_equal(err.code, check_rows[i].code);
        assert_int_equal(handler.calls, check_rows[i].calls);
        if (check_rows[i].shown)
            assert_string_equal(handler.verified, check_rows[i].shown);
        else
            assert_null(handler.verified);
        if (check_rows[i].user) {
            assert_string_equal(got->identity, check_rows[i].user);
            assert_int_equal(got->refs, 1);
        }
        else {
            assert_null(got);
        }
        aa_principal_unref(got);
    }
}

static const char *who(scene_t *scene, unsigned methods, aa_code_e *code)
{
    aa_credential_t credential;
    aa_principal_t *got;
    aa_error_t err;
    const char *identity = NULL;

    *code = AA_E_NONE;
    if (aa_authn_check(&got, &credential, &scene->conf, methods, NULL,
                       &scene->request, &err) == APR_SUCCESS)
        identity = apr_pstrdup(scene->request.pool, got->identity);
    else
        *code = err.code;
    aa_principal_unref(got);
    return identity;
}

static void check_api_key(void **state)
{
    stage_t *stage = *state;
    const char *text;
    aa_key_t key = {0};
    scene_t *header, *bearer;
    aa_code_e code;
    aa_error_t err;
    aa_authn_cache_t *cache;

    stage_user(stage, "alice", NULL);
    text = stage_key(stage, &key, "alice");
    header = scene_make(stage, NULL, text);
    bearer = scene_make(stage, apr_pstrcat(stage->pool, "Bearer ", text, NULL),
                        NULL);
    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    header->conf.cache = bearer->conf.cache = cache;
    assert_string_equal(who(header, APIKEY, &code), "alice");
    assert_string_equal(who(bearer, APIKEY, &code), "alice");
    assert_int_equal(aa_authn_cache_count(cache), 1);
    print_message("another realm, same process\n");
    bearer->conf.realm = "other.example";
    bearer->conf.cache_salt[0] = 1;
    assert_null(who(bearer, APIKEY, &code));
    assert_int_equal(code, AA_E_KEY_UNKNOWN);
    assert_string_equal(who(header, APIKEY, &code), "alice");
    print_message("cached, but the kind does not count here\n");
    assert_null(who(header, BEARER, &code));
    assert_int_equal(code, AA_E_METHOD_OFF);
    print_message("revoked: the next request knows\n");
    assert_int_equal(
        aa_key_revoke(&stage->accounts, REALM, key.id, &err, stage->pool),
        APR_SUCCESS);
    assert_null(who(header, APIKEY, &code));
    assert_int_equal(code, AA_E_KEY_UNKNOWN);
}

static void check_without_store(void **state)
{
    stage_t *stage = *state;
    scene_t *scene;
    aa_accounts_t none = {0};
    aa_code_e code;

    stage_user(stage, "alice", NULL);
    scene = scene_make(stage, NULL, stage_key(stage, NULL, "alice"));
    scene->conf.accounts = &none;
    assert_null(who(scene, APIKEY, &code));
    assert_int_equal(code, AA_E_STORE);
    scene->conf.accounts = NULL;
    assert_null(who(scene, APIKEY, &code));
    assert_int_equal(code, AA_E_STORE);
}

/* What is known is not proved again, until the minute is over. */
static void check_caches_facts(void **state)
{
    static const struct {
        apr_interval_time_t at;
        int proofs;
    } rows[] = {
        {0, 1}, {0, 0}, {59 * SECOND, 0}, {60 * SECOND, 1}, {61 * SECOND, 0}};
    stage_t *stage = *state;
    scene_t *scene = scene_make(stage, "Bearer good.x.y", NULL);
    scene_t *wrong = scene_make(stage, "Bearer bad.x.y", NULL);
    aa_authn_cache_t *cache;
    aa_code_e code;

    assert_int_equal(
        aa_authn_cache_create(&cache, NULL, 16, 1 << 20, stage->pool),
        APR_SUCCESS);
    scene->conf.cache = wrong->conf.cache = cache;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        proofs = 0;
        scene->request.now = T0 + rows[i].at;
        assert_string_equal(who(scene, BEARER, &code), "bearer-user");
        assert_int_equal(proofs, rows[i].proofs);
    }
    print_message("another salt is another fact\n");
    proofs = 0;
    scene->conf.cache_salt[15] ^= 1;
    assert_string_equal(who(scene, BEARER, &code), "bearer-user");
    assert_int_equal(proofs, 1);
    print_message("refusals are not kept\n");
    proofs = 0;
    for (int twice = 0; twice < 2; twice++)
        assert_null(who(wrong, BEARER, &code));
    assert_int_equal(proofs, 2);
    assert_int_equal(aa_authn_cache_count(cache), 2);
}

/* The handler saw one request; the next may be told otherwise. */
static void check_never_caches_the_handler(void **state)
{
    stage_t *stage = *state;
    scene_t *scene = scene_make(stage, "Bearer good.x.y", NULL);
    handler_t handler = {APR_SUCCESS, "policy-user", 0, NULL};
    aa_authn_policy_t policy = {authenticate, &handler};
    aa_credential_t credential;
    aa_principal_t *got;
    aa_error_t err;

    assert_int_equal(aa_authn_cache_create(&scene->conf.cache, NULL, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(aa_authn_check(&got, &credential, &scene->conf,
                                        BEARER | POLICY, &policy,
                                        &scene->request, &err),
                         APR_SUCCESS);
        assert_string_equal(got->identity, "policy-user");
        assert_string_equal(handler.verified, "bearer-user");
        assert_int_equal(handler.calls, i);
        aa_principal_unref(got);
    }
}

/* ------------------------------------------- what a connection proved last */

#define KEPT "abcdefghijklmnopqrstuvwxyz"

static const struct {
    const char *name, *text;
    int salt; /* 0: of the host where it was proved */
    int found;
} seen_rows[] = {
    {"the same", KEPT, 0, 1},
    {"another host", KEPT, 1, 0},
    {"the first byte differs", "Abcdefghijklmnopqrstuvwxyz", 0, 0},
    {"the eighth byte differs", "abcdefgHijklmnopqrstuvwxyz", 0, 0},
    {"the last byte differs", "abcdefghijklmnopqrstuvwxyZ", 0, 0},
    {"one byte less", "abcdefghijklmnopqrstuvwxy", 0, 0},
    {"one byte more", KEPT "z", 0, 0},
    {"nothing", "", 0, 0},
};

static aa_credential_t proved(const char *text, apr_size_t len)
{
    aa_credential_t one = {
        .method = AA_METHOD_BEARER, .text = text, .len = len, .has_digest = 1};

    memset(one.digest, text[0], sizeof(one.digest));
    return one;
}

static int is_seen(const aa_seen_t *seen, const char *text, apr_size_t len,
                   const aa_authn_conf_t *conf)
{
    aa_credential_t got = {.text = text, .len = len};
    aa_credential_t wanted = proved(text, len);
    int found = aa_seen_find(&got, seen, conf);

    assert_int_equal(got.has_digest, found);
    assert_int_equal(got.method, found ? AA_METHOD_BEARER : 0);
    if (found)
        assert_memory_equal(got.digest, wanted.digest, sizeof(got.digest));
    return found;
}

static void seen_table(void **state)
{
    stage_t *stage = *state;
    aa_seen_t *seen = aa_seen_create(stage->pool);
    aa_authn_conf_t conf = {0}, other = {.cache_salt = {0, 1}};
    aa_credential_t one = proved(KEPT, strlen(KEPT));

    assert_false(is_seen(NULL, KEPT, strlen(KEPT), &conf));
    assert_false(is_seen(seen, KEPT, strlen(KEPT), &conf));
    aa_seen_keep(NULL, &one, &conf);
    aa_seen_keep(seen, &one, &conf);
    for (size_t i = 0; i < sizeof(seen_rows) / sizeof(*seen_rows); i++) {
        print_message("%s\n", seen_rows[i].name);
        assert_int_equal(is_seen(seen, seen_rows[i].text,
                                 strlen(seen_rows[i].text),
                                 seen_rows[i].salt ? &other : &conf),
                         seen_rows[i].found);
    }
    aa_seen_forget(seen);
    assert_false(is_seen(seen, KEPT, strlen(KEPT), &conf));
    aa_seen_forget(seen);
    aa_seen_forget(NULL);
}

/* One at a time, shorter after longer and longer after shorter. */
static void seen_replaced(void **state)
{
    static const apr_size_t lens[] = {
        1, 900, 20, 900, 901, AA_SEEN_MAX, AA_SEEN_MAX + 1, 5};
    stage_t *stage = *state;
    aa_seen_t *seen = aa_seen_create(stage->pool);
    aa_authn_conf_t conf = {0};
    const char *former = "";

    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        char *text = apr_palloc(stage->pool, lens[i] + 1);
        aa_credential_t one;

        memset(text, 'a' + (int)i, lens[i]);
        text[lens[i]] = '\0';
        one = proved(text, lens[i]);
        aa_seen_keep(seen, &one, &conf);
        assert_int_equal(is_seen(seen, text, lens[i], &conf),
                         lens[i] <= AA_SEEN_MAX);
        assert_false(is_seen(seen, former, strlen(former), &conf));
        former = text;
    }
}

/* Two people behind one proxy, a place where keys do not count, a key that is
 * revoked: memory spares the digest and decides nothing. */
static void seen_decides_nothing(void **state)
{
    stage_t *stage = *state;
    aa_seen_t *seen = aa_seen_create(stage->pool);
    aa_authn_cache_t *cache;
    const char *texts[2], *names[] = {"alice", "brian"};
    scene_t *scenes[2], *wrong = scene_make(stage, NULL, MINE);
    aa_key_t keys[2] = {{0}};
    aa_code_e code;
    aa_error_t err;

    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    for (int i = 0; i < 2; i++) {
        stage_user(stage, names[i], NULL);
        texts[i] = stage_key(stage, &keys[i], names[i]);
        scenes[i] = scene_make(stage, NULL, texts[i]);
        scenes[i]->conf.cache = cache;
        scenes[i]->request.seen = seen;
    }
    for (int i = 0; i < 8; i++)
        assert_string_equal(who(scenes[0x2c >> i & 1], APIKEY, &code),
                            names[0x2c >> i & 1]);
    assert_string_equal(who(scenes[1], APIKEY, &code), "brian");
    print_message("kept, but the kind does not count here\n");
    assert_null(who(scenes[1], BEARER, &code));
    assert_int_equal(code, AA_E_METHOD_OFF);
    print_message("a refused one takes nobody's place\n");
    wrong->conf.cache = cache;
    wrong->request.seen = seen;
    assert_null(who(wrong, APIKEY, &code));
    assert_string_equal(who(scenes[1], APIKEY, &code), "brian");
    print_message("revoked: the next request knows, and it is forgotten\n");
    assert_int_equal(
        aa_key_revoke(&stage->accounts, REALM, keys[1].id, &err, stage->pool),
        APR_SUCCESS);
    for (int twice = 0; twice < 2; twice++) {
        aa_credential_t gone = {.text = texts[1], .len = strlen(texts[1])};

        assert_null(who(scenes[1], APIKEY, &code));
        assert_int_equal(code, AA_E_KEY_UNKNOWN);
        assert_false(aa_seen_find(&gone, seen, &scenes[1]->conf));
    }
    assert_string_equal(who(scenes[0], APIKEY, &code), "alice");
}

/* Each byte counts, in whole words and in what is left of one. */
static void secrets_are_compared_whole(void **state)
{
    unsigned char a[40], b[40];

    (void)state;
    for (size_t i = 0; i < sizeof(a); i++)
        a[i] = b[i] = (unsigned char)(i * 7);
    for (size_t len = 0; len <= sizeof(a); len++) {
        assert_true(aa_crypto_same(a, b, len));
        for (size_t at = 0; at < sizeof(a); at++)
            for (int bit = 0; bit < 8; bit++) {
                b[at] ^= (unsigned char)(1 << bit);
                assert_int_equal(aa_crypto_same(a, b, len), at >= len);
                b[at] ^= (unsigned char)(1 << bit);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(credential_rows),
        WITH_STAGE(credential_long),
        WITH_STAGE(credential_unfolded),
        WITH_STAGE(credential_elsewhere),
        WITH_STAGE(check_table),
        WITH_STAGE(check_api_key),
        WITH_STAGE(check_without_store),
        WITH_STAGE(check_caches_facts),
        WITH_STAGE(check_never_caches_the_handler),
        WITH_STAGE(seen_table),
        WITH_STAGE(seen_replaced),
        WITH_STAGE(seen_decides_nothing),
        cmocka_unit_test(secrets_are_compared_whole),
    };

    return cmocka_run_group_tests_name("authn", tests, NULL, NULL);
}
