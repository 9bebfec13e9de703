/* SPDX-License-Identifier: Apache-2.0 */
/* Opens SQLite connections in the process that uses them, and keeps some.
 *
 * POSIX locks belong to a process, and SQLite remembers per process which it
 * holds. A connection that crossed a fork would believe in locks that the
 * child does not have, and could damage the database. So the process that
 * opened the store (httpd's parent, the CLI) keeps no connection between
 * calls, unless it says that it serves requests itself. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "base/private.h"
#include "store/sqlite_pool.h"

#define WAL_PAUSE 5000 /* microseconds between two tries */

struct aa_sqlite_t {
    const char *file; /* its directory resolved, the file itself no link */
    pthread_mutex_t lock;
    aa_connection_t *idle;
    int nidle;
    pid_t idle_pid; /* whose the idle ones are */
    pid_t opener;   /* keeps none */
};

/* What SQLite calls an input/output error may be a full disk, too: it grows
 * its files in more ways than one. */
static const char *cause(int code, sqlite3 *db)
{
    if (db && (code & 0xff) == SQLITE_IOERR &&
        sqlite3_system_errno(db) == ENOSPC)
        code = SQLITE_FULL;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "locked by another process";
    case SQLITE_FULL:
        return "no space left";
    case SQLITE_READONLY:
        return "read-only";
    case SQLITE_CANTOPEN:
        return "missing or not accessible";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "damaged or no SQLite database";
    case SQLITE_IOERR:
        return "input/output error";
    default:
        return "failed";
    }
}

apr_status_t aa_sqlite_refuse(const aa_sqlite_t *sqlite, sqlite3 *db, int code,
                              aa_error_t *err, apr_pool_t *p)
{
    aa_refuse(err, p, AA_E_STORE, "store %s: %s (SQLite %d: %s)", sqlite->file,
              cause(code, db), code, db ? sqlite3_errmsg(db) : "not opened");
    if (err)
        err->retry_after = 5;
    return AA_EREFUSED;
}

static void connection_close(aa_connection_t *c)
{
    for (int i = 0; i < c->nstatements; i++)
        sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->db);
    free(c);
}

static int wal_seen(void *mode, int n, char **columns, char **names)
{
    (void)names;
    *(int *)mode = n == 1 && columns[0] && !strcmp(columns[0], "wal");
    return 0;
}

/* The switch does not always wait for others that switch as well, whatever the
 * busy timeout says: it would have to upgrade a lock, and is told at once. */
static int switch_to_wal(sqlite3 *db, int *is_wal)
{
    apr_time_t end = apr_time_now() + AA_STORE_WRITE_WAIT * 1000;
    int code;

    for (;;) {
        code =
            sqlite3_exec(db, "PRAGMA journal_mode=WAL", wal_seen, is_wal, NULL);
        if ((code & 0xff) != SQLITE_BUSY || apr_time_now() >= end)
            return code;
        apr_sleep(WAL_PAUSE);
    }
}

/* synchronous=FULL: NORMAL can lose an acknowledged revocation at power loss.
 * The schema is not trusted: what is in the file is data, not code. */
static int connection_configure(aa_connection_t *c)
{
    int is_wal = 0, code;

    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, AA_STORE_WRITE_WAIT);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    code = sqlite3_exec(c->db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = switch_to_wal(c->db, &is_wal);
    if (code == SQLITE_OK && !is_wal)
        code = SQLITE_CANTOPEN;
    if (code == SQLITE_OK)
        code = sqlite3_exec(c->db,
                            "PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL",
                            NULL, NULL, NULL);
    c->durability = AA_DURABLE;
    return code;
}

static apr_status_t connection_open(aa_connection_t **pc,
                                    const aa_sqlite_t *sqlite,
                                    const struct stat *st, aa_error_t *err,
                                    apr_pool_t *p)
{
    aa_connection_t *c = calloc(1, sizeof(*c));
    apr_status_t rv;
    int code;

    *pc = NULL;
    if (!c)
        return aa_sqlite_refuse(sqlite, NULL, SQLITE_NOMEM, err, p);
    c->device = st->st_dev;
    c->inode = st->st_ino;
    code = sqlite3_open_v2(sqlite->file, &c->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               SQLITE_OPEN_NOFOLLOW,
                           NULL);
    if (code == SQLITE_OK)
        code = connection_configure(c);
    if (code == SQLITE_OK) {
        *pc = c;
        return APR_SUCCESS;
    }
    rv = aa_sqlite_refuse(sqlite, c->db, code, err, p);
    connection_close(c);
    return rv;
}

static aa_connection_t *idle_pop(aa_sqlite_t *sqlite)
{
    aa_connection_t *c;

    pthread_mutex_lock(&sqlite->lock);
    if (sqlite->idle_pid != getpid()) {
        /* Another process's: forget them. Closing would drop its locks. */
        sqlite->idle = NULL;
        sqlite->nidle = 0;
        sqlite->idle_pid = getpid();
    }
    c = sqlite->idle;
    if (c) {
        sqlite->idle = c->next;
        sqlite->nidle--;
    }
    pthread_mutex_unlock(&sqlite->lock);
    return c;
}

apr_status_t aa_sqlite_take(aa_connection_t **pc, aa_sqlite_t *sqlite,
                            aa_error_t *err, apr_pool_t *p)
{
    aa_connection_t *c;
    struct stat st;

    *pc = NULL;
    /* A connection goes on working on a file that was removed or replaced:
     * what is written there is lost. One look at the name tells. */
    if (lstat(sqlite->file, &st) != 0)
        return aa_sqlite_refuse(sqlite, NULL, SQLITE_CANTOPEN, err, p);
    while ((c = idle_pop(sqlite))) {
        if (c->device == st.st_dev && c->inode == st.st_ino) {
            *pc = c;
            return APR_SUCCESS;
        }
        connection_close(c);
    }
    return connection_open(pc, sqlite, &st, err, p);
}

void aa_sqlite_give(aa_sqlite_t *sqlite, aa_connection_t *c)
{
    pid_t pid = getpid();

    if (!c->broken && sqlite3_get_autocommit(c->db) && pid != sqlite->opener) {
        pthread_mutex_lock(&sqlite->lock);
        if (sqlite->nidle < AA_STORE_IDLE_MAX && sqlite->idle_pid == pid) {
            c->next = sqlite->idle;
            sqlite->idle = c;
            sqlite->nidle++;
            c = NULL;
        }
        pthread_mutex_unlock(&sqlite->lock);
    }
    if (c)
        connection_close(c);
}

void aa_sqlite_keep(aa_sqlite_t *sqlite)
{
    sqlite->opener = 0;
}

static apr_status_t close_idle(void *data)
{
    aa_sqlite_t *sqlite = data;
    aa_connection_t *c, *next;

    if (sqlite->idle_pid == getpid()) {
        for (c = sqlite->idle; c; c = next) {
            next = c->next;
            connection_close(c);
        }
    }
    pthread_mutex_destroy(&sqlite->lock);
    return APR_SUCCESS;
}

/* Links above the file are the administrator's business; the file itself may
 * not be one, since its directory belongs to a less trusted user. */
static const char *resolve(const char *file, apr_pool_t *p)
{
    const char *name = strrchr(file, '/') + 1, *path;
    char *dir = realpath(aa_private_directory(file, p), NULL);

    if (!dir)
        return NULL;
    path = apr_pstrcat(p, dir[1] ? dir : "", "/", name, NULL);
    free(dir);
    return path;
}

static const char *unfit(const char *file)
{
    struct stat st;

    if (lstat(file, &st) != 0)
        return "is missing";
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if (st.st_mode & 077)
        return "is open to group or others: chmod 600";
    return NULL;
}

apr_status_t aa_sqlite_create(aa_sqlite_t **psqlite, const char *file,
                              int create, aa_error_t *err, apr_pool_t *p)
{
    aa_sqlite_t *sqlite = apr_pcalloc(p, sizeof(*sqlite));
    const char *why = NULL;
    apr_status_t rv = APR_SUCCESS;

    *psqlite = NULL;
    sqlite->file = resolve(file, p);
    sqlite->opener = sqlite->idle_pid = getpid();
    if (!sqlite->file)
        return aa_refuse(err, p, AA_E_STORE, "store %s: no such directory",
                         file);
    /* Made by us, since SQLite would ask the umask. Its -wal and -shm files
     * take mode and owner from this one. */
    if (create && unfit(sqlite->file))
        rv = aa_private_make(sqlite->file, "", 0, p);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EEXIST(rv))
        why = strerror(APR_TO_OS_ERROR(rv));
    else
        why = unfit(sqlite->file);
    if (why)
        return aa_refuse(err, p, AA_E_STORE, "store %s: %s", sqlite->file, why);
    pthread_mutex_init(&sqlite->lock, NULL);
    apr_pool_cleanup_register(p, sqlite, close_idle, apr_pool_cleanup_null);
    *psqlite = sqlite;
    return APR_SUCCESS;
}
