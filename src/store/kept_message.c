/* The bytes of a kept message. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kept_message.h"

#include "core/topic.h"

static const struct fault too_large = {ERR_REFUSED, "store: the message is larger than is kept"};
static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault damaged = {ERR_MALFORMED, "store: a kept message is damaged"};

enum { VERSION = 1, QOS_BITS = 3, RETAIN_BIT = 4 };

err kept_message_write(const struct message *message, struct buffer *out)
{
    buffer_clear(out);
    if (message->topic.len > TOPIC_MAX || message->properties.len > PAYLOAD_MAX || message->payload.len > PAYLOAD_MAX)
        return &too_large;
    put_u8(out, VERSION);
    put_u8(out, (uint8_t)(message->qos | (message->retain ? RETAIN_BIT : 0)));
    put_u64(out, (uint64_t)message->expires_us);
    put_u16(out, (uint16_t)message->topic.len);
    put_u32(out, (uint32_t)message->properties.len);
    put_bytes(out, message->topic);
    put_bytes(out, message->properties);
    put_bytes(out, message->payload);
    return buffer_finish(out);
}

static bool is_sound(const struct message_parts *parts, uint8_t version, uint8_t bits)
{
    return version == VERSION && bits <= (QOS_BITS | RETAIN_BIT) && parts->qos <= 2 && parts->expires_us >= 0 &&
           !topic_check_name(parts->topic) && parts->properties.len <= PAYLOAD_MAX && parts->payload.len <= PAYLOAD_MAX;
}

err kept_message_read(struct bytes in, struct message **out)
{
    struct reader r = reader_over(in);
    struct message_parts parts = {.qos = 0};
    uint8_t version = read_u8(&r), bits = read_u8(&r);
    parts.qos = bits & QOS_BITS;
    parts.retain = bits & RETAIN_BIT;
    parts.expires_us = (int64_t)read_u64(&r);
    size_t topic = read_u16(&r), properties = read_u32(&r);
    parts.topic = read_view(&r, topic);
    parts.properties = read_view(&r, properties);
    parts.payload = read_view(&r, r.left.len);
    if (reader_finish(&r) || !is_sound(&parts, version, bits))
        return &damaged;
    *out = message_make(&parts);
    return *out ? OK : &no_memory;
}
