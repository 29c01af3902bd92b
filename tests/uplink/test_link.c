/* The link against a server that does what a test tells it: every answer that a server may give, also the wrong ones.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/peer.h"

static bool spool_is_empty(struct world *w)
{
    return !still_waiting(w);
}

static bool is_up(struct world *w)
{
    return w->note.state == LINK_CONNECTED;
}

static bool has_been_down(struct world *w)
{
    return w->downs > 0;
}

static void test_everything_in_order(void **state)
{
    struct peer *p = *state;
    append_numbers(&p->world, 300);
    start(p, (struct link_options){.keep_alive = 77});
    run_until(&p->world, is_up, "connected");
    assert_int_equal(p->connect.keep_alive, 77);
    assert_true(p->connect.clean_start);
    append_numbers(&p->world, 300);
    run_until(&p->world, spool_is_empty, "all acknowledged");
    assert_int_equal(p->count, 600);
    for (size_t i = 0; i < p->count; i++)
        assert_int_equal(p->numbers[i], i + 1);
    assert_int_equal(counts_of(&p->world).acknowledged, 600);
    assert_int_equal(counts_of(&p->world).sent, 600);
    assert_int_equal(p->connects, 1);
}

static void check_window(struct peer *p, size_t expected)
{
    append_numbers(&p->world, 400);
    p->hold = expected;
    run_until(&p->world, spool_is_empty, "all acknowledged");
    assert_int_equal(p->high_water, expected);
    assert_int_equal(p->count, 400);
}

static void test_window_by_default(void **state)
{
    start(*state, (struct link_options){.window = 0});
    check_window(*state, 32);
}

static void test_window_of_the_owner(void **state)
{
    start(*state, (struct link_options){.window = 256});
    check_window(*state, 256);
}

static void test_window_of_the_server(void **state)
{
    struct peer *p = *state;
    p->said = (struct mqtt_properties){.present = MQTT_HAS(RECEIVE_MAXIMUM), .receive_maximum = 5};
    start(p, (struct link_options){.window = 32});
    check_window(p, 5);
}

static unsigned poison(struct peer *p, uint64_t number)
{
    return number == 7    ? MQTT_PAYLOAD_FORMAT_INVALID
           : number == 9  ? MQTT_NOT_AUTHORIZED
           : number == 11 ? MQTT_TOPIC_NAME_INVALID
                          : MQTT_SUCCESS;
}

static void test_refused_for_ever(void **state)
{
    struct peer *p = *state;
    p->answer = poison;
    append_numbers(&p->world, 20);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, spool_is_empty, "all settled");
    assert_int_equal(p->count, 20);
    assert_int_equal(p->world.refused, 3);
    const uint64_t numbers[] = {7, 9, 11};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(p->world.refused_number[i], numbers[i]);
        assert_int_equal(p->world.refused_reason[i], poison(p, numbers[i]));
    }
    assert_int_equal(counts_of(&p->world).refused, 3);
    assert_int_equal(counts_of(&p->world).acknowledged, 17);
}

/* Before the third connection the server has no room for message 5 and those behind it. */
static unsigned no_room_at_first(struct peer *p, uint64_t number)
{
    return p->connects < 3 && number >= 5 ? MQTT_QUOTA_EXCEEDED : MQTT_SUCCESS;
}

static void test_refused_for_now(void **state)
{
    struct peer *p = *state;
    p->answer = no_room_at_first;
    append_numbers(&p->world, 10);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, has_been_down, "a pause");
    assert_int_equal(p->world.note.reason, MQTT_QUOTA_EXCEEDED);
    assert_non_null(strstr(p->world.why, "Quota exceeded"));
    assert_true(p->world.note.wait_ms >= 1 && p->world.note.wait_ms <= 50);
    run_until(&p->world, spool_is_empty, "all acknowledged");
    assert_int_equal(p->connects, 3);
    assert_true(p->disconnects >= 2);
    assert_int_equal(p->world.refused, 0);
    assert_int_equal(counts_of(&p->world).deferred, 2);
    assert_int_equal(counts_of(&p->world).acknowledged >= 10, 1);
}

static void test_connect_refused(void **state)
{
    struct peer *p = *state;
    p->connack = MQTT_NOT_AUTHORIZED;
    append_numbers(&p->world, 3);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, has_been_down, "refused");
    assert_int_equal(p->world.note.reason, MQTT_NOT_AUTHORIZED);
    assert_string_equal(p->world.why, "uplink: the server refused CONNECT: Not authorized");
    p->connack = MQTT_SUCCESS;
    run_until(&p->world, spool_is_empty, "accepted later");
}

static bool was_told_off(struct world *w)
{
    return w->downs > 0 && w->note.state == LINK_WAITING;
}

static void check_ended_by(struct peer *p, struct bytes raw, const char *why)
{
    append_numbers(&p->world, 3);
    p->raw = raw;
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, was_told_off, "ended");
    if (!strstr(p->world.why, why))
        fail_msg("%s, expected: %s", p->world.why, why);
    p->raw = BYTES("");
    run_until(&p->world, spool_is_empty, "all acknowledged after it");
    assert_int_equal(counts_of(&p->world).refused, 0);
}

static void test_disconnected(void **state)
{
    check_ended_by(*state, BYTES("\xe0\1\x8b"), "Server shutting down");
}

static void test_malformed(void **state)
{
    struct peer *p = *state;
    check_ended_by(p, BYTES("\xd0\1x"), "behind the last field");
    assert_int_equal(p->goodbye, MQTT_MALFORMED_PACKET);
}

static void test_foreign_puback(void **state)
{
    check_ended_by(*state, BYTES("\x40\2\1\1"), "out of turn");
}

static void test_topic_alias(void **state)
{
    check_ended_by(*state, BYTES("\x30\x07\0\1a\3\x23\0\1"), "topic alias");
}

static void test_qos_2(void **state)
{
    check_ended_by(*state, BYTES("\x34\x06\0\1a\0\1\0"), "QoS 2");
}

static void test_too_large(void **state)
{
    check_ended_by(*state, BYTES("\x30\xff\xff\xff\x7f"), "over the bound");
}

static bool has_heard_two(struct world *w)
{
    struct peer *p = CONTAINER(w, struct peer, world);
    return w->arrived == 2 && p->disconnects == 0 && p->world.ups == 1;
}

static void test_messages_in(void **state)
{
    struct peer *p = *state;
    static const struct mqtt_filter filters[] = {{.filter = BYTES_ROW("devices/device/commands/#"), .qos = 1}};
    p->raw = BYTES("\x30\x05\0\1a\0x"
                   "\x32\x07\0\1a\0\7\0x");
    start(p, (struct link_options){.filters = filters, .filter_count = 1});
    run_until(&p->world, has_heard_two, "two messages");
    assert_int_equal(counts_of(&p->world).arrived, 2);
}

static void test_what_cannot_be_sent(void **state)
{
    struct peer *p = *state;
    static uint8_t large[2000];
    p->said = (struct mqtt_properties){.present = MQTT_HAS(MAXIMUM_PACKET_SIZE), .maximum_packet_size = 1000};
    append_numbers(&p->world, 1);
    assert_null(spool_append(p->world.spool, BYTES("t"), bytes_of(large, sizeof large)));
    assert_null(spool_append(p->world.spool, BYTES("a/+"), BYTES("x")));
    assert_null(spool_append(p->world.spool, BYTES(""), BYTES("x")));
    assert_null(spool_append(p->world.spool, BYTES("\xff"), BYTES("x")));
    p->world.appended += 4;
    append_numbers(&p->world, 1);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, spool_is_empty, "all settled");
    assert_int_equal(p->count, 2);
    assert_int_equal(p->world.refused, 4);
    assert_int_equal(p->world.refused_reason[0], MQTT_PACKET_TOO_LARGE);
    assert_int_equal(p->world.refused_number[0], 2);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(p->world.refused_reason[i], MQTT_TOPIC_NAME_INVALID);
    assert_int_equal(p->connects, 1);
}

static bool renewed_client_is_there(struct world *w)
{
    struct peer *p = CONTAINER(w, struct peer, world);
    return strcmp(p->last_client, "device, renewed") == 0 && spool_is_empty(w) && is_up(w);
}

static bool much_is_there(struct world *w)
{
    return CONTAINER(w, struct peer, world)->count >= 20;
}

static void test_new_credentials(void **state)
{
    struct peer *p = *state;
    append_numbers(&p->world, 100);
    p->hold = 10;
    start(p, (struct link_options){.window = 10});
    run_until(&p->world, much_is_there, "twenty messages");
    assert_string_equal(p->last_client, "device");
    struct tls_context *tls = client_context(&p->world, &p->world.renewed);
    link_use_tls(p->world.link, tls);
    tls_context_drop(tls);
    p->hold = 0;
    run_until(&p->world, renewed_client_is_there, "the renewed certificate");
    assert_int_equal(p->disconnects, 1);
    assert_int_equal(p->goodbye, MQTT_NORMAL_DISCONNECTION);
    assert_int_equal(counts_of(&p->world).connected, 2);
    assert_int_equal(p->count, 100); /* what was on its way was waited for: nothing came twice */
}

static bool is_told_of_silence(struct world *w)
{
    return w->downs > 0 && strstr(w->why, "did not answer PINGREQ");
}

static void test_silence(void **state)
{
    struct peer *p = *state;
    p->dumb = true;
    start(p, (struct link_options){.keep_alive = 1});
    run_until(&p->world, is_told_of_silence, "the silence was noticed");
    assert_true(p->pings >= 1);
}

static bool pinged_three_times(struct world *w)
{
    return CONTAINER(w, struct peer, world)->pings == 3;
}

static void test_pings(void **state)
{
    struct peer *p = *state;
    p->said = (struct mqtt_properties){.present = MQTT_HAS(SERVER_KEEP_ALIVE), .server_keep_alive = 1};
    start(p, (struct link_options){.keep_alive = 60});
    run_until(&p->world, pinged_three_times, "three pings");
    assert_int_equal(p->connects, 1);
}

static bool has_failed_often(struct world *w)
{
    return w->downs >= 5;
}

static void test_nobody_there(void **state)
{
    struct peer *p = *state;
    uint16_t port;
    assert_null(socket_port(p->listener.fd, &port));
    loop_unwatch(p->world.loop, &p->listener);
    fd_close(&p->listener.fd);
    append_numbers(&p->world, 5);
    link_up(&p->world, (struct link_options){.port = port});
    run_until(&p->world, has_failed_often, "five attempts");
    assert_int_equal(still_waiting(&p->world), 5);
    assert_null(socket_listen("127.0.0.1", port, &p->listener.fd));
    assert_null(loop_watch(p->world.loop, &p->listener, EPOLLIN));
    run_until(&p->world, spool_is_empty, "all acknowledged at last");
}

/* The server of somebody else: no byte of ours reaches it. */
static void test_foreign_server(void **state)
{
    struct peer *p = *state;
    struct party other = authority_make(NULL, "another root");
    struct tls_context *tls = NULL;
    const struct tls_options options = {.anchors_pem = buffer_view(&other.chain_pem), .server_name = "127.0.0.1"};
    assert_null(tls_context_client(&options, &tls));
    tls_context_drop(p->world.tls);
    p->world.tls = tls;
    append_numbers(&p->world, 1);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, has_been_down, "refused by the link");
    assert_non_null(strstr(p->world.why, "certificate"));
    assert_int_equal(p->connects, 0);
    party_drop(&other);
}

static bool closed_from_inside;

static void close_when_up(struct link_owner *self, const struct link_note *note)
{
    struct world *w = CONTAINER(self, struct world, owner);
    if (note->state != LINK_CONNECTED)
        return;
    link_wake(w->link);
    link_use_tls(w->link, w->tls);
    link_close(w->link);
    w->link = NULL;
    closed_from_inside = true;
}

static bool peer_heard_goodbye(struct world *w)
{
    return closed_from_inside && CONTAINER(w, struct peer, world)->disconnects == 1;
}

static void test_closed_from_inside(void **state)
{
    struct peer *p = *state;
    p->world.owner.changed = close_when_up;
    append_numbers(&p->world, 5);
    start(p, (struct link_options){.window = 32});
    run_until(&p->world, peer_heard_goodbye, "the goodbye");
    assert_int_equal(still_waiting(&p->world), 5);
}

static void test_options(void **state)
{
    struct peer *p = *state;
    struct link *link = NULL;
    assert_true(err_is(link_open(&(struct link_options){.loop = p->world.loop}, &link), ERR_REFUSED));
    link_close(NULL);
    start(p, (struct link_options){.window = 256});
    assert_int_equal(link_state_now(p->world.link), LINK_WAITING);
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(test_everything_in_order),
        LINK_TEST(test_window_by_default),
        LINK_TEST(test_window_of_the_owner),
        LINK_TEST(test_window_of_the_server),
        LINK_TEST(test_refused_for_ever),
        LINK_TEST(test_refused_for_now),
        LINK_TEST(test_connect_refused),
        LINK_TEST(test_disconnected),
        LINK_TEST(test_malformed),
        LINK_TEST(test_foreign_puback),
        LINK_TEST(test_topic_alias),
        LINK_TEST(test_qos_2),
        LINK_TEST(test_too_large),
        LINK_TEST(test_messages_in),
        LINK_TEST(test_what_cannot_be_sent),
        LINK_TEST(test_new_credentials),
        LINK_TEST(test_silence),
        LINK_TEST(test_pings),
        LINK_TEST(test_nobody_there),
        LINK_TEST(test_foreign_server),
        LINK_TEST(test_closed_from_inside),
        LINK_TEST(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
