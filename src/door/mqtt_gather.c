/* One copy for a session whose subscriptions overlap: with the highest of their QoS and all their identifiers
 * (MQTT 5.0, 3.3.4). What the subscriptions say is gathered while a message is routed and delivered when that is over.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"

enum { IDS_MAX = 64, FIRST_ROOM = 16 };

struct mqtt_gathered {
    struct mqtt_session *session;
    struct mqtt_gift gift; /* its message is shared */
    uint32_t ids[IDS_MAX];
    size_t id_count;
};

static struct mqtt_gathered *place_for(struct mqtt_session *s)
{
    struct mqtt_commons *c = &s->lobby->mqtt;
    if (s->gathered)
        return &c->gathered[s->gathered - 1];
    if (c->gathered_count == c->gathered_room) {
        size_t room = c->gathered_room ? c->gathered_room * 2 : FIRST_ROOM;
        struct mqtt_gathered *grown = mem_grow(c->gathered, room, sizeof *grown);
        if (!grown)
            return NULL;
        c->gathered = grown;
        c->gathered_room = room;
    }
    struct mqtt_gathered *g = &c->gathered[c->gathered_count++];
    s->gathered = (uint32_t)c->gathered_count;
    g->session = s;
    g->id_count = 0;
    g->gift = (struct mqtt_gift){.message = NULL};
    return g;
}

void mqtt_gather(struct mqtt_session *s, const struct mqtt_gift *gift)
{
    struct mqtt_gathered *g = place_for(s);
    if (!g) { /* no memory: a copy for each is as good */
        mqtt_deliver(s, gift);
        return;
    }
    if (!g->gift.message) {
        g->gift = *gift;
        g->gift.message = message_share(gift->message);
        s->busy++;
    }
    g->gift.qos = gift->qos > g->gift.qos ? gift->qos : g->gift.qos;
    g->gift.retain |= gift->retain;
    if (gift->subscription_id && g->id_count < IDS_MAX)
        g->ids[g->id_count++] = gift->subscription_id;
}

/* Several identifiers travel as properties of a message of their own. */
static struct message *with_ids(const struct mqtt_gathered *g)
{
    SCOPED(buffer_drop) struct buffer block = {.max = PAYLOAD_MAX + IDS_MAX * 5};
    const struct message *m = g->gift.message;
    put_bytes(&block, m->properties);
    for (size_t i = 0; i < g->id_count; i++)
        if (mqtt_put_subscription_id(&block, g->ids[i]))
            return NULL;
    struct message_parts parts = {.topic = m->topic,
                                  .payload = m->payload,
                                  .properties = buffer_view(&block),
                                  .qos = m->qos,
                                  .retain = m->retain,
                                  .expires_us = m->expires_us,
                                  .source = m->source};
    return message_make(&parts);
}

static void hand_over(struct mqtt_gathered *g)
{
    struct message *made = g->id_count > 1 ? with_ids(g) : NULL;
    struct mqtt_gift gift = g->gift;
    gift.subscription_id = g->id_count == 1 || !made ? g->ids[0] : 0;
    if (!g->id_count)
        gift.subscription_id = 0;
    if (made)
        gift.message = made;
    mqtt_deliver(g->session, &gift);
    message_drop(made);
}

void mqtt_hand_over(struct route_end *self)
{
    struct mqtt_commons *c = CONTAINER(self, struct mqtt_commons, routed);
    for (size_t i = 0; i < c->gathered_count; i++) {
        struct mqtt_gathered g = c->gathered[i];
        struct mqtt_session *s = g.session;
        s->gathered = 0;
        hand_over(&g);
        message_drop(g.gift.message);
        s->busy--;
        mqtt_release_session(s);
    }
    c->gathered_count = 0;
}
