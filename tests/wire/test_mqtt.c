/* Rows of the MQTT codec: what is refused, by which rule, and with which reason code it is answered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 16 };

static const struct mqtt_dialect client_3 = {MQTT_3_1_1, MQTT_FROM_CLIENT};
static const struct mqtt_dialect server_3 = {MQTT_3_1_1, MQTT_FROM_SERVER};
static const struct mqtt_dialect client_5 = {MQTT_5, MQTT_FROM_CLIENT};
static const struct mqtt_dialect server_5 = {MQTT_5, MQTT_FROM_SERVER};

static err read_packet(struct bytes in, struct mqtt_dialect dialect, struct mqtt_packet *out)
{
    struct mqtt_frame frame;
    TRY(mqtt_frame(in, ROOM, &frame));
    if (frame.size != in.len)
        fail_msg("the row holds %zu bytes and its packet %zu", in.len, frame.size);
    return mqtt_decode(&frame, dialect, out);
}

struct row {
    const char *rule;
    struct bytes in;
    const struct mqtt_dialect *from;
    const char *fault; /* part of its text; NULL: accepted */
    enum mqtt_reason reason;
};

#define MALFORMED MQTT_MALFORMED_PACKET
#define PROTOCOL  MQTT_PROTOCOL_ERROR
#define VERSION   MQTT_UNSUPPORTED_PROTOCOL_VERSION
#define C3        &client_3
#define C5        &client_5
#define S3        &server_3
#define S5        &server_5

static const struct row connect_rows[] = {
    {"the smallest 3.1.1", BYTES_ROW("\x10\x0c\0\4MQTT\4\2\0\x3c\0\0"), C3, NULL, 0},
    {"the smallest 5.0", BYTES_ROW("\x10\x0d\0\4MQTT\5\2\0\x3c\0\0\0"), C5, NULL, 0},
    {"its own version counts", BYTES_ROW("\x10\x0d\0\4MQTT\5\2\0\x3c\0\0\0"), C3, NULL, 0},
    {"MQIsdp", BYTES_ROW("\x10\x0e\0\6MQIsdp\3\2\0\x3c\0\0"), C3, "protocol name", VERSION},
    {"level 3", BYTES_ROW("\x10\x0c\0\4MQTT\3\2\0\x3c\0\0"), C3, "protocol version", VERSION},
    {"level 6", BYTES_ROW("\x10\x0c\0\4MQTT\6\2\0\x3c\0\0"), C3, "protocol version", VERSION},
    {"a bridge's level", BYTES_ROW("\x10\x0c\0\4MQTT\x84\2\0\x3c\0\0"), C3, "protocol version", VERSION},
    {"reserved flag", BYTES_ROW("\x10\x0c\0\4MQTT\4\3\0\x3c\0\0"), C3, "3.1.2.3", MALFORMED},
    {"will QoS without will", BYTES_ROW("\x10\x0c\0\4MQTT\4\x0a\0\x3c\0\0"), C3, "without a will", MALFORMED},
    {"will retain without will", BYTES_ROW("\x10\x0c\0\4MQTT\4\x22\0\x3c\0\0"), C3, "without a will", MALFORMED},
    {"will QoS 3", BYTES_ROW("\x10\x11\0\4MQTT\4\x1e\0\x3c\0\0\0\1a\0\0"), C3, "QoS 3", MALFORMED},
    {"will", BYTES_ROW("\x10\x12\0\4MQTT\4\x36\0\x3c\0\0\0\1a\0\1x"), C3, NULL, 0},
    {"will to a wildcard", BYTES_ROW("\x10\x11\0\4MQTT\4\x06\0\x3c\0\0\0\1#\0\0"), C3, "wildcard", MALFORMED},
    {"will without topic", BYTES_ROW("\x10\x10\0\4MQTT\4\x06\0\x3c\0\0\0\0\0\0"), C3, "will topic", MALFORMED},
    {"password without user name", BYTES_ROW("\x10\x0f\0\4MQTT\4\x42\0\x3c\0\0\0\1p"), C3, "3.1.2.9", MALFORMED},
    {"the same in 5.0", BYTES_ROW("\x10\x10\0\4MQTT\5\x42\0\x3c\0\0\0\0\1p"), C5, NULL, 0},
    {"user name and password", BYTES_ROW("\x10\x12\0\4MQTT\4\xc2\0\x3c\0\0\0\1u\0\1p"), C3, NULL, 0},
    {"user name that is no UTF-8", BYTES_ROW("\x10\x0f\0\4MQTT\4\x82\0\x3c\0\0\0\1\xff"), C3, "UTF-8", MALFORMED},
    {"client id with NUL", BYTES_ROW("\x10\x0d\0\4MQTT\4\2\0\x3c\0\1\0"), C3, "U+0000", MALFORMED},
    {"client id with a surrogate", BYTES_ROW("\x10\x0f\0\4MQTT\4\2\0\x3c\0\3\xed\xa0\x80"), C3, "UTF-8", MALFORMED},
    {"bytes behind", BYTES_ROW("\x10\x0d\0\4MQTT\4\2\0\x3c\0\0\0"), C3, "behind", MALFORMED},
    {"ends in the client id", BYTES_ROW("\x10\x0c\0\4MQTT\4\2\0\x3c\0\1"), C3, "inside a field", MALFORMED},
    {"session expiry", BYTES_ROW("\x10\x12\0\4MQTT\5\2\0\x3c\5\x11\0\0\1\x2c\0\0"), C5, NULL, 0},
    {"session expiry twice", BYTES_ROW("\x10\x17\0\4MQTT\5\2\0\x3c\x0a\x11\0\0\0\1\x11\0\0\0\1\0\0"), C5,
     "Session Expiry Interval twice", PROTOCOL},
    {"receive maximum 0", BYTES_ROW("\x10\x10\0\4MQTT\5\2\0\x3c\3\x21\0\0\0\0"), C5, "Receive Maximum", PROTOCOL},
    {"maximum packet size 0", BYTES_ROW("\x10\x12\0\4MQTT\5\2\0\x3c\5\x27\0\0\0\0\0\0"), C5, "Maximum Packet Size",
     PROTOCOL},
    {"request problem 2", BYTES_ROW("\x10\x0f\0\4MQTT\5\2\0\x3c\2\x17\2\0\0"), C5, "Request Problem", PROTOCOL},
    {"a topic alias", BYTES_ROW("\x10\x10\0\4MQTT\5\2\0\x3c\3\x23\0\1\0\0"), C5, "Topic Alias in a packet", MALFORMED},
    {"an unknown property", BYTES_ROW("\x10\x0f\0\4MQTT\5\2\0\x3c\2\x7f\2\0\0"), C5, "unknown property", MALFORMED},
    {"a property over the block's end", BYTES_ROW("\x10\x0f\0\4MQTT\5\2\0\x3c\2\x21\1\0\0"), C5, "inside a field",
     MALFORMED},
    {"authentication data alone", BYTES_ROW("\x10\x11\0\4MQTT\5\2\0\x3c\4\x16\0\1x\0\0"), C5, "Authentication Data",
     PROTOCOL},
    {"user properties", BYTES_ROW("\x10\x19\0\4MQTT\5\2\0\x3c\x0c\x26\0\1a\0\1b\x26\0\0\0\0\0\0"), C5, NULL, 0},
    {"user property with bad UTF-8", BYTES_ROW("\x10\x14\0\4MQTT\5\2\0\x3c\7\x26\0\1\xff\0\1b\0\0"), C5, "UTF-8",
     MALFORMED},
    {"will delay belongs to the will", BYTES_ROW("\x10\x12\0\4MQTT\5\2\0\x3c\5\x18\0\0\0\1\0\0"), C5, "Will Delay",
     MALFORMED},
    {"will properties", BYTES_ROW("\x10\x18\0\4MQTT\5\6\0\x3c\0\0\0\5\x18\0\0\0\1\0\1a\0\0"), C5, NULL, 0},
    {"from a server", BYTES_ROW("\x10\x0c\0\4MQTT\4\2\0\x3c\0\0"), S3, "other side", PROTOCOL},
    {"length padded in 3.1.1", BYTES_ROW("\x10\x8c\0\0\4MQTT\4\2\0\x3c\0\0"), C3, NULL, 0},
    {"length padded in 5.0", BYTES_ROW("\x10\x8d\0\0\4MQTT\5\2\0\x3c\0\0\0"), C5, "1.5.5", MALFORMED},
};

static const struct row publish_rows[] = {
    {"QoS 0", BYTES_ROW("\x30\x05\0\3a/b"), C3, NULL, 0},
    {"QoS 1", BYTES_ROW("\x32\x08\0\3a/b\0\1x"), C3, NULL, 0},
    {"QoS 3", BYTES_ROW("\x36\x07\0\3a/b\0\1"), C3, "QoS 3 (MQTT 5.0, 3.3.1.2)", MALFORMED},
    {"DUP with QoS 0", BYTES_ROW("\x38\x05\0\3a/b"), C3, "DUP", MALFORMED},
    {"packet identifier 0", BYTES_ROW("\x32\x07\0\3a/b\0\0"), C3, "identifier 0", MALFORMED},
    {"wildcard +", BYTES_ROW("\x30\x05\0\3a/+"), C3, "wildcard", MALFORMED},
    {"wildcard #", BYTES_ROW("\x30\x03\0\1#"), C3, "wildcard", MALFORMED},
    {"topic with NUL", BYTES_ROW("\x30\x05\0\3a\0b"), C3, "U+0000", MALFORMED},
    {"empty topic in 3.1.1", BYTES_ROW("\x30\x02\0\0"), C3, "empty topic", PROTOCOL},
    {"empty topic without alias", BYTES_ROW("\x30\x03\0\0\0"), C5, "empty topic", PROTOCOL},
    {"empty topic with alias", BYTES_ROW("\x30\x06\0\0\3\x23\0\1"), C5, NULL, 0},
    {"alias 0", BYTES_ROW("\x30\x06\0\0\3\x23\0\0"), C5, "Topic Alias with a value", PROTOCOL},
    {"payload format 2", BYTES_ROW("\x30\x06\0\1a\2\1\2"), C5, "Payload Format", PROTOCOL},
    {"response topic with wildcard", BYTES_ROW("\x30\x08\0\1a\4\x08\0\1+"), C5, "wildcard", MALFORMED},
    {"empty response topic", BYTES_ROW("\x30\x07\0\1a\3\x08\0\0"), C5, "Response Topic", PROTOCOL},
    {"subscription identifier from a client", BYTES_ROW("\x30\x06\0\1a\2\x0b\1"), C5, "from a client", PROTOCOL},
    {"two of them from a server", BYTES_ROW("\x30\x09\0\1a\5\x0b\1\x0b\x80\1"), S5, NULL, 0},
    {"subscription identifier 0", BYTES_ROW("\x30\x06\0\1a\2\x0b\0"), S5, "Subscription Identifier", PROTOCOL},
    {"subscription identifier padded", BYTES_ROW("\x30\x07\0\1a\3\x0b\x81\0"), S5, "1.5.5", MALFORMED},
    {"property length of five bytes", BYTES_ROW("\x30\x08\0\1a\xff\xff\xff\xff\1"), C5, "1.5.5", MALFORMED},
    {"message expiry twice", BYTES_ROW("\x30\x0e\0\1a\x0a\2\0\0\0\1\2\0\0\0\1"), C5, "twice", PROTOCOL},
    {"ends in the topic", BYTES_ROW("\x30\x04\0\3a/"), C3, "inside a field", MALFORMED},
    {"ends before the identifier", BYTES_ROW("\x32\x06\0\3a/b\0"), C3, "inside a field", MALFORMED},
    {"no byte at all", BYTES_ROW("\x30\0"), C3, "inside a field", MALFORMED},
};

static const struct row subscribe_rows[] = {
    {"one filter", BYTES_ROW("\x82\x06\0\1\0\1a\1"), C3, NULL, 0},
    {"no filter", BYTES_ROW("\x82\x02\0\1"), C3, "no filter", PROTOCOL},
    {"no filter in 5.0", BYTES_ROW("\x82\x03\0\1\0"), C5, "no filter", PROTOCOL},
    {"empty filter", BYTES_ROW("\x82\x05\0\1\0\0\1"), C3, "empty filter", PROTOCOL},
    {"identifier 0", BYTES_ROW("\x82\x06\0\0\0\1a\1"), C3, "identifier 0", MALFORMED},
    {"QoS 3", BYTES_ROW("\x82\x06\0\1\0\1a\3"), C3, "QoS 3", PROTOCOL},
    {"reserved bits in 3.1.1", BYTES_ROW("\x82\x06\0\1\0\1a\4"), C3, "reserved bits", MALFORMED},
    {"no local in 5.0", BYTES_ROW("\x82\x07\0\1\0\0\1a\4"), C5, NULL, 0},
    {"reserved bits in 5.0", BYTES_ROW("\x82\x07\0\1\0\0\1a\x40"), C5, "reserved bits", MALFORMED},
    {"retain handling 3", BYTES_ROW("\x82\x07\0\1\0\0\1a\x30"), C5, "retain handling", PROTOCOL},
    {"no local on a shared one", BYTES_ROW("\x82\x10\0\1\0\0\x0a$share/a/b\4"), C5, "No Local", PROTOCOL},
    {"ends before the options", BYTES_ROW("\x82\x05\0\1\0\1a"), C3, "inside a field", MALFORMED},
    {"second filter ends early", BYTES_ROW("\x82\x08\0\1\0\1a\1\0\1"), C3, "inside a field", MALFORMED},
    {"subscription identifier", BYTES_ROW("\x82\x09\0\1\2\x0b\5\0\1a\1"), C5, NULL, 0},
    {"two subscription identifiers", BYTES_ROW("\x82\x0b\0\1\4\x0b\5\x0b\6\0\1a\1"), C5, "twice", PROTOCOL},
    {"flags 0", BYTES_ROW("\x80\x06\0\1\0\1a\1"), C3, "2.1.3", MALFORMED},
    {"from a server", BYTES_ROW("\x82\x06\0\1\0\1a\1"), S3, "other side", PROTOCOL},
    {"unsubscribe", BYTES_ROW("\xa2\x05\0\1\0\1a"), C3, NULL, 0},
    {"unsubscribe of nothing", BYTES_ROW("\xa2\x02\0\1"), C3, "no filter", PROTOCOL},
    {"unsubscribe of an empty filter", BYTES_ROW("\xa2\x04\0\1\0\0"), C3, "empty filter", PROTOCOL},
    {"suback", BYTES_ROW("\x90\x05\0\1\0\1\2"), S3, NULL, 0},
    {"suback with a code of 5.0", BYTES_ROW("\x90\x03\0\1\x87"), S3, "reason code", PROTOCOL},
    {"suback of 5.0", BYTES_ROW("\x90\x04\0\1\0\x87"), S5, NULL, 0},
    {"suback without codes", BYTES_ROW("\x90\x02\0\1"), S3, "without a reason", PROTOCOL},
    {"suback with 0x11", BYTES_ROW("\x90\x04\0\1\0\x11"), S5, "reason code", PROTOCOL},
    {"suback from a client", BYTES_ROW("\x90\x03\0\1\0"), C3, "other side", PROTOCOL},
    {"unsuback of 3.1.1", BYTES_ROW("\xb0\x02\0\1"), S3, NULL, 0},
    {"unsuback with codes in 3.1.1", BYTES_ROW("\xb0\x03\0\1\0"), S3, "behind", MALFORMED},
    {"unsuback of 5.0", BYTES_ROW("\xb0\x04\0\1\0\x11"), S5, NULL, 0},
};

static const struct row other_rows[] = {
    {"puback", BYTES_ROW("\x40\x02\0\1"), C3, NULL, 0},
    {"puback of 5.0, short", BYTES_ROW("\x40\x02\0\1"), C5, NULL, 0},
    {"puback with a reason", BYTES_ROW("\x40\x03\0\1\x99"), S5, NULL, 0},
    {"puback with an empty block", BYTES_ROW("\x40\x04\0\1\x99\0"), S5, NULL, 0},
    {"puback with a reason in 3.1.1", BYTES_ROW("\x40\x03\0\1\x99"), S3, "behind", MALFORMED},
    {"puback with a reason of PUBREL", BYTES_ROW("\x40\x03\0\1\x92"), S5, "reason code", PROTOCOL},
    {"puback with a reason nobody knows", BYTES_ROW("\x40\x03\0\1\x7f"), S5, "reason code", PROTOCOL},
    {"puback of packet 0", BYTES_ROW("\x40\x02\0\0"), C3, "identifier 0", MALFORMED},
    {"puback of half a packet", BYTES_ROW("\x40\x01\0"), C3, "inside a field", MALFORMED},
    {"puback with a content type", BYTES_ROW("\x40\x08\0\1\0\4\3\0\1a"), S5, "Content Type in a packet", MALFORMED},
    {"pubrel with flags 0", BYTES_ROW("\x60\x02\0\1"), C3, "2.1.3", MALFORMED},
    {"pubrel", BYTES_ROW("\x62\x02\0\1"), C3, NULL, 0},
    {"pubrec", BYTES_ROW("\x50\x02\0\1"), C3, NULL, 0},
    {"pubcomp, not found", BYTES_ROW("\x70\x03\0\1\x92"), C5, NULL, 0},
    {"connack", BYTES_ROW("\x20\x02\1\0"), S3, NULL, 0},
    {"connack with flags", BYTES_ROW("\x20\x02\2\0"), S3, "reserved flags", MALFORMED},
    {"connack with code 6", BYTES_ROW("\x20\x02\0\6"), S3, "return code", MALFORMED},
    {"session present and refused", BYTES_ROW("\x20\x02\1\5"), S3, "Session Present", PROTOCOL},
    {"connack of 5.0", BYTES_ROW("\x20\x06\0\0\3\x21\0\x0a"), S5, NULL, 0},
    {"connack with maximum QoS 2", BYTES_ROW("\x20\x05\0\0\2\x24\2"), S5, "Maximum QoS", PROTOCOL},
    {"connack without properties", BYTES_ROW("\x20\x02\0\0"), S5, "inside a field", MALFORMED},
    {"connack from a client", BYTES_ROW("\x20\x02\0\0"), C3, "other side", PROTOCOL},
    {"pingreq", BYTES_ROW("\xc0\0"), C3, NULL, 0},
    {"pingreq with a body", BYTES_ROW("\xc0\1x"), C3, "behind", MALFORMED},
    {"pingreq from a server", BYTES_ROW("\xc0\0"), S3, "other side", PROTOCOL},
    {"pingresp", BYTES_ROW("\xd0\0"), S3, NULL, 0},
    {"pingresp with flags", BYTES_ROW("\xd1\0"), S3, "2.1.3", MALFORMED},
    {"disconnect", BYTES_ROW("\xe0\0"), C3, NULL, 0},
    {"disconnect with a body in 3.1.1", BYTES_ROW("\xe0\1\0"), C3, "behind", MALFORMED},
    {"disconnect of a 3.1.1 server", BYTES_ROW("\xe0\0"), S3, "other side", PROTOCOL},
    {"disconnect with will", BYTES_ROW("\xe0\1\4"), C5, NULL, 0},
    {"disconnect with will from a server", BYTES_ROW("\xe0\1\4"), S5, "reason code", PROTOCOL},
    {"a client that shuts down", BYTES_ROW("\xe0\1\x8b"), C5, "reason code", PROTOCOL},
    {"session expiry from a server", BYTES_ROW("\xe0\7\0\5\x11\0\0\0\1"), S5, "3.14.2.2.2", PROTOCOL},
    {"session expiry from a client", BYTES_ROW("\xe0\7\0\5\x11\0\0\0\1"), C5, NULL, 0},
    {"auth in 3.1.1", BYTES_ROW("\xf0\0"), C3, "type 15", MALFORMED},
    {"auth", BYTES_ROW("\xf0\6\x18\4\x15\0\1m"), C5, NULL, 0},
    {"auth without method", BYTES_ROW("\xf0\2\x18\0"), C5, "3.15.2.2.2", PROTOCOL},
    {"a server that re-authenticates", BYTES_ROW("\xf0\6\x19\4\x15\0\1m"), S5, "reason code", PROTOCOL},
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mqtt_packet packet;
        err wrong = read_packet(rows[i].in, *rows[i].from, &packet);
        bool right = rows[i].fault ? wrong && strstr(wrong->text, rows[i].fault) : !wrong;
        if (!right)
            fail_msg("%s: %s", rows[i].rule, err_text(wrong));
        if (mqtt_reason_for(wrong) != rows[i].reason)
            fail_msg("%s: answered with 0x%02x", rows[i].rule, mqtt_reason_for(wrong));
    }
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void test_rows(void **state)
{
    (void)state;
    CHECK(connect_rows);
    CHECK(publish_rows);
    CHECK(subscribe_rows);
    CHECK(other_rows);
}

/* Every proper beginning of a packet that is accepted is not whole, and no packet at all when its length says that it
 * is. */
static void check_truncated(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t len = 0; len < rows[i].in.len; len++) {
            struct mqtt_frame frame;
            err wrong = mqtt_frame(bytes_first(rows[i].in, len), ROOM, &frame);
            if (!err_is(wrong, ERR_AGAIN) && !err_is(wrong, ERR_MALFORMED))
                fail_msg("%s, cut to %zu: %s", rows[i].rule, len, err_text(wrong));
            if (rows[i].fault || len < 2)
                continue;
            struct mqtt_packet packet;
            assert_int_equal(OK, mqtt_frame(rows[i].in, ROOM, &frame));
            frame.body.len = len - 2 < frame.body.len ? len - 2 : frame.body.len - 1;
            IGNORE(mqtt_decode(&frame, *rows[i].from, &packet)); /* a sanitizer watches */
        }
    }
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    check_truncated(connect_rows, sizeof connect_rows / sizeof connect_rows[0]);
    check_truncated(publish_rows, sizeof publish_rows / sizeof publish_rows[0]);
    check_truncated(subscribe_rows, sizeof subscribe_rows / sizeof subscribe_rows[0]);
    check_truncated(other_rows, sizeof other_rows / sizeof other_rows[0]);
}

static void test_frame(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        struct bytes in;
        size_t max;
        enum fault_kind kind; /* 0: whole */
        size_t size;
    } rows[] = {
        {"nothing", {NULL, 0}, 100, ERR_AGAIN, 0},
        {"type 0", BYTES_ROW("\x00"), 100, ERR_MALFORMED, 0},
        {"wrong flags are seen in the first byte", BYTES_ROW("\x11"), 100, ERR_MALFORMED, 0},
        {"no length yet", BYTES_ROW("\x30"), 100, ERR_AGAIN, 0},
        {"half a length", BYTES_ROW("\x30\x80"), 100, ERR_AGAIN, 0},
        {"the size is known before the body", BYTES_ROW("\x30\x05"), 100, ERR_AGAIN, 7},
        {"too large is known before the body", BYTES_ROW("\x30\x63"), 100, ERR_TOO_LARGE, 101},
        {"the bound is still fine", BYTES_ROW("\x30\x62"), 100, ERR_AGAIN, 100},
        {"five bytes of length", BYTES_ROW("\x30\xff\xff\xff\xff"), SIZE_MAX, ERR_MALFORMED, 0},
        {"the longest", BYTES_ROW("\x30\xff\xff\xff\x7f"), SIZE_MAX, ERR_AGAIN, (size_t)MQTT_REMAINING_MAX + 5},
        {"two packets", BYTES_ROW("\xc0\0\xc0\0"), 100, 0, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mqtt_frame frame;
        err wrong = mqtt_frame(rows[i].in, rows[i].max, &frame);
        if ((wrong ? wrong->kind : 0) != rows[i].kind || frame.size != rows[i].size)
            fail_msg("%s: %s, %zu", rows[i].rule, err_text(wrong), frame.size);
    }
}

static void test_version_to_answer_in(void **state)
{
    (void)state;
    static const struct {
        struct bytes in;
        int version;
    } rows[] = {
        {BYTES_ROW("\x10\x0c\0\4MQTT\3\2\0\x3c\0\0"), MQTT_3_1_1},
        {BYTES_ROW("\x10\x0c\0\4MQTT\6\2\0\x3c\0\0"), MQTT_5},
        {BYTES_ROW("\x10\x0c\0\4MQTT\x84\2\0\x3c\0\0"), MQTT_3_1_1},
        {BYTES_ROW("\x10\x0e\0\6MQIsdp\3\2\0\x3c\0\0"), MQTT_3_1_1},
        {BYTES_ROW("\x10\x0d\0\4MQTT\5\3\0\x3c\0\0\0"), MQTT_5},
        {BYTES_ROW("\x10\x04\0\4MQ"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mqtt_packet packet;
        assert_non_null(read_packet(rows[i].in, client_3, &packet));
        assert_int_equal(packet.as.connect.version, rows[i].version);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(mqtt_reason_text(MQTT_NOT_AUTHORIZED), "Not authorized");
    assert_string_equal(mqtt_reason_text((enum mqtt_reason)0x7F), "unknown reason");
    assert_string_equal(mqtt_type_text(MQTT_PUBLISH), "PUBLISH");
    assert_string_equal(mqtt_type_text((enum mqtt_type)0), "unknown packet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_frame), cmocka_unit_test(test_version_to_answer_in),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
