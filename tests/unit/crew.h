/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: the same work at once by threads of several processes. */
#ifndef CREW_H
#define CREW_H

#define CREW_PROCESSES 4
#define CREW_THREADS 4
#define CREW (CREW_PROCESSES * CREW_THREADS)

/**
 * Fork, start the threads, let all begin together, wait for all.
 * @param work gets @a data, which must be shared memory where it is written,
 *             and a number from 0 to CREW - 1
 * @return how many processes did not end well
 */
int crew_run(void (*work)(void *data, int number), void *data);

#endif
