/* Retained messages at the door (MQTT 5.0, 3.3.1.3, 3.8.3.1): kept with the publication, given after SUBACK. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define OWN "devices/pump-1/x"

static void retain(struct play *p, const char *topic, const char *payload, uint8_t qos)
{
    struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                 .as.publish = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload), .qos = qos,
                                                .retain = true, .packet_id = qos ? 1 : 0}};
    peer_packet(&p->lines[0], &packet);
    play_settle(p);
}

static void subscribe(struct play *p, const struct mqtt_filter *filter)
{
    peer_subscribe(&p->lines[1], filter, 1);
    play_settle(p);
}

static void open_world(struct play *p)
{
    play_open(p);
    enter(p, 0, MQTT_5, "pump-1");
    enter_operator(p, 1, "ada");
}

/* For each retain handling, the first time and the second: given or not. */
static void who_subscribes_is_given_what_is_retained(void **state)
{
    static const struct {
        const char *rule, *filter;
        uint8_t handling;
        const char *first, *second; /* behind SUBACK */
    } rows[] = {
        {"always", OWN, 0, "PUBLISH 0 " OWN "=kept retain", "PUBLISH 0 " OWN "=kept retain"},
        {"when it is new", OWN, 1, "PUBLISH 0 " OWN "=kept retain", NULL},
        {"never", OWN, 2, NULL, NULL},
        {"by a wildcard", "devices/+/x", 0, "PUBLISH 0 " OWN "=kept retain", "PUBLISH 0 " OWN "=kept retain"},
        {"another topic", "devices/pump-1/y", 0, NULL, NULL},
        {"a share is given nothing (4.8.2)", "$share/g/" OWN, 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        open_world(&p);
        retain(&p, OWN, "kept", 0);
        for (int again = 0; again < 2; again++) {
            const char *want = again ? rows[i].second : rows[i].first;
            subscribe(&p, &(struct mqtt_filter){.filter = bytes_of_text(rows[i].filter), .retain_handling = rows[i].handling});
            if (want)
                assert_heard(&p, 1, "SUBACK 1 00", want);
            else
                assert_heard(&p, 1, "SUBACK 1 00");
        }
        play_close(&p);
    }
}

/* The router is full: the subscription is refused, and with it what it would have been given. */
static void who_is_refused_is_given_nothing(void **state)
{
    static struct subscription others[1000];
    static const struct subscription_calls deaf = {.deliver = NULL};
    struct play p;
    size_t count = 0;
    open_world(&p);
    retain(&p, OWN, "kept", 0);
    for (err failed = OK; !failed && count < 1000; count += !failed) {
        others[count] = (struct subscription){.calls = &deaf};
        failed = router_add(p.lobbies[0].flow.router, BYTES("nobody/publishes"), &others[count]);
    }
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN)});
    assert_heard(&p, 1, "SUBACK 1 97");
    while (count)
        router_remove(p.lobbies[0].flow.router, &others[--count]);
    retain(&p, OWN, "again", 0);
    assert_heard(&p, 1, "");
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN)});
    assert_heard(&p, 1, "SUBACK 1 00", "PUBLISH 0 " OWN "=again retain");
    play_close(&p);
}

/* The flag of what is routed is the publisher's only for who asked for it as published (3.3.1-12, 3.3.1-13). */
static void the_flag_of_what_is_routed(void **state)
{
    for (int as_published = 0; as_published < 2; as_published++) {
        struct play p;
        open_world(&p);
        subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN), .retain_as_published = as_published});
        assert_heard(&p, 1, "SUBACK 1 00");
        retain(&p, OWN, "v", 0);
        if (as_published)
            assert_heard(&p, 1, "PUBLISH 0 " OWN "=v retain");
        else
            assert_heard(&p, 1, "PUBLISH 0 " OWN "=v");
        play_close(&p);
    }
}

/* The last one stands; an empty one deletes, and is routed as any other. */
static void one_for_each_topic(void **state)
{
    struct play p;
    open_world(&p);
    retain(&p, OWN, "1", 0);
    retain(&p, OWN, "2", 1);
    retain(&p, "devices/pump-1/y", "3", 2);
    assert_heard(&p, 0, "PUBACK 1 00", "PUBREC 1 00");
    peer_ack(&p.lines[0], MQTT_PUBREL, 1);
    assert_heard(&p, 0, "PUBCOMP 1 00");
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN), .qos = 2});
    assert_heard(&p, 1, "SUBACK 1 02", "PUBLISH 1 " OWN "=2 retain");
    retain(&p, OWN, "", 1);
    assert_heard(&p, 1, "PUBLISH 2 " OWN "=");
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES("devices/#"), .qos = 0});
    assert_heard(&p, 1, "SUBACK 1 00", "PUBLISH 0 devices/pump-1/y=3 retain");
    assert_int_equal(retained_count(p.lobbies[0].retained), 1);
    play_close(&p);
}

/* What is acknowledged is held, so what cannot be held is refused before; what cannot be kept is not held. */
static void what_cannot_be_kept_is_refused(void **state)
{
    struct play p;
    char topic[64];
    open_world(&p);
    for (int i = 0; i < 16; i++) { /* all that fits: play.h */
        snprintf(topic, sizeof topic, "devices/pump-1/%d", i);
        retain(&p, topic, "v", 1);
        assert_heard(&p, 0, "PUBACK 1 00");
    }
    retain(&p, "devices/pump-1/more", "v", 1);
    assert_heard(&p, 0, "PUBACK 1 97");
    retain(&p, "devices/pump-1/0", "w", 1); /* in place of another */
    retain(&p, "devices/pump-1/1", "", 1);
    retain(&p, "devices/pump-1/more", "v", 1);
    assert_heard(&p, 0, "PUBACK 1 00", "PUBACK 1 00", "PUBACK 1 00");
    p.store_says = &play_disk;
    retain(&p, "devices/pump-1/2", "lost", 1);
    assert_heard(&p, 0, "PUBACK 1 97");
    p.store_says = OK;
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES("devices/pump-1/2")});
    assert_heard(&p, 1, "SUBACK 1 00", "PUBLISH 0 devices/pump-1/2=v retain");
    play_close(&p);
}

/* Of what expired nothing is given; of the rest the time that is left (3.3.2-6). */
static void retained_messages_expire(void **state)
{
    struct play p;
    struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                 .as.publish = {.topic = BYTES(OWN), .payload = BYTES("v"), .retain = true,
                                                .properties = {.present = MQTT_HAS(MESSAGE_EXPIRY), .message_expiry = 10}}};
    open_world(&p);
    peer_packet(&p.lines[0], &packet);
    play_settle(&p);
    play_pass(&p, 4000);
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN)});
    assert_true(peer_next(&p.lines[1], &packet) && packet.type == MQTT_SUBACK);
    assert_true(peer_next(&p.lines[1], &packet) && packet.type == MQTT_PUBLISH);
    assert_int_equal(packet.as.publish.properties.message_expiry, 6);
    play_pass(&p, 6000);
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN)});
    assert_heard(&p, 1, "SUBACK 1 00");
    play_close(&p);
}

/* To a session that is kept a retained message of QoS 1 goes when it is kept for it. */
static void a_kept_session_is_given_what_is_kept(void **state)
{
    struct play p;
    open_world(&p);
    retain(&p, OWN, "v", 1);
    arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("kept"),
                                                    .properties = {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = 100}});
    assert_heard(&p, 1, "CONNACK 00");
    p.store = LATER;
    subscribe(&p, &(struct mqtt_filter){.filter = BYTES(OWN), .qos = 1});
    assert_heard(&p, 1, "");
    play_store(&p, 0, OK);
    assert_heard(&p, 1, "SUBACK 1 01");
    assert_int_equal(p.posted_count, 1);
    assert_int_equal(p.posted[0]->write->kind, WRITE_DELIVERIES);
    play_store(&p, 0, OK);
    assert_heard(&p, 1, "PUBLISH 1 " OWN "=v retain");
    play_close(&p);
}

/* One connection says what is to be retained and subscribes right behind it: what it said comes once, and as retained. */
static void who_retains_and_subscribes(void **state)
{
    for (uint8_t qos = 0; qos < 2; qos++) {
        struct play p;
        struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                     .as.publish = {.topic = BYTES(OWN), .payload = BYTES("v"), .qos = qos, .retain = true,
                                                    .packet_id = qos ? 7 : 0}};
        play_open(&p);
        enter(&p, 0, MQTT_5, "pump-1");
        p.store = LATER;
        peer_packet(&p.lines[0], &packet);
        peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES(OWN)}, 1);
        assert_heard(&p, 0, "");
        p.store = AT_ONCE;
        if (qos)
            assert_heard(&p, 0, "PUBACK 7 00", "SUBACK 1 00", "PUBLISH 0 " OWN "=v retain");
        else
            assert_heard(&p, 0, "SUBACK 1 00", "PUBLISH 0 " OWN "=v retain");
        play_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_subscribes_is_given_what_is_retained), cmocka_unit_test(who_is_refused_is_given_nothing),
        cmocka_unit_test(the_flag_of_what_is_routed),
        cmocka_unit_test(one_for_each_topic),                       cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(retained_messages_expire),                 cmocka_unit_test(a_kept_session_is_given_what_is_kept),
        cmocka_unit_test(who_retains_and_subscribes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
