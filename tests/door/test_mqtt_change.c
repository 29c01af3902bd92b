/* A subscription that is subscribed to again with another QoS while a message is on its way to it: nothing is lost by it
 * (MQTT 5.0, 3.8.4-4), and nothing comes twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_script.h"

enum { NEIGHBOUR = SCRIPT_LINES - 1 };

enum beside { ALONE, A_NEIGHBOUR, ANOTHER_LOOP /* which answers last */ };

/* Another session that keeps what it is owed: the message is offered on account of it, too. */
static void enter_neighbour(struct play *p)
{
    p->store = AT_ONCE;
    arrive(p, NEIGHBOUR, "pump-1");
    peer_connect(&p->lines[NEIGHBOUR], &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("neighbour"),
                                                             .properties = {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = 100}});
    assert_heard(p, NEIGHBOUR, "CONNACK 00");
    watch(p, NEIGHBOUR, OWN, 1);
    p->store = LATER;
}

/* A message is on its way from the offer until it is routed; the subscription is changed in between. */
static void a_change_while_a_message_is_on_its_way(void **state)
{
    static const struct {
        const char *rule, *before, *change, *heard;
    } rows[] = {
        {"raised", "C w0", "w1", "PUBLISH 1 " OWN "=1|"},
        {"raised to 2", "C w0", "w2", "PUBLISH 1 " OWN "=1|"},
        {"lowered", "C w1", "w0", "PUBLISH 1 " OWN "=1|"},
        {"lowered from 2", "C w2", "w0", "PUBLISH 1 " OWN "=1|"},
        {"raised and lowered", "C w0", "w1 w0", "PUBLISH 0 " OWN "=1|"},
        {"lowered and raised", "C w1", "w0 w1", "PUBLISH 1 " OWN "=1|"},
        {"raised from 1", "C w1", "w2", "PUBLISH 1 " OWN "=1|"},
        {"the same again", "C w1", "w1", "PUBLISH 1 " OWN "=1|"},
    };
    size_t failed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int beside = ALONE; beside <= ANOTHER_LOOP; beside++) {
            bool elsewhere = beside == ANOTHER_LOOP;
            static struct script s;
            SCOPED(buffer_drop) struct buffer heard = {.max = 4096};
            script_open(&s, MQTT_5, 100);
            script_play(&s, rows[i].before);
            if (beside == A_NEIGHBOUR)
                enter_neighbour(&s.play);
            s.play.elsewhere = elsewhere;
            s.strict = true; /* the store keeps all in the order in which it was told */
            script_play(&s, "n1");
            put_text(&heard, script_play(&s, rows[i].change));
            assert_int_equal(s.play.offered_count, elsewhere);
            if (elsewhere) {
                while (s.play.posted_count)
                    put_text(&heard, script_play(&s, "s"));
                play_offered(&s.play, 0, OK);
            }
            while (s.play.posted_count)
                put_text(&heard, script_play(&s, "s"));
            put_text(&heard, script_play(&s, ""));
            const char *first = strstr(buffer_text(&heard), "PUBLISH");
            const char *found = first ? strstr(first, rows[i].heard) : NULL;
            if (!found || found != first || strstr(first + 1, "PUBLISH")) {
                print_error("%s, beside %d: %s\n", rows[i].rule, beside, buffer_text(&heard));
                failed++;
            }
            s.strict = false;
            script_close(&s);
        }
    assert_int_equal(failed, 0);
}

/* What is published behind SUBACK is kept in one errand with the publication's own, or not at all, as the last one has it. */
static void what_comes_behind_a_change(void **state)
{
    static const struct {
        const char *words;
        size_t kept;
    } rows[] = {{"C w0", 0}, {"C w1", 1}, {"C w0 w1", 1}, {"C w1 w0", 0}, {"C w0 w2", 1}, {"C w2 w1 w0", 0}, {"C w0 w1 x", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        size_t kept = 0;
        script_open(&s, MQTT_5, 100);
        script_play(&s, rows[i].words);
        script_play(&s, "n1");
        assert_int_equal(s.play.posted_count, 1);
        for (const struct write *w = s.play.posted[0]->write; w; w = w->next)
            kept += w->kind == WRITE_DELIVERIES;
        if (kept != rows[i].kept)
            fail_msg("%s: %zu", rows[i].words, kept);
        script_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_while_a_message_is_on_its_way),
        cmocka_unit_test(what_comes_behind_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
