/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded table of small texts in shared memory, written without locks.
 *
 * Each entry carries a SHA-256 of itself. One that is torn, because two wrote
 * it or the writer was killed, is not believed, and the next writer may use
 * its place; so nobody ever waits here. */
#ifndef AA_FACTS_H
#define AA_FACTS_H

#include "share/objects.h"

typedef struct aa_facts_t aa_facts_t; /* in shared memory, zeroed at first */

extern const apr_size_t aa_facts_size;

/** What aa_object_recall says; @a version is loaded after the fact is. */
AA_CHECKED apr_status_t aa_facts_get(const char **fact, aa_fact_mark_t *mark,
                                     const aa_facts_t *facts,
                                     const aa_object_key_t *key,
                                     const apr_uint64_t *version,
                                     apr_time_t now, apr_pool_t *p);

/** The object's older entry goes, else of its set the oldest. */
void aa_facts_put(aa_facts_t *facts, const aa_object_key_t *key,
                  apr_uint64_t version, const char *fact, apr_size_t len,
                  apr_time_t now);

#endif
