/* PUBLISH from a client: acknowledged when it is kept, in order, and refused in the words of its version. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define OWN "devices/pump-1/telemetry"

static void publish_properly(struct play *p, size_t line, const struct mqtt_publish *publish)
{
    peer_packet(&p->lines[line], &(struct mqtt_packet){.type = MQTT_PUBLISH, .as.publish = *publish});
}

/* 4.6: PUBACKs leave in the order of their PUBLISHes, whatever the order in which the store is done with them. */
static void acknowledgements_keep_the_order(void **state)
{
    static const size_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    for (size_t v = 0; v < 2; v++)
        for (size_t o = 0; o < 4; o++) {
            struct play p;
            struct errand *errands[4];
            size_t done[4] = {0};
            unsigned acknowledged = 0;
            play_open(&p);
            enter(&p, 0, both[v], "pump-1");
            p.store = LATER;
            for (unsigned i = 0; i < 4; i++)
                peer_publish(&p.lines[0], OWN, "1", 10 + i);
            play_settle(&p);
            memcpy(errands, p.posted, sizeof errands);
            assert_int_equal(p.posted_count, 4);
            for (size_t i = 0; i < 4; i++) {
                for (size_t k = 0; k < p.posted_count; k++)
                    if (p.posted[k] == errands[orders[o][i]]) {
                        play_store(&p, k, OK);
                        break;
                    }
                done[orders[o][i]] = 1;
                struct mqtt_packet packet;
                play_settle(&p);
                while (peer_next(&p.lines[0], &packet)) {
                    assert_int_equal(packet.type, MQTT_PUBACK);
                    assert_int_equal(packet.as.ack.packet_id, 10 + acknowledged);
                    assert_true(done[acknowledged++]);
                }
                for (unsigned k = 0; k < acknowledged; k++)
                    assert_true(done[k]);
                assert_true(acknowledged == 4 || !done[acknowledged]); /* and nobody waits for nothing */
            }
            assert_int_equal(acknowledged, 4);
            play_close(&p);
        }
}

/* What the flow refuses: MQTT 5.0 says why and goes on; 3.1.1 cannot, and must not acknowledge what was not kept. */
static void refused_publishes(void **state)
{
    static const struct {
        const char *rule, *topic, *payload;
        bool limited;
        enum answers store;
        err store_says;
        const char *heard;
    } rows[] = {
        {"another device's topic", "devices/pump-2/telemetry", "1", false, AT_ONCE, OK, "PUBACK 9 87"},
        {"a bad payload", OWN, "bad", false, AT_ONCE, OK, "PUBACK 9 99"},
        {"too many", OWN, "1", true, AT_ONCE, OK, "PUBACK 9 97"},
        {"the store has no queue left", OWN, "1", false, NEVER, OK, "PUBACK 9 97"},
        {"the disk has no room", OWN, "1", false, AT_ONCE, &play_disk, "PUBACK 9 97"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            play_open(&p);
            enter_operator(&p, 1, "ada");
            watch(&p, 1, "devices/#", 1);
            enter(&p, 0, both[v], "pump-1");
            p.limited = rows[i].limited;
            p.store = rows[i].store;
            p.store_says = rows[i].store_says;
            peer_publish(&p.lines[0], rows[i].topic, rows[i].payload, 9);
            if (both[v] == MQTT_5)
                assert_heard(&p, 0, rows[i].heard);
            else
                assert_heard(&p, 0, "end");
            assert_heard(&p, 1, ""); /* what was not kept is not routed either */
            assert_int_equal(counter_read(&p.counts.messages_refused), 1);
            play_close(&p);
        }
}

/* QoS 0 has no answer at all; a bad one costs no session. */
static void refused_without_an_answer(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        enter(&p, 0, both[v], "pump-1");
        peer_publish(&p.lines[0], "devices/pump-2/telemetry", "1", 0);
        peer_publish(&p.lines[0], OWN, "bad", 0);
        assert_heard(&p, 0, "");
        assert_said(&p, "refused PUBLISH pump-1 devices/pump-2/telemetry\nrefused PUBLISH pump-1 " OWN "\n");
        assert_int_equal(counter_read(&p.counts.messages_refused), 2);
        play_close(&p);
    }
}

/* A name of 65,535 bytes is a topic for MQTT and none for us; it must not reach the router of those who watch below. */
static void a_topic_of_the_largest_size(void **state)
{
    static char topic[65535];
    memset(topic, 'x', sizeof topic);
    memcpy(topic, OWN "/", sizeof OWN);
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        enter_operator(&p, 1, "ada");
        watch(&p, 1, "devices/+/telemetry/+", 0);
        enter(&p, 0, both[v], "pump-1");
        publish_properly(&p, 0, &(struct mqtt_publish){.topic = bytes_of(topic, sizeof topic), .qos = 1, .packet_id = 3});
        if (both[v] == MQTT_5)
            assert_heard(&p, 0, "DISCONNECT 90", "end");
        else
            assert_heard(&p, 0, "end");
        assert_heard(&p, 1, "");
        play_close(&p);
    }
}

/* 3.3.4: more unacknowledged publishes than the server said it takes. */
static void receive_maximum(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    p.store = LATER;
    for (unsigned i = 1; i <= 4; i++)
        peer_publish(&p.lines[0], OWN, "1", i);
    peer_publish(&p.lines[0], OWN, "unkept", 0); /* QoS 0 does not count */
    assert_heard(&p, 0, "");
    play_store(&p, 3, OK);
    peer_publish(&p.lines[0], OWN, "1", 5); /* the fourth is done, but not acknowledged: four are open still */
    assert_heard(&p, 0, "DISCONNECT 93", "end");
    play_close(&p);

    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    p.store = LATER;
    for (unsigned i = 1; i <= 1000; i++) { /* as long as they are acknowledged there is no end of them */
        peer_publish(&p.lines[0], OWN, "1", i);
        play_settle(&p);
        if (p.posted_count == 4)
            play_store(&p, 0, OK);
    }
    play_settle(&p);
    assert_true(p.lines[0].open);
    play_close(&p);
}

/* Those who cannot know the bound (3.1.1), or whom it does not bind (QoS 0), are read no further until the store catches up. */
static void a_flood_is_held_back(void **state)
{
    for (unsigned qos = 0; qos < 2; qos++) {
        struct play p;
        play_open(&p);
        enter(&p, 0, MQTT_3_1_1, "pump-1");
        p.store = LATER;
        for (unsigned i = 1; i <= 100; i++)
            peer_publish(&p.lines[0], OWN, "1", qos ? i : 0);
        for (unsigned settled = 0; settled < 100; settled++) {
            play_settle(&p);
            assert_true(p.posted_count <= 2u * p.limits.receive_max && p.posted_count);
            play_store(&p, 0, OK);
        }
        play_settle(&p);
        assert_int_equal(p.posted_count, 0);
        assert_int_equal(counter_read(&p.counts.messages_in[qos]), 100);
        play_close(&p);
    }
}

/* What CONNACK told the client, or what its own packets said before, and it does not keep to: each with its code (MQTT
 * 5.0, 3.2.2.3, 4.3.3). */
static void out_of_place(void **state)
{
    static const struct {
        const char *rule;
        struct mqtt_packet packet;
        const char *v5, *v3; /* "": nothing; NULL in v3: it cannot be said */
    } rows[] = {
        {"a topic of 33 levels",
         {.type = MQTT_PUBLISH, .as.publish = {.topic = BYTES_ROW("devices/pump-1////////////////////////////////a")}},
         "DISCONNECT 90\nend\n", "end\n"},
        {"the highest topic alias",
         {.type = MQTT_PUBLISH,
          .as.publish = {.topic = BYTES_ROW(OWN), .payload = BYTES_ROW("1"),
                         .properties = {.present = MQTT_HAS(TOPIC_ALIAS), .topic_alias = MQTT_ALIASES_MAX}}},
         "", NULL},
        {"one above it",
         {.type = MQTT_PUBLISH,
          .as.publish = {.topic = BYTES_ROW(OWN), .payload = BYTES_ROW("1"),
                         .properties = {.present = MQTT_HAS(TOPIC_ALIAS), .topic_alias = MQTT_ALIASES_MAX + 1}}},
         "DISCONNECT 94\nend\n", NULL},
        {"a topic alias that was never said",
         {.type = MQTT_PUBLISH, .as.publish = {.properties = {.present = MQTT_HAS(TOPIC_ALIAS), .topic_alias = 1}}},
         "DISCONNECT 94\nend\n", NULL},
        {"PUBREC of nothing", {.type = MQTT_PUBREC, .as.ack = {.packet_id = 1}}, "PUBREL 1 92\n", "PUBREL 1 00\n"},
        {"PUBREL of nothing", {.type = MQTT_PUBREL, .as.ack = {.packet_id = 1}}, "PUBCOMP 1 92\n", "PUBCOMP 1 00\n"},
        {"PUBCOMP of nothing", {.type = MQTT_PUBCOMP, .as.ack = {.packet_id = 1}}, "", ""},
        {"PUBACK of nothing", {.type = MQTT_PUBACK, .as.ack = {.packet_id = 1}}, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            SCOPED(buffer_drop) struct buffer heard = {.max = 4096};
            const char *want = both[v] == MQTT_5 ? rows[i].v5 : rows[i].v3;
            if (!want)
                continue;
            play_open(&p);
            enter(&p, 0, both[v], "pump-1");
            peer_packet(&p.lines[0], &rows[i].packet);
            play_settle(&p);
            peer_heard(&p.lines[0], &heard);
            if (strcmp(buffer_text(&heard), want) != 0)
                fail_msg("%s, version %d: %s", rows[i].rule, (int)both[v], buffer_text(&heard));
            play_close(&p);
        }
}

/* Bytes that are no packet, from a session that is open. */
static void broken_packets(void **state)
{
    static const struct {
        const char *rule;
        struct bytes bytes;
        const char *v5;
    } rows[] = {
        {"type 0", BYTES_ROW("\x00\x00"), "DISCONNECT 81"},
        {"QoS 3", BYTES_ROW("\x36\x07\x00\x03" "a/b" "\x00\x01"), "DISCONNECT 81"},
        {"a length of five bytes", BYTES_ROW("\x30\xff\xff\xff\xff\x01"), "DISCONNECT 81"},
        {"larger than the server takes", BYTES_ROW("\x30\xff\xff\xff\x7f"), "DISCONNECT 95"},
        {"a wildcard in a topic", BYTES_ROW("\x30\x05\x00\x03" "a/#"), "DISCONNECT 81"},
        {"AUTH without a method", BYTES_ROW("\xf0\x00"), "DISCONNECT 82"},
        {"a packet of servers", BYTES_ROW("\xd0\x00"), "DISCONNECT 82"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            play_open(&p);
            enter(&p, 0, both[v], "pump-1");
            fake_line_say(&p.lines[0], rows[i].bytes);
            if (both[v] == MQTT_5)
                assert_heard(&p, 0, rows[i].v5, "end");
            else
                assert_heard(&p, 0, "end");
            assert_said(&p, "report protocol.error pump-1\nBYE pump-1 pump-1\n");
            play_close(&p);
        }
}

/* 3.4.2.2.2: a reason string is left out rather than that the PUBACK outgrows what the client takes, or that it comes to a
 * client that asked for none (3.1.2.11.7). */
static void small_clients_are_answered_too(void **state)
{
    static const struct {
        struct mqtt_properties properties;
        bool reason_string;
    } rows[] = {
        {{.present = 0}, true},
        {{.present = MQTT_HAS(MAXIMUM_PACKET_SIZE), .maximum_packet_size = 30}, false},
        {{.present = MQTT_HAS(REQUEST_PROBLEM), .request_problem = 0}, false},
        {{.present = MQTT_HAS(REQUEST_PROBLEM), .request_problem = 1}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        struct mqtt_packet packet;
        bool connack = false, puback = false;
        play_open(&p);
        arrive(&p, 0, "pump-1");
        peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                                        .properties = rows[i].properties});
        peer_publish(&p.lines[0], "devices/pump-2/telemetry", "1", 9);
        play_settle(&p);
        while (peer_next(&p.lines[0], &packet))
            if (packet.type == MQTT_CONNACK) {
                connack = true;
            } else {
                puback = packet.type == MQTT_PUBACK && packet.as.ack.reason == MQTT_NOT_AUTHORIZED;
                assert_int_equal((packet.as.ack.properties.present & MQTT_HAS(REASON_STRING)) != 0, rows[i].reason_string);
            }
        assert_true(puback && connack);
        play_close(&p);
    }
}

/* The line is lost while the store writes; or the server ends the session: nothing is acknowledged any more. */
static void lost_while_publishes_are_under_way(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct play p;
        play_open(&p);
        enter_operator(&p, 1, "ada");
        watch(&p, 1, "devices/#", 1);
        enter(&p, 0, MQTT_5, "pump-1");
        p.store = LATER;
        for (unsigned i = 1; i <= 3; i++)
            peer_publish(&p.lines[0], OWN, "1", i);
        play_settle(&p);
        if (how == 0)
            fake_line_lose(&p.lines[0]);
        else if (how == 1)
            lobby_expel(&p.lobbies[0], "pump-1");
        else
            peer_disconnect(&p.lines[0], MQTT_NORMAL_DISCONNECTION);
        play_settle(&p);
        play_store(&p, 1, OK);
        play_store(&p, 0, &play_disk);
        play_settle(&p);
        while (p.posted_count)
            play_store(&p, 0, OK);
        if (how == 1)
            assert_heard(&p, 0, "DISCONNECT 87", "end");
        else
            assert_heard(&p, 0, "end");
        assert_heard(&p, 1, "PUBLISH 1 " OWN "=1", "PUBLISH 2 " OWN "=1"); /* two were kept */
        play_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledgements_keep_the_order),
        cmocka_unit_test(refused_publishes),
        cmocka_unit_test(refused_without_an_answer),
        cmocka_unit_test(a_topic_of_the_largest_size),
        cmocka_unit_test(receive_maximum),
        cmocka_unit_test(a_flood_is_held_back),
        cmocka_unit_test(out_of_place),
        cmocka_unit_test(broken_packets),
        cmocka_unit_test(small_clients_are_answered_too),
        cmocka_unit_test(lost_while_publishes_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
