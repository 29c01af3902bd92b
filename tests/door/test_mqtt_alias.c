/* Topic aliases, of the client's messages and of ours (MQTT 5.0, 3.3.2.3.4). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define OWN "devices/pump-1/x"
#define TWO "devices/pump-1/y"

/* What the client says, and what a subscriber hears of it. */
static void from_the_client(void **state)
{
    static const struct {
        const char *rule;
        struct {
            const char *topic;
            uint16_t alias; /* 0: none */
        } says[4];
        const char *heard, *end; /* by the subscriber; by the client */
    } rows[] = {
        {"an alias stands for its topic", {{OWN, 1}, {"", 1}}, "=1 =2 ", ""},
        {"two of them", {{OWN, 1}, {TWO, 32}, {"", 1}, {"", 32}}, "=1 y=2 =3 y=4 ", ""},
        {"it may be given anew", {{OWN, 1}, {TWO, 1}, {"", 1}}, "=1 y=2 y=3 ", ""},
        {"a topic without it changes nothing", {{OWN, 1}, {TWO, 0}, {"", 1}}, "=1 y=2 =3 ", ""},
        {"one that was never given", {{OWN, 1}, {"", 2}}, "=1 ", "DISCONNECT 94|"},
        {"one above the maximum", {{OWN, 33}}, "", "DISCONNECT 94|"},
        {"none at all", {{OWN, 65535}}, "", "DISCONNECT 94|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        struct mqtt_packet packet;
        SCOPED(buffer_drop) struct buffer heard = {.max = 4096}, end = heard;
        play_open(&p);
        enter(&p, 0, MQTT_5, "pump-1");
        enter_operator(&p, 1, "ada");
        watch(&p, 1, "devices/#", 0);
        for (size_t k = 0; k < 4 && rows[i].says[k].topic; k++) {
            char payload[] = {(char)('1' + k), 0};
            peer_packet(&p.lines[0],
                        &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                              .as.publish = {.topic = bytes_of_text(rows[i].says[k].topic),
                                                             .payload = bytes_of_text(payload),
                                                             .properties = {.present = rows[i].says[k].alias ? MQTT_HAS(TOPIC_ALIAS) : 0,
                                                                            .topic_alias = rows[i].says[k].alias}}});
            play_settle(&p);
        }
        while (peer_next(&p.lines[1], &packet)) {
            const struct mqtt_publish *publish = &packet.as.publish;
            assert_false(publish->properties.present & MQTT_HAS(TOPIC_ALIAS)); /* it is no business of anybody else */
            put_format(&heard, "%s=%.*s ", bytes_is(publish->topic, OWN) ? "" : "y", (int)publish->payload.len,
                       (const char *)publish->payload.at);
        }
        while (peer_next(&p.lines[0], &packet)) {
            peer_say_packet(&end, &packet);
            end.at[end.len - 1] = '|';
        }
        if (strcmp(buffer_text(&heard), rows[i].heard) != 0 || strcmp(buffer_text(&end), rows[i].end) != 0)
            fail_msg("%s: %s, %s", rows[i].rule, buffer_text(&heard), buffer_text(&end));
        play_close(&p);
    }
}

/* A connection's aliases end with it, also when its session goes on. */
static void they_end_with_the_connection(void **state)
{
    struct play p;
    struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                 .as.publish = {.topic = BYTES(OWN),
                                                .properties = {.present = MQTT_HAS(TOPIC_ALIAS), .topic_alias = 1}}};
    struct mqtt_connect connect = {.version = MQTT_5, .client_id = BYTES("c"),
                                   .properties = {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = 100}};
    play_open(&p);
    arrive(&p, 0, "pump-1");
    peer_connect(&p.lines[0], &connect);
    peer_packet(&p.lines[0], &packet);
    assert_heard(&p, 0, "CONNACK 00");
    arrive(&p, 0, "pump-1");
    peer_connect(&p.lines[0], &connect);
    packet.as.publish.topic = BYTES("");
    peer_packet(&p.lines[0], &packet);
    assert_heard(&p, 0, "CONNACK 00 present", "DISCONNECT 94", "end");
    play_close(&p);
}

/* An alias is told only in a packet that is not too large with it (3.1.2-24). */
static void no_alias_makes_a_packet_too_large(void **state)
{
    enum { PACKET_MAX = 64, BARE = 21 }; /* what is not payload, without an alias */
    struct play p;
    struct mqtt_packet packet;
    char payload[PACKET_MAX] = "";
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
    peer_connect(&p.lines[1],
                 &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                        .properties = {.present = MQTT_HAS(TOPIC_ALIAS_MAXIMUM) | MQTT_HAS(MAXIMUM_PACKET_SIZE),
                                                       .topic_alias_maximum = 1, .maximum_packet_size = PACKET_MAX}});
    assert_heard(&p, 1, "CONNACK 00");
    watch(&p, 1, "devices/#", 0);
    for (size_t i = 1; i <= PACKET_MAX - BARE; i++) {
        char topic[32];
        snprintf(topic, sizeof topic, "devices/pump-1/%c", i % 2 ? 'x' : 'y');
        payload[i - 1] = 'v';
        peer_publish(&p.lines[0], topic, payload, 0);
        play_settle(&p);
        assert_true(peer_next(&p.lines[1], &packet) && packet.type == MQTT_PUBLISH);
        assert_true(mqtt_publish_size(&packet.as.publish, MQTT_5) <= PACKET_MAX);
        assert_int_equal(packet.as.publish.payload.len, i);
    }
    play_close(&p);
}

/* To a client that takes so many: the alias is told with the topic first, then alone; the oldest gives way; what goes to
 * others is not changed by it. */
static void to_the_client(void **state)
{
    static const uint16_t maxima[] = {0, 1, 2, 16, 65535};
    for (size_t m = 0; m < sizeof maxima / sizeof *maxima; m++) {
        struct play p;
        struct mqtt_packet packet;
        char known[16][64] = {""};
        size_t max = maxima[m] < 16 ? maxima[m] : 16;
        unsigned saved = 0;
        play_open(&p);
        enter(&p, 0, MQTT_5, "pump-1");
        enter_operator(&p, 2, "bob");
        watch(&p, 2, "devices/#", 0);
        arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
        peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                                        .properties = {.present = MQTT_HAS(TOPIC_ALIAS_MAXIMUM),
                                                                       .topic_alias_maximum = maxima[m]}});
        assert_heard(&p, 1, "CONNACK 00");
        watch(&p, 1, "devices/#", 0);
        for (int i = 0; i < 60; i++) {
            char topic[64];
            snprintf(topic, sizeof topic, "devices/pump-1/%d", i % 3 ? i % 20 : 0);
            peer_publish(&p.lines[0], topic, "v", 0);
            play_settle(&p);
            assert_true(peer_next(&p.lines[1], &packet) && packet.type == MQTT_PUBLISH);
            const struct mqtt_publish *publish = &packet.as.publish;
            uint16_t alias = publish->properties.present & MQTT_HAS(TOPIC_ALIAS) ? publish->properties.topic_alias : 0;
            assert_int_equal(alias != 0, max != 0);
            assert_true(alias <= max);
            if (publish->topic.len && alias)
                snprintf(known[alias - 1], 64, "%.*s", (int)publish->topic.len, (const char *)publish->topic.at);
            assert_string_equal(alias ? known[alias - 1] : topic, topic);
            saved += !publish->topic.len;
            assert_true(peer_next(&p.lines[2], &packet) && bytes_is(packet.as.publish.topic, topic));
            assert_false(packet.as.publish.properties.present & MQTT_HAS(TOPIC_ALIAS));
        }
        assert_true(max < 16 ? !max == !saved : saved > 15);
        play_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_client),
        cmocka_unit_test(they_end_with_the_connection),
        cmocka_unit_test(no_alias_makes_a_packet_too_large),
        cmocka_unit_test(to_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
