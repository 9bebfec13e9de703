/* SPDX-License-Identifier: Apache-2.0 */
/* Words that processes share: each access is atomic, and all are in one
 * order. */
#ifndef AA_ATOMIC_H
#define AA_ATOMIC_H

#include "apr_general.h"

static inline apr_uint64_t aa_atomic_load(const apr_uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void aa_atomic_store(apr_uint64_t *word, apr_uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/** 1 when it was @a from and is @a to now; else 0, and it stays. */
static inline int aa_atomic_change(apr_uint64_t *word, apr_uint64_t from,
                                   apr_uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#endif
