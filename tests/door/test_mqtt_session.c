/* MQTT sessions: how they begin, what ends them, who takes over from whom, and that nothing is left of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#include "base/memory.h"

#define ID_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void a_session_opens_and_closes(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        come(&p, 0, both[v], "pump-1");
        assert_heard(&p, 0, "CONNACK 00");
        assert_said(&p, "HELLO pump-1 pump-1\n");
        assert_int_equal(counter_read(&p.counts.sessions_now), 1);
        peer_packet(&p.lines[0], &(struct mqtt_packet){.type = MQTT_PINGREQ});
        assert_heard(&p, 0, "PINGRESP");
        peer_disconnect(&p.lines[0], MQTT_NORMAL_DISCONNECTION);
        assert_heard(&p, 0, "end");
        assert_said(&p, "BYE pump-1 pump-1\n");
        assert_int_equal(counter_read(&p.counts.sessions_now), 0);
        play_close(&p);
    }
}

/* What the server tells of itself in MQTT 5.0, 3.2.2.3. */
static void connack_says_what_is_offered(void **state)
{
    struct play p;
    struct mqtt_packet packet;
    play_open(&p);
    arrive(&p, 0, "pump-1");
    peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .clean_start = true, .keep_alive = 0});
    play_settle(&p);
    assert_true(peer_next(&p.lines[0], &packet));
    const struct mqtt_properties *props = &packet.as.connack.properties;
    assert_int_equal(packet.as.connack.reason, MQTT_SUCCESS);
    assert_int_equal(props->maximum_qos, 2);
    assert_int_equal(props->retain_available, 1);
    assert_int_equal(props->wildcard_available, 1);
    assert_int_equal(props->shared_available, 1);
    assert_int_equal(props->subscription_id_available, 1);
    assert_int_equal(props->topic_alias_maximum, MQTT_ALIASES_MAX);
    assert_false(props->present & (MQTT_HAS(SESSION_EXPIRY) | MQTT_HAS(RESPONSE_INFORMATION) | MQTT_HAS(REASON_STRING)));
    assert_int_equal(props->receive_maximum, p.limits.receive_max);
    assert_int_equal(props->maximum_packet_size, p.limits.packet_max);
    assert_int_equal(props->server_keep_alive, p.limits.keep_alive_max_s); /* it asked for none */
    assert_true(bytes_starts(props->assigned_client_id, "auto-") && props->assigned_client_id.len == 21);
    play_close(&p);
}

/* 3.1: the first packet is a CONNECT, and there is no second one. */
static void connect_comes_first_and_once(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        arrive(&p, 0, "pump-1");
        p.lines[0].version = both[v];
        peer_publish(&p.lines[0], "devices/pump-1/telemetry", "1", 1);
        assert_heard(&p, 0, "end");
        assert_said(&p, "report protocol.error pump-1\n");
        enter(&p, 0, both[v], "pump-1");
        peer_connect(&p.lines[0], &(struct mqtt_connect){.version = both[v], .client_id = BYTES("pump-1"), .clean_start = true});
        if (both[v] == MQTT_5)
            assert_heard(&p, 0, "DISCONNECT 82", "end");
        else
            assert_heard(&p, 0, "end");
        assert_said(&p, "report protocol.error pump-1\nBYE pump-1 pump-1\n");
        play_close(&p);
    }
}

static void connects_that_are_refused(void **state)
{
    static char long_id[300];
    memset(long_id, 'x', sizeof long_id);
    const struct {
        const char *rule;
        struct mqtt_connect connect;
        const char *v5, *v3; /* v3: "" says nothing before the end */
    } rows[] = {
        {"a client identifier of 256 bytes", {.client_id = bytes_of(long_id, 256), .clean_start = true}, "00", "00"},
        {"one of 257", {.client_id = bytes_of(long_id, 257), .clean_start = true}, "85", "85"},
        {"none with a clean session", {.clean_start = true}, "00", "00"},
        {"none without (3.1.1, 3.1.3-8)", {.clean_start = false}, "00", "85"},
        {"a will with QoS 2",
         {.clean_start = true, .has_will = true, .will = {.topic = BYTES("devices/pump-1/x"), .qos = 2}},
         "00",
         "00"},
        {"a retained will",
         {.clean_start = true, .has_will = true, .will = {.topic = BYTES("devices/pump-1/x"), .retain = true}},
         "00",
         "00"},
        {"a will to a topic of 33 levels",
         {.clean_start = true, .has_will = true, .will = {.topic = BYTES("////////////////////////////////")}},
         "90",
         ""},
        {"another way to authenticate",
         {.clean_start = true,
          .properties = {.present = MQTT_HAS(AUTHENTICATION_METHOD), .authentication_method = BYTES("SCRAM")}},
         "8c",
         "00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            SCOPED(buffer_drop) struct buffer heard = {.max = 4096};
            char want[64];
            const char *code = both[v] == MQTT_5 ? rows[i].v5 : rows[i].v3;
            struct mqtt_connect connect = rows[i].connect;
            connect.version = both[v];
            if (both[v] == MQTT_3_1_1)
                connect.properties.present = 0;
            play_open(&p);
            arrive(&p, 0, "pump-1");
            peer_connect(&p.lines[0], &connect);
            play_settle(&p);
            peer_heard(&p.lines[0], &heard);
            snprintf(want, sizeof want, "%s%s%s%s", *code ? "CONNACK " : "", code, *code ? "\n" : "",
                     strcmp(code, "00") == 0 ? "" : "end\n");
            if (strcmp(buffer_text(&heard), want) != 0)
                fail_msg("%s, version %d: %s", rows[i].rule, (int)both[v], buffer_text(&heard));
            play_close(&p);
        }
}

/* The flow refuses HELLO: the answer says why, no session was there, and nobody says BYE. */
static void hello_is_refused(void **state)
{
    static const struct fault unknown = {ERR_ABSENT, "test: no such device"};
    static const struct {
        bool limited;
        enum answers known, store;
        err known_says, store_says;
        const char *heard;
    } rows[] = {
        {true, AT_ONCE, AT_ONCE, OK, OK, "CONNACK 89"},
        {false, NEVER, AT_ONCE, OK, OK, "CONNACK 89"},
        {false, AT_ONCE, AT_ONCE, &unknown, OK, "CONNACK 87"},
        {false, AT_ONCE, NEVER, OK, OK, "CONNACK 89"},
        {false, AT_ONCE, AT_ONCE, OK, &play_disk, "CONNACK 89"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        play_open(&p);
        p.limited = rows[i].limited;
        p.known = rows[i].known;
        p.store = rows[i].store;
        p.known_says = rows[i].known_says;
        p.store_says = rows[i].store_says;
        come(&p, 0, MQTT_5, "pump-1");
        assert_heard(&p, 0, rows[i].heard, "end");
        assert_said(&p, "refused HELLO pump-1 pump-1\n");
        assert_int_equal(counter_read(&p.counts.sessions_now), 0);
        play_close(&p);
    }
}

static void the_same_client_takes_over(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter(&p, 1, MQTT_3_1_1, "pump-1");
    assert_heard(&p, 0, "DISCONNECT 8e", "end");
    enter(&p, 2, MQTT_5, "pump-1");
    assert_heard(&p, 1, "end");
    assert_int_equal(counter_read(&p.counts.sessions_now), 1);
    peer_packet(&p.lines[2], &(struct mqtt_packet){.type = MQTT_PINGREQ});
    assert_heard(&p, 2, "PINGRESP");
    play_close(&p);
}

/* Another device with the same client identifier, the same device with another one, an operator of the device's name. */
static void others_do_not(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    arrive(&p, 1, "pump-2");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("pump-1"), .clean_start = true});
    arrive(&p, 2, "pump-1");
    peer_connect(&p.lines[2], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("pump-2"), .clean_start = true});
    enter_operator(&p, 3, "pump-1");
    assert_heard(&p, 0, "");
    assert_int_equal(counter_read(&p.counts.sessions_now), 4);
    play_close(&p);
}

static void long_names_are_told_apart(void **state)
{
    static char client_id[256];
    struct play p;
    memset(client_id, 'x', sizeof client_id);
    play_open(&p);
    for (size_t i = 0; i < 3; i++) {
        char id[] = ID_64;
        id[63] = (char)('a' + i);
        arrive(&p, i, id);
        peer_connect(&p.lines[i], &(struct mqtt_connect){.version = MQTT_5, .client_id = bytes_of(client_id, 256), .clean_start = true});
        assert_heard(&p, i, "CONNACK 00");
    }
    assert_int_equal(counter_read(&p.counts.sessions_now), 3);
    play_close(&p);
}

static const struct fault forgotten = {ERR_REFUSED, "test: not known any more"};

struct leaver {
    struct inspector inspector;
    struct play *play;
    size_t left[8], count;
};

static err note_leaving(struct inspector *self, struct request *r)
{
    struct leaver *l = CONTAINER(self, struct leaver, inspector);
    if (r->verb == VERB_BYE)
        l->left[l->count++] = r->sessions_left;
    return OK;
}

/* A device is gone when its last session is, whatever an operator of the same name does. */
static void bye_tells_how_many_sessions_are_left(void **state)
{
    struct play p;
    struct leaver l = {.inspector = {note_leaving}, .play = &p};
    play_open(&p);
    p.lobbies[0].flow.inspector = &l.inspector;
    enter(&p, 0, MQTT_5, "pump-1");
    enter_operator(&p, 1, "pump-1");
    arrive(&p, 2, "pump-1");
    peer_connect(&p.lines[2], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("second"), .clean_start = true});
    assert_heard(&p, 2, "CONNACK 00");
    fake_line_lose(&p.lines[2]);
    fake_line_lose(&p.lines[0]);
    fake_line_lose(&p.lines[1]);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.left[0], 1);
    assert_int_equal(l.left[1], 0);
    assert_int_equal(l.left[2], 0);
    play_close(&p);
}

/* One leaves while another of the same device is still asked about, so the presence is left to that one; and then it is
 * refused. Whoever goes last takes the presence back. */
static void a_refused_session_that_is_the_last_ends_the_presence(void **state)
{
    struct play p;
    struct leaver l = {.inspector = {note_leaving}, .play = &p};
    play_open(&p);
    p.lobbies[0].flow.inspector = &l.inspector;
    enter(&p, 0, MQTT_5, "pump-1");
    p.known = LATER;
    arrive(&p, 1, "pump-1");
    peer_connect(&p.lines[1], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("second"), .clean_start = true});
    play_settle(&p);
    fake_line_lose(&p.lines[0]);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.left[0], 1);
    play_know(&p, 0, &forgotten);
    play_settle(&p);
    fake_line_lose(&p.lines[1]);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.left[1], 0);
    play_close(&p);
}

/* 3.1.2.10, for each version: one and a half times the keep-alive, counted from the last packet. */
static void keep_alive(void **state)
{
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        enter(&p, 0, both[v], "pump-1"); /* 60 seconds */
        play_pass(&p, 89999);
        assert_heard(&p, 0, "");
        peer_packet(&p.lines[0], &(struct mqtt_packet){.type = MQTT_PINGREQ});
        assert_heard(&p, 0, "PINGRESP");
        play_pass(&p, 89999);
        assert_heard(&p, 0, "");
        play_pass(&p, 1);
        if (both[v] == MQTT_5)
            assert_heard(&p, 0, "DISCONNECT 8d", "end");
        else
            assert_heard(&p, 0, "end");
        play_close(&p);
    }
}

static void who_never_connects_is_let_go(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, "pump-1");
    arrive(&p, 1, "pump-2");
    fake_line_say(&p.lines[1], BYTES("\x10\x20")); /* the beginning of a CONNECT */
    play_settle(&p);
    play_pass(&p, p.limits.handshake_ms);
    assert_heard(&p, 0, "end");
    assert_heard(&p, 1, "end");
    play_close(&p);
}

/* The client said enough; that we read none of it while the store is slow is not its silence. */
static void a_slow_store_is_no_silence_of_the_client(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_3_1_1, "pump-1");
    p.store = LATER;
    for (unsigned i = 1; i <= 20; i++)
        peer_publish(&p.lines[0], "devices/pump-1/telemetry", "1", i);
    play_settle(&p);
    assert_int_equal(p.posted_count, 2 * p.limits.receive_max);
    play_pass(&p, 10 * 90000);
    assert_heard(&p, 0, "");
    p.store = AT_ONCE;
    play_settle(&p);
    assert_int_equal(counter_read(&p.counts.messages_in[1]), 20);
    play_pass(&p, 90000);
    assert_false(p.lines[0].open);
    play_close(&p);
}

/* 3.1.2.5: the will is published when the line is lost, not when the client says good-bye, and never for a session that was
 * not let in. */
static void wills(void **state)
{
    static const struct {
        const char *rule;
        enum mqtt_version version;
        enum mqtt_reason bye;
        bool says_bye, published;
    } rows[] = {
        {"lost", MQTT_5, 0, false, true},
        {"lost", MQTT_3_1_1, 0, false, true},
        {"good-bye", MQTT_5, MQTT_NORMAL_DISCONNECTION, true, false},
        {"good-bye", MQTT_3_1_1, MQTT_NORMAL_DISCONNECTION, true, false},
        {"good-bye with the will", MQTT_5, MQTT_DISCONNECT_WITH_WILL, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        play_open(&p);
        enter_operator(&p, 1, "ada");
        watch(&p, 1, "devices/#", 1);
        arrive(&p, 0, "pump-1");
        peer_connect(&p.lines[0],
                     &(struct mqtt_connect){.version = rows[i].version, .client_id = BYTES("c"), .clean_start = true, .has_will = true,
                                            .will = {.topic = BYTES("devices/pump-1/gone"), .payload = BYTES("yes"), .qos = 1}});
        assert_heard(&p, 0, "CONNACK 00");
        if (rows[i].says_bye)
            peer_disconnect(&p.lines[0], rows[i].bye);
        else
            fake_line_lose(&p.lines[0]);
        if (rows[i].published)
            assert_heard(&p, 1, "PUBLISH 1 devices/pump-1/gone=yes");
        else
            assert_heard(&p, 1, "");
        play_close(&p);
    }
}

/* A will goes the way of every message: it may not be published where the device may not publish. */
static void a_foreign_will_is_refused(void **state)
{
    struct play p;
    play_open(&p);
    enter_operator(&p, 1, "ada");
    watch(&p, 1, "devices/#", 1);
    arrive(&p, 0, "pump-1");
    peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true, .has_will = true,
                                                    .will = {.topic = BYTES("devices/pump-2/gone"), .payload = BYTES("yes")}});
    assert_heard(&p, 0, "CONNACK 00");
    buffer_clear(&p.said);
    fake_line_lose(&p.lines[0]);
    assert_heard(&p, 1, "");
    assert_said(&p, "refused PUBLISH pump-1 devices/pump-2/gone\nBYE pump-1 c\n");
    play_close(&p);
}

/* The line is lost at each moment of a HELLO: while the registry is asked, while the store writes. */
static void lost_while_hello_is_under_way(void **state)
{
    for (int registry = 0; registry < 2; registry++)
        for (int refused = 0; refused < 2; refused++) {
            struct play p;
            play_open(&p);
            p.known = registry ? LATER : AT_ONCE;
            p.store = LATER;
            arrive(&p, 0, "pump-1");
            peer_connect(&p.lines[0],
                         &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true, .has_will = true,
                                                .will = {.topic = BYTES("devices/pump-1/gone"), .payload = BYTES("yes")}});
            play_settle(&p);
            fake_line_lose(&p.lines[0]);
            if (registry)
                play_know(&p, 0, refused ? &play_refused : OK);
            else
                play_store(&p, 0, refused ? &play_disk : OK);
            while (p.posted_count)
                play_store(&p, 0, OK);
            assert_said(&p, refused ? "refused HELLO pump-1 c\n" : "HELLO pump-1 c\nBYE pump-1 c\n");
            assert_int_equal(p.lobbies[0].roll.entries.count, 0);
            play_close(&p);
        }
}

/* The same client comes twice while HELLO is under way: whoever is answered last has the session. */
static void taken_over_while_hello_is_under_way(void **state)
{
    for (size_t first = 0; first < 2; first++) {
        struct play p;
        play_open(&p);
        p.known = LATER;
        come(&p, 0, MQTT_5, "pump-1");
        come(&p, 1, MQTT_5, "pump-1");
        play_know(&p, first, OK);
        assert_heard(&p, first, "CONNACK 00");
        play_know(&p, 0, OK);
        assert_heard(&p, first, "DISCONNECT 8e", "end");
        assert_heard(&p, 1 - first, "CONNACK 00");
        assert_said(&p, "HELLO pump-1 pump-1\nHELLO pump-1 pump-1\nBYE pump-1 pump-1\n");
        assert_int_equal(p.lobbies[0].sessions.count, 1);
        play_close(&p);
    }
}

/* The registry says no while it waits: CONNACK says why, and nobody says BYE. */
static void deleted_while_hello_is_under_way(void **state)
{
    struct play p;
    play_open(&p);
    p.known = LATER;
    come(&p, 0, MQTT_5, "pump-1");
    lobby_expel(&p.lobbies[0], "pump-1");
    assert_heard(&p, 0, "");
    play_know(&p, 0, &forgotten);
    assert_heard(&p, 0, "CONNACK 87", "end");
    assert_said(&p, "refused HELLO pump-1 pump-1\n");
    play_close(&p);
}

static void expelled_and_shut(void **state)
{
    struct play p;
    play_open(&p);
    enter(&p, 0, MQTT_5, "pump-1");
    enter(&p, 1, MQTT_5, "pump-10");
    enter(&p, 2, MQTT_3_1_1, "pump-2");
    enter_operator(&p, 3, "pump-1");
    lobby_expel(&p.lobbies[0], "pump-1");
    assert_heard(&p, 0, "DISCONNECT 87", "end");
    assert_heard(&p, 1, "");
    assert_heard(&p, 3, "");
    lobby_shut(&p.lobbies[0]);
    assert_heard(&p, 1, "DISCONNECT 8b", "end");
    assert_heard(&p, 2, "end");
    play_close(&p);
}

/* With several loops CONNECT is heard where the principal is at home, also when it came in pieces. */
static void a_line_moves_to_its_home(void **state)
{
    size_t moved = 0;
    for (int i = 0; i < 8; i++) {
        struct play p;
        struct principal who;
        char id[16];
        play_open(&p);
        p.lobbies[0].all_count = p.lobbies[1].all_count = PLAY_LOBBIES;
        snprintf(id, sizeof id, "pump-%d", i);
        must(!principal_set(&who, PRINCIPAL_DEVICE, bytes_of_text(id)));
        struct lobby *home = lobby_home(&p.lobbies[0], &who);
        assert_ptr_equal(home, lobby_home(&p.lobbies[1], &who));
        fake_line_open(&p.lines[0], &p.lobbies[0], &who, mqtt_protocol());
        peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true});
        peer_packet(&p.lines[0], &(struct mqtt_packet){.type = MQTT_PINGREQ});
        assert_heard(&p, 0, "CONNACK 00", "PINGRESP");
        assert_ptr_equal(p.lines[0].line.lobby, home);
        assert_int_equal(home->sessions.count, 1);
        moved += home != &p.lobbies[0];
        play_close(&p);
    }
    assert_true(moved > 0 && moved < 8);
}

/* Whole packets, byte by byte. */
static void packets_may_come_in_pieces(void **state)
{
    struct play p;
    SCOPED(buffer_drop) struct buffer all = {.max = 4096};
    play_open(&p);
    arrive(&p, 0, "pump-1");
    peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true});
    peer_publish(&p.lines[0], "devices/pump-1/telemetry", "1", 7);
    peer_packet(&p.lines[0], &(struct mqtt_packet){.type = MQTT_PINGREQ});
    put_bytes(&all, buffer_view(&p.lines[0].in));
    buffer_clear(&p.lines[0].in);
    for (size_t i = 0; i < all.len; i++) {
        fake_line_say(&p.lines[0], bytes_of(all.at + i, 1));
        play_settle(&p);
    }
    assert_heard(&p, 0, "CONNACK 00", "PUBACK 7 00", "PINGRESP");
    play_close(&p);
}

/* A life with everything in it, while the Nth allocation fails: whatever that does to the session, nothing is lost or
 * used after its end (the sanitizers tell), and the next one is well. */
static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct play p;
        play_open(&p);
        enter_operator(&p, 1, "ada");
        watch(&p, 1, "devices/#", 1);
        arrive(&p, 0, "pump-1");
        peer_connect(&p.lines[0],
                     &(struct mqtt_connect){.version = MQTT_5, .clean_start = true, .has_will = true, .keep_alive = 60,
                                            .will = {.topic = BYTES("devices/pump-1/gone"), .payload = BYTES("yes"), .qos = 1}});
        peer_subscribe(&p.lines[0], &(struct mqtt_filter){.filter = BYTES("devices/pump-1/+/x"), .qos = 1}, 2);
        peer_publish(&p.lines[0], "devices/pump-1/telemetry/x", "1", 7);
        peer_publish(&p.lines[0], "devices/pump-2/telemetry", "1", 8);
        peer_unsubscribe(&p.lines[0], "devices/pump-1/+/x", 3);
        mem_trial(++n);
        fake_line_step(&p.lines[0]); /* no other allocations than the server's */
        for (int i = 0; i < 3; i++) {
            while (p.asked_count)
                play_know(&p, 0, OK);
            while (p.posted_count)
                play_store(&p, 0, OK);
            if (p.lines[0].open && !p.lines[0].ending)
                fake_line_step(&p.lines[0]);
        }
        fake_line_lose(&p.lines[0]);
        while (p.posted_count)
            play_store(&p, 0, OK);
        seen = mem_trial(0);
        enter(&p, 0, MQTT_5, "pump-1");
        play_close(&p);
    }
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_opens_and_closes),
        cmocka_unit_test(connack_says_what_is_offered),
        cmocka_unit_test(connect_comes_first_and_once),
        cmocka_unit_test(connects_that_are_refused),
        cmocka_unit_test(hello_is_refused),
        cmocka_unit_test(the_same_client_takes_over),
        cmocka_unit_test(others_do_not),
        cmocka_unit_test(long_names_are_told_apart),
        cmocka_unit_test(bye_tells_how_many_sessions_are_left),
        cmocka_unit_test(a_refused_session_that_is_the_last_ends_the_presence),
        cmocka_unit_test(keep_alive),
        cmocka_unit_test(who_never_connects_is_let_go),
        cmocka_unit_test(a_slow_store_is_no_silence_of_the_client),
        cmocka_unit_test(wills),
        cmocka_unit_test(a_foreign_will_is_refused),
        cmocka_unit_test(lost_while_hello_is_under_way),
        cmocka_unit_test(taken_over_while_hello_is_under_way),
        cmocka_unit_test(deleted_while_hello_is_under_way),
        cmocka_unit_test(expelled_and_shut),
        cmocka_unit_test(a_line_moves_to_its_home),
        cmocka_unit_test(packets_may_come_in_pieces),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
