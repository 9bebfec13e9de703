/* SPDX-License-Identifier: Apache-2.0 */
/* Our signing keys on disk: read, made, rotated, published. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apr_file_info.h"
#include "apr_strings.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "keys/keyfile.h"
#include "keys/signing.h"
#include "model/limits.h"

#define RANDOM_LEN 8

/* One file signing-<epoch seconds>-<random>.pem. */
typedef struct signing_key_t {
    apr_time_t created; /* as its name says */
    const char *file;
    aa_signer_t *signer;
} signing_key_t;

struct aa_signing_t {
    const aa_signer_t *current;
    const char *jwks;
};

/* The time in a name of ours; -1 for another name. */
static apr_time_t name_time(const char *name)
{
    apr_int64_t seconds;
    char *end;

    if (strncmp(name, "signing-", 8) || !isdigit((unsigned char)name[8]))
        return -1;
    seconds = apr_strtoi64(name + 8, &end, 10);
    if (seconds < 0 || seconds > APR_INT64_MAX / APR_USEC_PER_SEC ||
        *end != '-' || strlen(end) != 1 + RANDOM_LEN + 4 ||
        strcmp(end + 1 + RANDOM_LEN, ".pem"))
        return -1;
    return apr_time_from_sec(seconds);
}

static apr_status_t key_read(signing_key_t *key, aa_error_t *err, apr_pool_t *p)
{
    const char *pem;
    apr_size_t len;
    char why[120];
    apr_status_t rv =
        aa_keyfile_read(&pem, &len, NULL, key->file, AA_KEYFILE_SECRET,
                        AA_SIGNING_BYTES_MAX, p);

    if (rv == APR_SUCCESS) {
        rv = aa_signer_load(&key->signer, pem, p);
        aa_crypto_wipe((void *)pem, len);
    }
    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_ASSERTION,
                         "%s is no P-256 key that only its owner may read: %s",
                         key->file, apr_strerror(rv, why, sizeof(why)));
    return APR_SUCCESS;
}

static int newest_first(const void *a, const void *b)
{
    const signing_key_t *x = a, *y = b;

    if (x->created != y->created)
        return x->created < y->created ? 1 : -1;
    return strcmp(y->file, x->file);
}

/* All names of ours in dir; what they hold is not looked at yet. */
static apr_status_t names_read(apr_array_header_t *keys, const char *dir,
                               aa_error_t *err, apr_pool_t *p)
{
    apr_finfo_t finfo;
    apr_dir_t *d;
    char why[120];
    apr_status_t rv = apr_dir_open(&d, dir, p);

    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_ASSERTION, "%s cannot be read: %s", dir,
                         apr_strerror(rv, why, sizeof(why)));
    while (apr_dir_read(&finfo, APR_FINFO_NAME, d) == APR_SUCCESS) {
        apr_time_t created = name_time(finfo.name);
        signing_key_t *key;

        if (created < 0)
            continue;
        key = apr_array_push(keys);
        key->created = created;
        key->file = apr_pstrcat(p, dir, "/", finfo.name, NULL);
        key->signer = NULL;
    }
    apr_dir_close(d);
    qsort(keys->elts, (size_t)keys->nelts, sizeof(signing_key_t), newest_first);
    return APR_SUCCESS;
}

static apr_status_t key_make(apr_array_header_t *keys, const char *dir,
                             apr_time_t now, aa_error_t *err, apr_pool_t *p)
{
    signing_key_t *key = apr_array_push(keys);
    char random[RANDOM_LEN + 1] = "", why[120];
    const char *pem;
    apr_status_t rv;

    key->created = apr_time_from_sec(apr_time_sec(now));
    key->signer = NULL;
    rv = aa_base62_random(random, RANDOM_LEN);
    if (rv == APR_SUCCESS)
        rv = aa_signer_generate(&pem, p);
    key->file = apr_psprintf(p, "%s/signing-%" APR_TIME_T_FMT "-%s.pem", dir,
                             apr_time_sec(now), random);
    if (rv == APR_SUCCESS) {
        rv = aa_keyfile_write(key->file, pem, strlen(pem), 0, p);
        aa_crypto_wipe((void *)pem, strlen(pem));
    }
    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_ASSERTION, "%s cannot be made: %s",
                         key->file, apr_strerror(rv, why, sizeof(why)));
    qsort(keys->elts, (size_t)keys->nelts, sizeof(*key), newest_first);
    return APR_SUCCESS;
}

/* A key stops signing when the next one is made. */
static void old_remove(apr_array_header_t *keys, apr_interval_time_t keep,
                       apr_time_t now)
{
    signing_key_t *key = (signing_key_t *)keys->elts;
    int n = 1;

    while (n < keys->nelts && now - key[n - 1].created <= keep)
        n++;
    for (int i = n; i < keys->nelts; i++)
        if (unlink(key[i].file) != 0)
            aa_log(AA_LOG_WARNING, AA_E_NONE, APR_FROM_OS_ERROR(errno),
                   "%s cannot be removed", key[i].file);
    keys->nelts = n;
}

static apr_status_t keys_read(const apr_array_header_t *keys, aa_error_t *err,
                              apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; i < keys->nelts && rv == APR_SUCCESS; i++)
        rv = key_read(&APR_ARRAY_IDX(keys, i, signing_key_t), err, p);
    return rv;
}

static const char *jwks_text(const apr_array_header_t *keys, apr_pool_t *p)
{
    json_t *list = json_array();
    json_t *set = aa_json_own(json_pack("{s:o}", "keys", list), p);

    for (int i = 0; i < keys->nelts; i++)
        if (json_array_append(
                list,
                aa_signer_public(APR_ARRAY_IDX(keys, i, signing_key_t).signer,
                                 p)) != 0)
            return NULL;
    return set ? aa_json_dump(set, p) : NULL;
}

apr_status_t aa_signing_open(aa_signing_t **psigning, const char *dir,
                             apr_interval_time_t rotate,
                             apr_interval_time_t keep, apr_time_t now,
                             aa_error_t *err, apr_pool_t *p)
{
    apr_array_header_t *keys = apr_array_make(p, 4, sizeof(signing_key_t));
    aa_signing_t *signing = apr_pcalloc(p, sizeof(*signing));
    apr_status_t rv;

    *psigning = NULL;
    rv = names_read(keys, dir, err, p);
    if (rv == APR_SUCCESS &&
        (!keys->nelts ||
         now - APR_ARRAY_IDX(keys, 0, signing_key_t).created > rotate))
        rv = key_make(keys, dir, now, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    old_remove(keys, keep, now);
    if (keys->nelts > AA_SIGNING_KEYS_MAX)
        return aa_refuse(err, p, AA_E_ASSERTION,
                         "%s holds more than %d signing keys", dir,
                         AA_SIGNING_KEYS_MAX);
    rv = keys_read(keys, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    signing->current = APR_ARRAY_IDX(keys, 0, signing_key_t).signer;
    signing->jwks = jwks_text(keys, p);
    if (!signing->jwks)
        return aa_refuse(err, p, AA_E_ASSERTION, "no memory");
    *psigning = signing;
    return APR_SUCCESS;
}

const aa_signer_t *aa_signing_current(const aa_signing_t *signing)
{
    return signing->current;
}

const char *aa_signing_jwks(const aa_signing_t *signing)
{
    return signing->jwks;
}
