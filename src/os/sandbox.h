/* The sandbox: after it, the process opens files only under the folders it was given and runs no program. Landlock
 * (Linux 5.13 and later) for files, seccomp for calls, no new privileges, no core dumps. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

#include <stddef.h>

enum sandbox_profile {
    SANDBOX_KEEPER = 0, /* no files at all, no sockets: only what is open already */
    SANDBOX_SERVER,     /* its folders; accept, read, write; no new connections out */
};

enum sandbox_strictness {
    SANDBOX_STRICT = 0,                 /* a kernel without Landlock or seccomp is ERR_UNSUPPORTED */
    SANDBOX_INSECURE_WITHOUT_LANDLOCK,  /* go on without Landlock: the setting that chooses this says so in its name */
};

struct sandbox_options {
    enum sandbox_profile profile;
    enum sandbox_strictness strictness;
    const char *const *folders; /* read and write below these; NULL-terminated; may be NULL */
};

/* For the whole process; call it while there is one thread (ERR_REFUSED otherwise). Borrows options. Capabilities are
 * given up too. Threads may be started afterwards, processes may not; memory can no more be made executable, so that
 * no library can be loaded: what OpenSSL, SQLite or the resolver load on first use must be loaded before. */
MUST err sandbox_enter(const struct sandbox_options *options);
/* Tries what must fail: opens a file outside the folders, runs a program, starts a process, opens a socket, makes code,
 * signals another process. ERR_REFUSED, with the thing that was possible in its text, when the sandbox does not hold;
 * without Landlock it is the file. */
MUST err sandbox_prove(void);
