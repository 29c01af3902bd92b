/* MQTT 5.0 properties. One table knows them all; reading and writing walk it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_property.h"

#include "wire/mqtt_cursor.h"

enum shape { NONE = 0, U8, U16, U32, VARINT, TEXT, TOPIC, BINARY, PAIR };

struct row {
    enum shape shape;
    uint16_t packets; /* bits: 1 << mqtt_type, bit MQTT_WILL for a will */
    uint16_t at;      /* of the field in struct mqtt_properties */
    uint32_t lowest, highest;
    struct fault misplaced, twice, out_of_range;
};

enum { ROWS = MQTT_PROPERTY_SHARED_AVAILABLE + 1 };

static const struct row rows[ROWS] = {
#define PROPERTY(NAME, field, type, where, low, high, name, clause)                                                    \
    [MQTT_PROPERTY_##NAME] = {                                                                                         \
        .shape = (type),                                                                                               \
        .packets = (where),                                                                                            \
        .at = offsetof(struct mqtt_properties, field),                                                                 \
        .lowest = (low),                                                                                               \
        .highest = (high),                                                                                             \
        .misplaced = {ERR_MALFORMED, "mqtt: " name " in a packet that has none (MQTT 5.0, 2.2.2.2)"},                  \
        .twice = {ERR_REFUSED, "mqtt: " name " twice (MQTT 5.0, " clause ")"},                                         \
        .out_of_range = {ERR_REFUSED, "mqtt: " name " with a value that it may not have (MQTT 5.0, " clause ")"},      \
    },
#include "wire/mqtt_property.def"
};

static const struct fault unknown = {ERR_MALFORMED, "mqtt: an unknown property (MQTT 5.0, 2.2.2.2)"};
static const struct fault empty_topic = {ERR_REFUSED, "mqtt: an empty Response Topic (MQTT 5.0, 4.7.3)"};
static const struct fault no_id = {ERR_REFUSED,
                                   "mqtt: a subscription identifier out of 1 to 268,435,455 (MQTT 5.0, 3.8.2.1.2)"};
static const struct fault over_limit = {ERR_TOO_LARGE,
                                        "mqtt: properties over what a length can say (MQTT 5.0, 2.2.2.1)"};

const struct mqtt_properties properties_absent = {
    .maximum_packet_size = UINT32_MAX,
    .receive_maximum = UINT16_MAX,
    .request_problem = 1,
    .maximum_qos = 2,
    .retain_available = 1,
    .wildcard_available = 1,
    .subscription_id_available = 1,
    .shared_available = 1,
};

static const struct row *row_of(uint8_t id)
{
    return id < ROWS && rows[id].shape ? &rows[id] : NULL;
}

/* User properties anywhere, and subscription identifiers in a PUBLISH (3.3.2.3.8). */
static bool may_repeat(unsigned packet, uint8_t id)
{
    return id == MQTT_PROPERTY_USER || (id == MQTT_PROPERTY_SUBSCRIPTION_ID && packet == MQTT_PUBLISH);
}

static uint32_t read_number(struct cursor *c, enum shape shape)
{
    switch (shape) {
    case U8:
        return read_u8(&c->r);
    case U16:
        return read_u16(&c->r);
    case U32:
        return read_u32(&c->r);
    case VARINT:
        return cursor_varint(c);
    case NONE:
    case TEXT:
    case TOPIC:
    case BINARY:
    case PAIR:
        break;
    }
    return 0;
}

static void store_number(uint8_t *field, enum shape shape, uint32_t value)
{
    if (shape == U8)
        *field = (uint8_t)value;
    else if (shape == U16)
        *(uint16_t *)(void *)field = (uint16_t)value;
    else
        *(uint32_t *)(void *)field = value;
}

static uint32_t load_number(const uint8_t *field, enum shape shape)
{
    if (shape == U8)
        return *field;
    if (shape == U16)
        return *(const uint16_t *)(const void *)field;
    return *(const uint32_t *)(const void *)field;
}

static void read_topic(struct cursor *c, struct bytes *out)
{
    *out = cursor_topic(c);
    if (!out->len)
        cursor_blame(c, &empty_topic);
}

static void read_value(struct cursor *c, unsigned packet, uint8_t id, struct mqtt_properties *out)
{
    const struct row *row = &rows[id];
    uint8_t *field = (uint8_t *)out + row->at;
    switch (row->shape) {
    case U8:
    case U16:
    case U32:
    case VARINT: {
        uint32_t value = read_number(c, row->shape);
        if (value < row->lowest || value > row->highest)
            cursor_blame(c, &row->out_of_range);
        if (!may_repeat(packet, id))
            store_number(field, row->shape, value);
        return;
    }
    case TEXT:
        *(struct bytes *)(void *)field = cursor_text(c);
        return;
    case TOPIC:
        read_topic(c, (struct bytes *)(void *)field);
        return;
    case BINARY:
        *(struct bytes *)(void *)field = cursor_binary(c);
        return;
    case PAIR:
        cursor_text(c);
        cursor_text(c);
        return;
    case NONE:
        return;
    }
}

static void read_property(struct cursor *c, unsigned packet, struct mqtt_properties *out)
{
    uint8_t id = read_u8(&c->r); /* 2.2.2.2: a variable byte integer, but every identifier fits into one byte */
    const struct row *row = row_of(id);
    if (!row) {
        cursor_blame(c, &unknown);
        return;
    }
    uint64_t bit = (uint64_t)1 << id;
    if (!(row->packets & 1u << packet))
        cursor_blame(c, &row->misplaced);
    if ((out->present & bit) && !may_repeat(packet, id))
        cursor_blame(c, &row->twice);
    read_value(c, packet, id, out);
    out->present |= bit;
}

static err read_block(struct bytes block, unsigned packet, struct mqtt_properties *out)
{
    struct cursor inside = {reader_over(block), NULL};
    *out = properties_absent;
    out->block = block;
    while (inside.r.left.len && !inside.r.spoiled && !inside.wrong)
        read_property(&inside, packet, out);
    return cursor_finish(&inside);
}

void cursor_properties(struct cursor *c, unsigned packet, struct mqtt_properties *out)
{
    err wrong = read_block(read_view(&c->r, cursor_varint(c)), packet, out);
    if (wrong)
        cursor_blame(c, wrong);
}

err mqtt_publish_properties(struct bytes block, struct mqtt_properties *out)
{
    return read_block(block, MQTT_PUBLISH, out);
}

/* Cuts one property off the block. False at its end, and at the first one that is broken. */
static bool next_property(struct bytes *block, uint8_t *id, struct bytes *value)
{
    struct cursor c = {reader_over(*block), NULL};
    *id = read_u8(&c.r);
    const struct row *row = row_of(*id);
    struct mqtt_properties unused;
    if (!row)
        return false;
    struct bytes rest = c.r.left;
    read_value(&c, MQTT_PUBLISH, *id, &unused);
    if (c.r.spoiled || c.wrong)
        return false;
    *value = bytes_first(rest, rest.len - c.r.left.len);
    *block = c.r.left;
    return true;
}

bool mqtt_next_user_property(struct bytes *block, struct mqtt_user_property *out)
{
    uint8_t id;
    struct bytes value;
    while (block->len && next_property(block, &id, &value)) {
        if (id != MQTT_PROPERTY_USER)
            continue;
        struct cursor c = {reader_over(value), NULL};
        out->name = cursor_binary(&c);
        out->value = cursor_binary(&c);
        return true;
    }
    return false;
}

bool mqtt_next_subscription_id(struct bytes *block, uint32_t *out)
{
    uint8_t id;
    struct bytes value;
    while (block->len && next_property(block, &id, &value)) {
        if (id != MQTT_PROPERTY_SUBSCRIPTION_ID)
            continue;
        struct cursor c = {reader_over(value), NULL};
        *out = cursor_varint(&c);
        return true;
    }
    return false;
}

err mqtt_put_user_property(struct buffer *block, struct bytes name, struct bytes value)
{
    size_t start = block->len;
    TRY(buffer_finish(block));
    put_u8(block, MQTT_PROPERTY_USER);
    err e = put_field(block, name);
    if (!e)
        e = put_field(block, value);
    return settle_write(block, start, e);
}

err mqtt_put_subscription_id(struct buffer *block, uint32_t id)
{
    if (!id || id > MQTT_REMAINING_MAX)
        return &no_id;
    size_t start = block->len;
    TRY(buffer_finish(block));
    put_u8(block, MQTT_PROPERTY_SUBSCRIPTION_ID);
    put_varint(block, id);
    return settle_write(block, start, OK);
}

/* The single property that a bit of `present` stands for; the lowest bit is taken off the set. */
static uint8_t take_lowest(uint64_t *bits)
{
    uint8_t id = (uint8_t)__builtin_ctzll(*bits);
    *bits &= *bits - 1;
    return id;
}

/* The bits that are written from the block, and not from a field. */
static uint64_t repeated_bits(unsigned packet, const struct mqtt_properties *p)
{
    uint64_t may = MQTT_HAS(USER) | (packet == MQTT_PUBLISH ? MQTT_HAS(SUBSCRIPTION_ID) : 0);
    return p->block.len ? p->present & may : 0;
}

static uint64_t single_bits(unsigned packet, const struct mqtt_properties *p)
{
    return p->present & ~(MQTT_HAS(USER) | (packet == MQTT_PUBLISH ? MQTT_HAS(SUBSCRIPTION_ID) : 0));
}

static size_t value_size(const struct row *row, const uint8_t *field)
{
    switch (row->shape) {
    case U8:
        return 1;
    case U16:
        return 2;
    case U32:
        return 4;
    case VARINT:
        return varint_size(load_number(field, VARINT));
    case TEXT:
    case TOPIC:
    case BINARY:
        return 2 + ((const struct bytes *)(const void *)field)->len;
    case NONE:
    case PAIR:
        break;
    }
    return 0;
}

static size_t block_size(unsigned packet, const struct mqtt_properties *p)
{
    size_t size = 0;
    for (uint64_t left = single_bits(packet, p); left;) {
        uint8_t id = take_lowest(&left);
        const struct row *row = row_of(id);
        size += row ? 1 + value_size(row, (const uint8_t *)p + row->at) : 0;
    }
    uint64_t repeated = repeated_bits(packet, p);
    struct bytes block = p->block, value;
    for (uint8_t id; repeated && block.len && next_property(&block, &id, &value);)
        size += repeated >> id & 1 ? 1 + value.len : 0;
    return size;
}

size_t properties_size(unsigned packet, const struct mqtt_properties *p)
{
    size_t size = block_size(packet, p);
    return size + varint_size(size > MQTT_REMAINING_MAX ? MQTT_REMAINING_MAX : (uint32_t)size);
}

static err put_number(struct buffer *b, const struct row *row, const uint8_t *field)
{
    uint32_t value = load_number(field, row->shape);
    if (value < row->lowest || value > row->highest)
        return &row->out_of_range;
    if (row->shape == U8)
        put_u8(b, (uint8_t)value);
    else if (row->shape == U16)
        put_u16(b, (uint16_t)value);
    else if (row->shape == U32)
        put_u32(b, value);
    else
        put_varint(b, value);
    return OK;
}

static err put_property(struct buffer *b, unsigned packet, uint8_t id, const struct mqtt_properties *p)
{
    const struct row *row = row_of(id);
    if (!row)
        return &unknown;
    if (!(row->packets & 1u << packet))
        return &row->misplaced;
    const uint8_t *field = (const uint8_t *)p + row->at;
    put_u8(b, id);
    return row->shape >= TEXT ? put_field(b, *(const struct bytes *)(const void *)field) : put_number(b, row, field);
}

static err put_block(struct buffer *b, unsigned packet, const struct mqtt_properties *p)
{
    for (uint64_t left = single_bits(packet, p); left;)
        TRY(put_property(b, packet, take_lowest(&left), p));
    uint64_t repeated = repeated_bits(packet, p);
    struct bytes block = p->block, value;
    for (uint8_t id; repeated && block.len && next_property(&block, &id, &value);) {
        if (!(repeated >> id & 1))
            continue;
        put_u8(b, id);
        put_bytes(b, value);
    }
    return OK;
}

err put_properties(struct buffer *b, unsigned packet, const struct mqtt_properties *p)
{
    size_t size = block_size(packet, p);
    if (size > MQTT_REMAINING_MAX)
        return &over_limit;
    put_varint(b, (uint32_t)size);
    return put_block(b, packet, p);
}

err mqtt_put_forwarded(const struct mqtt_properties *properties, struct buffer *block)
{
    const uint64_t forwarded = MQTT_HAS(PAYLOAD_FORMAT) | MQTT_HAS(CONTENT_TYPE) | MQTT_HAS(RESPONSE_TOPIC) |
                               MQTT_HAS(CORRELATION_DATA) | MQTT_HAS(USER);
    struct mqtt_properties some = *properties;
    size_t start = block->len;
    some.present &= forwarded;
    TRY(buffer_finish(block));
    return settle_write(block, start, put_block(block, MQTT_PUBLISH, &some));
}

err mqtt_put_message_expiry(struct buffer *block, uint32_t seconds)
{
    size_t start = block->len;
    TRY(buffer_finish(block));
    put_u8(block, MQTT_PROPERTY_MESSAGE_EXPIRY);
    put_u32(block, seconds);
    return settle_write(block, start, OK);
}
