/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth user create | list | disable | enable | delete */
#include <stdio.h>

#include "cli/command.h"

const aa_option_t aa_user_create_options[] = {
    {"--permission", "P", 1, "a permission of the user; may be repeated"},
    {NULL, NULL, 0, NULL}};

static json_t *user_json(const aa_cli_t *cli, const aa_user_t *user)
{
    return json_pack(
        "{s:s, s:s, s:o, s:b, s:o}", "name", user->name, "realm", user->realm,
        "permissions", aa_cli_strings_json(user->permissions), "disabled",
        user->disabled, "created", aa_cli_time_json(cli, user->created));
}

int aa_cli_user_create(aa_cli_t *cli)
{
    static const char *const none[] = {NULL};
    aa_user_t user = {0};
    aa_error_t err = {0};
    apr_status_t rv;
    int status = aa_cli_open(cli, 1);

    if (status != AA_EXIT_FINE)
        return status;
    user.realm = cli->realm;
    user.name = cli->word;
    user.permissions = aa_cli_options(cli, "--permission");
    if (!user.permissions)
        user.permissions = none;
    user.created = apr_time_now();
    rv = aa_user_create(&cli->accounts, &user, &err, cli->pool);
    if (rv != APR_SUCCESS)
        return aa_cli_refused(cli, rv, &err);
    if (cli->json)
        return aa_cli_json(cli, user_json(cli, &user));
    printf("user '%s' is in realm '%s' now\n", user.name, user.realm);
    return AA_EXIT_FINE;
}

/** A list as it grows. */
typedef struct listing_t {
    const aa_cli_t *cli;
    json_t *array; /* NULL: lines are printed */
} listing_t;

static apr_status_t user_print(void *baton, const aa_user_t *user)
{
    listing_t *listing = baton;

    if (listing->array)
        json_array_append_new(listing->array, user_json(listing->cli, user));
    else
        printf("%-24s %-8s %-20s %s\n", user->name,
               user->disabled ? "disabled" : "enabled",
               aa_cli_time(listing->cli, user->created),
               aa_cli_strings(listing->cli, user->permissions, "-"));
    return APR_SUCCESS;
}

int aa_cli_user_list(aa_cli_t *cli)
{
    listing_t listing = {cli, NULL};
    aa_error_t err = {0};
    apr_status_t rv;
    int status = aa_cli_open(cli, 0);

    if (status != AA_EXIT_FINE)
        return status;
    if (cli->json)
        listing.array = json_array();
    else
        printf("%-24s %-8s %-20s %s\n", "NAME", "STATE", "CREATED",
               "PERMISSIONS");
    rv = aa_user_each(&cli->accounts, cli->realm, user_print, &listing, &err,
                      cli->pool);
    if (rv != APR_SUCCESS)
        return aa_cli_refused(cli, rv, &err);
    return cli->json ? aa_cli_json(cli, listing.array) : AA_EXIT_FINE;
}

/* What disable, enable and delete say when they are done. */
static int done(const aa_cli_t *cli, apr_status_t rv, const aa_error_t *err,
                const char *what)
{
    if (rv != APR_SUCCESS)
        return aa_cli_refused(cli, rv, err);
    if (cli->json)
        return aa_cli_json(cli, json_pack("{s:s, s:s, s:s}", "name", cli->word,
                                          "realm", cli->realm, "done", what));
    printf("user '%s' of realm '%s' is %s\n", cli->word, cli->realm, what);
    return AA_EXIT_FINE;
}

static int user_disable(aa_cli_t *cli, int disabled)
{
    aa_error_t err = {0};
    apr_status_t rv;
    int status = aa_cli_open(cli, 0);

    if (status != AA_EXIT_FINE)
        return status;
    rv = aa_user_disable(&cli->accounts, cli->realm, cli->word, disabled, &err,
                         cli->pool);
    return done(cli, rv, &err, disabled ? "disabled" : "enabled");
}

int aa_cli_user_disable(aa_cli_t *cli)
{
    return user_disable(cli, 1);
}

int aa_cli_user_enable(aa_cli_t *cli)
{
    return user_disable(cli, 0);
}

int aa_cli_user_delete(aa_cli_t *cli)
{
    aa_error_t err = {0};
    apr_status_t rv;
    int status = aa_cli_open(cli, 0);

    if (status != AA_EXIT_FINE)
        return status;
    rv = aa_user_delete(&cli->accounts, cli->realm, cli->word, &err, cli->pool);
    return done(cli, rv, &err, "deleted");
}
