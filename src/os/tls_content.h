/* What may come in the records of a TLS 1.3 client that has finished its handshake (RFC 8446, 4.6.3, 5.1, 5.4 and 6):
 * data, KeyUpdate, alerts, and nothing else. Pure. For os/tls*.c and their tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls_record.h"

/* Between two records. {0} is the start. */
struct tls_content {
    uint8_t message;  /* bytes of a KeyUpdate that have come, when it is cut over records (5.1) */
    uint8_t nuisance; /* what came without data: see below */
};

/* Records without data (empty ones, KeyUpdates, user_canceled) cost us work and bring nothing. Each adds NUISANCE_MORE,
 * each record with data takes one away, and more than NUISANCE_MAX end the connection: 31 in a row, and one for every
 * eight records of data in the long run. */
enum { NUISANCE_MORE = 8, NUISANCE_MAX = 248 };

enum content_event {
    CONTENT_NOTHING = 0,
    CONTENT_DATA,            /* the record's bytes, at least one */
    CONTENT_CLOSED,          /* close_notify: nothing more comes */
    CONTENT_UPDATED,         /* the records behind this one come under the next key */
    CONTENT_UPDATED_AND_ASKS /* and it wants us to change ours */
};

/* Any fault ends the connection. */
MUST err content_take(struct tls_content *state, struct record_plain record, enum content_event *out);

/* What may end a connection, numbered, so that a connection keeps a byte of it. */
enum content_fault {
    FAULT_NONE = 0,
    FAULT_BAD_MAC,
    FAULT_OVERFLOW,
    FAULT_UNEXPECTED,
    FAULT_EXHAUSTED,
    FAULT_DECODE,
    FAULT_ILLEGAL,
    FAULT_NUISANCE,
    FAULT_PEER,  /* the other side sent a fatal alert */
    FAULT_OTHER, /* memory, or the library */
    CONTENT_FAULTS
};
enum content_fault content_fault_of(err e); /* FAULT_OTHER for what is none of ours */
err content_fault(enum content_fault number);
/* The alert that tells the other side (6.2); 0 for what is not told: FAULT_PEER and FAULT_NONE. */
uint8_t content_alert(enum content_fault number);

enum { ALERT_CLOSE_NOTIFY = 0, ALERT_USER_CANCELED = 90, ALERT_WARNING = 1, ALERT_FATAL = 2 };
