/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance over a short list of words. */
#include <ctype.h>
#include <string.h>

#include "cli/nearest.h"

#define WORD_MAX 64 /* letters; longer ones have no neighbours */

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

static int distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1], alen = (int)strlen(a), blen = (int)strlen(b);

    for (int j = 0; j <= blen; j++)
        row[j] = j;
    for (int i = 1; i <= alen; i++) {
        int corner = row[0];

        row[0] = i;
        for (int j = 1; j <= blen; j++) {
            int same = tolower((unsigned char)a[i - 1]) ==
                       tolower((unsigned char)b[j - 1]);
            int next = least(row[j] + 1, row[j - 1] + 1, corner + !same);

            corner = row[j];
            row[j] = next;
        }
    }
    return row[blen];
}

const char *aa_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    int best = WORD_MAX;

    if (strlen(word) > WORD_MAX)
        return NULL;
    for (; *words; words++) {
        int len = (int)strlen(*words), far;

        if (len > WORD_MAX)
            continue;
        far = distance(word, *words);
        if (far < best && far <= 1 + len / 3) {
            best = far;
            nearest = *words;
        }
    }
    return nearest;
}
