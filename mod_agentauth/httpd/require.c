/* SPDX-License-Identifier: Apache-2.0 */
/* Require agentauth-permission, agentauth-claim, agentauth-scope. */
#include "apr_strings.h"
#include "httpd.h"
#include "ap_provider.h"
#include "http_config.h"
#include "http_request.h"
#include "mod_auth.h"

#include "base/json.h"
#include "context.h"

static int string_in(const json_t *list, const char *word)
{
    size_t i;
    json_t *element;

    json_array_foreach(list, i, element) if (json_is_string(element) &&
                                             !strcmp(json_string_value(element),
                                                     word)) return 1;
    return 0;
}

/* A claim holds a word when it is that string, or a list with it. */
static int claim_holds(const json_t *claim, const char *word)
{
    if (json_is_array(claim))
        return string_in(claim, word);
    if (json_is_boolean(claim))
        return !strcmp(word, json_is_true(claim) ? "true" : "false");
    if (json_is_integer(claim)) {
        char *end;

        return json_integer_value(claim) == strtoll(word, &end, 10) && !*end;
    }
    return json_is_string(claim) && !strcmp(json_string_value(claim), word);
}

static int has_permission(const json_t *user, const char *word)
{
    return string_in(json_object_get(user, "permissions"), word);
}

/* RFC 6749 s3.3: scope is a list of words with spaces between. */
static int has_scope(const json_t *user, const char *word)
{
    const json_t *scope = json_object_get(user, "scope");
    const char *text, *at;
    size_t len = strlen(word);

    if (!scope)
        scope = json_object_get(user, "scp");
    if (json_is_array(scope))
        return string_in(scope, word);
    text = json_string_value(scope);
    for (at = text; at && (at = strstr(at, word)); at += len)
        if ((at == text || at[-1] == ' ') && (!at[len] || at[len] == ' '))
            return 1;
    return 0;
}

static int has_claim(const json_t *user, const char *word)
{
    const char *colon = strchr(word, ':');
    char name[256];

    if (!colon || (size_t)(colon - word) >= sizeof(name))
        return 0;
    apr_cpystrn(name, word, (apr_size_t)(colon - word) + 1);
    return claim_holds(aa_json_at(user, name), colon + 1);
}

typedef int has_fn(const json_t *user, const char *word);

/* One of the words is enough, as with Require user. */
static authz_status check_words(request_rec *r, const char *line, has_fn *has)
{
    const aa_ctx_t *ctx = aa_ctx_peek(r);
    const char *word;

    if (!r->user || !ctx || !ctx->principal)
        return AUTHZ_DENIED_NO_USER;
    while (*(word = ap_getword_conf(r->pool, &line)))
        if (has(ctx->principal->user, word))
            return AUTHZ_GRANTED;
    return AUTHZ_DENIED;
}

static authz_status check_permission(request_rec *r, const char *line,
                                     const void *parsed)
{
    (void)parsed;
    return check_words(r, line, has_permission);
}

static authz_status check_scope(request_rec *r, const char *line,
                                const void *parsed)
{
    (void)parsed;
    return check_words(r, line, has_scope);
}

static authz_status check_claim(request_rec *r, const char *line,
                                const void *parsed)
{
    (void)parsed;
    return check_words(r, line, has_claim);
}

static const char *parse_words(cmd_parms *cmd, const char *line,
                               const void **parsed)
{
    (void)parsed;
    if (!*ap_getword_conf(cmd->temp_pool, &line))
        return "Require agentauth-permission and agentauth-scope take one or "
               "more words, one of which is needed";
    return NULL;
}

static const char *parse_claims(cmd_parms *cmd, const char *line,
                                const void **parsed)
{
    const char *word, *colon;
    int n = 0;

    (void)parsed;
    for (; *(word = ap_getword_conf(cmd->temp_pool, &line)); n++)
        if (!(colon = strchr(word, ':')) || colon == word || !colon[1])
            return apr_pstrcat(cmd->pool, "Require agentauth-claim: '", word,
                               "' is not of the form name:value", NULL);
    return n ? NULL
             : "Require agentauth-claim takes one or more name:value, one of "
               "which is needed";
}

static const authz_provider permission = {check_permission, parse_words};
static const authz_provider scope = {check_scope, parse_words};
static const authz_provider claim = {check_claim, parse_claims};

void aa_require_register(apr_pool_t *p)
{
    static const struct {
        const char *name;
        const authz_provider *provider;
    } all[] = {{"agentauth-permission", &permission},
               {"agentauth-scope", &scope},
               {"agentauth-claim", &claim}};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, all[i].name,
                                  AUTHZ_PROVIDER_VERSION, all[i].provider,
                                  AP_AUTH_INTERNAL_PER_URI);
}
