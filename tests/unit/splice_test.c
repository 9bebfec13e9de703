/* SPDX-License-Identifier: Apache-2.0 */
/* Splicing: what did not change keeps its bytes, and the result says exactly
 * what was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"
#include "splice.h"
#include "value.h"

static const struct {
    const char *name, *text, *path, *is, *result; /* is NULL: cut */
} rows[] = {
    {"same", "{\"m\":{\"a\":1}}", "m", "{\"a\":1}", "{\"m\":{\"a\":1}}"},
    {"number keeps its spelling", "{\"m\":{\"a\":1.10,\"b\":1e2}}", "m",
     "{\"a\":1.1,\"b\":100.0,\"c\":1}",
     "{\"m\":{\"a\":1.10,\"b\":1e2,\"c\":1}}"},
    {"integer for real", "{\"m\":{\"a\":1e2}}", "m", "{\"a\":100}",
     "{\"m\":{\"a\":1e2}}"},
    {"zero fraction", "{\"m\":{\"a\":1.0}}", "m", "{\"a\":1.0,\"b\":2}",
     "{\"m\":{\"a\":1.0,\"b\":2}}"},
    {"big integer", "{\"m\":{\"a\":9007199254740993}}", "m",
     "{\"a\":9007199254740993,\"b\":2}",
     "{\"m\":{\"a\":9007199254740993,\"b\":2}}"},
    {"escape kept", "{\"m\":{\"a\":\"x\\/y\"}}", "m", "{\"a\":\"x/y\",\"b\":2}",
     "{\"m\":{\"a\":\"x\\/y\",\"b\":2}}"},
    {"unicode escape kept", "{\"m\":{\"a\":\"\\u00e4\"}}", "m",
     "{\"a\":\"\xc3\xa4\",\"b\":2}", "{\"m\":{\"a\":\"\\u00e4\",\"b\":2}}"},
    {"escaped key kept", "{\"m\":{\"\\u0061\":1.10}}", "m",
     "{\"a\":1.1,\"b\":2}", "{\"m\":{\"\\u0061\":1.10,\"b\":2}}"},
    {"escaped member found", "{\"\\u006d\":1.10}", "m", "2", "{\"\\u006d\":2}"},
    {"escaped quote in key", "{\"a\\\"}\":1,\"m\":1}", "m", "2",
     "{\"a\\\"}\":1,\"m\":2}"},
    {"null kept", "{\"m\":{\"a\":null}}", "m", "{\"b\":2}",
     "{\"m\":{\"a\":null,\"b\":2}}"},
    {"null kept when written", "{\"m\":{\"a\":null}}", "m", "{\"a\":null}",
     "{\"m\":{\"a\":null}}"},
    {"null replaced", "{\"m\":{\"a\":null}}", "m", "{\"a\":2}",
     "{\"m\":{\"a\":2}}"},
    {"null written", "{\"m\":{\"a\":1}}", "m", "{\"a\":null}",
     "{\"m\":{\"a\":null}}"},
    {"member null", "{\"m\":null}", "m", "{\"a\":2}", "{\"m\":{\"a\":2}}"},
    {"order kept", "{\"m\":{\"z\":1,\"a\":2}}", "m",
     "{\"a\":2,\"b\":3,\"z\":1}", "{\"m\":{\"z\":1,\"a\":2,\"b\":3}}"},
    {"space kept", "{ \"m\" : { \"a\" : 1 , \"b\" : 2 } , \"x\":1 }", "m",
     "{\"a\":5,\"b\":2}", "{ \"m\" : { \"a\" : 5 , \"b\" : 2 } , \"x\":1 }"},
    {"lines kept", "{\n  \"m\": {\n    \"a\": 1.10\n  }\n}\n", "m",
     "{\"a\":1.1,\"o\":\"x\"}",
     "{\n  \"m\": {\n    \"a\": 1.10\n  ,\"o\":\"x\"}\n}\n"},
    {"around it", " {\"m\":1} ", "m", "2", " {\"m\":2} "},
    {"other members untouched",
     "{\"x\":[1.10,{\"y\":\"\\/\"}],\"m\":1,\"n\":null}", "m", "2",
     "{\"x\":[1.10,{\"y\":\"\\/\"}],\"m\":2,\"n\":null}"},
    {"cut first", "{\"m\":1,\"x\":2}", "m", NULL, "{\"x\":2}"},
    {"cut last", "{\"x\":2,\"m\":1}", "m", NULL, "{\"x\":2}"},
    {"cut middle", "{\"x\":2, \"m\":1, \"y\":3}", "m", NULL,
     "{\"x\":2, \"y\":3}"},
    {"cut only", "{\"m\":1}", "m", NULL, "{}"},
    {"cut absent", "{\"x\":1}", "m", NULL, "{\"x\":1}"},
    {"cut inside", "{\"m\":{\"a\":1,\"b\":1.10}}", "m", "{\"b\":1.1}",
     "{\"m\":{\"b\":1.10}}"},
    {"cut all inside", "{\"m\":{\"a\":1,\"b\":2}}", "m", "{}", "{\"m\":{}}"},
    {"insert", "{\"x\":1}", "m", "{\"o\":\"a\"}",
     "{\"x\":1,\"m\":{\"o\":\"a\"}}"},
    {"insert into empty", "{}", "m", "1", "{\"m\":1}"},
    {"insert into spaced", "{ }", "m", "1", "{\"m\":1}"},
    {"insert into nothing", "", "m", "{\"o\":\"a\"}", "{\"m\":{\"o\":\"a\"}}"},
    {"insert in empty member", "{\"m\":{}}", "m", "{\"o\":1}",
     "{\"m\":{\"o\":1}}"},
    {"object for string", "{\"m\":\"x\"}", "m", "{\"o\":1}",
     "{\"m\":{\"o\":1}}"},
    {"string for object", "{\"m\":{\"o\":1}}", "m", "\"x\"", "{\"m\":\"x\"}"},
    {"list for object", "{\"m\":{}}", "m", "[]", "{\"m\":[]}"},
    {"true for false", "{\"m\":{\"a\":false}}", "m", "{\"a\":true}",
     "{\"m\":{\"a\":true}}"},
    {"string for number", "{\"m\":{\"a\":1}}", "m", "{\"a\":\"1\"}",
     "{\"m\":{\"a\":\"1\"}}"},
    {"list same", "{\"m\":[1.10,null,[]]}", "m", "[1.1,null,[]]",
     "{\"m\":[1.10,null,[]]}"},
    {"list changed", "{\"m\":[1.10,2.20]}", "m", "[1.1,3]", "{\"m\":[1.10,3]}"},
    {"list appended", "{\"m\":[1.10 ]}", "m", "[1.1,2]", "{\"m\":[1.10 ,2]}"},
    {"list put in front", "{\"m\":[1.10,2.20]}", "m", "[0,1.1,2.2]",
     "{\"m\":[0,1.10,2.20]}"},
    {"list put between", "{\"m\":[1.10,2.20]}", "m", "[1.1,0,2.2]",
     "{\"m\":[1.10,0,2.20]}"},
    {"list without its first", "{\"m\":[1.10,2.20,3.30]}", "m", "[2.2,3.3]",
     "{\"m\":[2.20,3.30]}"},
    {"list without its middle", "{\"m\":[1.10,2.20,3.30]}", "m", "[1.1,3.3]",
     "{\"m\":[1.10,3.30]}"},
    {"list without its last", "{\"m\":[1.10,2.20,3.30]}", "m", "[1.1,2.2]",
     "{\"m\":[1.10,2.20]}"},
    {"list emptied", "{\"m\":[1,2]}", "m", "[]", "{\"m\":[]}"},
    {"list filled", "{\"m\":[]}", "m", "[1,2]", "{\"m\":[1,2]}"},
    {"list ends in nulls", "{\"m\":[1,null,null]}", "m", "[2]",
     "{\"m\":[2,null,null]}"},
    {"list of nulls", "{\"m\":[null,null]}", "m", "[]", "{\"m\":[null,null]}"},
    {"null in a list", "{\"m\":[1.10,null,2]}", "m", "[1.1,null,3]",
     "{\"m\":[1.10,null,3]}"},
    {"objects in a list", "{\"m\":[{\"a\":1.10},{\"b\":2.20}]}", "m",
     "[{\"a\":1.1,\"c\":1},{\"b\":2.2}]",
     "{\"m\":[{\"a\":1.10,\"c\":1},{\"b\":2.20}]}"},
    {"deep", "{\"m\":{\"a\":{\"b\":{\"c\":1.10,\"d\":1}}}}", "m",
     "{\"a\":{\"b\":{\"c\":1.1,\"d\":2}}}",
     "{\"m\":{\"a\":{\"b\":{\"c\":1.10,\"d\":2}}}}"},
    {"path", "{\"c\":{\"t\":1.10,\"m\":1}}", "c.m", "2",
     "{\"c\":{\"t\":1.10,\"m\":2}}"},
    {"path made", "{\"x\":1}", "c.m", "2", "{\"x\":1,\"c\":{\"m\":2}}"},
    {"path made below", "{\"c\":{\"x\":1}}", "c.m", "2",
     "{\"c\":{\"x\":1,\"m\":2}}"},
    {"path through null", "{\"c\":null}", "c.m", "2", "{\"c\":{\"m\":2}}"},
    {"path of three", "{}", "a.b.c", "2", "{\"a\":{\"b\":{\"c\":2}}}"},
    {"path cut", "{\"c\":{\"x\":1,\"m\":2}}", "c.m", NULL, "{\"c\":{\"x\":1}}"},
    {"path cut absent", "{\"c\":1}", "c.m", NULL, "{\"c\":1}"},
    {"brackets in strings", "{\"a\":\"}]\\\"{\",\"m\":1}", "m", "2",
     "{\"a\":\"}]\\\"{\",\"m\":2}"},
    {"shortest real", "{\"m\":0}", "m", "0.1", "{\"m\":0.1}"},
    {"whole real", "{\"m\":0}", "m", "5.0", "{\"m\":5.0}"},
    {"quotes written", "{\"m\":0}", "m", "\"a\\\"\\n\"",
     "{\"m\":\"a\\\"\\n\"}"},
};

static json_t *parse(const char *text, apr_pool_t *p)
{
    return aa_value_own(json_loads(text, JSON_DECODE_ANY, NULL), p);
}

static void spliced(void **state)
{
    apr_pool_t *p = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        aa_span_t text = {rows[i].text, strlen(rows[i].text)}, out;
        json_t *before = parse(text.len ? text.text : "{}", p);
        const json_t *was = aa_value_at(before, rows[i].path), *now;
        json_t *is = rows[i].is ? parse(rows[i].is, p) : NULL;

        print_message("%s\n", rows[i].name);
        assert_int_equal(aa_splice_member(&out, text, rows[i].path, was, is, p),
                         APR_SUCCESS);
        assert_string_equal(apr_pstrmemdup(p, out.text, out.len),
                            rows[i].result);
        /* what a strict reader finds there is what was meant */
        now = aa_value_at(parse(apr_pstrmemdup(p, out.text, out.len), p),
                          rows[i].path);
        if (is)
            assert_true(now && aa_splice_same(now, is));
        else
            assert_null(now);
    }
}

static void refused(void **state)
{
    static const char *const texts[] = {"[]", "1", "\"x\"", "null", " "};
    apr_pool_t *p = *state;

    for (size_t i = 0; i < 5; i++) {
        aa_span_t text = {texts[i], strlen(texts[i])}, out;

        assert_int_equal(
            aa_splice_member(&out, text, "m", NULL, parse("1", p), p),
            APR_EINVAL);
        assert_null(out.text);
    }
}

static void elements(void **state)
{
    aa_span_t text = {" [ {\"a\":[1,2]} ,\"x,]\", 3,[]\n]", 0}, spans[4];

    (void)state;
    text.len = strlen(text.text);
    assert_int_equal(aa_splice_elements(spans, 4, text), 4);
    assert_memory_equal(spans[0].text, "{\"a\":[1,2]}", spans[0].len);
    assert_int_equal(spans[0].len, 11);
    assert_memory_equal(spans[1].text, "\"x,]\"", spans[1].len);
    assert_int_equal(spans[2].len, 1);
    assert_int_equal(spans[3].len, 2);
    assert_int_equal(aa_splice_elements(spans, 3, text), -1);
    text.text = "{}";
    text.len = 2;
    assert_int_equal(aa_splice_elements(spans, 4, text), -1);
}

static int setup(void **state)
{
    apr_initialize();
    return apr_pool_create((apr_pool_t **)state, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spliced),
        cmocka_unit_test(refused),
        cmocka_unit_test(elements),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
