/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the addresses of backends apart, and trusts no spelling. */
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "agentpolicy.h"
#include "base/http.h"
#include "enforce/address.h"
#include "model/limits.h"

#define SOCKET_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static apr_status_t fault(const char **why, const char *text)
{
    *why = text;
    return APR_EINVAL;
}

static int digit(char c)
{
    return apr_isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Decoded once; NULL: an escape is not one, or stands for NUL. */
static const char *decode(const char *text, apr_pool_t *p)
{
    char *out = apr_palloc(p, strlen(text) + 1), *to = out;

    for (; *text; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2]))
            return NULL;
        *to = (char)(digit(text[1]) << 4 | digit(text[2]));
        if (!*to++)
            return NULL;
        text += 2;
    }
    *to = '\0';
    return out;
}

/* "unix:/run/x.sock|http://host/": what stands before the bar. */
static apr_status_t socket_take(aa_address_t *address, const char **why,
                                const char **text, apr_pool_t *p)
{
    const char *bar;
    size_t len;

    if (strncasecmp(*text, "unix:", 5))
        return APR_SUCCESS;
    bar = strchr(*text, '|');
    if (!bar)
        return fault(why, "has no '|' after the path of the socket");
    len = (size_t)(bar - *text) - 5;
    if ((*text)[5] != '/' || len < 2)
        return fault(why, "has no absolute path of a socket");
    if (len > SOCKET_MAX)
        return fault(why, "has too long a path of a socket");
    address->unix_socket = apr_pstrmemdup(p, *text + 5, len);
    *text = bar + 1;
    for (const char *s = address->unix_socket; *s; s++)
        if (apr_iscntrl(*s))
            return fault(why, "has a control character");
    return APR_SUCCESS;
}

/* "HTTP://Host:80" -> "http://host". */
static const char *origin_normal(const char *text, size_t len, apr_pool_t *p)
{
    char *origin = apr_pstrmemdup(p, text, len);
    const char *port;

    for (char *c = origin; *c; c++)
        *c = apr_tolower(*c);
    port = strncmp(origin, "http:", 5) ? ":443" : ":80";
    if (len > strlen(port) && !strcmp(origin + len - strlen(port), port))
        origin[len - strlen(port)] = '\0';
    return origin;
}

/* Cuts "http://host:1/path" in two; what stands after '?' is left out. */
static apr_status_t url_split(const char **origin, const char **path,
                              const char **why, const char *url, apr_pool_t *p)
{
    const char *host;

    if (!strncasecmp(url, "balancer:", 9))
        return fault(why, "has no address: AgentAuthBackend has to say it");
    if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
        return fault(why, "is not an http or https URL");
    host = strstr(url, "://") + 3;
    *path = host + strcspn(host, "/?");
    *origin = origin_normal(url, (size_t)(*path - url), p);
    *path = apr_pstrmemdup(p, *path, strcspn(*path, "?"));
    return APR_SUCCESS;
}

static int slashes(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '/';
    return n;
}

/* path: nothing, or "/a/b" that can be read in one way only. */
static apr_status_t base_set(aa_address_t *address, const char **why,
                             const char *origin, const char *path,
                             apr_pool_t *p)
{
    const char *decoded = decode(path, p), *base;
    size_t len = strlen(path);

    base = apr_pstrcat(p, origin, path, NULL);
    if (!aa_http_absolute(base))
        return fault(why, "is not well formed");
    if (len &&
        (!decoded || path[len - 1] == '/' || len > AA_PATH_MAX ||
         slashes(decoded) != slashes(path) || !aa_path_plain(decoded, NULL)))
        return fault(why, "has a path that can be read in several ways");
    address->base = base;
    return APR_SUCCESS;
}

apr_status_t aa_address_read(aa_address_t *address, const char **why,
                             const char *text, apr_pool_t *p)
{
    const char *origin, *path;
    apr_status_t rv;
    size_t len;

    memset(address, 0, sizeof(*address));
    *why = NULL;
    if ((rv = socket_take(address, why, &text, p)) != APR_SUCCESS)
        return rv;
    if (strlen(text) > AA_URL_MAX)
        return fault(why, "is too long");
    if (strchr(text, '@'))
        return fault(why, "has a user or an '@'");
    if (strpbrk(text, "?#"))
        return fault(why, "has a query or a fragment");
    if ((rv = url_split(&origin, &path, why, text, p)) != APR_SUCCESS)
        return rv;
    len = strlen(path);
    if (len && path[len - 1] == '/')
        path = apr_pstrmemdup(p, path, len - 1);
    return base_set(address, why, origin, path, p);
}

/* Where as many segments begin, counted from the end, as plain has; NULL: the
 * path has fewer. */
static const char *tail_of(const char *path, const char *plain)
{
    const char *tail = path + strlen(path);
    int segments = slashes(plain);

    while (segments) {
        if (tail == path)
            return NULL;
        segments -= *--tail == '/';
    }
    return tail;
}

apr_status_t aa_address_of(aa_address_t *address, const char **why,
                           const char *proxied, const char *plain,
                           apr_pool_t *p)
{
    const char *origin, *path, *tail, *decoded;
    apr_status_t rv;

    memset(address, 0, sizeof(*address));
    *why = NULL;
    if (!aa_path_plain(plain, NULL))
        return fault(why, "is for a path that can be read in several ways");
    if ((rv = socket_take(address, why, &proxied, p)) != APR_SUCCESS ||
        (rv = url_split(&origin, &path, why, proxied, p)) != APR_SUCCESS)
        return rv;
    tail = tail_of(path, plain);
    if (!tail)
        return fault(why, "has fewer segments than the path of the request");
    /* mod_proxy encodes it late: until then it is the plain text itself. */
    decoded = decode(tail, p);
    if (strcmp(tail, plain) && (!decoded || strcmp(decoded, plain)))
        return fault(why, "does not end with the path of the request");
    path = apr_pstrmemdup(p, path, (size_t)(tail - path));
    return base_set(address, why, origin, path, p);
}

const char *aa_address_name(const aa_address_t *address, apr_pool_t *p)
{
    if (!address->unix_socket)
        return address->base;
    return apr_pstrcat(p, "unix:", address->unix_socket, "|", address->base,
                       NULL);
}
