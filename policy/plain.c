/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a decoded path can be read in one way only. */
#include <string.h>

#include "apr_lib.h"

#include "agentpolicy.h"

/* Bytes of the UTF-8 character at @a s, 0 when it is none (RFC 3629 s4). */
static int utf8_length(const unsigned char *s)
{
    /* Bounds of the second byte keep out overlong forms and surrogates. */
    unsigned char low = 0x80, high = 0xbf;
    int i, len;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* C0, DEL and C1. */
static int is_control(const unsigned char *s)
{
    return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
}

static const char *character_fault(const unsigned char *s)
{
    if (is_control(s))
        return "a control character";
    switch (*s) {
    case '\\':
        return "a backslash";
    case ';':
        return "a ';', which some servers cut off";
    case '?':
    case '#':
        return "an encoded '?' or '#', which ends the path when it is joined";
    case '%':
        return apr_isxdigit(s[1]) && apr_isxdigit(s[2])
                   ? "an escape that is left after decoding"
                   : NULL;
    default:
        return NULL;
    }
}

/* @a segment begins after a '/' and ends before the next one. */
static const char *segment_fault(const char *segment, size_t len)
{
    /* One empty segment at the end is a path of its own ("/mcp/"). */
    if (!len && segment[0] == '/')
        return "an empty segment";
    if ((len == 1 && segment[0] == '.') ||
        (len == 2 && segment[0] == '.' && segment[1] == '.'))
        return "a dot segment";
    return NULL;
}

static const char *path_fault(const char *path)
{
    const unsigned char *s;
    const char *fault = NULL;
    int len;

    if (!path || *path != '/')
        return "does not begin with '/'";
    for (s = (const unsigned char *)path; *s && !fault; s += len) {
        len = 1;
        if (apr_isalnum(*s) || *s == '-') /* nearly all of nearly every path */
            continue;
        len = utf8_length(s);
        if (!len)
            return "not valid UTF-8";
        fault = character_fault(s);
        if (!fault && *s == '/')
            fault = segment_fault((const char *)s + 1,
                                  strcspn((const char *)s + 1, "/"));
    }
    return fault;
}

int aa_path_plain(const char *path, const char **why)
{
    const char *fault = path_fault(path);

    if (fault && why)
        *why = fault;
    return !fault;
}
