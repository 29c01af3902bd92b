/* An operator who is proved by a token (MQTT 5.0, 4.12) is one for as long as the token's badge holds: it is looked at
 * when the client says that it is there, and before it is let hear more. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_world.h"

#define METHOD .present = MQTT_HAS(AUTHENTICATION_METHOD) | MQTT_HAS(AUTHENTICATION_DATA), .authentication_method = BYTES("token")

static const struct fault no_token = {ERR_REFUSED, "test: no such token"};

/* Ada's token is "ada", and her badge 32 times the letter a. */
static err prove(struct authenticator *self, struct bytes method, struct bytes data, struct principal *who,
                 uint8_t badge[AUTHENTICATOR_BADGE])
{
    if (!bytes_is(data, "ada"))
        return &no_token;
    memset(badge, 'a', AUTHENTICATOR_BADGE);
    return principal_set(who, PRINCIPAL_OPERATOR, data);
}

static bool holds(struct badges *self, const uint8_t session_hash[32])
{
    assert_int_equal(session_hash[0], 'a');
    assert_int_equal(session_hash[31], 'a');
    return !CONTAINER(self, struct play, badges)->signed_out;
}

/* Arrives as nobody, or as herself, and shows a token or none. */
static void enter_with_token(struct play *p, bool shows)
{
    struct mqtt_connect connect = {.version = MQTT_5, .client_id = BYTES("console"), .clean_start = true};
    if (shows)
        connect.properties = (struct mqtt_properties){METHOD, .authentication_data = BYTES("ada")};
    play_open(p);
    p->authenticator.prove = prove;
    p->badges.holds = holds;
    arrive_as(p, 0, shows ? PRINCIPAL_NOBODY : PRINCIPAL_OPERATOR, shows ? "" : "ada");
    peer_connect(&p->lines[0], &connect);
    assert_heard(p, 0, "CONNACK 00");
}

static void say(struct play *p, enum mqtt_type type)
{
    if (type == MQTT_SUBSCRIBE)
        peer_subscribe(&p->lines[0], &(struct mqtt_filter){.filter = BYTES("news/#")}, 1);
    else
        peer_packet(&p->lines[0], &(struct mqtt_packet){.type = type});
}

static void a_badge_that_holds_no_more(void **state)
{
    static const struct {
        const char *rule;
        enum mqtt_type type;
        const char *heard;
        bool by_token;
    } rows[] = {
        {"she says that she is there", MQTT_PINGREQ, "PINGRESP", true},
        {"she wants to hear more", MQTT_SUBSCRIBE, "SUBACK 1 00", true},
        {"by a certificate: it has no badge", MQTT_PINGREQ, "PINGRESP", false},
        {"by a certificate, subscribing", MQTT_SUBSCRIBE, "SUBACK 1 00", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        enter_with_token(&p, rows[i].by_token);
        say(&p, rows[i].type);
        assert_heard(&p, 0, rows[i].heard);
        p.signed_out = true;
        say(&p, rows[i].type);
        if (rows[i].by_token)
            assert_heard(&p, 0, "DISCONNECT 87", "end");
        else
            assert_heard(&p, 0, rows[i].heard);
        play_close(&p);
    }
}

/* She signed in again meanwhile and shows it: AUTH, 4.12.1. A token that is none ends it at once. */
static void she_proves_herself_again(void **state)
{
    for (int again = 0; again < 2; again++) {
        struct play p;
        struct mqtt_packet auth = {.type = MQTT_AUTH, .as.ending = {.reason = MQTT_REAUTHENTICATE}};
        enter_with_token(&p, true);
        auth.as.ending.properties = (struct mqtt_properties){METHOD, .authentication_data = again ? BYTES("ada") : BYTES("eve")};
        peer_packet(&p.lines[0], &auth);
        if (again)
            assert_heard(&p, 0, "AUTH 00");
        else
            assert_heard(&p, 0, "DISCONNECT 87", "end");
        if (again) {
            say(&p, MQTT_PINGREQ);
            assert_heard(&p, 0, "PINGRESP");
        }
        play_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_badge_that_holds_no_more),
        cmocka_unit_test(she_proves_herself_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
