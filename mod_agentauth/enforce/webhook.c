/* SPDX-License-Identifier: Apache-2.0 */
/* Finds webhooks by which a backend without login would call itself.
 *
 * A run's webhook is called by the backend, with the run's values as body and
 * nobody's credential: one that leads back to it writes where nobody looks. */
#include <string.h>
#include <netdb.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <curl/curl.h>

#include "apr_strings.h"
#include "enforce/steps.h"

/** Where a URL leads; texts are in the pool. */
typedef struct place_t {
    const char *host, *port;
} place_t;

static const char *part(CURLU *url, CURLUPart what, unsigned flags,
                        apr_pool_t *p)
{
    char *text = NULL;
    const char *copy = NULL;

    if (curl_url_get(url, what, &text, flags) == CURLUE_OK && text)
        copy = apr_pstrdup(p, text);
    curl_free(text);
    return copy;
}

/* 0: libcurl finds no http URL in it. */
static int read_place(place_t *place, const char *text, apr_pool_t *p)
{
    CURLU *url = curl_url();
    const char *scheme = NULL;
    /* Browsers' readers, and the servers', end the host at a backslash. */
    int ok = url && !strchr(text, '\\') &&
             curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;

    if (ok) {
        scheme = part(url, CURLUPART_SCHEME, 0, p);
        place->host = part(url, CURLUPART_HOST, 0, p);
        place->port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, p);
    }
    curl_url_cleanup(url);
    ok = ok && scheme && place->host && place->port &&
         (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    if (ok && *place->host == '[') /* an IPv6 literal, as getaddrinfo has it */
        place->host =
            apr_pstrmemdup(p, place->host + 1, strlen(place->host) - 2);
    return ok;
}

/* Of the machine that asks, or of none. */
static int is_local_v4(const struct in_addr *address)
{
    apr_uint32_t host = ntohl(address->s_addr);

    return host >> 24 == 127 || host >> 24 == 0 || host >> 16 == 0xa9fe;
}

static const struct in6_addr *v6_of(const struct sockaddr *address)
{
    return &((const struct sockaddr_in6 *)address)->sin6_addr;
}

/* A v4 address, also one inside of v6: mapped, compatible or NAT64. "::" and
 * "::1" are 0.0.0.0 and 0.0.0.1 so. */
static int is_v4(struct in_addr *v4, const struct sockaddr *address)
{
    static const unsigned char prefixes[][12] = {
        {0}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, {0, 0x64, 0xff, 0x9b}};

    if (address->sa_family == AF_INET) {
        *v4 = ((const struct sockaddr_in *)address)->sin_addr;
        return 1;
    }
    memcpy(v4, v6_of(address)->s6_addr + 12, sizeof(*v4));
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (!memcmp(v6_of(address), prefixes[i], sizeof(prefixes[i])))
            return 1;
    return 0;
}

static int is_local(const struct sockaddr *address)
{
    struct in_addr v4;

    return is_v4(&v4, address) ? is_local_v4(&v4)
                               : IN6_IS_ADDR_LINKLOCAL(v6_of(address));
}

static int same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    struct in_addr a4, b4;
    int is_a4 = is_v4(&a4, a), is_b4 = is_v4(&b4, b);

    if (is_a4 || is_b4)
        return is_a4 && is_b4 && !memcmp(&a4, &b4, sizeof(a4));
    return !memcmp(v6_of(a), v6_of(b), sizeof(struct in6_addr));
}

static struct addrinfo *resolve(const place_t *place)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    return getaddrinfo(place->host, place->port, &hints, &found) ? NULL : found;
}

/* What the name leads to now, looked at address by address. */
static const char *leads_back(const struct addrinfo *there,
                              const struct addrinfo *backend)
{
    for (; there; there = there->ai_next) {
        if (is_local(there->ai_addr))
            return "it leads to a loopback or link-local address";
        for (const struct addrinfo *b = backend; b; b = b->ai_next)
            if (same_address(there->ai_addr, b->ai_addr))
                return "it leads to the backend's host";
    }
    return NULL;
}

int aa_webhook_loops(const char **why, const char *url, const char *backend,
                     apr_pool_t *p)
{
    place_t to, from;
    struct addrinfo *there, *back = NULL;

    *why = NULL;
    if (!read_place(&to, url, p)) {
        *why = "it is no absolute http URL";
        return 1;
    }
    if (read_place(&from, backend, p)) {
        if (!strcasecmp(to.host, from.host))
            *why = "it names the backend's host";
        back = resolve(&from);
    }
    there = *why ? NULL : resolve(&to);
    if (!*why)
        *why = there ? leads_back(there, back) : "its host has no address";
    if (there)
        freeaddrinfo(there);
    if (back)
        freeaddrinfo(back);
    return *why != NULL;
}
