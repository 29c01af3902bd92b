/* Lives of one client as a line of words, so that a test is a table of them. The client is the device pump-1 with the client
 * identifier "c"; beside it stand a publisher of the same device and an operator who counts what is routed.
 *
 *   c C      connects anew (beside an older connection, if that stands), without and with a clean start
 *   x d z    loses its line; says DISCONNECT; says it with the will
 *   e<s>     says DISCONNECT with an expiry of so many seconds
 *   P<n> D<n> p<n>   publishes with QoS 2, the same again with DUP, with QoS 1
 *   R<n>     PUBREL        r<n> b<n>  PUBREC, with success and with 0x80        o<n>  PUBCOMP        a<n>  PUBACK
 *   w<q> v<q>   subscribes to OWN with that QoS; to it as one of the share g
 *   m<q>     the publisher publishes to OWN with that QoS; what of it is to be kept is kept
 *   n<q>     the same, and the store says nothing yet
 *   s f      the store keeps the oldest errand that waits; refuses it
 *   k        the store keeps all that wait
 *   t<s>     so many seconds pass
 *
 * Sessions, presences, subscriptions and ends of deliveries the store keeps at once, unless the test is strict. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "mqtt_world.h"

#define OWN "devices/pump-1/x"

enum { SCRIPT_PUBLISHER = PLAY_LINES - 1, SCRIPT_WATCHER = PLAY_LINES - 2, SCRIPT_LINES = PLAY_LINES - 2 };

struct script {
    struct play play;
    struct mqtt_connect connect; /* how it connects; `clean_start` is the word's */
    size_t line, arrived;        /* the present connection; how many there were */
    unsigned told_end;           /* bits: the end of these lines was told */
    unsigned published;          /* by the publisher */
    struct buffer heard;         /* by all of its connections, each packet with a bar behind it */
    size_t routed;               /* messages that the operator heard */
    bool strict;                 /* the store keeps nothing without a word */
};

/* Session expiry in seconds; for 3.1.1 0 or not. */
static inline void script_open(struct script *s, enum mqtt_version version, uint32_t expiry_s)
{
    memset(s, 0, sizeof *s);
    play_open(&s->play);
    s->heard.max = 65536;
    s->connect = (struct mqtt_connect){.version = version, .client_id = BYTES("c"), .properties = {.request_problem = 1}};
    if (version == MQTT_5 && expiry_s) {
        s->connect.properties.present = MQTT_HAS(SESSION_EXPIRY);
        s->connect.properties.session_expiry = expiry_s;
    }
    enter_operator(&s->play, SCRIPT_WATCHER, "eve");
    watch(&s->play, SCRIPT_WATCHER, "#", 0);
    arrive(&s->play, SCRIPT_PUBLISHER, "pump-1");
    peer_connect(&s->play.lines[SCRIPT_PUBLISHER],
                 &(struct mqtt_connect){.version = MQTT_5, .client_id = BYTES("publisher"), .clean_start = true});
    assert_heard(&s->play, SCRIPT_PUBLISHER, "CONNACK 00");
    s->play.store = LATER;
}

static inline void script_close(struct script *s)
{
    play_close(&s->play);
    buffer_drop(&s->heard);
}

static inline bool script_tells(const struct errand *errand)
{
    static const bool tells[WRITE_KINDS] = {
        [WRITE_PRESENCE] = true,     [WRITE_CLIENT] = true,         [WRITE_CLIENT_DELETE] = true,
        [WRITE_CLIENT_WATCH] = true, [WRITE_CLIENT_UNWATCH] = true, [WRITE_DELIVERED] = true,
    };
    return errand->write && tells[errand->write->kind];
}

/* Keeps what no row asks about, and all behind the first `from`. */
static inline void script_keep(struct script *s, size_t from)
{
    struct play *p = &s->play;
    play_settle(p);
    for (size_t i = 0; i < p->posted_count;) {
        if (i >= from || (!s->strict && script_tells(p->posted[i]))) {
            play_store(p, i, OK);
            play_settle(p);
            i = 0;
        } else {
            i++;
        }
    }
}

static inline void script_listen(struct script *s)
{
    struct play *p = &s->play;
    struct mqtt_packet packet;
    play_settle(p);
    for (size_t i = 0; i < s->arrived; i++) {
        struct fake_line *l = &p->lines[i];
        while (peer_next(l, &packet)) {
            peer_say_packet(&s->heard, &packet);
            s->heard.at[s->heard.len - 1] = '|';
        }
        if (!l->open && !(s->told_end >> i & 1))
            put_text(&s->heard, "end|");
        s->told_end |= l->open ? 0 : 1u << i;
    }
    while (peer_next(&p->lines[SCRIPT_WATCHER], &packet))
        s->routed += packet.type == MQTT_PUBLISH;
}

static inline void script_connect(struct script *s, bool clean)
{
    must(s->arrived < SCRIPT_LINES);
    s->line = s->arrived++;
    s->connect.clean_start = clean;
    arrive(&s->play, s->line, "pump-1");
    peer_connect(&s->play.lines[s->line], &s->connect);
}

static inline void script_publish(struct script *s, uint8_t qos, bool kept)
{
    struct play *p = &s->play;
    struct fake_line *l = &p->lines[SCRIPT_PUBLISHER];
    struct mqtt_packet packet;
    char payload[16];
    size_t from = p->posted_count;
    snprintf(payload, sizeof payload, "%u", ++s->published);
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                         .as.publish = {.topic = BYTES(OWN), .payload = bytes_of_text(payload), .qos = qos,
                                                        .packet_id = qos ? (uint16_t)s->published : 0}});
    play_settle(p);
    if (kept)
        script_keep(s, from);
    while (peer_next(l, &packet))
        if (packet.type == MQTT_PUBREC && packet.as.ack.reason < MQTT_UNSPECIFIED_ERROR) {
            peer_ack(l, MQTT_PUBREL, packet.as.ack.packet_id);
            play_settle(p);
        } else if (packet.type == MQTT_DISCONNECT || packet.as.ack.reason >= MQTT_UNSPECIFIED_ERROR) {
            put_format(&s->heard, "(refused %02x)|", (unsigned)packet.as.ack.reason);
        }
}

static inline void script_subscribe(struct script *s, const char *filter, unsigned qos)
{
    peer_subscribe(&s->play.lines[s->line], &(struct mqtt_filter){.filter = bytes_of_text(filter), .qos = (uint8_t)qos}, 1);
}

static inline void script_disconnect(struct script *s, enum mqtt_reason reason, const unsigned *expiry_s)
{
    struct mqtt_packet packet = {.type = MQTT_DISCONNECT, .as.ending.reason = reason};
    if (expiry_s) {
        packet.as.ending.properties.present = MQTT_HAS(SESSION_EXPIRY);
        packet.as.ending.properties.session_expiry = *expiry_s;
    }
    peer_packet(&s->play.lines[s->line], &packet);
}

static inline void script_word(struct script *s, char word, unsigned n)
{
    struct play *p = &s->play;
    struct fake_line *l = &p->lines[s->line];
    switch (word) {
    case 'c': script_connect(s, false); break;
    case 'C': script_connect(s, true); break;
    case 'x':
        s->told_end |= 1u << s->line;
        fake_line_lose(l);
        break;
    case 'd': script_disconnect(s, MQTT_NORMAL_DISCONNECTION, NULL); break;
    case 'z': script_disconnect(s, MQTT_DISCONNECT_WITH_WILL, NULL); break;
    case 'e': script_disconnect(s, MQTT_NORMAL_DISCONNECTION, &n); break;
    case 'P': peer_publish_2(l, OWN, "in", n); break;
    case 'D':
        peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                             .as.publish = {.topic = BYTES(OWN), .payload = BYTES("in"), .qos = 2,
                                                            .packet_id = (uint16_t)n, .dup = true}});
        break;
    case 'p': peer_publish(l, OWN, "in", n); break;
    case 'R': peer_ack(l, MQTT_PUBREL, n); break;
    case 'r': peer_ack(l, MQTT_PUBREC, n); break;
    case 'b':
        peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBREC,
                                             .as.ack = {.packet_id = (uint16_t)n, .reason = MQTT_UNSPECIFIED_ERROR}});
        break;
    case 'o': peer_ack(l, MQTT_PUBCOMP, n); break;
    case 'a': peer_ack(l, MQTT_PUBACK, n); break;
    case 'w': script_subscribe(s, OWN, n); break;
    case 'v': script_subscribe(s, "$share/g/" OWN, n); break;
    case 'm': script_publish(s, (uint8_t)n, true); break;
    case 'n': script_publish(s, (uint8_t)n, false); break;
    case 's':
    case 'f':
        must(p->posted_count);
        play_store(p, 0, word == 's' ? OK : &play_disk);
        break;
    case 'k': script_keep(s, 0); break;
    case 't': play_pass(p, n * INT64_C(1000)); break;
    default: must(!"no such word");
    }
    script_keep(s, SIZE_MAX);
    script_listen(s);
}

/* Plays the words, and lends what was heard since the last time. */
static inline const char *script_play(struct script *s, const char *words)
{
    buffer_clear(&s->heard);
    for (const char *at = words; *at; at++) {
        char word = *at, *end;
        if (word == ' ')
            continue;
        unsigned n = (unsigned)strtoul(at + 1, &end, 10);
        script_word(s, word, n);
        at = end - 1;
    }
    return buffer_text(&s->heard);
}

/* Lives of which each has its own world. All that go wrong are told. */
struct script_row {
    const char *rule, *words, *heard;
    size_t routed;
};

static inline void script_rows(const struct script_row *rows, size_t count, enum mqtt_version version, uint32_t expiry_s)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        static struct script s;
        script_open(&s, version, expiry_s);
        const char *heard = script_play(&s, rows[i].words);
        if (strcmp(heard, rows[i].heard) != 0 || s.routed != rows[i].routed) {
            print_error("%s (%s): %zu routed, %s\n  not %zu, %s\n", rows[i].rule, rows[i].words, s.routed, heard, rows[i].routed,
                        rows[i].heard);
            failed++;
        }
        script_close(&s);
    }
    assert_int_equal(failed, 0);
}

#define SCRIPT_ROWS(rows, version, expiry) script_rows(rows, sizeof(rows) / sizeof *(rows), version, expiry)
