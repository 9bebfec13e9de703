/* SPDX-License-Identifier: Apache-2.0 */
/* <AgentAuthIssuer URL> … </AgentAuthIssuer>: reads a block and its lines. */
#include <string.h>

#include "apr_strings.h"
#include "base/http.h"
#include "httpd/directives.h"
#include "base/spelling.h"
#include "model/limits.h"

static const char *const members[] = {
    "AgentAuthAudience",       "AgentAuthJWKS",
    "AgentAuthAlgorithms",     "AgentAuthIssuerSecret",
    "AgentAuthIdentityClaim",  "AgentAuthPermissionsClaim",
    "AgentAuthIdentityPrefix", NULL};

static const struct {
    const char *word;
    int hash; /* bytes of the HMAC's hash; 0: public-key */
} algorithms[] = {
    {"RS256", 0},  {"RS384", 0},  {"RS512", 0},  {"PS256", 0}, {"PS384", 0},
    {"PS512", 0},  {"ES256", 0},  {"ES384", 0},  {"ES512", 0}, {"EdDSA", 0},
    {"HS256", 32}, {"HS384", 48}, {"HS512", 64},
};

int aa_algorithm_hash(const char *alg)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
        if (!strcmp(algorithms[i].word, alg))
            return algorithms[i].hash;
    return -1;
}

/* An issuer's identifier is compared byte by byte with iss (RFC 8414 s2). */
static const char *issuer_url_check(cmd_parms *cmd, const char *url)
{
    const char *shown = aa_directive_shown(url, cmd->pool);

    if (!aa_text_plain(url, AA_CONF_PATH_MAX, 0) || strpbrk(url, "?#"))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not an issuer's URL without query and "
                                "fragment, such as https://id.example/",
                                shown);
    if (!aa_http_allowed(url))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not an https URL; http is allowed on "
                                "a loopback address only",
                                shown);
    return NULL;
}

/* ap_walk_config would run any directive of httpd here, and it would then
 * belong to the virtual host, not to the issuer. */
static const char *children_check(cmd_parms *cmd)
{
    const ap_directive_t *child = cmd->directive->first_child;

    for (; child; child = child->next) {
        aa_spelling_t spelling = {child->directive, NULL, 0};
        int found = 0;

        for (const char *const *m = members; *m && !found; m++) {
            found = !ap_cstr_casecmp(*m, child->directive);
            aa_spelling_offer(&spelling, *m);
        }
        if (found)
            continue;
        cmd->err_directive = child;
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "%s cannot stand in an issuer's block%s",
                                aa_directive_shown(child->directive, cmd->pool),
                                aa_spelling_hint(&spelling, cmd->pool));
    }
    return NULL;
}

static aa_issuer_block_t *block_make(cmd_parms *cmd, const char *url)
{
    aa_issuer_block_t *block = apr_pcalloc(cmd->pool, sizeof(*block));
    aa_issuer_t *issuer = apr_pcalloc(cmd->pool, sizeof(*issuer));

    issuer->url = url;
    issuer->audiences = apr_pcalloc(cmd->pool, sizeof(char *));
    issuer->identity_claim = "sub";
    issuer->permissions_claim = "permissions";
    issuer->identity_prefix = "";
    block->issuer = issuer;
    block->where = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename,
                                cmd->directive->line_num);
    return block;
}

static void defaults(aa_issuer_t *issuer)
{
    static const char *const with_keys[] = {"RS256", "ES256", "PS256", "EdDSA",
                                            NULL};
    static const char *const with_secret[] = {"HS256", NULL};

    if (!issuer->algorithms)
        issuer->algorithms = issuer->secret ? with_secret : with_keys;
}

static const char *already_there(cmd_parms *cmd, const aa_server_conf_t *conf,
                                 const char *url)
{
    for (int i = 0; conf->blocks && i < conf->blocks->nelts; i++) {
        const aa_issuer_block_t *block =
            APR_ARRAY_IDX(conf->blocks, i, aa_issuer_block_t *);

        if (!strcmp(block->issuer->url, url))
            return aa_directive_bad(
                cmd, AA_E_CONF_DUPLICATE, "%s has a block already at %s",
                aa_directive_shown(url, cmd->pool), block->where);
    }
    return NULL;
}

static const char *section_url(const char **url, cmd_parms *cmd,
                               const char *arg)
{
    const char *end = strrchr(arg, '>');
    const char *rest;

    if (!end || end[1])
        return aa_directive_bad(cmd, AA_E_CONF_VALUE, "a '>' is missing");
    rest = apr_pstrmemdup(cmd->pool, arg, (apr_size_t)(end - arg));
    *url = ap_getword_conf(cmd->pool, &rest);
    if (!**url || *rest)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "takes one URL: <AgentAuthIssuer URL>");
    return issuer_url_check(cmd, *url);
}

const char *aa_issuer_section(cmd_parms *cmd, void *unused, const char *arg)
{
    ap_directive_t *self = cmd->directive;
    aa_server_conf_t *conf;
    const char *url = NULL, *why;

    (void)unused;
    if ((why = aa_directive_server(&conf, cmd)) ||
        (why = section_url(&url, cmd, arg)) ||
        (why = already_there(cmd, conf, url)) || (why = children_check(cmd)))
        return why;
    conf->block = block_make(cmd, url);
    why = ap_walk_config(self->first_child, cmd, cmd->context);
    cmd->directive = self;
    if (!why) {
        defaults(conf->block->issuer);
        if (!conf->issuers) {
            conf->issuers = apr_array_make(cmd->pool, 2, sizeof(void *));
            conf->blocks = apr_array_make(cmd->pool, 2, sizeof(void *));
        }
        APR_ARRAY_PUSH(conf->issuers, aa_issuer_t *) = conf->block->issuer;
        APR_ARRAY_PUSH(conf->blocks, aa_issuer_block_t *) = conf->block;
    }
    conf->block = NULL;
    return why;
}

/* The block that a line stands in. */
static const char *block_of(aa_issuer_block_t **block, cmd_parms *cmd)
{
    const aa_server_conf_t *conf = aa_server_conf(cmd->server);

    *block = conf->block;
    if (!*block || cmd->path)
        return aa_directive_bad(cmd, AA_E_CONF_CONTEXT,
                                "stands only inside <AgentAuthIssuer URL>");
    return NULL;
}

const char *aa_issuer_audience(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);

    (void)unused;
    if (why)
        return why;
    if (!aa_text_plain(arg, AA_CONF_WORD_MAX, 0))
        return aa_directive_bad(
            cmd, AA_E_CONF_VALUE, "%s is not 1 to %d visible ASCII characters",
            aa_directive_shown(arg, cmd->pool), AA_CONF_WORD_MAX);
    block->issuer->audiences =
        aa_list_with(block->issuer->audiences, arg, cmd->pool);
    return NULL;
}

const char *aa_issuer_jwks(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);

    (void)unused;
    if (why)
        return why;
    if (ap_strstr_c(arg, "://")) {
        if (!aa_text_plain(arg, AA_CONF_PATH_MAX, 0) || !aa_http_allowed(arg))
            return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                    "%s is not a file or an https URL; http "
                                    "is allowed on a loopback address only",
                                    aa_directive_shown(arg, cmd->pool));
        block->issuer->jwks = arg;
        return NULL;
    }
    block->issuer->jwks = ap_server_root_relative(cmd->pool, arg);
    if (!*arg || !block->issuer->jwks)
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is neither a file nor a URL",
                                aa_directive_shown(arg, cmd->pool));
    return NULL;
}

const char *aa_issuer_secret(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);

    (void)unused;
    /* A secret written out is not shown by -D DUMP_CONFIG or mod_info. */
    if (strncmp(arg, "file:", 5) && strncmp(arg, "env:", 4))
        cmd->directive->args = "(hidden)";
    if (why)
        return why;
    why = aa_secret_read(&block->issuer->secret, &block->issuer->secret_len,
                         arg, cmd->pool);
    if (why)
        return aa_directive_bad(cmd, AA_E_CONF_SECRET, "%s", why);
    return NULL;
}

const char *aa_issuer_algorithm(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_spelling_t spelling = {arg, NULL, 0};
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);
    const char *all = "";

    (void)unused;
    if (why)
        return why;
    if (aa_algorithm_hash(arg) >= 0) {
        block->issuer->algorithms =
            aa_list_with(block->issuer->algorithms, arg, cmd->pool);
        block->algorithms_given = 1;
        return NULL;
    }
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        all = apr_pstrcat(cmd->pool, all, " ", algorithms[i].word, NULL);
        aa_spelling_offer(&spelling, algorithms[i].word);
    }
    return aa_directive_bad(cmd, AA_E_CONF_VALUE, "%s is not one of%s%s",
                            aa_directive_shown(arg, cmd->pool), all,
                            aa_spelling_hint(&spelling, cmd->pool));
}

const char *aa_issuer_claim(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);

    (void)unused;
    if (why)
        return why;
    if (!aa_text_plain(arg, AA_CONF_WORD_MAX, 0) || *arg == '.' ||
        arg[strlen(arg) - 1] == '.')
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not the name of a claim, such as sub "
                                "or realm_access.roles",
                                aa_directive_shown(arg, cmd->pool));
    if (!ap_cstr_casecmp(cmd->cmd->name, "AgentAuthIdentityClaim"))
        block->issuer->identity_claim = arg;
    else
        block->issuer->permissions_claim = arg;
    return NULL;
}

/* Raw, since httpd takes "" for a missing argument, and "" is consent. */
const char *aa_issuer_prefix(cmd_parms *cmd, void *unused, const char *arg)
{
    aa_issuer_block_t *block;
    const char *why = block_of(&block, cmd);
    const char *rest = arg, *prefix;

    (void)unused;
    if (why)
        return why;
    prefix = ap_getword_conf(cmd->pool, &rest);
    if (!*arg || *rest ||
        (*prefix && !aa_text_plain(prefix, AA_KEY_PREFIX_MAX, 0)))
        return aa_directive_bad(cmd, AA_E_CONF_VALUE,
                                "%s is not \"\" or one word of up to %d "
                                "visible ASCII characters",
                                aa_directive_shown(arg, cmd->pool),
                                AA_KEY_PREFIX_MAX);
    block->issuer->identity_prefix = prefix;
    block->prefix_given = 1;
    return NULL;
}
