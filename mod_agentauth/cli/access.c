/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the state directory as its owner, and picks the realm. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apr_file_info.h"
#include "apr_strings.h"
#include "cli/command.h"
#include "base/spelling.h"

#define DEFAULT_PREFIX "sk-agentauth-"

static const char *user_name(const aa_cli_t *cli, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    return user ? user->pw_name : apr_psprintf(cli->pool, "uid %ld", (long)uid);
}

/* Root becomes the owner for good: what is made then belongs to it, and a link
 * that somebody put into the directory leads nowhere that matters. */
static int become(const aa_cli_t *cli, uid_t owner, gid_t group)
{
    if (geteuid() == owner)
        return AA_EXIT_FINE;
    if (geteuid() != 0)
        return aa_cli_fail(cli,
                           "state directory %s belongs to %s: run this as %s%s",
                           cli->state.dir, user_name(cli, owner),
                           user_name(cli, owner), owner ? " or as root" : "");
    if (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(owner) != 0)
        return aa_cli_fail(cli, "cannot become %s: %s", user_name(cli, owner),
                           strerror(errno));
    return AA_EXIT_FINE;
}

static int state_find(aa_cli_t *cli)
{
    const char *dir = aa_cli_option(cli, "--state");
    char *full;

    if (!dir)
        dir = getenv("AGENTAUTH_STATE");
    if (!dir || !*dir)
        dir = AA_STATE_DIR;
    if (apr_filepath_merge(&full, NULL, dir, APR_FILEPATH_NATIVE, cli->pool) !=
        APR_SUCCESS)
        return aa_cli_usage(cli, "--state: '%s' is no path", dir);
    aa_state_paths(&cli->state, full, cli->pool);
    return AA_EXIT_FINE;
}

static const char *const *realm_names(const aa_cli_t *cli)
{
    const char **names = apr_pcalloc(
        cli->pool, ((apr_size_t)cli->effective.nrealms + 1) * sizeof(*names));

    for (int i = 0; i < cli->effective.nrealms; i++)
        names[i] = cli->effective.realms[i].name;
    return names;
}

static int realm_default(aa_cli_t *cli)
{
    if (cli->effective.nrealms == 1) {
        cli->realm = cli->effective.realms[0].name;
        return AA_EXIT_FINE;
    }
    if (cli->effective.nrealms)
        return aa_cli_usage(cli,
                            "there are several realms, say one with "
                            "--realm: %s",
                            aa_cli_strings(cli, realm_names(cli), ""));
    return aa_cli_usage(cli,
                        "no realm is known before the first start of httpd; "
                        "say it with --realm (AgentAuthRealm, else the "
                        "ServerName in lower case)");
}

/* @a make: something will be made in the realm. A misspelled one would make
 * a user that nobody can ever be; to look at or to end what is in a realm that
 * httpd has no longer is fine. */
static int realm_pick(aa_cli_t *cli, int make)
{
    const char *near;

    cli->prefix = DEFAULT_PREFIX;
    cli->realm = aa_cli_option(cli, "--realm");
    if (!cli->realm && realm_default(cli) != AA_EXIT_FINE)
        return AA_EXIT_USAGE;
    for (int i = 0; i < cli->effective.nrealms; i++)
        if (!strcmp(cli->effective.realms[i].name, cli->realm)) {
            cli->prefix = cli->effective.realms[i].key_prefixes[0];
            return AA_EXIT_FINE;
        }
    if (!make || !cli->has_effective)
        return AA_EXIT_FINE;
    near = aa_spelling_nearest(cli->realm, realm_names(cli));
    return aa_cli_fail(cli, "httpd has no realm '%s'%s%s%s; it has: %s",
                       cli->realm, near ? ", did you mean '" : "",
                       near ? near : "", near ? "'?" : "",
                       aa_cli_strings(cli, realm_names(cli), ""));
}

static int effective_read(aa_cli_t *cli)
{
    aa_error_t err = {0};
    apr_status_t rv = aa_effective_read(&cli->effective, cli->state.effective,
                                        &err, cli->pool);

    cli->has_effective = rv == APR_SUCCESS;
    return rv == AA_EREFUSED ? aa_cli_refused(cli, rv, &err) : AA_EXIT_FINE;
}

/* Before the first start of httpd a command may make everything; afterwards
 * what is missing is a fault, and an epoch page made now would reach nobody. */
static int accounts_open(aa_cli_t *cli, int make)
{
    int create = make && !cli->has_effective;
    aa_error_t err = {0};
    apr_status_t rv = APR_SUCCESS;

    if (create)
        rv =
            aa_state_create(&cli->state, geteuid(), getegid(), &err, cli->pool);
    if (rv == APR_SUCCESS)
        rv =
            aa_accounts_open(&cli->accounts, &cli->state,
                             cli->effective.store_url, create, &err, cli->pool);
    return rv == APR_SUCCESS ? AA_EXIT_FINE : aa_cli_refused(cli, rv, &err);
}

int aa_cli_open(aa_cli_t *cli, int make)
{
    aa_error_t err = {0};
    uid_t owner;
    gid_t group;
    apr_status_t rv;
    int status = state_find(cli);

    if (status != AA_EXIT_FINE)
        return status;
    rv = aa_state_check(&cli->state, &owner, &group, &err, cli->pool);
    if (rv == APR_ENOENT && !make)
        return aa_cli_fail(cli, "there is no state directory %s",
                           cli->state.dir);
    if (rv != APR_SUCCESS && rv != APR_ENOENT)
        return aa_cli_refused(cli, rv, &err);
    if (rv == APR_SUCCESS)
        status = become(cli, owner, group);
    if (status == AA_EXIT_FINE)
        status = effective_read(cli);
    if (status == AA_EXIT_FINE)
        status = realm_pick(cli, make);
    return status == AA_EXIT_FINE ? accounts_open(cli, make) : status;
}
