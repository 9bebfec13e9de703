/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads effective.json. */
#include <string.h>

#include "apr_strings.h"
#include "base/effective.h"
#include "base/json.h"
#include "base/private.h"
#include "model/limits.h"

#define EFFECTIVE_VERSION 1

static json_t *realm_json(const aa_effective_realm_t *realm)
{
    json_t *prefixes = json_array();

    for (const char *const *at = realm->key_prefixes; *at; at++)
        json_array_append_new(prefixes, json_string(*at));
    return json_pack("{s:s, s:o}", "name", realm->name, "key_prefixes",
                     prefixes);
}

apr_status_t aa_effective_write(const char *file,
                                const aa_effective_t *effective,
                                aa_error_t *err, apr_pool_t *p)
{
    json_t *realms = json_array(), *all;
    const char *text;
    apr_status_t rv;

    for (int i = 0; i < effective->nrealms; i++)
        json_array_append_new(realms, realm_json(&effective->realms[i]));
    all =
        aa_json_own(json_pack("{s:i, s:s, s:I, s:I, s:o}", "version",
                              EFFECTIVE_VERSION, "store", effective->store_url,
                              "uid", (json_int_t)effective->uid, "gid",
                              (json_int_t)effective->gid, "realms", realms),
                    p);
    text = all ? aa_json_dump(all, p) : NULL;
    rv = text ? aa_private_replace(file, text, strlen(text), p) : APR_ENOMEM;
    if (rv == APR_SUCCESS)
        return rv;
    return aa_refuse(err, p, AA_E_STATE_DIR, "cannot write %s: %s", file,
                     strerror(APR_TO_OS_ERROR(rv)));
}

static const char *const *strings(const json_t *list, apr_pool_t *p)
{
    const char **out =
        apr_pcalloc(p, (json_array_size(list) + 1) * sizeof(*out));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text)
            return NULL;
        out[i] = apr_pstrdup(p, text);
    }
    return out;
}

static int realms_take(aa_effective_t *effective, const json_t *list,
                       apr_pool_t *p)
{
    size_t n = json_array_size(list);
    aa_effective_realm_t *realms = apr_pcalloc(p, (n + 1) * sizeof(*realms));

    for (size_t i = 0; i < n; i++) {
        const json_t *realm = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(realm, "name"));

        realms[i].name = name;
        realms[i].key_prefixes =
            strings(json_object_get(realm, "key_prefixes"), p);
        if (!name || !realms[i].key_prefixes || !realms[i].key_prefixes[0])
            return 0;
    }
    effective->realms = realms;
    effective->nrealms = (int)n;
    return 1;
}

static int take(aa_effective_t *effective, const json_t *all, apr_pool_t *p)
{
    const json_t *uid = json_object_get(all, "uid");
    const json_t *gid = json_object_get(all, "gid");

    effective->store_url = json_string_value(json_object_get(all, "store"));
    effective->uid = (uid_t)json_integer_value(uid);
    effective->gid = (gid_t)json_integer_value(gid);
    return json_integer_value(json_object_get(all, "version")) ==
               EFFECTIVE_VERSION &&
           effective->store_url && json_is_integer(uid) &&
           json_is_integer(gid) &&
           realms_take(effective, json_object_get(all, "realms"), p);
}

apr_status_t aa_effective_read(aa_effective_t *effective, const char *file,
                               aa_error_t *err, apr_pool_t *p)
{
    char *text;
    apr_size_t len;
    const char *why;
    json_t *all;
    apr_status_t rv =
        aa_private_read(&text, &len, &why, file, AA_EFFECTIVE_BYTES_MAX, p);

    memset(effective, 0, sizeof(*effective));
    if (APR_STATUS_IS_ENOENT(rv))
        return APR_ENOENT;
    if (rv == APR_SUCCESS)
        rv = aa_json_parse(&all, &why, text, len, 8, p);
    if (rv == APR_SUCCESS && take(effective, all, p))
        return rv;
    return aa_refuse(err, p, AA_E_STATE_DIR,
                     "%s is not usable (%s): restart httpd, which writes it",
                     file, why ? why : "another version or form");
}
