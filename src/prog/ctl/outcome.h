/* How a command ended: the exit codes of `holdfast`, which scripts rely on. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whoever returns one that is not DONE has told the user why, on standard error. */
enum outcome {
    DONE = 0,
    REFUSED = 1,       /* the server said no */
    USAGE = 2,         /* the command line does not read */
    UNREACHED = 3,     /* no answer from the server, or none that can be trusted */
    NOT_SIGNED_IN = 4, /* no session, or it has ended */
    LOCAL = 5,         /* a file, the terminal or memory of this machine */
};

#define OUTCOME enum outcome __attribute__((warn_unused_result))

void complain(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "holdfast: ..." on standard error */
