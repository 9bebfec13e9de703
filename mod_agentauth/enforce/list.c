/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and counts under a filter that the backend's search cannot express:
 * fetched page by page, matched here, cut to the page that was asked for. */
#include <stdlib.h>
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"
#include "base/json.h"
#include "enforce/steps.h"
#include "model/limits.h"

#define NUMBER_DIGITS_MAX 9

/** One list under way. */
typedef struct scan_t {
    aa_task_t *task;
    const aa_page_t *page;
    json_t *filter;
    long limit, offset; /* as the client asked */
    long matched;       /* so far */
    long fetched;       /* elements looked at so far */
    apr_size_t bytes;   /* of answers so far */
    apr_time_t deadline;
    json_t *parameters;         /* with in_query */
    apr_array_header_t *hidden; /* const char *: fields that were not wanted */
    apr_array_header_t *texts;  /* aa_span_t: what will be answered */
    apr_table_t *headers;       /* of the backend's last answer */
} scan_t;

/* ------------------------------------------------------------- what is asked
 */

/* A parameter of the query is a text. */
static int number_of(long *number, const json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;

    if (json_is_integer(value)) {
        *number = (long)json_integer_value(value);
        return 1;
    }
    if (!text || !apr_isdigit(*text) || strlen(text) > NUMBER_DIGITS_MAX)
        return 0;
    *number = strtol(text, &end, 10);
    return !*end;
}

static apr_status_t read_number(long *number, aa_task_t *task,
                                const json_t *value, long most,
                                const char *name)
{
    if (!value || json_is_null(value) ||
        (number_of(number, value) && *number >= 0 && *number <= most))
        return APR_SUCCESS;
    return aa_task_refuse(task, AA_E_ENFORCE_BODY, "%s must be 0 to %ld", name,
                          most);
}

static apr_status_t read_page(scan_t *scan)
{
    aa_task_t *task = scan->task;
    const aa_page_t *page = scan->page;
    const json_t *from = task->json;
    apr_status_t rv = APR_SUCCESS;

    scan->limit = page->limit_default;
    if (page->in_query) {
        rv = aa_query_read(&scan->parameters, task);
        from = scan->parameters;
    }
    if (rv == APR_SUCCESS && page->limit)
        rv = read_number(&scan->limit, task, json_object_get(from, page->limit),
                         page->limit_max, page->limit);
    if (rv == APR_SUCCESS && page->offset)
        rv = read_number(&scan->offset, task,
                         json_object_get(from, page->offset),
                         AA_LIST_OFFSET_MAX, page->offset);
    return rv;
}

/* Fields that filters look into are fetched, whether wanted or not. */
static apr_status_t widen(aa_edit_t *edit, scan_t *scan)
{
    const char *const *match = scan->task->rule->match;
    const char *name = scan->page->select;
    json_t *wanted = name ? json_object_get(edit->json, name) : NULL, *copy;

    if (!json_is_array(wanted) || !strcmp(match[0], "."))
        return APR_SUCCESS;
    copy = aa_json_own(json_copy(wanted), scan->task->p);
    for (; *match; match++) {
        const json_t *field;
        size_t i;
        int there = 0;

        json_array_foreach(wanted, i, field) there |=
            json_is_string(field) && !strcmp(json_string_value(field), *match);
        if (there)
            continue;
        json_array_append_new(copy, json_string(*match));
        APR_ARRAY_PUSH(scan->hidden, const char *) = *match;
    }
    return aa_edit_set(edit, name, copy);
}

static long page_size(const scan_t *scan)
{
    long max = scan->page->limit_max;

    return max && max < AA_LIST_PAGE ? max : AA_LIST_PAGE;
}

/** One question for a page. */
typedef struct page_t {
    const char *method, *target, *body;
    apr_size_t len;
} page_t;

static apr_status_t page_in_body(page_t *ask, scan_t *scan)
{
    aa_task_t *task = scan->task;
    aa_edit_t edit = {.task = task, .text = {task->body, task->body_len}};
    apr_status_t rv;

    edit.json = aa_json_own(json_copy(task->json), task->p);
    rv = aa_edit_set(&edit, scan->page->limit,
                     aa_json_own(json_integer(page_size(scan)), task->p));
    if (rv == APR_SUCCESS)
        rv = aa_edit_set(&edit, scan->page->offset,
                         aa_json_own(json_integer(scan->fetched), task->p));
    ask->body = edit.text.text;
    ask->len = edit.text.len;
    return rv;
}

static void page_in_query(page_t *ask, scan_t *scan)
{
    apr_pool_t *p = scan->task->p;
    json_t *parameters = aa_json_own(json_copy(scan->parameters), p);

    json_object_set_new(parameters, scan->page->limit,
                        json_string(apr_ltoa(p, page_size(scan))));
    json_object_set_new(parameters, scan->page->offset,
                        json_string(apr_ltoa(p, scan->fetched)));
    ask->target =
        aa_task_target(scan->task, aa_query_write(parameters, p)).target;
}

static apr_status_t next_page(page_t *ask, scan_t *scan)
{
    aa_task_t *task = scan->task;
    const aa_page_t *page = scan->page;
    aa_filled_t filled;
    const char *why;

    ask->method = strcmp(task->method, "HEAD") ? task->method : "GET";
    ask->target = aa_task_target(task, task->query).target;
    ask->body = task->body;
    ask->len = task->body_len;
    if (task->rule->check == AA_CHECK_COUNT && page->search) {
        if (aa_template_fill(&filled, &why, page->search, task, task->json) !=
            APR_SUCCESS)
            return aa_task_refuse(task, AA_E_INTERNAL, "%s", page->search);
        ask->method = "POST";
        ask->target = filled.target;
    }
    if (!page->limit || !page->offset)
        return APR_SUCCESS;
    if (!page->in_query)
        return page_in_body(ask, scan);
    page_in_query(ask, scan);
    return APR_SUCCESS;
}

/* ------------------------------------------------------------- what is
 * answered */

/* As the backend wrote it, but for fields that only we wanted. */
static aa_span_t element_text(const scan_t *scan, const json_t *element,
                              const aa_span_t *raw, apr_pool_t *p)
{
    aa_span_t text;

    if (raw && !scan->hidden->nelts) {
        text.len = raw->len;
        text.text = apr_pstrmemdup(p, raw->text, raw->len);
        return text;
    }
    for (int i = 0; i < scan->hidden->nelts; i++)
        json_object_del((json_t *)element,
                        APR_ARRAY_IDX(scan->hidden, i, const char *));
    return aa_splice_dump(element, p);
}

static int wants_more(const scan_t *scan)
{
    return scan->task->rule->check == AA_CHECK_COUNT ||
           scan->texts->nelts < scan->limit;
}

static void take(scan_t *scan, const json_t *element, const aa_span_t *raw,
                 apr_pool_t *p)
{
    const aa_task_t *task = scan->task;
    const json_t *view = aa_task_view(task, task->rule->match, element);

    if (!view || !aa_filter_match(scan->filter, view))
        return;
    scan->matched++;
    if (task->rule->check == AA_CHECK_LIST && scan->matched > scan->offset &&
        scan->texts->nelts < scan->limit)
        APR_ARRAY_PUSH(scan->texts, aa_span_t) =
            element_text(scan, element, raw, p);
}

/* @param p outlives the page */
static apr_status_t read_answer(apr_size_t *n, scan_t *scan,
                                const aa_backend_answer_t *answer,
                                apr_pool_t *p)
{
    const char *items = scan->page->items;
    json_t *json, *list, *element;
    aa_span_t whole = {answer->body, answer->len}, *raw = NULL;
    size_t i;
    apr_status_t rv = aa_task_json(&json, scan->task, answer);

    if (rv != APR_SUCCESS)
        return rv;
    list = items ? aa_member_at(json, items) : json;
    if (!json_is_array(list))
        return aa_task_refuse(scan->task, AA_E_BACKEND,
                              "its answer is no list");
    *n = json_array_size(list);
    if (!items && *n) {
        raw = apr_palloc(scan->task->p, *n * sizeof(*raw));
        if (aa_splice_elements(raw, (int)*n, whole) != (int)*n)
            raw = NULL;
    }
    json_array_foreach(list, i, element)
        take(scan, element, raw ? &raw[i] : NULL, p);
    return APR_SUCCESS;
}

static apr_status_t within_bounds(const scan_t *scan)
{
    if (scan->fetched <= AA_LIST_ELEMENTS_MAX &&
        scan->bytes < AA_LIST_BYTES_MAX && apr_time_now() < scan->deadline)
        return APR_SUCCESS;
    return aa_task_refuse(scan->task, AA_E_ENFORCE_BOUND,
                          "%ld elements, %" APR_SIZE_T_FMT
                          " bytes were looked at",
                          scan->fetched, scan->bytes);
}

/* @param last out: 1: there is nothing after it */
static apr_status_t one_page(int *last, scan_t *scan, apr_pool_t *p)
{
    page_t ask;
    aa_backend_answer_t answer;
    apr_size_t n = 0;
    apr_status_t rv = within_bounds(scan);

    if (rv == APR_SUCCESS)
        rv = next_page(&ask, scan);
    if (rv == APR_SUCCESS)
        rv = aa_task_query(&answer, scan->task, ask.method, ask.target,
                           ask.body, ask.len);
    if (rv != APR_SUCCESS)
        return rv;
    if (answer.status >= 300) { /* a search that it refuses: its own words */
        aa_task_pass(scan->task, &answer, p);
        return APR_SUCCESS;
    }
    scan->bytes += answer.len;
    scan->headers = aa_task_headers(&answer, p);
    rv = read_answer(&n, scan, &answer, p);
    scan->fetched += (long)n;
    *last = !scan->page->limit || (long)n < page_size(scan);
    return rv;
}

/* Each page has a pool of its own; a refusal keeps it for its reason. */
static apr_status_t all_pages(scan_t *scan)
{
    aa_task_t *task = scan->task;
    apr_pool_t *p = task->p;
    apr_status_t rv = APR_SUCCESS;
    int last = 0;

    while (rv == APR_SUCCESS && !last && !task->reply && wants_more(scan)) {
        apr_pool_create(&task->p, p);
        rv = one_page(&last, scan, p);
        if (rv == APR_SUCCESS)
            apr_pool_destroy(task->p);
        task->p = p;
    }
    return rv;
}

/* ------------------------------------------------------------------ the answer
 */

/* "a.b": {"a":{"b": */
static void around(const char **head, const char **tail, const char *items,
                   apr_pool_t *p)
{
    *head = *tail = "";
    while (items) {
        size_t n = strcspn(items, ".");

        *head = apr_pstrcat(p, *head, "{\"", apr_pstrmemdup(p, items, n),
                            "\":", NULL);
        *tail = apr_pstrcat(p, *tail, "}", NULL);
        items = items[n] ? items + n + 1 : NULL;
    }
}

static const char *joined(apr_size_t *len, const scan_t *scan)
{
    apr_pool_t *p = scan->task->p;
    const aa_span_t *texts = (const aa_span_t *)scan->texts->elts;
    const char *head, *tail;
    apr_size_t size = 3;
    char *text, *to;

    around(&head, &tail, scan->page->items, p);
    for (int i = 0; i < scan->texts->nelts; i++)
        size += texts[i].len + 1;
    to = text = apr_palloc(p, size + strlen(head) + strlen(tail));
    to = apr_cpystrn(to, head, strlen(head) + 1);
    *to++ = '[';
    for (int i = 0; i < scan->texts->nelts; i++) {
        if (i)
            *to++ = ',';
        memcpy(to, texts[i].text, texts[i].len);
        to += texts[i].len;
    }
    *to++ = ']';
    to = apr_cpystrn(to, tail, strlen(tail) + 1);
    *len = (apr_size_t)(to - text);
    return text;
}

/* As the backend would say it of what was answered. */
static void say_pages(aa_reply_t *reply, const scan_t *scan)
{
    apr_pool_t *p = scan->task->p;
    long end = scan->offset + scan->texts->nelts;
    int more = scan->texts->nelts == scan->limit;

    if (scan->page->next && more)
        apr_table_setn(reply->headers, scan->page->next, apr_ltoa(p, end));
    if (scan->page->total)
        apr_table_setn(reply->headers, scan->page->total,
                       apr_ltoa(p, end + more));
}

/* What the backend said of its answer is not true of ours. */
static apr_table_t *headers_of(const scan_t *scan)
{
    static const char *const untrue[] = {
        "ETag",          "Last-Modified", "Content-Encoding",
        "Accept-Ranges", "Link",          NULL};
    apr_table_t *headers = scan->headers;

    /* Nothing was wanted, so nothing was asked; or a search was, which says how
     * many there are of others. */
    if (!headers || scan->task->rule->check == AA_CHECK_COUNT)
        return apr_table_make(scan->task->p, 2);
    for (const char *const *name = untrue; *name; name++)
        apr_table_unset(headers, *name);
    if (scan->page->next)
        apr_table_unset(headers, scan->page->next);
    if (scan->page->total)
        apr_table_unset(headers, scan->page->total);
    return headers;
}

static apr_status_t answer(scan_t *scan)
{
    aa_task_t *task = scan->task;
    int counts = task->rule->check == AA_CHECK_COUNT;
    const char *text = apr_ltoa(task->p, scan->matched);
    apr_size_t len = strlen(text);

    if (!counts)
        text = joined(&len, scan);
    (void)aa_task_reply(task, 200, "application/json", text, len);
    task->reply->headers = headers_of(scan);
    if (!counts && scan->page->limit)
        say_pages(task->reply, scan);
    return APR_SUCCESS;
}

/* What is left to do here: 0 when the backend's own search does it all. */
static int needs_scan(scan_t *scan)
{
    const aa_rule_t *rule = scan->task->rule;
    json_t *pairs;
    int rest, clash;

    if (rule->check != AA_CHECK_LIST && rule->check != AA_CHECK_COUNT)
        return 0;
    scan->filter = aa_task_filter(scan->task, rule->events);
    if (!scan->filter)
        return 0;
    aa_filter_pairs(&pairs, &rest, &clash, scan->filter, scan->task->p);
    /* Without a body nothing was restricted. */
    return rest || clash || !rule->restrict_to || !scan->task->json;
}

apr_status_t aa_step_list(aa_task_t *task)
{
    scan_t scan = {.task = task, .page = &task->rule->page};
    aa_edit_t edit = {
        .task = task, .text = {task->body, task->body_len}, .json = task->json};
    apr_status_t rv;

    if (!needs_scan(&scan))
        return APR_SUCCESS;
    if (task->body_len > AA_LIST_BODY_MAX) /* it is sent with every page */
        return aa_task_refuse(task, AA_E_ENFORCE_BODY,
                              "a search of more than %d bytes",
                              AA_LIST_BODY_MAX);
    scan.deadline = apr_time_now() + AA_LIST_TIME_MAX;
    scan.texts = apr_array_make(task->p, 16, sizeof(aa_span_t));
    scan.hidden = apr_array_make(task->p, 4, sizeof(const char *));
    rv = read_page(&scan);
    if (rv == APR_SUCCESS && task->json) {
        rv = widen(&edit, &scan);
        task->body = edit.text.text;
        task->body_len = edit.text.len;
    }
    if (rv == APR_SUCCESS)
        rv = all_pages(&scan);
    return rv == APR_SUCCESS && !task->reply ? answer(&scan) : rv;
}
