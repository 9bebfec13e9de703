/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an answer as it comes from libcurl, and doubts all of it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "base/transfer.h"
#include "model/limits.h"

#define BODY_ROOM 4096

/* Outside of the pool, which would keep every size that it ever had. */
typedef struct aa_transfer_body_t {
    char *data;
    apr_size_t room;
} body_t;

/* ------------------------------------------------------------------ body */

static apr_status_t body_release(void *body)
{
    free(((body_t *)body)->data);
    return APR_SUCCESS;
}

static apr_status_t refuse(aa_transfer_t *t, apr_status_t rv, const char *why)
{
    t->why = why;
    t->rv = rv;
    return rv;
}

/* Room for n bytes more and a NUL: all at once when the length is known. */
static apr_status_t body_grow(aa_transfer_t *t, apr_size_t n)
{
    apr_size_t need = t->answer->len + n + 1, room = t->body->room;
    char *grown;

    if (need <= room)
        return APR_SUCCESS;
    if (!room)
        room = t->length >= 0 ? (apr_size_t)t->length + 1 : BODY_ROOM;
    while (room < need)
        room *= 2;
    grown = realloc(t->body->data, room);
    if (!grown)
        return refuse(t, APR_ENOMEM, "no memory for the body");
    t->body->data = grown;
    t->body->room = room;
    return APR_SUCCESS;
}

/* A return other than n makes libcurl break the transfer off. */
static size_t on_body(char *data, size_t size, size_t n, void *baton)
{
    aa_transfer_t *t = baton;

    (void)size; /* always 1 */
    if (n > t->max - t->answer->len) {
        refuse(t, APR_ENOSPC, "the body is too large");
        return 0;
    }
    if (body_grow(t, n) != APR_SUCCESS)
        return 0;
    memcpy(t->body->data + t->answer->len, data, n);
    t->answer->len += n;
    return n;
}

/* ------------------------------------------------------------------ head */

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

/* Where a message ends must be said once and plainly (RFC 9112 s6.3): else two
 * readers find different ends, and one answer is taken for the next. */
static const char *length_read(aa_transfer_t *t, const char *value)
{
    apr_int64_t length = 0;

    if (t->length >= 0 || t->chunked)
        return "the length is said twice";
    if (!*value)
        return "the length is no number";
    for (; *value; value++) {
        if (!apr_isdigit(*value) || length > APR_INT64_MAX / 10 - 10)
            return "the length is no number";
        length = length * 10 + (*value - '0');
    }
    t->length = length;
    if (!t->bodiless && (apr_uint64_t)length > t->max) {
        t->rv = APR_ENOSPC;
        return "the body is too large";
    }
    return NULL;
}

/* libcurl would unpack a gzip here, whether it was wanted or not. */
static const char *coding_read(aa_transfer_t *t, const char *value)
{
    if (t->length >= 0 || t->chunked)
        return "the length is said twice";
    if (strcasecmp(value, "chunked"))
        return "the transfer has an encoding";
    t->chunked = 1;
    return NULL;
}

/* What a field means to us; @return why it is refused, or NULL. */
static const char *field_read(aa_transfer_t *t, const char *name,
                              const char *value)
{
    if (!strcasecmp(name, "Content-Length"))
        return length_read(t, value);
    if (!strcasecmp(name, "Transfer-Encoding"))
        return coding_read(t, value);
    if (!strcasecmp(name, "Content-Type"))
        t->answer->content_type = value;
    else if (!strcasecmp(name, "Cache-Control"))
        t->answer->max_age = max_age_read(value, t->p);
    else if (t->identity && !strcasecmp(name, "Content-Encoding") &&
             strcasecmp(value, "identity"))
        return "the body is compressed, although not asked";
    return NULL;
}

/* Length of a token (RFC 9110 s5.6.2) at the start of line. */
static apr_size_t token(const char *line, apr_size_t len)
{
    apr_size_t n = 0;

    while (n < len && (apr_isalnum(line[n]) ||
                       (line[n] && strchr("!#$%&'*+-.^_`|~", line[n]))))
        n++;
    return n;
}

static int has_control(const char *line, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++)
        if (apr_iscntrl(line[i]) && line[i] != '\t')
            return 1;
    return 0;
}

static const char *field_take(aa_transfer_t *t, const char *line,
                              apr_size_t len)
{
    apr_size_t n = token(line, len), start;
    const char *name, *value;

    if (*line == ' ' || *line == '\t')
        return "a header field is folded";
    if (has_control(line, len))
        return "a control character is in the head";
    if (!n || n == len || line[n] != ':')
        return t->identity ? "a header field is malformed" : NULL;
    if (++t->fields > AA_HTTP_FIELDS_MAX)
        return "there are too many header fields";
    for (start = n + 1;
         start < len && (line[start] == ' ' || line[start] == '\t'); start++)
        ;
    while (len > start && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    name = apr_pstrmemdup(t->p, line, n);
    value = apr_pstrmemdup(t->p, line + start, len - start);
    apr_table_addn(t->answer->headers, name, value);
    return field_read(t, name, value);
}

/* "HTTP/1.1 200 OK": all that an earlier head of a 1xx said is void. */
static const char *status_take(aa_transfer_t *t, const char *line,
                               apr_size_t len)
{
    const char *blank = memchr(line, ' ', len);
    const char *end = line + len;
    long status = 0;

    if (len > 7 && !strncmp(line, "HTTP/1.", 7) && blank && end - blank > 3 &&
        apr_isdigit(blank[1]) && apr_isdigit(blank[2]) && apr_isdigit(blank[3]))
        status =
            (blank[1] - '0') * 100 + (blank[2] - '0') * 10 + (blank[3] - '0');
    if (status < 100 || status > 599 || status == 101)
        return "the status is none that was asked for";
    apr_table_clear(t->answer->headers);
    t->answer->status = status;
    t->answer->content_type = NULL;
    t->answer->max_age = -1;
    t->fields = t->chunked = 0;
    t->length = -1;
    t->stage = AA_TRANSFER_FIELDS;
    return NULL;
}

static size_t on_header(char *line, size_t size, size_t n, void *baton)
{
    aa_transfer_t *t = baton;
    apr_size_t len = n;
    const char *why = NULL;

    (void)size;
    t->head += n;
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (t->head > AA_HTTP_HEADER_MAX)
        why = "the head is too large";
    else if (t->stage == AA_TRANSFER_STATUS)
        why = status_take(t, line, len);
    else if (t->stage == AA_TRANSFER_FIELDS && len)
        why = field_take(t, line, len);
    else if (t->stage == AA_TRANSFER_FIELDS)
        t->stage =
            t->answer->status < 200 ? AA_TRANSFER_STATUS : AA_TRANSFER_DONE;
    if (!why)
        return n;
    t->why = why;
    return 0;
}

/* --------------------------------------------------------------- sending */

/* Called before the request goes out. libcurl sends any request again when a
 * kept connection dies before the first byte of an answer, POST, too. */
static int on_send(void *baton, char *their_ip, char *our_ip, int their_port,
                   int our_port)
{
    aa_transfer_t *t = baton;

    (void)their_ip, (void)our_ip, (void)their_port, (void)our_port;
    if (!t->sends || t->sent++ < t->sends)
        return CURL_PREREQFUNC_OK;
    t->why = "the connection was closed instead of an answer";
    return CURL_PREREQFUNC_ABORT;
}

/* Kept connections are not for the programs that httpd starts. */
static curl_socket_t on_open(void *baton, curlsocktype purpose,
                             struct curl_sockaddr *address)
{
    (void)baton, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static long milliseconds(apr_interval_time_t time)
{
    long msec = (long)apr_time_as_msec(time);

    return msec > 0 ? msec : 1; /* 0 would be for ever */
}

#define SET(option, value) AA_TRANSFER_SET(rc, easy, option, value)

/* How far and how long. */
static CURLcode options_bounds(CURL *easy, const char *url,
                               apr_interval_time_t timeout,
                               apr_interval_time_t connect_timeout)
{
    CURLcode rc = CURLE_OK;

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
    SET(CURLOPT_NOSIGNAL, 1L);          /* httpd's threads share one SIGALRM */
    SET(CURLOPT_TIMEOUT_MS, milliseconds(timeout));
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(connect_timeout));
    return rc;
}

CURLcode aa_transfer_options(CURL *easy, aa_transfer_t *t, const char *url,
                             apr_interval_time_t timeout,
                             apr_interval_time_t connect_timeout)
{
    CURLcode rc = options_bounds(easy, url, timeout, connect_timeout);

    SET(CURLOPT_URL, url);
    SET(CURLOPT_USERAGENT, "mod_agentauth");
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    return rc;
}

/* ----------------------------------------------------------------- whole */

static void transfer_begin(aa_transfer_t *t)
{
    t->answer = apr_pcalloc(t->p, sizeof(*t->answer));
    t->answer->headers = apr_table_make(t->p, 16);
    t->answer->max_age = -1;
    t->length = -1;
    t->rv = APR_EGENERAL;
    t->body = apr_pcalloc(t->p, sizeof(*t->body));
    apr_pool_cleanup_register(t->p, t->body, body_release,
                              apr_pool_cleanup_null);
}

apr_status_t aa_transfer_perform(aa_http_answer_t **answer, const char **why,
                                 CURL *easy, aa_transfer_t *t, CURLcode rc)
{
    *answer = NULL;
    *why = NULL;
    transfer_begin(t);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(easy);
    if (rc == CURLE_OK && t->stage != AA_TRANSFER_DONE)
        t->why = "the head is not whole";
    if (rc != CURLE_OK || t->why) {
        *why = t->why ? t->why : curl_easy_strerror(rc);
        return rc == CURLE_OPERATION_TIMEDOUT ? APR_TIMEUP : t->rv;
    }
    t->answer->body = t->body->data ? t->body->data : "";
    if (t->body->data)
        t->body->data[t->answer->len] = '\0';
    *answer = t->answer;
    return APR_SUCCESS;
}
