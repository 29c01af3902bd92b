/* What the MQTT peers and sessions of one lobby share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_press.h"

#include "base/memory.h"

enum {
    SCRATCH_KEPT = 65536,
    SCRATCH_MAX = PAYLOAD_MAX + 393216
}; /* a payload and a packet's worth of everything else */

static void turn_is_over(struct turn_end *self)
{
    struct mqtt_commons *c = CONTAINER(self, struct mqtt_commons, turn_end);
    mqtt_press_forget(&c->press);
    if (c->scratch.room > SCRATCH_KEPT)
        buffer_drop(&c->scratch);
}

void mqtt_open(struct lobby *lobby)
{
    struct mqtt_commons *c = &lobby->mqtt;
    c->queue = lobby->limits->queue;
    c->scratch.max = SCRATCH_MAX;
    c->next_number = c->number_step = 1;
    c->turn_end.over = turn_is_over;
    list_open(&c->spare);
    c->routed.over = mqtt_hand_over;
    router_tell_end(lobby->flow.router, &c->routed);
    lobby->drain_tick = (struct timer){.due = mqtt_drain_tick};
}

/* The store keeps what is kept: nothing is ended there. */
static void forget_session(struct mqtt_session *s)
{
    s->kept = false;
    s->busy = 0;
    message_drop(s->will);
    s->will = NULL;
    mqtt_end_session(s);
}

void mqtt_close(struct lobby *lobby)
{
    struct mqtt_commons *c = &lobby->mqtt;
    for (struct table_node *node = table_next(&lobby->sessions, NULL); node; node = table_next(&lobby->sessions, NULL))
        forget_session(CONTAINER(node, struct mqtt_session, place));
    mqtt_forget_spare(lobby);
    mqtt_press_close(&c->press);
    mem_drop(c->gathered);
    buffer_drop(&c->scratch);
}
