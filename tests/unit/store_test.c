/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store: what is acknowledged stays, what cannot be is refused. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "apr_strings.h"
#include "stage.h"
#include "store/driver.h"
#include "store/schema.h"

#define INSERT_X "INSERT INTO users VALUES ('r', 'x', '[]', 1, 0)"

static const char *database(stage_t *stage)
{
    return strchr(stage->state.store_url, ':') + 1;
}

/* ------------------------------------------------------------------ urls */

static const struct {
    const char *name, *url;
    int valid;
} url_rows[] = {
    {"absolute file", "sqlite:/var/lib/agentauth/a.db", 1},
    {"relative file", "sqlite:a.db", 0},
    {"no file", "sqlite:", 0},
    {"a directory", "sqlite:/var/lib/", 0},
    {"the root", "sqlite:/", 0},
    {"unknown scheme", "postgresql://localhost/x", 0},
    {"scheme as prefix", "sqlite3:/a.db", 0},
    {"no scheme", "/var/lib/a.db", 0},
    {"empty", "", 0},
};

static void store_urls(void **state)
{
    stage_t *stage = *state;
    const char *why;

    for (size_t i = 0; i < sizeof(url_rows) / sizeof(*url_rows); i++) {
        print_message("%s\n", url_rows[i].name);
        assert_int_equal(aa_store_url_valid(&why, url_rows[i].url, stage->pool),
                         url_rows[i].valid);
        assert_int_equal(why == NULL, url_rows[i].valid);
    }
}

/* ---------------------------------------------------------------- settings */

static void store_is_private_and_durable(void **state)
{
    stage_t *stage = *state;
    struct stat st;
    sqlite3 *db;
    sqlite3_stmt *statement;

    assert_int_equal(stat(database(stage), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(sqlite3_open(database(stage), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_int_equal(stage_number(stage, "PRAGMA foreign_keys"), 1);
    assert_int_equal(stage_number(stage, "PRAGMA trusted_schema"), 0);
    assert_int_equal(stage_number(stage, "PRAGMA synchronous"), 2);
    assert_int_equal(stage_number(stage, "SELECT version FROM"
                                         " agentauth_schema"),
                     aa_schema_version);
}

/* A lazy write lowers synchronous on its connection; a durable one that gets
 * the same connection next must raise it again. */
static apr_status_t synchronous_look(void *baton, aa_tx_t *tx, apr_pool_t *p);

static apr_status_t level_take(void *baton, const aa_value_t *columns, int n)
{
    (void)n;
    *(int *)baton = (int)columns[0].i;
    return APR_SUCCESS;
}

static apr_status_t synchronous_look(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    return aa_tx_run(tx, "PRAGMA synchronous", NULL, 0, level_take, baton, NULL,
                     p);
}

static void store_durability_follows_the_call(void **state)
{
    static const struct {
        aa_durability_e durability;
        int level;
    } rows[] = {{AA_DURABLE, 2}, {AA_LAZY, 1}, {AA_DURABLE, 2}, {AA_LAZY, 1}};
    stage_t *stage = *state;
    int level;

    aa_store_keep(stage->accounts.store);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        level = -1;
        assert_int_equal(aa_store_write(stage->accounts.store,
                                        rows[i].durability, synchronous_look,
                                        &level, NULL, stage->pool),
                         APR_SUCCESS);
        assert_int_equal(level, rows[i].level);
    }
}

/* ------------------------------------------------------------- transactions */

static apr_status_t insert_then_fail(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    apr_status_t rv =
        aa_tx_run(tx, INSERT_X, NULL, 0, NULL, NULL, (int *)baton, p);

    return rv == APR_SUCCESS ? APR_EGENERAL : rv;
}

static void store_rolls_back(void **state)
{
    stage_t *stage = *state;
    int changed = 0;

    assert_int_equal(aa_store_write(stage->accounts.store, AA_DURABLE,
                                    insert_then_fail, &changed, NULL,
                                    stage->pool),
                     APR_EGENERAL);
    assert_int_equal(changed, 1);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 0);
    assert_int_equal(stage_sql(stage, INSERT_X, NULL), APR_SUCCESS);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 1);
}

static void store_says_exists(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};

    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_SUCCESS);
    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_EEXIST);
    assert_int_equal(err.code, AA_E_NONE);
    /* another constraint is a mistake of ours, and refused as such */
    assert_int_equal(
        stage_sql(stage,
                  "INSERT INTO api_keys VALUES ('i', 'r', 'nobody', '', NULL,"
                  " 1, 0, 0, 0, x'00')",
                  &err),
        AA_EREFUSED);
    assert_int_equal(err.code, AA_E_STORE);
}

/* $2 $1 $2: SQLite numbers such names by where they stand, we do not. */
static apr_status_t values_check(void *baton, const aa_value_t *columns, int n)
{
    assert_int_equal(n, 5);
    assert_int_equal(columns[0].i, 2);
    assert_int_equal(columns[1].i, 1);
    assert_int_equal(columns[2].i, 2);
    assert_int_equal(columns[3].type, AA_VALUE_BLOB);
    assert_int_equal(columns[3].len, 3);
    assert_memory_equal(columns[3].data, "a\0b", 3);
    assert_int_equal(columns[4].type, AA_VALUE_NULL);
    ++*(int *)baton;
    return APR_SUCCESS;
}

static void store_binds_by_number(void **state)
{
    stage_t *stage = *state;
    const char *none = NULL;
    aa_value_t args[] = {AA_INT(1), AA_INT(2), AA_BLOB("a\0b", 3),
                         AA_TEXT(none)};
    int rows = 0;
    aa_error_t err = {0};

    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(aa_store_read(stage->accounts.store,
                                       "SELECT $2, $1, $2, $3, $4", args, 4,
                                       values_check, &rows, &err, stage->pool),
                         APR_SUCCESS);
    assert_int_equal(rows, 2);
    assert_int_equal(aa_store_read(stage->accounts.store, "SELECT $1", args, 2,
                                   values_check, &rows, &err, stage->pool),
                     AA_EREFUSED); /* an argument too many */
    assert_int_equal(rows, 2);
}

static apr_status_t stop_at_two(void *baton, const aa_value_t *columns, int n)
{
    (void)columns;
    (void)n;
    return ++*(int *)baton == 2 ? APR_EOF : APR_SUCCESS;
}

static void store_row_function_stops(void **state)
{
    stage_t *stage = *state;
    int rows = 0;

    assert_int_equal(aa_store_read(stage->accounts.store,
                                   "SELECT 1 UNION SELECT 2 UNION SELECT 3",
                                   NULL, 0, stop_at_two, &rows, NULL,
                                   stage->pool),
                     APR_EOF);
    assert_int_equal(rows, 2);
}

/* --------------------------------------------------------- what cannot be done
 */

static void refused(stage_t *stage, const char *what, const char *expect,
                    apr_status_t rv, const aa_error_t *err)
{
    (void)stage;
    print_message("%s: %s\n", what, err->reason ? err->reason : "-");
    assert_int_equal(rv, AA_EREFUSED);
    assert_int_equal(err->code, AA_E_STORE);
    assert_int_equal(aa_codes[err->code].status, 503);
    assert_non_null(strstr(err->reason, expect));
}

static apr_status_t read_one(stage_t *stage, aa_error_t *err)
{
    apr_int64_t n;

    memset(err, 0, sizeof(*err));
    return aa_store_read(stage->accounts.store, "SELECT count(*) FROM users",
                         NULL, 0, level_take, &n, err, stage->pool);
}

static void store_missing(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};
    const char *aside = apr_pstrcat(stage->pool, stage->dir, "/aside", NULL);

    aa_store_keep(stage->accounts.store); /* an idle connection is there */
    assert_int_equal(read_one(stage, &err), APR_SUCCESS);
    assert_int_equal(rename(database(stage), aside), 0);
    refused(stage, "read", "missing", read_one(stage, &err), &err);
    assert_int_equal(err.retry_after, 5);
    refused(stage, "write", "missing", stage_sql(stage, INSERT_X, &err), &err);
    assert_int_equal(access(database(stage), F_OK), -1); /* not made anew */
    assert_int_equal(rename(aside, database(stage)), 0);
    assert_int_equal(read_one(stage, &err), APR_SUCCESS);
}

/* A store that is put in the place of another is used, not the old one. */
static void store_replaced(void **state)
{
    stage_t *stage = *state;
    const char *other = apr_pstrcat(stage->pool, stage->dir, "/other", NULL);
    aa_store_t *store;
    aa_error_t err = {0};

    aa_store_keep(stage->accounts.store);
    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_SUCCESS);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 1);
    assert_int_equal(
        aa_store_open(&store, apr_pstrcat(stage->pool, "sqlite:", other, NULL),
                      1, &err, stage->pool),
        APR_SUCCESS);
    unlink(apr_pstrcat(stage->pool, database(stage), "-wal", NULL));
    unlink(apr_pstrcat(stage->pool, database(stage), "-shm", NULL));
    assert_int_equal(rename(other, database(stage)), 0);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 0);
}

static void store_damaged(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};
    int fd = open(database(stage), O_WRONLY | O_TRUNC);

    assert_int_equal(write(fd, "this is no database file at all", 31), 31);
    close(fd);
    refused(stage, "read", "damaged", read_one(stage, &err), &err);
    refused(stage, "write", "damaged", stage_sql(stage, INSERT_X, &err), &err);
}

static void store_locked(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};
    apr_time_t begun;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(database(stage), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    begun = apr_time_now();
    refused(stage, "write", "locked", stage_sql(stage, INSERT_X, &err), &err);
    assert_true(apr_time_now() - begun < 10 * SECOND);    /* bounded */
    assert_true(apr_time_now() - begun > SECOND);         /* but it did wait */
    assert_int_equal(read_one(stage, &err), APR_SUCCESS); /* readers go on */
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_SUCCESS);
}

static int try_read_only(stage_t *stage)
{
    aa_error_t err = {0};

    if (geteuid() == 0)
        return 98;
    if (stage_sql(stage, INSERT_X, &err) != AA_EREFUSED ||
        err.code != AA_E_STORE)
        return 1;
    print_message("read-only: %s\n", err.reason);
    return strstr(err.reason, "read-only") ? 0 : 2;
}

static int try_write(stage_t *stage)
{
    aa_error_t err = {0};

    return stage_sql(stage, INSERT_X, &err) == APR_SUCCESS ? 0 : 1;
}

#define OTHER_UID 65534

static void give(stage_t *stage, uid_t uid)
{
    if (geteuid() == 0) {
        assert_int_equal(chown(stage->state.dir, uid, -1), 0);
        assert_int_equal(chown(database(stage), uid, -1), 0);
    }
}

static void store_read_only(void **state)
{
    stage_t *stage = *state;

    give(stage, OTHER_UID);
    assert_int_equal(chmod(database(stage), 0400), 0);
    assert_int_equal(stage_child(try_read_only, stage, OTHER_UID), 0);
    assert_int_equal(chmod(database(stage), 0600), 0);
    /* made meanwhile, with the mode that the database had */
    unlink(apr_pstrcat(stage->pool, database(stage), "-wal", NULL));
    unlink(apr_pstrcat(stage->pool, database(stage), "-shm", NULL));
    assert_int_equal(stage_child(try_write, stage, OTHER_UID), 0);
}

static int try_inaccessible(stage_t *stage)
{
    aa_error_t err = {0};

    return geteuid() == 0 ? 98
           : read_one(stage, &err) == AA_EREFUSED &&
                   strstr(err.reason, "not accessible")
               ? 0
               : 1;
}

static void store_not_ours(void **state)
{
    stage_t *stage = *state;

    if (geteuid() == 0) /* else there is nobody whose it could be */
        assert_int_equal(stage_child(try_inaccessible, stage, OTHER_UID), 0);
    assert_int_equal(stage_child(try_write, stage, 0), 0);
}

/* No more bytes can be written: EFBIG stands for a full disk. */
static int try_full(stage_t *stage)
{
    struct rlimit limit = {8192, 8192};
    aa_error_t err = {0};
    apr_int64_t n = -1;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 97;
    for (int i = 0; i < 200; i++) {
        const char *sql = apr_psprintf(stage->pool,
                                       "INSERT INTO users VALUES ('r', 'x%d',"
                                       " '[]', 1, 0)",
                                       i);
        apr_status_t rv = stage_sql(stage, sql, &err);

        if (rv == APR_SUCCESS)
            continue;
        if (rv != AA_EREFUSED || err.code != AA_E_STORE)
            return 1;
        print_message("full: %s\n", err.reason);
        /* reading goes on, and has all that was acknowledged, no more */
        if (aa_store_read(stage->accounts.store, "SELECT count(*) FROM users",
                          NULL, 0, level_take, &n, &err,
                          stage->pool) != APR_SUCCESS)
            return 3;
        return (int)n == i ? 0 : 2;
    }
    return 96;
}

static void store_full(void **state)
{
    stage_t *stage = *state;
    int status = stage_child(try_full, stage, 0);
    aa_error_t err = {0};

    /* Without room even for a connection's shared memory reads fail, too:
     * refused, not wrong. */
    if (status != 3)
        assert_int_equal(status, 0);
    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_SUCCESS);
}

/* SQLITE_FULL itself, by the database's own limit. */
static apr_status_t page_limit(void *baton, aa_tx_t *tx, apr_pool_t *p)
{
    aa_value_t args[] = {AA_BLOB(baton, 1 << 20)};
    apr_status_t rv = aa_tx_run(tx, "PRAGMA max_page_count = 1", NULL, 0, NULL,
                                NULL, NULL, p);

    if (rv == APR_SUCCESS)
        rv = aa_tx_run(tx, "INSERT INTO users VALUES ('r', 'x', $1, 1, 0)",
                       args, 1, NULL, NULL, NULL, p);
    return rv;
}

static void store_full_by_limit(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};

    refused(stage, "write", "no space left",
            aa_store_write(stage->accounts.store, AA_DURABLE, page_limit,
                           apr_pcalloc(stage->pool, 1 << 20), &err,
                           stage->pool),
            &err);
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"), 0);
    assert_int_equal(stage_sql(stage, INSERT_X, &err), APR_SUCCESS);
}

/* --------------------------------------------------------------------- open */

static void store_open_refuses(void **state)
{
    stage_t *stage = *state;
    apr_pool_t *p = stage->pool;
    const char *path = apr_pstrcat(p, stage->dir, "/n.db", NULL);
    const char *url = apr_pstrcat(p, "sqlite:", path, NULL);
    aa_error_t err = {0};
    aa_store_t *store;

    refused(stage, "missing, not to be made", "is missing",
            aa_store_open(&store, url, 0, &err, p), &err);
    assert_null(store);
    refused(stage, "no directory", "no such directory",
            aa_store_open(&store, "sqlite:/nonexistent-dir/x.db", 1, &err, p),
            &err);
    assert_int_equal(symlink(database(stage), path), 0);
    refused(stage, "a link", "not a regular file",
            aa_store_open(&store, url, 1, &err, p), &err);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    refused(stage, "empty file", "no such table",
            aa_store_open(&store, url, 0, &err, p), &err);
    assert_int_equal(chmod(path, 0640), 0);
    refused(stage, "open to a group", "chmod 600",
            aa_store_open(&store, url, 1, &err, p), &err);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(aa_store_open(&store, url, 1, &err, p), APR_SUCCESS);
    assert_int_equal(aa_store_open(&store, url, 0, &err, p), APR_SUCCESS);
}

static void schema_versions(void **state)
{
    stage_t *stage = *state;
    aa_error_t err = {0};
    aa_store_t *store;
    const char *url = stage->state.store_url;

    /* again: nothing is done twice */
    assert_int_equal(aa_store_open(&store, url, 1, &err, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(
        stage_sql(stage, "UPDATE agentauth_schema SET version = 99", &err),
        APR_SUCCESS);
    for (int create = 0; create < 2; create++)
        refused(stage, "newer", "version 99",
                aa_store_open(&store, url, create, &err, stage->pool), &err);
    assert_int_equal(
        stage_sql(stage, "UPDATE agentauth_schema SET version = 0", &err),
        APR_SUCCESS);
    refused(stage, "older", "version 0",
            aa_store_open(&store, url, 0, &err, stage->pool), &err);
}

static int open_and_make(stage_t *stage)
{
    aa_store_t *store;
    aa_error_t err = {0};
    apr_status_t rv = aa_store_open(
        &store,
        apr_pstrcat(stage->pool, "sqlite:", stage->dir, "/race.db", NULL), 1,
        &err, stage->pool);

    if (rv != APR_SUCCESS)
        print_message("race: %s\n", err.reason);
    return rv != APR_SUCCESS;
}

static void schema_made_once_by_many(void **state)
{
    enum { MANY = 6 };
    stage_t *stage = *state;
    pid_t pids[MANY];
    int status;

    for (int i = 0; i < MANY; i++) {
        pids[i] = fork();
        if (!pids[i])
            _exit(open_and_make(stage));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

/* ------------------------------------------------------------ kill and fork */

/* The writer says each number after its commit; then it is killed. All that
 * was said must be there. */
static void store_keeps_what_it_acknowledged(void **state)
{
    stage_t *stage = *state;
    int ends[2], said = -1, last = -1;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (!pid) {
        for (int i = 0;; i++) {
            const char *sql =
                apr_psprintf(stage->pool,
                             "INSERT INTO users VALUES ('r', 'u%d', '[]', 1,"
                             " 0)",
                             i);
            if (stage_sql(stage, sql, NULL) != APR_SUCCESS ||
                write(ends[1], &i, sizeof(i)) != sizeof(i))
                _exit(1);
        }
    }
    close(ends[1]);
    while (last < 40 && read(ends[0], &said, sizeof(said)) == sizeof(said))
        last = said;
    kill(pid, SIGKILL);
    while (read(ends[0], &said, sizeof(said)) == sizeof(said))
        last = said;
    close(ends[0]);
    waitpid(pid, NULL, 0);
    assert_true(last >= 40);
    assert_true(stage_number(stage, "SELECT count(*) FROM users") >= last + 1);
    assert_int_equal(stage_number(stage,
                                  "SELECT count(*) FROM pragma_quick_check"
                                  " WHERE quick_check = 'ok'"),
                     1);
    assert_int_equal(stage_sql(stage, INSERT_X, NULL), APR_SUCCESS);
}

static int connections_open(stage_t *stage)
{
    char link[64], to[512];
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        ssize_t len;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        len = readlink(link, to, sizeof(to) - 1);
        if (len > 0) {
            to[len] = '\0';
            n += !strcmp(to, database(stage));
        }
    }
    return n;
}

/* 0: it began without, and keeps one for the next call. */
static int child_keeps_its_own(stage_t *stage)
{
    aa_error_t err;

    if (connections_open(stage) != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        if (read_one(stage, &err) != APR_SUCCESS)
            return 2;
    return connections_open(stage) == 1 ? 0 : 3;
}

static void store_carries_nothing_across_a_fork(void **state)
{
    stage_t *stage = *state;
    aa_error_t err;

    assert_int_equal(read_one(stage, &err), APR_SUCCESS);
    assert_int_equal(connections_open(stage), 0);
    assert_int_equal(stage_child(child_keeps_its_own, stage, 0), 0);
    aa_store_keep(stage->accounts.store);
    assert_int_equal(read_one(stage, &err), APR_SUCCESS);
    assert_int_equal(connections_open(stage), 1);
}

/* ---------------------------------------------------------------- threads */

enum { THREADS = 4, WRITES = 25 };

typedef struct worker_t {
    stage_t *stage;
    int number, failed;
} worker_t;

static void *work(void *data)
{
    worker_t *worker = data;
    apr_pool_t *p;
    stage_t own = *worker->stage;
    aa_error_t err;

    if (apr_pool_create(&p, NULL) != APR_SUCCESS)
        return NULL;
    own.pool = p;
    for (int i = 0; i < WRITES; i++) {
        const char *sql = apr_psprintf(p,
                                       "INSERT INTO users VALUES ('r%d', 'u%d',"
                                       " '[]', 1, 0)",
                                       worker->number, i);
        worker->failed += stage_sql(&own, sql, NULL) != APR_SUCCESS;
        worker->failed += read_one(&own, &err) != APR_SUCCESS;
    }
    apr_pool_destroy(p);
    return NULL;
}

static void store_serves_threads(void **state)
{
    stage_t *stage = *state;
    pthread_t threads[THREADS];
    worker_t workers[THREADS];

    aa_store_keep(stage->accounts.store);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){stage, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
    assert_int_equal(stage_number(stage, "SELECT count(*) FROM users"),
                     THREADS * WRITES);
    assert_true(connections_open(stage) <= THREADS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(store_urls),
        WITH_STAGE(store_is_private_and_durable),
        WITH_STAGE(store_durability_follows_the_call),
        WITH_STAGE(store_rolls_back),
        WITH_STAGE(store_says_exists),
        WITH_STAGE(store_binds_by_number),
        WITH_STAGE(store_row_function_stops),
        WITH_STAGE(store_missing),
        WITH_STAGE(store_replaced),
        WITH_STAGE(store_damaged),
        WITH_STAGE(store_locked),
        WITH_STAGE(store_read_only),
        WITH_STAGE(store_not_ours),
        WITH_STAGE(store_full),
        WITH_STAGE(store_full_by_limit),
        WITH_STAGE(store_open_refuses),
        WITH_STAGE(schema_versions),
        WITH_STAGE(schema_made_once_by_many),
        WITH_STAGE(store_keeps_what_it_acknowledged),
        WITH_STAGE(store_carries_nothing_across_a_fork),
        WITH_STAGE(store_serves_threads),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
