/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of path segments: cost follows the path's length, not the rows. */
#include <string.h>

#include "apr_strings.h"

#include "row.h"
#include "trie.h"

typedef struct node_t node_t;

/** One literal segment below a node. */
typedef struct child_t {
    const char *segment; /* NULL: free */
    size_t len;
    unsigned hash;
    node_t *node;
} child_t;

/** A row at a node, with the names of its path's parameters. */
typedef struct leaf_t {
    const aa_route_t *route;
    const char *names[AA_ROUTE_PARAMS_MAX];
    int nnames;
    struct leaf_t *next; /* other methods */
} leaf_t;

struct node_t {
    child_t *children; /* open addressing; a power of two, half empty */
    unsigned size, used;
    node_t *param;  /* below {name} */
    leaf_t *leaves; /* rows that end here */
    leaf_t *tails;  /* rows whose {name...} begins here */
};

struct aa_trie_t {
    node_t root;
    apr_pool_t *p;
};

/* ------------------------------------------------------------- children */

/* FNV-1a: rows come from the administrator, nobody chooses collisions. */
static unsigned hash_of(const char *segment, size_t len)
{
    unsigned hash = 2166136261u;

    while (len--)
        hash = (hash ^ (unsigned char)*segment++) * 16777619u;
    return hash;
}

/* The place of a segment: its own, or the free one where it would be. */
static child_t *place_of(const node_t *node, const char *segment, size_t len,
                         int *steps)
{
    unsigned hash = hash_of(segment, len), i = hash;
    child_t *child;

    for (;; i++) {
        child = &node->children[i & (node->size - 1)];
        ++*steps;
        if (!child->segment || (child->hash == hash && child->len == len &&
                                !memcmp(child->segment, segment, len)))
            return child;
    }
}

static void grow(node_t *node, apr_pool_t *p)
{
    child_t *old = node->children;
    unsigned i, n = node->size;
    int steps = 0;

    node->size = n ? n * 2 : 4;
    node->children = apr_pcalloc(p, sizeof(*node->children) * node->size);
    for (i = 0; i < n; i++)
        if (old[i].segment)
            *place_of(node, old[i].segment, old[i].len, &steps) = old[i];
}

static node_t *child_made(node_t *node, const char *segment, size_t len,
                          apr_pool_t *p)
{
    child_t *child;
    int steps = 0;

    if ((node->used + 1) * 2 > node->size)
        grow(node, p);
    child = place_of(node, segment, len, &steps);
    if (!child->segment) {
        child->segment = segment;
        child->len = len;
        child->hash = hash_of(segment, len);
        child->node = apr_pcalloc(p, sizeof(*child->node));
        node->used++;
    }
    return child->node;
}

/* ------------------------------------------------------------- building */

aa_trie_t *aa_trie_create(apr_pool_t *p)
{
    aa_trie_t *trie = apr_pcalloc(p, sizeof(*trie));

    trie->p = p;
    return trie;
}

static apr_status_t put_leaf(const aa_route_t **old, leaf_t **leaves,
                             leaf_t *leaf)
{
    leaf_t *have;
    int n = 0;

    for (; *leaves; leaves = &(*leaves)->next, n++) {
        have = *leaves;
        if (!strcmp(have->route->method, leaf->route->method)) {
            *old = have->route;
            leaf->next = have->next;
            *leaves = leaf;
            return APR_SUCCESS;
        }
    }
    *leaves = leaf;
    return n < AA_TRIE_METHODS_MAX ? APR_SUCCESS : APR_ENOSPC;
}

apr_status_t aa_trie_put(const aa_route_t **old, aa_trie_t *trie,
                         const aa_route_t *route)
{
    leaf_t *leaf = apr_pcalloc(trie->p, sizeof(*leaf));
    const char *segment, *next;
    node_t *node = &trie->root;
    int is_tail = 0;
    size_t len;

    *old = NULL;
    leaf->route = route;
    for (segment = route->path + 1; segment; segment = next) {
        len = strcspn(segment, "/");
        next = segment[len] ? segment + len + 1 : NULL;
        if (*segment != '{') {
            node = child_made(node, segment, len, trie->p);
            continue;
        }
        is_tail = len > 5 && !strncmp(segment + len - 4, "...}", 4);
        leaf->names[leaf->nnames++] =
            apr_pstrmemdup(trie->p, segment + 1, len - (is_tail ? 5 : 2));
        if (is_tail)
            break;
        if (!node->param)
            node->param = apr_pcalloc(trie->p, sizeof(*node->param));
        node = node->param;
    }
    return put_leaf(old, is_tail ? &node->tails : &node->leaves, leaf);
}

/* -------------------------------------------------------------- finding */

/** One search; values are spans of the path. */
typedef struct search_t {
    const char *method;
    int steps;
    struct {
        const char *text;
        size_t len;
    } values[AA_ROUTE_PARAMS_MAX];
} search_t;

static const leaf_t *leaf_of(search_t *search, const leaf_t *leaves)
{
    for (; leaves; leaves = leaves->next) {
        search->steps++;
        if (!strcmp(leaves->route->method, search->method))
            return leaves;
    }
    return NULL;
}

static const node_t *child_of(search_t *search, const node_t *node,
                              const char *segment, size_t len)
{
    return node->size ? place_of(node, segment, len, &search->steps)->node
                      : NULL;
}

/* Depth is bounded by that of the deepest row. @a rest NULL: the path ends. */
static const leaf_t *walk(search_t *search, const node_t *node,
                          const char *rest, int nvalues)
{
    const leaf_t *leaf = NULL;
    const node_t *child;
    const char *next;
    size_t len;

    search->steps++;
    if (!rest)
        return leaf_of(search, node->leaves);
    len = strcspn(rest, "/");
    next = rest[len] ? rest + len + 1 : NULL;
    child = child_of(search, node, rest, len);
    if (child)
        leaf = walk(search, child, next, nvalues);
    if (leaf || !*rest || nvalues == AA_ROUTE_PARAMS_MAX)
        return leaf;
    search->values[nvalues].text = rest;
    search->values[nvalues].len = len;
    if (len && node->param)
        leaf = walk(search, node->param, next, nvalues + 1);
    if (leaf || !node->tails)
        return leaf;
    search->values[nvalues].len = strlen(rest);
    return leaf_of(search, node->tails);
}

apr_status_t aa_trie_find(aa_route_match_t *match, const aa_trie_t *trie,
                          const char *method, const char *path, int *steps,
                          apr_pool_t *p)
{
    search_t search = {0};
    const leaf_t *leaf;
    int i;

    search.method = strcmp(method, "HEAD") ? method : "GET";
    leaf = walk(&search, &trie->root, path + 1, 0);
    if (steps)
        *steps += search.steps;
    if (!leaf)
        return APR_ENOENT;
    match->route = leaf->route;
    match->nparams = leaf->nnames;
    for (i = 0; i < leaf->nnames; i++) {
        match->params[i].name = leaf->names[i];
        match->params[i].value =
            apr_pstrmemdup(p, search.values[i].text, search.values[i].len);
    }
    return APR_SUCCESS;
}
