/* The outbox: what one session is owed, in order, from the message that was matched until its last acknowledgement
 * (MQTT 5.0, 4.3, 4.4, 4.6). Pure: it sends nothing and keeps nothing; its user does both and tells it.
 *
 *   RESERVED -> WAITING -> SENT                          QoS 0: gone when sent
 *                          SENT -> (PUBACK) gone         QoS 1
 *                          SENT -> (PUBREC) RELEASING -> RELEASED -> (PUBCOMP) gone   QoS 2
 *
 * RESERVED waits for the commit that makes it durable, and holds up all behind it, so that order is kept; RELEASING
 * waits for the commit of its release. Each delivery has a number that rises by one. Its packet identifier is number %
 * 65535 + 1: the same after a restart, without having been kept. So the deliveries under way never span more than
 * 65,535 numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/client.h"

/* What happens to a message that finds its session's queue full. */
enum overflow_policy {
    OVERFLOW_REFUSE = 0,  /* it is not taken; its publisher is told where the protocol can */
    OVERFLOW_DROP_QOS_0,  /* the oldest waiting QoS 0 goes first; when there is none, as REFUSE */
    OVERFLOW_DROP_OLDEST, /* the oldest waiting one goes, QoS 0 first */
};

struct outbox_limits {
    size_t messages_max; /* 1 to 65,535 deliveries, those under way included */
    size_t bytes_max;    /* of topics, payloads and properties of messages not yet sent for the first time */
    enum overflow_policy policy;
};

enum delivery_state {
    DELIVERY_GONE = 0, /* a hole: over, dropped or cancelled out of turn */
    DELIVERY_RESERVED,
    DELIVERY_WAITING,
    DELIVERY_SENT,
    DELIVERY_RELEASING,
    DELIVERY_RELEASED,
};

struct delivery {
    struct message *message; /* shared; NULL once released */
    uint32_t subscription_id;
    uint8_t qos;
    uint8_t state; /* enum delivery_state */
    bool retain;
    bool durable; /* its user keeps it: its end must be kept, too */
    bool resend;  /* SENT or RELEASED before the connection was lost: to be sent again (DUP), in order */
};

/* {0} is an empty outbox without memory. Zero-cost while idle: it owns one ring, freed when it is empty. */
struct outbox {
    struct delivery *ring;
    uint32_t room;      /* of the ring, a power of two; 0: none */
    uint32_t count;     /* deliveries that are not gone */
    uint32_t under_way; /* QoS 1 and 2: SENT, RELEASING, RELEASED: what Receive Maximum counts (MQTT 5.0, 4.9) */
    uint64_t first;     /* number of the oldest that is not gone */
    uint64_t cursor;    /* number of the next to be sent, or sent again */
    uint64_t next;      /* number that the next one gets */
    size_t bytes;
};

void outbox_open(struct outbox *o,
                 uint64_t next_number); /* 1 for a new session; one above all that are kept for an old one */
void outbox_close(struct outbox *o);    /* drops all */

/* Is there room for a message of so many bytes? When not, outbox_shed says what the policy gives up for it: ERR_ABSENT
 * when nothing (refuse the new one), else the dropped delivery's number; if it was durable, its end must be kept. Asked
 * again until there is room. */
bool outbox_has_room(const struct outbox *o, const struct outbox_limits *limits, size_t bytes);
struct shed {
    uint64_t number;
    uint8_t qos;
    bool durable;
};
MUST err outbox_shed(struct outbox *o, const struct outbox_limits *limits, struct shed *out);

/* Takes a delivery (its message is shared, `state` RESERVED or WAITING) and gives its number. ERR_MEMORY; ERR_FULL when
 * 65,535 numbers would be spanned. */
MUST err outbox_add(struct outbox *o, const struct delivery *delivery, uint64_t *number);
/* At the start, in rising order of numbers: a delivery that was kept. As SENT before, since it may have been: it is
 * sent with DUP (4.4); or RELEASED. */
MUST err outbox_restore(struct outbox *o, uint64_t number, const struct delivery *delivery);

void outbox_commit(struct outbox *o, uint64_t number); /* RESERVED -> WAITING */
void outbox_cancel(struct outbox *o, uint64_t number); /* RESERVED -> gone */

/* The next delivery to be sent within the window of `receive_max`; NULL: none just now. Lends until the next call. A
 * QoS 0 needs no window (4.9). One whose message expired (now_us, wall clock) is not passed over here: its user asks.
 */
struct delivery *outbox_next(struct outbox *o, uint16_t receive_max, uint64_t *number);
void outbox_sent(struct outbox *o, uint64_t number); /* what outbox_next gave was sent: SENT, or gone for QoS 0 */
void outbox_skip(struct outbox *o, uint64_t number); /* what outbox_next gave cannot or need not be sent: gone */

/* What a packet identifier of the client names now; NULL: nothing under way. Lends until the next call. */
struct delivery *outbox_find(struct outbox *o, uint16_t packet_id, uint64_t *number);
void outbox_releasing(struct outbox *o, uint64_t number); /* PUBREC: the message is dropped */
void outbox_released(struct outbox *o, uint64_t number);  /* its release is kept: PUBREL may go */
void outbox_done(struct outbox *o, uint64_t number); /* PUBACK, PUBCOMP, or a PUBREC with a reason of 0x80 and above */

/* The connection ended: QoS 0 that waits is dropped and counted in the answer; what was sent is marked to be sent
 * again. */
size_t outbox_detach(struct outbox *o);

/* Walks all that are not gone, oldest first: start with 0; 0 ends. For looking at, and for a session that ends. */
uint64_t outbox_walk(const struct outbox *o, uint64_t after, const struct delivery **out);

static inline uint16_t outbox_packet_id(uint64_t number)
{
    return (uint16_t)(number % 65535 + 1);
}
