/* What bad clients do, and how a server should take it: a table. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* How far the client goes along with the protocol before it misbehaves. */
enum mischief_stage {
    MISCHIEF_TCP,       /* connected; instead of a ClientHello */
    MISCHIEF_HANDSHAKE, /* in the handshake: see `certificate` */
    MISCHIEF_FIRST,     /* the handshake is done; instead of CONNECT */
    MISCHIEF_SESSION,   /* the session is open */
};

enum mischief_certificate { CERTIFICATE_OWN = 0, CERTIFICATE_NONE, CERTIFICATE_FOREIGN };

/* Whatever it is, the server should end the connection, in its own time at the latest. */
struct mischief {
    const char *name;
    enum mischief_stage stage;
    enum mischief_certificate certificate;
    struct bytes says; /* empty: it falls silent */
    unsigned times;    /* says it so often, in one breath; 0 is once */
};

enum { MISCHIEFS = 15 };
extern const struct mischief mischiefs[MISCHIEFS];
