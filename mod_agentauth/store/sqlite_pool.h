/* SPDX-License-Identifier: Apache-2.0 */
/* Inside store/: SQLite connections, kept in a small LIFO. */
#ifndef AA_SQLITE_POOL_H
#define AA_SQLITE_POOL_H

#include <sqlite3.h>
#include "model/limits.h"
#include "store/store.h"

typedef struct aa_sqlite_t aa_sqlite_t;

/** One connection; used by one thread at a time. */
typedef struct aa_connection_t {
    struct aa_connection_t *next; /* in the LIFO */
    sqlite3 *db;
    sqlite3_stmt *statements[AA_STORE_STATEMENTS_MAX];
    int nstatements;
    aa_durability_e durability; /* what PRAGMA synchronous says now */
    int broken;                 /* not to be used again */
    dev_t device;               /* of the file, to notice another one */
    ino_t inode;
} aa_connection_t;

/** Opens nothing that stays open. @a file is absolute. */
AA_CHECKED apr_status_t aa_sqlite_create(aa_sqlite_t **sqlite, const char *file,
                                         int create, aa_error_t *err,
                                         apr_pool_t *p);

/** See aa_store_keep. */
void aa_sqlite_keep(aa_sqlite_t *sqlite);

/** A connection of this process to the file that is there now. */
AA_CHECKED apr_status_t aa_sqlite_take(aa_connection_t **connection,
                                       aa_sqlite_t *sqlite, aa_error_t *err,
                                       apr_pool_t *p);

/** Give it back; one that is broken or inside a transaction is closed. */
void aa_sqlite_give(aa_sqlite_t *sqlite, aa_connection_t *connection);

/** Refuse with AA_E_STORE, saying what SQLite said of @a db (may be NULL). */
apr_status_t aa_sqlite_refuse(const aa_sqlite_t *sqlite, sqlite3 *db, int code,
                              aa_error_t *err, apr_pool_t *p);

#endif
