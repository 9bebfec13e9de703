/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a route map: what `enforce` may say, where each word arrives, and
 * what is refused with which message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "map.h"
#include "row.h"

static apr_pool_t *root;

/* Rows that the rules below stand in; all read one body and one query. */
#define ROW(enforce)                                                           \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', value = { id = path, m = body, q = query } },"          \
    " { 'a', 'read' } }, mutable = { 'm' },"                                   \
    " enforce = { " enforce " } }"
#define EACH(enforce)                                                          \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', each = true, value = { m = body } } },"                 \
    " enforce = { " enforce " } }"
#define BARE(enforce)                                                          \
    "route { 'GET', '/t/{id}/r/{run_id}', events = { { 't', 'read' } },"       \
    " enforce = { " enforce " } }"
/* A handler may change what comes from the query, or from elsewhere. */
#define CHANGED(value, enforce)                                                \
    "route { 'POST', '/t/{id}', body = 'json', events = {"                     \
    " { 't', 'create', value = { q = " value " } } }, mutable = { 'q' },"      \
    " enforce = { " enforce " } }"
#define OPENED(access, enforce)                                                \
    "route { 'GET', '/a', access = '" access "', enforce = { " enforce " } }"
#define PAGED(more)                                                            \
    "page = { limit = { 'limit', 10 }, offset = 'offset', " more " }"
#define PAGE "page = { limit = { 'limit', 10 }, offset = 'offset' }"
#define MANY(text) text text text text text text text text

/* Compiles a row; NULL and *why when it fails. */
static const aa_route_t *compiled(const char **why, const char *text,
                                  int gateway, json_t *rows, apr_pool_t *p)
{
    aa_route_t *route = apr_pcalloc(p, sizeof(*route));

    *why = NULL;
    if (aa_map_run(rows, why, "F", text, strlen(text), gateway, p) !=
        APR_SUCCESS)
        return NULL;
    if (aa_row_compile(route, why,
                       json_object_get(json_array_get(rows, 0), "row"), gateway,
                       p) != APR_SUCCESS)
        return NULL;
    return route;
}

static const struct {
    const char *name, *text, *why; /* why NULL: let in; else part of it */
} rules[] = {
    /* the whole */
    {"no table", "route { 'GET', '/a', access = 'user', enforce = 1 }",
     "GET /a: enforce must be a table"},
    {"an empty one", BARE(""), "enforce: neither ask_first, check"},
    {"only a page", ROW(PAGE), "page is for check"},
    {"only a match", BARE("match = '.'"), "enforce: neither ask_first, check"},
    {"only a cut", ROW("rewrite = { drop_query = { 'x' } }"),
     "enforce: neither ask_first, check"},
    {"a misspelled word", BARE("askfirst = '/b'"),
     "unknown word 'askfirst' in enforce; did you mean 'ask_first'?"},
    {"refuse", BARE("refuse = 'why'"), NULL},
    {"refuse without a reason", BARE("refuse = ''"), "refuse: say why"},
    {"refuse that is true", BARE("refuse = true"), "refuse: say why"},
    {"refuse that is a list", BARE("refuse = { 'why' }"), "refuse: say why"},
    {"refuse beside another word", BARE("refuse = 'why', check = 'object'"),
     "refuse stands alone"},
    {"refuse where no policy is asked", OPENED("refuse", "refuse = 'why'"),
     NULL},
    {"a rule where no policy is asked", OPENED("user", "check = 'object'"),
     "no policy is asked here, so it can only refuse"},
    {"a rule where nobody is asked", OPENED("open", "check = 'object'"),
     "no policy is asked here"},
    {"a rule of a refused row", OPENED("refuse", "check = 'object'"),
     "no policy is asked here"},

    /* what a handler changes arrives */
    {"a change of the body", CHANGED("body", "check = 'object'"), NULL},
    {"a change below the body",
     CHANGED("{ a = body, b = { c = body 'd' } }", "check = 'object'"), NULL},
    {"a change of the query",
     CHANGED("query", "check = 'object', rewrite = { query = { 'q' } }"), NULL},
    {"a change of the query that is lost", CHANGED("query", "check = 'object'"),
     "a change of mutable 'q' would not reach the backend"},
    {"a change of the path", CHANGED("path 'id'", "check = 'object'"),
     "a change of mutable 'q' would not reach"},
    {"a change of a constant", CHANGED("literal(1)", "check = 'object'"),
     "a change of mutable 'q' would not reach"},
    {"a change below that is lost",
     CHANGED("{ a = body, b = { c = query } }", "check = 'object'"),
     "a change of mutable 'q' would not reach"},
    {"a change of what is new",
     CHANGED("{}", "ask_first = '/t/{id}', match = 'q',"
                   " copies = '/t/{answer.id}'"),
     NULL},
    {"a change of what is new elsewhere",
     CHANGED("{}", "ask_first = '/t/{id}', copies = '/t/{answer.id}'"),
     "a change of mutable 'q' would not reach"},
    {"a change of nothing", CHANGED("{}", "ask_first = '/t/{id}'"),
     "a change of mutable 'q' would not reach"},

    /* ask_first: forms */
    {"a path", BARE("ask_first = '/t/{id}'"), NULL},
    {"an item", BARE("ask_first = { '/t/{id}', hold = 'exclusive' }"), NULL},
    {"a list of both",
     BARE("ask_first = { '/t/{id}', { '/r/{run_id}', events = {} } }"), NULL},
    {"asking for nothing", BARE("ask_first = {}"),
     "ask_first asks for nothing"},
    {"an item without a path", BARE("ask_first = { hold = 'shared' }"),
     "ask_first: a path is missing"},
    {"an item that is a number", BARE("ask_first = { 1 }"),
     "ask_first must be a table"},
    {"a number", BARE("ask_first = 1"), "ask_first must be a table"},
    {"a source instead of a path", BARE("ask_first = path"), "ask_first"},
    {"a misspelled word of an item",
     BARE("ask_first = { '/b', optionall = true }"),
     "unknown word 'optionall' in ask_first; did you mean 'optional'?"},
    {"two paths in an item", BARE("ask_first = { '/b', '/c', each = true }"),
     "unknown word '2' in ask_first"},
    {"eight objects", BARE("ask_first = { " MANY("'/b', ") " }"), NULL},
    {"nine objects", BARE("ask_first = { " MANY("'/b', ") "'/b' }"),
     "ask_first: more than 8 objects"},

    /* ask_first: paths and templates */
    {"a path that begins elsewhere", BARE("ask_first = 'b'"),
     "ask_first: 'b' does not begin with '/'"},
    {"dots in a path", BARE("ask_first = '/a/../b'"), "no plain path"},
    {"a fragment in a path", BARE("ask_first = '/a#b'"),
     "ask_first: '/a#b' is no path"},
    {"a space in a path", BARE("ask_first = '/a b'"),
     "ask_first: '/a b' is no path"},
    {"an empty path", BARE("ask_first = ''"), "does not begin with '/'"},
    {"a query", BARE("ask_first = '/b?x={id}&y={query.z}'"), NULL},
    {"braces themselves", BARE("ask_first = '/b/{{x}}{id}'"), NULL},
    {"a parameter that is not there", BARE("ask_first = '/b/{run}'"),
     "ask_first: {run} is no parameter of the path, body.… or query.…"},
    {"a parameter that is misspelled", BARE("ask_first = '/b/{runid}'"),
     "did you mean 'run_id'?"},
    {"a brace that is alone", BARE("ask_first = '/b/{id'"),
     "a brace is alone in '/b/{id'"},
    {"a closing brace that is alone", BARE("ask_first = '/b/id}'"),
     "a brace is alone"},
    {"a member of the body", ROW("ask_first = '/b/{body.x.y}'"), NULL},
    {"the body of a row that has none", BARE("ask_first = '/b/{body.x}'"),
     "ask_first reads the body: body = \"json\""},
    {"a member that ends in a dot", ROW("ask_first = '/b/{body.x.}'"),
     "{body.x.} is no parameter"},
    {"a query without a name", BARE("ask_first = '/b/{query.}'"),
     "{query.} is no parameter"},
    {"an answer before there is one", BARE("ask_first = '/b/{answer.x}'"),
     "{answer.x} is no parameter"},

    /* ask_first: words */
    {"events of the row", ROW("ask_first = { '/b', events = { 'a:read' } }"),
     NULL},
    {"an event that the row has not",
     ROW("ask_first = { '/b', events = { 't:creat' } }"),
     "ask_first: the row has no event 't:creat'; did you mean 't:create'?"},
    {"an event without an action",
     ROW("ask_first = { '/b', events = { 'threads' } }"),
     "ask_first: 'threads' is no resource:action"},
    {"events that are a text", ROW("ask_first = { '/b', events = 'a:read' }"),
     "ask_first must be a list of texts"},
    {"no event", BARE("ask_first = { '/b', events = {} }"), NULL},
    {"33 events",
     ROW("ask_first = { '/b', events = { " MANY(
         "'a:read', 'a:read', 'a:read', 'a:read', ") "'a:read' } }"),
     "ask_first: more than 32 texts"},
    {"shared", BARE("ask_first = { '/b', hold = 'shared' }"), NULL},
    {"exclusive", BARE("ask_first = { '/b', hold = 'exclusive' }"), NULL},
    {"a hold that is true", BARE("ask_first = { '/b', hold = true }"),
     "hold must be a text"},
    {"an unknown hold", BARE("ask_first = { '/b', hold = 'exclusiv' }"),
     "hold 'exclusiv' is unknown; did you mean 'exclusive'?"},
    {"optional", ROW("ask_first = { '/b/{body.x}', optional = true }"), NULL},
    {"optional, of the query",
     BARE("ask_first = { '/b/{query.x}', optional = true }"), NULL},
    {"optional that is always there",
     BARE("ask_first = { '/b/{id}', optional = true }"),
     "optional: '/b/{id}' has no {body.…} or {query.…}"},
    {"optional that is a text",
     ROW("ask_first = { '/b/{body.x}', optional = 'yes' }"),
     "optional must be true or false"},
    {"each of a list", ROW("ask_first = { '/b/{body.x}', each = true }"), NULL},
    {"each of two lists",
     ROW("ask_first = { '/b/{body.x}/{body.y}', each = true }"),
     "has more than one {body.…}"},
    {"each of two members of an element",
     EACH("ask_first = { '/b/{body.x}/{body.y}', each = true }"), NULL},
    {"each that is a number", ROW("ask_first = { '/b/{body.x}', each = 1 }"),
     "each must be true or false"},
    {"each of nothing", ROW("ask_first = { '/b/{id}', each = true }"),
     "each: '/b/{id}' has no {body.…}"},
    {"each element", EACH("ask_first = { '/b/{body.x}', each = true }"), NULL},
    {"an element without each", EACH("ask_first = '/b/{body.x}'"),
     "'/b/{body.x}' is asked for each element: each = true"},
    {"absent", BARE("ask_first = { '/b', absent = true }"), NULL},
    {"not absent", BARE("ask_first = { '/b', absent = false }"), NULL},
    {"absent that is a list", BARE("ask_first = { '/b', absent = { 1 } }"),
     "absent must be true, false or \"matching\""},
    {"absent when matching", ROW("ask_first = { '/b', absent = 'matching' }"),
     NULL},
    {"absent when matching what is not read",
     BARE("ask_first = { '/b', absent = 'matching' }"),
     "absent reads the body"},
    {"absent of another kind", BARE("ask_first = { '/b', absent = 'maybe' }"),
     "absent must be true, false or \"matching\""},
    {"exempt", BARE("ask_first = { '/b', exempt = { by = 'system' } }"), NULL},
    {"exempt that is a text", BARE("ask_first = { '/b', exempt = 'x' }"),
     "exempt must be a table of names"},
    {"exempt with an item",
     BARE("ask_first = { '/b', exempt = { 'x', by = 'y' } }"),
     "exempt: '1' is no plain value"},
    {"exempt from no events",
     BARE("ask_first = { '/b', events = {}, exempt = { by = 'system' } }"),
     "exempt from no events"},
    {"exempt without a name", BARE("ask_first = { '/b', exempt = {} }"),
     "exempt must be a table of names"},
    {"exempt with a table",
     BARE("ask_first = { '/b', exempt = { by = { 'a' } } }"),
     "exempt: 'by' is no plain value"},
    {"same", BARE("ask_first = { '/b', same = { id = '{id}' } }"), NULL},
    {"same without a name", BARE("ask_first = { '/b', same = { '{id}' } }"),
     "same must be a table of names"},
    {"same that is a text", BARE("ask_first = { '/b', same = '{id}' }"),
     "same must be a table of names"},
    {"same as a number", BARE("ask_first = { '/b', same = { id = 1 } }"),
     "same: 'id' is no text"},
    {"same as a table",
     BARE("ask_first = { '/b', same = { id = { a = '{id}' } } }"),
     "same: 'id' is no text"},
    {"same as what is not there",
     BARE("ask_first = { '/b', same = { id = '{ib}' } }"),
     "same: {ib} is no parameter"},

    /* create */
    {"create",
     ROW("ask_first = { '/b', create = { path = '/b', stamp = 'm',"
         " body = { id = '{id}', n = 1, m = { x = '{body.m}' } },"
         " when = { 'if', 'create' }, after = { 'if', 'no' } } }"),
     NULL},
    {"create that is a text", ROW("ask_first = { '/b', create = '/b' }"),
     "create must be a table"},
    {"create with a path of what is not there",
     ROW("ask_first = { '/b', create = { path = '/b/{x}',"
         " body = { a = 1 } } }"),
     "create: {x} is no parameter"},
    {"create with a body that is a text",
     ROW("ask_first = { '/b', create = { path = '/b', body = '{id}' } }"),
     "create: body must be a table of names"},
    {"create with a list",
     ROW("ask_first = { '/b', create = { path = '/b',"
         " body = { a = { '{id}' } } } }"),
     "create: body: 'a' is a list"},
    {"create with an empty table",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = {} } } }"),
     NULL},
    {"create with a stamp that is no member",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " stamp = '.' } }"),
     "create: stamp: '.' is no member"},
    {"create with a stamp that is true",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " stamp = true } }"),
     "create: stamp must be a text"},
    {"create when there is no member",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " when = { 'a..b', 'x' } } }"),
     "create: when: 'a..b' is no member"},
    {"create when a number",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " when = { 'a', 1 } } }"),
     "create: when: { \"member\", \"text\" }"},
    {"create after three",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " after = { 'a', 'b', 'c' } } }"),
     "create: after: { \"member\", \"text\" }"},
    {"create beside absent",
     ROW("ask_first = { '/b', absent = true, create = { path = '/b',"
         " body = { id = '{id}' } } }"),
     "create and absent exclude each other"},
    {"create without a path",
     ROW("ask_first = { '/b', create = { body = { id = 1 } } }"),
     "create: a path is missing"},
    {"create without a body",
     ROW("ask_first = { '/b', create = { path = '/b' } }"),
     "create: body must be a table of names"},
    {"create with items",
     ROW("ask_first = { '/b', create = { path = '/b', body = { 'x' } } }"),
     "create: body must be a table of names"},
    {"create of what is not there",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = { b ="
         " '{x}' } } } }"),
     "create: body: {x} is no parameter"},
    {"create with half a pair",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " when = { 'if' } } }"),
     "create: when: { \"member\", \"text\" }"},
    {"create with a misspelled word",
     ROW("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
         " stanp = 'm' } }"),
     "unknown word 'stanp' in create; did you mean 'stamp'?"},
    {"create in a row without a body",
     BARE("ask_first = { '/b', create = { path = '/b', body = { a = 1 },"
          " after = { 'x', 'y' } } }"),
     "create: after reads the body"},

    /* rewrite */
    {"stamp", ROW("rewrite = { stamp = 'metadata' }"), NULL},
    {"stamp of a member of a member", ROW("rewrite = { stamp = 'a.b' }"), NULL},
    {"stamp of the body itself", ROW("rewrite = { stamp = '.' }"), NULL},
    {"the body itself where it is not read",
     BARE("check = 'object', rewrite = { keep = '.' }"), "keep reads the body"},
    {"stamp without a body", BARE("rewrite = { stamp = 'metadata' }"),
     "stamp reads the body: body = \"json\""},
    {"stamp that is a list", ROW("rewrite = { stamp = { 'metadata' } }"),
     "stamp must be a text of 1 to 64 bytes"},
    {"stamp that is empty", ROW("rewrite = { stamp = '' }"),
     "stamp must be a text of 1 to 64 bytes"},
    {"stamp of no member", ROW("rewrite = { stamp = 'a..b' }"),
     "stamp: 'a..b' is no member"},
    {"rewrite that is a text", ROW("rewrite = 'metadata'"),
     "rewrite must be a table"},
    {"items in rewrite", ROW("rewrite = { 'metadata' }"),
     "rewrite begins with 0 texts"},
    {"a misspelled word of rewrite", ROW("rewrite = { webhok = 'webhook' }"),
     "unknown word 'webhok' in rewrite; did you mean 'webhook'?"},
    {"keep", ROW("check = 'object', rewrite = { keep = 'm' }"), NULL},
    {"keep of no member", ROW("check = 'object', rewrite = { keep = '.a' }"),
     "keep: '.a' is no member"},
    {"keep alone", ROW("rewrite = { keep = 'm' }"),
     "enforce: neither ask_first"},
    {"keep that is a number", ROW("check = 'object', rewrite = { keep = 1 }"),
     "keep must be a text"},
    {"restrict", ROW("check = 'list', rewrite = { restrict = 'm' }"), NULL},
    {"restrict of a count",
     ROW("check = 'count', rewrite = { restrict = '.' }, " PAGED(
         "search = '/t/search'")),
     NULL},
    {"restrict of no member",
     ROW("check = 'list', rewrite = { restrict = '' }"),
     "restrict must be a text of 1 to 64 bytes"},
    {"restrict where no body is read",
     BARE("check = 'list', rewrite = { restrict = 'm' }"),
     "restrict reads the body"},
    {"restrict that is true",
     ROW("check = 'list', rewrite = { restrict = true }"),
     "restrict must be a text"},
    {"restrict without a list",
     ROW("check = 'object', rewrite = { restrict = 'm' }"),
     "restrict is for check = \"list\" and \"count\""},
    {"configurable and webhook",
     ROW("rewrite = { stamp = 'm', configurable = 'c.d', webhook = 'w' }"),
     NULL},
    {"configurable that is true",
     ROW("check = 'object', rewrite = { configurable = true }"),
     "configurable must be a text"},
    {"configurable where no body is read",
     BARE("check = 'object', rewrite = { configurable = 'c' }"),
     "configurable reads the body"},
    {"webhook of no member",
     ROW("check = 'object', rewrite = { webhook = 'a.' }"),
     "webhook: 'a.' is no member"},
    {"webhook where no body is read",
     BARE("check = 'object', rewrite = { webhook = 'w' }"),
     "webhook reads the body"},
    {"configurable that is the body",
     ROW("check = 'object', rewrite = { configurable = '.' }"),
     "configurable: '.' is no member"},
    {"webhook that is a list",
     ROW("check = 'object', rewrite = { webhook = { 'w' } }"),
     "webhook must be a text"},
    {"what is cut",
     ROW("check = 'object', rewrite = { drop_query = { 'x' },"
         " drop_body = { 'a.b', 'c' }, drop_headers = { 'x-*', 'y' } }"),
     NULL},
    {"a query that is a text",
     ROW("check = 'object', rewrite = { drop_query = 'x' }"),
     "drop_query must be a list of texts"},
    {"32 parameters",
     ROW("check = 'object', rewrite = { drop_query = { " MANY(
         "'a', 'b', 'c', 'd', ") "} }"),
     NULL},
    {"an empty query",
     ROW("check = 'object', rewrite = { drop_query = { '' } }"),
     "drop_query: an empty text"},
    {"33 parameters",
     ROW("check = 'object', rewrite = { drop_query = { " MANY(
         "'a', 'b', 'c', 'd', ") "'e' } }"),
     "drop_query: more than 32 texts"},
    {"33 members",
     ROW("check = 'object', rewrite = { drop_body = { " MANY(
         "'a', 'b', 'c', 'd', ") "'e' } }"),
     "drop_body: more than 32 texts"},
    {"members that are numbers",
     ROW("check = 'object', rewrite = { drop_body = { 1 } }"),
     "drop_body must be a list of texts"},
    {"a member of a table",
     ROW("check = 'object', rewrite = { drop_body = { a = 'b' } }"),
     "drop_body must be a list of texts"},
    {"a member that is none",
     ROW("check = 'object', rewrite = { drop_body = { 'a.' } }"),
     "drop_body: 'a.' is no member"},
    {"a member where no body is read",
     BARE("check = 'object', rewrite = { drop_body = { 'a' } }"),
     "drop_body reads the body"},
    {"a header in upper case",
     BARE("check = 'object', rewrite = { drop_headers = { 'X-A' } }"),
     "drop_headers: 'X-A' is no name in lower case"},
    {"headers that are a text",
     BARE("check = 'object', rewrite = { drop_headers = 'x-*' }"),
     "drop_headers must be a list of texts"},
    {"33 headers",
     BARE("check = 'object', rewrite = { drop_headers = { " MANY(
         "'a', 'b', 'c', 'd', ") "'e' } }"),
     "drop_headers: more than 32 texts"},
    {"a star in the middle",
     BARE("check = 'object', rewrite = { drop_headers = { 'x*a' } }"),
     "drop_headers: 'x*a' is no name"},
    {"a star alone",
     BARE("check = 'object', rewrite = { drop_headers = { '*' } }"),
     "drop_headers: '*' is no name"},
    {"a query that a handler may change",
     CHANGED("query", "check = 'object', rewrite = { query = { 'q' } }"), NULL},
    {"a query that no handler may change",
     ROW("check = 'object', rewrite = { query = { 'q' } }"),
     "query 'q' is no mutable member that comes from the query"},
    {"a member of the body as a query",
     ROW("check = 'object', rewrite = { query = { 'm' } }"),
     "query 'm' is no mutable member that comes from the query"},
    {"a query under another name",
     CHANGED("query 'r'", "check = 'object', rewrite = { query = { 'q' } }"),
     "query 'q' is no mutable member that comes from the query"},
    {"a query that is a text",
     CHANGED("query", "check = 'object', rewrite = { query = 'q' }"),
     "query must be a list of texts"},

    /* check and page */
    {"an object", BARE("check = 'object'"), NULL},
    {"a list that is not paged", BARE("check = 'list'"), NULL},
    {"an unknown check", BARE("check = 'lst'"),
     "check 'lst' is unknown; did you mean 'list'?"},
    {"an empty check", BARE("check = ''"), "check '' is unknown"},
    {"check that is true", BARE("check = true"), "check must be a text"},
    {"a page of the body", ROW("check = 'list', " PAGE), NULL},
    {"a page that is a text", ROW("check = 'list', page = 'limit'"),
     "page must be a table"},
    {"a page of an array", EACH("check = 'list', " PAGE),
     "page: the body is an array"},
    {"a page of the query of an array",
     EACH("check = 'list', " PAGED("query = true")), NULL},
    {"a page of a query that is a text",
     BARE("check = 'list', " PAGED("query = 'yes'")),
     "query must be true or false"},
    {"a max that is a text", ROW("check = 'list', " PAGED("max = '9'")),
     "max must be a number"},
    {"the greatest max", ROW("check = 'list', " PAGED("max = 10000")), NULL},
    {"an offset that is a list",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = { 'o', 0 } }"),
     "offset must be a text"},
    {"an offset that is no member",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o.' }"),
     "offset: 'o.' is no member"},
    {"a select that is a list",
     ROW("check = 'list', " PAGED("select = { 's' }")),
     "select must be a text"},
    {"a select where no body is read",
     BARE("check = 'list', " PAGED("query = true, select = 's'")),
     "select reads the body"},
    {"items below a member", ROW("check = 'list', " PAGED("items = 'a.b'")),
     NULL},
    {"items of no member", ROW("check = 'list', " PAGED("items = 'a.'")),
     "items: 'a.' is no member"},
    {"a total in upper case",
     ROW("check = 'list', " PAGED("total = 'X-Total'")),
     "total: 'X-Total' is no name in lower case"},
    {"a next that is a list", ROW("check = 'list', " PAGED("next = { 'n' }")),
     "next must be a text"},
    {"a total of a count",
     ROW("check = 'count', " PAGED("search = '/t/search', total = 'x-t'")),
     "total and next are for check = \"list\""},
    {"a next of a count",
     ROW("check = 'count', " PAGED("search = '/t/search', next = 'x-n'")),
     "total and next are for check = \"list\""},
    {"a page of a body that is not read", BARE("check = 'list', " PAGE),
     "limit reads the body"},
    {"a page of the query",
     BARE("check = 'list', page = { limit = { 'n', 5 }, offset = 'o',"
          " query = true, max = 7, total = 'x-t', next = 'x-n' }"),
     NULL},
    {"a page of an object", ROW("check = 'object', " PAGE),
     "page is for check = \"list\" and \"count\""},
    {"a page without a default",
     ROW("check = 'list', page = { limit = 'limit', offset = 'offset' }"),
     "page: limit = { \"limit\", 10 } and offset = \"offset\""},
    {"a page without an offset",
     ROW("check = 'list', page = { limit = { 'limit', 10 } }"),
     "page: limit = { \"limit\", 10 } and offset = \"offset\""},
    {"a limit of 0",
     ROW("check = 'list', page = { limit = { 'limit', 0 }, offset = 'o' }"),
     "limit must be a number from 1 to 10000"},
    {"a limit that is a text",
     ROW("check = 'list', page = { limit = { 'limit', '9' }, offset = 'o' }"),
     "limit must be a number"},
    {"a limit above max",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o', max = 8 "
         "}"),
     "page: limit is more than max"},
    {"a max above all",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o',"
         " max = 10001 }"),
     "max must be a number from 1 to 10000"},
    {"items and select",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o',"
         " items = 'items', select = 'select' }"),
     NULL},
    {"items that are a list",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o',"
         " items = {} }"),
     "items must be a text"},
    {"a misspelled word of a page",
     ROW("check = 'list', page = { limt = { 'l', 9 }, offset = 'o' }"),
     "unknown word 'limt' in page; did you mean 'limit'?"},
    {"a count",
     ROW("check = 'count', page = { limit = { 'l', 9 }, offset = 'o',"
         " search = '/t/search' }"),
     NULL},
    {"a count without a page", ROW("check = 'count'"),
     "a count needs page = { search = … }"},
    {"a search of what is not there",
     ROW("check = 'count', " PAGED("search = '/t/{x}'")),
     "search: {x} is no parameter"},
    {"a count that cannot be paged", ROW("check = 'count', " PAGE),
     "a count needs page = { search = … }"},
    {"a search that is no path",
     ROW("check = 'count', page = { limit = { 'l', 9 }, offset = 'o',"
         " search = 't' }"),
     "search: 't' does not begin with '/'"},
    {"a search for a list",
     ROW("check = 'list', page = { limit = { 'l', 9 }, offset = 'o',"
         " search = '/t' }"),
     "search is for check = \"count\""},

    /* match, wrap, events */
    {"match at the top", BARE("check = 'object', match = '.'"), NULL},
    {"match in several", BARE("check = 'object', match = { 'v', 'k' }"), NULL},
    {"match in a dot and more", BARE("check = 'object', match = { 'v', '.' }"),
     "match: in a list, '.' is no name"},
    {"match below a member", BARE("check = 'object', match = 'a.b'"), NULL},
    {"match in no member", BARE("check = 'object', match = 'a..b'"),
     "match: 'a..b' is no member"},
    {"match in an empty name", BARE("check = 'object', match = ''"),
     "match must be a text of 1 to 64 bytes"},
    {"match in 33",
     BARE("check = 'object', match = { " MANY("'a', 'b', 'c', 'd', ") "'e' }"),
     "match: more than 32 texts"},
    {"match in nothing", BARE("check = 'object', match = {}"),
     "match: an empty list"},
    {"match that is a number", BARE("check = 'object', match = 1"),
     "match must be a list of texts"},
    {"wrap", BARE("check = 'list', wrap = 'n'"), NULL},
    {"wrap that is true", BARE("check = 'list', wrap = true"),
     "wrap must be a text"},
    {"wrap of an object", BARE("check = 'object', wrap = 'n'"),
     "wrap is for check = \"list\""},
    {"events", ROW("check = 'object', events = { 't:create' }"), NULL},
    {"events that the row has not",
     ROW("check = 'object', events = { 'a:raed' }"),
     "enforce: the row has no event 'a:raed'; did you mean 'a:read'?"},
    {"events without an action", ROW("check = 'object', events = { 't' }"),
     "enforce: 't' is no resource:action"},
    {"events that are one text", ROW("check = 'object', events = 't:create'"),
     "enforce must be a list of texts"},
    {"no events", ROW("check = 'object', events = {}"),
     "events: an empty list"},

    /* hidden */
    {"a status", BARE("check = 'object', hidden = { 409 }"), NULL},
    {"status, type and text",
     BARE("check = 'object', hidden = { 404, 'text/plain', 'no {id}' }"), NULL},
    {"a text that is JSON",
     BARE("check = 'object', hidden = { 404, 'application/json',"
          " '{{\"detail\":\"{id}\"}}' }"),
     NULL},
    {"JSON with a brace that is alone",
     BARE("check = 'object', hidden = { 404, 'application/json',"
          " '{\"detail\":\"{id}\"}' }"),
     "hidden: a brace is alone"},
    {"a null for what is missing",
     BARE("check = 'object', hidden = { 200, 'application/json', 'null' }"),
     NULL},
    {"hidden that is a number", BARE("check = 'object', hidden = 404"),
     "hidden: { status, \"type\", \"text\" }"},
    {"a status that is a text", BARE("check = 'object', hidden = { '404' }"),
     "hidden: { status, \"type\", \"text\" }"},
    {"a status that is none", BARE("check = 'object', hidden = { 600 }"),
     "hidden: { status, \"type\", \"text\" }"},
    {"a text that is a number",
     BARE("check = 'object', hidden = { 404, 'text/plain', 1 }"),
     "hidden: a type and a text"},
    {"a text of a body that is not read",
     BARE("check = 'object', hidden = { 404, 'text/plain', '{body.x}' }"),
     "hidden reads the body"},
    {"a status that redirects", BARE("check = 'object', hidden = { 302 }"),
     "hidden: { status, \"type\", \"text\" }"},
    {"a type without a text",
     BARE("check = 'object', hidden = { 404, 'text/plain' }"),
     "hidden: { status, \"type\", \"text\" }"},
    {"a type with a line break",
     BARE("check = 'object', hidden = { 404, 'text/plain\\r\\nx: y', 'no' }"),
     "hidden: a type and a text"},
    {"a text of what is not there",
     BARE("check = 'object', hidden = { 404, 'text/plain', '{thread}' }"),
     "hidden: {thread} is no parameter"},
    {"an item of its own",
     BARE("ask_first = { '/b', hidden = { 409, 'text/plain', '{run_id}' } }"),
     NULL},

    /* runs, copies, streams, what is sent */
    {"remember", ROW("rewrite = { stamp = 'm' }, remember = 'run'"), NULL},
    {"remember alone", ROW("remember = 'run'"), "enforce: neither ask_first"},
    {"remember that is true", ROW("rewrite = { stamp = 'm' }, remember = true"),
     "remember must be a text"},
    {"remember something else",
     ROW("rewrite = { stamp = 'm' }, remember = 'thread'"),
     "remember 'thread' is unknown"},
    {"asks", BARE("asks = 'run'"), NULL},
    {"asks without a run", ROW("asks = 'run'"),
     "asks: the path has no {run_id}"},
    {"asks that is a list", BARE("asks = { 'run' }"), "asks must be a text"},
    {"asks something else", BARE("asks = 'thread'"),
     "asks 'thread' is unknown"},
    {"copies", BARE("ask_first = '/b', copies = '/b/{answer.id}'"), NULL},
    {"copies of a list", BARE("check = 'list', copies = '/b/{answer.id}'"),
     "copies: the answer is one object"},
    {"copies to what is not there",
     BARE("ask_first = '/b', copies = '/b/{answer.id}/{x}'"),
     "copies: {x} is no parameter"},
    {"copies alone", BARE("copies = '/b/{answer.id}'"),
     "enforce: neither ask_first"},
    {"copies to nowhere", BARE("ask_first = '/b', copies = '/b/{id}'"),
     "copies: the path has no {answer.…}"},
    {"copies that is true", BARE("ask_first = '/b', copies = true"),
     "copies: a path is missing"},
    {"a stream", BARE("ask_first = '/b', stream = true"), NULL},
    {"no stream", BARE("check = 'object', stream = false"), NULL},
    {"a stream alone", BARE("stream = true"), "enforce: neither ask_first"},
    {"a stream that is looked at", BARE("check = 'object', stream = true"),
     "a stream is passed on as it comes"},
    {"a stream that is copied",
     BARE("ask_first = '/b', copies = '/b/{answer.id}', stream = true"),
     "a stream is passed on as it comes"},
    {"a websocket",
     "route { 'GET', '/a', websocket = true, events = { { 't', 'read' } },"
     " enforce = { ask_first = '/b' } }",
     NULL},
    {"a websocket that is looked at",
     "route { 'GET', '/a', websocket = true, events = { { 't', 'read' } },"
     " enforce = { check = 'object' } }",
     "a stream is passed on as it comes"},
    {"a stream that is a text", BARE("ask_first = '/b', stream = 'yes'"),
     "stream must be true or false"},
    {"what is sent", ROW("sent = true"), NULL},
    {"what is sent, a text", ROW("sent = 'yes'"), "sent must be true or false"},
    {"what is sent, unread", BARE("sent = true"), "sent reads the body"},
};

static void words(void **state)
{
    const aa_route_t *route;
    const char *why;
    apr_pool_t *p;
    json_t *made;
    int wrong = 0, as_expected;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        apr_pool_create(&p, root);
        made = json_array();
        route = compiled(&why, rules[i].text, 1, made, p);
        print_message("%s: %s\n", rules[i].name, why ? why : "let in");
        as_expected =
            rules[i].why ? !route && strstr(why, rules[i].why) : route != NULL;
        if (!as_expected) {
            print_error("  instead of: %s\n", rules[i].why);
            wrong++;
        }
        json_decref(made);
        apr_pool_destroy(p);
    }
    assert_int_equal(wrong, 0);
}

static const char *joined(const char *const *texts)
{
    const char *text = "";

    for (; texts && *texts; texts++)
        text = apr_pstrcat(root, text, *text ? " " : "", *texts, NULL);
    return text;
}

static void asks_arrive(void **state)
{
    static const char text[] =
        ROW("hidden = { 410 }, ask_first = {"
            " '/t/{id}', { '/a/{body.a}', events = { 'a:read' }, each = true,"
            " hold = 'exclusive', optional = true, absent = 'matching',"
            " exempt = { by = 's' }, same = { x = '{id}' },"
            " hidden = { 409, 't/p', 'no' } },"
            " { '/c', events = {}, create = { path = '/n', stamp = 'm',"
            " body = { y = '{id}' }, when = { 'w', 'is' },"
            " after = { 'th', 'en' } } } }");
    json_t *made = json_array();
    const aa_rule_t *rule;
    const aa_ask_t *ask;
    const char *why;

    (void)state;
    rule = compiled(&why, text, 1, made, root)->rule;
    ask = rule->asks;
    assert_int_equal(rule->nasks, 3);
    assert_string_equal(ask[0].path, "/t/{id}");
    assert_true(!ask[0].events && ask[0].hold == AA_HOLD_SHARED &&
                !ask[0].optional && !ask[0].each && !ask[0].absent &&
                !ask[0].create && !ask[0].exempt && !ask[0].same &&
                !ask[0].status && !ask[0].body);
    assert_string_equal(ask[1].path, "/a/{body.a}");
    assert_string_equal(joined(ask[1].events), "a:read");
    assert_true(ask[1].hold == AA_HOLD_EXCLUSIVE && ask[1].optional &&
                ask[1].each && ask[1].absent == AA_ABSENT_MATCHING);
    assert_string_equal(json_string_value(json_object_get(ask[1].exempt, "by")),
                        "s");
    assert_string_equal(json_string_value(json_object_get(ask[1].same, "x")),
                        "{id}");
    assert_int_equal(ask[1].status, 409);
    assert_string_equal(ask[1].type, "t/p");
    assert_string_equal(ask[1].body, "no");
    assert_true(ask[2].events && !ask[2].events[0]);
    assert_string_equal(ask[2].create->path, "/n");
    assert_string_equal(ask[2].create->stamp, "m");
    assert_string_equal(
        json_string_value(json_object_get(ask[2].create->body, "y")), "{id}");
    assert_string_equal(ask[2].create->when_member, "w");
    assert_string_equal(ask[2].create->when_is, "is");
    assert_string_equal(ask[2].create->then_member, "th");
    assert_string_equal(ask[2].create->then_is, "en");
    assert_int_equal(rule->hidden_status, 410);
    assert_null(rule->hidden_type);
    assert_string_equal(joined(rule->match), "metadata");
    json_decref(made);
}

static void rewrites_arrive(void **state)
{
    static const char text[] =
        CHANGED("query",
                "check = 'list', match = { 'v', 'k' }, wrap = 'n', sent = true,"
                " events = { 't:create' }, remember = 'run',"
                " hidden = { 404, 't/p', 'no {id}' },"
                " page = { limit = { 'l', 5 }, offset = 'o', max = 6,"
                " items = 'i', select = 's', total = 'x-t', next = 'x-n' },"
                " rewrite = { stamp = 'a', keep = 'b', restrict = 'c',"
                " configurable = 'd', webhook = 'e', query = { 'q' },"
                " drop_query = { 'f' }, drop_body = { 'g' },"
                " drop_headers = { 'h-*' } }");
    json_t *made = json_array();
    const aa_rule_t *r;
    const char *why;

    (void)state;
    r = compiled(&why, text, 1, made, root)->rule;
    assert_true(!r->refuse && !r->nasks && r->check == AA_CHECK_LIST &&
                r->sent && !r->long_lived && r->remembers_run && !r->each &&
                !r->asks_runs && !r->copies);
    assert_string_equal(r->stamp, "a");
    assert_string_equal(r->keep, "b");
    assert_string_equal(r->restrict_to, "c");
    assert_string_equal(r->configurable, "d");
    assert_string_equal(r->webhook, "e");
    assert_string_equal(joined(r->set_query), "q");
    assert_string_equal(joined(r->drop_query), "f");
    assert_string_equal(joined(r->drop_body), "g");
    assert_string_equal(joined(r->drop_headers), "h-*");
    assert_string_equal(joined(r->match), "v k");
    assert_string_equal(joined(r->events), "t:create");
    assert_string_equal(r->wrap, "n");
    assert_string_equal(r->hidden_type, "t/p");
    assert_string_equal(r->hidden_body, "no {id}");
    assert_string_equal(r->page.limit, "l");
    assert_string_equal(r->page.offset, "o");
    assert_true(r->page.limit_default == 5 && r->page.limit_max == 6 &&
                !r->page.in_query && !r->page.search);
    assert_string_equal(r->page.items, "i");
    assert_string_equal(r->page.select, "s");
    assert_string_equal(r->page.total, "x-t");
    assert_string_equal(r->page.next, "x-n");
    json_decref(made);
}

/* Words that those above exclude. */
static void the_others_arrive(void **state)
{
    json_t *made = json_array();
    const aa_rule_t *r;
    const char *why;

    (void)state;
    r = compiled(&why, BARE("asks = 'run', stream = true"), 1, made, root)
            ->rule;
    assert_true(r->asks_runs && r->long_lived && !r->remembers_run &&
                !r->sent && !r->check && !r->copies && !r->refuse);
    assert_int_equal(r->hidden_status, 404);
    assert_null(r->hidden_body);
    json_array_clear(made);
    r = compiled(&why, BARE("check = 'object', copies = '/t/{answer.id}'"), 1,
                 made, root)
            ->rule;
    assert_string_equal(r->copies, "/t/{answer.id}");
    assert_int_equal(r->check, AA_CHECK_OBJECT);
    json_array_clear(made);
    r = compiled(&why,
                 ROW("check = 'count', page = { limit = { 'l', 5 },"
                     " offset = 'o', search = '/t/{id}/search' }"),
                 1, made, root)
            ->rule;
    assert_int_equal(r->check, AA_CHECK_COUNT);
    assert_string_equal(r->page.search, "/t/{id}/search");
    assert_int_equal(r->page.limit_max, 1000);
    json_array_clear(made);
    r = compiled(&why, BARE("refuse = 'why'"), 1, made, root)->rule;
    assert_string_equal(r->refuse, "why");
    json_decref(made);
}

/* Only a gateway reads more of the request, and only its rule must fit. */
static void without_a_gateway(void **state)
{
    static const char text[] =
        "route { 'POST', '/t', body = 'json', events = { { 't', 'read' } },"
        " enforce = { ask_first = { '/b/{body.x}?y={query.y}', events = { "
        "'n:one' } } } }";
    json_t *made = json_array();
    const aa_route_t *route;
    const char *why;

    (void)state;
    route = compiled(&why, text, 0, made, root);
    assert_non_null(route);
    assert_false(route->reads_body);
    assert_null(route->query_names[0]);
    json_array_clear(made);
    assert_null(compiled(&why, text, 1, made, root));
    assert_non_null(strstr(why, "the row has no event 'n:one'"));
    json_array_clear(made);
    route = compiled(&why,
                     "route { 'POST', '/t', body = 'json',"
                     " events = { { 't', 'read' } }, enforce = { ask_first = "
                     "'/b/{body.x}?y={query.y}' } }",
                     1, made, root);
    assert_true(route->reads_body);
    assert_string_equal(joined(route->query_names), "y");
    json_decref(made);
}

/* Elements of an array are what the events say. */
static void each_comes_from_the_events(void **state)
{
    json_t *made = json_array();
    const char *why;

    (void)state;
    assert_true(compiled(&why, EACH("rewrite = { stamp = 'm' }"), 1, made, root)
                    ->rule->each);
    json_decref(made);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(asks_arrive),
        cmocka_unit_test(rewrites_arrive),
        cmocka_unit_test(the_others_arrive),
        cmocka_unit_test(without_a_gateway),
        cmocka_unit_test(each_comes_from_the_events),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&root, NULL);
    failed = cmocka_run_group_tests_name("rules", tests, NULL, NULL);
    apr_pool_destroy(root);
    apr_terminate();
    return failed;
}
