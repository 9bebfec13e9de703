/* SPDX-License-Identifier: Apache-2.0 */
/* Facts in sets of four; an entry is believed when its checksum is right. */
#include <stddef.h>
#include <string.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "model/limits.h"
#include "share/facts.h"

#define SETS (AA_OBJECT_FACTS / AA_OBJECT_FACTS_SET)

/* Whole words, since they are copied by atomic words. The sum is of all from
 * the key to the text's end. */
typedef struct entry_t {
    aa_fact_mark_t head;
    char text[AA_OBJECT_FACT_MAX];
} entry_t;

#define HEAD offsetof(entry_t, text)

_Static_assert(sizeof(entry_t) % sizeof(apr_uint64_t) == 0, "whole words");
_Static_assert(sizeof(aa_object_key_t) == 4 * sizeof(apr_uint64_t), "a key");

struct aa_facts_t {
    entry_t sets[SETS][AA_OBJECT_FACTS_SET];
};

const apr_size_t aa_facts_size = sizeof(aa_facts_t);

/* ---------------------------------------------------- words in and out */

static apr_size_t words(apr_size_t bytes)
{
    return (bytes + sizeof(apr_uint64_t) - 1) / sizeof(apr_uint64_t);
}

/* Others may write meanwhile: what is torn, the sum shows. */
static void copy_in(entry_t *own, const entry_t *shared, apr_size_t from,
                    apr_size_t to)
{
    const apr_uint64_t *source = (const apr_uint64_t *)shared;

    for (apr_size_t i = words(from); i < words(to); i++) {
        apr_uint64_t word = __atomic_load_n(&source[i], __ATOMIC_RELAXED);

        memcpy((char *)own + i * sizeof(word), &word, sizeof(word));
    }
}

static void copy_out(entry_t *shared, const entry_t *own)
{
    apr_uint64_t *target = (apr_uint64_t *)shared;

    for (apr_size_t i = 0; i < words(HEAD + own->head.len); i++) {
        apr_uint64_t word;

        memcpy(&word, (const char *)own + i * sizeof(word), sizeof(word));
        __atomic_store_n(&target[i], word, __ATOMIC_RELAXED);
    }
}

static apr_status_t sum_up(apr_uint64_t sum[4], const entry_t *own)
{
    apr_size_t head = sizeof(own->head.sum);

    return aa_crypto_sha256((unsigned char *)sum, (const char *)own + head,
                            HEAD - head + own->head.len, NULL, 0);
}

/* ------------------------------------------------------------ the table */

static apr_size_t set_of(const aa_object_key_t *key)
{
    return (key->hash[8] | (apr_size_t)key->hash[9] << 8) % SETS;
}

/* The clock of one request may be behind that of another, a little. */
static int fresh(apr_time_t when, apr_time_t now)
{
    return when <= now ? now - when <= AA_OBJECT_FACT_TTL
                       : when - now <= AA_OBJECT_FACT_TTL;
}

/* 1: a whole entry of this key is in `own` */
static int load(entry_t *own, const entry_t *shared, const aa_object_key_t *key)
{
    apr_uint64_t sum[4];

    copy_in(own, shared, 0, HEAD);
    if (memcmp(own->head.key, key, sizeof(*key)) != 0 ||
        own->head.len > AA_OBJECT_FACT_MAX)
        return 0;
    copy_in(own, shared, HEAD, HEAD + own->head.len);
    return sum_up(sum, own) == APR_SUCCESS &&
           memcmp(sum, own->head.sum, sizeof(sum)) == 0;
}

static int current(const aa_fact_mark_t *head, const apr_uint64_t *version,
                   apr_time_t now)
{
    return fresh(head->when, now) &&
           head->version == __atomic_load_n(version, __ATOMIC_SEQ_CST);
}

/* What was whole when it was read under this mark need not be read again. */
static int is_same(const entry_t *shared, const aa_fact_mark_t *mark)
{
    entry_t own;

    copy_in(&own, shared, 0, HEAD);
    return memcmp(&own.head, mark, sizeof(*mark)) == 0;
}

static int knows_it(const entry_t *set, const aa_object_key_t *key,
                    const aa_fact_mark_t *mark)
{
    for (int i = 0; i < AA_OBJECT_FACTS_SET; i++)
        if (memcmp(mark->key, key, sizeof(*key)) == 0 && is_same(&set[i], mark))
            return 1;
    return 0;
}

apr_status_t aa_facts_get(const char **fact, aa_fact_mark_t *mark,
                          const aa_facts_t *facts, const aa_object_key_t *key,
                          const apr_uint64_t *version, apr_time_t now,
                          apr_pool_t *p)
{
    const entry_t *set = facts->sets[set_of(key)];
    entry_t own;

    *fact = NULL;
    if (knows_it(set, key, mark) && current(mark, version, now))
        return APR_SUCCESS;
    memset(mark, 0, sizeof(*mark));
    for (int i = 0; i < AA_OBJECT_FACTS_SET; i++) {
        if (!load(&own, &set[i], key) || !current(&own.head, version, now))
            continue;
        *fact = apr_pstrmemdup(p, own.text, own.head.len);
        *mark = own.head;
        return APR_SUCCESS;
    }
    return APR_ENOENT;
}

/* What is too old, or from a future that a clock has left, goes first. */
static apr_time_t age_rank(const entry_t *shared, apr_time_t now)
{
    apr_time_t when = __atomic_load_n(&shared->head.when, __ATOMIC_RELAXED);

    return fresh(when, now) ? when : 0;
}

static entry_t *place_for(entry_t *set, const entry_t *own)
{
    entry_t *oldest = &set[0], one;

    for (int i = 0; i < AA_OBJECT_FACTS_SET; i++) {
        copy_in(&one, &set[i], 0, HEAD);
        if (memcmp(one.head.key, own->head.key, sizeof(own->head.key)) == 0)
            return &set[i];
        if (age_rank(&set[i], own->head.when) <
            age_rank(oldest, own->head.when))
            oldest = &set[i];
    }
    return oldest;
}

void aa_facts_put(aa_facts_t *facts, const aa_object_key_t *key,
                  apr_uint64_t version, const char *fact, apr_size_t len,
                  apr_time_t now)
{
    entry_t own;

    if (len > AA_OBJECT_FACT_MAX)
        return;
    memcpy(own.head.key, key, sizeof(own.head.key));
    own.head.version = version;
    own.head.when = now;
    own.head.len = len;
    memset(own.text + (len & ~(apr_size_t)7), 0,
           len < AA_OBJECT_FACT_MAX ? 8 : 0); /* the last word is whole */
    memcpy(own.text, fact, len);
    if (sum_up(own.head.sum, &own) == APR_SUCCESS)
        copy_out(place_for(facts->sets[set_of(key)], &own), &own);
}
