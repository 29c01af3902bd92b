/* A message: what is routed. Immutable once made, counted, shared by all loops; its count is the one atomic in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "base/count.h"

struct message {
    struct holders holders;
    struct bytes topic;
    struct bytes payload;
    struct bytes properties; /* those that travel with it unchanged, encoded as MQTT 5 properties (3.3.2.3); may be empty */
    uint8_t qos;             /* of the publisher */
    bool retain;             /* the publisher asked to retain it, or it comes from the retained ones */
    int64_t expires_us;      /* wall clock; 0: never (MQTT 5.0, 3.3.2.3.3). The properties do not carry it */
    uint64_t number;         /* where its source numbers its messages (events), else 0 */
    uint64_t source;         /* of the session that published it, for "no local"; 0: none */
};

struct message_parts {
    struct bytes topic, payload, properties;
    uint8_t qos;
    bool retain;
    int64_t expires_us;
    uint64_t number, source;
};

struct message *message_make(const struct message_parts *parts); /* copies; one holder; NULL: no memory */
struct message *message_share(struct message *m);                /* one holder more; from any thread */
void message_drop(struct message *m);                            /* one holder less; NULL is fine */
