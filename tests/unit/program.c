/* SPDX-License-Identifier: Apache-2.0 */
/* The command agentauth, run as people and scripts run it. */
#include <fcntl.h>
#include <stdlib.h>

#include "apr_strings.h"
#include "base/json.h"
#include "program.h"

static const char *read_all(apr_pool_t *p, const char *path)
{
    char *text = apr_pcalloc(p, 65536);
    FILE *file = fopen(path, "r");

    if (file) {
        text[fread(text, 1, 65535, file)] = '\0';
        fclose(file);
    }
    return text;
}

/* @a uid: who runs it, when the test is root's. The program is opened before
 * the change: the build may be where that user cannot go. */
ran_t program_run_as(stage_t *stage, uid_t uid, const char *const *words)
{
    const char *program = getenv("AGENTAUTH");
    const char *out = apr_pstrcat(stage->pool, stage->dir, "/out", NULL);
    const char *err = apr_pstrcat(stage->pool, stage->dir, "/err", NULL);
    ran_t ran = {0};
    int status;
    pid_t pid = fork();

    if (!pid) {
        int fd = open(program ? program : "./agentauth", O_RDONLY);
        char *env[] = {apr_pstrcat(stage->pool,
                                   "AGENTAUTH_STATE=", stage->state.dir, NULL),
                       NULL};

        if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr) ||
            (geteuid() == 0 && uid && setuid(uid) != 0))
            _exit(98);
        fexecve(fd, (char *const *)words, env);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ran.out = read_all(stage->pool, out);
    ran.err = read_all(stage->pool, err);
    return ran;
}

json_t *program_json(stage_t *stage, ran_t ran)
{
    const char *why;
    json_t *value = NULL;

    assert_int_equal(ran.status, 0);
    if (aa_json_parse(&value, &why, ran.out, strlen(ran.out), 16,
                      stage->pool) != APR_SUCCESS)
        fail_msg("%s: %s", why, ran.out);
    return value;
}

const char *program_file(stage_t *stage, const char *name, const char *text)
{
    const char *path = apr_pstrcat(stage->pool, stage->dir, "/", name, NULL);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}
