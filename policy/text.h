/* SPDX-License-Identifier: Apache-2.0 */
/* What bytes of a policy or a client may say in a log line or an answer. */
#ifndef AA_TEXT_H
#define AA_TEXT_H

#include "apr_pools.h"

/** 1 when the bytes are UTF-8 (RFC 3629: no surrogates, no overlong forms). */
int aa_text_is_utf8(const char *text, apr_size_t len);

/** 1 when they are UTF-8 without C0 control characters and DEL. */
int aa_text_is_plain(const char *text, apr_size_t len);

/**
 * Copy bytes so that they are plain: a control character becomes a space, a
 * broken sequence '?', and what does not fit is left out at a character's
 * border. @a out holds @a size bytes, NUL included.
 */
void aa_text_clean(char *out, apr_size_t size, const char *text,
                   apr_size_t len);

/** The same in @a p, at most @a max bytes. */
char *aa_text_cleaned(const char *text, apr_size_t len, apr_size_t max,
                      apr_pool_t *p);

#endif
