/* What the server shows and by what it judges: its own certificate, which the keeper issues anew all the time, the TLS
 * contexts of its ports, and the session tickets that the contexts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/issuer.h"
#include "os/tls.h"
#include "prog/server/ports.h"

/* Borrowed for the life of struct port_tls. */
struct port_tls_options {
    const struct server_settings *settings;
    struct issuer *issuer;
    struct bytes chain_pem; /* the issuing certificate, then the root */
    const struct clock *clock;
    const struct dice *dice;
};

/* For one thread; the contexts themselves are for any. {0} may be closed. */
struct port_tls {
    struct port_tls_options options;
    struct tls_context *contexts[PORTS]; /* NULL: a plain port */
    struct tls_tickets *tickets;         /* NULL: no session is resumed */
    int64_t renew_us, rotate_us;         /* when a certificate, and the next key of tickets, are due */
};

/* The first contexts. May be called outside of the sandbox: it opens nothing. */
MUST err port_tls_open(struct port_tls *t, const struct port_tls_options *options);
void port_tls_close(struct port_tls *t);

/* A new certificate, and new contexts for all ports; after a failure the old ones are still there, and a renewal is due
 * again. Tickets outlive it. */
MUST err port_tls_renew(struct port_tls *t);
bool port_tls_is_due(const struct port_tls *t);    /* for a renewal: two thirds of the life are over */
bool port_tls_rotate_when_due(struct port_tls *t); /* whether tickets have a new key now */
