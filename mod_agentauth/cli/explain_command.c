/* SPDX-License-Identifier: Apache-2.0 */
/* agentauth explain CODE */
#include <stdio.h>

#include "cli/command.h"
#include "base/spelling.h"

static int unknown(const aa_cli_t *cli)
{
    const char *numbers[AA_E_COUNT + 1] = {NULL};
    const char *near;

    for (int i = 1; i < AA_E_COUNT; i++)
        numbers[i - 1] = aa_codes[i].number;
    near = aa_spelling_nearest(cli->word, numbers);
    return aa_cli_fail(cli, "no code '%s'; codes look like %s", cli->word,
                       near ? near : aa_codes[1].number);
}

int aa_cli_explain(aa_cli_t *cli)
{
    aa_code_e code = aa_code_find(cli->word);
    const aa_code_info_t *info = &aa_codes[code];

    if (code == AA_E_NONE)
        return unknown(cli);
    if (cli->json)
        return aa_cli_json(cli, json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}",
                                          "code", info->number, "status",
                                          info->status, "error", info->text,
                                          "meaning", info->meaning, "cause",
                                          info->cause, "fix", info->fix));
    printf("%s", info->number);
    if (info->status)
        printf("  answered with %d, \"%s\"", info->status, info->text);
    printf("\n\nMeaning: %s.\nCause:   %s.\nFix:     %s.\n", info->meaning,
           info->cause, info->fix);
    return AA_EXIT_FINE;
}
