/* fuzz: base, wire */
/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a run of packets, from both sides and in both versions: what is decoded can be encoded, and decodes to
 * the same again. The first byte chooses who speaks which version. */
#include "wire/mqtt.h"

#include <stdlib.h>

enum { ROOM = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int claim)
{
    if (!claim)
        abort();
}

static void walk_filters(const struct mqtt_packet *packet)
{
    struct bytes rest = packet->as.subscribe.filters;
    struct mqtt_filter filter;
    size_t count = 0;
    while (mqtt_next_filter(&rest, packet->type, &filter))
        count++;
    must(count == packet->as.subscribe.count && !rest.len);
}

static void walk_block(struct bytes block)
{
    struct mqtt_user_property user;
    for (struct bytes rest = block; mqtt_next_user_property(&rest, &user);)
        must(user.name.len <= MQTT_TEXT_MAX && user.value.len <= MQTT_TEXT_MAX);
    uint32_t id;
    for (struct bytes rest = block; mqtt_next_subscription_id(&rest, &id);)
        must(id != 0);
}

/* Once around may change spelling (a length that was too long in 3.1.1, an empty block, the order of properties), so
 * the bytes of the second time must equal those of the first. */
static void go_round(const struct mqtt_packet *packet, struct mqtt_dialect dialect)
{
    SCOPED(buffer_drop) struct buffer first = {.max = 2 * ROOM};
    SCOPED(buffer_drop) struct buffer second = {.max = 2 * ROOM};
    must(mqtt_encode(packet, dialect, &first) == OK);
    if (packet->type == MQTT_PUBLISH)
        must(first.len == mqtt_publish_size(&packet->as.publish, dialect.version));
    struct mqtt_frame frame;
    struct mqtt_packet again;
    must(mqtt_frame(buffer_view(&first), 2 * ROOM, &frame) == OK && frame.size == first.len);
    must(mqtt_decode(&frame, dialect, &again) == OK && again.type == packet->type);
    must(mqtt_encode(&again, dialect, &second) == OK);
    must(bytes_equal(buffer_view(&first), buffer_view(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct mqtt_dialect dialect = {data[0] & 1 ? MQTT_5 : MQTT_3_1_1,
                                   data[0] & 2 ? MQTT_FROM_SERVER : MQTT_FROM_CLIENT};
    struct bytes in = bytes_of(data + 1, size - 1);
    struct mqtt_frame frame;
    for (; mqtt_frame(in, ROOM, &frame) == OK; in = bytes_from(in, frame.size)) {
        struct mqtt_packet packet;
        if (mqtt_decode(&frame, dialect, &packet) != OK)
            continue;
        if (packet.type == MQTT_SUBSCRIBE || packet.type == MQTT_UNSUBSCRIBE)
            walk_filters(&packet);
        if (packet.type == MQTT_PUBLISH)
            walk_block(packet.as.publish.properties.block);
        go_round(&packet, dialect);
    }
    return 0;
}
