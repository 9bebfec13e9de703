/* SPDX-License-Identifier: Apache-2.0 */
/* Origins as browsers write them: scheme://host[:port], one spelling each. */
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "httpd/directives.h"
#include "model/limits.h"

static const char *const form = "is not scheme://host[:port], such as "
                                "https://app.example";

/* RFC 3986 s3.1. */
static size_t scheme_len(const char *s)
{
    size_t n = 0;

    if (!apr_isalpha(s[0]))
        return 0;
    while (apr_isalnum(s[n]) || (s[n] && strchr("+-.", s[n])))
        n++;
    return n;
}

/* A name, an IPv4 address or [IPv6]; 0: neither. */
static size_t host_len(const char *s)
{
    size_t n = 0;

    if (*s == '[') {
        n = strspn(s + 1, "0123456789abcdef:.") + 1;
        return n > 2 && s[n] == ']' ? n + 1 : 0;
    }
    while (apr_isalnum(s[n]) || (s[n] && strchr("-._", s[n])))
        n++;
    return n;
}

/* Cuts ":443" off https. @return NULL or what is wrong */
static const char *port_fold(char *origin, char *colon)
{
    const char *digits = colon + 1;
    size_t len = strspn(digits, "0123456789");
    long port;

    if (!len || len > 5 || digits[len] || digits[0] == '0')
        return form;
    port = strtol(digits, NULL, 10);
    if (port > 65535)
        return "has a port above 65535";
    if ((port == 443 && !strncmp(origin, "https:", 6)) ||
        (port == 80 && !strncmp(origin, "http:", 5)))
        *colon = '\0';
    return NULL;
}

const char *aa_origin_normal(const char **why, const char *text, apr_pool_t *p)
{
    char *origin, *host;
    size_t n;

    *why = form;
    if (strlen(text) > AA_CONF_WORD_MAX)
        return NULL;
    if (!ap_cstr_casecmp(text, "null")) {
        *why = "is what every sandboxed page sends, so it would let all in";
        return NULL;
    }
    origin = apr_pstrdup(p, text);
    ap_str_tolower(origin);
    n = scheme_len(origin);
    if (!n || strncmp(origin + n, "://", 3))
        return NULL;
    host = origin + n + 3;
    n = host_len(host);
    if (!n)
        return NULL;
    if (host[n] == '/' && !host[n + 1])
        *why = "has a '/' at its end; an origin has no path";
    if (host[n] && host[n] != ':')
        return NULL;
    *why = host[n] ? port_fold(origin, host + n) : NULL;
    return *why ? NULL : origin;
}

const char *aa_origins_add(const aa_origins_t **origins, const char *arg,
                           int own_allowed, apr_pool_t *p)
{
    aa_origins_t *next = apr_pcalloc(p, sizeof(*next));
    const char *why = NULL, *origin;

    if (*origins)
        *next = **origins;
    if (next->any || (!strcmp(arg, "*") && *origins))
        return "cannot be listed: '*' stands alone";
    if (!strcmp(arg, "*"))
        next->any = 1;
    else if (own_allowed && !ap_cstr_casecmp(arg, "same-origin"))
        next->same_origin = 1;
    else if (!(origin = aa_origin_normal(&why, arg, p)))
        return why;
    else if (aa_list_len(next->listed) >= AA_ORIGINS_MAX)
        return "is one origin too many";
    else
        next->listed = aa_list_with(next->listed, origin, p);
    if (!next->listed)
        next->listed = apr_pcalloc(p, sizeof(*next->listed));
    *origins = next;
    return NULL;
}
