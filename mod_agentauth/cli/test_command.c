/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth policy test: runs the cases of test files. */
#include <stdio.h>
#include <string.h>

#include "apr_strings.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/policy_command.h"

#define SUFFIX ".lua"
#define TEST_SUFFIX "_test.lua"

/* clang-format off */
const aa_option_t aa_policy_test_options[] = {
    {"--routes", "WORD", 1, "as in AgentAuthRoutes: NAME, +FILE, prefix=/PATH (langgraph)"},
    {"--policy", "FILE", 0, "test this one, whatever the test files say"},
    {"--unmatched", "allow", 0, "as in AgentAuthUnmatched: allow or deny (deny)"},
    {NULL, NULL, 0, NULL}
};
/* clang-format on */

/** All files of one command. */
typedef struct run_t {
    aa_cli_t *cli;
    const aa_routes_t *routes;
    int allow_unmatched;
    int passed, failed, unloaded;
    json_t *results; /* with --json */
} run_t;

/** One of them. */
typedef struct suite_t {
    const char *file;   /* NAME_test.lua, as it was given */
    const char *policy; /* NULL: what the file says, else fallback */
    const char *fallback;
    aa_tests_t tests;
    aa_policy_t *loaded;
} suite_t;

/* -------------------------------------------------------------------- files */

/* @a word without @a suffix; NULL when it ends otherwise. */
static const char *stem(const char *word, const char *suffix, apr_pool_t *p)
{
    apr_size_t len = strlen(word), n = strlen(suffix);

    return len > n && !strcmp(word + len - n, suffix)
               ? apr_pstrmemdup(p, word, len - n)
               : NULL;
}

/* A test file says which policy it is for; of a policy, the test file is the
 * one beside it. */
static int suite_of(suite_t *suite, const char *word, const aa_cli_t *cli)
{
    const char *test = stem(word, TEST_SUFFIX, cli->pool);
    const char *policy = stem(word, SUFFIX, cli->pool);

    if (!policy)
        return aa_cli_usage(cli, "'%s' is neither NAME_test.lua nor NAME.lua",
                            word);
    suite->policy = test ? NULL : word;
    suite->file =
        test ? word : apr_pstrcat(cli->pool, policy, TEST_SUFFIX, NULL);
    suite->fallback =
        apr_pstrcat(cli->pool, test ? test : policy, SUFFIX, NULL);
    if (aa_cli_option(cli, "--policy"))
        suite->policy = aa_cli_option(cli, "--policy");
    return AA_EXIT_FINE;
}

/* What a test file names is found from where the file is. */
static const char *beside(const char *file, const char *name, apr_pool_t *p)
{
    const char *slash = strrchr(file, '/');

    if (!slash || *name == '/')
        return name;
    return apr_pstrcat(
        p, apr_pstrmemdup(p, file, (apr_size_t)(slash + 1 - file)), name, NULL);
}

static int load(suite_t *suite, const run_t *run)
{
    apr_pool_t *p = run->cli->pool;
    const char *why = NULL;

    if (aa_tests_read(&suite->tests, &why, suite->file, p) != APR_SUCCESS) {
        aa_cli_fail(run->cli, "%s", why ? why : "the tests do not load");
        return AA_EXIT_POLICY;
    }
    if (!suite->policy)
        suite->policy = suite->tests.policy
                            ? beside(suite->file, suite->tests.policy, p)
                            : suite->fallback;
    return aa_cli_policy_open(&suite->loaded, run->routes, suite->policy,
                              run->cli);
}

/* -------------------------------------------------------------------- cases */

static apr_table_t *headers_of(const aa_case_t *c, apr_pool_t *p)
{
    apr_table_t *table = apr_table_make(p, 8);
    const char *name;
    json_t *value;

    json_object_foreach(c->headers, name, value)
        apr_table_set(table, name, json_string_value(value));
    return table;
}

/* NULL: asked; else what is wrong with the user. */
static const char *ask(aa_answer_t *answer, const suite_t *suite,
                       const run_t *run, const aa_case_t *c, apr_pool_t *p)
{
    const char *why = NULL;
    aa_question_t question = {
        .method = c->method,
        .path = c->path,
        .query = c->query,
        .body = c->body,
        .authenticate = c->headers || !c->user,
        .headers = headers_of(c, p),
        .now = c->now ? c->now : apr_time_now(),
        .allow_unmatched = run->allow_unmatched,
    };

    if (c->user)
        why = aa_cli_user(&question.user, c->user, p);
    if (!why)
        aa_cli_ask(answer, run->routes, suite->loaded, &question, p);
    return why;
}

static void say(run_t *run, const suite_t *suite, const aa_case_t *c,
                const aa_difference_t *difference)
{
    json_t *result;

    if (run->results) {
        result = json_pack("{s:s, s:i, s:s, s:b}", "file", suite->file, "line",
                           c->line, "name", c->name, "passed", !difference);
        if (difference) {
            aa_cli_text_add(result, "expected", difference->expected);
            aa_cli_text_add(result, "got", difference->got);
            aa_cli_text_add(result, "reason", difference->reason);
        }
        json_array_append_new(run->results, result);
    }
    else if (difference) {
        printf("%s:%d: %s\n    expected %s\n    got      %s\n", suite->file,
               c->line, c->name, difference->expected, difference->got);
        if (difference->reason)
            printf("    because  %s\n", difference->reason);
    }
}

static void run_case(run_t *run, const suite_t *suite, const aa_case_t *c,
                     apr_pool_t *p)
{
    aa_difference_t difference = {"a user", NULL, NULL};
    aa_answer_t answer;

    difference.got = ask(&answer, suite, run, c, p);
    if (difference.got || aa_cli_differs(&difference, &c->expect, &answer, p)) {
        run->failed++;
        say(run, suite, c, &difference);
    }
    else {
        run->passed++;
        say(run, suite, c, NULL);
    }
}

/* A file that does not load hides no result of the others. */
static int run_suite(run_t *run, suite_t *suite)
{
    int status = load(suite, run);
    apr_pool_t *p;

    if (status == AA_EXIT_POLICY) {
        run->unloaded++;
        return AA_EXIT_FINE;
    }
    for (int i = 0; status == AA_EXIT_FINE && i < suite->tests.ncases; i++) {
        if (apr_pool_create(&p, run->cli->pool) != APR_SUCCESS)
            return aa_cli_fail(run->cli, "out of memory");
        run_case(run, suite, &suite->tests.cases[i], p);
        apr_pool_destroy(p);
    }
    return status;
}

/* ------------------------------------------------------------------ command */

static int conclude(run_t *run)
{
    int status = run->unloaded ? AA_EXIT_POLICY
                 : run->failed ? AA_EXIT_TESTS
                               : AA_EXIT_FINE;

    if (run->results)
        return aa_cli_json(run->cli,
                           json_pack("{s:i, s:i, s:i, s:O}", "passed",
                                     run->passed, "failed", run->failed,
                                     "unloaded", run->unloaded, "tests",
                                     run->results)) == AA_EXIT_FINE
                   ? status
                   : AA_EXIT_FAILURE;
    printf("%d passed, %d failed", run->passed, run->failed);
    if (run->unloaded)
        printf(", %d not loaded", run->unloaded);
    printf("\n");
    return status;
}

/* The words are looked at before anything is run. */
static int suites_of(suite_t *suites, const aa_cli_t *cli)
{
    int status = AA_EXIT_FINE;

    for (int i = 0; status == AA_EXIT_FINE && i < cli->words->nelts; i++)
        status = suite_of(&suites[i],
                          APR_ARRAY_IDX(cli->words, i, const char *), cli);
    return status;
}

/* 1: the same tests were run already; *.lua names policies and tests. */
static int is_repeated(const suite_t *suites, int i)
{
    for (int j = 0; j < i; j++)
        if (!strcmp(suites[j].file, suites[i].file))
            return 1;
    return 0;
}

int aa_cli_policy_test(aa_cli_t *cli)
{
    suite_t *suites =
        apr_pcalloc(cli->pool, (apr_size_t)cli->words->nelts * sizeof(*suites));
    run_t run = {.cli = cli};
    int status = suites_of(suites, cli);

    if (status == AA_EXIT_FINE)
        status = aa_cli_unmatched(&run.allow_unmatched, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_routes_open(&run.routes, cli);
    if (cli->json)
        run.results = aa_json_own(json_array(), cli->pool);
    for (int i = 0; status == AA_EXIT_FINE && i < cli->words->nelts; i++)
        if (!is_repeated(suites, i))
            status = run_suite(&run, &suites[i]);
    return status == AA_EXIT_FINE ? conclude(&run) : status;
}
