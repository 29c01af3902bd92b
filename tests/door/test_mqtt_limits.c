/* What a session may be owed, and what becomes of more: by each policy, counted, and never at the cost of others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_script.h"

/* A client that is away with a queue of ten is sent twelve: who is refused, what is dropped, what it hears when it is back. */
static void a_full_queue_by_policy(void **state)
{
    static const struct {
        const char *rule;
        enum overflow_policy policy;
        const char *words; /* behind ten that wait */
        const char *told;  /* the publisher, when it is refused */
        unsigned first, last; /* that it hears */
        uint64_t dropped;
    } rows[] = {
        {"refused: the publisher is told, and nothing is dropped", OVERFLOW_REFUSE, "m1 m1", "(refused 97)|(refused 97)|", 1, 10, 0},
        {"QoS 0 goes first; there is none, so the new one goes", OVERFLOW_DROP_QOS_0, "m1 m1", "", 1, 10, 2},
        {"the oldest goes", OVERFLOW_DROP_OLDEST, "m1 m1", "", 3, 12, 2},
        {"QoS 0 is not for who is away", OVERFLOW_REFUSE, "m0 m0", "", 1, 10, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        char want[2048] = "CONNACK 00 present|";
        script_open(&s, MQTT_5, 100);
        s.play.lobbies[0].mqtt.queue.policy = rows[i].policy;
        script_play(&s, "C w1 x m1 m1 m1 m1 m1 m1 m1 m1 m1 m1");
        assert_int_equal(counter_read(&s.play.counts.queued_now), 10);
        const char *told = script_play(&s, rows[i].words);
        if (strcmp(told, rows[i].told) != 0 || counter_read(&s.play.counts.messages_dropped) != rows[i].dropped)
            fail_msg("%s: %s, %llu dropped", rows[i].rule, told, (unsigned long long)counter_read(&s.play.counts.messages_dropped));
        for (unsigned n = rows[i].first; n <= rows[i].last; n++)
            snprintf(want + strlen(want), sizeof want - strlen(want), "PUBLISH %u " OWN "=%u|", n, n);
        const char *heard = script_play(&s, "c");
        if (strcmp(heard, want) != 0)
            fail_msg("%s: %s", rows[i].rule, heard);
        assert_int_equal(counter_read(&s.play.counts.under_way_now), 10);
        script_close(&s);
    }
}

/* By bytes as by number; one that could never fit is refused, and costs nothing that waits. */
static void a_queue_is_bounded_by_bytes(void **state)
{
    for (int policy = 0; policy < 3; policy++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        struct outbox_limits *limits = &s.play.lobbies[0].mqtt.queue;
        limits->policy = (enum overflow_policy)policy;
        limits->bytes_max = 3 * (sizeof OWN - 1 + 1); /* three of one digit */
        script_play(&s, "C w1 x m1 m1 m1 m1");
        assert_int_equal(counter_read(&s.play.counts.queued_now), 3);
        assert_true(counter_read(&s.play.counts.queued_bytes) <= limits->bytes_max);
        limits->bytes_max = 5;
        script_play(&s, "m1");
        assert_int_equal(counter_read(&s.play.counts.queued_now), 3);
        script_close(&s);
    }
}

/* All sessions of a lobby share what may wait in all. */
static void all_queues_are_bounded_together(void **state)
{
    static struct script s;
    script_open(&s, MQTT_5, 100);
    s.play.limits.queue_total_bytes = 4 * (sizeof OWN - 1 + 1);
    assert_string_equal(script_play(&s, "C w1 x m1 m1 m1 m1"), "CONNACK 00|SUBACK 1 01|");
    assert_string_equal(script_play(&s, "m1"), "(refused 97)|");
    script_play(&s, "c a1");
    assert_string_equal(script_play(&s, "m1"), "PUBLISH 5 " OWN "=6|");
    script_close(&s);
}

/* The window of the client is kept over everything that is under way, QoS 2 until PUBCOMP (4.9). */
static void receive_maximum_of_the_client(void **state)
{
    static const struct script_row rows[] = {
        {"QoS 1", "C w1 m1 m1 m1 a1", "CONNACK 00|SUBACK 1 01|PUBLISH 1 " OWN "=1|PUBLISH 2 " OWN "=2|PUBLISH 3 " OWN "=3|", 3},
        {"QoS 2 holds its place until PUBCOMP", "C w2 m2 m2 m2 r1 s r2 s o2",
         "CONNACK 00|SUBACK 1 02|PUBLISH 1 " OWN "=1 q2|PUBLISH 2 " OWN "=2 q2|PUBREL 1 00|PUBREL 2 00|PUBLISH 3 " OWN "=3 q2|", 3},
        {"a PUBREC that refuses gives it free", "C w2 m2 m2 m2 b1",
         "CONNACK 00|SUBACK 1 02|PUBLISH 1 " OWN "=1 q2|PUBLISH 2 " OWN "=2 q2|PUBLISH 3 " OWN "=3 q2|", 3},
        {"QoS 0 takes none", "C w1 m1 m1 m1 m0", "CONNACK 00|SUBACK 1 01|PUBLISH 1 " OWN "=1|PUBLISH 2 " OWN "=2|", 4},
        {"again after a lost connection, within it", "C w1 m1 m1 m1 x c",
         "CONNACK 00|SUBACK 1 01|PUBLISH 1 " OWN "=1|PUBLISH 2 " OWN "=2|CONNACK 00 present|PUBLISH 1 " OWN "=1 dup|PUBLISH 2 " OWN "=2 dup|", 3},
    };
    size_t failed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        s.connect.properties.present |= MQTT_HAS(RECEIVE_MAXIMUM);
        s.connect.properties.receive_maximum = 2;
        const char *heard = script_play(&s, rows[i].words);
        if (strcmp(heard, rows[i].heard) != 0 || s.routed != rows[i].routed) {
            print_error("%s: %zu, %s\n", rows[i].rule, s.routed, heard);
            failed++;
        }
        script_close(&s);
    }
    assert_int_equal(failed, 0);
}

/* 3.3.4-9: of the client, QoS 1 and 2 together, QoS 2 until PUBREL. The server said four. */
static void receive_maximum_of_the_server(void **state)
{
    static const struct {
        const char *rule, *words;
        bool open;
    } rows[] = {
        {"four of QoS 2", "C P1 P2 P3 P4", true},
        {"five", "C P1 P2 P3 P4 P5", false},
        {"five, of which four were answered", "C P1 P2 P3 P4 s s s s P5", false},
        {"one was released", "C P1 P2 P3 P4 s s s s R1 s P5", true},
        {"mixed", "C P1 P2 p3 p4 P5", false},
        {"the same again is none more", "C P1 P2 P3 P4 D4 D1", true},
        {"each connection begins anew (4.9)", "C P1 P2 P3 P4 x c D1 P5", true},
        {"and counts anew", "C P1 P2 P3 P4 x c D1 P5 P6 P7 P8 P9", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 100);
        const char *heard = script_play(&s, rows[i].words);
        if (!strstr(heard, "DISCONNECT 93|") != rows[i].open)
            fail_msg("%s: %s", rows[i].rule, heard);
        script_close(&s);
    }
}

/* 3.1.2-25: what is larger than the client takes counts as delivered, also of a session that is kept. */
static void packets_that_are_too_large(void **state)
{
    for (unsigned qos = 0; qos < 3; qos++) {
        static struct script s;
        char words[32];
        script_open(&s, MQTT_5, 100);
        s.connect.properties.present |= MQTT_HAS(MAXIMUM_PACKET_SIZE);
        s.connect.properties.maximum_packet_size = 22; /* a PUBLISH with QoS 1 to OWN has 24 */
        snprintf(words, sizeof words, "C w%u m%u", qos, qos);
        script_play(&s, words);
        assert_int_equal(counter_read(&s.play.counts.messages_dropped), qos > 0);
        assert_int_equal(counter_read(&s.play.counts.queued_now), 0);
        assert_string_equal(script_play(&s, "x c"), "CONNACK 00 present|");
        script_close(&s);
    }
}

/* What expired is not sent, unless it was sent before (4.4); the rest is told what is left (3.3.2-6). */
static void messages_expire_in_queues(void **state)
{
    static const struct {
        const char *rule;
        bool sent_before;
        unsigned wait_s;
        bool comes;
        uint32_t left;
    } rows[] = {
        {"in time", false, 4, true, 6}, {"at the last moment", false, 9, true, 1}, {"too late", false, 10, false, 0},
        {"too late, but half of it is there", true, 20, true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                     .as.publish = {.topic = BYTES(OWN), .payload = BYTES("v"), .qos = 1, .packet_id = 1,
                                                    .properties = {.present = MQTT_HAS(MESSAGE_EXPIRY), .message_expiry = 10}}};
        bool came = false;
        script_open(&s, MQTT_5, 100);
        s.play.store = AT_ONCE;
        script_play(&s, rows[i].sent_before ? "C w1" : "C w1 x");
        peer_packet(&s.play.lines[SCRIPT_PUBLISHER], &packet);
        play_settle(&s.play);
        if (rows[i].sent_before)
            script_play(&s, "x");
        play_pass(&s.play, rows[i].wait_s * INT64_C(1000));
        script_connect(&s, false);
        play_settle(&s.play);
        while (peer_next(&s.play.lines[s.line], &packet))
            if (packet.type == MQTT_PUBLISH) {
                came = true;
                assert_int_equal(packet.as.publish.properties.message_expiry, rows[i].left);
            }
        if (came != rows[i].comes)
            fail_msg("%s", rows[i].rule);
        script_close(&s);
    }
}

/* A session that outlasts its line: in 3.1.1 one without a clean session. */
static void knock(struct play *p, const struct principal *who, enum mqtt_version version, const char *client_id, bool clean)
{
    struct mqtt_connect connect = {.version = version, .client_id = bytes_of_text(client_id), .clean_start = clean};
    if (version == MQTT_5) {
        connect.properties.present = MQTT_HAS(SESSION_EXPIRY);
        connect.properties.session_expiry = 100;
    }
    arrive_as(p, 0, who->kind, who->id); /* the one before loses its line */
    peer_connect(&p->lines[0], &connect);
    play_settle(p);
}

/* All sessions of one principal together, those of clients that are away included; others have as many again. */
static void sessions_of_one_owner(void **state)
{
    static const struct principal pump = {PRINCIPAL_DEVICE, "pump-1"}, other = {PRINCIPAL_DEVICE, "pump-2"},
                                  namesake = {PRINCIPAL_OPERATOR, "pump-1"}, nobody = {PRINCIPAL_ANONYMOUS, ""};
    static const struct {
        const char *rule;
        const struct principal *who;
        const char *client_id, *heard;
        bool clean;
        unsigned wait_s;
    } rows[] = {
        {"the first", &pump, "a", "00", false, 0},
        {"as many as it may have", &pump, "b", "00", false, 0},
        {"one more", &pump, "c", NULL, false, 0},
        {"it is refused again", &pump, "c", NULL, true, 0},
        {"one that stands", &pump, "a", "00 present", false, 0},
        {"in place of one that stands", &pump, "b", "00", true, 0},
        {"still one too many", &pump, "c", NULL, false, 0},
        {"another device", &other, "c", "00", false, 0},
        {"an operator of the same name", &namesake, "c", "00", false, 0},
        {"nobody owns the first", &nobody, "a", "00", false, 0},
        {"nor the second", &nobody, "b", "00", false, 0},
        {"nor any more", &nobody, "c", "00", false, 0},
        {"the ended gave their places free", &pump, "c", "00", false, 100000},
        {"both", &pump, "d", "00", false, 0},
        {"and no more", &pump, "e", NULL, false, 0},
    };
    for (size_t v = 0; v < 2; v++) {
        struct play p;
        play_open(&p);
        p.limits.sessions_per_owner = 2;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            SCOPED(buffer_drop) struct buffer heard = {.max = 4096};
            char want[64];
            const char *refused = both[v] == MQTT_5 ? "97" : "88"; /* as the return code 3 is read */
            if (rows[i].wait_s) {
                fake_line_lose(&p.lines[0]);
                play_pass(&p, rows[i].wait_s * INT64_C(1000));
            }
            bool clean = rows[i].clean && both[v] == MQTT_5; /* one of 3.1.1 would end with its line */
            knock(&p, rows[i].who, both[v], rows[i].client_id, clean);
            peer_heard(&p.lines[0], &heard);
            snprintf(want, sizeof want, "CONNACK %s\n%s", !rows[i].heard ? refused : rows[i].heard, rows[i].heard ? "" : "end\n");
            if (rows[i].clean && !clean && rows[i].heard)
                snprintf(want, sizeof want, "CONNACK 00 present\n");
            if (strcmp(buffer_text(&heard), want) != 0)
                fail_msg("%s, version %d: %s", rows[i].rule, (int)both[v], buffer_text(&heard));
        }
        play_close(&p);
    }
}

/* It is held as long as its session, so that it has a bound of its own. */
static void wills_that_are_too_large(void **state)
{
    static const struct {
        const char *payload, *v5, *v3;
    } rows[] = {{"12345678", "00", "00"}, {"123456789", "95", NULL /* 3.1.1 has no code for it */}, {"", "00", "00"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t v = 0; v < 2; v++) {
            struct play p;
            char want[32];
            play_open(&p);
            p.limits.will_max = 8;
            arrive(&p, 0, "pump-1");
            peer_connect(&p.lines[0], &(struct mqtt_connect){.version = both[v], .client_id = BYTES("c"), .clean_start = true,
                                                            .has_will = true,
                                                            .will = {.topic = BYTES(OWN), .payload = bytes_of_text(rows[i].payload)}});
            const char *code = both[v] == MQTT_5 ? rows[i].v5 : rows[i].v3;
            snprintf(want, sizeof want, "CONNACK %s", code ? code : "");
            if (!code)
                assert_heard(&p, 0, "end");
            else if (strcmp(code, "00") == 0)
                assert_heard(&p, 0, want);
            else
                assert_heard(&p, 0, want, "end");
            play_close(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_by_policy),        cmocka_unit_test(a_queue_is_bounded_by_bytes),
        cmocka_unit_test(all_queues_are_bounded_together), cmocka_unit_test(receive_maximum_of_the_client),
        cmocka_unit_test(receive_maximum_of_the_server), cmocka_unit_test(packets_that_are_too_large),
        cmocka_unit_test(messages_expire_in_queues),     cmocka_unit_test(sessions_of_one_owner),
        cmocka_unit_test(wills_that_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
