/* What the MQTT codec writes it reads back, for every packet in both versions; and what it will not write. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "wire/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

/* Two user properties and two subscription identifiers, as they lie in a block. */
#define BLOCK BYTES_ROW("\x26\0\1a\0\1b\x0b\5\x26\0\0\0\0\x0b\x80\1")

static const struct mqtt_properties none = {0};

static const struct mqtt_packet packets[] = {
    {MQTT_CONNECT,
     .as.connect = {.version = MQTT_3_1_1, .client_id = BYTES_ROW("sensor-7"), .keep_alive = 60, .clean_start = true}},
    {MQTT_CONNECT,
     .as.connect = {.version = MQTT_5,
                    .properties = {.present = MQTT_HAS(SESSION_EXPIRY) | MQTT_HAS(RECEIVE_MAXIMUM) |
                                              MQTT_HAS(MAXIMUM_PACKET_SIZE) | MQTT_HAS(TOPIC_ALIAS_MAXIMUM) |
                                              MQTT_HAS(REQUEST_RESPONSE) | MQTT_HAS(REQUEST_PROBLEM) | MQTT_HAS(USER) |
                                              MQTT_HAS(AUTHENTICATION_METHOD) | MQTT_HAS(AUTHENTICATION_DATA),
                                   .session_expiry = 300,
                                   .receive_maximum = 20,
                                   .maximum_packet_size = 65536,
                                   .topic_alias_maximum = 4,
                                   .request_response = 1,
                                   .block = BLOCK,
                                   .authentication_method = BYTES_ROW("SCRAM"),
                                   .authentication_data = BYTES_ROW("\0\1\2")},
                    .has_will = true,
                    .has_username = true,
                    .has_password = true,
                    .will = {.properties = {.present = MQTT_HAS(WILL_DELAY) | MQTT_HAS(PAYLOAD_FORMAT) |
                                                       MQTT_HAS(MESSAGE_EXPIRY) | MQTT_HAS(CONTENT_TYPE) |
                                                       MQTT_HAS(RESPONSE_TOPIC) | MQTT_HAS(CORRELATION_DATA),
                                            .will_delay = 5,
                                            .payload_format = 1,
                                            .message_expiry = 60,
                                            .content_type = BYTES_ROW("text/plain"),
                                            .response_topic = BYTES_ROW("answers"),
                                            .correlation_data = BYTES_ROW("\xff")},
                             .topic = BYTES_ROW("devices/7/events"),
                             .payload = BYTES_ROW("gone"),
                             .qos = 2,
                             .retain = true},
                    .username = BYTES_ROW("u"),
                    .password = BYTES_ROW("\0p")}},
    {MQTT_CONNACK, .as.connack = {.session_present = true}},
    {MQTT_CONNACK, .as.connack = {.reason = MQTT_NOT_AUTHORIZED}},
    {MQTT_CONNACK,
     .as.connack = {.properties = {.present = MQTT_HAS(ASSIGNED_CLIENT_ID) | MQTT_HAS(SERVER_KEEP_ALIVE) |
                                              MQTT_HAS(RESPONSE_INFORMATION) | MQTT_HAS(SERVER_REFERENCE) |
                                              MQTT_HAS(REASON_STRING) | MQTT_HAS(MAXIMUM_QOS) |
                                              MQTT_HAS(RETAIN_AVAILABLE) | MQTT_HAS(WILDCARD_AVAILABLE) |
                                              MQTT_HAS(SUBSCRIPTION_ID_AVAILABLE) | MQTT_HAS(SHARED_AVAILABLE),
                                   .assigned_client_id = BYTES_ROW("x"),
                                   .server_keep_alive = 30,
                                   .response_information = BYTES_ROW("r"),
                                   .server_reference = BYTES_ROW("other.example:8883"),
                                   .reason_string = BYTES_ROW("why"),
                                   .maximum_qos = 1}}},
    {MQTT_PUBLISH, .as.publish = {.topic = BYTES_ROW("a/b"), .payload = BYTES_ROW("{}"), .retain = true}},
    {MQTT_PUBLISH,
     .as.publish = {.topic = BYTES_ROW("a"), .payload = BYTES_ROW("{}"), .packet_id = 65535, .qos = 1, .dup = true}},
    {MQTT_PUBLISH,
     .as.publish = {.properties = {.present = MQTT_HAS(TOPIC_ALIAS) | MQTT_HAS(USER) | MQTT_HAS(SUBSCRIPTION_ID),
                                   .topic_alias = 7,
                                   .block = BLOCK},
                    .topic = BYTES_ROW("\xc3\xa4/\xf0\x9f\x8c\x8a"),
                    .packet_id = 1,
                    .qos = 2}},
    {MQTT_PUBACK, .as.ack = {.packet_id = 1}},
    {MQTT_PUBACK, .as.ack = {.packet_id = 1, .reason = MQTT_PAYLOAD_FORMAT_INVALID}},
    {MQTT_PUBREC, .as.ack = {.packet_id = 2, .reason = MQTT_NO_MATCHING_SUBSCRIBERS}},
    {MQTT_PUBREL, .as.ack = {.packet_id = 3}},
    {MQTT_PUBCOMP, .as.ack = {.properties = {.present = MQTT_HAS(REASON_STRING), .reason_string = BYTES_ROW("lost")},
                              .packet_id = 4,
                              .reason = MQTT_PACKET_IDENTIFIER_NOT_FOUND}},
    {MQTT_SUBSCRIBE, .as.subscribe = {.packet_id = 9, .filters = BYTES_ROW("\0\1#\1\0\3a/+\2"), .count = 2}},
    {MQTT_SUBSCRIBE,
     .as.subscribe = {.properties = {.present = MQTT_HAS(SUBSCRIPTION_ID), .subscription_id = MQTT_REMAINING_MAX},
                      .packet_id = 9,
                      .filters = BYTES_ROW("\0\1#\0"),
                      .count = 1}},
    {MQTT_SUBACK, .as.suback = {.packet_id = 9, .reasons = BYTES_ROW("\0\1\2\x80")}},
    {MQTT_UNSUBSCRIBE, .as.subscribe = {.packet_id = 10, .filters = BYTES_ROW("\0\1#\0\3a/+"), .count = 2}},
    {MQTT_UNSUBACK, .as.suback = {.packet_id = 10, .reasons = BYTES_ROW("\0\x11")}},
    {MQTT_PINGREQ, .as.ending = {.reason = MQTT_SUCCESS}},
    {MQTT_PINGRESP, .as.ending = {.reason = MQTT_SUCCESS}},
    {MQTT_DISCONNECT, .as.ending = {.reason = MQTT_NORMAL_DISCONNECTION}},
    {MQTT_DISCONNECT, .as.ending = {.reason = MQTT_SERVER_SHUTTING_DOWN}},
    {MQTT_DISCONNECT, .as.ending = {.properties = {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = UINT32_MAX},
                                    .reason = MQTT_DISCONNECT_WITH_WILL}},
    {MQTT_AUTH,
     .as.ending = {.properties = {.present = MQTT_HAS(AUTHENTICATION_METHOD), .authentication_method = BYTES_ROW("m")},
                   .reason = MQTT_CONTINUE_AUTHENTICATION}},
};
enum { PACKETS = sizeof packets / sizeof packets[0] };

static struct mqtt_packet decoded(const struct buffer *b, struct mqtt_dialect dialect)
{
    struct mqtt_frame frame;
    struct mqtt_packet packet = {0};
    err wrong = mqtt_frame(buffer_view(b), ROOM, &frame);
    if (!wrong && frame.size != b->len)
        fail_msg("%zu bytes written, a packet of %zu", b->len, frame.size);
    if (!wrong)
        wrong = mqtt_decode(&frame, dialect, &packet);
    if (wrong)
        fail_msg("what was written is refused: %s", wrong->text);
    return packet;
}

static void round_trip(const struct mqtt_packet *packet, struct mqtt_dialect dialect, unsigned *written)
{
    SCOPED(buffer_drop) struct buffer first = {.max = ROOM};
    SCOPED(buffer_drop) struct buffer second = {.max = ROOM};
    put_text(&first, "before");
    err wrong = mqtt_encode(packet, dialect, &first);
    if (wrong) { /* not for this version or sender */
        assert_int_equal(first.len, 6);
        return;
    }
    buffer_consume(&first, 6);
    struct mqtt_packet back = decoded(&first, dialect);
    assert_int_equal(back.type, packet->type);
    assert_int_equal(OK, mqtt_encode(&back, dialect, &second));
    assert_true(bytes_equal(buffer_view(&first), buffer_view(&second)));
    if (packet->type == MQTT_PUBLISH)
        assert_int_equal(first.len, mqtt_publish_size(&packet->as.publish, dialect.version));
    (*written)++;
}

static void test_every_packet_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < PACKETS; i++) {
        unsigned written = 0;
        for (unsigned side = 0; side < 4; side++)
            round_trip(&packets[i],
                       (struct mqtt_dialect){side & 1 ? MQTT_5 : MQTT_3_1_1, (enum mqtt_sender)(side >> 1)}, &written);
        if (!written)
            fail_msg("packet %zu can be written for nobody", i);
    }
}

static void test_fields_come_back(void **state)
{
    (void)state;
    SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
    struct mqtt_dialect dialect = {MQTT_5, MQTT_FROM_CLIENT};
    assert_int_equal(OK, mqtt_encode(&packets[1], dialect, &b));
    struct mqtt_packet packet = decoded(&b, dialect);
    const struct mqtt_connect *in = &packets[1].as.connect, *out = &packet.as.connect;
    assert_int_equal(out->properties.present, in->properties.present);
    assert_int_equal(out->properties.session_expiry, 300);
    assert_int_equal(out->properties.receive_maximum, 20);
    assert_int_equal(out->properties.maximum_packet_size, 65536);
    assert_int_equal(out->properties.request_problem, 0);
    assert_true(bytes_is(out->properties.authentication_method, "SCRAM"));
    assert_true(bytes_equal(out->properties.authentication_data, BYTES("\0\1\2")));
    assert_int_equal(out->will.properties.present, in->will.properties.present);
    assert_int_equal(out->will.properties.will_delay, 5);
    assert_true(bytes_is(out->will.properties.response_topic, "answers"));
    assert_true(bytes_is(out->will.topic, "devices/7/events"));
    assert_true(bytes_is(out->will.payload, "gone"));
    assert_int_equal(out->will.qos, 2);
    assert_true(out->will.retain && !out->clean_start);
    assert_true(bytes_is(out->username, "u"));
    assert_true(bytes_equal(out->password, BYTES("\0p")));
}

static void test_absent_properties_have_their_defaults(void **state)
{
    (void)state;
    SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
    struct mqtt_dialect dialect = {MQTT_5, MQTT_FROM_SERVER};
    assert_int_equal(
        OK, mqtt_encode(&(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = {.properties = none}}, dialect, &b));
    struct mqtt_properties p = decoded(&b, dialect).as.connack.properties;
    assert_int_equal(p.present, 0);
    assert_int_equal(p.receive_maximum, 65535);
    assert_int_equal(p.maximum_packet_size, UINT32_MAX);
    assert_int_equal(p.maximum_qos, 2);
    assert_true(p.retain_available && p.wildcard_available && p.subscription_id_available && p.shared_available);
    assert_int_equal(p.topic_alias_maximum, 0);
}

static void test_repeated_properties(void **state)
{
    (void)state;
    SCOPED(buffer_drop) struct buffer block = {.max = ROOM};
    assert_int_equal(OK, mqtt_put_user_property(&block, BYTES("name"), BYTES("value")));
    assert_int_equal(OK, mqtt_put_subscription_id(&block, 300));
    assert_int_equal(OK, mqtt_put_user_property(&block, BYTES("name"), BYTES("")));
    assert_true(err_is(mqtt_put_subscription_id(&block, 0), ERR_REFUSED));
    struct bytes rest = buffer_view(&block);
    struct mqtt_user_property user;
    assert_true(mqtt_next_user_property(&rest, &user));
    assert_true(bytes_is(user.name, "name") && bytes_is(user.value, "value"));
    assert_true(mqtt_next_user_property(&rest, &user));
    assert_true(bytes_is(user.name, "name") && user.value.len == 0);
    assert_false(mqtt_next_user_property(&rest, &user));
    uint32_t id = 0;
    rest = buffer_view(&block);
    assert_true(mqtt_next_subscription_id(&rest, &id));
    assert_int_equal(id, 300);
    assert_false(mqtt_next_subscription_id(&rest, &id));
    rest = BYTES("\x26\0\1a\0\5b"); /* broken: ends early */
    assert_false(mqtt_next_user_property(&rest, &user));
}

/* A client's user properties go on to a subscriber, its other properties do not slip through in the block. */
static void test_forwarding_takes_user_properties_only(void **state)
{
    (void)state;
    struct bytes in = BYTES("\x30\x10\0\1a\x0c\x23\0\1\x26\0\1k\0\1v\1\1");
    struct mqtt_frame frame;
    struct mqtt_packet packet;
    in.len = 18;
    assert_int_equal(OK, mqtt_frame(in, ROOM, &frame));
    assert_int_equal(OK, mqtt_decode(&frame, (struct mqtt_dialect){MQTT_5, MQTT_FROM_CLIENT}, &packet));
    packet.as.publish.properties.present = MQTT_HAS(USER);
    SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
    assert_int_equal(OK, mqtt_encode(&packet, (struct mqtt_dialect){MQTT_5, MQTT_FROM_SERVER}, &b));
    assert_true(bytes_equal(buffer_view(&b), BYTES("\x30\x0b\0\1a\7\x26\0\1k\0\1v")));
}

static void test_filters(void **state)
{
    (void)state;
    SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
    const struct mqtt_filter in[] = {
        {.filter = BYTES("a/#"), .qos = 2, .retain_handling = 2},
        {.filter = BYTES("b"), .no_local = true, .retain_as_published = true},
    };
    assert_int_equal(OK, mqtt_put_filter(&b, MQTT_SUBSCRIBE, &in[0]));
    assert_int_equal(OK, mqtt_put_filter(&b, MQTT_SUBSCRIBE, &in[1]));
    assert_true(err_is(mqtt_put_filter(&b, MQTT_SUBSCRIBE, &(struct mqtt_filter){.qos = 3}), ERR_REFUSED));
    struct bytes rest = buffer_view(&b);
    struct mqtt_filter out;
    for (size_t i = 0; i < 2; i++) {
        assert_true(mqtt_next_filter(&rest, MQTT_SUBSCRIBE, &out));
        assert_true(bytes_equal(out.filter, in[i].filter));
        assert_int_equal(out.qos, in[i].qos);
        assert_int_equal(out.retain_handling, in[i].retain_handling);
        assert_true(out.no_local == in[i].no_local && out.retain_as_published == in[i].retain_as_published);
    }
    assert_false(mqtt_next_filter(&rest, MQTT_SUBSCRIBE, &out));
}

static void test_head_and_payload_make_the_packet(void **state)
{
    (void)state;
    SCOPED(buffer_drop) struct buffer head = {.max = 64};
    SCOPED(buffer_drop) struct buffer whole = {.max = ROOM};
    static const uint8_t payload[20000];
    struct mqtt_packet packet = {
        MQTT_PUBLISH,
        .as.publish = {.topic = BYTES("a/b"), .payload = {payload, sizeof payload}, .packet_id = 5, .qos = 1}};
    struct mqtt_dialect dialect = {MQTT_5, MQTT_FROM_SERVER};
    assert_int_equal(OK, mqtt_put_publish_head(&packet.as.publish, dialect, &head));
    assert_int_equal(OK, mqtt_encode(&packet, dialect, &whole));
    assert_int_equal(head.len + sizeof payload, whole.len);
    assert_int_equal(whole.len, mqtt_publish_size(&packet.as.publish, MQTT_5));
    assert_memory_equal(head.at, whole.at, head.len);
}

struct translation {
    const char *rule;
    struct mqtt_packet packet;
    struct bytes out;
};

static void test_3_1_1_says_it_its_own_way(void **state)
{
    (void)state;
    static const struct translation rows[] = {
        {"not authorised", {MQTT_CONNACK, .as.connack = {.reason = MQTT_NOT_AUTHORIZED}}, BYTES_ROW("\x20\2\0\5")},
        {"busy", {MQTT_CONNACK, .as.connack = {.reason = MQTT_SERVER_BUSY}}, BYTES_ROW("\x20\2\0\3")},
        {"no properties",
         {MQTT_CONNACK, .as.connack = {.properties = {.present = MQTT_HAS(MAXIMUM_QOS), .maximum_qos = 1}}},
         BYTES_ROW("\x20\2\0\0")},
        {"refused filter",
         {MQTT_SUBACK, .as.suback = {.packet_id = 1, .reasons = BYTES_ROW("\1\x87")}},
         BYTES_ROW("\x90\4\0\1\1\x80")},
        {"no unsuback codes",
         {MQTT_UNSUBACK, .as.suback = {.packet_id = 1, .reasons = BYTES_ROW("\x11")}},
         BYTES_ROW("\xb0\2\0\1")},
        {"no puback reason",
         {MQTT_PUBACK, .as.ack = {.packet_id = 1, .reason = MQTT_QUOTA_EXCEEDED}},
         BYTES_ROW("\x40\2\0\1")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
        assert_int_equal(OK, mqtt_encode(&rows[i].packet, (struct mqtt_dialect){MQTT_3_1_1, MQTT_FROM_SERVER}, &b));
        if (!bytes_equal(buffer_view(&b), rows[i].out))
            fail_msg("%s", rows[i].rule);
    }
}

struct refusal {
    const char *rule;
    struct mqtt_packet packet;
    struct mqtt_dialect dialect;
    enum fault_kind kind;
};

static const uint8_t long_text[MQTT_TEXT_MAX + 1];

static const struct refusal refusals[] = {
    {"AUTH in 3.1.1",
     {MQTT_AUTH, .as.ending = {.reason = MQTT_SUCCESS}},
     {MQTT_3_1_1, MQTT_FROM_CLIENT},
     ERR_UNSUPPORTED},
    {"a 3.1.1 server's DISCONNECT",
     {MQTT_DISCONNECT, .as.ending = {.reason = MQTT_SUCCESS}},
     {MQTT_3_1_1, MQTT_FROM_SERVER},
     ERR_UNSUPPORTED},
    {"no return code",
     {MQTT_CONNACK, .as.connack = {.reason = MQTT_PACKET_TOO_LARGE}},
     {MQTT_3_1_1, MQTT_FROM_SERVER},
     ERR_UNSUPPORTED},
    {"CONNACK from a client",
     {MQTT_CONNACK, .as.connack = {.reason = MQTT_SUCCESS}},
     {MQTT_5, MQTT_FROM_CLIENT},
     ERR_REFUSED},
    {"no protocol version", {MQTT_CONNECT, .as.connect = {.keep_alive = 1}}, {MQTT_5, MQTT_FROM_CLIENT}, ERR_REFUSED},
    {"packet identifier 0", {MQTT_PUBACK, .as.ack = {.packet_id = 0}}, {MQTT_5, MQTT_FROM_CLIENT}, ERR_REFUSED},
    {"QoS 1 without identifier",
     {MQTT_PUBLISH, .as.publish = {.topic = BYTES_ROW("a"), .qos = 1}},
     {MQTT_5, MQTT_FROM_CLIENT},
     ERR_REFUSED},
    {"QoS 0 with identifier",
     {MQTT_PUBLISH, .as.publish = {.topic = BYTES_ROW("a"), .packet_id = 1}},
     {MQTT_5, MQTT_FROM_CLIENT},
     ERR_REFUSED},
    {"no topic", {MQTT_PUBLISH, .as.publish = {.qos = 0}}, {MQTT_5, MQTT_FROM_CLIENT}, ERR_REFUSED},
    {"no filter", {MQTT_SUBSCRIBE, .as.subscribe = {.packet_id = 1}}, {MQTT_5, MQTT_FROM_CLIENT}, ERR_REFUSED},
    {"a reason of another packet",
     {MQTT_PUBACK, .as.ack = {.packet_id = 1, .reason = MQTT_BANNED}},
     {MQTT_5, MQTT_FROM_SERVER},
     ERR_REFUSED},
    {"a property of another packet",
     {MQTT_PUBLISH, .as.publish = {.properties = {.present = MQTT_HAS(WILL_DELAY)}, .topic = BYTES_ROW("a")}},
     {MQTT_5, MQTT_FROM_SERVER},
     ERR_MALFORMED},
    {"a property out of its range",
     {MQTT_PUBLISH, .as.publish = {.properties = {.present = MQTT_HAS(TOPIC_ALIAS)}, .topic = BYTES_ROW("a")}},
     {MQTT_5, MQTT_FROM_SERVER},
     ERR_REFUSED},
    {"a text over its length field",
     {MQTT_PUBLISH, .as.publish = {.topic = {long_text, sizeof long_text}}},
     {MQTT_5, MQTT_FROM_SERVER},
     ERR_TOO_LARGE},
    {"a packet over the bound of MQTT",
     {MQTT_PUBLISH, .as.publish = {.topic = BYTES_ROW("a"), .payload = {long_text, MQTT_REMAINING_MAX}}},
     {MQTT_5, MQTT_FROM_SERVER},
     ERR_TOO_LARGE},
};

static void test_refusals_leave_nothing_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        SCOPED(buffer_drop) struct buffer b = {.max = ROOM};
        put_text(&b, "before");
        err wrong = mqtt_encode(&refusals[i].packet, refusals[i].dialect, &b);
        if (!err_is(wrong, refusals[i].kind) || !bytes_is(buffer_view(&b), "before") || b.spoiled)
            fail_msg("%s: %s", refusals[i].rule, err_text(wrong));
    }
}

/* In a buffer of any size a packet is written whole or not at all; the same when memory ends. */
static void test_no_room(void **state)
{
    (void)state;
    struct mqtt_dialect dialect = {MQTT_5, MQTT_FROM_CLIENT};
    SCOPED(buffer_drop) struct buffer whole = {.max = ROOM};
    assert_int_equal(OK, mqtt_encode(&packets[1], dialect, &whole));
    for (size_t max = 0; max <= whole.len; max++) {
        struct buffer b = {.max = max};
        err wrong = mqtt_encode(&packets[1], dialect, &b);
        assert_true(max == whole.len ? !wrong : err_is(wrong, ERR_TOO_LARGE));
        assert_int_equal(b.len, max == whole.len ? max : 0);
        buffer_drop(&b);
    }
    for (unsigned long nth = 1; nth < 8; nth++) {
        struct buffer b = {.max = ROOM};
        mem_trial(nth);
        err wrong = mqtt_encode(&packets[1], dialect, &b);
        bool failed = mem_trial(0) >= nth;
        assert_true(failed ? wrong && !b.len : !wrong);
        buffer_drop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_packet_comes_back),
        cmocka_unit_test(test_fields_come_back),
        cmocka_unit_test(test_absent_properties_have_their_defaults),
        cmocka_unit_test(test_repeated_properties),
        cmocka_unit_test(test_forwarding_takes_user_properties_only),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_head_and_payload_make_the_packet),
        cmocka_unit_test(test_3_1_1_says_it_its_own_way),
        cmocka_unit_test(test_refusals_leave_nothing_behind),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
