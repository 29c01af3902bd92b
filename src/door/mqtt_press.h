/* Printing of PUBLISH packets to peers; see mqtt_commons.h for what is shared. For this room only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/mqtt_session.h"

/* One message on its way to one peer. */
struct mqtt_leaf {
    struct message *message; /* borrowed */
    uint32_t subscription_id;
    uint16_t packet_id; /* 0 for QoS 0 */
    uint8_t qos;
    bool retain, dup;
};

/* Queues the packet on the peer's line, or says why not: it is larger than this client takes, so it never can
 * (MQTT 5.0, 3.1.2-24), or there is no memory for it now. */
enum mqtt_printed { PRINT_NO_MEMORY = 0, PRINT_TOO_LARGE, PRINTED };
enum mqtt_printed mqtt_print(struct mqtt_peer *p, const struct mqtt_leaf *leaf);
void mqtt_press_forget(struct mqtt_press *press); /* at the end of a turn, so that no message is held up */
void mqtt_press_close(struct mqtt_press *press);
