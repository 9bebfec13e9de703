/* SPDX-License-Identifier: Apache-2.0 */
/* Which webhooks may stay in a body.
 *
 * A run's webhook is called by the backend, with the run's values as body and
 * nobody's credential, and the backend follows redirects: one that leads back
 * to it writes where nobody looks. So only origins that the administrator
 * trusts are let through. */
#include <string.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/http.h"
#include "enforce/steps.h"

/* Of the machine that asks, or of none. */
static int is_local_v4(const struct in_addr *address)
{
    apr_uint32_t host = ntohl(address->s_addr);

    return host >> 24 == 127 || host >> 24 == 0 || host >> 16 == 0xa9fe;
}

/* An IPv4 address, itself or in one of IPv6: mapped, compatible, or behind the
 * prefix of NAT64 (RFC 6052 s2.1). */
static int v4_of(struct in_addr *v4, const struct sockaddr *address)
{
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    const struct in6_addr *v6;

    if (address->sa_family == AF_INET) {
        *v4 = ((const struct sockaddr_in *)address)->sin_addr;
        return 1;
    }
    v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    memcpy(v4, v6->s6_addr + 12, sizeof(*v4));
    return IN6_IS_ADDR_V4MAPPED(v6) || IN6_IS_ADDR_V4COMPAT(v6) ||
           !memcmp(v6->s6_addr, nat64, sizeof(nat64));
}

static int is_local(const struct sockaddr *address)
{
    const struct in6_addr *v6;
    struct in_addr v4;

    if (v4_of(&v4, address))
        return is_local_v4(&v4);
    v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_UNSPECIFIED(v6) ||
           IN6_IS_ADDR_LINKLOCAL(v6);
}

static int same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    struct in_addr v4_a, v4_b;
    int has_a = v4_of(&v4_a, a), has_b = v4_of(&v4_b, b);

    if (has_a || has_b)
        return has_a && has_b && v4_a.s_addr == v4_b.s_addr;
    return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                   &((const struct sockaddr_in6 *)b)->sin6_addr,
                   sizeof(struct in6_addr));
}

static struct addrinfo *resolve(const aa_http_place_t *place)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    return getaddrinfo(place->host, place->port, &hints, &found) ? NULL : found;
}

/* A backend beside us that listens everywhere answers at these as well. */
static int is_ours(const struct sockaddr *address)
{
    struct ifaddrs *all = NULL;
    int found = 0;

    if (getifaddrs(&all) != 0)
        return 1;
    for (const struct ifaddrs *one = all; one && !found; one = one->ifa_next)
        found = one->ifa_addr &&
                (one->ifa_addr->sa_family == AF_INET ||
                 one->ifa_addr->sa_family == AF_INET6) &&
                same_address(one->ifa_addr, address);
    freeifaddrs(all);
    return found;
}

/* What the name leads to now, looked at address by address. */
static const char *leads_back(const struct addrinfo *there,
                              const struct addrinfo *backend)
{
    for (; there; there = there->ai_next) {
        if (is_local(there->ai_addr))
            return "it leads to a loopback or link-local address";
        if (is_ours(there->ai_addr))
            return "it leads to this machine";
        for (const struct addrinfo *b = backend; b; b = b->ai_next)
            if (same_address(there->ai_addr, b->ai_addr))
                return "it leads to the backend's host";
    }
    return NULL;
}

/* Wherever it is: it must not be the backend, nor this host. */
static const char *loops(const aa_http_place_t *to, const aa_http_place_t *from)
{
    struct addrinfo *there, *back;
    const char *why;

    if (!strcmp(to->host, from->host))
        return "it names the backend's host";
    there = resolve(to);
    back = resolve(from);
    why = there ? leads_back(there, back) : "its host has no address";
    if (there)
        freeaddrinfo(there);
    if (back)
        freeaddrinfo(back);
    return why;
}

static int listed(const char *origin, const char *const *origins)
{
    for (; origins && *origins; origins++)
        if (!strcmp(*origins, origin))
            return 1;
    return 0;
}

const char *aa_webhook_why_not(const char *url, const aa_task_t *task)
{
    aa_http_place_t to, from;

    if (aa_http_place(&to, url, task->p) != APR_SUCCESS)
        return "it is no plain absolute http URL";
    if (aa_http_place(&from, task->backend->name, task->p) != APR_SUCCESS)
        return "the backend has no address to compare it with";
    if (!strcmp(to.origin, from.origin))
        return "it is the backend's own origin";
    if (listed(to.origin, task->webhook_origins))
        return NULL;
    return task->webhook_any
               ? loops(&to, &from)
               : "AgentAuthWebhookOrigin does not list its origin";
}
