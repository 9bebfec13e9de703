/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong and what may be said about it: codes and refusals. */
#ifndef AA_ERROR_H
#define AA_ERROR_H

#include "apr_pools.h"
#include "apr_errno.h"
#include "model/codes.h"

#if defined(__GNUC__)
#define AA_CHECKED __attribute__((warn_unused_result))
#define AA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define AA_CHECKED
#define AA_PRINTF(f, a)
#endif

/** Theirs, not ours: the peer's input was looked at and refused. */
#define AA_EREFUSED (APR_OS_START_USERERR + 1)

/** The codes, AA_E_NONE first; aa_codes[] is indexed by it. */
typedef enum aa_code_e {
    AA_E_NONE = 0,
#define AA_CODE(name, number, status, text, meaning, cause, fix) name,
    AA_CODES
#undef AA_CODE
        AA_E_COUNT
} aa_code_e;

/** One row of the list of codes; all members are constants. */
typedef struct aa_code_info_t {
    const char *number;  /* "AGA0101", as in header and log */
    int status;          /* HTTP status; 0: never an answer */
    const char *text;    /* what the client reads as "error" */
    const char *meaning; /* for agentauth explain */
    const char *cause;
    const char *fix;
} aa_code_info_t;

extern const aa_code_info_t aa_codes[AA_E_COUNT];

/** A refusal. Text for the client is constant; detail goes to the log. */
typedef struct aa_error_t {
    aa_code_e code;     /* AA_E_NONE: nothing was refused */
    const char *reason; /* for the log, never for the client; may be NULL */
    const char *detail; /* for the client beside the text; usually NULL */
    int status;         /* overrides the code's status; 0: does not */
    int retry_after;    /* seconds for Retry-After; 0: no such header */
} aa_error_t;

/**
 * Fill @a err (may be NULL) with @a code and a formatted reason for the log.
 * The reason must not hold a secret.
 * @return AA_EREFUSED, always, so that "return aa_refuse(...)" reads well
 */
apr_status_t aa_refuse(aa_error_t *err, apr_pool_t *p, aa_code_e code,
                       const char *fmt, ...) AA_PRINTF(4, 5);

/** The code for "AGA0101", in any case; AA_E_NONE when there is none. */
aa_code_e aa_code_find(const char *number);

#endif
