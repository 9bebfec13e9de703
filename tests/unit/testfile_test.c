/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth policy test: what test files may say, and what comes of it. */
#include "apr_strings.h"
#include "program.h"

static const char policy[] =
    "local auth = require 'agentauth'\n"
    "auth.authenticate(function(req)\n"
    "  local who = req.headers['x-who']\n"
    "  if not who then return nil end\n"
    "  if who == 'bad' then\n"
    "    error(auth.HTTPException { detail = 'not you' })\n"
    "  end\n"
    "  if who == 'again' then return req.claims.identity .. '2' end\n"
    "  if who == 'oops' then return nope() end\n"
    "  return { identity = who, team = 'red' }\n"
    "end)\n"
    "auth.on(function(ctx, value) return false end)\n"
    "auth.on.threads(function(ctx, value)\n"
    "  return { owner = ctx.user.identity }\n"
    "end)\n"
    "auth.on.threads.create(function(ctx, value)\n"
    "  value.metadata = value.metadata or {}\n"
    "  value.metadata.owner = ctx.user.identity\n"
    "  return { owner = ctx.user.identity }\n"
    "end)\n"
    "auth.on.threads.delete(function(ctx, value)\n"
    "  error(auth.HTTPException { status_code = 402, detail = 'pay',\n"
    "    headers = { ['Retry-After'] = '60' } })\n"
    "end)\n"
    "auth.on.assistants.read(function() return true end)\n"
    "auth.on.assistants.search(function() return nope() end)\n"
    "auth.on.crons.search(function(ctx) return ctx.now == 1000 end)\n"
    "auth.on.store(function(ctx, value)\n"
    "  assert(value.namespace[1] == ctx.user.identity, 'not yours')\n"
    "end)\n";

#define HEAD "local test = require 'agentauth.test'\n"
#define CASE(text) HEAD "test 'one' {\n" text "\n}\n"

/* -------------------------------------------------------------------- cases
 */

/* One case each; what is expected twice, once wrongly, shows that both the
 * request and the comparison are real. */
static const struct {
    const char *name, *text;
    const char *got; /* NULL: passes; else in the lines of the failure */
} case_rows[] = {
    {"allow", "user = 'a', 'GET', '/assistants/7', expect = 'allow'", NULL},
    {"allow, not deny", "user = 'a', 'GET', '/assistants/7', expect = 'deny'",
     "    expected deny 403\n    got      allow\n"},
    {"deny", "user = 'a', 'POST', '/assistants', expect = 'deny', body = {}",
     NULL},
    {"deny, not allow",
     "user = 'a', 'POST', '/assistants', expect = 'allow', body = {}",
     "    expected allow\n    got      deny 403\n    because  "},
    {"filter",
     "user = 'a', 'GET', '/threads/4', expect = { filter = { owner = 'a' } }",
     NULL},
    {"filter as $eq",
     "user = 'a', 'GET', '/threads/4', "
     "expect = { filter = { owner = { ['$eq'] = 'a' } } }",
     NULL},
    {"another filter",
     "user = 'a', 'GET', '/threads/4', expect = { filter = { owner = 'b' } }",
     "    expected filter {\"owner\":\"b\"}\n"
     "    got      filter {\"owner\":\"a\"}\n"},
    {"allow is no filter", "user = 'a', 'GET', '/threads/4', expect = 'allow'",
     "got      filter {\"owner\":\"a\"}"},
    {"a filter is no allow",
     "user = 'a', 'GET', '/assistants/7', expect = { filter = { a = 1 } }",
     "got      allow"},
    {"status and detail",
     "user = 'a', 'DELETE', '/threads/4', "
     "expect = { status = 402, detail = 'pay' }",
     NULL},
    {"another status",
     "user = 'a', 'DELETE', '/threads/4', expect = { status = 404 }",
     "    expected deny 404\n    got      deny 402 \"pay\"\n    because  "},
    {"deny is 403", "user = 'a', 'DELETE', '/threads/4', expect = 'deny'",
     "got      deny 402"},
    {"another detail",
     "user = 'a', 'DELETE', '/threads/4', "
     "expect = { status = 402, detail = 'free' }",
     "    expected deny 402 \"free\"\n    got      deny 402 \"pay\"\n"},
    {"detail alone is 403",
     "user = 'a', 'DELETE', '/store/items', body = { namespace = { 'b' }, "
     "key = 'k' }, expect = { detail = 'not yours' }",
     NULL},
    {"headers",
     "user = 'a', 'DELETE', '/threads/4', "
     "expect = { status = 402, headers = { ['Retry-After'] = '60' } }",
     NULL},
    {"another header",
     "user = 'a', 'DELETE', '/threads/4', "
     "expect = { status = 402, headers = { ['Retry-After'] = '6' } }",
     "headers {\"Retry-After\":\"60\"}"},
    {"a mistake in the policy is no deny",
     "user = 'a', 'POST', '/assistants/search', body = {}, expect = 'deny'",
     "got      deny 500\n    because  "},
    {"a path that is not there is no deny",
     "user = 'a', 'GET', '/thread/4', expect = 'deny'",
     "got      deny 404, no route\n"},
    {"no row", "user = 'a', 'GET', '/thread/4', expect = { status = 404 }",
     NULL},
    {"a refused row",
     "user = 'a', 'POST', '/internal/truncate', expect = 'allow'",
     "got      deny 403, refuse\n"},
    {"a row for any user",
     "user = 'a', 'GET', '/info', "
     "expect = 'allow'",
     NULL},
    {"set",
     "user = 'a', 'POST', '/threads', body = { metadata = { x = 1 } }, "
     "expect = { filter = { owner = 'a' }, "
     "set = { metadata = { owner = 'a' } } }",
     NULL},
    {"another set",
     "user = 'a', 'POST', '/threads', body = {}, "
     "expect = { filter = { owner = 'a' }, set = {} }",
     "    expected set {}\n    got      set "
     "{\"metadata\":{\"owner\":\"a\"}}\n"},
    {"body",
     "user = 'a', 'POST', '/threads', body = { metadata = { x = 1 } }, "
     "expect = { filter = { owner = 'a' }, "
     "body = { metadata = { x = 1, owner = 'a' } } }",
     NULL},
    {"another body",
     "user = 'a', 'POST', '/threads', body = { metadata = { x = 1 } }, "
     "expect = { filter = { owner = 'a' }, "
     "body = { metadata = { x = 1 } } }",
     "got      body {\"metadata\":{\"x\":1,\"owner\":\"a\"}}"},
    {"a body that stays",
     "user = 'a', 'POST', '/threads/search', body = { limit = 3 }, "
     "expect = { filter = { owner = 'a' }, body = { limit = 3 } }",
     NULL},
    {"a body that is dropped",
     "user = 'a', 'GET', '/threads/4', body = { limit = 3 }, "
     "expect = { filter = { owner = 'a' }, body = { limit = 3 } }",
     "got      body none"},
    {"a body as it is sent",
     "user = 'a', 'POST', '/threads/search', body = '{', "
     "expect = { status = 400 }",
     NULL},
    {"an empty list",
     "user = 'a', 'PUT', '/store/items', body = { key = 'k', value = {}, "
     "namespace = test.array {} }, expect = 'deny'",
     NULL},
    {"null",
     "user = 'a', 'POST', '/threads/search', body = { limit = test.null }, "
     "expect = { filter = { owner = 'a' }, body = { limit = test.null } }",
     NULL},
    {"query",
     "user = 'a', 'GET', '/store/items?namespace=a.n&key=k', "
     "expect = 'allow'",
     NULL},
    {"another query",
     "user = 'a', 'GET', '/store/items?namespace=b.n&key=k', "
     "expect = 'allow'",
     "got      deny 403 \"not yours\""},
    {"now",
     "user = 'a', 'POST', '/runs/crons/search', body = {}, "
     "now = 1000, expect = { filter = { owner = 'a' } }",
     NULL},
    {"another time",
     "user = 'a', 'POST', '/runs/crons/search', body = {}, "
     "now = 1001, expect = { filter = { owner = 'a' } }",
     "got      deny 403"},
    {"a user who is not authenticated",
     "user = { identity = 'a', is_authenticated = false }, 'GET', "
     "'/threads/4', expect = { status = 401 }",
     NULL},
    {"the guest",
     "user = 'guest', 'GET', '/threads/4', "
     "expect = { filter = { owner = 'guest' } }",
     NULL},
    {"a user who cannot be", "user = 'a\\0b', 'GET', '/', expect = 'deny'",
     "does not load"},
    {"a permission that is none",
     "user = { identity = 'a', permissions = { 1 } }, 'GET', '/threads/4', "
     "expect = 'deny'",
     "expected a user\n    got      identity and permissions"},
    {"authenticate: a user",
     "headers = { ['X-Who'] = 'n' }, 'GET', '/threads/4', "
     "expect = { user = { identity = 'n', team = 'red' }, "
     "filter = { owner = 'n' } }",
     NULL},
    {"authenticate: the user alone",
     "headers = { ['X-Who'] = 'n' }, 'GET', '/threads/4', "
     "expect = { user = 'n' }",
     NULL},
    {"authenticate: another user",
     "headers = { ['X-Who'] = 'n' }, 'GET', '/threads/4', "
     "expect = { user = { team = 'blue' } }",
     "    expected user {\"team\":\"blue\"}\n    got      user {"},
    {"authenticate: nobody",
     "headers = {}, 'GET', '/threads/4', expect = { user = false }", NULL},
    {"authenticate: nobody is 401",
     "'GET', '/threads/4', expect = { status = 401 }", NULL},
    {"authenticate: somebody is not nobody",
     "headers = { ['X-Who'] = 'n' }, 'GET', '/threads/4', "
     "expect = { user = false }",
     "expected nobody"},
    {"authenticate: nobody is not allowed",
     "'GET', '/threads/4', expect = 'allow'", "got      deny 401, nobody"},
    {"authenticate: refused",
     "headers = { ['X-Who'] = 'bad' }, 'GET', '/threads/4', "
     "expect = { status = 401, detail = 'not you' }",
     NULL},
    {"authenticate: refused is not nobody",
     "headers = { ['X-Who'] = 'bad' }, 'GET', '/threads/4', "
     "expect = { user = false }",
     "got      deny 401 \"not you\""},
    {"authenticate: a mistake in it",
     "headers = { ['X-Who'] = 'oops' }, 'GET', '/threads/4', "
     "expect = { status = 500 }",
     NULL},
    {"authenticate: the proved user is shown",
     "user = 'a', headers = { ['X-Who'] = 'again' }, 'GET', '/threads/4', "
     "expect = { user = 'a2', filter = { owner = 'a2' } }",
     NULL},
    {"authenticate: the proved user stays",
     "user = 'a', headers = {}, 'GET', '/threads/4', expect = { user = 'a' }",
     NULL},
    {"authenticate: not asked without headers",
     "user = 'a', 'GET', '/threads/4', expect = { user = 'a' }", NULL},
    {"authenticate: a name that is taken",
     "headers = { ['X-Who'] = 'guest' }, 'GET', '/threads/4', "
     "expect = { status = 500 }",
     NULL},
};

static void testfile_cases(void **state)
{
    stage_t *stage = *state;

    program_file(stage, "p.lua", policy);
    for (size_t i = 0; i < sizeof(case_rows) / sizeof(*case_rows); i++) {
        const char *text = apr_pstrcat(stage->pool, HEAD "test 'one' {\n",
                                       case_rows[i].text, "\n}\n", NULL);
        const char *file = program_file(stage, "p_test.lua", text);
        const char *got = case_rows[i].got;
        ran_t ran = RUN(stage, "policy", "test", file);
        int loads = !got || strcmp(got, "does not load");

        print_message("%s: %s%s", case_rows[i].name, ran.out, ran.err);
        assert_int_equal(ran.status, !loads ? 3 : got ? 4 : 0);
        if (!loads)
            continue;
        assert_string_equal(ran.err, "");
        assert_non_null(strstr(ran.out, got ? "\n0 passed, 1 failed\n"
                                            : "1 passed, 0 failed\n"));
        if (got) {
            assert_non_null(strstr(ran.out, got));
            assert_non_null(strstr(ran.out, "p_test.lua:2: one\n"));
        }
    }
}

/* ----------------------------------------------------------- what is refused
 */

static const struct {
    const char *name, *text, *why;
} refused_rows[] = {
    {"a misspelled word", CASE("usr = 'a', 'GET', '/', expect = 'deny'"),
     "x_test.lua:2: unknown word 'usr' in a case; did you mean 'user'?"},
    {"a misspelled word in expect",
     CASE("user = 'a', 'GET', '/', expect = { fliter = { a = 1 } }"),
     "unknown word 'fliter' in expect; did you mean 'filter'?"},
    {"a misspelled effect", CASE("user = 'a', 'GET', '/', expect = 'alow'"),
     "not 'alow'; did you mean 'allow'?"},
    {"a misspelled word of the module", HEAD "test.polcy 'p.lua'",
     "x_test.lua:2: unknown word 'test.polcy'; did you mean 'policy'?"},
    {"a misspelled name",
     HEAD "local alice = 'alice'\n"
          "test 'x' { user = alcie, 'GET', '/', expect = 'deny' }",
     "x_test.lua:3: 'alcie' is not defined"},
    {"a syntax error", HEAD "\ntest 'x' {\n", "x_test.lua:4: "},
    {"nothing", "", "x_test.lua: has no case"},
    {"no case", HEAD, "x_test.lua: has no case"},
    {"a name without a table", HEAD "\ntest 'x'\n",
     "x_test.lua:3: the case 'x' has no table"},
    {"a case that was caught", HEAD "pcall(test, 'x', { usr = 1 })\n",
     "the case 'x' has no table"},
    {"the same name twice",
     CASE("user = 'a', 'GET', '/', expect = 'deny'") "test 'one' { user = 'a', "
                                                     "'GET', '/', expect = "
                                                     "'deny' }",
     "x_test.lua:5: the case of line 2 has the same name, 'one'"},
    {"a case told twice",
     HEAD "local t = test 'x'\nlocal c = { user = 'a', 'GET', '/', "
          "expect = 'deny' }\nt(c)\nt(c)",
     "the case 'x' was told already"},
    {"no name", HEAD "test ''", "the name of a case is a text of 1 to 256"},
    {"a name of two lines", HEAD "test 'a\\nb'", "the name of a case"},
    {"no expect", CASE("user = 'a', 'GET', '/'"),
     "a case says what it expects"},
    {"expect that is empty", CASE("user = 'a', 'GET', '/', expect = {}"),
     "expect says nothing"},
    {"expect with a body alone",
     CASE("user = 'a', 'GET', '/', expect = { body = {} }"),
     "expect says nothing"},
    {"set beside deny",
     CASE("user = 'a', 'GET', '/', expect = { 'deny', set = {} }"),
     "set and body go with"},
    {"allow and filter",
     CASE("user = 'a', 'GET', '/', expect = { 'allow', filter = { a = 1 } }"),
     "expect says two things at once"},
    {"filter and status",
     CASE("user = 'a', 'GET', '/', "
          "expect = { status = 403, filter = { a = 1 } }"),
     "expect says two things at once"},
    {"an empty filter",
     CASE("user = 'a', 'GET', '/', expect = { filter = {} }"),
     "x_test.lua:2: filter: "},
    {"a filter with an unknown operator",
     CASE("user = 'a', 'GET', '/', expect = { filter = { a = { ['$lt'] = 1 } "
          "} }"),
     "x_test.lua:2: filter: "},
    {"a status that is none",
     CASE("user = 'a', 'GET', '/', expect = { status = 200 }"),
     "status is a whole number from 400 to 599"},
    {"no request", CASE("user = 'a', expect = 'deny'"),
     "a case has a method and a path"},
    {"no path", CASE("user = 'a', 'GET', expect = 'deny'"),
     "a case has a method and a path"},
    {"an item too many", CASE("user = 'a', 'GET', '/', {}, expect = 'deny'"),
     "a case has an item too many"},
    {"a method in lower case", CASE("user = 'a', 'get', '/', expect = 'deny'"),
     "method 'get' is not upper case"},
    {"a path that is not plain",
     CASE("user = 'a', 'GET', '/a/../b', expect = 'deny'"),
     "path '/a/../b': a dot segment"},
    {"a user without identity", CASE("user = {}, 'GET', '/', expect = 'deny'"),
     "user has no identity"},
    {"a user that is a number", CASE("user = 1, 'GET', '/', expect = 'deny'"),
     "user is an identity, or a table with one"},
    {"headers that are no texts",
     CASE("headers = { a = 1 }, 'GET', '/', expect = 'deny'"),
     "headers: 'a' is no text"},
    {"a function in a body",
     CASE("user = 'a', 'GET', '/', body = { test }, expect = 'deny'"),
     "body: a value is neither a table"},
    {"a number that is not finite",
     CASE("user = 'a', 'GET', '/', body = { 1/0 }, expect = 'deny'"),
     "body: a number is not finite"},
    {"a table in itself",
     HEAD "local b = {} b.b = b\n"
          "test 'x' { user = 'a', 'GET', '/', body = b, expect = 'deny' }",
     "body: a value is nested too deep"},
    {"now that is a text",
     CASE("user = 'a', 'GET', '/', now = 'x', expect = 'deny'"),
     "now is in whole seconds"},
    {"test.policy twice", HEAD "test.policy 'p.lua' test.policy 'p.lua'",
     "test.policy was called before"},
    {"a policy that is not there",
     HEAD "test.policy 'gone.lua' test 'x' { user = 'a', 'GET', '/', expect = "
          "'deny' }",
     "gone.lua: No such file"},
    {"a loop without end", HEAD "while true do end",
     "x_test.lua:2: used up its instructions"},
    {"a loop that catches", HEAD "while true do pcall(error) end",
     "used up its"},
    {"memory", HEAD "local s = 'aaaaaaaa' while true do s = s .. s end",
     "not enough memory"},
    {"bytecode", "\033Lua", "attempt to load a binary chunk"},
    {"io", HEAD "io.open('/etc/passwd')", "'io' is not defined"},
    {"os", HEAD "os.exit(0)", "'os' is not defined"},
    {"load", HEAD "load('x = 1')", "'load' is not defined"},
    {"the module of policies", "require 'agentauth'",
     "a test file can only require \"agentauth.test\""},
    {"writing to the module", HEAD "test.policy = 1", "read-only"},
};

static void testfile_refused(void **state)
{
    stage_t *stage = *state;

    program_file(stage, "x.lua", policy);
    for (size_t i = 0; i < sizeof(refused_rows) / sizeof(*refused_rows); i++) {
        const char *file =
            program_file(stage, "x_test.lua", refused_rows[i].text);
        ran_t ran = RUN(stage, "policy", "test", file);

        print_message("%s: %s", refused_rows[i].name, ran.err);
        assert_int_equal(ran.status, 3);
        assert_string_equal(ran.out, "0 passed, 0 failed, 1 not loaded\n");
        assert_non_null(strstr(ran.err, refused_rows[i].why));
    }
}

/* More than a file may hold, of each thing that is counted. */
static void testfile_bounds(void **state)
{
    stage_t *stage = *state;
    const char *file = program_file(
        stage, "x_test.lua",
        HEAD "for i = 1, 4097 do test('c' .. i, { 'GET', '/', user = 'a', "
             "expect = 'deny' }) end");
    ran_t ran;

    program_file(stage, "x.lua", policy);
    ran = RUN(stage, "policy", "test", file);
    print_message("%s", ran.err);
    assert_int_equal(ran.status, 3);
    program_file(stage, "x_test.lua",
                 HEAD "local s = ('x'):rep(60000)\n"
                      "for i = 1, 100 do test('c' .. i, { 'GET', '/', "
                      "user = 'a', body = s, expect = 'deny' }) end");
    ran = RUN(stage, "policy", "test", file);
    print_message("%s", ran.err);
    assert_int_equal(ran.status, 3);
    assert_non_null(strstr(ran.err, "too large"));
}

/* ------------------------------------------------------------------ command
 */

#define FINE                                                                   \
    CASE("user = 'a', 'GET', '/threads/4', expect = { filter = { owner = 'a' " \
         "} }")
#define WRONG CASE("user = 'a', 'GET', '/threads/4', expect = 'allow'")

static const struct {
    const char *name;
    const char *words[6]; /* a word with %s is a file of the test */
    int status;
    const char *out, *err; /* whole, or NULL: something else */
} command_rows[] = {
    {"no file", {NULL}, 2, "", NULL},
    {"another suffix", {"%s/fine_test.txt"}, 2, "", NULL},
    {"a test", {"%s/fine_test.lua"}, 0, "1 passed, 0 failed\n", ""},
    {"a policy", {"%s/fine.lua"}, 0, "1 passed, 0 failed\n", ""},
    {"both are one",
     {"%s/fine.lua", "%s/fine_test.lua"},
     0,
     "1 passed, 0 failed\n",
     ""},
    {"several, one fails",
     {"%s/fine_test.lua", "%s/wrong_test.lua"},
     4,
     NULL,
     ""},
    {"a policy without a test",
     {"%s/alone.lua"},
     3,
     "0 passed, 0 failed, 1 not loaded\n",
     NULL},
    {"a broken policy",
     {"%s/broken_test.lua"},
     3,
     "0 passed, 0 failed, 1 not loaded\n",
     NULL},
    {"a broken one hides nothing",
     {"%s/broken_test.lua", "%s/fine_test.lua", "%s/wrong_test.lua"},
     3,
     NULL,
     NULL},
    {"a policy by name", {"%s/named_test.lua"}, 0, "1 passed, 0 failed\n", ""},
    {"another policy",
     {"--policy", "%s/broken.lua", "%s/fine_test.lua"},
     3,
     "0 passed, 0 failed, 1 not loaded\n",
     NULL},
    {"a policy instead",
     {"--policy", "%s/fine.lua", "%s/broken_test.lua"},
     0,
     "1 passed, 0 failed\n",
     ""},
    {"a prefix",
     {"--routes", "prefix=/agent", "%s/prefix_test.lua"},
     0,
     "1 passed, 0 failed\n",
     ""},
    {"without the prefix", {"%s/prefix_test.lua"}, 4, NULL, ""},
    {"a map that is not there",
     {"--routes", "langraph", "%s/fine_test.lua"},
     3,
     "",
     NULL},
    {"map none",
     {"--routes", "none", "%s/none_test.lua"},
     0,
     "1 passed, 0 failed\n",
     ""},
    {"unmatched",
     {"--unmatched", "allow", "%s/open_test.lua"},
     0,
     "1 passed, 0 failed\n",
     ""},
    {"unmatched is denied", {"%s/open_test.lua"}, 4, NULL, ""},
    {"unmatched, misspelled",
     {"--unmatched", "alow", "%s/open_test.lua"},
     2,
     "",
     NULL},
};

static void files_make(stage_t *stage)
{
    program_file(stage, "fine.lua", policy);
    program_file(stage, "fine_test.lua", FINE);
    program_file(stage, "fine_test.txt", FINE);
    program_file(stage, "wrong.lua", policy);
    program_file(stage, "wrong_test.lua", WRONG);
    program_file(stage, "alone.lua", policy);
    program_file(stage, "broken.lua", "return = 1");
    program_file(stage, "broken_test.lua", FINE);
    program_file(stage, "named_test.lua", FINE "test.policy 'fine.lua'\n");
    program_file(stage, "prefix.lua", policy);
    program_file(stage, "prefix_test.lua",
                 CASE("user = 'a', 'GET', '/agent/threads/4', "
                      "expect = { filter = { owner = 'a' } }"));
    program_file(stage, "none.lua",
                 "local auth = require 'agentauth'\n"
                 "auth.on.http.get(function(ctx, v) return v.path == '/x' "
                 "end)\n");
    program_file(stage, "none_test.lua",
                 CASE("user = 'a', 'GET', '/x', expect = 'allow'"));
    program_file(stage, "open.lua", "local auth = require 'agentauth'\n");
    program_file(stage, "open_test.lua",
                 CASE("user = 'a', 'GET', '/threads/4', expect = 'allow'"));
}

static void testfile_command(void **state)
{
    stage_t *stage = *state;

    files_make(stage);
    for (size_t i = 0; i < sizeof(command_rows) / sizeof(*command_rows); i++) {
        const char *words[10] = {"agentauth", "policy", "test"};
        ran_t ran;

        for (int w = 0; command_rows[i].words[w]; w++)
            words[w + 3] =
                strncmp(command_rows[i].words[w], "%s", 2)
                    ? command_rows[i].words[w]
                    : apr_pstrcat(stage->pool, stage->dir,
                                  command_rows[i].words[w] + 2, NULL);
        ran = program_run_as(stage, 0, words);
        print_message("%s: %s%s", command_rows[i].name, ran.out, ran.err);
        assert_int_equal(ran.status, command_rows[i].status);
        if (command_rows[i].out)
            assert_string_equal(ran.out, command_rows[i].out);
        if (command_rows[i].err)
            assert_string_equal(ran.err, command_rows[i].err);
        else
            assert_string_not_equal(ran.err, "");
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void testfile_json(void **state)
{
    stage_t *stage = *state;
    const char *dir = stage->dir;
    json_t *said, *tests;
    ran_t ran;

    files_make(stage);
    ran = RUN(stage, "policy", "test", "--json",
              apr_pstrcat(stage->pool, dir, "/fine.lua", NULL),
              apr_pstrcat(stage->pool, dir, "/wrong.lua", NULL),
              apr_pstrcat(stage->pool, dir, "/broken.lua", NULL));
    print_message("%s", ran.out);
    assert_int_equal(ran.status, 3);
    ran.status = 0;
    said = program_json(stage, ran);
    assert_int_equal(json_integer_value(json_object_get(said, "passed")), 1);
    assert_int_equal(json_integer_value(json_object_get(said, "failed")), 1);
    assert_int_equal(json_integer_value(json_object_get(said, "unloaded")), 1);
    tests = json_object_get(said, "tests");
    assert_int_equal(json_array_size(tests), 2);
    assert_true(
        json_is_true(json_object_get(json_array_get(tests, 0), "passed")));
    assert_null(json_object_get(json_array_get(tests, 0), "got"));
    tests = json_array_get(tests, 1);
    assert_true(json_is_false(json_object_get(tests, "passed")));
    assert_string_equal(text_of(tests, "name"), "one");
    assert_string_equal(text_of(tests, "expected"), "allow");
    assert_string_equal(text_of(tests, "got"), "filter {\"owner\":\"a\"}");
    assert_int_equal(json_integer_value(json_object_get(tests, "line")), 2);
    assert_string_equal(strrchr(text_of(tests, "file"), '/'),
                        "/wrong_test.lua");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STAGE(testfile_cases),  WITH_STAGE(testfile_refused),
        WITH_STAGE(testfile_bounds), WITH_STAGE(testfile_command),
        WITH_STAGE(testfile_json),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests_name("test files", tests, NULL, NULL);
    apr_terminate();
    return failed;
}
