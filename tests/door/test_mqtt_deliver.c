/* Subscriptions and what comes of them: who hears what, how often, and what a slow subscriber costs whom. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define OWN "devices/pump-1/x"

static void publish(struct play *p, size_t line, const char *payload, unsigned packet_id)
{
    peer_publish(&p->lines[line], OWN, payload, packet_id);
}

/* Publishes without a word in between, and takes the acknowledgement. */
static void publish_acknowledged(struct play *p, size_t line, const char *payload)
{
    struct mqtt_packet packet;
    publish(p, line, payload, 1);
    play_settle(p);
    must(peer_next(&p->lines[line], &packet) && packet.type == MQTT_PUBACK && !packet.as.ack.reason);
}

static void filters_are_answered_one_by_one(void **state)
{
    static const struct {
        const char *filter;
        uint8_t qos;
        const char *v5, *v3; /* NULL: the connection ends, since 3.1.1 has no code for a filter that is none (4.7.1) */
    } rows[] = {
        {"devices/pump-1/#", 0, "SUBACK 1 00", "SUBACK 1 00"},
        {"devices/pump-1/#", 1, "SUBACK 1 01", "SUBACK 1 01"},
        {"devices/pump-1/#", 2, "SUBACK 1 02", "SUBACK 1 02"},
        {"devices/pump-2/#", 1, "SUBACK 1 87", "SUBACK 1 80"},
        {"#", 1, "SUBACK 1 87", "SUBACK 1 80"},
        {"devices/+/x", 1, "SUBACK 1 87", "SUBACK 1 80"},
        {"devices/pump-1/a#", 1, "SUBACK 1 8f", NULL},
        {"devices/pump-1/#/a", 1, "SUBACK 1 8f", NULL},
        {"$share/group/devices/pump-1/#", 1, "SUBACK 1 01", "SUBACK 1 01"},
        {"$share/group/devices/pump-2/#", 1, "SUBACK 1 87", "SUBACK 1 80"}, /* judged by what stands behind the name */
        {"$share/gr+up/devices/pump-1/#", 1, "SUBACK 1 8f", NULL},
        {"$share//devices/pump-1/#", 1, "SUBACK 1 8f", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            play_open(&p);
            enter(&p, 0, both[v], "pump-1");
            peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = bytes_of_text(rows[i].filter), .qos = rows[i].qos}, 1);
            const char *want = both[v] == MQTT_5 ? rows[i].v5 : rows[i].v3;
            if (want)
                assert_heard(&p, 0, want);
            else
                assert_heard(&p, 0, "end");
            play_close(&p);
        }
}

static void subscribing_and_unsubscribing(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    watch(&p, 0, OWN, 1);
    watch(&p, 0, OWN, 0); /* 3.8.4: the same filter again replaces */
    publish(&p, 0, "1", 7);
    assert_heard(&p, 0, "PUBLISH 0 " OWN "=1", "PUBACK 7 00");
    peer_unsubscribe(&p.lines[0], OWN, 2);
    peer_unsubscribe(&p.lines[0], OWN, 3);
    assert_heard(&p, 0, "UNSUBACK 2 00", "UNSUBACK 3 11");
    publish(&p, 0, "2", 8);
    assert_heard(&p, 0, "PUBACK 8 00");
    assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
    for (unsigned i = 0; i < p.limits.subscriptions_max + 1; i++) {
        char filter[64], want[32];
        snprintf(filter, sizeof filter, "devices/pump-1/%u", i);
        peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = bytes_of_text(filter)}, 1);
        snprintf(want, sizeof want, "SUBACK 1 %s", i < p.limits.subscriptions_max ? "00" : "97");
        assert_heard(&p, 0, want);
    }
    p.limited = true;
    peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES("devices/pump-1/0")}, 1);
    assert_heard(&p, 0, "SUBACK 1 97");
    play_close(&p);
}

/* 3.3.4: one copy for all subscriptions that match, with the identifiers of those that have one. */
static void subscription_identifiers_come_back(void **state)
{
    struct play p;
    struct mqtt_packet packet;
    static const struct {
        const char *filter;
        uint32_t id;
    } rows[] = {{"devices/pump-1/#", 5}, {"devices/+/x", 268435455}, {OWN, 0}};
    uint32_t left = 5 + 268435455u;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter_operator(&p, 1, "ada");
    for (size_t i = 0; i < 3; i++) {
        SCOPED(buffer_drop) struct buffer filters = {.max = 64};
        must(!mqtt_put_filter(&filters, MQTT_SUBSCRIBE, &(struct mqtt_filter){.filter = bytes_of_text(rows[i].filter)}));
        peer_packet(&p.lines[1],
                    &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                          .as.subscribe = {.filters = buffer_view(&filters), .packet_id = 1,
                                                           .properties = {.present = rows[i].id ? MQTT_HAS(SUBSCRIPTION_ID) : 0,
                                                                          .subscription_id = rows[i].id}}});
        assert_heard(&p, 1, "SUBACK 1 00");
    }
    publish(&p, 0, "v", 0);
    play_settle(&p);
    assert_true(peer_next(&p.lines[1], &packet) && packet.type == MQTT_PUBLISH);
    for (uint32_t id; mqtt_next_subscription_id(&packet.as.publish.properties.block, &id); left -= id)
        ;
    assert_int_equal(left, 0);
    assert_heard(&p, 1, "");
    play_close(&p);
}

/* 3.8.4: the lower of the publisher's and the subscriber's QoS. */
static void quality_is_the_lower_of_both(void **state)
{
    static const char *const heard[] = {"PUBLISH 0 " OWN "=v", "PUBLISH 1 " OWN "=v", "PUBLISH 1 " OWN "=v q2"};
    for (unsigned published = 0; published < 3; published++)
        for (uint8_t subscribed = 0; subscribed < 3; subscribed++) {
            struct play p;
            play_open(&p);
            enter(&p, 0, MQTT_5, "pump-1");
            enter_operator(&p, 1, "ada");
            watch(&p, 1, OWN, subscribed);
            if (published < 2)
                publish(&p, 0, "v", published);
            else
                peer_publish_2(&p.lines[0], OWN, "v", 1);
            assert_heard(&p, 1, heard[published < subscribed ? published : subscribed]);
            play_close(&p);
        }
}

/* 3.8.3.1: no local. */
static void no_local_keeps_own_messages_away(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES(OWN), .no_local = true}, 1);
    assert_heard(&p, 0, "SUBACK 1 00");
    arrive(&p, 1, "pump-1");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("other"), .clean_start = true});
    assert_heard(&p, 1, "CONNACK 00");
    publish(&p, 0, "own", 0);
    publish(&p, 1, "other", 0);
    assert_heard(&p, 0, "PUBLISH 0 " OWN "=other");
    peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES(OWN)}, 1); /* and local again */
    assert_heard(&p, 0, "SUBACK 1 00");
    publish(&p, 0, "own", 0);
    assert_heard(&p, 0, "PUBLISH 0 " OWN "=own");
    play_close(&p);
}

/* What travels with a message: user properties and the like reach an MQTT 5.0 client as they were, and no 3.1.1 one. */
static void properties_travel(void **state)
{
    struct play p;
    struct mqtt_packet packet;
    struct mqtt_user_property user;
    SCOPED(buffer_drop) struct buffer block = {.max = 64};
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter(&p, 1, MQTT_3_1_1, "pump-1x");
    enter_operator(&p, 2, "ada");
    watch(&p, 2, OWN, 0);
    must(!mqtt_put_user_property(&block, BYTES("unit"), BYTES("C")));
    peer_packet(&p.lines[0],
                &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                      .as.publish = {.topic = BYTES(OWN), .payload = BYTES("1"),
                                                     .properties = {.present = MQTT_HAS(CONTENT_TYPE) | MQTT_HAS(USER),
                                                                    .content_type = BYTES("text/plain"),
                                                                    .block = buffer_view(&block)}}});
    play_settle(&p);
    assert_true(peer_next(&p.lines[2], &packet));
    struct mqtt_properties *got = &packet.as.publish.properties;
    assert_true(bytes_is(got->content_type, "text/plain"));
    assert_true(mqtt_next_user_property(&got->block, &user) && bytes_is(user.name, "unit") && bytes_is(user.value, "C"));
    play_close(&p);
}

/* 4.9: no more unacknowledged messages than the client takes; each PUBACK lets the next one go. */
static void the_window_of_the_client(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                                    .properties = {.present = MQTT_HAS(RECEIVE_MAXIMUM), .receive_maximum = 2}});
    assert_heard(&p, 1, "CONNACK 00");
    watch(&p, 1, OWN, 1);
    for (int i = 0; i < 4; i++)
        publish_acknowledged(&p, 0, i % 2 ? "b" : "a");
    assert_heard(&p, 1, "PUBLISH 1 " OWN "=a", "PUBLISH 2 " OWN "=b");
    peer_puback(&p.lines[1], 77); /* of nothing that was sent */
    assert_heard(&p, 1, "");
    peer_puback(&p.lines[1], 2);
    assert_heard(&p, 1, "PUBLISH 3 " OWN "=a");
    peer_puback(&p.lines[1], 2);
    assert_heard(&p, 1, "");
    peer_puback(&p.lines[1], 1);
    peer_puback(&p.lines[1], 3);
    assert_heard(&p, 1, "PUBLISH 4 " OWN "=b");
    play_close(&p);
}

/* 2.2.1: identifiers wrap around, zero is none, and one that is in use is not given again. */
static void packet_identifiers_wrap(void **state)
{
    struct play p;
    struct mqtt_packet packet;
    uint16_t last = 0;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter_operator(&p, 1, "ada");
    watch(&p, 1, OWN, 1);
    for (unsigned i = 0; i < 65535 + 10; i++) {
        publish_acknowledged(&p, 0, "v");
        assert_true(peer_next(&p.lines[1], &packet));
        uint16_t id = packet.as.publish.packet_id;
        assert_int_equal(id, last == 65535 ? 1 : last + 1);
        last = id;
        peer_puback(&p.lines[1], id);
        if (i % 1000 == 0) /* what was read is dropped, or the test copies megabytes */
            for (size_t k = 0; k < 2; k++) {
                play_settle(&p);
                buffer_clear(&p.lines[k].out);
                p.lines[k].taken = p.lines[k].read = 0;
            }
    }
    play_settle(&p);
    /* One stays unacknowledged: when its identifier's turn comes again there is none for the next one. */
    publish_acknowledged(&p, 0, "kept");
    assert_true(peer_next(&p.lines[1], &packet));
    uint16_t kept = packet.as.publish.packet_id;
    for (unsigned i = 0; i < 65534; i++) {
        publish_acknowledged(&p, 0, "v");
        assert_true(peer_next(&p.lines[1], &packet));
        assert_int_not_equal(packet.as.publish.packet_id, kept);
        peer_puback(&p.lines[1], packet.as.publish.packet_id);
        if (i % 1000 == 0)
            for (size_t k = 0; k < 2; k++) {
                play_settle(&p);
                buffer_clear(&p.lines[k].out);
                p.lines[k].taken = p.lines[k].read = 0;
            }
    }
    publish_acknowledged(&p, 0, "lost");
    assert_heard(&p, 1, "");
    assert_int_equal(counter_read(&p.counts.messages_dropped), 1);
    peer_puback(&p.lines[1], kept);
    publish_acknowledged(&p, 0, "comes");
    assert_true(peer_next(&p.lines[1], &packet));
    assert_true(bytes_is(packet.as.publish.payload, "comes"));
    assert_int_equal(packet.as.publish.packet_id, kept);
    play_close(&p);
}

/* A subscriber that reads nothing: the line takes so much, its queue so many; then QoS 0 is dropped and counted. */
static void a_slow_subscriber_loses_qos_0(void **state)
{
    static char payload[9000];
    struct play p;
    memset(payload, 'x', sizeof payload - 1);
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter_operator(&p, 1, "ada");
    enter_operator(&p, 2, "bob");
    watch(&p, 1, OWN, 0);
    watch(&p, 2, OWN, 0);
    p.lines[1].stuck = true;
    for (int i = 0; i < 50; i++) {
        publish_acknowledged(&p, 0, payload);
        struct mqtt_packet packet;
        assert_true(peer_next(&p.lines[2], &packet)); /* who reads hears it at once */
        assert_true(line_backlog(&p.lines[1].line) < 65536 + 2 * sizeof payload);
    }
    uint64_t dropped = counter_read(&p.counts.messages_dropped);
    assert_true(dropped > 25 && dropped < 45);
    assert_true(p.lines[1].open && !p.lines[1].ending);
    p.lines[1].stuck = false;
    play_settle(&p);
    struct mqtt_packet packet;
    uint64_t came = 0;
    while (peer_next(&p.lines[1], &packet))
        came++;
    assert_int_equal(came + dropped, 50);
    publish_acknowledged(&p, 0, "after");
    assert_heard(&p, 1, "PUBLISH 0 " OWN "=after");
    play_close(&p);
}

/* What is dropped of a session that ends with its connection is counted and told; who publishes is not refused for it. */
static void a_slow_subscriber_of_qos_1_loses_too(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                                    .properties = {.present = MQTT_HAS(RECEIVE_MAXIMUM), .receive_maximum = 1}});
    assert_heard(&p, 1, "CONNACK 00");
    watch(&p, 1, OWN, 1);
    for (size_t i = 0; i < p.limits.queue.messages_max; i++)
        publish_acknowledged(&p, 0, "v");
    assert_heard(&p, 1, "PUBLISH 1 " OWN "=v"); /* one unacknowledged, and the queue is full to the brim */
    buffer_clear(&p.said);
    assert_int_equal(counter_read(&p.counts.messages_dropped), 0);
    publish_acknowledged(&p, 0, "w");
    assert_heard(&p, 1, "");
    assert_said(&p, "report subscriber.slow \nPUBLISH pump-1 " OWN "\n");
    assert_int_equal(counter_read(&p.counts.messages_dropped), 1);
    peer_puback(&p.lines[1], 1);
    assert_heard(&p, 1, "PUBLISH 2 " OWN "=v");
    play_close(&p);
}

/* 3.1.2-24: what is larger than the client takes counts as sent. It must not hold up what comes behind it. */
static void what_is_too_large_for_the_client_is_passed_over(void **state)
{
    static char payload[300];
    memset(payload, 'x', sizeof payload - 1);
    for (uint8_t qos = 0; qos < 2; qos++) {
        struct play p;
        play_open(&p);
        enter(&p, 0, MQTT_5, "pump-1");
        arrive_as(&p, 1, PRINCIPAL_OPERATOR, "ada");
        peer_connect(&p.lines[1],
                     &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true,
                                            .properties = {.present = MQTT_HAS(RECEIVE_MAXIMUM) | MQTT_HAS(MAXIMUM_PACKET_SIZE),
                                                           .receive_maximum = 1, .maximum_packet_size = 200}});
        assert_heard(&p, 1, "CONNACK 00");
        watch(&p, 1, OWN, qos);
        for (int i = 0; i < 3; i++)
            publish_acknowledged(&p, 0, payload);
        assert_heard(&p, 1, "");
        assert_int_equal(counter_read(&p.counts.messages_dropped), 3);
        publish_acknowledged(&p, 0, "small");
        play_settle(&p);
        struct mqtt_packet packet;
        assert_true(peer_next(&p.lines[1], &packet));
        assert_true(bytes_is(packet.as.publish.payload, "small"));
        play_close(&p);
    }
}

/* Lost with deliveries queued and unacknowledged; and while a message is on its way to others. */
static void lost_with_deliveries(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    for (size_t i = 1; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "op-%zu", i);
        enter_operator(&p, i, name);
        watch(&p, i, OWN, 1);
        watch(&p, i, "devices/#", 0);
    }
    p.lines[1].stuck = true;
    for (int i = 0; i < 3; i++)
        publish_acknowledged(&p, 0, "v");
    fake_line_lose(&p.lines[1]);
    fake_line_lose(&p.lines[2]);
    publish_acknowledged(&p, 0, "w");
    assert_int_equal(router_count(p.lobbies[0].flow.router), 4);
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_answered_one_by_one),
        cmocka_unit_test(subscribing_and_unsubscribing),
        cmocka_unit_test(subscription_identifiers_come_back),
        cmocka_unit_test(quality_is_the_lower_of_both),
        cmocka_unit_test(no_local_keeps_own_messages_away),
        cmocka_unit_test(properties_travel),
        cmocka_unit_test(the_window_of_the_client),
        cmocka_unit_test(packet_identifiers_wrap),
        cmocka_unit_test(a_slow_subscriber_loses_qos_0),
        cmocka_unit_test(a_slow_subscriber_of_qos_1_loses_too),
        cmocka_unit_test(what_is_too_large_for_the_client_is_passed_over),
        cmocka_unit_test(lost_with_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
