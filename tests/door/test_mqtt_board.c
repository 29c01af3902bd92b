/* What operators see of one loop's sessions and do to them: the walk, one session whole, kicks, and the drain. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_script.h"

#include "door/board.h"

struct onlooker {
    struct session_rows_view rows;
    struct watch_rows_view watches;
    struct session_view last;
    size_t sessions, subscriptions, watches_max;
    unsigned seen; /* bits, by the number in "client-n" */
};

static bool see(struct session_rows_view *self, const struct session_view *session)
{
    struct onlooker *o = CONTAINER(self, struct onlooker, rows);
    o->sessions++;
    o->last = *session;
    if (bytes_starts(session->client_id, "client-"))
        o->seen |= 1u << (unsigned)(session->client_id.at[7] - 'a');
    return true;
}

static bool see_watch(struct watch_rows_view *self, const struct client_watch *watch)
{
    struct onlooker *o = CONTAINER(self, struct onlooker, watches);
    assert_true(watch->filter.len != 0);
    return ++o->subscriptions < o->watches_max;
}

static struct onlooker onlooker(void)
{
    return (struct onlooker){.rows = {see}, .watches = {see_watch}, .watches_max = SIZE_MAX};
}

static const struct session_name name_of_c = {.who = {PRINCIPAL_DEVICE, "pump-1"}, .client_id = {(const uint8_t *)"c", 1}};

static struct session_view view_of_c(struct script *s)
{
    struct onlooker o = onlooker();
    assert_null(lobby_show_session(&s->play.lobbies[0], &name_of_c, &o.rows, &o.watches));
    assert_int_equal(o.sessions, 1);
    return o.last;
}

/* Every session once, those that are away too; a table that grew begins anew. */
static void the_walk_sees_each_once(void **state)
{
    struct play p;
    struct onlooker o = onlooker();
    struct session_walk walk = {.next = 0};
    play_open(&p);
    assert_int_equal(lobby_walk_sessions(&p.lobbies[0], &walk, &o.rows), WALK_OVER);
    assert_int_equal(o.sessions, 0);
    for (size_t i = 0; i < 20; i++) {
        char id[] = {'c', 'l', 'i', 'e', 'n', 't', '-', (char)('a' + i), 0};
        arrive(&p, i, "pump-1");
        peer_connect(&p.lines[i], &(struct mqtt_connect){.version = MQTT_5, .client_id = bytes_of_text(id),
                                                        .properties = {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = 9}});
        assert_heard(&p, i, "CONNACK 00");
        if (i % 2)
            fake_line_lose(&p.lines[i]);
        play_settle(&p);
    }
    walk = (struct session_walk){.next = 0};
    while (lobby_walk_sessions(&p.lobbies[0], &walk, &o.rows) == WALK_ON)
        ;
    assert_int_equal(o.sessions, 20);
    assert_int_equal(o.seen, (1u << 20) - 1);
    walk = (struct session_walk){.next = 0, .room = p.lobbies[0].sessions.room / 2}; /* as it was before it grew */
    assert_int_equal(lobby_walk_sessions(&p.lobbies[0], &walk, &o.rows), WALK_ANEW);
    assert_int_equal(walk.next + walk.room, 0);
    assert_int_equal(o.sessions, 20);
    play_close(&p);
}

static void one_session_whole(void **state)
{
    static struct script s;
    struct onlooker o = onlooker();
    script_open(&s, MQTT_5, 100);
    s.connect.keep_alive = 77;
    script_play(&s, "C w1 v1 m1 m1 a1");
    struct session_view v = view_of_c(&s);
    assert_true(v.connected && bytes_is(v.client_id, "c") && v.version == 5);
    assert_string_equal(v.who.id, "pump-1");
    assert_string_equal(v.transport, "tls");
    assert_string_equal(v.peer, "192.0.2.7:41234");
    assert_int_equal(v.keep_alive_s, 77);
    assert_int_equal(v.expiry_s, 100);
    assert_int_equal(v.subscriptions, 2);
    assert_int_equal(v.messages_out, 4); /* one each for the subscription and the share */
    assert_int_equal(v.queued, 3);
    assert_int_equal(v.under_way, 3);
    assert_true(v.queued_bytes == 3 * (sizeof OWN - 1 + 1));
    assert_null(lobby_show_session(&s.play.lobbies[0], &name_of_c, &o.rows, &o.watches));
    assert_int_equal(o.subscriptions, 2);
    o.watches_max = 1;
    o.subscriptions = 0;
    assert_null(lobby_show_session(&s.play.lobbies[0], &name_of_c, &o.rows, &o.watches));
    assert_int_equal(o.subscriptions, 1); /* its answer ends the listing */
    script_play(&s, "P1 s x t3");
    v = view_of_c(&s);
    assert_true(!v.connected && !*v.peer && !*v.transport);
    assert_int_equal(v.messages_in, 1);
    assert_int_equal(v.under_way, 0);
    script_close(&s);
}

/* Principals of different kinds may bear one id, and one principal has several clients. */
static void only_the_one_that_is_named(void **state)
{
    static const struct session_name rows[] = {
        {.who = {PRINCIPAL_OPERATOR, "pump-1"}, .client_id = {(const uint8_t *)"c", 1}},
        {.who = {PRINCIPAL_DEVICE, "pump-2"}, .client_id = {(const uint8_t *)"c", 1}},
        {.who = {PRINCIPAL_DEVICE, "pump-1"}, .client_id = {(const uint8_t *)"d", 1}},
        {.who = {PRINCIPAL_DEVICE, "pump-1"}, .client_id = {(const uint8_t *)"", 0}},
    };
    static struct script s;
    script_open(&s, MQTT_5, 100);
    script_play(&s, "C");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct onlooker o = onlooker();
        assert_true(err_is(lobby_show_session(&s.play.lobbies[0], &rows[i], &o.rows, &o.watches), ERR_ABSENT));
        assert_true(err_is(lobby_kick(&s.play.lobbies[0], &rows[i], KICK_SESSION), ERR_ABSENT));
        assert_int_equal(o.sessions, 0);
    }
    assert_string_equal(script_play(&s, "t1"), "");
    script_close(&s);
}

static void kicks(void **state)
{
    static const struct {
        const char *before;
        enum kick_how how;
        const char *heard, *after;
    } rows[] = {
        {"C", KICK_CONNECTION, "DISCONNECT 98|end|", "CONNACK 00 present|"},
        {"C", KICK_SESSION, "DISCONNECT 98|end|", "CONNACK 00|"},
        {"C x", KICK_CONNECTION, "", "CONNACK 00 present|"},
        {"C x", KICK_SESSION, "", "CONNACK 00|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        script_play(&s, rows[i].before);
        assert_null(lobby_kick(&s.play.lobbies[0], &name_of_c, rows[i].how));
        assert_string_equal(script_play(&s, "k"), rows[i].heard);
        assert_string_equal(script_play(&s, "c"), rows[i].after);
        script_close(&s);
    }
}

/* So many a second are told to go, with the reference; who comes is told at once; the end of the drain lets all in. */
static void the_drain(void **state)
{
    struct play p;
    struct drain_order order = {.drains = true, .reference = "other.example:8883", .per_s = 20};
    struct mqtt_packet packet;
    size_t gone = 0;
    play_open(&p);
    for (size_t i = 0; i < 10; i++) {
        char id[] = {'p', 'u', 'm', 'p', '-', (char)('0' + i), 0};
        enter(&p, i, i % 2 ? MQTT_5 : MQTT_3_1_1, id);
    }
    assert_true(err_is(lobby_drain(&p.lobbies[0], &(struct drain_order){.drains = true}), ERR_REFUSED));
    assert_null(lobby_drain(&p.lobbies[0], &order));
    play_pass(&p, 99);
    for (size_t i = 0; i < 10; i++)
        assert_true(p.lines[i].open);
    for (int tick = 1; tick <= 5; tick++) {
        play_pass(&p, tick == 1 ? 1 : 100);
        gone = 0;
        for (size_t i = 0; i < 10; i++)
            gone += !p.lines[i].open;
        assert_true(gone >= 2u * (unsigned)tick && gone <= 2u * (unsigned)tick + 2); /* a bucket goes whole */
    }
    for (size_t i = 1; i < 10; i += 2) {
        assert_true(peer_next(&p.lines[i], &packet) && packet.type == MQTT_DISCONNECT);
        assert_int_equal(packet.as.ending.reason, MQTT_USE_ANOTHER_SERVER);
        assert_true(bytes_is(packet.as.ending.properties.server_reference, order.reference));
    }
    arrive(&p, 11, "pump-1");
    peer_connect(&p.lines[11], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true});
    play_settle(&p);
    assert_true(peer_next(&p.lines[11], &packet) && packet.type == MQTT_CONNACK);
    assert_int_equal(packet.as.connack.reason, MQTT_USE_ANOTHER_SERVER);
    assert_true(bytes_is(packet.as.connack.properties.server_reference, order.reference));
    assert_null(lobby_drain(&p.lobbies[0], &(struct drain_order){.drains = false}));
    enter(&p, 12, MQTT_5, "pump-1");
    play_pass(&p, 1000);
    assert_heard(&p, 12, "");
    play_close(&p);
}

/* What is acknowledged stays kept: who is sent away finds its queue when it is back. */
static void a_drain_loses_nothing(void **state)
{
    static struct script s;
    script_open(&s, MQTT_5, 100);
    script_play(&s, "C w1 m1");
    assert_null(lobby_drain(&s.play.lobbies[0], &(struct drain_order){.drains = true, .per_s = 1000}));
    assert_string_equal(script_play(&s, "t1"), "DISCONNECT 9c|end|");
    assert_null(lobby_drain(&s.play.lobbies[0], &(struct drain_order){.drains = false}));
    assert_string_equal(script_play(&s, "c"), "CONNACK 00 present|PUBLISH 1 " OWN "=1 dup|");
    script_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walk_sees_each_once),
        cmocka_unit_test(one_session_whole),
        cmocka_unit_test(only_the_one_that_is_named),
        cmocka_unit_test(kicks),
        cmocka_unit_test(the_drain),
        cmocka_unit_test(a_drain_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
