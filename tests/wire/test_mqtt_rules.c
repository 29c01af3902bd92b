/* Rules of MQTT that hold for many packets at once: flags, texts, properties and reasons, each in every packet. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4096, TYPES = MQTT_AUTH + 1 };

static const struct mqtt_dialect client_5 = {MQTT_5, MQTT_FROM_CLIENT};
static const struct mqtt_dialect server_5 = {MQTT_5, MQTT_FROM_SERVER};
static const struct mqtt_dialect client_3 = {MQTT_3_1_1, MQTT_FROM_CLIENT};

static err read_packet(struct bytes in, struct mqtt_dialect from)
{
    struct mqtt_frame frame;
    struct mqtt_packet packet;
    TRY(mqtt_frame(in, ROOM, &frame));
    assert_int_equal(frame.size, in.len);
    return mqtt_decode(&frame, from, &packet);
}

/* A packet made of pieces, with its length in one byte. */
static struct bytes join(uint8_t *room, uint8_t first, const struct bytes *pieces, size_t count)
{
    size_t len = 2;
    for (size_t i = 0; i < count; i++) {
        memcpy(room + len, pieces[i].at, pieces[i].len);
        len += pieces[i].len;
    }
    assert_true(len < 130);
    room[0] = first;
    room[1] = (uint8_t)(len - 2);
    return bytes_of(room, len);
}

#define JOIN(room, first, ...)                                                                                         \
    join(room, first, (const struct bytes[]){__VA_ARGS__},                                                             \
         sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes))

/* -- 2.1.3: the low four bits of the first byte */

static void test_every_flag_of_every_packet(void **state)
{
    (void)state;
    for (unsigned type = 1; type < TYPES; type++) {
        unsigned fixed = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE ? 2 : 0;
        for (unsigned flags = 0; flags < 16; flags++) {
            struct mqtt_frame frame;
            uint8_t in[] = {(uint8_t)(type << 4 | flags), 0};
            err wrong = mqtt_frame(bytes_of(in, sizeof in), ROOM, &frame);
            bool good = type == MQTT_PUBLISH || flags == fixed;
            if (good != !wrong || (wrong && mqtt_reason_for(wrong) != MQTT_MALFORMED_PACKET))
                fail_msg("%s with flags %u: %s", mqtt_type_text((enum mqtt_type)type), flags, err_text(wrong));
        }
    }
}

/* -- 3.1.2.3 to 3.1.2.9: all 256 flags of CONNECT, with a payload that holds all that the flags can speak of */

static bool flags_may_be(unsigned flags, enum mqtt_version version)
{
    unsigned will_qos = flags >> 3 & 3;
    bool will = flags & 4, will_retain = flags & 32, password = flags & 64, username = flags & 128;
    if (flags & 1 || will_qos == 3 || (!will && (will_qos || will_retain)))
        return false;
    return version == MQTT_5 || username || !password;
}

static struct bytes connect_of(uint8_t *room, unsigned flags, enum mqtt_version version)
{
    uint8_t head[] = {0, 4, 'M', 'Q', 'T', 'T', (uint8_t)version, (uint8_t)flags, 0, 60};
    struct bytes none = BYTES(""), properties = version == MQTT_5 ? BYTES("\0") : none;
    bool will = flags & 4;
    return JOIN(room, 0x10, bytes_of(head, sizeof head), properties, BYTES("\0\1c"), will ? properties : none,
                will ? BYTES("\0\1t\0\1p") : none, flags & 128 ? BYTES("\0\1u") : none,
                flags & 64 ? BYTES("\0\1s") : none);
}

static void test_connect_flags(void **state)
{
    (void)state;
    static const enum mqtt_version versions[] = {MQTT_3_1_1, MQTT_5};
    for (unsigned i = 0; i < 512; i++) {
        enum mqtt_version version = versions[i >> 8];
        uint8_t room[ROOM];
        struct bytes in = connect_of(room, i & 255, version);
        err wrong = read_packet(in, client_5);
        if (flags_may_be(i & 255, version) != !wrong)
            fail_msg("flags 0x%02x of version %u: %s", i & 255, version, err_text(wrong));
        if (wrong)
            continue;
        for (size_t cut = 1; cut <= 2; cut++) { /* 3.1.2-9, -17, -19: what a flag announces is there and whole */
            room[1] = (uint8_t)(in.len - 2 - cut);
            assert_true(err_is(read_packet(bytes_first(in, in.len - cut), client_5), ERR_MALFORMED));
        }
    }
}

/* -- 1.5.4: texts, wherever one stands. The packet before and behind the text; its length is put between. */

static const struct place {
    const char *name;
    uint8_t first;
    struct bytes before, behind;
    const struct mqtt_dialect *from;
    size_t length_at; /* in `before`: the length of the properties, to which the text's is added; 0: none */
} places[] = {
    {"client id", 0x10, BYTES_ROW("\0\4MQTT\5\2\0\x3c\0"), BYTES_ROW(""), &client_5, 0},
    {"will topic", 0x10, BYTES_ROW("\0\4MQTT\5\6\0\x3c\0\0\1c\0"), BYTES_ROW("\0\0"), &client_5, 0},
    {"user name", 0x10, BYTES_ROW("\0\4MQTT\5\x82\0\x3c\0\0\1c"), BYTES_ROW(""), &client_5, 0},
    {"client id of 3.1.1", 0x10, BYTES_ROW("\0\4MQTT\4\2\0\x3c"), BYTES_ROW(""), &client_3, 0},
    {"topic", 0x30, BYTES_ROW(""), BYTES_ROW("\0"), &client_5, 0},
    {"topic of 3.1.1", 0x30, BYTES_ROW(""), BYTES_ROW("x"), &client_3, 0},
    {"filter", 0x82, BYTES_ROW("\0\1\0"), BYTES_ROW("\1"), &client_5, 0},
    {"filter to leave", 0xa2, BYTES_ROW("\0\1\0"), BYTES_ROW(""), &client_5, 0},
    {"content type", 0x30, BYTES_ROW("\0\1t\3\3"), BYTES_ROW(""), &client_5, 3},
    {"response topic", 0x30, BYTES_ROW("\0\1t\3\x08"), BYTES_ROW(""), &client_5, 3},
    {"name of a user property", 0x30, BYTES_ROW("\0\1t\6\x26"), BYTES_ROW("\0\1v"), &client_5, 3},
    {"value of a user property", 0x30, BYTES_ROW("\0\1t\6\x26\0\1n"), BYTES_ROW(""), &client_5, 3},
    {"reason string", 0x40, BYTES_ROW("\0\1\0\3\x1f"), BYTES_ROW(""), &client_5, 3},
    {"authentication method", 0xf0, BYTES_ROW("\x18\3\x15"), BYTES_ROW(""), &client_5, 1},
    {"server reference", 0xe0, BYTES_ROW("\x9d\3\x1c"), BYTES_ROW(""), &server_5, 1},
};

static const struct {
    const char *rule;
    struct bytes text;
    bool good;
} texts[] = {
    {"ASCII", BYTES_ROW("abc"), true},
    {"two, three and four bytes", BYTES_ROW("\xc3\xa4\xe8\xa8\xad\xf0\x9f\xa6\x80"), true},
    {"the highest of each length", BYTES_ROW("\x7f\xdf\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf"), true},
    {"around the surrogates", BYTES_ROW("\xed\x9f\xbf\xee\x80\x80"), true},
    {"a byte order mark", BYTES_ROW("\xef\xbb\xbfx"), true},
    {"a control character", BYTES_ROW("a\x01\x1f\x7f"), true},
    {"U+0000", BYTES_ROW("a\0b"), false},
    {"U+0000 in two bytes", BYTES_ROW("a\xc0\x80"), false},
    {"the lowest surrogate", BYTES_ROW("\xed\xa0\x80"), false},
    {"the highest surrogate", BYTES_ROW("\xed\xbf\xbf"), false},
    {"a pair of them", BYTES_ROW("\xed\xa0\xbd\xed\xb8\x80"), false},
    {"over U+10FFFF", BYTES_ROW("\xf4\x90\x80\x80"), false},
    {"five bytes", BYTES_ROW("\xf8\x88\x80\x80\x80"), false},
    {"overlong in two", BYTES_ROW("\xc1\xbf"), false},
    {"overlong in three", BYTES_ROW("\xe0\x9f\xbf"), false},
    {"overlong in four", BYTES_ROW("\xf0\x8f\xbf\xbf"), false},
    {"a continuation alone", BYTES_ROW("a\x80"), false},
    {"a start alone", BYTES_ROW("a\xe2\x82"), false},
    {"no byte of UTF-8", BYTES_ROW("\xfe\xff"), false},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            uint8_t room[ROOM], before[64], length[] = {0, (uint8_t)texts[t].text.len};
            struct bytes start = bytes_of(before, places[p].before.len);
            memcpy(before, places[p].before.at, start.len);
            if (places[p].length_at)
                before[places[p].length_at] += (uint8_t)texts[t].text.len;
            err wrong =
                read_packet(JOIN(room, places[p].first, start, bytes_of(length, 2), texts[t].text, places[p].behind),
                            *places[p].from);
            if (texts[t].good != !wrong || (wrong && mqtt_reason_for(wrong) != MQTT_MALFORMED_PACKET))
                fail_msg("%s as %s: %s", texts[t].rule, places[p].name, err_text(wrong));
        }
    }
}

/* -- 2.2.2.2: each property in each packet */

enum { WILL = 16 };

/* The table of 2.2.2.2 in the standard's own order: identifier, a value, the packets that have it; W is a will. */
static const struct {
    uint8_t id;
    struct bytes value;
    uint32_t packets;
} properties[] = {
#define IN(type) (1u << MQTT_##type)
#define W        (1u << WILL)
#define TELLING                                                                                                        \
    (IN(CONNACK) | IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK) | IN(DISCONNECT) |   \
     IN(AUTH))
    {0x01, BYTES_ROW("\1"), IN(PUBLISH) | W},
    {0x02, BYTES_ROW("\0\0\0\1"), IN(PUBLISH) | W},
    {0x03, BYTES_ROW("\0\1t"), IN(PUBLISH) | W},
    {0x08, BYTES_ROW("\0\1t"), IN(PUBLISH) | W},
    {0x09, BYTES_ROW("\0\1t"), IN(PUBLISH) | W},
    {0x0b, BYTES_ROW("\1"), IN(PUBLISH) | IN(SUBSCRIBE)},
    {0x11, BYTES_ROW("\0\0\0\1"), IN(CONNECT) | IN(CONNACK) | IN(DISCONNECT)},
    {0x12, BYTES_ROW("\0\1i"), IN(CONNACK)},
    {0x13, BYTES_ROW("\0\1"), IN(CONNACK)},
    {0x15, BYTES_ROW("\0\1m"), IN(CONNECT) | IN(CONNACK) | IN(AUTH)},
    {0x16, BYTES_ROW("\0\1d"), IN(CONNECT) | IN(CONNACK) | IN(AUTH)},
    {0x17, BYTES_ROW("\1"), IN(CONNECT)},
    {0x18, BYTES_ROW("\0\0\0\1"), W},
    {0x19, BYTES_ROW("\1"), IN(CONNECT)},
    {0x1a, BYTES_ROW("\0\1r"), IN(CONNACK)},
    {0x1c, BYTES_ROW("\0\1r"), IN(CONNACK) | IN(DISCONNECT)},
    {0x1f, BYTES_ROW("\0\1r"), TELLING},
    {0x21, BYTES_ROW("\0\1"), IN(CONNECT) | IN(CONNACK)},
    {0x22, BYTES_ROW("\0\1"), IN(CONNECT) | IN(CONNACK)},
    {0x23, BYTES_ROW("\0\1"), IN(PUBLISH)},
    {0x24, BYTES_ROW("\1"), IN(CONNACK)},
    {0x25, BYTES_ROW("\1"), IN(CONNACK)},
    {0x26, BYTES_ROW("\0\1n\0\1v"), TELLING | IN(CONNECT) | IN(PUBLISH) | IN(SUBSCRIBE) | IN(UNSUBSCRIBE) | W},
    {0x27, BYTES_ROW("\0\0\1\0"), IN(CONNECT) | IN(CONNACK)},
    {0x28, BYTES_ROW("\1"), IN(CONNACK)},
    {0x29, BYTES_ROW("\1"), IN(CONNACK)},
    {0x2a, BYTES_ROW("\1"), IN(CONNACK)},
};

/* What stands before and behind the properties, and who sends the packet. */
static const struct {
    uint8_t first;
    struct bytes before, behind;
    const struct mqtt_dialect *from;
} packets[] = {
    [MQTT_CONNECT] = {0x10, BYTES_ROW("\0\4MQTT\5\2\0\x3c"), BYTES_ROW("\0\1c"), &client_5},
    [MQTT_CONNACK] = {0x20, BYTES_ROW("\0\0"), BYTES_ROW(""), &server_5},
    [MQTT_PUBLISH] = {0x30, BYTES_ROW("\0\1t"), BYTES_ROW("p"), &server_5},
    [MQTT_PUBACK] = {0x40, BYTES_ROW("\0\1\0"), BYTES_ROW(""), &client_5},
    [MQTT_PUBREC] = {0x50, BYTES_ROW("\0\1\0"), BYTES_ROW(""), &client_5},
    [MQTT_PUBREL] = {0x62, BYTES_ROW("\0\1\0"), BYTES_ROW(""), &client_5},
    [MQTT_PUBCOMP] = {0x70, BYTES_ROW("\0\1\0"), BYTES_ROW(""), &client_5},
    [MQTT_SUBSCRIBE] = {0x82, BYTES_ROW("\0\1"), BYTES_ROW("\0\1f\1"), &client_5},
    [MQTT_SUBACK] = {0x90, BYTES_ROW("\0\1"), BYTES_ROW("\1"), &server_5},
    [MQTT_UNSUBSCRIBE] = {0xa2, BYTES_ROW("\0\1"), BYTES_ROW("\0\1f"), &client_5},
    [MQTT_UNSUBACK] = {0xb0, BYTES_ROW("\0\1"), BYTES_ROW("\x11"), &server_5},
    [MQTT_DISCONNECT] = {0xe0, BYTES_ROW("\0"), BYTES_ROW(""), &client_5},
    [MQTT_AUTH] = {0xf0, BYTES_ROW("\x18"), BYTES_ROW(""), &client_5},
    [WILL] = {0x10, BYTES_ROW("\0\4MQTT\5\6\0\x3c\0\0\1c"), BYTES_ROW("\0\1t\0\1p"), &client_5},
};

/* AUTH always has its method, and data nowhere stands without one. */
static struct bytes method_for(unsigned packet, uint8_t id)
{
    bool wanted = id != 0x15 && (packet == MQTT_AUTH || id == 0x16);
    return wanted ? BYTES("\x15\0\1m") : BYTES("");
}

static err read_with(unsigned packet, uint8_t id, struct bytes value, unsigned times)
{
    uint8_t room[ROOM];
    struct bytes none = BYTES(""), name = bytes_of(&id, 1), method = method_for(packet, id);
    uint8_t length = (uint8_t)(times * (1 + value.len) + method.len);
    return read_packet(JOIN(room, packets[packet].first, packets[packet].before, bytes_of(&length, 1), method, name,
                            value, times > 1 ? name : none, times > 1 ? value : none, packets[packet].behind),
                       *packets[packet].from);
}

static bool may_repeat(unsigned packet, uint8_t id)
{
    return id == 0x26 || (id == 0x0b && packet == MQTT_PUBLISH);
}

static void test_every_property_in_every_packet(void **state)
{
    (void)state;
    for (unsigned packet = 0; packet < sizeof packets / sizeof packets[0]; packet++) {
        for (size_t i = 0; packets[packet].first && i < sizeof properties / sizeof properties[0]; i++) {
            uint8_t id = properties[i].id;
            err once = read_with(packet, id, properties[i].value, 1),
                twice = read_with(packet, id, properties[i].value, 2);
            bool has = properties[i].packets >> packet & 1;
            if (has != !once || (once && mqtt_reason_for(once) != MQTT_MALFORMED_PACKET))
                fail_msg("0x%02x in packet %u: %s", id, packet, err_text(once));
            bool good = has && may_repeat(packet, id);
            if (good != !twice || (has && twice && mqtt_reason_for(twice) != MQTT_PROTOCOL_ERROR))
                fail_msg("0x%02x twice in packet %u: %s", id, packet, err_text(twice));
        }
    }
}

static void test_properties_nobody_knows(void **state)
{
    (void)state;
    for (unsigned id = 0; id < 256; id++) {
        bool known = false;
        for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
            known = known || properties[i].id == id;
        if (!known)
            assert_true(err_is(read_with(MQTT_PUBLISH, (uint8_t)id, BYTES("\0\1\1"), 1), ERR_MALFORMED));
    }
}

/* -- 2.4: each reason in each packet */

static const struct {
    enum mqtt_type type;
    const struct mqtt_dialect *from;
    struct bytes reasons; /* all that may stand there */
} reasons[] = {
    {MQTT_CONNACK, &server_5,
     BYTES_ROW("\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f")},
    {MQTT_PUBACK, &client_5, BYTES_ROW("\x00\x10\x80\x83\x87\x90\x91\x97\x99")},
    {MQTT_PUBREC, &client_5, BYTES_ROW("\x00\x10\x80\x83\x87\x90\x91\x97\x99")},
    {MQTT_PUBREL, &client_5, BYTES_ROW("\x00\x92")},
    {MQTT_PUBCOMP, &client_5, BYTES_ROW("\x00\x92")},
    {MQTT_SUBACK, &server_5, BYTES_ROW("\x00\x01\x02\x80\x83\x87\x8f\x91\x97\x9e\xa1\xa2")},
    {MQTT_UNSUBACK, &server_5, BYTES_ROW("\x00\x11\x80\x83\x87\x8f\x91")},
    {MQTT_DISCONNECT, &client_5, BYTES_ROW("\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99")},
    {MQTT_DISCONNECT, &server_5,
     BYTES_ROW("\x00\x80\x81\x82\x83\x87\x89\x8b\x8c\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e"
               "\x9f\xa0\xa1\xa2")},
    {MQTT_AUTH, &client_5, BYTES_ROW("\x00\x18\x19")},
    {MQTT_AUTH, &server_5, BYTES_ROW("\x00\x18")},
};

static struct bytes packet_with(uint8_t *room, enum mqtt_type type, uint8_t reason)
{
    struct bytes code = bytes_of(&reason, 1), none = BYTES("\0");
    uint8_t first = (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0));
    if (type == MQTT_CONNACK)
        return JOIN(room, first, BYTES("\0"), code, none);
    if (type == MQTT_SUBACK || type == MQTT_UNSUBACK)
        return JOIN(room, first, BYTES("\0\1\0"), code);
    if (type == MQTT_AUTH)
        return JOIN(room, first, code, BYTES("\4\x15\0\1m"));
    return type == MQTT_DISCONNECT ? JOIN(room, first, code, none) : JOIN(room, first, BYTES("\0\1"), code, none);
}

static void test_reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        for (unsigned reason = 0; reason < 256; reason++) {
            uint8_t room[ROOM];
            size_t at;
            bool good = bytes_find(reasons[i].reasons, (uint8_t)reason, &at);
            err wrong = read_packet(packet_with(room, reasons[i].type, (uint8_t)reason), *reasons[i].from);
            if (good != !wrong)
                fail_msg("0x%02x in %s: %s", reason, mqtt_type_text(reasons[i].type), err_text(wrong));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flag_of_every_packet),
        cmocka_unit_test(test_connect_flags),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_every_property_in_every_packet),
        cmocka_unit_test(test_properties_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
