/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver: statements, reads, transactions. */
#include <string.h>

#include "apr_strings.h"
#include "store/driver.h"
#include "store/sqlite_pool.h"

/** A transaction on one connection. */
typedef struct tx_t {
    aa_tx_t base; /* first: aa_tx_t is what others hold */
    aa_connection_t *connection;
    const aa_sqlite_t *sqlite;
    aa_error_t fault; /* of a statement; code AA_E_NONE: none yet */
} tx_t;

/* ---------------------------------------------------------- statements */

static sqlite3_stmt *statement_known(const aa_connection_t *c, const char *sql)
{
    for (int i = 0; i < c->nstatements; i++)
        if (!strcmp(sqlite3_sql(c->statements[i]), sql))
            return c->statements[i];
    return NULL;
}

/* @a mine gets 1 when the statement must be finalized by the caller. */
static int statement_get(sqlite3_stmt **statement, int *mine,
                         aa_connection_t *c, const char *sql)
{
    int code;

    *mine = 0;
    *statement = statement_known(c, sql);
    if (*statement && !sqlite3_stmt_busy(*statement))
        return SQLITE_OK;
    /* Full, or a row function runs the statement that it is called from. */
    *mine = *statement || c->nstatements == AA_STORE_STATEMENTS_MAX;
    code = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                              statement, NULL);
    if (code == SQLITE_OK && !*mine)
        c->statements[c->nstatements++] = *statement;
    return code;
}

static int bind_one(sqlite3_stmt *statement, int at, const aa_value_t *value)
{
    switch (value->type) {
    case AA_VALUE_INT:
        return sqlite3_bind_int64(statement, at, value->i);
    case AA_VALUE_TEXT:
        return sqlite3_bind_text64(statement, at, value->data, value->len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case AA_VALUE_BLOB:
        return sqlite3_bind_blob64(statement, at, value->data, value->len,
                                   SQLITE_STATIC);
    case AA_VALUE_NULL:
        break;
    }
    return sqlite3_bind_null(statement, at);
}

/* For SQLite "$2" is a name, numbered by where it first stands. */
static int bind_all(sqlite3_stmt *statement, const aa_value_t *args, int nargs)
{
    char name[12];
    int code = SQLITE_OK;

    for (int i = 0; code == SQLITE_OK && i < nargs; i++) {
        int at;

        apr_snprintf(name, sizeof(name), "$%d", i + 1);
        at = sqlite3_bind_parameter_index(statement, name);
        code = at ? bind_one(statement, at, &args[i]) : SQLITE_MISUSE;
    }
    return code;
}

static aa_value_t column(sqlite3_stmt *statement, int i)
{
    aa_value_t value = {AA_VALUE_NULL, 0, NULL, 0};

    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
        value.type = AA_VALUE_INT;
        value.i = sqlite3_column_int64(statement, i);
        break;
    case SQLITE_TEXT:
        value.type = AA_VALUE_TEXT;
        value.data = sqlite3_column_text(statement, i);
        value.len = (apr_size_t)sqlite3_column_bytes(statement, i);
        break;
    case SQLITE_BLOB:
        value.type = AA_VALUE_BLOB;
        value.data = sqlite3_column_blob(statement, i);
        value.len = (apr_size_t)sqlite3_column_bytes(statement, i);
        break;
    default:
        break;
    }
    return value;
}

static apr_status_t row_give(sqlite3_stmt *statement, aa_row_fn *row,
                             void *baton)
{
    aa_value_t columns[AA_STORE_COLUMNS_MAX];
    int n = sqlite3_column_count(statement);

    if (n > AA_STORE_COLUMNS_MAX)
        return APR_EINVAL;
    for (int i = 0; i < n; i++)
        columns[i] = column(statement, i);
    return row(baton, columns, n);
}

/* SQLite's code; @a rv is what the row function said. */
static int statement_step(sqlite3_stmt *statement, aa_row_fn *row, void *baton,
                          apr_status_t *rv)
{
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (row)
            *rv = row_give(statement, row, baton);
        if (*rv != APR_SUCCESS)
            return SQLITE_DONE;
    }
    return code;
}

/* SQLITE_OK, or what failed; @a rv is what the row function said. */
static int run(aa_connection_t *c, const char *sql, const aa_value_t *args,
               int nargs, aa_row_fn *row, void *baton, apr_status_t *rv)
{
    sqlite3_stmt *statement;
    int mine, code;

    *rv = APR_SUCCESS;
    code = statement_get(&statement, &mine, c, sql);
    if (code != SQLITE_OK)
        return code;
    code = bind_all(statement, args, nargs);
    if (code == SQLITE_OK)
        code = statement_step(statement, row, baton, rv);
    if (mine) {
        sqlite3_finalize(statement);
    }
    else {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement); /* they were borrowed */
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* A lock goes away by itself; after anything else we begin afresh. */
static apr_status_t refuse(const aa_sqlite_t *sqlite, aa_connection_t *c,
                           int code, aa_error_t *err, apr_pool_t *p)
{
    if ((code & 0xff) != SQLITE_BUSY)
        c->broken = 1;
    return aa_sqlite_refuse(sqlite, c->db, code, err, p);
}

/* ------------------------------------------------------ what store.c calls */

static const char *sqlite_complain(const char *place, apr_pool_t *p)
{
    (void)p;
    if (place[0] != '/' || !place[1] || place[strlen(place) - 1] == '/')
        return "sqlite: needs the absolute path of a file";
    return NULL;
}

static apr_status_t sqlite_open(void **handle, const char *place, int create,
                                aa_error_t *err, apr_pool_t *p)
{
    aa_sqlite_t *sqlite;
    apr_status_t rv = aa_sqlite_create(&sqlite, place, create, err, p);

    *handle = sqlite;
    return rv;
}

static void sqlite_keep(void *handle)
{
    aa_sqlite_keep(handle);
}

static apr_status_t sqlite_read(void *handle, const char *sql,
                                const aa_value_t *args, int nargs,
                                aa_row_fn *row, void *baton, aa_error_t *err,
                                apr_pool_t *p)
{
    aa_connection_t *c;
    apr_status_t rv = aa_sqlite_take(&c, handle, err, p);
    int code;

    if (rv != APR_SUCCESS)
        return rv;
    sqlite3_busy_timeout(c->db, AA_STORE_READ_WAIT);
    code = run(c, sql, args, nargs, row, baton, &rv);
    if (code != SQLITE_OK)
        rv = refuse(handle, c, code, err, p);
    aa_sqlite_give(handle, c);
    return rv;
}

static int begin(aa_connection_t *c, aa_durability_e durability)
{
    int code = SQLITE_OK;

    sqlite3_busy_timeout(c->db, durability == AA_DURABLE ? AA_STORE_WRITE_WAIT
                                                         : AA_STORE_LAZY_WAIT);
    if (c->durability != durability)
        code =
            sqlite3_exec(c->db,
                         durability == AA_DURABLE ? "PRAGMA synchronous=FULL"
                                                  : "PRAGMA synchronous=NORMAL",
                         NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return code;
    c->durability = durability;
    /* IMMEDIATE: a read that turns into a write is refused at once when
     * somebody else wrote in between, without any waiting. */
    return sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

static apr_status_t commit(tx_t *tx, aa_error_t *err, apr_pool_t *p)
{
    aa_connection_t *c = tx->connection;
    int code = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);

    if (code == SQLITE_OK)
        return APR_SUCCESS;
    refuse(tx->sqlite, c, code, err, p);
    c->broken = 1;
    return AA_EREFUSED;
}

static apr_status_t sqlite_write(void *handle, aa_durability_e durability,
                                 aa_tx_fn *fn, void *baton, aa_error_t *err,
                                 apr_pool_t *p)
{
    tx_t tx = {{&aa_store_sqlite}, NULL, handle, {0}};
    apr_status_t rv = aa_sqlite_take(&tx.connection, handle, err, p);
    int code;

    if (rv != APR_SUCCESS)
        return rv;
    code = begin(tx.connection, durability);
    if (code != SQLITE_OK) {
        rv = refuse(handle, tx.connection, code, err, p);
        goto leave;
    }
    rv = fn(baton, &tx.base, p);
    if (rv == APR_SUCCESS && tx.fault.code) /* it did not look: we do */
        rv = AA_EREFUSED;
    if (rv == APR_SUCCESS) {
        rv = commit(&tx, err, p);
        goto leave;
    }
    if (err && tx.fault.code)
        *err = tx.fault;
    if (sqlite3_exec(tx.connection->db, "ROLLBACK", NULL, NULL, NULL) !=
        SQLITE_OK)
        tx.connection->broken = 1;

leave:
    aa_sqlite_give(handle, tx.connection);
    return rv;
}

static apr_status_t sqlite_run(aa_tx_t *base, const char *sql,
                               const aa_value_t *args, int nargs,
                               aa_row_fn *row, void *baton, int *changed,
                               apr_pool_t *p)
{
    tx_t *tx = (tx_t *)base;
    apr_status_t rv;
    int code = run(tx->connection, sql, args, nargs, row, baton, &rv);

    if (changed)
        *changed = code == SQLITE_OK ? sqlite3_changes(tx->connection->db) : 0;
    if (code == SQLITE_OK)
        return rv;
    if (code == SQLITE_CONSTRAINT_UNIQUE ||
        code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return APR_EEXIST;
    return refuse(tx->sqlite, tx->connection, code, &tx->fault, p);
}

const aa_store_driver_t aa_store_sqlite = {
    "sqlite",    sqlite_complain, sqlite_open, sqlite_keep,
    sqlite_read, sqlite_write,    sqlite_run};
