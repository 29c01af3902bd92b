/* Programs that we start: with the descriptors, the environment and the user that they are given, and nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"
#include "os/identity.h"

#include <stddef.h>

/* `from` here becomes `to` there. */
struct process_descriptor {
    int from, to;
};

enum { PROCESS_DESCRIPTORS_MAX = 32 };

enum process_tie {
    PROCESS_TIED = 0, /* killed when the thread that started it ends: no orphan holds a key or a port */
    PROCESS_FREE,
};

struct process_options {
    const char *program;           /* a path; PATH is not searched */
    const char *const *arguments;  /* NULL-terminated; [0] is the name */
    const char *const *environment; /* NULL-terminated "NAME=value"; NULL: none at all */
    const char *folder;            /* its working folder; NULL: ours */
    const struct process_descriptor *descriptors; /* standard input, output and error stay unless they are a `to` */
    size_t descriptor_count;                      /* at most PROCESS_DESCRIPTORS_MAX */
    const struct identity *identity;              /* dropped to before the program runs; NULL: stays who we are */
    enum process_tie tie;
};

/* Borrows options. Waits until the program runs, so that its failure to start is told here: ERR_ABSENT no such program,
 * ERR_REFUSED not allowed to run it or to become the identity, ERR_IO anything else. Signals are reset. */
MUST err process_start(const struct process_options *options, pid_t *out);

struct process_end {
    pid_t pid;
    int code;   /* its exit status, or -1 when a signal ended it */
    int signal; /* that signal, or 0 */
};

/* Which program ended? pid 0 or -1 asks for any. ERR_AGAIN: none yet. ERR_ABSENT: none is left. */
MUST err process_reap(pid_t pid, struct process_end *out);
MUST err process_wait(pid_t pid, struct process_end *out); /* as above, and waits for it */

enum { PROCESS_END_TEXT = 64 };
/* "exit status 1", "killed by signal 9 (Killed)" */
void process_end_text(const struct process_end *end, char out[PROCESS_END_TEXT]);
