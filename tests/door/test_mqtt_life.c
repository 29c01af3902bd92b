/* The life of sessions (MQTT 5.0, 3.1.2.4, 3.1.2.11.2, 3.1.3.2.2, 3.14.2.2.2, 4.1): how long they stay, what they are told
 * when their client comes back, what becomes of wills, and what of it is kept before CONNACK. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_script.h"

#define NEW   "CONNACK 00|"
#define AGAIN "CONNACK 00 present|"
#define OUSTED "DISCONNECT 8e|end|"

/* ---- expiry */

static void sessions_of_5_0(void **state)
{
    static const struct script_row rows[] = {
        {"it waits for its client", "C x t99 c", NEW AGAIN, 0},
        {"and no longer than was agreed", "C x t100 c", NEW NEW, 0},
        {"its time begins anew with each connection", "C x t99 c x t99 c", NEW AGAIN AGAIN, 0},
        {"no time passes while its client is there", "C t50 w1 t49 t50 x t99 c", NEW "SUBACK 1 01|" AGAIN, 0},
        {"a clean start ends it", "C x C", NEW NEW, 0},
        {"and the one after it finds the new one", "C x C x c", NEW NEW AGAIN, 0},
        {"taken over, it goes on", "C c", NEW OUSTED AGAIN, 0},
        {"taken over by a clean start, it ends", "C w1 C m1", NEW "SUBACK 1 01|" OUSTED NEW, 1},
        {"a good-bye does not end it", "C d t99 c", NEW "end|" AGAIN, 0},
        {"DISCONNECT may shorten it", "C e10 t9 c e10 t10 c", NEW "end|" AGAIN "end|" NEW, 0},
        {"or end it at once", "C e0 c", NEW "end|" NEW, 0},
        {"or prolong it", "C e200 t199 c", NEW "end|" AGAIN, 0},
        {"as long as the server lets it", "C e100000 t86399 c e100000 t86400 c", NEW "end|" AGAIN "end|" NEW, 0},
        {"what it subscribed to stays", "C w1 x c m1", NEW "SUBACK 1 01|" AGAIN "PUBLISH 1 " OWN "=1|", 1},
        {"and goes with it", "C w1 x t100 c m1", NEW "SUBACK 1 01|" NEW, 1},
        {"the packet identifiers go on", "C w1 m1 a1 x c m1", NEW "SUBACK 1 01|PUBLISH 1 " OWN "=1|" AGAIN "PUBLISH 2 " OWN "=2|", 2},
    };
    SCRIPT_ROWS(rows, MQTT_5, 100);
}

static void sessions_that_end_with_their_connection(void **state)
{
    static const struct script_row rows[] = {
        {"lost", "C x c", NEW NEW, 0},
        {"a good-bye", "C d c", NEW "end|" NEW, 0},
        {"taken over", "C c", NEW OUSTED NEW, 0},
        {"DISCONNECT may not give it an expiry (3.14.2.2.2)", "C e10", NEW "DISCONNECT 82|end|", 0},
        {"but may say again that it has none", "C e0", NEW "end|", 0},
    };
    SCRIPT_ROWS(rows, MQTT_5, 0);
}

/* 3.1.1, 3.1.2.4: without a clean session it stays, as long as the server lets any session; with one it does not. */
static void sessions_of_3_1_1(void **state)
{
    static const struct script_row rows[] = {
        {"it waits", "c x t86399 c", NEW AGAIN, 0},
        {"and no longer than any", "c x t86400 c", NEW NEW, 0},
        {"a clean session finds none and leaves none", "c x C x c", NEW NEW NEW, 0},
        {"taken over", "c c", NEW "end|" AGAIN, 0},
    };
    SCRIPT_ROWS(rows, MQTT_3_1_1, 0);
}

/* CONNACK says what the client gets where it is not what it asked for (3.2.2.3.2). */
static void connack_names_the_expiry_that_is_given(void **state)
{
    static const struct {
        uint32_t asked, max;
        bool named;
        uint32_t given;
    } rows[] = {{0, 100, false, 0}, {99, 100, false, 99}, {100, 100, false, 100}, {101, 100, true, 100}, {UINT32_MAX, 100, true, 100},
                {UINT32_MAX, UINT32_MAX, false, UINT32_MAX}, {10, 0, true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        struct mqtt_packet packet;
        play_open(&p);
        p.limits.expiry_max_s = rows[i].max;
        arrive(&p, 0, "pump-1");
        peer_connect(&p.lines[0], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"),
                                                        .properties = {.present = MQTT_HAS(SESSION_EXPIRY),
                                                                       .session_expiry = rows[i].asked}});
        play_settle(&p);
        assert_true(peer_next(&p.lines[0], &packet));
        const struct mqtt_properties *got = &packet.as.connack.properties;
        assert_int_equal((got->present & MQTT_HAS(SESSION_EXPIRY)) != 0, rows[i].named);
        if (rows[i].named)
            assert_int_equal(got->session_expiry, rows[i].given);
        play_close(&p);
    }
}

/* ---- what is kept before CONNACK */

/* A session that the store does not have cannot be promised: no CONNACK with success, no will, and the next CONNECT finds
 * no session that its client never heard of (3.2.2-4). One that the store has stays. */
static void connack_waits_for_the_store(void **state)
{
    static const struct {
        const char *rule, *before, *words, *heard;
    } rows[] = {
        {"kept, then told", "", "C s s", NEW},
        {"presence kept, session not yet", "", "C s", ""},
        {"the presence is refused", "", "C f", "CONNACK 89|end|"},
        {"a new session is refused", "", "C s f", "CONNACK 97|end|"},
        {"and is not there afterwards", "", "C s f k c s s", "CONNACK 97|end|" NEW},
        {"one that stands is refused, and is there afterwards", "C x", "c s f k c s s", "CONNACK 97|end|" AGAIN},
        {"lost meanwhile", "", "C s x s", ""},
        {"taken over meanwhile", "", "C s c k", NEW OUSTED AGAIN},
    };
    size_t failed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        s.connect.has_will = true;
        s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept")};
        s.connect.will.properties = (struct mqtt_properties){.present = MQTT_HAS(WILL_DELAY), .will_delay = 1000};
        script_play(&s, rows[i].before);
        s.strict = true;
        const char *heard = script_play(&s, rows[i].words);
        if (strcmp(heard, rows[i].heard) != 0 || s.routed) {
            print_error("%s: %s, %zu wills\n", rows[i].rule, heard, s.routed);
            failed++;
        }
        s.strict = false;
        script_close(&s);
    }
    assert_int_equal(failed, 0);
}

static void the_store_takes_no_session(void **state)
{
    static struct script s;
    for (int stands = 0; stands < 2; stands++) {
        script_open(&s, MQTT_5, 100);
        script_play(&s, stands ? "C x" : "");
        s.play.known = LATER;
        script_play(&s, "c");
        s.strict = true;
        play_know(&s.play, 0, OK);
        s.play.store = NEVER; /* full behind the presence */
        play_store(&s.play, 0, OK);
        assert_string_equal(script_play(&s, ""), "");
        script_listen(&s);
        assert_string_equal(buffer_text(&s.heard), "CONNACK 97|end|");
        s.strict = false;
        s.play.known = AT_ONCE;
        s.play.store = LATER;
        assert_string_equal(script_play(&s, "c"), stands ? AGAIN : NEW);
        script_close(&s);
    }
}

static void no_more_sessions_than_the_limit(void **state)
{
    struct play p;
    play_open(&p);
    p.lobbies[0].sessions.max = 2;
    for (size_t i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "pump-%zu", i);
        arrive(&p, i, id);
        peer_connect(&p.lines[i], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("c"), .clean_start = true});
        if (i < 2)
            assert_heard(&p, i, "CONNACK 00");
        else
            assert_heard(&p, i, "CONNACK 97", "end");
    }
    play_close(&p);
}

/* ---- wills */

/* When it is published: at the loss, after the delay, with the end of the session, never. Counted by who watches. */
static void wills(void **state)
{
    static const struct {
        const char *rule, *words;
        uint32_t expiry, delay;
        size_t published;
    } rows[] = {
        {"at the loss", "C x", 0, 0, 1},
        {"at the loss of a session that stays", "C x", 100, 0, 1},
        {"once", "C x t50 t50 c", 100, 0, 1},
        {"not after a good-bye", "C d t1000", 100, 0, 0},
        {"not after a good-bye that has a delay", "C d t1000", 100, 10, 0},
        {"after a good-bye with the will", "C z", 100, 0, 1},
        {"after a good-bye with the will and a delay", "C z t9", 100, 10, 0},
        {"and when it is over", "C z t9 t1", 100, 10, 1},
        {"not before the delay", "C x t9", 100, 10, 0},
        {"after the delay", "C x t10", 100, 10, 1},
        {"after the delay, once", "C x t10 t200", 100, 10, 1},
        {"not when the client is back", "C x t9 c t100", 100, 10, 0},
        {"but when it leaves again", "C x t9 c x t10", 100, 10, 1},
        {"with the end of the session, when that is first", "C x t10", 10, 100, 1},
        {"at the loss, when the session ends with it", "C x", 0, 100, 1},
        {"a clean start ends the session", "C x C", 100, 50, 1},
        {"taken over without a delay", "C c", 100, 0, 1},
        {"taken over with a delay: the client is back", "C c t200", 100, 10, 0},
        {"taken over by a clean start, with a delay", "C C", 100, 10, 1},
        {"taken over, a session without an expiry", "C c", 0, 10, 1},
        {"the keep-alive ran out", "C t1500", 0, 0, 1},
        {"DISCONNECT ends the session: no will", "C e0", 100, 10, 0},
    };
    size_t failed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, rows[i].expiry);
        s.connect.has_will = true;
        s.connect.keep_alive = 1000;
        s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept")};
        s.connect.will.properties = (struct mqtt_properties){.present = MQTT_HAS(WILL_DELAY), .will_delay = rows[i].delay};
        script_play(&s, rows[i].words);
        if (s.routed != rows[i].published) {
            print_error("%s (%s): %zu published\n", rows[i].rule, rows[i].words, s.routed);
            failed++;
        }
        script_close(&s);
    }
    assert_int_equal(failed, 0);
}

/* Its CONNECT was counted; a device whose rate is used up still has it published. What it says itself is refused. */
static void a_will_is_not_limited(void **state)
{
    for (uint32_t delay = 0; delay <= 10; delay += 10) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        s.connect.has_will = true;
        s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept"), .qos = 1};
        s.connect.will.properties = (struct mqtt_properties){.present = MQTT_HAS(WILL_DELAY), .will_delay = delay};
        script_play(&s, "C");
        s.play.limited = true;
        assert_string_equal(script_play(&s, "m1"), "(refused 97)|");
        script_play(&s, "x t10");
        assert_int_equal(s.routed, 1);
        script_close(&s);
    }
}

/* Neither a will's delay nor an expiry follows a wall clock that is set while its client is away. */
static void a_clock_that_is_set_moves_no_end(void **state)
{
    static const int64_t hours[] = {-1000, 0, 1000};
    for (size_t i = 0; i < sizeof hours / sizeof *hours; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        s.connect.has_will = true;
        s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept")};
        s.connect.will.properties = (struct mqtt_properties){.present = MQTT_HAS(WILL_DELAY), .will_delay = 10};
        script_play(&s, "C x t1");
        s.play.wall_ms = hours[i] * 3600000;
        script_play(&s, "t8");
        assert_int_equal(s.routed, 0);
        script_play(&s, "t1");
        assert_int_equal(s.routed, 1);
        script_play(&s, "t89");
        assert_int_equal(counter_read(&s.play.counts.sessions_away), 1);
        script_play(&s, "t1");
        assert_int_equal(counter_read(&s.play.counts.sessions_away), 0);
        script_close(&s);
    }
}

/* 3.14.4-3: said good-bye, and the same client is back before the line of the first is gone. */
static void a_good_bye_counts_before_the_line_is_gone(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        s.connect.has_will = true;
        s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept")};
        script_play(&s, "C");
        s.play.lines[0].stuck = true;
        peer_packet(&s.play.lines[0], &(struct mqtt_packet){.type = MQTT_PINGREQ});
        script_play(&s, "d");
        assert_true(s.play.lines[0].open && s.play.lines[0].ending);
        assert_string_equal(script_play(&s, clean ? "C" : "c"), clean ? NEW : AGAIN);
        s.play.lines[0].stuck = false;
        script_play(&s, "t1");
        assert_int_equal(s.routed, 0);
        script_close(&s);
    }
}

/* 3.1.3.2.4: the will's time to live begins when it is published; its properties go with it. */
static void a_will_keeps_its_properties(void **state)
{
    static struct script s;
    struct mqtt_packet packet;
    struct mqtt_user_property user;
    SCOPED(buffer_drop) struct buffer block = {.max = 64};
    script_open(&s, MQTT_5, 100);
    must(!mqtt_put_user_property(&block, BYTES("why"), BYTES("lost")));
    s.connect.has_will = true;
    s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("unkept")};
    s.connect.will.properties = (struct mqtt_properties){
        .present = MQTT_HAS(WILL_DELAY) | MQTT_HAS(MESSAGE_EXPIRY) | MQTT_HAS(CONTENT_TYPE) | MQTT_HAS(USER),
        .will_delay = 10, .message_expiry = 5, .content_type = BYTES("text/plain"), .block = buffer_view(&block)};
    script_play(&s, "C x");
    play_pass(&s.play, 10000);
    assert_true(peer_next(&s.play.lines[SCRIPT_WATCHER], &packet) && packet.type == MQTT_PUBLISH);
    struct mqtt_properties *got = &packet.as.publish.properties;
    assert_true(got->present & MQTT_HAS(MESSAGE_EXPIRY));
    assert_int_equal(got->message_expiry, 5);
    assert_true(bytes_is(got->content_type, "text/plain"));
    assert_true(mqtt_next_user_property(&got->block, &user) && bytes_is(user.name, "why") && bytes_is(user.value, "lost"));
    script_close(&s);
}

/* A will with QoS 2 is no exchange with anybody: nothing of it is said to the connection that took over, nor kept. */
static void a_will_of_qos_2_is_no_exchange(void **state)
{
    static struct script s;
    script_open(&s, MQTT_5, 100);
    s.connect.has_will = true;
    s.connect.will = (struct mqtt_will){.topic = BYTES(OWN), .payload = BYTES("in"), .qos = 2};
    script_play(&s, "C");
    assert_string_equal(script_play(&s, "c"), OUSTED AGAIN);
    assert_int_equal(s.play.posted_count, 1);
    for (const struct write *w = s.play.posted[0]->write; w; w = w->next)
        assert_int_equal(w->kind, WRITE_EXPIRE); /* the inspector's own */
    assert_string_equal(script_play(&s, "s P1 P2 P3 P4 s s s s"), /* all that the server takes: none is lost to the will */
                        "PUBREC 1 00|PUBREC 2 00|PUBREC 3 00|PUBREC 4 00|");
    assert_int_equal(s.routed, 5);
    script_close(&s);
}

/* ---- counts */

/* What the page of operators shows follows each step. */
static void counts_follow(void **state)
{
    static const struct {
        const char *words;
        uint64_t connected, away, subscriptions;
    } rows[] = {
        {"C", 1, 0, 0}, {"C w1", 1, 0, 1}, {"C w1 x", 0, 1, 1}, {"C w1 x c", 1, 0, 1}, {"C w1 x C", 1, 0, 0},
        {"C w1 x t100", 0, 0, 0}, {"C w1 c", 1, 0, 1}, {"C w1 e0", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        script_play(&s, rows[i].words);
        const struct door_counts *c = &s.play.counts;
        if (counter_read(&c->sessions_now) != 2 + rows[i].connected || counter_read(&c->sessions_away) != rows[i].away ||
            counter_read(&c->subscriptions_now) != 1 + rows[i].subscriptions)
            fail_msg("%s: %llu, %llu, %llu", rows[i].words, (unsigned long long)counter_read(&c->sessions_now),
                     (unsigned long long)counter_read(&c->sessions_away), (unsigned long long)counter_read(&c->subscriptions_now));
        script_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_of_5_0),
        cmocka_unit_test(sessions_that_end_with_their_connection),
        cmocka_unit_test(sessions_of_3_1_1),
        cmocka_unit_test(connack_names_the_expiry_that_is_given),
        cmocka_unit_test(connack_waits_for_the_store),
        cmocka_unit_test(the_store_takes_no_session),
        cmocka_unit_test(no_more_sessions_than_the_limit),
        cmocka_unit_test(wills),
        cmocka_unit_test(a_will_is_not_limited),
        cmocka_unit_test(a_clock_that_is_set_moves_no_end),
        cmocka_unit_test(a_good_bye_counts_before_the_line_is_gone),
        cmocka_unit_test(a_will_keeps_its_properties),
        cmocka_unit_test(a_will_of_qos_2_is_no_exchange),
        cmocka_unit_test(counts_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
