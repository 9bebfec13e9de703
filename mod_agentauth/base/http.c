/* SPDX-License-Identifier: Apache-2.0 */
/* GET with libcurl, closed on all sides but the one that is wanted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>
#include <curl/curl.h>

#include "apr_strings.h"
#include "base/http.h"
#include "model/limits.h"

#define BODY_ROOM 4096

/* What the callbacks of one transfer fill. */
typedef struct transfer_t {
    apr_pool_t *p;
    aa_http_answer_t *answer;
    char *body;
    apr_size_t room;
    apr_size_t head; /* bytes of header lines so far */
    const char *why; /* why we broke off; NULL: we did not */
} transfer_t;

apr_status_t aa_http_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? APR_SUCCESS
                                                             : APR_EGENERAL;
}

/* ------------------------------------------------------------------ URLs */

static int loopback(const char *host)
{
    struct in_addr v4;

    return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]") ||
           (inet_pton(AF_INET, host, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127);
}

static int part_is(CURLU *parsed, CURLUPart part, int (*test)(const char *))
{
    char *text = NULL;
    int ok = curl_url_get(parsed, part, &text, 0) == CURLUE_OK && test(text);

    curl_free(text);
    return ok;
}

static int is_https(const char *scheme)
{
    return !strcmp(scheme, "https");
}

static int is_http(const char *scheme)
{
    return !strcmp(scheme, "http");
}

/* Printable ASCII with a spelled-out authority and no fragment; the parser of
 * libcurl is more forgiving than a configuration should be. */
static int well_formed(const char *url)
{
    apr_size_t len = strlen(url);

    if (len > AA_URL_MAX || !strstr(url, "://"))
        return 0;
    for (apr_size_t i = 0; i < len; i++)
        if (url[i] <= 0x20 || url[i] >= 0x7f || strchr("#\\\"<>", url[i]))
            return 0;
    return 1;
}

int aa_http_allowed(const char *url)
{
    CURLU *parsed;
    int ok;

    if (!well_formed(url))
        return 0;
    parsed = curl_url();
    ok = parsed &&
         curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) ==
             CURLUE_OK &&
         (part_is(parsed, CURLUPART_SCHEME, is_https) ||
          (part_is(parsed, CURLUPART_SCHEME, is_http) &&
           part_is(parsed, CURLUPART_HOST, loopback)));
    curl_url_cleanup(parsed);
    return ok;
}

/* ------------------------------------------------------------- receiving */

/* A return other than n makes libcurl break the transfer off. */
static size_t on_body(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *t = baton;
    aa_http_answer_t *answer = t->answer;

    (void)size; /* always 1 */
    if (answer->len + n > AA_HTTP_BODY_MAX) {
        t->why = "the body is too large";
        return 0;
    }
    if (answer->len + n + 1 > t->room) {
        apr_size_t room = t->room ? t->room : BODY_ROOM;
        char *grown;

        while (room < answer->len + n + 1)
            room *= 2;
        grown = apr_palloc(t->p, room);
        if (answer->len)
            memcpy(grown, t->body, answer->len);
        t->body = grown;
        t->room = room;
    }
    memcpy(t->body + answer->len, data, n);
    answer->len += n;
    return n;
}

/* max-age of a Cache-Control field in seconds (RFC 9111 s5.2.2.1), or -1. */
static apr_interval_time_t max_age_read(const char *field, apr_pool_t *p)
{
    char *state, *copy = apr_pstrdup(p, field);

    for (char *word = apr_strtok(copy, ", \t", &state); word;
         word = apr_strtok(NULL, ", \t", &state)) {
        apr_int64_t seconds;
        char *end;

        if (strncasecmp(word, "max-age=", 8))
            continue;
        word += 8;
        if (*word == '"')
            word++;
        seconds = apr_strtoi64(word, &end, 10);
        if (end == word || seconds < 0)
            return -1;
        return apr_time_from_sec(seconds > 31536000 ? 31536000 : seconds);
    }
    return -1;
}

/* The value of line when it is the field name, trimmed; else NULL. */
static const char *field_value(const char *line, apr_size_t len,
                               const char *name, apr_pool_t *p)
{
    apr_size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) || line[n] != ':')
        return NULL;
    for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
        ;
    while (len > n && (line[len - 1] == '\r' || line[len - 1] == '\n' ||
                       line[len - 1] == ' '))
        len--;
    return apr_pstrmemdup(p, line + n, len - n);
}

static size_t on_header(char *line, size_t size, size_t n, void *baton)
{
    transfer_t *t = baton;
    const char *value;

    (void)size;
    t->head += n;
    if (t->head > AA_HTTP_HEADER_MAX) {
        t->why = "the head is too large";
        return 0;
    }
    if (n > 5 && !strncmp(line, "HTTP/", 5)) { /* after a 1xx, say */
        t->answer->content_type = NULL;
        t->answer->max_age = -1;
    }
    else if ((value = field_value(line, n, "Content-Type", t->p)))
        t->answer->content_type = value;
    else if ((value = field_value(line, n, "Cache-Control", t->p)))
        t->answer->max_age = max_age_read(value, t->p);
    return n;
}

/* --------------------------------------------------------------- sending */

static apr_status_t list_release(void *list)
{
    curl_slist_free_all(list);
    return APR_SUCCESS;
}

static apr_status_t easy_release(void *easy)
{
    curl_easy_cleanup(easy);
    return APR_SUCCESS;
}

#define SET(option, value)                                                     \
    (rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc)

/* An option that could not be set is a door left open: all or nothing. */
static CURLcode options_set(CURL *easy, const char *url,
                            apr_interval_time_t timeout, transfer_t *t)
{
    long msec = (long)apr_time_as_msec(timeout);
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR,
        strncasecmp(url, "https:", 6) ? "http" : "https");
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* else http_proxy of the environment counts */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_ACCEPT_ENCODING, NULL); /* identity: nothing is unpacked */
    SET(CURLOPT_USERAGENT, "mod_agentauth");
    SET(CURLOPT_NOSIGNAL, 1L); /* httpd's threads share one SIGALRM */
    SET(CURLOPT_TIMEOUT_MS, msec > 0 ? msec : 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, msec > 0 ? msec : 1L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    return rc;
}

static CURLcode perform(CURL *easy, const char *accept, transfer_t *t)
{
    struct curl_slist *fields;
    CURLcode rc = CURLE_OK;

    if (accept) {
        fields = curl_slist_append(NULL,
                                   apr_pstrcat(t->p, "Accept: ", accept, NULL));
        if (!fields)
            return CURLE_OUT_OF_MEMORY;
        apr_pool_cleanup_register(t->p, fields, list_release,
                                  apr_pool_cleanup_null);
        SET(CURLOPT_HTTPHEADER, fields);
    }
    rc = rc == CURLE_OK ? curl_easy_perform(easy) : rc;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->answer->status);
    return rc;
}

apr_status_t aa_http_get(aa_http_answer_t **answer, const char **why,
                         const char *url, const char *accept,
                         apr_interval_time_t timeout, apr_pool_t *p)
{
    transfer_t t = {0};
    CURL *easy;
    CURLcode rc;

    *answer = NULL;
    *why = NULL;
    if (!aa_http_allowed(url)) {
        *why = "the URL is neither https nor http to loopback";
        return APR_EGENERAL;
    }
    t.p = p;
    t.answer = apr_pcalloc(p, sizeof(*t.answer));
    t.answer->max_age = -1;
    easy = curl_easy_init();
    if (!easy) {
        *why = "libcurl gave no handle";
        return APR_EGENERAL;
    }
    apr_pool_cleanup_register(p, easy, easy_release, apr_pool_cleanup_null);
    rc = options_set(easy, url, timeout, &t);
    if (rc == CURLE_OK)
        rc = perform(easy, accept, &t);
    /* Not with the pool of a long request: the connection closes now. */
    apr_pool_cleanup_run(p, easy, easy_release);
    if (rc != CURLE_OK) {
        *why = t.why ? t.why : curl_easy_strerror(rc);
        return rc == CURLE_OPERATION_TIMEDOUT ? APR_TIMEUP : APR_EGENERAL;
    }
    t.answer->body = t.body ? t.body : "";
    if (t.body)
        t.body[t.answer->len] = '\0';
    *answer = t.answer;
    return APR_SUCCESS;
}
