/* Shared subscriptions as one loop sees them (MQTT 5.0, 4.8.2): turns, members that are away or leave, and that SUBACK waits
 * for all loops. What happens between loops is tried in tests/prog/test_dispatch.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define OWN   "devices/pump-1/x"
#define SHARE "$share/g/" OWN

enum { PUBLISHER = 9, MEMBERS = 3 };

static void enter_client(struct play *p, size_t line, const char *client_id, uint32_t expiry_s)
{
    arrive(p, line, "pump-1");
    peer_connect(&p->lines[line], &(struct mqtt_connect){.version = MQTT_5, .client_id = bytes_of_text(client_id),
                                                        .properties = {.present = MQTT_HAS(SESSION_EXPIRY),
                                                                       .session_expiry = expiry_s}});
    play_settle(p);
}

/* Three members and one who publishes. */
static void open_group(struct play *p, uint8_t qos, uint32_t expiry_s)
{
    static const char *const names[] = {"m0", "m1", "m2"};
    play_open(p);
    enter_client(p, PUBLISHER, "publisher", 0);
    assert_heard(p, PUBLISHER, "CONNACK 00");
    for (size_t i = 0; i < MEMBERS; i++) {
        enter_client(p, i, names[i], expiry_s);
        assert_heard(p, i, "CONNACK 00");
        watch(p, i, SHARE, qos);
    }
}

static void publish(struct play *p, uint8_t qos)
{
    struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                 .as.publish = {.topic = BYTES(OWN), .payload = BYTES("v"), .qos = qos, .packet_id = qos ? 1 : 0}};
    peer_packet(&p->lines[PUBLISHER], &packet);
    play_settle(p);
    if (qos == 2)
        peer_ack(&p->lines[PUBLISHER], MQTT_PUBREL, 1);
    play_settle(p);
    while (peer_next(&p->lines[PUBLISHER], &packet))
        assert_true(packet.type != MQTT_DISCONNECT && packet.as.ack.reason < MQTT_UNSPECIFIED_ERROR);
}

/* How many messages came since the last time; each with this QoS. */
static size_t count_heard(struct play *p, size_t line, uint8_t qos)
{
    struct mqtt_packet packet;
    size_t count = 0;
    play_settle(p);
    while (peer_next(&p->lines[line], &packet))
        if (packet.type == MQTT_PUBLISH) {
            assert_int_equal(packet.as.publish.qos, qos);
            count++;
        }
    return count;
}

/* Each message to one of them, in turns, whatever the QoS of both sides, and whether or not the members are kept. */
static void members_take_turns(void **state)
{
    for (uint8_t published = 0; published < 3; published++)
        for (uint8_t subscribed = 0; subscribed < 3; subscribed++)
            for (uint32_t expiry = 0; expiry < 200; expiry += 100) {
                struct play p;
                uint8_t qos = published < subscribed ? published : subscribed;
                open_group(&p, subscribed, expiry);
                for (int i = 0; i < 6; i++)
                    publish(&p, published);
                for (size_t i = 0; i < MEMBERS; i++)
                    assert_int_equal(count_heard(&p, i, qos), 2);
                play_close(&p);
            }
}

/* Nobody in a share is sent what the store refused, whatever its QoS. */
static void what_is_not_kept_is_not_sent(void **state)
{
    for (uint8_t subscribed = 0; subscribed < 3; subscribed++) {
        struct play p;
        open_group(&p, subscribed, 100);
        enter_client(&p, 5, "keeper", 100); /* so that the message is offered */
        assert_heard(&p, 5, "CONNACK 00");
        watch(&p, 5, OWN, 1);
        p.store = LATER;
        peer_publish(&p.lines[PUBLISHER], OWN, "v", 1);
        for (size_t i = 0; i < MEMBERS; i++)
            assert_int_equal(count_heard(&p, i, 0), 0);
        play_store(&p, 0, &play_disk);
        p.store = AT_ONCE;
        assert_heard(&p, PUBLISHER, "PUBACK 1 97");
        for (size_t i = 0; i < MEMBERS; i++)
            assert_int_equal(count_heard(&p, i, 0), 0);
        play_close(&p);
    }
}

/* Those who are away get nothing as long as somebody is there; when all are, what is kept waits for one of them. */
static void members_that_are_away(void **state)
{
    struct play p;
    size_t total = 0;
    open_group(&p, 1, 100);
    fake_line_lose(&p.lines[0]);
    for (int i = 0; i < 4; i++)
        publish(&p, 1);
    assert_int_equal(count_heard(&p, 1, 1), 2);
    assert_int_equal(count_heard(&p, 2, 1), 2);
    fake_line_lose(&p.lines[1]);
    fake_line_lose(&p.lines[2]);
    for (int i = 0; i < 3; i++)
        publish(&p, 1);
    publish(&p, 0); /* nobody is there to hear it */
    for (size_t i = 0; i < MEMBERS; i++) {
        struct mqtt_packet packet;
        char name[] = {'m', (char)('0' + i), 0};
        enter_client(&p, i, name, 100);
        while (peer_next(&p.lines[i], &packet))
            total += packet.type == MQTT_PUBLISH && !packet.as.publish.dup;
    }
    assert_int_equal(total, 3);
    play_close(&p);
}

/* One unsubscribes, one is taken off by its session's end: the others share what comes. */
static void members_that_leave(void **state)
{
    struct play p;
    open_group(&p, 1, 0);
    peer_unsubscribe(&p.lines[0], SHARE, 2);
    assert_heard(&p, 0, "UNSUBACK 2 00");
    fake_line_lose(&p.lines[1]);
    for (int i = 0; i < 3; i++)
        publish(&p, 1);
    assert_int_equal(count_heard(&p, 0, 1), 0);
    assert_int_equal(count_heard(&p, 2, 1), 3);
    peer_unsubscribe(&p.lines[2], OWN, 2); /* another filter than the one with the share in front */
    assert_heard(&p, 2, "UNSUBACK 2 11");
    play_close(&p);
}

/* An own subscription beside the share has its own copy (4.8.2); another share, too. */
static void shares_and_others(void **state)
{
    struct play p;
    open_group(&p, 0, 0);
    watch(&p, 0, OWN, 0);
    watch(&p, 1, "$share/h/" OWN, 0);
    for (int i = 0; i < 3; i++)
        publish(&p, 0);
    assert_int_equal(count_heard(&p, 0, 0), 1 + 3);
    assert_int_equal(count_heard(&p, 1, 0), 1 + 3);
    assert_int_equal(count_heard(&p, 2, 0), 1);
    play_close(&p);
}

/* SUBACK says that every loop knows: it waits for them, and for the store; whoever leaves meanwhile is not answered, or
 * answered at once, and nothing of it stays. */
static void suback_waits_for_all_loops(void **state)
{
    static const char *const ways[] = {"joins", "unsubscribes", "is lost", "the store refuses", "is expelled"};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        struct play p;
        play_open(&p);
        enter_client(&p, 0, "m0", 100);
        assert_heard(&p, 0, "CONNACK 00");
        p.joins = p.store = LATER;
        peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES(SHARE), .qos = 1}, 1);
        assert_heard(&p, 0, "");
        assert_int_equal(p.joining_count, 1);
        if (way != 3)
            play_store(&p, 0, OK);
        assert_heard(&p, 0, "");
        p.store = AT_ONCE;
        if (way == 0) {
            play_joined(&p);
            assert_heard(&p, 0, "SUBACK 1 01");
        } else if (way == 1) {
            peer_unsubscribe(&p.lines[0], SHARE, 2);
            assert_heard(&p, 0, "SUBACK 1 01", "UNSUBACK 2 00");
        } else if (way == 2) {
            fake_line_lose(&p.lines[0]);
        } else if (way == 3) {
            p.store = LATER;
            play_store(&p, 0, &play_disk);
            p.store = AT_ONCE;
            play_joined(&p);
            assert_heard(&p, 0, "SUBACK 1 80");
            assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
        } else {
            lobby_expel(&p.lobbies[0], "pump-1");
            assert_heard(&p, 0, "DISCONNECT 87", "end");
            assert_int_equal(p.joining_count, 0);
        }
        play_close(&p);
    }
}

static err anything(const struct rule *self, const struct request *r)
{
    return OK;
}

static void enter_as(struct play *p, size_t line, enum principal_kind kind, const char *id, const char *client_id)
{
    arrive_as(p, line, kind, id);
    peer_connect(&p->lines[line], &(struct mqtt_connect){.version = MQTT_5, .client_id = bytes_of_text(client_id), .clean_start = true});
    assert_heard(p, line, "CONNACK 00");
}

/* The anonymous share among themselves, whatever they call it: a turn of one of them is no operator's, who would miss what
 * it may not hear. */
static void the_anonymous_share_among_themselves(void **state)
{
    static const struct {
        const char *topic;
        size_t operators, anonymous; /* what each of two hears of four */
    } rows[] = {{"news/x", 2, 2}, {OWN, 2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint8_t qos = 0; qos < 3; qos++) {
            struct play p;
            play_open(&p);
            p.rule.allows = anything;
            enter_as(&p, PUBLISHER, PRINCIPAL_DEVICE, "pump-1", "publisher");
            for (size_t k = 0; k < 4; k++) { /* in turns, so that one group of them would be seen */
                char id[] = {'m', (char)('0' + k), 0};
                enter_as(&p, k, k % 2 ? PRINCIPAL_ANONYMOUS : PRINCIPAL_OPERATOR, k % 2 ? "" : "ada", id);
                watch(&p, k, "$share/g/#", qos);
            }
            for (unsigned n = 1; n <= 4; n++) {
                peer_publish(&p.lines[PUBLISHER], rows[i].topic, "v", qos ? n : 0);
                play_settle(&p);
            }
            uint8_t heard = qos ? 1 : 0; /* peer_publish has no more */
            for (size_t k = 0; k < 4; k++)
                assert_int_equal(count_heard(&p, k, heard), k % 2 ? rows[i].anonymous : rows[i].operators);
            peer_unsubscribe(&p.lines[1], "$share/g/#", 2);
            assert_heard(&p, 1, "UNSUBACK 2 00");
            for (unsigned n = 5; n <= 8; n++) {
                peer_publish(&p.lines[PUBLISHER], rows[i].topic, "v", qos ? n : 0);
                play_settle(&p);
            }
            assert_int_equal(count_heard(&p, 1, heard), 0);
            assert_int_equal(count_heard(&p, 3, heard), 2 * rows[i].anonymous);
            assert_int_equal(count_heard(&p, 0, heard), rows[i].operators);
            play_close(&p);
        }
}

/* 3.8.3.1, 4.7.1: what no share may be. */
static void what_is_refused(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES(SHARE), .no_local = true}, 1);
    assert_heard(&p, 0, "DISCONNECT 82", "end");
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_take_turns),    cmocka_unit_test(what_is_not_kept_is_not_sent),
        cmocka_unit_test(members_that_are_away), cmocka_unit_test(members_that_leave),
        cmocka_unit_test(shares_and_others),     cmocka_unit_test(suback_waits_for_all_loops),
        cmocka_unit_test(the_anonymous_share_among_themselves), cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
