/* The session on disk: server, root certificate, secret. Mode 0600, and refused when others may read it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/ctl/client.h"

/* Owns what its peer borrows. */
struct session {
    struct peer peer;
    const char *name, *expires;
    json_t *document; /* the file */
};
void session_drop(struct session *s); /* for SCOPED() too; {0} is fine */

/* NOT_SIGNED_IN: there is no file, or HOLDFAST_SERVER names another server. LOCAL: it cannot be read. */
OUTCOME session_load(struct session *out);
/* document: {"server","ca","token","name","expires"}; borrowed. */
OUTCOME session_save(json_t *document);
OUTCOME session_forget(void); /* no file is fine */
