/* The composition of the server: the only place that knows everybody. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "guard/policy.h"
#include "prog/server/desk.h"
#include "prog/server/floor.h"
#include "prog/server/keeper_client.h"
#include "prog/server/port_tls.h"
#include "prog/server/ports.h"
#include "prog/server/server.h"

/* Everything that the process owns, ground floor first. Zero, with the keeper's descriptors, before server_compose. */
struct server {
    const struct server_settings *settings;
    struct log log;
    struct door_limits limits;
    struct assets assets;
    struct health_source health;
    struct api_facts facts;
    struct buffer chain_pem, root_pem; /* issuing then root; root alone */
    char public_url[300], mqtt_address[300];
    char folder[256];
    char lists_path[272]; /* of revocation lists */
    struct policy policy;
    struct counter loop_stalls;

    struct keeper_client *keeper;
    struct port_tls tls;
    struct store_writer *writer;
    struct floor_relay relay;
    struct clerk *clerk;
    struct recorder *recorder; /* for threads that may block */
    struct floor *floor;
    struct query_desk *desk;
};

/* Before the sandbox: the keeper's greeting. */
MUST err server_prepare(struct server *s, const struct server_settings *settings);
/* Within the sandbox: the certificate, the store, the threads, the open doors. `folder` as the sandboxed process sees
 * it. */
MUST err server_compose(struct server *s, const char *folder);
MUST err server_open_reader(struct server *s, struct store_reader **out); /* one more; gives */
void server_take_down(struct server *s); /* in reverse; also what was composed only in part */
