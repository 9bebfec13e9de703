/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libagentpolicy: the `enforce` table of a row, checked and compiled. */
#ifndef AA_RULE_H
#define AA_RULE_H

#include "form.h"
#include "route.h"

/** A rule under way. */
typedef struct aa_rule_in_t {
    aa_form_t *form;
    aa_route_t *route;           /* all of it is compiled but the rule */
    const char *const *params;   /* names in its path */
    apr_array_header_t *queries; /* const char *: parameters that are read, and
                                    so may not be sent twice */
    int gateway; /* the rule will be used: it must fit the row, and reads its
                    body; else only its form counts, since the row may lack
                    the events that it has for a gateway */
} aa_rule_in_t;

/** Compile a rule into the row. @return 1; 0: form->why says what is wrong */
int aa_rule_compile(const aa_rule_in_t *in, const json_t *table);

/* ------------------------------------------- what rules are made of
 *
 * Each returns 1, or 0 with form->why set; @a what begins the message. */

/** What a template may speak of besides parameters of the path. */
typedef enum aa_template_e {
    AA_TEMPLATE_REQUEST, /* {body.…} and {query.…} */
    AA_TEMPLATE_ANSWER   /* {answer.…}, too */
} aa_template_e;

/** A template, any text. */
int aa_rule_template(const aa_rule_in_t *in, const char *text, const char *what,
                     aa_template_e kind);

/** A template that is a path. */
int aa_rule_path(const aa_rule_in_t *in, const char *text, const char *what,
                 aa_template_e kind);

/** The texts of a JSON object are templates; it has no lists, whose texts
 *  would be none. */
int aa_rule_json(const aa_rule_in_t *in, const json_t *object,
                 const char *what);

/** A member of the body, "a" or "a.b"; NULL stays NULL. */
int aa_rule_member(const aa_rule_in_t *in, const char **member,
                   const json_t *text, const char *what);

/** A member of an object that is not the request's body, "a" or "a.b"; NULL
 *  stays NULL. */
int aa_rule_inner(const aa_rule_in_t *in, const char **member,
                  const json_t *text, const char *what);

/** A name that may not be empty; NULL stays NULL. */
int aa_rule_name(const aa_rule_in_t *in, const char **name, const json_t *text,
                 const char *what);

/** A list of names; NULL stays NULL. */
int aa_rule_names(const aa_rule_in_t *in, const char *const **names,
                  const json_t *list, const char *what);

/** A list of events "resource:action" of the row; NULL stays NULL. */
int aa_rule_events(const aa_rule_in_t *in, const char *const **events,
                   const json_t *list, const char *what);

/** { status, "type", "text" }; NULL changes nothing. */
int aa_rule_hidden(const aa_rule_in_t *in, int *status, const char **type,
                   const char **text, const json_t *list);

/** The body is read for a rule. */
int aa_rule_reads_body(const aa_rule_in_t *in, const char *what);

/** `ask_first`: a text, an item, or a list of those. */
int aa_rule_asks(const aa_rule_in_t *in, const aa_ask_t **asks, int *n,
                 const json_t *json);

/** What all of a rule says fits together, and fits its row. */
int aa_rule_fits(const aa_rule_in_t *in, const aa_rule_t *rule);

#endif
