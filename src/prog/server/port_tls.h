/* What the server shows and by what it judges: its own certificate, which the keeper issues anew all the time, the
 * revocation lists that an operator may lay into its folder, the TLS contexts of its ports, and the session tickets
 * that the contexts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/issuer.h"
#include "os/file.h"
#include "os/tls.h"
#include "prog/server/ports.h"

/* Borrowed for the life of struct port_tls. */
struct port_tls_options {
    const struct server_settings *settings;
    struct issuer *issuer;
    struct bytes chain_pem; /* the issuing certificate, then the root */
    const char *lists_path; /* PEM; there may be no such file */
    const struct clock *clock;
    const struct dice *dice;
};

/* For one thread; the contexts themselves are for any. {0} may be closed. */
struct port_tls {
    struct port_tls_options options;
    struct tls_context *contexts[PORTS]; /* NULL: a plain port */
    struct tls_tickets *tickets;         /* NULL: no session is resumed */
    struct buffer lists_pem;
    struct file_mark lists_mark; /* of the file that lists_pem is, or that was refused */
    int64_t renew_us;            /* when a certificate is due, by the wall clock */
    int64_t rotate_ms;           /* when the next key of tickets is, by the monotonic one */
};

/* The first contexts. Lists that are over are used all the same: clients are refused until there are new ones.
 * ERR_REFUSED and ERR_MALFORMED: what lies there is no list of this authority's. */
MUST err port_tls_open(struct port_tls *t, const struct port_tls_options *options);
void port_tls_close(struct port_tls *t);

/* A new certificate, and new contexts for all ports; after a failure the old ones are still there, and a renewal is due
 * again. Tickets outlive it. */
MUST err port_tls_renew(struct port_tls *t);
bool port_tls_is_due(const struct port_tls *t); /* for a renewal: two thirds of the life are over */
/* Whether somebody has put other lists there since they were last looked at, or has taken them away. */
bool port_tls_has_new_lists(const struct port_tls *t);
/* Reads them, and makes new contexts with them; after a failure the old ones stay in force. ERR_EXPIRED, ERR_REFUSED,
 * ERR_MALFORMED, ERR_TOO_LARGE: because of these lists, which are no more new then. */
MUST err port_tls_read_lists(struct port_tls *t);
bool port_tls_rotate_when_due(struct port_tls *t); /* whether tickets have a new key now */
