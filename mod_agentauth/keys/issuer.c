/* SPDX-License-Identifier: Apache-2.0 */
/* An issuer's keys: read or fetched, kept on disk, shared by processes. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include "base/crypto.h"
#include "base/http.h"
#include "base/log.h"
#include "keys/discovery.h"
#include "keys/issuer.h"
#include "keys/keyfile.h"
#include "model/limits.h"

typedef enum kind_e { SECRET, LOCAL_FILE, URL, DISCOVERY } kind_e;

struct aa_keysource_t {
    kind_e kind;
    const char *issuer; /* exact iss */
    const char *place;  /* file, URL of the set, or of the OIDC document */
    const char *kept;   /* file that holds the last fetched set; NULL: none */
    aa_keysource_conf_t conf;
    aa_keysource_shared_t *shared;
    pthread_mutex_t reading;  /* held while a file is read and installed */
    pthread_mutex_t lock;     /* guards what follows */
    aa_jwks_t *set;           /* NULL: none yet */
    apr_time_t fetched;       /* when it was, by the clock of the fetcher */
    apr_uint64_t seen;        /* shared->version that set stands for */
    aa_keyfile_stamp_t stamp; /* LOCAL_FILE: what was read last */
};

/* ----------------------------------------------------------- set in use */

static int remote(const aa_keysource_t *source)
{
    return source->kind == URL || source->kind == DISCOVERY;
}

/* The clock may have been set back since: a set from the future is as old as
 * one from the past. */
static apr_interval_time_t apart(apr_time_t a, apr_time_t b)
{
    return a < b ? b - a : a - b;
}

static int usable(const aa_keysource_t *source, apr_time_t now)
{
    return source->set && (!remote(source) ||
                           apart(now, source->fetched) <= source->conf.max_age);
}

aa_jwks_t *aa_keysource_get(aa_keysource_t *source, apr_time_t now)
{
    aa_jwks_t *set = NULL;

    pthread_mutex_lock(&source->lock);
    if (usable(source, now)) {
        set = source->set;
        aa_jwks_ref(set);
    }
    pthread_mutex_unlock(&source->lock);
    return set;
}

/* Takes the reference. */
static void install(aa_keysource_t *source, aa_jwks_t *set, apr_time_t fetched,
                    apr_uint64_t seen)
{
    aa_jwks_t *old;

    pthread_mutex_lock(&source->lock);
    old = source->set;
    source->set = set;
    source->fetched = fetched;
    source->seen = seen;
    pthread_mutex_unlock(&source->lock);
    aa_jwks_unref(old);
}

/* ------------------------------------------------------- kept on the disk */

static apr_status_t kept_read(aa_jwks_t **set, apr_time_t *fetched,
                              const aa_keysource_t *source, aa_error_t *err,
                              apr_pool_t *p)
{
    aa_keyfile_stamp_t stamp;
    const char *text;
    apr_size_t len;
    apr_status_t rv = aa_keyfile_read(&text, &len, &stamp, source->kept,
                                      AA_KEYFILE_OWN, AA_JWKS_BYTES_MAX, p);

    if (rv != APR_SUCCESS)
        return rv;
    *fetched = stamp.mtime;
    return aa_jwks_parse(set, text, len, err, p);
}

/* What another process has fetched since we last looked. 1: it is in use. */
static int take_over_alone(aa_keysource_t *source, apr_pool_t *p)
{
    /* Before the file is read: a later one is then noticed next time. */
    apr_uint64_t version =
        __atomic_load_n(&source->shared->version, __ATOMIC_ACQUIRE);
    aa_jwks_t *set = NULL;
    aa_error_t err = {0};
    apr_time_t fetched;
    apr_pool_t *ptemp;
    apr_status_t rv;
    int news;

    pthread_mutex_lock(&source->lock);
    news = source->seen != version;
    source->seen = version;
    pthread_mutex_unlock(&source->lock);
    if (!news || !source->kept || apr_pool_create(&ptemp, p) != APR_SUCCESS)
        return 0;
    rv = kept_read(&set, &fetched, source, &err, ptemp);
    if (rv == APR_SUCCESS)
        install(source, set, fetched, version);
    else
        aa_log(AA_LOG_WARNING, AA_E_KEYS_AWAY, rv, "%s cannot be read: %s",
               source->kept, err.reason ? err.reason : "");
    apr_pool_destroy(ptemp);
    return rv == APR_SUCCESS;
}

/* One reads a file, the others wait until it is in use. */
static int alone(aa_keysource_t *source, apr_pool_t *p,
                 int (*read)(aa_keysource_t *, apr_pool_t *))
{
    int done;

    pthread_mutex_lock(&source->reading);
    done = read(source, p);
    pthread_mutex_unlock(&source->reading);
    return done;
}

static int take_over(aa_keysource_t *source, apr_pool_t *p)
{
    return alone(source, p, take_over_alone);
}

/* For the other processes and the next start; the version they see next. */
static apr_uint64_t keep(aa_keysource_t *source, const char *text,
                         apr_size_t len, apr_time_t now, apr_pool_t *p)
{
    apr_status_t rv;

    if (!source->kept)
        return __atomic_load_n(&source->shared->version, __ATOMIC_ACQUIRE);
    rv = aa_keyfile_write(source->kept, text, len, now, p);
    if (rv == APR_SUCCESS)
        return __atomic_add_fetch(&source->shared->version, 1,
                                  __ATOMIC_ACQ_REL);
    aa_log(AA_LOG_WARNING, AA_E_KEYS_AWAY, rv,
           "%s cannot be written: each process fetches for itself",
           source->kept);
    return __atomic_load_n(&source->shared->version, __ATOMIC_ACQUIRE);
}

/* ---------------------------------------------------------------- fetch */

static apr_status_t fetch(aa_keysource_t *source, apr_time_t now, apr_pool_t *p)
{
    const char *why = "no memory";
    aa_http_answer_t *answer;
    aa_jwks_t *set = NULL;
    apr_pool_t *ptemp;
    apr_status_t rv;
    int count;

    rv = apr_pool_create(&ptemp, p);
    if (rv != APR_SUCCESS)
        return rv;
    rv = aa_keys_fetch(&set, &answer, &why, source->issuer,
                       source->kind == URL ? source->place : NULL,
                       source->conf.timeout, ptemp);
    if (rv != APR_SUCCESS) {
        aa_log(AA_LOG_WARNING, AA_E_KEYS_AWAY, 0,
               "keys of %s were not fetched: %s", source->issuer, why);
        goto leave;
    }
    /* An issuer that has withdrawn all its keys is believed too. */
    count = aa_jwks_count(set);
    aa_log(count ? AA_LOG_INFO : AA_LOG_WARNING,
           count ? AA_E_NONE : AA_E_KEYS_AWAY, 0,
           "keys of %s were fetched: %d usable", source->issuer, count);
    install(source, set, now,
            keep(source, answer->body, answer->len, now, ptemp));
leave:
    apr_pool_destroy(ptemp);
    return rv;
}

/* 1 for the one caller of all processes who is to fetch now. */
static int begin(aa_keysource_t *source, apr_time_t now)
{
    apr_uint64_t last =
        __atomic_load_n(&source->shared->last_try, __ATOMIC_ACQUIRE);

    if (last && apart(now, (apr_time_t)last) < source->conf.interval)
        return 0;
    return __atomic_compare_exchange_n(&source->shared->last_try, &last,
                                       (apr_uint64_t)now, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* ----------------------------------------------------------------- file */

static apr_status_t file_read(aa_keysource_t *source, aa_error_t *err,
                              apr_pool_t *p)
{
    aa_jwks_t *set;
    const char *text;
    apr_size_t len;
    apr_status_t rv = aa_keyfile_read(&text, &len, NULL, source->place,
                                      AA_KEYFILE_PUBLIC, AA_JWKS_BYTES_MAX, p);
    char why[120];

    if (rv != APR_SUCCESS)
        return aa_refuse(err, p, AA_E_KEYS_AWAY, "%s cannot be read: %s",
                         source->place, apr_strerror(rv, why, sizeof(why)));
    rv = aa_jwks_parse(&set, text, len, err, p);
    if (rv == APR_SUCCESS)
        install(source, set, 0, 0);
    return rv;
}

/* 1 when the file has changed and what it holds now is in use. */
static int file_refresh_alone(aa_keysource_t *source, apr_pool_t *p)
{
    aa_keyfile_stamp_t stamp;
    aa_error_t err = {0};
    apr_pool_t *ptemp;
    apr_status_t rv;
    int news;

    aa_keyfile_stat(&stamp, source->place);
    pthread_mutex_lock(&source->lock);
    news = stamp.mtime != source->stamp.mtime ||
           stamp.size != source->stamp.size ||
           stamp.inode != source->stamp.inode;
    source->stamp = stamp; /* a broken file is read and complained of once */
    pthread_mutex_unlock(&source->lock);
    if (!news || apr_pool_create(&ptemp, p) != APR_SUCCESS)
        return 0;
    rv = file_read(source, &err, ptemp);
    if (rv != APR_SUCCESS)
        aa_log(AA_LOG_WARNING, AA_E_KEYS_AWAY, 0,
               "keys of %s stay as they were: %s", source->issuer,
               err.reason ? err.reason : "no memory");
    apr_pool_destroy(ptemp);
    return rv == APR_SUCCESS;
}

static int file_refresh(aa_keysource_t *source, apr_pool_t *p)
{
    return alone(source, p, file_refresh_alone);
}

/* ------------------------------------------------------------ interface */

apr_status_t aa_keysource_want(aa_keysource_t *source, apr_time_t now,
                               apr_pool_t *p)
{
    apr_uint64_t last;
    int fresh;

    if (!remote(source))
        return source->kind == LOCAL_FILE && file_refresh(source, p)
                   ? APR_SUCCESS
                   : APR_ENOENT;
    if (take_over(source, p))
        return APR_SUCCESS;
    if (begin(source, now))
        return fetch(source, now, p) == APR_SUCCESS ? APR_SUCCESS : APR_EAGAIN;
    /* Fetched by the flight that was last begun: then there is no more to be
     * had. Else that flight is still under way, or it failed. */
    last = __atomic_load_n(&source->shared->last_try, __ATOMIC_ACQUIRE);
    pthread_mutex_lock(&source->lock);
    fresh = usable(source, now) && source->fetched >= (apr_time_t)last;
    pthread_mutex_unlock(&source->lock);
    return fresh ? APR_ENOENT : APR_EAGAIN;
}

void aa_keysource_tick(aa_keysource_t *source, apr_time_t now, apr_pool_t *p)
{
    int due;

    if (source->kind == LOCAL_FILE)
        (void)file_refresh(source, p);
    if (!remote(source))
        return;
    (void)take_over(source, p);
    pthread_mutex_lock(&source->lock);
    due = !source->set || apart(now, source->fetched) >= source->conf.refresh;
    pthread_mutex_unlock(&source->lock);
    if (due && begin(source, now))
        (void)fetch(source, now, p); /* has logged why not */
}

/* --------------------------------------------------------------- create */

/* Algorithms, secret and keys that do not go together are a mistake of the
 * configuration, and one that can open a door: HMAC with a public key. */
static apr_status_t algorithms_check(const aa_issuer_t *issuer, aa_error_t *err,
                                     apr_pool_t *p)
{
    if (!issuer->algorithms || !*issuer->algorithms)
        return aa_refuse(err, p, AA_E_TOKEN_ALG, "%s: no algorithm is allowed",
                         issuer->url);
    if (issuer->secret && issuer->jwks)
        return aa_refuse(err, p, AA_E_TOKEN_ALG,
                         "%s: has both a secret and a key set", issuer->url);
    for (const char *const *alg = issuer->algorithms; *alg; alg++) {
        int hmac = !strncmp(*alg, "HS", 2);

        if (!aa_jose_alg_known(*alg))
            return aa_refuse(err, p, AA_E_TOKEN_ALG,
                             "%s: algorithm %s is not supported", issuer->url,
                             *alg);
        if (hmac != (issuer->secret != NULL))
            return aa_refuse(err, p, AA_E_TOKEN_ALG, "%s: %s needs %s",
                             issuer->url, *alg,
                             hmac ? "a secret" : "a key set, not a secret");
        if (hmac && issuer->secret_len * 8 < (apr_size_t)atoi(*alg + 2))
            return aa_refuse(err, p, AA_E_TOKEN_ALG,
                             "%s: %s needs a secret of at least %d bytes",
                             issuer->url, *alg, atoi(*alg + 2) / 8);
    }
    return APR_SUCCESS;
}

static apr_status_t place_find(aa_keysource_t *source,
                               const aa_issuer_t *issuer, aa_error_t *err,
                               apr_pool_t *p)
{
    source->kind = issuer->secret           ? SECRET
                   : !issuer->jwks          ? DISCOVERY
                   : issuer->jwks[0] == '/' ? LOCAL_FILE
                                            : URL;
    source->place = issuer->jwks;
    if (source->kind == DISCOVERY) {
        if (!aa_http_allowed(issuer->url) || strchr(issuer->url, '?'))
            return aa_refuse(err, p, AA_E_KEYS_AWAY,
                             "%s: no URL to discover keys from (https, or "
                             "http to loopback)",
                             issuer->url);
        source->place = aa_discovery_url(issuer->url, p);
    }
    if (source->kind == URL && !aa_http_allowed(issuer->jwks))
        return aa_refuse(err, p, AA_E_KEYS_AWAY,
                         "%s: neither a file nor a URL with https, or http "
                         "to loopback",
                         issuer->jwks);
    return APR_SUCCESS;
}

static apr_status_t kept_name(aa_keysource_t *source, apr_pool_t *p)
{
    unsigned char digest[AA_SHA256_LEN];

    if (!source->conf.cache_dir)
        return APR_SUCCESS;
    if (aa_crypto_sha256(digest, source->place, strlen(source->place), NULL,
                         0) != APR_SUCCESS)
        return APR_EGENERAL;
    source->kept =
        apr_pstrcat(p, source->conf.cache_dir, "/",
                    aa_hex(digest, sizeof(digest), p), ".json", NULL);
    return APR_SUCCESS;
}

static apr_status_t set_begin(aa_keysource_t *source, const aa_issuer_t *issuer,
                              aa_error_t *err, apr_pool_t *p)
{
    apr_status_t rv;

    if (source->kind == SECRET) {
        rv = aa_jwks_from_secret(&source->set, issuer->secret,
                                 issuer->secret_len);
        return rv == APR_SUCCESS
                   ? rv
                   : aa_refuse(err, p, AA_E_TOKEN_ALG,
                               "%s: the secret is too short or too long",
                               issuer->url);
    }
    if (source->kind == LOCAL_FILE) {
        aa_keyfile_stat(&source->stamp, source->place);
        rv = file_read(source, err, p);
        if (rv == APR_SUCCESS && !aa_jwks_count(source->set))
            rv = aa_refuse(err, p, AA_E_KEYS_AWAY, "%s holds no usable key",
                           source->place);
        return rv;
    }
    rv = kept_name(source, p);
    /* The last fetch of before serves at once; a missing file is none. */
    if (rv == APR_SUCCESS && source->kept)
        (void)kept_read(&source->set, &source->fetched, source, NULL, p);
    return rv;
}

static apr_status_t source_release(void *data)
{
    aa_keysource_t *source = data;

    aa_jwks_unref(source->set);
    pthread_mutex_destroy(&source->lock);
    pthread_mutex_destroy(&source->reading);
    return APR_SUCCESS;
}

static apr_interval_time_t or_default(apr_interval_time_t value, int seconds)
{
    return value > 0 ? value : apr_time_from_sec(seconds);
}

apr_status_t aa_keysource_create(aa_keysource_t **psource,
                                 const aa_issuer_t *issuer,
                                 const aa_keysource_conf_t *conf,
                                 aa_keysource_shared_t *shared, aa_error_t *err,
                                 apr_pool_t *p)
{
    aa_keysource_t *source = apr_pcalloc(p, sizeof(*source));
    apr_status_t rv;

    *psource = NULL;
    rv = algorithms_check(issuer, err, p);
    if (rv == APR_SUCCESS)
        rv = place_find(source, issuer, err, p);
    if (rv != APR_SUCCESS)
        return rv;
    source->issuer = issuer->url;
    source->conf = *conf;
    source->conf.interval = or_default(conf->interval, 60);
    source->conf.refresh = or_default(conf->refresh, 600);
    source->conf.max_age = or_default(conf->max_age, 86400);
    source->conf.timeout = or_default(conf->timeout, 5);
    source->shared = shared ? shared : apr_pcalloc(p, sizeof(*shared));
    pthread_mutex_init(&source->reading, NULL);
    pthread_mutex_init(&source->lock, NULL);
    apr_pool_cleanup_register(p, source, source_release, apr_pool_cleanup_null);
    rv = set_begin(source, issuer, err, p);
    if (rv == APR_SUCCESS)
        *psource = source;
    return rv;
}
