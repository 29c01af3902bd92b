/* The list of filters in SUBSCRIBE and UNSUBSCRIBE. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

enum { QOS_BITS = 0x03, NO_LOCAL = 0x04, RETAIN_AS_PUBLISHED = 0x08, HANDLING_SHIFT = 4 };

static const struct fault bad_filter = {ERR_REFUSED,
                                        "mqtt: a filter with a QoS or retain handling of 3 (MQTT 5.0, 3.8.3.1)"};

bool mqtt_next_filter(struct bytes *filters, enum mqtt_type type, struct mqtt_filter *out)
{
    if (!filters->len)
        return false;
    struct reader r = reader_over(*filters);
    *out = (struct mqtt_filter){.filter = read_view(&r, read_u16(&r))};
    uint8_t options = type == MQTT_SUBSCRIBE ? read_u8(&r) : 0;
    out->qos = options & QOS_BITS;
    out->no_local = options & NO_LOCAL;
    out->retain_as_published = options & RETAIN_AS_PUBLISHED;
    out->retain_handling = (options >> HANDLING_SHIFT) & QOS_BITS;
    *filters = r.left;
    return !r.spoiled;
}

err mqtt_put_filter(struct buffer *filters, enum mqtt_type type, const struct mqtt_filter *filter)
{
    if (filter->qos > 2 || filter->retain_handling > 2)
        return &bad_filter;
    size_t start = filters->len;
    TRY(buffer_finish(filters));
    err e = put_field(filters, filter->filter);
    if (type == MQTT_SUBSCRIBE)
        put_u8(filters, (uint8_t)(filter->qos | (filter->no_local ? NO_LOCAL : 0) |
                                  (filter->retain_as_published ? RETAIN_AS_PUBLISHED : 0) |
                                  filter->retain_handling << HANDLING_SHIFT));
    return settle_write(filters, start, e);
}
