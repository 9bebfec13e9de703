/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, completes, shares and releases principals. */
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"
#include "apr_atomic.h"
#include "model/limits.h"
#include "model/principal.h"

const char *const aa_method_words[AA_METHOD_COUNT] = {
    "session", "bearer", "apikey", "policy", "open"};

static apr_uint64_t serials;

static apr_status_t release(void *data)
{
    aa_principal_t *principal = data;
    aa_rendering_t *one, *next;

    for (one = principal->renderings; one; one = next) {
        next = one->next;
        free(one);
    }
    json_decref(principal->user);
    json_decref(principal->claims);
    return APR_SUCCESS;
}

aa_principal_t *aa_principal_create(aa_method_e method)
{
    aa_principal_t *principal;
    apr_pool_t *pool;

    /* Of no request: the fact may outlive the one that proved it. */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return NULL;
    principal = apr_pcalloc(pool, sizeof(*principal));
    principal->pool = pool;
    principal->method = method;
    principal->refs = 1;
    apr_pool_cleanup_register(pool, principal, release, apr_pool_cleanup_null);
    return principal;
}

/* U+0000 to U+001F, U+007F, and U+0080 to U+009F, which are two bytes. */
static int is_control(const unsigned char *at)
{
    return *at < 0x20 || *at == 0x7f ||
           (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

/* Jansson has checked the UTF-8 when json_string succeeds. */
static json_t *clean_string(const char *text, apr_size_t max)
{
    apr_size_t len = text ? strlen(text) : 0;

    if (len < 1 || len > max)
        return NULL;
    for (apr_size_t i = 0; i < len; i++)
        if (is_control((const unsigned char *)text + i))
            return NULL;
    return json_string(text);
}

static json_t *permission_list(const char *const *permissions)
{
    json_t *list = json_array();

    for (; *permissions; permissions++) {
        json_t *word = clean_string(*permissions, AA_PERMISSION_BYTES_MAX);

        if (json_array_size(list) >= AA_PERMISSIONS_MAX ||
            json_array_append_new(list, word) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int aa_identity_reserved(const char *identity)
{
    return !strcmp(identity, AA_GUEST) || !strcmp(identity, AA_ANONYMOUS);
}

apr_status_t aa_principal_seal(aa_principal_t *principal)
{
    static const char *const none[] = {NULL};
    json_t *user =
        principal->claims ? json_copy(principal->claims) : json_object();
    json_t *name;

    if (!principal->permissions)
        principal->permissions = none;
    principal->user = user;
    if (principal->method != AA_METHOD_OPEN && principal->identity &&
        aa_identity_reserved(principal->identity))
        return APR_EINVAL;
    if (json_object_set_new(
            user, "identity",
            clean_string(principal->identity, AA_IDENTITY_MAX)) != 0 ||
        json_object_set_new(user, "permissions",
                            permission_list(principal->permissions)) != 0)
        return APR_EINVAL;
    name = json_object_get(user, "display_name");
    if (!json_is_string(name))
        name = json_object_get(user, "name");
    if (!json_is_string(name))
        name = json_object_get(user, "identity");
    json_object_set(user, "display_name", name);
    if (principal->method != AA_METHOD_POLICY ||
        !json_is_boolean(json_object_get(user, "is_authenticated")))
        json_object_set_new(user, "is_authenticated", json_true());
    principal->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
    return APR_SUCCESS;
}

void aa_principal_ref(aa_principal_t *principal)
{
    apr_atomic_inc32(&principal->refs);
}

void aa_principal_unref(aa_principal_t *principal)
{
    if (principal && apr_atomic_dec32(&principal->refs) == 0)
        apr_pool_destroy(principal->pool);
}
