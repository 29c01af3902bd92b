/* QoS 2 (MQTT 5.0, 4.3.3), both ways: each state, each packet again, a store that is late or refuses, connections that are
 * lost or taken over in the middle. A message is routed once, and an answer goes where it was asked for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_script.h"

#define IN  "CONNACK 00|"
#define AGAIN "CONNACK 00 present|"
#define REC "PUBREC 1 00|"
#define COMP "PUBCOMP 1 00|"
#define FOUR "PUBREC 1 00|PUBREC 2 00|PUBREC 3 00|PUBREC 4 00|"

/* From a client whose session is kept: the identifier and the message are one commit, and so is its end. */
static void from_a_client_that_is_kept(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "C P1 s R1 s", IN REC COMP, 1},
        {"no PUBREC before it is kept", "C P1", IN, 0},
        {"no PUBCOMP before the end is kept", "C P1 s R1", IN REC, 1},
        {"again while it is being kept: one answer", "C P1 D1 s", IN REC, 1},
        {"again when it is kept", "C P1 s D1 D1", IN REC REC REC, 1},
        {"PUBREL again while its end is being kept", "C P1 s R1 R1 s", IN REC COMP, 1},
        {"PUBREL again when it is over (4.3.3, 3.7.2.1)", "C P1 s R1 s R1", IN REC COMP "PUBCOMP 1 92|", 1},
        {"the identifier again when it is over: another message", "C P1 s R1 s P1 s", IN REC COMP REC, 2},
        {"PUBLISH again while its end is being kept: the client is wrong, and hears PUBCOMP", "C P1 s R1 D1 s", IN REC COMP, 1},
        {"PUBREL before PUBREC", "C P1 R1", IN "DISCONNECT 82|end|", 0},
        {"the store refuses", "C P1 f", IN "PUBREC 1 97|", 0},
        {"refused, and the identifier is free again", "C P1 f P1 s R1 s", IN "PUBREC 1 97|" REC COMP, 1},
        {"the store cannot forget: it is asked again", "C P1 s R1 f c R1 s", IN REC "DISCONNECT 83|end|" AGAIN COMP, 1},
        {"two at once", "C P1 P2 s s R2 s R1 s", IN REC "PUBREC 2 00|PUBCOMP 2 00|" COMP, 2},
        /* connections in the middle */
        {"lost while it is kept; asked again after", "C P1 x s c D1", IN AGAIN REC, 1},
        {"lost while it is kept; asked again before", "C P1 x c D1 s", IN AGAIN REC, 1},
        {"lost, and never asked again: nobody is told", "C P1 x c s", IN AGAIN, 1},
        {"lost and refused: the same message may come again", "C P1 x c D1 f P1 s", IN AGAIN "PUBREC 1 97|" REC, 1},
        {"lost and refused before it is asked again", "C P1 x f c D1 s", IN AGAIN REC, 1},
        {"lost after PUBREC", "C P1 s x c R1 s", IN REC AGAIN COMP, 1},
        {"lost after PUBREC, which got lost", "C P1 s x c D1 R1 s", IN REC AGAIN REC COMP, 1},
        {"lost after PUBREL; asked again before", "C P1 s R1 x c R1 s", IN REC AGAIN COMP, 1},
        {"lost after PUBREL; asked again after", "C P1 s R1 x s c R1", IN REC AGAIN "PUBCOMP 1 92|", 1},
        {"lost after PUBREL, and never asked again", "C P1 s R1 x c s", IN REC AGAIN, 1},
        {"taken over while it is kept", "C P1 c D1 s R1 s", IN "DISCONNECT 8e|end|" AGAIN REC COMP, 1},
        {"taken over after PUBREC", "C P1 s c R1 s", IN REC "DISCONNECT 8e|end|" AGAIN COMP, 1},
        {"taken over after PUBREL", "C P1 s R1 c R1 s", IN REC "DISCONNECT 8e|end|" AGAIN COMP, 1},
        /* the client's send quota begins anew with each connection, and PUBREL again does not count (4.9); ours is four */
        {"as many as may be", "C P1 P2 P3 P4", IN, 0},
        {"one more", "C P1 P2 P3 P4 P5", IN "DISCONNECT 93|end|", 0},
        {"what came on an earlier connection does not count", "C P1 P2 P3 P4 k x c R1 R2 R3 R4 P5 P6 P7 P8", IN FOUR AGAIN, 4},
        {"one more than that", "C P1 P2 P3 P4 k x c R1 R2 R3 R4 P5 P6 P7 P8 P9", IN FOUR AGAIN "DISCONNECT 93|end|", 4},
        {"its end makes no room", "C P1 P2 k x c R1 k P5 P6 P7 P8 P9",
         IN REC "PUBREC 2 00|" AGAIN COMP "DISCONNECT 93|end|", 2},
        {"a clean start forgets: the same identifier is another message", "C P1 s x C P1 s", IN REC IN REC, 2},
        {"a clean start while it is kept", "C P1 x C P1 s s", IN IN REC, 2},
    };
    SCRIPT_ROWS(rows, MQTT_5, 1000);
}

/* Without an expiry nothing of the exchange is kept, but the message may be. */
static void from_a_client_that_is_not_kept(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "C P1 s R1", IN REC COMP, 1},
        {"again while it is being kept", "C P1 D1 s", IN REC, 1},
        {"PUBREL again", "C P1 s R1 R1", IN REC COMP "PUBCOMP 1 92|", 1},
        {"PUBREL before PUBREC", "C P1 R1", IN "DISCONNECT 82|end|", 0},
        {"lost: the session is over", "C P1 s x c P1 s", IN REC IN REC, 2},
        {"lost while it is kept: nobody is told", "C P1 x c s", IN IN, 1},
        {"taken over: the session is over", "C P1 s c P1 s", IN REC "DISCONNECT 8e|end|" IN REC, 2},
    };
    SCRIPT_ROWS(rows, MQTT_5, 0);
}

/* 3.1.1 cannot say no: the connection ends, and PUBREL and PUBCOMP carry no reason. */
static void from_a_client_of_3_1_1(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "c P1 s R1 s", IN REC COMP, 1},
        {"PUBREL again", "c P1 s R1 s R1", IN REC COMP COMP, 1},
        {"PUBREL before PUBREC", "c P1 R1", IN "end|", 0},
        {"refused", "c P1 f", IN "end|", 0},
        {"refused, and sent again on the next connection", "c P1 f c D1 s R1 s", IN "end|" AGAIN REC COMP, 1},
        {"refused where it was asked again", "c P1 x c D1 f", IN AGAIN "end|", 0},
        {"lost after PUBREC", "c P1 s x c R1 s", IN REC AGAIN COMP, 1},
        {"the store cannot forget", "c P1 s R1 f c R1 s", IN REC "end|" AGAIN COMP, 1},
    };
    SCRIPT_ROWS(rows, MQTT_3_1_1, 0);
}

#define MSG "PUBLISH 1 " OWN "=1 q2|"
#define DUP "PUBLISH 1 " OWN "=1 q2 dup|"
#define REL "PUBREL 1 00|"
#define SUB IN "SUBACK 1 02|"

static void to_a_client_that_is_kept(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "C w2 m2 r1 s o1", SUB MSG REL, 1},
        {"nothing before it is kept", "C w2 n2", SUB, 0},
        {"what could not be kept is not sent", "C w2 n2 f m2", SUB "(refused 97)|PUBLISH 2 " OWN "=2 q2|", 1},
        {"no PUBREL before the release is kept", "C w2 m2 r1", SUB MSG, 1},
        {"PUBREC again while the release is kept", "C w2 m2 r1 r1 s", SUB MSG REL, 1},
        {"PUBREC again when it is released", "C w2 m2 r1 s r1", SUB MSG REL REL, 1},
        {"PUBREC again when it is over", "C w2 m2 r1 s o1 r1", SUB MSG REL "PUBREL 1 92|", 1},
        {"PUBCOMP again", "C w2 m2 r1 s o1 o1", SUB MSG REL, 1},
        {"refused by the client: it is over (4.3.3)", "C w2 m2 b1 x c", SUB MSG AGAIN, 1},
        {"PUBACK for QoS 2", "C w2 m2 a1", SUB MSG "DISCONNECT 82|end|", 1},
        {"PUBREC for QoS 1", "C w1 m1 r1", IN "SUBACK 1 01|PUBLISH 1 " OWN "=1|DISCONNECT 82|end|", 1},
        {"PUBCOMP before PUBREC", "C w2 m2 o1", SUB MSG "DISCONNECT 82|end|", 1},
        {"PUBCOMP before PUBREL", "C w2 m2 r1 o1", SUB MSG "DISCONNECT 82|end|", 1},
        {"the release cannot be kept: tried again", "C w2 m2 r1 f c s", SUB MSG "DISCONNECT 83|end|" AGAIN REL, 1},
        /* connections in the middle */
        {"lost before PUBREC", "C w2 m2 x c r1 s o1", SUB MSG AGAIN DUP REL, 1},
        {"lost while the release is kept", "C w2 m2 r1 x c s s o1 x c", SUB MSG AGAIN REL AGAIN, 1},
        {"lost while the release is kept, which comes home first", "C w2 m2 r1 x s c o1 x c", SUB MSG AGAIN REL AGAIN, 1},
        {"lost after PUBREL", "C w2 m2 r1 s x c o1", SUB MSG REL AGAIN REL, 1},
        {"taken over before PUBREC", "C w2 m2 c r1 s o1", SUB MSG "DISCONNECT 8e|end|" AGAIN DUP REL, 1},
        {"a clean start forgets all", "C w2 m2 x C", SUB MSG IN, 1},
        {"what came while it was away", "C w2 x m2 m1 c", SUB AGAIN MSG "PUBLISH 2 " OWN "=2|", 2},
        {"QoS 0 does not wait for who is away", "C w2 x m0 c", SUB AGAIN, 1},
        {"order over a lost connection", "C w2 m2 m2 x m1 c", SUB MSG "PUBLISH 2 " OWN "=2 q2|" AGAIN DUP "PUBLISH 2 " OWN "=2 q2 dup|PUBLISH 3 " OWN "=3|", 3},
    };
    SCRIPT_ROWS(rows, MQTT_5, 1000);
}

static void to_a_client_that_is_not_kept(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "C w2 m2 r1 o1", SUB MSG REL, 1},
        {"PUBREC again", "C w2 m2 r1 r1 o1 r1", SUB MSG REL REL "PUBREL 1 92|", 1},
        {"PUBCOMP before PUBREC", "C w2 m2 o1", SUB MSG "DISCONNECT 82|end|", 1},
        {"lost: it is over", "C w2 m2 x c m2", SUB MSG IN, 2},
    };
    SCRIPT_ROWS(rows, MQTT_5, 0);
}

static void to_a_client_of_3_1_1(void **state)
{
    static const struct script_row rows[] = {
        {"the whole exchange", "c w2 m2 r1 s o1", SUB MSG REL, 1},
        {"PUBREC when it is over", "c w2 m2 r1 s o1 r1", SUB MSG REL REL, 1},
        {"lost before PUBREC", "c w2 m2 x c", SUB MSG AGAIN DUP, 1},
        {"lost after PUBREL", "c w2 m2 r1 s x c", SUB MSG REL AGAIN REL, 1},
        {"a clean session forgets", "c w2 m2 x C", SUB MSG IN, 1},
    };
    SCRIPT_ROWS(rows, MQTT_3_1_1, 0);
}

/* The store takes nothing more at each of the writes: the client is told, and nothing is half done. */
static void the_queue_of_the_store_is_full(void **state)
{
    static const struct {
        const char *rule, *before, *with, *after;
        const char *heard, *heard_after;
    } rows[] = {
        {"at PUBLISH", "C", "P1", "P1 s", "PUBREC 1 97|", REC},
        {"at PUBREL", "C P1 s", "R1", "c R1 s", "DISCONNECT 97|end|", AGAIN COMP},
        {"at PUBREC", "C w2 m2", "r1", "c s", "DISCONNECT 83|end|", AGAIN REL},
        {"at a message to it", "C w2", "m2", "m2", "(refused 97)|", "PUBLISH 2 " OWN "=2 q2|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct script s;
        script_open(&s, MQTT_5, 1000);
        script_play(&s, rows[i].before);
        s.play.store = NEVER;
        const char *heard = script_play(&s, rows[i].with);
        if (strcmp(heard, rows[i].heard) != 0)
            fail_msg("%s: %s", rows[i].rule, heard);
        s.play.store = LATER;
        heard = script_play(&s, rows[i].after);
        if (strcmp(heard, rows[i].heard_after) != 0)
            fail_msg("%s, after: %s", rows[i].rule, heard);
        script_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_client_that_is_kept), cmocka_unit_test(from_a_client_that_is_not_kept),
        cmocka_unit_test(from_a_client_of_3_1_1),     cmocka_unit_test(to_a_client_that_is_kept),
        cmocka_unit_test(to_a_client_that_is_not_kept), cmocka_unit_test(to_a_client_of_3_1_1),
        cmocka_unit_test(the_queue_of_the_store_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
