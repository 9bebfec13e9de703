/* SPDX-License-Identifier: Apache-2.0 */
/* The command agentauth, run as people and scripts run it. */
#include <stdlib.h>

#include "apr_strings.h"
#include "authn/cache.h"
#include "base/effective.h"
#include "program.h"

#define OTHER_UID 65534

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* httpd was started with these realms. */
static void started(stage_t *stage, const char *realm, const char *other)
{
    const char *const prefixes[] = {PREFIX, NULL};
    const char *const others[] = {"k2-", NULL};
    const aa_effective_realm_t realms[] = {{realm, prefixes}, {other, others}};
    const aa_effective_t effective = {stage->state.store_url, geteuid(),
                                      getegid(), realms, other ? 2 : 1};
    aa_error_t err;

    assert_int_equal(aa_effective_write(stage->state.effective, &effective,
                                        &err, stage->pool),
                     APR_SUCCESS);
}

/* --------------------------------------------------------------------- words
 */

static const struct {
    const char *name;
    const char *words[6];
    int status;
    const char *says; /* on stderr, or on stdout with status 0 */
} word_rows[] = {
    {"nothing", {NULL}, 2, "no command given"},
    {"unknown noun", {"usr", "list"}, 2, "did you mean 'user'?"},
    {"far from all", {"frobnicate"}, 2, "see agentauth --help"},
    {"noun alone", {"user"}, 2, "needs a further word"},
    {"unknown verb", {"user", "crate"}, 2, "did you mean 'create'?"},
    {"word missing", {"user", "create"}, 2, "NAME is missing"},
    {"word too many", {"user", "create", "a", "b"}, 2, "one word too many"},
    {"word where none goes", {"user", "list", "a"}, 2, "one word too many"},
    {"unknown option",
     {"user", "create", "a", "--permision", "p"},
     2,
     "did you mean '--permission'?"},
    {"option of another command",
     {"user", "list", "--overlap", "1h"},
     2,
     "no option '--overlap'"},
    {"value missing", {"key", "create", "--user"}, 2, "--user needs NAME"},
    {"value to a flag", {"user", "list", "--json=1"}, 2, "takes no value"},
    {"twice",
     {"key", "create", "--user=a", "--user=b"},
     2,
     "--user is given twice"},
    {"no user", {"key", "create"}, 2, "--user NAME is missing"},
    {"bad duration",
     {"key", "create", "--user=a", "--expires", "90"},
     2,
     "no duration"},
    {"both permission options",
     {"key", "create", "--user=a", "--permission=p", "--no-permissions"},
     2,
     "exclude each other"},
    {"help", {"--help"}, 0, "Commands:"},
    {"help of a noun", {"key", "--help"}, 0, "key rotate ID"},
    {"help of a command", {"key", "create", "--help"}, 0, "--expires 90d"},
    {"-h", {"-h"}, 0, "Commands:"},
    {"version", {"--version"}, 0, "agentauth "},
    {"explain", {"explain", "aga0111"}, 0, "Meaning: "},
    {"explain, unknown", {"explain", "AGA0000"}, 1, "codes look like"},
    {"explain, nothing", {"explain"}, 2, "CODE is missing"},
};

static void cli_words(void **state)
{
    stage_t *stage = *state;

    for (size_t i = 0; i < sizeof(word_rows) / sizeof(*word_rows); i++) {
        const char *words[8] = {"agentauth"};
        ran_t ran;

        memcpy(words + 1, word_rows[i].words, sizeof(word_rows[i].words));
        ran = program_run_as(stage, 0, words);
        print_message("%s: %s", word_rows[i].name, ran.err);
        assert_int_equal(ran.status, word_rows[i].status);
        assert_non_null(
            strstr(ran.status ? ran.err : ran.out, word_rows[i].says));
        if (ran.status)
            assert_string_equal(ran.out, "");
    }
}

static void cli_explains_all(void **state)
{
    stage_t *stage = *state;

    for (int code = 1; code < AA_E_COUNT; code++) {
        json_t *said = program_json(
            stage, RUN(stage, "explain", aa_codes[code].number, "--json"));

        assert_string_equal(member(said, "code"), aa_codes[code].number);
        assert_string_equal(member(said, "fix"), aa_codes[code].fix);
    }
}

/* ------------------------------------------------------------ users and keys
 */

static aa_code_e verdict(stage_t *stage, const char *text)
{
    aa_principal_t *principal = NULL;
    aa_error_t err = {0};

    if (aa_key_verify(&principal, &stage->accounts, REALM, text, stage_prefixes,
                      apr_time_now(), &err, stage->pool) == APR_SUCCESS)
        aa_principal_unref(principal);
    return err.code;
}

static const char *line_of(stage_t *stage, ran_t ran)
{
    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.err, "");
    assert_non_null(strchr(ran.out, '\n'));
    return apr_pstrmemdup(stage->pool, ran.out, strcspn(ran.out, "\n"));
}

static void cli_users(void **state)
{
    stage_t *stage = *state;
    json_t *list;
    ran_t ran;

    started(stage, REALM, NULL);
    assert_int_equal(RUN(stage, "user", "create", "alice", "--permission", "a",
                         "--permission=b")
                         .status,
                     0);
    ran = RUN(stage, "user", "create", "alice");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "already"));
    assert_string_equal(member(program_json(stage, RUN(stage, "--json", "user",
                                                       "create", "bob")),
                               "name"),
                        "bob");
    assert_int_equal(RUN(stage, "user", "create", "--", "--odd").status, 0);
    list = program_json(stage, RUN(stage, "user", "list", "--json"));
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(member(json_array_get(list, 1), "name"), "alice");
    assert_int_equal(json_array_size(json_object_get(json_array_get(list, 1),
                                                     "permissions")),
                     2);
    assert_int_equal(RUN(stage, "user", "disable", "alice").status, 0);
    ran = RUN(stage, "user", "list");
    assert_non_null(strstr(ran.out, "disabled"));
    assert_int_equal(RUN(stage, "user", "enable", "alice").status, 0);
    assert_null(strstr(RUN(stage, "user", "list").out, "disabled"));
    assert_int_equal(RUN(stage, "user", "delete", "bob").status, 0);
    ran = RUN(stage, "user", "delete", "bob");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "no user 'bob'"));
    assert_int_equal(RUN(stage, "user", "create", "a\nb").status, 1);
}

static void cli_keys(void **state)
{
    stage_t *stage = *state;
    const char *text, *next;
    json_t *key, *list;
    ran_t ran;

    started(stage, REALM, NULL);
    stage_user(stage, "alice", NULL);
    text = line_of(stage, RUN(stage, "key", "create", "--user", "alice"));
    assert_int_equal(strlen(text), strlen(PREFIX) + 48); /* the key alone */
    assert_int_equal(verdict(stage, text), AA_E_NONE);
    key = program_json(stage,
                       RUN(stage, "key", "create", "--user=alice", "--name=ci",
                           "--permission=a", "--expires=90d", "--json"));
    assert_int_equal(verdict(stage, member(key, "key")), AA_E_NONE);
    assert_string_equal(member(key, "user"), "alice");
    assert_int_equal(strlen(member(key, "id")), 10);
    assert_int_equal(strlen(member(key, "expires")), 20);
    assert_int_equal(json_array_size(json_object_get(key, "permissions")), 1);
    assert_int_equal(json_object_size(key), 5);
    list = program_json(stage, RUN(stage, "key", "list", "--json"));
    assert_int_equal(json_array_size(list), 2);
    assert_null(strstr(RUN(stage, "key", "list").out, text)); /* never again */
    ran = RUN(stage, "key", "create", "--user", "nobody");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "no user 'nobody'"));
    print_message("rotate\n");
    next = line_of(stage, RUN(stage, "key", "rotate", member(key, "id"),
                              "--overlap", "24h"));
    assert_int_equal(verdict(stage, next), AA_E_NONE);
    assert_int_equal(verdict(stage, member(key, "key")), AA_E_NONE);
    assert_int_equal(RUN(stage, "key", "rotate", member(key, "id")).status, 0);
    assert_int_equal(verdict(stage, member(key, "key")), AA_E_KEY_UNKNOWN);
    assert_int_equal(RUN(stage, "key", "rotate", "AAAAAAAAAA").status, 1);
    print_message("revoke, by the whole key\n");
    ran = RUN(stage, "key", "revoke", text);
    assert_int_equal(ran.status, 0);
    assert_null(strstr(ran.out, text)); /* the secret is not repeated */
    assert_int_equal(verdict(stage, text), AA_E_KEY_UNKNOWN);
    assert_int_equal(RUN(stage, "key", "revoke", "AAAAAAAAAA").status, 1);
}

/* This process plays a child of httpd that has the key in its cache. */
static void cli_revocation_is_seen_before_it_returns(void **state)
{
    stage_t *stage = *state;
    unsigned char digest[AA_SHA256_LEN] = {1};
    aa_principal_t *principal;
    aa_authn_cache_t *cache;
    aa_key_t key = {0};
    aa_error_t err;
    const char *text;

    started(stage, REALM, NULL);
    stage_user(stage, "alice", NULL);
    text = stage_key(stage, &key, "alice");
    assert_int_equal(aa_authn_cache_create(&cache, stage->accounts.epoch, 16,
                                           1 << 20, stage->pool),
                     APR_SUCCESS);
    assert_int_equal(aa_key_verify(&principal, &stage->accounts, REALM, text,
                                   stage_prefixes, T0, &err, stage->pool),
                     APR_SUCCESS);
    aa_authn_cache_put(cache, digest, principal, T0);
    aa_principal_unref(principal);
    assert_int_equal(RUN(stage, "user", "list").status, 0);
    principal = aa_authn_cache_get(cache, digest, T0);
    assert_non_null(principal);
    aa_principal_unref(principal);
    assert_int_equal(RUN(stage, "key", "revoke", key.id).status, 0);
    assert_null(aa_authn_cache_get(cache, digest, T0));
    assert_int_equal(verdict(stage, text), AA_E_KEY_UNKNOWN);
}

/* ---------------------------------------------------------- state and realms
 */

static void cli_before_the_first_start(void **state)
{
    stage_t *stage = *state;
    const char *fresh = apr_pstrcat(stage->pool, stage->dir, "/new/s", NULL);
    ran_t ran;

    print_message("without a realm nothing is made\n");
    ran = RUN(stage, "--state", fresh, "user", "create", "alice");
    assert_int_equal(ran.status, 2);
    assert_non_null(strstr(ran.err, "--realm"));
    assert_int_equal(access(fresh, F_OK), -1);
    print_message("nor by looking\n");
    ran = RUN(stage, "--state", fresh, "--realm", "r", "user", "list");
    assert_int_equal(ran.status, 1);
    assert_int_equal(access(fresh, F_OK), -1);
    print_message("the first user makes it\n");
    assert_int_equal(
        RUN(stage, "--state", fresh, "--realm", "r", "user", "create", "alice")
            .status,
        0);
    ran = RUN(stage, "--state", fresh, "--realm", "r", "key", "create",
              "--user", "alice");
    assert_int_equal(ran.status, 0);
    assert_memory_equal(ran.out, PREFIX, strlen(PREFIX));
}

static void cli_realms(void **state)
{
    stage_t *stage = *state;
    ran_t ran;

    started(stage, REALM, "other.example");
    ran = RUN(stage, "user", "create", "alice");
    assert_int_equal(ran.status, 2);
    assert_non_null(strstr(ran.err, REALM ",other.example"));
    ran = RUN(stage, "--realm", "othr.example", "user", "create", "alice");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "did you mean 'other.example'?"));
    assert_int_equal(
        RUN(stage, "--realm", "other.example", "user", "create", "alice")
            .status,
        0);
    print_message("a key has its realm's prefix\n");
    ran = RUN(stage, "--realm", "other.example", "key", "create", "--user",
              "alice");
    assert_int_equal(ran.status, 0);
    assert_memory_equal(ran.out, "k2-", 3);
    print_message("users of another realm are not there\n");
    assert_int_equal(
        RUN(stage, "--realm", REALM, "user", "delete", "alice").status, 1);
}

/* httpd has been started: what is missing now is a fault. */
static void cli_makes_nothing_after_the_start(void **state)
{
    stage_t *stage = *state;
    const char *const files[] = {stage->state.epoch, stage->state.pepper,
                                 strchr(stage->state.store_url, ':') + 1};
    const char *aside = apr_pstrcat(stage->pool, stage->dir, "/aside", NULL);

    started(stage, REALM, NULL);
    for (int i = 0; i < 3; i++) {
        ran_t ran;

        assert_int_equal(rename(files[i], aside), 0);
        ran = RUN(stage, "user", "create", "alice");
        print_message("%s", ran.err);
        assert_int_equal(ran.status, 1);
        assert_non_null(strstr(ran.err, "agentauth explain AGA05"));
        assert_int_equal(access(files[i], F_OK), -1);
        assert_int_equal(rename(aside, files[i]), 0);
    }
    assert_int_equal(RUN(stage, "user", "create", "alice").status, 0);
}

static void cli_is_the_owner(void **state)
{
    stage_t *stage = *state;
    aa_error_t err;
    struct stat st;
    ran_t ran;

    started(stage, REALM, NULL);
    if (geteuid() == 0) {
        assert_int_equal(aa_state_create(&stage->state, OTHER_UID, OTHER_UID,
                                         &err, stage->pool),
                         APR_SUCCESS);
        print_message("somebody else\n");
        ran = RUN_AS(stage, OTHER_UID - 1, "user", "create", "alice");
        assert_int_equal(ran.status, 1);
        assert_non_null(strstr(ran.err, "or as root"));
        print_message("the owner\n");
        assert_int_equal(
            RUN_AS(stage, OTHER_UID, "user", "create", "alice").status, 0);
    }
    print_message("root, or who we are\n");
    assert_int_equal(RUN(stage, "user", "create", "bob").status, 0);
    unlink(stage->state.effective);
    unlink(stage->state.epoch);
    assert_int_equal(
        RUN(stage, "--realm", REALM, "user", "create", "carol").status, 0);
    assert_int_equal(stat(stage->state.epoch, &st), 0);
    assert_int_equal(st.st_uid, geteuid() == 0 ? OTHER_UID : geteuid());
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(stage->state.dir, 0755), 0);
    ran = RUN(stage, "--realm", REALM, "user", "list");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "chmod 700"));
}

/* ------------------------------------------------------------------ policies
 */

#define OWNER_POLICY                                                           \
    "local auth = require 'agentauth'\n"                                       \
    "auth.on(function(ctx, value) return false end)\n"                         \
    "auth.on.threads(function(ctx, value)\n"                                   \
    "  return { owner = ctx.user.identity }\n"                                 \
    "end)\n"

static void cli_policy_check(void **state)
{
    stage_t *stage = *state;
    const char *good = program_file(stage, "good.lua", OWNER_POLICY);
    const char *broken =
        program_file(stage, "broken.lua", OWNER_POLICY "return = 1\n");
    const char *misspelt =
        program_file(stage, "misspelt.lua",
                     "local auth = require 'agentauth'\n"
                     "auth.on.thread.create(function() return true end)\n");
    ran_t ran;

    assert_int_equal(RUN(stage, "policy", "check", good).status, 0);
    ran = RUN(stage, "policy", "check", broken);
    print_message("%s", ran.err);
    assert_int_equal(ran.status, 3);
    assert_non_null(strstr(ran.err, "broken.lua:6"));
    ran = RUN(stage, "policy", "check", misspelt);
    print_message("%s", ran.err);
    assert_int_equal(ran.status, 3);
    assert_non_null(strstr(ran.err, "misspelt.lua:2"));
    assert_non_null(strstr(ran.err, "threads"));
    assert_int_equal(RUN(stage, "policy", "check", "/nonexistent.lua").status,
                     3);
    assert_int_equal(
        RUN(stage, "policy", "check", good, "--routes", "langraph").status, 3);
    assert_int_equal(RUN(stage, "policy", "check", good, "--routes",
                         "langgraph", "--routes", "prefix=/agent")
                         .status,
                     0);
}

static const struct {
    const char *name, *user, *request;
    int status; /* with --exit-code */
    const char *effect;
} decide_rows[] = {
    {"filter", "{\"identity\":\"alice\"}", "POST /threads/search", 0, "filter"},
    {"deny", "{\"identity\":\"alice\"}", "POST /assistants/search", 5, "deny"},
    {"no row", "{\"identity\":\"alice\"}", "GET /nowhere", 5, "deny"},
    {"anonymous", "{\"identity\":\"alice\",\"is_authenticated\":false}",
     "POST /threads/search", 5, "deny"},
};

static void cli_policy_decide(void **state)
{
    stage_t *stage = *state;
    const char *policy = program_file(stage, "good.lua", OWNER_POLICY);
    json_t *said;

    for (size_t i = 0; i < sizeof(decide_rows) / sizeof(*decide_rows); i++) {
        ran_t ran = RUN(stage, "policy", "decide", policy, "--user",
                        decide_rows[i].user, "--request",
                        decide_rows[i].request, "--body", "{}", "--exit-code");

        print_message("%s: %s%s", decide_rows[i].name, ran.out, ran.err);
        assert_int_equal(ran.status, decide_rows[i].status);
        ran.status = 0;
        assert_string_equal(member(program_json(stage, ran), "effect"),
                            decide_rows[i].effect);
    }
    said = program_json(stage, RUN(stage, "policy", "decide", policy, "--user",
                                   "{\"identity\":\"alice\"}", "--request",
                                   "POST /threads/search", "--body", "{}"));
    assert_string_equal(member(json_object_get(said, "filter"), "owner"),
                        "alice");
    print_message("without --exit-code deny is an answer like any\n");
    assert_int_equal(RUN(stage, "policy", "decide", policy, "--user",
                         "{\"identity\":\"alice\"}", "--request",
                         "POST /assistants/search", "--body", "{}")
                         .status,
                     0);
    assert_int_equal(RUN(stage, "policy", "decide", policy, "--user", "alice",
                         "--request", "GET /threads")
                         .status,
                     2);
    assert_int_equal(RUN(stage, "policy", "decide", policy, "--user",
                         "{\"identity\":\"alice\"}", "--request", "threads")
                         .status,
                     2);
}

static void cli_policy_routes(void **state)
{
    stage_t *stage = *state;
    json_t *rows =
        program_json(stage, RUN(stage, "policy", "routes", "--json"));
    ran_t ran = RUN(stage, "policy", "routes");

    assert_true(json_array_size(rows) > 40);
    assert_non_null(strstr(ran.out, "policy  POST /threads/search\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(cli_words),
        WITH_STAGE(cli_explains_all),
        WITH_STAGE(cli_users),
        WITH_STAGE(cli_keys),
        WITH_STAGE(cli_revocation_is_seen_before_it_returns),
        WITH_STAGE(cli_before_the_first_start),
        WITH_STAGE(cli_realms),
        WITH_STAGE(cli_makes_nothing_after_the_start),
        WITH_STAGE(cli_is_the_owner),
        WITH_STAGE(cli_policy_check),
        WITH_STAGE(cli_policy_decide),
        WITH_STAGE(cli_policy_routes),
    };

    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
