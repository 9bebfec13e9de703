/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read directives share: contexts, words, complaints. */
#ifndef AA_DIRECTIVES_H
#define AA_DIRECTIVES_H

#include "httpd/config.h"

/** A word that a directive takes. */
typedef struct aa_word_t {
    const char *word; /* NULL ends the list */
    int value;        /* AA_WORD_LATER: known, but not in this version */
} aa_word_t;

#define AA_WORD_LATER (-2)

/** An <AgentAuthIssuer> block: the issuer and what only the checks need. */
typedef struct aa_issuer_block_t {
    aa_issuer_t *issuer;
    const char *where;    /* file:line of the block */
    int prefix_given;     /* AgentAuthIdentityPrefix stands in it */
    int algorithms_given; /* AgentAuthAlgorithms stands in it */
} aa_issuer_block_t;

/** The message of a setter: "NAME: what (AGAnnnn)". */
const char *aa_directive_bad(cmd_parms *cmd, aa_code_e code, const char *fmt,
                             ...) AA_PRINTF(3, 4);

/** A value as it may stand in a message: quoted, escaped, not too long. */
const char *aa_directive_shown(const char *value, apr_pool_t *p);

/** Take @a arg from @a words; the message lists them and the nearest. */
const char *aa_directive_pick(int *value, cmd_parms *cmd, const char *arg,
                              const aa_word_t *words);

/** First call of every setter of the server or virtual host. */
const char *aa_directive_server(aa_server_conf_t **conf, cmd_parms *cmd);

/** @a list with @a word at its end; lists are short and never shared. */
const char *const *aa_list_with(const char *const *list, const char *word,
                                apr_pool_t *p);
int aa_list_len(const char *const *list);

/** 1 when @a text is 1 to @a max bytes of visible ASCII (with spaces inside
 *  when @a spaces) without '"' and '\'. */
int aa_text_plain(const char *text, apr_size_t max, int spaces);

/** Add a word to a list of origins. @return NULL or what is wrong with it */
const char *aa_origins_add(const aa_origins_t **origins, const char *arg,
                           int own_allowed, apr_pool_t *p);

/* setters of issuer_section.c */
const char *aa_issuer_section(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_audience(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_jwks(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_secret(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_algorithm(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_claim(cmd_parms *cmd, void *conf, const char *arg);
const char *aa_issuer_prefix(cmd_parms *cmd, void *conf, const char *arg);

/** Bytes of the hash of an HS* algorithm; 0: a public-key algorithm; -1: none
 *  of ours. */
int aa_algorithm_hash(const char *alg);

#endif
