/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth key create | list | revoke | rotate */
#include <stdio.h>
#include <string.h>

#include "apr_strings.h"
#include "base/duration.h"
#include "cli/command.h"

/* clang-format off */
const aa_option_t aa_key_create_options[] = {
    {"--user", "NAME", 0, "whose key it is; must be there already"},
    {"--name", "N", 0, "what it is for, to tell keys apart"},
    {"--permission", "P", 1, "only these of its user's; may be repeated"},
    {"--no-permissions", NULL, 0, "none of its user's (default: all of them)"},
    {"--expires", "90d", 0, "when it ends, from now (default: never)"},
    {NULL, NULL, 0, NULL}
};

const aa_option_t aa_key_rotate_options[] = {
    {"--overlap", "24h", 0, "how long the old key goes on (default: not at all)"},
    {NULL, NULL, 0, NULL}
};
/* clang-format on */

/* 0 when the option is not there. */
static int duration_take(apr_interval_time_t *duration, const aa_cli_t *cli,
                         const char *option)
{
    const char *text = aa_cli_option(cli, option);

    *duration = 0;
    if (text && aa_duration_parse(duration, text) != APR_SUCCESS)
        return aa_cli_usage(cli,
                            "%s: '%s' is no duration such as 30s, 10min, "
                            "24h or 90d",
                            option, text);
    return AA_EXIT_FINE;
}

static int permissions_take(const char *const **permissions,
                            const aa_cli_t *cli)
{
    static const char *const none[] = {NULL};

    *permissions = aa_cli_options(cli, "--permission");
    if (!aa_cli_option(cli, "--no-permissions"))
        return AA_EXIT_FINE;
    if (*permissions)
        return aa_cli_usage(cli, "--permission and --no-permissions exclude "
                                 "each other");
    *permissions = none;
    return AA_EXIT_FINE;
}

/* The key alone, so that a script can take it; the only time it is shown. */
static int key_print(const aa_cli_t *cli, const aa_key_t *key, const char *text)
{
    if (!cli->json) {
        puts(text);
        return AA_EXIT_FINE;
    }
    return aa_cli_json(
        cli, json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", key->id, "key", text,
                       "user", key->owner, "permissions",
                       aa_cli_strings_json(key->permissions), "expires",
                       aa_cli_time_json(cli, key->expires)));
}

int aa_cli_key_create(aa_cli_t *cli)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t life;
    aa_key_t key = {0};
    aa_error_t err = {0};
    const char *text;
    apr_status_t rv;
    int status;

    key.owner = aa_cli_option(cli, "--user");
    key.name = aa_cli_option(cli, "--name");
    if (!key.owner)
        return aa_cli_usage(cli, "--user NAME is missing");
    status = duration_take(&life, cli, "--expires");
    if (status == AA_EXIT_FINE)
        status = permissions_take(&key.permissions, cli);
    if (status == AA_EXIT_FINE)
        status = aa_cli_open(cli, 0);
    if (status != AA_EXIT_FINE)
        return status;
    key.realm = cli->realm;
    key.expires = life ? now + life : 0;
    rv = aa_key_create(&text, &cli->accounts, &key, cli->prefix, now, &err,
                       cli->pool);
    return rv == APR_SUCCESS ? key_print(cli, &key, text)
                             : aa_cli_refused(cli, rv, &err);
}

/** A list as it grows. */
typedef struct listing_t {
    const aa_cli_t *cli;
    json_t *array; /* NULL: lines are printed */
} listing_t;

static json_t *key_json(const aa_cli_t *cli, const aa_key_t *key)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", key->id,
                     "user", key->owner, "name", key->name, "permissions",
                     aa_cli_strings_json(key->permissions), "created",
                     aa_cli_time_json(cli, key->created), "expires",
                     aa_cli_time_json(cli, key->expires), "last_used",
                     aa_cli_time_json(cli, key->last_used));
}

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static apr_status_t key_line(void *baton, const aa_key_t *key)
{
    listing_t *listing = baton;
    const aa_cli_t *cli = listing->cli;

    if (listing->array)
        json_array_append_new(listing->array, key_json(cli, key));
    else
        printf("%-10s %-20s %-16s %-20s %-20s %-20s %s\n", key->id, key->owner,
               or_dash(key->name), or_dash(aa_cli_time(cli, key->created)),
               or_dash(aa_cli_time(cli, key->expires)),
               or_dash(aa_cli_time(cli, key->last_used)),
               aa_cli_strings(cli, key->permissions, "as its user"));
    return APR_SUCCESS;
}

int aa_cli_key_list(aa_cli_t *cli)
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
        printf("%-10s %-20s %-16s %-20s %-20s %-20s %s\n", "ID", "USER", "NAME",
               "CREATED", "EXPIRES", "LAST USED", "PERMISSIONS");
    rv = aa_key_each(&cli->accounts, cli->realm, key_line, &listing, &err,
                     cli->pool);
    if (rv != APR_SUCCESS)
        return aa_cli_refused(cli, rv, &err);
    return cli->json ? aa_cli_json(cli, listing.array) : AA_EXIT_FINE;
}

/* Somebody may paste the whole key: its id is in it, and a key that was typed
 * here should be revoked all the more. */
static const char *id_of(const aa_cli_t *cli)
{
    apr_size_t len = strlen(cli->prefix);

    if (!strncmp(cli->word, cli->prefix, len) && strlen(cli->word) == len + 48)
        return apr_pstrmemdup(cli->pool, cli->word + len, 10);
    return cli->word;
}

int aa_cli_key_revoke(aa_cli_t *cli)
{
    aa_error_t err = {0};
    apr_status_t rv;
    int status = aa_cli_open(cli, 0);

    if (status != AA_EXIT_FINE)
        return status;
    rv = aa_key_revoke(&cli->accounts, cli->realm, id_of(cli), &err, cli->pool);
    if (rv != APR_SUCCESS)
        return aa_cli_refused(cli, rv, &err);
    if (cli->json)
        return aa_cli_json(
            cli, json_pack("{s:s, s:b}", "id", id_of(cli), "revoked", 1));
    printf("key %s is revoked\n", id_of(cli));
    return AA_EXIT_FINE;
}

int aa_cli_key_rotate(aa_cli_t *cli)
{
    apr_interval_time_t overlap;
    aa_key_t successor;
    aa_error_t err = {0};
    const char *text;
    apr_status_t rv;
    int status = duration_take(&overlap, cli, "--overlap");

    if (status == AA_EXIT_FINE)
        status = aa_cli_open(cli, 0);
    if (status != AA_EXIT_FINE)
        return status;
    rv =
        aa_key_rotate(&text, &successor, &cli->accounts, cli->realm, id_of(cli),
                      cli->prefix, overlap, apr_time_now(), &err, cli->pool);
    return rv == APR_SUCCESS ? key_print(cli, &successor, text)
                             : aa_cli_refused(cli, rv, &err);
}
