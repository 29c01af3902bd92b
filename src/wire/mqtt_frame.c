/* The fixed header: where a control packet begins and ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

static const struct fault more = {ERR_AGAIN, "mqtt: the packet is not whole yet"};
static const struct fault no_type = {ERR_MALFORMED, "mqtt: packet type 0 (MQTT 5.0, 2.1.2)"};
static const struct fault wrong_flags = {ERR_MALFORMED, "mqtt: wrong flags in the fixed header (MQTT 5.0, 2.1.3)"};
static const struct fault long_length = {ERR_MALFORMED, "mqtt: a remaining length of five bytes (MQTT 5.0, 2.1.4)"};
static const struct fault too_large = {ERR_TOO_LARGE, "mqtt: a packet over the bound (MQTT 5.0, 3.1.2.11.4)"};

/* 2.1.3: only PUBLISH may choose its flags; three packets have 2 for historical reasons. */
static bool flags_fit(unsigned type, unsigned flags)
{
    if (type == MQTT_PUBLISH)
        return true;
    bool two = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
    return flags == (two ? 2 : 0);
}

/* Sets head and the body's length; ERR_AGAIN when the length itself is not whole. */
static err read_length(struct bytes in, struct mqtt_frame *out)
{
    size_t length = 0;
    for (uint8_t i = 0; i < 4; i++) {
        if (in.len <= 1u + i)
            return &more;
        uint8_t byte = in.at[1 + i];
        length |= (size_t)(byte & 0x7F) << 7 * i;
        if (byte & 0x80)
            continue;
        out->head = (uint8_t)(2 + i);
        out->body.len = length;
        return OK;
    }
    return &long_length;
}

err mqtt_frame(struct bytes in, size_t max_packet, struct mqtt_frame *out)
{
    *out = (struct mqtt_frame){0};
    if (!in.len)
        return &more;
    unsigned type = in.at[0] >> 4;
    if (!type)
        return &no_type;
    out->type = (enum mqtt_type)type;
    out->flags = in.at[0] & 0x0F;
    if (!flags_fit(type, out->flags))
        return &wrong_flags;
    TRY(read_length(in, out));
    out->size = out->head + out->body.len;
    if (out->size > max_packet)
        return &too_large;
    if (out->size > in.len)
        return &more;
    out->body.at = in.at + out->head;
    return OK;
}
