/* The query threads: whatever may block (reading the store, signing, hashing a password) is done here and never on a
 * loop. Calls to the API, the past of event streams, and whether a device is still known. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"
#include "door/lobby.h"

struct query_desk;

struct query_desk_options {
    const struct api *api;          /* a pattern: each thread gets a copy with its own reader */
    struct store_reader **readers;  /* count of them, for the query threads, and one more for sign-ins; taken */
    size_t count;
    size_t waiting_max;             /* calls that may wait; one more is ERR_FULL */
    struct signin_limit *signin_limit; /* taken by the sign-in thread */
};

MUST err query_desk_start(const struct query_desk_options *options, struct query_desk **out); /* gives */
void query_desk_stop(struct query_desk *desk); /* answers what waits, then ends the threads. NULL is fine */
/* Takes. After the loops' threads are over and before their mailboxes are: what they asked meanwhile is turned away, which
 * they find there. NULL is fine. */
void query_desk_close(struct query_desk *desk);

struct desk *query_desk_desk(struct query_desk *desk); /* lends */
size_t query_desk_waiting(struct query_desk *desk);    /* from any thread */

/* The registry port of one loop. Embedded in it. */
struct query_registry {
    struct registry registry; /* hand this to the flow */
    struct query_desk *desk;
    struct mailbox *home;
};
void query_registry_open(struct query_registry *r, struct query_desk *desk, struct mailbox *home);
