/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the gate for tokens stand on. */
#ifndef JWS_STAGE_H
#define JWS_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_pools.h"
#include "base/jose.h"
#include "tokens.h"

#define NOW apr_time_from_sec(1700000000)
#define SECRET                                                                 \
    "0123456789abcdef0123456789abcdef"                                         \
    "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"ES256\",\"kid\":\"p256\"}"
#define CLAIMS_BUT "\"iss\":\"https://op\",\"aud\":\"me\""
#define EXP ",\"exp\":1700000300"
#define CLAIMS "{" CLAIMS_BUT EXP "}"
#define FORM AA_E_TOKEN_FORM
#define TIME AA_E_TOKEN_TIME

extern apr_pool_t *pool, *p; /* of the program, of one row */
extern EVP_PKEY *rsa, *p256, *p384, *p521, *ed;
extern aa_jwks_t *jwks, *secrets;

/** What is expected of a token, for a row to change. */
aa_jwt_expect_t expect(void);
/** Parse and verify; the code of the refusal, AA_E_NONE when it is let in. */
aa_code_e judge(const char *compact, apr_size_t len, const aa_jwks_t *set,
                const aa_jwt_expect_t *e);

/** A token without its signature and the dot before it. */
const char *two_parts(const char *token);

int row_begin(void **state);
int row_end(void **state);
/** The tests; what main returns. */
int jws_run(const char *name, const struct CMUnitTest *tests, size_t n);

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROWS(array, function)                                                  \
    for (size_t i = 0; i < COUNT(array); i++)                                  \
        tests[n++] = (struct CMUnitTest){array[i].name, function, row_begin,   \
                                         row_end, &array[i]};

#endif
