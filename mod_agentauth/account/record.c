/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of names and permissions, and their form in the store. */
#include <string.h>

#include "apr_strings.h"
#include "account/record.h"
#include "base/json.h"
#include "model/limits.h"

apr_status_t aa_record_fail(apr_status_t rv, aa_error_t *err, apr_pool_t *p,
                            const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return rv;
    memset(err, 0, sizeof(*err));
    va_start(ap, fmt);
    err->reason = apr_pvsprintf(p, fmt, ap);
    va_end(ap);
    return rv;
}

/* U+0000 to U+001F, U+007F, and U+0080 to U+009F, which are two bytes. */
static int is_control(const unsigned char *at)
{
    return *at < 0x20 || *at == 0x7f ||
           (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

int aa_record_text_ok(const char *text, apr_size_t max)
{
    apr_size_t len = text ? strlen(text) : 0;
    json_t *checked;

    if (len < 1 || len > max)
        return 0;
    for (apr_size_t i = 0; i < len; i++)
        if (is_control((const unsigned char *)text + i))
            return 0;
    checked = json_string(text); /* knows UTF-8 */
    json_decref(checked);
    return checked != NULL;
}

apr_status_t aa_record_permissions_write(const char **text,
                                         const char *const *permissions,
                                         aa_error_t *err, apr_pool_t *p)
{
    json_t *list;

    *text = NULL;
    if (!permissions)
        return APR_SUCCESS;
    list = aa_json_own(json_array(), p);
    for (; *permissions; permissions++) {
        if (!aa_record_text_ok(*permissions, AA_PERMISSION_BYTES_MAX))
            return aa_record_fail(APR_EINVAL, err, p,
                                  "a permission is 1 to %d bytes of UTF-8 "
                                  "without control characters",
                                  AA_PERMISSION_BYTES_MAX);
        if (json_array_size(list) >= AA_PERMISSIONS_MAX)
            return aa_record_fail(APR_EINVAL, err, p, "at most %d permissions",
                                  AA_PERMISSIONS_MAX);
        json_array_append_new(list, json_string(*permissions));
    }
    *text = aa_json_dump(list, p);
    return *text ? APR_SUCCESS : APR_ENOMEM;
}

apr_status_t aa_record_permissions_read(const char *const **permissions,
                                        const aa_value_t *column, apr_pool_t *p)
{
    const char **list, *why;
    json_t *array;

    *permissions = NULL;
    if (column->type == AA_VALUE_NULL)
        return APR_SUCCESS;
    if (column->type != AA_VALUE_TEXT ||
        aa_json_parse(&array, &why, column->data, column->len, 1, p) !=
            APR_SUCCESS ||
        !json_is_array(array) || json_array_size(array) > AA_PERMISSIONS_MAX)
        return APR_EGENERAL;
    list = apr_pcalloc(p, (json_array_size(array) + 1) * sizeof(*list));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *word = json_string_value(json_array_get(array, i));

        if (!word)
            return APR_EGENERAL;
        list[i] = word; /* lives with the array, in p */
    }
    *permissions = list;
    return APR_SUCCESS;
}

const char *aa_record_text(const aa_value_t *column, apr_pool_t *p)
{
    return column->type == AA_VALUE_TEXT
               ? apr_pstrmemdup(p, column->data, column->len)
               : "";
}

void aa_record_bump(const aa_accounts_t *accounts, const char *realm,
                    const char *owner)
{
    aa_epoch_bump(accounts->epoch,
                  aa_epoch_slot(accounts->epoch, realm, owner));
}
