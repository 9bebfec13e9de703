/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind the codes, and the one way to refuse. */
#include <string.h>

#include "apr_strings.h"
#include "model/error.h"

const aa_code_info_t aa_codes[AA_E_COUNT] = {
    {"AGA0000", 0, "", "nothing went wrong", "", ""},
#define AA_CODE(name, number, status, text, meaning, cause, fix)               \
    {number, status, text, meaning, cause, fix},
    AA_CODES
#undef AA_CODE
};

apr_status_t aa_refuse(aa_error_t *err, apr_pool_t *p, aa_code_e code,
                       const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return AA_EREFUSED;
    memset(err, 0, sizeof(*err));
    err->code = code;
    if (fmt) {
        va_start(ap, fmt);
        err->reason = apr_pvsprintf(p, fmt, ap);
        va_end(ap);
    }
    return AA_EREFUSED;
}

aa_code_e aa_code_find(const char *number)
{
    for (int i = 1; i < AA_E_COUNT; i++)
        if (!strcasecmp(aa_codes[i].number, number))
            return (aa_code_e)i;
    return AA_E_NONE;
}
