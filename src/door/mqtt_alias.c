/* Topic aliases, of the client's messages and of ours (MQTT 5.0, 3.3.2.3.4). They live as long as the connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"

#include <string.h>

static const struct fault unknown = {ERR_REFUSED, "mqtt: a topic alias that stands for nothing (MQTT 5.0, 3.3.2.3.4)"};
static const struct fault too_high = {ERR_REFUSED,
                                      "mqtt: a topic alias over the maximum that CONNACK named (MQTT 5.0, 3.3.2.3.4)"};
static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for topic aliases"};

enum {
    OUT_MAX = 16,  /* that we use, whatever the client takes */
    SHORT_MAX = 3, /* a topic this short gains nothing */
};

struct mqtt_aliases_in {
    struct bytes at[MQTT_ALIASES_MAX]; /* owned */
};

struct mqtt_aliases_out {
    uint16_t next; /* the one that is given away next when all are taken */
    struct bytes at[OUT_MAX];
};

static err keep(struct bytes *slot, struct bytes topic)
{
    uint8_t *copy = mem_take(1, topic.len);
    if (!copy)
        return &no_memory;
    memcpy(copy, topic.at, topic.len);
    mem_drop((void *)(uintptr_t)slot->at);
    *slot = bytes_of(copy, topic.len);
    return OK;
}

err mqtt_alias_in(struct mqtt_peer *p, const struct mqtt_publish *publish, struct bytes *topic)
{
    *topic = publish->topic;
    if (!(publish->properties.present & MQTT_HAS(TOPIC_ALIAS)))
        return OK;
    uint16_t alias = publish->properties.topic_alias;
    if (!alias || alias > MQTT_ALIASES_MAX)
        return &too_high;
    if (!p->aliases_in && !(p->aliases_in = MEM_NEW(struct mqtt_aliases_in)))
        return &no_memory;
    struct bytes *slot = &p->aliases_in->at[alias - 1];
    if (publish->topic.len)
        return keep(slot, publish->topic);
    *topic = *slot;
    return slot->len ? OK : &unknown;
}

uint16_t mqtt_alias_out(struct mqtt_peer *p, struct bytes topic, bool *known)
{
    uint16_t max = p->alias_max < OUT_MAX ? p->alias_max : OUT_MAX;
    *known = false;
    if (!max || topic.len <= SHORT_MAX || (!p->aliases_out && !(p->aliases_out = MEM_NEW(struct mqtt_aliases_out))))
        return 0;
    struct mqtt_aliases_out *out = p->aliases_out;
    for (uint16_t i = 0; i < max; i++)
        if (bytes_equal(out->at[i], topic)) {
            *known = true;
            return (uint16_t)(i + 1);
        }
    uint16_t place = out->next;
    if (keep(&out->at[place], topic))
        return 0;
    out->next = (uint16_t)((place + 1) % max);
    return (uint16_t)(place + 1);
}

void mqtt_forget_aliases(struct mqtt_peer *p)
{
    for (size_t i = 0; p->aliases_in && i < MQTT_ALIASES_MAX; i++)
        mem_drop((void *)(uintptr_t)p->aliases_in->at[i].at);
    for (size_t i = 0; p->aliases_out && i < OUT_MAX; i++)
        mem_drop((void *)(uintptr_t)p->aliases_out->at[i].at);
    mem_drop(p->aliases_in);
    mem_drop(p->aliases_out);
    p->aliases_in = NULL;
    p->aliases_out = NULL;
}
