/* SPDX-License-Identifier: Apache-2.0 */
/* What bytes of a policy or a client may say in a log line or an answer. */
#include "text.h"

#include <string.h>

/* Length of the character at s, 0 when it is none (RFC 3629 s4). */
static apr_size_t char_len(const unsigned char *s, apr_size_t left)
{
    apr_size_t n, i;

    if (s[0] < 0x80)
        return 1;
    n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
        return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    for (i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static int is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

int aa_text_is_utf8(const char *text, apr_size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t at = 0, n;

    for (; at < len; at += n)
        if (!(n = char_len(s + at, len - at)))
            return 0;
    return 1;
}

int aa_text_is_plain(const char *text, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++)
        if (is_control((unsigned char)text[i]))
            return 0;
    return aa_text_is_utf8(text, len);
}

void aa_text_clean(char *out, apr_size_t size, const char *text, apr_size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t at = 0, used = 0;

    while (at < len) {
        apr_size_t n = char_len(s + at, len - at), take = n ? n : 1;

        if (used + take >= size)
            break;
        if (!n)
            out[used] = '?';
        else if (is_control(s[at]))
            out[used] = ' ';
        else
            memcpy(out + used, s + at, n);
        used += take;
        at += take;
    }
    out[used] = '\0';
}

char *aa_text_cleaned(const char *text, apr_size_t len, apr_size_t max,
                      apr_pool_t *p)
{
    apr_size_t size = (len < max ? len : max) + 1;
    char *out = apr_palloc(p, size);

    aa_text_clean(out, size, text, len);
    return out;
}
