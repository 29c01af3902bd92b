/* What the MQTT peers and sessions of one lobby share; a part of the lobby. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "core/router.h"
#include "os/loop.h"
#include "session/outbox.h"

enum {
    MQTT_ALIASES_MAX = 32, /* topic aliases that a client may use (MQTT 5.0, 3.2.2.3.8) */
    MQTT_PRINTS = 12,      /* two versions, three QoS, retained or not */
};

/* One message as it is sent: encoded once for all who take it in the same way, whatever their number. */
struct mqtt_press {
    struct message *message; /* shared; NULL: nothing was printed */
    unsigned printed;        /* a bit for each of `prints` that was */
    struct mqtt_print {
        struct buffer packet; /* empty: not printed in this way */
        size_t id_at;         /* where the packet identifier stands; 0: there is none */
    } prints[MQTT_PRINTS];
};

struct mqtt_gathered;

struct mqtt_commons {
    struct route_end routed;        /* told by the router when a message went to all */
    struct mqtt_gathered *gathered; /* sessions that the message being routed found by one or more subscriptions */
    size_t gathered_count, gathered_room;
    struct outbox_limits queue;        /* of one session */
    bool restores;                     /* the start: what was kept is held, whatever the limits say by now */
    uint64_t next_number, number_step; /* of sessions; each lobby gives others */
    struct mqtt_press press;
    struct turn_end turn_end; /* when the press and the scratch are cleared */
    struct buffer scratch;    /* for one packet at a time */
    struct list spare;        /* publications that are not in use */
    size_t spare_count;
};
