/* What the tests of the MQTT door share: who connects, and what is expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mqtt_peer.h"
#include "play.h"

static const enum mqtt_version both[] = {MQTT_3_1_1, MQTT_5};

/* Everything happens that can; then this line heard exactly these packets since the last time. */
#define assert_heard(p, line, ...)                                                                                     \
    do {                                                                                                               \
        const char *want_[] = {__VA_ARGS__, ""};                                                                       \
        struct buffer heard_ = {.max = 1 << 20};                                                                       \
        char wanted_[4096] = "";                                                                                       \
        play_settle(p);                                                                                                \
        peer_heard(&(p)->lines[line], &heard_);                                                                        \
        for (size_t w_ = 0; w_ + 1 < sizeof want_ / sizeof *want_; w_++)                                               \
            snprintf(wanted_ + strlen(wanted_), sizeof wanted_ - strlen(wanted_), "%s%s", want_[w_], *want_[w_] ? "\n" : ""); \
        assert_string_equal(buffer_text(&heard_), wanted_);                                                            \
        buffer_drop(&heard_);                                                                                          \
    } while (0)

/* What the tap and the reporter heard since the last time. */
#define assert_said(p, text)                                                                                           \
    do {                                                                                                               \
        struct buffer said_ = {.max = REPORTS_MAX};                                                                    \
        assert_string_equal(play_said(p, &said_), text);                                                               \
        buffer_drop(&said_);                                                                                           \
    } while (0)

/* The anonymous have the id "". */
static inline void arrive_as(struct play *p, size_t line, enum principal_kind kind, const char *id)
{
    struct principal who = {.kind = kind};
    must(!*id || !principal_set(&who, kind, bytes_of_text(id)));
    fake_line_drop(&p->lines[line]);
    fake_line_open(&p->lines[line], lobby_home(&p->lobbies[0], &who), &who, mqtt_protocol());
}

static inline void arrive(struct play *p, size_t line, const char *id)
{
    arrive_as(p, line, PRINCIPAL_DEVICE, id);
}

/* Arrives and connects with the id as its client identifier. */
static inline void come(struct play *p, size_t line, enum mqtt_version version, const char *id)
{
    arrive(p, line, id);
    peer_connect(&p->lines[line], &(struct mqtt_connect){.version = version, .client_id = bytes_of_text(id),
                                                        .clean_start = true, .keep_alive = 60});
    play_settle(p);
}

/* Comes, and is let in. */
static inline void enter(struct play *p, size_t line, enum mqtt_version version, const char *id)
{
    come(p, line, version, id);
    assert_heard(p, line, "CONNACK 00");
    buffer_clear(&p->said);
}

/* An operator's console. */
static inline void enter_operator(struct play *p, size_t line, const char *name)
{
    arrive_as(p, line, PRINCIPAL_OPERATOR, name);
    peer_connect(&p->lines[line], &(struct mqtt_connect){.version = MQTT_5, .client_id = bytes_of_text(name), .clean_start = true});
    assert_heard(p, line, "CONNACK 00");
    buffer_clear(&p->said);
}

static inline void watch(struct play *p, size_t line, const char *filter, uint8_t qos)
{
    peer_subscribe(&p->lines[line], &(struct mqtt_filter){.filter = bytes_of_text(filter), .qos = qos}, 1);
    assert_heard(p, line, qos == 2 ? "SUBACK 1 02" : qos ? "SUBACK 1 01" : "SUBACK 1 00");
    buffer_clear(&p->said);
}
