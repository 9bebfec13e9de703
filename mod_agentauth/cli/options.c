/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line: noun, verb, one word, options anywhere. */
#include <stdio.h>
#include <string.h>

#include "apr_strings.h"
#include "cli/command.h"
#include "base/spelling.h"

#define WORDS_MAX 64 /* words that a wrong one is compared with */

/* -------------------------------------------------------------------- help */

static void options_print(const aa_cli_t *cli, const aa_option_t *options)
{
    for (; options && options->name; options++)
        printf("  %-22s %s\n",
               apr_pstrcat(cli->pool, options->name, options->value ? " " : "",
                           options->value ? options->value : "", NULL),
               options->help);
}

static const char *command_line(const aa_cli_t *cli,
                                const aa_command_t *command)
{
    const char *line = command->noun;

    if (command->verb)
        line = apr_pstrcat(cli->pool, line, " ", command->verb, NULL);
    if (command->words)
        line = apr_pstrcat(cli->pool, line, " ", command->words, NULL);
    return line;
}

static void help_command(const aa_cli_t *cli, const aa_command_t *command)
{
    printf("agentauth %s%s\n\n%s\n", command_line(cli, command),
           command->options ? " [OPTION]…" : "", command->help);
    if (command->options) {
        printf("\nOptions:\n");
        options_print(cli, command->options);
    }
    printf("\nEverywhere:\n");
    options_print(cli, aa_global_options);
}

/* All commands, or those of one noun. */
static void help_commands(const aa_cli_t *cli, const char *noun)
{
    printf("agentauth COMMAND [OPTION]…\n\nCommands:\n");
    for (const aa_command_t *row = aa_commands; row->noun; row++)
        if (!noun || !strcmp(noun, row->noun))
            printf("  %-22s %s\n", command_line(cli, row), row->help);
    printf("\nEverywhere:\n");
    options_print(cli, aa_global_options);
    printf("\nExit status: 0 fine, 1 failure, 2 usage, 3 a policy does not "
           "load,\n4 tests failed, 5 the answer was deny (--exit-code).\n");
}

static void help(const aa_cli_t *cli, const char *noun)
{
    if (cli->command)
        help_command(cli, cli->command);
    else
        help_commands(cli, noun);
}

/* ------------------------------------------------------------ unknown words */

static int unknown(const aa_cli_t *cli, const char *kind, const char *word,
                   const char *const *words)
{
    const char *near = aa_spelling_nearest(word, words);

    if (near)
        return aa_cli_usage(cli, "no %s '%s'; did you mean '%s'?", kind, word,
                            near);
    return aa_cli_usage(cli, "no %s '%s'; see agentauth --help", kind, word);
}

static int unknown_noun(const aa_cli_t *cli, const char *word)
{
    const char *words[WORDS_MAX + 1] = {NULL};
    int n = 0;

    for (const aa_command_t *row = aa_commands; row->noun && n < WORDS_MAX;
         row++)
        words[n++] = row->noun;
    return unknown(cli, "command", word, words);
}

static int unknown_verb(const aa_cli_t *cli, const char *noun, const char *word)
{
    const char *words[WORDS_MAX + 1] = {NULL};
    int n = 0;

    for (const aa_command_t *row = aa_commands; row->noun && n < WORDS_MAX;
         row++)
        if (!strcmp(row->noun, noun))
            words[n++] = row->verb;
    return unknown(cli, apr_pstrcat(cli->pool, noun, " command", NULL), word,
                   words);
}

static int unknown_option(const aa_cli_t *cli, const char *word)
{
    const aa_option_t *lists[] = {aa_global_options,
                                  cli->command ? cli->command->options : NULL};
    const char *words[WORDS_MAX + 1] = {NULL};
    int n = 0;

    for (int i = 0; i < 2; i++)
        for (const aa_option_t *row = lists[i];
             row && row->name && n < WORDS_MAX; row++)
            words[n++] = row->name;
    return unknown(cli, "option", word, words);
}

/* ------------------------------------------------------------------- reading
 */

static const aa_option_t *option_find(const aa_option_t *options,
                                      const char *name)
{
    for (; options && options->name; options++)
        if (!strcmp(options->name, name))
            return options;
    return NULL;
}

/* "--name value" or "--name=value"; @a next is moved over what was taken. */
static int option_take(aa_cli_t *cli, const char *const **next)
{
    const char *equals = strchr(**next, '=');
    const char *name = equals ? apr_pstrmemdup(cli->pool, **next,
                                               (apr_size_t)(equals - **next))
                              : **next;
    const aa_option_t *option = option_find(aa_global_options, name);
    const char *value = "";

    if (!option && cli->command)
        option = option_find(cli->command->options, name);
    if (!option)
        return unknown_option(cli, name);
    ++*next;
    if (option->value) {
        value = equals ? equals + 1 : **next;
        if (!value)
            return aa_cli_usage(cli, "%s needs %s", name, option->value);
        *next += !equals;
    }
    else if (equals) {
        return aa_cli_usage(cli, "%s takes no value", name);
    }
    if (!option->many && apr_table_get(cli->options, name))
        return aa_cli_usage(cli, "%s is given twice", name);
    apr_table_add(cli->options, name, value);
    return AA_EXIT_FINE;
}

static const aa_command_t *command_find(const char *noun, const char *verb)
{
    for (const aa_command_t *row = aa_commands; row->noun; row++)
        if (!strcmp(row->noun, noun) &&
            (!row->verb || (verb && !strcmp(row->verb, verb))))
            return row;
    return NULL;
}

static int noun_known(const char *noun)
{
    for (const aa_command_t *row = aa_commands; row->noun; row++)
        if (!strcmp(row->noun, noun))
            return 1;
    return 0;
}

static int takes_many(const aa_command_t *command)
{
    return command->words && strstr(command->words, "...");
}

/* First the noun, then the verb, then the one word, or all of them. */
static int word_take(aa_cli_t *cli, const char **noun, const char *word)
{
    if (!*noun) {
        if (!noun_known(word))
            return unknown_noun(cli, word);
        *noun = word;
        cli->command = command_find(word, NULL);
        return AA_EXIT_FINE;
    }
    if (!cli->command) {
        cli->command = command_find(*noun, word);
        return cli->command ? AA_EXIT_FINE : unknown_verb(cli, *noun, word);
    }
    if (!cli->command->words || (cli->word && !takes_many(cli->command)))
        return aa_cli_usage(cli, "'%s' is one word too many", word);
    if (!cli->word)
        cli->word = word;
    APR_ARRAY_PUSH(cli->words, const char *) = word;
    return AA_EXIT_FINE;
}

/* What is missing, once everything has been read. */
static int complete(aa_cli_t *cli, const char *noun)
{
    if (apr_table_get(cli->options, "--version")) {
        printf("agentauth %s\n", AA_VERSION);
        cli->command = NULL;
        return AA_EXIT_FINE;
    }
    if (apr_table_get(cli->options, "--help")) {
        help(cli, noun);
        cli->command = NULL;
        return AA_EXIT_FINE;
    }
    if (!noun)
        return aa_cli_usage(cli, "no command given; see agentauth --help");
    if (!cli->command)
        return aa_cli_usage(cli,
                            "agentauth %s needs a further word; see "
                            "agentauth %s --help",
                            noun, noun);
    if (cli->command->words && !cli->word)
        return aa_cli_usage(cli, "%s is missing: agentauth %s",
                            cli->command->words,
                            command_line(cli, cli->command));
    cli->json = apr_table_get(cli->options, "--json") != NULL;
    return AA_EXIT_FINE;
}

int aa_cli_parse(aa_cli_t *cli, int argc, const char *const *argv)
{
    const char *const *next = argv + (argc > 0);
    const char *noun = NULL;
    int status = AA_EXIT_FINE, only_words = 0;

    cli->options = apr_table_make(cli->pool, 8);
    cli->words = apr_array_make(cli->pool, 2, sizeof(const char *));
    while (*next && status == AA_EXIT_FINE) {
        if (!only_words && !strcmp(*next, "--")) {
            only_words = 1;
            next++;
        }
        else if (!only_words && !strcmp(*next, "-h")) {
            apr_table_set(cli->options, "--help", "");
            next++;
        }
        else if (!only_words && (*next)[0] == '-' && (*next)[1])
            status = option_take(cli, &next);
        else
            status = word_take(cli, &noun, *next++);
    }
    return status == AA_EXIT_FINE ? complete(cli, noun) : status;
}

const char *aa_cli_option(const aa_cli_t *cli, const char *name)
{
    return apr_table_get(cli->options, name);
}

const char *const *aa_cli_options(const aa_cli_t *cli, const char *name)
{
    const apr_array_header_t *all = apr_table_elts(cli->options);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)all->elts;
    const char **values =
        apr_pcalloc(cli->pool, ((apr_size_t)all->nelts + 1) * sizeof(*values));
    int n = 0;

    for (int i = 0; i < all->nelts; i++)
        if (!strcmp(entries[i].key, name))
            values[n++] = entries[i].val;
    return n ? values : NULL;
}
