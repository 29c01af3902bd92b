/* The outbox: what one session is owed, in order, from the message that was matched until its last acknowledgement
 * (MQTT 5.0, 4.3, 4.4, 4.6). Pure: it sends nothing and keeps nothing; its user does both and tells it.
 *
 *   WAITING -> gone when sent                                                          QoS 0
 *   RESERVED -> WAITING -> SENT -> (PUBACK) gone                                       QoS 1
 *                          SENT -> (PUBREC) RELEASING -> RELEASED -> (PUBCOMP) gone    QoS 2
 *
 * RESERVED waits for the commit that makes it durable, and holds up all behind it, so that order is kept; RELEASING
 * waits for the commit of its release. All leave in the order in which they were added, whatever their QoS.
 *
 * A delivery with QoS 1 or 2 has a number, which rises by one. Its packet identifier is (number - 1) % 65535 + 1: the
 * same after a restart, without having been kept. So those that are not over never span more than 65,535 numbers. One
 * with QoS 0 has no number: 0 stands for it. A session that outlives the process must keep all that have a number: a
 * client may remember a packet identifier of QoS 2, and would take the next one that has it for the same message.
 *
 * Each call costs the same whatever is in the outbox (amortised), memory is bounded by eight times what is in it, and
 * an empty outbox at rest has none. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/client.h"

enum { OUTBOX_SPAN_MAX = 65535 };

/* What happens to a message that finds its session's queue full. */
enum overflow_policy {
    OVERFLOW_REFUSE = 0,  /* it is not taken; its publisher is told where the protocol can */
    OVERFLOW_DROP_QOS_0,  /* the oldest waiting QoS 0 goes first; when there is none, as REFUSE */
    OVERFLOW_DROP_OLDEST, /* the oldest waiting one goes, QoS 0 first */
};

struct outbox_limits {
    size_t messages_max; /* 1 to 65,535 deliveries, those under way included */
    size_t bytes_max;    /* of topics, payloads and properties of all messages held, those under way included */
    enum overflow_policy policy;
};

enum delivery_state {
    DELIVERY_GONE = 0, /* a hole: over, dropped or cancelled out of turn; never lent */
    DELIVERY_RESERVED,
    DELIVERY_WAITING,
    DELIVERY_SENT,
    DELIVERY_RELEASING,
    DELIVERY_RELEASED,
};

struct delivery {
    struct message *message;  /* shared; NULL once the client has it for good (RELEASING, RELEASED) */
    uint32_t subscription_id; /* 0: none */
    uint16_t low;             /* the outbox's own: of its number */
    uint8_t state;            /* enum delivery_state */
    unsigned qos : 2;
    unsigned retain : 1;  /* the flag as it is to be sent */
    unsigned durable : 1; /* its user keeps it: its end must be kept, too */
};

struct outbox_ring;

/* {0} is an empty outbox. */
struct outbox {
    struct outbox_ring *numbered; /* QoS 1 and 2; NULL: none */
    struct outbox_ring *plain;    /* QoS 0 that waits; NULL: none */
    uint64_t last;                /* number that was given last; 0: none yet */
    size_t bytes;                 /* of all messages held */
};

void outbox_close(struct outbox *o); /* drops all */

size_t outbox_count(const struct outbox *o);     /* deliveries that are not gone */
size_t outbox_under_way(const struct outbox *o); /* QoS 1 and 2 sent on this connection and not over (MQTT 5.0, 4.9) */

/* Is there room for a message of so many bytes? When not, outbox_shed says what the policy gives up for it: ERR_ABSENT
 * when nothing, or when all of it would still not make room (refuse the new one), else what was dropped; if it was
 * durable, its end must be kept. Asked again until there is room. */
bool outbox_has_room(const struct outbox *o, const struct outbox_limits *limits, size_t bytes);
struct shed {
    uint64_t number; /* 0: of QoS 0 */
    uint8_t qos;
    bool durable;
};
MUST err outbox_shed(struct outbox *o, const struct outbox_limits *limits, size_t bytes, struct shed *out);

/* Takes a delivery (shares its message; `state` RESERVED or WAITING, for QoS 0 always WAITING) and gives its number, 0
 * for QoS 0. ERR_MEMORY. ERR_FULL: one that is not over has the same packet identifier (the client left it
 * unacknowledged while 65,534 others went) or 65,535 of QoS 0 wait. Asks for no limits. */
MUST err outbox_add(struct outbox *o, const struct delivery *delivery, uint64_t *number);
/* At the start, in rising order of numbers: a delivery that was kept, as SENT, since it may have been sent, or as
 * RELEASED. What is older by 65,535 numbers or more was over before this one could be made, so it is dropped. The next
 * number given is one above the last one restored. ERR_MEMORY. */
MUST err outbox_restore(struct outbox *o, uint64_t number, const struct delivery *delivery);

/* A number that is over already is fine for all that follow. */
void outbox_commit(struct outbox *o, uint64_t number); /* RESERVED -> WAITING */
void outbox_cancel(struct outbox *o, uint64_t number); /* RESERVED -> gone */

/* The next delivery in turn; NULL: none just now. Lends until the next call that changes the outbox. Its state says
 * what is to be done, and then outbox_sent: WAITING    PUBLISH SENT       PUBLISH again, with DUP (4.4) RELEASING
 * nothing, but its release may not have been kept: keep it (again), then outbox_released says whether PUBREL is due
 *   RELEASED   PUBREL again
 * PUBLISH with QoS 1 and 2 only while less than receive_max are under way (4.9). Whether its message expired is for its
 * user to ask: outbox_skip. */
const struct delivery *outbox_next(struct outbox *o, uint16_t receive_max, uint64_t *number);
void outbox_sent(struct outbox *o, uint64_t number); /* what outbox_next gave last was sent: SENT, or gone for QoS 0 */
void outbox_skip(struct outbox *o, uint64_t number); /* what outbox_next gave last cannot or need not be sent: gone */

/* What a packet identifier of the client names: SENT, RELEASING or RELEASED. NULL: nothing. Lends as outbox_next. */
const struct delivery *outbox_find(const struct outbox *o, uint16_t packet_id, uint64_t *number);
void outbox_releasing(struct outbox *o, uint64_t number); /* PUBREC: the message is dropped */
/* Its release is kept. True: PUBREL is to be sent now; false: it is not its turn yet (outbox_next gives it), or it was
 * sent before. */
bool outbox_released(struct outbox *o, uint64_t number);
void outbox_done(struct outbox *o, uint64_t number); /* PUBACK, PUBCOMP, or a PUBREC with a reason of 0x80 and above */

/* The connection ended: QoS 0 that waits is dropped and counted in the answer; all others take their turn again. */
size_t outbox_detach(struct outbox *o);
/* Gives back memory that is empty. A busy session keeps a little, so that it need not be taken for each message: call
 * it for one that has been idle for a while. outbox_detach does it, too. */
void outbox_rest(struct outbox *o);

/* Walks all with a number that are not gone, oldest first: start with 0; 0 ends. For looking at, and for a session that
 * ends. */
uint64_t outbox_walk(const struct outbox *o, uint64_t after, const struct delivery **out);

static inline uint16_t outbox_packet_id(uint64_t number)
{
    return (uint16_t)((number - 1) % OUTBOX_SPAN_MAX + 1);
}
