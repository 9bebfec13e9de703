/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and threads of tests that begin together. */
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"

typedef struct member_t {
    void (*work)(void *data, int number);
    void *data;
    int number;
    int *ready; /* shared by all */
} member_t;

static void *begin(void *data)
{
    member_t *member = data;

    __atomic_add_fetch(member->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(member->ready, __ATOMIC_ACQUIRE) < CREW)
        sched_yield();
    member->work(member->data, member->number);
    return NULL;
}

static int process(const member_t *like, int first)
{
    member_t members[CREW_THREADS];
    pthread_t threads[CREW_THREADS];

    for (int i = 0; i < CREW_THREADS; i++) {
        members[i] = *like;
        members[i].number = first + i;
        if (pthread_create(&threads[i], NULL, begin, &members[i]) != 0)
            return 1;
    }
    for (int i = 0; i < CREW_THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

int crew_run(void (*work)(void *data, int number), void *data)
{
    member_t like = {work, data, 0, NULL};
    pid_t pids[CREW_PROCESSES];
    int failed = 0, status;

    like.ready = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < CREW_PROCESSES; i++)
        if ((pids[i] = fork()) == 0) {
            alarm(120); /* a crew that is not complete would wait for ever */
            _exit(process(&like, i * CREW_THREADS));
        }
    for (int i = 0; i < CREW_PROCESSES; i++)
        failed += pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] ||
                  !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    munmap(like.ready, sizeof(int));
    return failed;
}
