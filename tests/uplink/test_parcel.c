/* The parcel: what goes in comes out, its expiry shrinks, what is no parcel is refused at every length. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/parcel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

/* A PUBLISH as it came off the wire, so that its properties are a block. */
static struct mqtt_publish decoded(struct buffer *wire, struct mqtt_publish publish)
{
    struct mqtt_packet packet = {MQTT_PUBLISH, .as.publish = publish}, out;
    struct mqtt_frame frame;
    assert_null(mqtt_encode(&packet, (struct mqtt_dialect){MQTT_5, MQTT_FROM_SERVER}, wire));
    assert_null(mqtt_frame(buffer_view(wire), 1 << 20, &frame));
    assert_null(mqtt_decode(&frame, (struct mqtt_dialect){MQTT_5, MQTT_FROM_SERVER}, &out));
    return out.as.publish;
}

static const struct mqtt_properties rich = {
    .present = MQTT_HAS(CONTENT_TYPE) | MQTT_HAS(RESPONSE_TOPIC) | MQTT_HAS(CORRELATION_DATA) | MQTT_HAS(USER) |
               MQTT_HAS(PAYLOAD_FORMAT) | MQTT_HAS(MESSAGE_EXPIRY) | MQTT_HAS(SUBSCRIPTION_ID),
    .content_type = BYTES_ROW("text/plain"),
    .response_topic = BYTES_ROW("answers"),
    .correlation_data = BYTES_ROW("\0\1"),
    .payload_format = 1,
    .message_expiry = 100,
    .block = BYTES_ROW("\x26\0\1k\0\1v"
                       "\x0b\x07"),
};

static void test_all_of_it_goes_along(void **state)
{
    SCOPED(buffer_drop) struct buffer wire = {.max = 4096}, parcel = {.max = 4096}, again = {.max = 4096};
    struct mqtt_publish out, in = decoded(&wire, (struct mqtt_publish){.topic = BYTES_ROW("t"),
                                                                       .payload = BYTES_ROW("hello"),
                                                                       .properties = rich,
                                                                       .qos = 1,
                                                                       .packet_id = 7,
                                                                       .retain = true});
    put_parcel(&parcel, &in, 5 * SECOND);
    assert_null(parcel_read(buffer_view(&parcel), 5 * SECOND, &out));
    assert_true(out.retain && out.qos == 1 && bytes_is(out.payload, "hello"));
    out.topic = BYTES("other");
    out.packet_id = 9;
    struct mqtt_publish seen = decoded(&again, out);
    const struct mqtt_properties *p = &seen.properties;
    assert_int_equal(p->present, rich.present & ~MQTT_HAS(SUBSCRIPTION_ID));
    assert_true(bytes_is(p->content_type, "text/plain") && bytes_is(p->response_topic, "answers"));
    assert_true(bytes_equal(p->correlation_data, BYTES("\0\1")) && p->payload_format == 1);
    assert_int_equal(p->message_expiry, 100);
    struct bytes block = p->block;
    struct mqtt_user_property user;
    assert_true(mqtt_next_user_property(&block, &user));
    assert_true(bytes_is(user.name, "k") && bytes_is(user.value, "v"));
}

static const struct {
    const char *rule;
    int64_t later_us;
    uint32_t left; /* 0: expired */
} expiries[] = {
    {"at once", 0, 100},
    {"a part of a second counts as a whole one that is left", SECOND / 2, 100},
    {"a second later", SECOND, 99},
    {"the last second", 99 * (int64_t)SECOND + 1, 1},
    {"over", 100 * (int64_t)SECOND, 0},
    {"long over", 100000 * (int64_t)SECOND, 0},
    {"a clock that was set back does not lengthen it", -50 * (int64_t)SECOND, 100},
};

static void test_expiry(void **state)
{
    SCOPED(buffer_drop) struct buffer wire = {.max = 4096}, parcel = {.max = 4096};
    struct mqtt_publish in = decoded(&wire, (struct mqtt_publish){.topic = BYTES_ROW("t"), .properties = rich});
    int64_t now = 1000 * (int64_t)SECOND;
    put_parcel(&parcel, &in, now);
    for (size_t i = 0; i < sizeof expiries / sizeof *expiries; i++) {
        struct mqtt_publish out = {.topic = {NULL, 0}};
        err e = parcel_read(buffer_view(&parcel), now + expiries[i].later_us, &out);
        if (err_is(e, ERR_EXPIRED) != !expiries[i].left || (!e && out.properties.message_expiry != expiries[i].left))
            fail_msg("%s: %s, %u", expiries[i].rule, err_text(e), out.properties.message_expiry);
    }
}

static void test_nothing_in_it(void **state)
{
    SCOPED(buffer_drop) struct buffer parcel = {.max = 4096};
    struct mqtt_publish out;
    put_parcel(&parcel, &(struct mqtt_publish){.qos = 0}, 1);
    assert_int_equal(parcel.len, PARCEL_HEAD);
    assert_null(parcel_read(buffer_view(&parcel), INT64_MAX, &out));
    assert_true(out.qos == 0 && !out.retain && !out.payload.len && !out.properties.present);
}

static void test_no_parcels(void **state)
{
    SCOPED(buffer_drop) struct buffer wire = {.max = 4096}, parcel = {.max = 4096};
    struct mqtt_publish out, in = decoded(&wire, (struct mqtt_publish){.topic = BYTES_ROW("t"), .properties = rich});
    put_parcel(&parcel, &in, 0);
    for (size_t len = 0; len < parcel.len; len++)
        assert_true(err_is(parcel_read(bytes_of(parcel.at, len), 0, &out), ERR_MALFORMED));
    parcel.at[0] = 2;
    assert_true(err_is(parcel_read(buffer_view(&parcel), 0, &out), ERR_MALFORMED));
    parcel.at[0] = 1;
    parcel.at[1] = 4;
    assert_true(err_is(parcel_read(buffer_view(&parcel), 0, &out), ERR_MALFORMED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_goes_along),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_nothing_in_it),
        cmocka_unit_test(test_no_parcels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
