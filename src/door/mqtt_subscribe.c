/* SUBSCRIBE and UNSUBSCRIBE. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "core/topic.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a subscription"};

enum { REASONS_MAX = 4096 }; /* filters in one packet */

struct watch {
    struct table_node place; /* in the session's subscriptions */
    struct subscription subscription;
    struct mqtt_session *session;
    uint8_t qos;
    bool no_local;
    size_t filter_len;
    uint8_t filter[];
};

static void deliver(struct subscription *self, struct message *message)
{
    struct watch *w = CONTAINER(self, struct watch, subscription);
    if (w->no_local && message->source == (uintptr_t)w->session)
        return;
    mqtt_deliver(w->session, message, message->qos < w->qos ? message->qos : w->qos);
}

static struct watch *find(const struct mqtt_session *s, struct bytes filter)
{
    struct table_node *found = table_find(&s->subscriptions, filter);
    return found ? CONTAINER(found, struct watch, place) : NULL;
}

static void drop(struct mqtt_session *s, struct watch *w)
{
    router_remove(s->lobby->flow.router, &w->subscription);
    table_remove(&s->subscriptions, &w->place);
    mem_drop(w);
}

static err add(struct mqtt_session *s, struct bytes filter, struct watch **out)
{
    struct watch *w = mem_take(1, sizeof *w + filter.len);
    if (!w)
        return &no_memory;
    w->session = s;
    w->subscription.deliver = deliver;
    w->filter_len = filter.len;
    memcpy(w->filter, filter.at, filter.len);
    struct bytes key = bytes_of(w->filter, w->filter_len);
    err failed = table_add(&s->subscriptions, &w->place, key);
    if (failed) {
        mem_drop(w);
        return failed;
    }
    failed = router_add(s->lobby->flow.router, key, &w->subscription);
    if (failed) {
        drop(s, w);
        return failed;
    }
    *out = w;
    return OK;
}

static void judged(struct request *r)
{
    /* WATCH never waits: whoever began it reads the outcome when flow_begin returns. */
}

static enum mqtt_reason watch(struct mqtt_session *s, const struct mqtt_filter *f)
{
    struct request r = {.verb = VERB_WATCH, .who = &s->who, .peer = s->peer, .resource = f->filter, .done = judged};
    if (topic_check_filter(f->filter))
        return MQTT_TOPIC_FILTER_INVALID;
    if (bytes_starts(f->filter, "$share/"))
        return MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
    flow_begin(&s->lobby->flow, &r);
    if (r.refused)
        return mqtt_refusal(r.refused);
    struct watch *w = find(s, f->filter);
    if (!w && add(s, f->filter, &w))
        return MQTT_QUOTA_EXCEEDED;
    w->qos = f->qos < 1 ? f->qos : 1;
    w->no_local = f->no_local;
    return w->qos ? MQTT_GRANTED_QOS_1 : MQTT_GRANTED_QOS_0;
}

static enum mqtt_reason unwatch(struct mqtt_session *s, const struct mqtt_filter *f)
{
    struct watch *w = find(s, f->filter);
    if (!w)
        return MQTT_NO_SUBSCRIPTION_EXISTED;
    drop(s, w);
    return MQTT_SUCCESS;
}

static err answer(struct mqtt_session *s, const struct mqtt_subscribe *packet, enum mqtt_type type)
{
    SCOPED(buffer_drop) struct buffer reasons = {.max = REASONS_MAX};
    struct bytes filters = packet->filters;
    struct mqtt_filter f;
    while (mqtt_next_filter(&filters, type, &f))
        put_u8(&reasons, (uint8_t)(type == MQTT_SUBSCRIBE ? watch(s, &f) : unwatch(s, &f)));
    TRY(buffer_finish(&reasons));
    mqtt_send(s,
              &(struct mqtt_packet){.type = type == MQTT_SUBSCRIBE ? MQTT_SUBACK : MQTT_UNSUBACK,
                                    .as.suback = {.packet_id = packet->packet_id, .reasons = buffer_view(&reasons)}});
    return OK;
}

err mqtt_on_subscribe(struct mqtt_session *s, const struct mqtt_subscribe *subscribe)
{
    if (subscribe->properties.present & MQTT_HAS(SUBSCRIPTION_ID)) {
        mqtt_bye(s, MQTT_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "subscription identifiers are not offered");
        return OK;
    }
    return answer(s, subscribe, MQTT_SUBSCRIBE);
}

err mqtt_on_unsubscribe(struct mqtt_session *s, const struct mqtt_subscribe *unsubscribe)
{
    return answer(s, unsubscribe, MQTT_UNSUBSCRIBE);
}

void mqtt_forget_subscriptions(struct mqtt_session *s)
{
    for (struct table_node *node = table_next(&s->subscriptions, NULL); node;
         node = table_next(&s->subscriptions, NULL))
        drop(s, CONTAINER(node, struct watch, place));
}
