/* Errors: a pointer to a constant fault. NULL is OK. One word in a register, no allocation, cannot be mixed up with
 * an int, says its own text. A fallible function is MUST, so that ignoring it does not compile; TRY passes it up.
 * Detail that changes (errno, a path) is logged where it is known. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum fault_kind {
    ERR_REFUSED = 1, /* understood, and not allowed */
    ERR_MALFORMED,   /* bytes that break their specification */
    ERR_TOO_LARGE,   /* over a stated bound */
    ERR_FULL,        /* a bounded queue, buffer or disk has no room; may pass */
    ERR_ABSENT,      /* no such thing */
    ERR_EXISTS,      /* there already, and may not be there twice */
    ERR_EXPIRED,     /* was valid once */
    ERR_AGAIN,       /* would block, or is not ready yet; may pass */
    ERR_CLOSED,      /* the other side went away */
    ERR_IO,          /* the operating system or a library failed */
    ERR_MEMORY,      /* no memory */
    ERR_UNSUPPORTED, /* valid, and we do not do it */
};

struct fault {
    enum fault_kind kind;
    const char *text; /* "room: what was wrong", a whole sentence without a full stop */
};

/* The attribute sits on the type as well as on functions, so that a call through a table is covered too. */
typedef const struct fault *err;

#define OK ((err)0)
#define MUST __attribute__((warn_unused_result))

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        err try_err_ = (call);                                                                                         \
        if (try_err_)                                                                                                  \
            return try_err_;                                                                                           \
    } while (0)

/* For a failure that has been counted or logged already and changes nothing about what happens next. */
#define IGNORE(call) ((void)((call) != OK))

/* The variable's clean-up runs when its scope ends: SCOPED(fd_close) int fd = open(...); */
#define SCOPED(drop) __attribute__((cleanup(drop)))

/* True when e is a fault of this kind; false for OK. */
static inline int err_is(err e, enum fault_kind kind)
{
    return e && e->kind == kind;
}

static inline const char *err_text(err e)
{
    return e ? e->text : "ok";
}
