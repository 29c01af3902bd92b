/* Messages: one allocation, counted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/message.h"

#include "base/memory.h"

#include <string.h>

static struct bytes keep(uint8_t **tail, struct bytes bytes)
{
    uint8_t *at = *tail;
    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    *tail += bytes.len;
    return bytes_of(at, bytes.len);
}

struct message *message_make(const struct message_parts *parts)
{
    struct message *m = mem_take(1, sizeof *m + parts->topic.len + parts->payload.len + parts->properties.len);
    if (!m)
        return NULL;
    uint8_t *tail = (uint8_t *)(m + 1);
    holders_open(&m->holders);
    m->topic = keep(&tail, parts->topic);
    m->payload = keep(&tail, parts->payload);
    m->properties = keep(&tail, parts->properties);
    m->qos = parts->qos;
    m->retain = parts->retain;
    m->expires_us = parts->expires_us;
    m->number = parts->number;
    m->source = parts->source;
    return m;
}

struct message *message_share(struct message *m)
{
    holders_more(&m->holders);
    return m;
}

void message_drop(struct message *m)
{
    if (m && holders_less(&m->holders))
        mem_drop(m);
}
