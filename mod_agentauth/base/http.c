/* SPDX-License-Identifier: Apache-2.0 */
/* GET with libcurl, closed on all sides but the one that is wanted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>
#include <curl/curl.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "base/transfer.h"
#include "model/limits.h"

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
static int well_formed(const char *url, apr_size_t max)
{
    apr_size_t len = strlen(url);

    if (len > max || !strstr(url, "://"))
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

    if (!well_formed(url, AA_URL_MAX))
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

/* Length of a name, an IPv4 address or an IPv6 literal without a zone. */
static apr_size_t host_length(const char *text)
{
    const char *more = *text == '[' ? ":." : "-._";
    apr_size_t n = *text == '[';

    while (apr_isalnum(text[n]) || (text[n] && strchr(more, text[n])))
        n++;
    if (*text != '[')
        return n;
    return text[n] == ']' && n > 2 ? n + 1 : 0;
}

/* What follows "://". Written out, as libcurl reads things into hosts: escapes,
 * superfluous slashes, users. */
static int authority_plain(const char *text)
{
    apr_size_t n = host_length(text);
    long port = 0;

    if (!n)
        return 0;
    text += n;
    if (*text == ':') {
        if (*++text == '0')
            return 0;
        for (; apr_isdigit(*text) && port < 65536; text++)
            port = port * 10 + (*text - '0');
        if (port < 1 || port > 65535)
            return 0;
    }
    return !*text || *text == '/' || *text == '?';
}

int aa_http_absolute(const char *url)
{
    if (!well_formed(url, AA_BACKEND_URL_MAX))
        return 0;
    if (!strncasecmp(url, "http://", 7))
        return authority_plain(url + 7);
    return !strncasecmp(url, "https://", 8) && authority_plain(url + 8);
}

static char *lowered(const char *text, apr_size_t len, apr_pool_t *p)
{
    char *copy = apr_pstrmemdup(p, text, len);

    for (char *c = copy; *c; c++)
        *c = (char)apr_tolower(*c);
    return copy;
}

apr_status_t aa_http_place(aa_http_place_t *place, const char *url,
                           apr_pool_t *p)
{
    const char *scheme, *text, *standard;
    apr_size_t n;

    if (!aa_http_absolute(url))
        return APR_EINVAL;
    scheme = lowered(url, strcspn(url, ":"), p);
    text = url + strlen(scheme) + 3;
    standard = strcmp(scheme, "https") ? "80" : "443";
    n = host_length(text);
    place->host = lowered(text, n, p);
    place->port = text[n] == ':'
                      ? lowered(text + n + 1, strcspn(text + n + 1, "/?"), p)
                      : standard;
    place->origin = apr_pstrcat(
        p, scheme, "://", place->host, strcmp(place->port, standard) ? ":" : "",
        strcmp(place->port, standard) ? place->port : "", NULL);
    if (*text == '[')
        place->host = apr_pstrmemdup(p, place->host + 1, n - 2);
    return APR_SUCCESS;
}

/* -------------------------------------------------------------------- GET */

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

static CURLcode accept_set(CURL *easy, const char *accept, apr_pool_t *p)
{
    struct curl_slist *fields;

    if (!accept)
        return CURLE_OK;
    fields = curl_slist_append(NULL, apr_pstrcat(p, "Accept: ", accept, NULL));
    if (!fields)
        return CURLE_OUT_OF_MEMORY;
    apr_pool_cleanup_register(p, fields, list_release, apr_pool_cleanup_null);
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
}

apr_status_t aa_http_get(aa_http_answer_t **answer, const char **why,
                         const char *url, const char *accept,
                         apr_interval_time_t timeout, apr_pool_t *p)
{
    aa_transfer_t t = {.p = p, .max = AA_HTTP_BODY_MAX};
    apr_status_t rv;
    CURL *easy;
    CURLcode rc;

    *answer = NULL;
    *why = NULL;
    if (!aa_http_allowed(url)) {
        *why = "the URL is neither https nor http to loopback";
        return APR_EGENERAL;
    }
    easy = curl_easy_init();
    if (!easy) {
        *why = "libcurl gave no handle";
        return APR_EGENERAL;
    }
    apr_pool_cleanup_register(p, easy, easy_release, apr_pool_cleanup_null);
    rc = aa_transfer_options(easy, &t, url, timeout, timeout);
    if (rc == CURLE_OK)
        rc = accept_set(easy, accept, p);
    rv = aa_transfer_perform(answer, why, easy, &t, rc);
    /* Not with the pool of a long request: the connection closes now. */
    apr_pool_cleanup_run(p, easy, easy_release);
    return rv == APR_SUCCESS || rv == APR_TIMEUP ? rv : APR_EGENERAL;
}
