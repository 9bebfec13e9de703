/* SPDX-License-Identifier: Apache-2.0 */
/* The credential that a connection proved last, with its digest. */
#include <stdlib.h>
#include <string.h>

#include "authn/seen.h"
#include "model/limits.h"

struct aa_seen_t {
    char *text; /* not terminated; NULL: nothing is kept */
    apr_size_t len, room;
    aa_method_e method;
    unsigned char salt[AA_CACHE_SALT_LEN]; /* of the virtual host */
    unsigned char digest[AA_SHA256_LEN];
};

void aa_seen_forget(aa_seen_t *seen)
{
    if (!seen || !seen->text)
        return;
    aa_crypto_wipe(seen->text, seen->room);
    free(seen->text);
    aa_crypto_wipe(seen, sizeof(*seen));
}

static apr_status_t forget(void *data)
{
    aa_seen_forget(data);
    return APR_SUCCESS;
}

aa_seen_t *aa_seen_create(apr_pool_t *p)
{
    aa_seen_t *seen = apr_pcalloc(p, sizeof(*seen));

    apr_pool_cleanup_register(p, seen, forget, apr_pool_cleanup_null);
    return seen;
}

int aa_seen_find(aa_credential_t *credential, const aa_seen_t *seen,
                 const aa_authn_conf_t *conf)
{
    if (!seen || !seen->text || seen->len != credential->len ||
        memcmp(seen->salt, conf->cache_salt, sizeof(seen->salt)) ||
        !aa_crypto_same(seen->text, credential->text, seen->len))
        return 0;
    credential->method = seen->method;
    memcpy(credential->digest, seen->digest, sizeof(seen->digest));
    credential->has_digest = 1;
    return 1;
}

/* Room for len bytes, that of the former credential if it is enough. */
static int make_room(aa_seen_t *seen, apr_size_t len)
{
    if (seen->text && len <= seen->room)
        return 1;
    aa_seen_forget(seen);
    seen->text = malloc(len);
    seen->room = len;
    return seen->text != NULL;
}

void aa_seen_keep(aa_seen_t *seen, const aa_credential_t *credential,
                  const aa_authn_conf_t *conf)
{
    if (!seen)
        return;
    if (credential->len > AA_SEEN_MAX || !make_room(seen, credential->len)) {
        aa_seen_forget(seen);
        return;
    }
    memcpy(seen->text, credential->text, credential->len);
    seen->len = credential->len;
    seen->method = credential->method;
    memcpy(seen->salt, conf->cache_salt, sizeof(seen->salt));
    memcpy(seen->digest, credential->digest, sizeof(seen->digest));
}
