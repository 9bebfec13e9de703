/* SPDX-License-Identifier: Apache-2.0 */
/* Credential kind: API keys, proved by the store. */
#include "authn/authn.h"

static apr_status_t prove(aa_principal_t **principal,
                          const aa_credential_t *credential,
                          const aa_authn_conf_t *conf,
                          const aa_request_t *request, aa_error_t *err)
{
    *principal = NULL;
    if (!conf->accounts || !conf->accounts->store)
        return aa_refuse(err, request->pool, AA_E_STORE,
                         "the store could not be opened");
    return aa_key_verify(principal, conf->accounts, conf->realm,
                         credential->text, conf->key_prefixes, request->now,
                         err, request->pool);
}

const aa_authn_method_t aa_authn_apikey = {AA_METHOD_APIKEY, prove};
