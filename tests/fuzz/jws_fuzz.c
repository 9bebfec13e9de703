/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a token against a fixed set of keys.
 *
 * clang -fsanitize=fuzzer,address builds it as it is; with AA_FUZZ_REPLAY it
 * has a main that runs the files it is given, or the seeds next to it. No
 * input may be let in: no signature is to be had without the private keys. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/jose.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 7515 A.2 and A.3, RFC 8037 A.2, once with a kid and once without. */
static const char set_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"rsa\",\"e\":\"AQAB\",\"n\":"
    "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ"
    "47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBE"
    "Ma2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNm"
    "oudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static apr_pool_t *pool;

static void quiet(aa_log_level_e level, aa_code_e code, apr_status_t rv,
                  const char *line)
{
    (void)level;
    (void)code;
    (void)rv;
    (void)line;
}

static void start(void)
{
    apr_initialize();
    aa_log_to(quiet);
    if (aa_crypto_init() || apr_pool_create(&pool, NULL))
        abort();
}

/* Made anew for each input: what lives on looks like a leak to the fuzzer. */
static void sets_make(aa_jwks_t **jwks, aa_jwks_t **secrets, apr_pool_t *p)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef"
                                 "0123456789abcdef0123456789abcdef";

    if (aa_jwks_parse(jwks, set_text, strlen(set_text), NULL, p) ||
        aa_jwks_count(*jwks) != 3 ||
        aa_jwks_from_secret(secrets, secret, strlen(secret)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const audiences[] = {"me", NULL};
    static const char *const algs[] = {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA", NULL};
    aa_jwt_expect_t e = {"joe", audiences, algs, NULL, NULL, 0, 0};
    aa_error_t err = {0};
    aa_jws_t *jws;
    aa_jwks_t *jwks, *secrets, *other;
    apr_pool_t *p;

    if (!pool)
        start();
    apr_pool_create(&p, pool);
    sets_make(&jwks, &secrets, p);
    e.now = apr_time_from_sec(1300000000);
    if (aa_jws_parse(&jws, (const char *)data, size, &err, p) == APR_SUCCESS &&
        (aa_jwt_verify(jws, jwks, &e, &err, p) == APR_SUCCESS ||
         aa_jwt_verify(jws, secrets, &e, &err, p) == APR_SUCCESS))
        abort();
    if (aa_jwks_parse(&other, (const char *)data, size, &err, p) == APR_SUCCESS)
        aa_jwks_unref(other);
    aa_jwks_unref(jwks);
    aa_jwks_unref(secrets);
    apr_pool_destroy(p);
    return 0;
}

#ifdef AA_FUZZ_REPLAY
static const char *const seeds[] = {
    "",
    "..",
    "e30.e30.AA",
    "eyJhbGciOiJub25lIn0.e30.AA",
    "eyJhbGciOiJFUzI1NiJ9.e30."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AA"
    "AAAAAAAAAA",
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.e30."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AA"
    "AAAAAAAAAA",
    "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AA\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},7,null,[]]}",
};

/* A valid token (RFC 7515 A.3) without our audience, each byte changed. */
static void mutate(void)
{
    static const char good[] =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQ"
        "xfKTUJqPP3-Kg6NU1Q";
    char copy[sizeof(good)];

    for (size_t i = 0; i < sizeof(good) - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, good, sizeof(good));
            copy[i] = (char)(copy[i] ^ (1 << bit));
            LLVMFuzzerTestOneInput((const uint8_t *)copy, sizeof(good) - 1);
        }
}

static int replay_file(const char *name)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(name, "rb");
    size_t len;

    if (!f)
        return 0;
    len = fread(data, 1, sizeof(data), f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, len);
    return 1;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!replay_file(argv[i]))
            return 1;
    if (argc > 1)
        return 0;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++)
        LLVMFuzzerTestOneInput((const uint8_t *)seeds[i], strlen(seeds[i]));
    mutate();
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
#endif
