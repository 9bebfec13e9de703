/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the text of an API key. */
#include <string.h>

#include "apr_strings.h"
#include "account/account.h"
#include "account/key_text.h"
#include "base/crypto.h"
#include "model/limits.h"

#define BODY_LEN (AA_KEY_ID_LEN + AA_KEY_SECRET_LEN)

static int is_base62(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

/* Nothing that a header, a shell or a list would read as its own. */
int aa_key_prefix_ok(const char *prefix)
{
    apr_size_t len = strlen(prefix);

    if (len < 1 || len > AA_KEY_PREFIX_MAX)
        return 0;
    for (; *prefix; prefix++)
        if (!is_base62(*prefix) && !strchr("-_.", *prefix))
            return 0;
    return 1;
}

apr_status_t aa_key_text_make(const char **ptext, aa_key_text_t *parts,
                              const char *prefix, apr_pool_t *p)
{
    apr_size_t plen = strlen(prefix);
    char *text = apr_palloc(p, plen + BODY_LEN + AA_KEY_CRC_LEN + 1);
    apr_status_t rv;

    memcpy(text, prefix, plen);
    rv = aa_base62_random(text + plen, BODY_LEN);
    if (rv != APR_SUCCESS)
        return rv;
    aa_base62_crc(text + plen + BODY_LEN, aa_crc32(text, plen + BODY_LEN));
    text[plen + BODY_LEN + AA_KEY_CRC_LEN] = '\0';
    memcpy(parts->id, text + plen, AA_KEY_ID_LEN);
    parts->id[AA_KEY_ID_LEN] = '\0';
    parts->secret = text + plen + AA_KEY_ID_LEN;
    *ptext = text;
    return APR_SUCCESS;
}

/* @a body is what follows a prefix that fits. */
static int whole(const char *text, const char *body)
{
    apr_size_t covered = (apr_size_t)(body - text) + BODY_LEN;
    char crc[AA_KEY_CRC_LEN];

    if (strlen(body) != BODY_LEN + AA_KEY_CRC_LEN)
        return 0;
    for (const char *at = body; *at; at++)
        if (!is_base62(*at))
            return 0;
    aa_base62_crc(crc, aa_crc32(text, covered));
    return !memcmp(crc, text + covered, AA_KEY_CRC_LEN);
}

/* What follows the prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    apr_size_t len = strlen(prefix);

    return strncmp(text, prefix, len) ? NULL : text + len;
}

apr_status_t aa_key_text_read(aa_key_text_t *parts, const char *text,
                              const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        const char *body = after(text, *prefixes);

        if (!body || !whole(text, body))
            continue;
        memcpy(parts->id, body, AA_KEY_ID_LEN);
        parts->id[AA_KEY_ID_LEN] = '\0';
        parts->secret = body + AA_KEY_ID_LEN;
        return APR_SUCCESS;
    }
    return APR_EINVAL;
}

int aa_key_shaped(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (after(text, *prefixes))
            return 1;
    return 0;
}
