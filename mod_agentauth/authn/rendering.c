/* SPDX-License-Identifier: Apache-2.0 */
/* Renders identity and user object, and keeps the text with the principal. */
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include "authn/rendering.h"
#include "base/json.h"

#define KEPT_MAX 8 /* lists of claims that one principal remembers */

/* Visible ASCII but '%' stands for itself, every other byte is %XX. */
static const char *percent(const char *text, apr_pool_t *p)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = apr_palloc(p, 3 * strlen(text) + 1), *to = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x21 && c <= 0x7e && c != '%') {
            *to++ = (char)c;
        }
        else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    *to = '\0';
    return out;
}

static const char *user_text(const json_t *user, const char *const *claims,
                             apr_pool_t *p)
{
    json_t *shown = aa_json_own(json_object(), p);

    for (; shown && *claims; claims++) {
        json_t *claim = aa_json_at(user, *claims);

        if (claim)
            json_object_set(shown, *claims, claim);
    }
    return shown ? aa_json_dump(shown, p) : NULL;
}

/* One block, so that the principal can free it with one call. */
static aa_rendering_t *keep(const aa_rendering_t *made)
{
    size_t head = sizeof(*made), id = strlen(made->identity) + 1,
           user = strlen(made->user) + 1;
    aa_rendering_t *kept = malloc(head + id + user);

    if (!kept)
        return NULL;
    *kept = *made;
    kept->identity = memcpy((char *)kept + head, made->identity, id);
    kept->user = memcpy((char *)kept + head + id, made->user, user);
    return kept;
}

const aa_rendering_t *aa_principal_render(aa_principal_t *principal,
                                          const char *const *claims,
                                          apr_pool_t *p)
{
    aa_rendering_t *first =
        __atomic_load_n(&principal->renderings, __ATOMIC_ACQUIRE);
    aa_rendering_t *one, *made, *kept;
    int n = 0;

    for (one = first; one; one = one->next, n++)
        if (one->key == claims)
            return one;
    made = apr_pcalloc(p, sizeof(*made));
    made->key = claims;
    made->identity = percent(principal->identity, p);
    made->user = user_text(principal->user, claims, p);
    if (!made->user)
        return NULL;
    if (n >= KEPT_MAX || !(kept = keep(made)))
        return made;
    do
        kept->next = first;
    while (!__atomic_compare_exchange_n(&principal->renderings, &first, kept, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return kept;
}
