/* Packing and unpacking. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/parcel.h"

enum { FORMAT = 1, QOS_1 = 1, RETAIN = 2, FLAGS = QOS_1 | RETAIN, US_PER_S = 1000000 };

static const struct fault no_parcel = {ERR_MALFORMED, "parcel: not one, or of another format"};
static const struct fault expired = {ERR_EXPIRED, "parcel: its message expiry interval is over (MQTT 5.0, 3.3.2.3.3)"};

void put_parcel(struct buffer *out, const struct mqtt_publish *publish, int64_t now_us)
{
    const struct mqtt_properties *p = &publish->properties;
    int64_t expires = p->present & MQTT_HAS(MESSAGE_EXPIRY) ? now_us + (int64_t)p->message_expiry * US_PER_S : 0;
    put_u8(out, FORMAT);
    put_u8(out, (uint8_t)((publish->qos ? QOS_1 : 0) | (publish->retain ? RETAIN : 0)));
    put_u64(out, (uint64_t)expires);
    put_u32(out, (uint32_t)p->block.len);
    put_bytes(out, p->block);
    put_bytes(out, publish->payload);
}

/* 3.3.2.3.3: the interval that is passed on is what came less the time that it waited here. It is not under 1, for 0
 * would say that it expires at once. */
static err lower_expiry(struct mqtt_properties *p, int64_t expires, int64_t now_us)
{
    if (!(p->present & MQTT_HAS(MESSAGE_EXPIRY)))
        return OK;
    if (expires <= now_us)
        return &expired;
    int64_t left = (expires - now_us + US_PER_S - 1) / US_PER_S;
    if (left < p->message_expiry) /* a clock that was set back does not lengthen it */
        p->message_expiry = (uint32_t)left;
    return OK;
}

err parcel_read(struct bytes in, int64_t now_us, struct mqtt_publish *out)
{
    struct reader r = reader_over(in);
    uint8_t format = read_u8(&r), flags = read_u8(&r);
    int64_t expires = (int64_t)read_u64(&r);
    struct bytes block = read_view(&r, read_u32(&r));
    if (r.spoiled || format != FORMAT || flags & ~FLAGS)
        return &no_parcel;
    *out = (struct mqtt_publish){.qos = flags & QOS_1, .retain = flags & RETAIN, .payload = r.left};
    if (mqtt_publish_properties(block, &out->properties))
        return &no_parcel;
    out->properties.present &= ~(MQTT_HAS(TOPIC_ALIAS) | MQTT_HAS(SUBSCRIPTION_ID));
    return lower_expiry(&out->properties, expires, now_us);
}
