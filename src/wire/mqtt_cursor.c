/* The data types of MQTT: integers of variable length, texts, binary data, topic names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

#include "base/text.h"

static const struct fault truncated = {ERR_MALFORMED, "mqtt: the packet ends inside a field (MQTT 5.0, 2.1.4)"};
static const struct fault trailing = {ERR_MALFORMED, "mqtt: bytes behind the last field (MQTT 5.0, 2.1.4)"};
static const struct fault long_varint = {ERR_MALFORMED,
                                         "mqtt: a variable byte integer of five bytes (MQTT 5.0, 1.5.5)"};
static const struct fault padded_varint = {
    ERR_MALFORMED, "mqtt: a variable byte integer with more bytes than it needs (MQTT 5.0, 1.5.5)"};
static const struct fault not_text = {ERR_MALFORMED, "mqtt: a text that is no valid UTF-8 (MQTT 5.0, 1.5.4)"};
static const struct fault nul_in_text = {ERR_MALFORMED, "mqtt: U+0000 in a text (MQTT 5.0, 1.5.4)"};
static const struct fault wildcard = {ERR_MALFORMED, "mqtt: a wildcard in a topic name (MQTT 5.0, 4.7.1)"};
static const struct fault no_packet_id = {ERR_MALFORMED, "mqtt: packet identifier 0 (MQTT 5.0, 2.2.1)"};
static const struct fault long_text = {ERR_TOO_LARGE,
                                       "mqtt: a text or binary field over 65,535 bytes (MQTT 5.0, 1.5.4)"};

void cursor_blame(struct cursor *c, err fault)
{
    if (!c->wrong && !c->r.spoiled)
        c->wrong = fault;
}

err cursor_finish(const struct cursor *c)
{
    if (c->wrong)
        return c->wrong;
    if (c->r.spoiled)
        return &truncated;
    return c->r.left.len ? &trailing : OK;
}

uint32_t cursor_varint(struct cursor *c)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte = read_u8(&c->r);
        value |= (uint32_t)(byte & 0x7F) << 7 * i;
        if (byte & 0x80)
            continue;
        if (i && !byte)
            cursor_blame(c, &padded_varint);
        return value;
    }
    cursor_blame(c, &long_varint);
    return 0;
}

struct bytes cursor_binary(struct cursor *c)
{
    return read_view(&c->r, read_u16(&c->r));
}

struct bytes cursor_text(struct cursor *c)
{
    struct bytes text = cursor_binary(c);
    size_t at;
    if (!utf8_valid(text))
        cursor_blame(c, &not_text);
    else if (bytes_find(text, 0, &at))
        cursor_blame(c, &nul_in_text);
    return text;
}

struct bytes cursor_topic(struct cursor *c)
{
    struct bytes topic = cursor_text(c);
    size_t at;
    if (bytes_find(topic, '#', &at) || bytes_find(topic, '+', &at))
        cursor_blame(c, &wildcard);
    return topic;
}

uint16_t cursor_packet_id(struct cursor *c)
{
    uint16_t id = read_u16(&c->r);
    if (!id)
        cursor_blame(c, &no_packet_id);
    return id;
}

size_t varint_size(uint32_t value)
{
    return value < 1u << 7 ? 1 : value < 1u << 14 ? 2 : value < 1u << 21 ? 3 : 4;
}

void put_varint(struct buffer *b, uint32_t value)
{
    for (; value > 0x7F; value >>= 7)
        put_u8(b, (uint8_t)(value | 0x80));
    put_u8(b, (uint8_t)value);
}

err put_field(struct buffer *b, struct bytes field)
{
    if (field.len > MQTT_TEXT_MAX)
        return &long_text;
    put_u16(b, (uint16_t)field.len);
    put_bytes(b, field);
    return OK;
}

err settle_write(struct buffer *b, size_t start, err e)
{
    if (!e)
        e = buffer_finish(b);
    if (e) {
        b->len = start;
        b->spoiled = false;
    }
    return e;
}
