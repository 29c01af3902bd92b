/* fuzz: door */
/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a sequence of acts: peers that come, say packets good and broken, and go; a store and a registry that answer late,
 * in any order, or not at all. Whatever the sequence: every packet that the server sends is well formed and fits, and when all
 * is over nothing of any session is left. */
#include "../door/mqtt_peer.h"
#include "../door/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4, ACTS_MAX = 2000 };

static const char *const topics[] = {"devices/d0/telemetry", "devices/d1/telemetry/x", "devices/d0/x/y", "$SYS/x", "/", "a//b"};
static const char *const filters[] = {"devices/d0/#", "devices/+/telemetry", "devices/d1/+/x", "#", "devices/d0/a#", "$share/g/#",
                                      "devices/d0/x/y"};
static const char *const payloads[] = {"1", "bad", "unkept", ""};

#define PICK(table, byte) ((table)[(byte) % (sizeof(table) / sizeof *(table))])

static void arrive(struct play *p, struct fake_line *l, uint8_t how)
{
    struct principal who = {.kind = how & 4 ? PRINCIPAL_OPERATOR : PRINCIPAL_DEVICE};
    snprintf(who.id, sizeof who.id, "d%d", how & 1);
    fake_line_drop(l);
    fake_line_open(l, &p->lobbies[how >> 1 & 1], &who, mqtt_protocol());
    l->version = MQTT_5;
}

static void connect_peer(struct fake_line *l, uint8_t how)
{
    struct mqtt_connect c = {.version = how & 1 ? MQTT_3_1_1 : MQTT_5, .clean_start = true, .keep_alive = (uint16_t)(how >> 6)};
    c.client_id = how & 2 ? BYTES("one") : how & 4 ? BYTES("two") : BYTES("");
    c.has_will = how & 8;
    c.will = (struct mqtt_will){.topic = bytes_of_text(PICK(topics, how >> 4)), .payload = BYTES("gone"), .qos = how >> 4 & 1};
    if (c.version == MQTT_5 && how & 32) {
        c.properties.present = MQTT_HAS(RECEIVE_MAXIMUM) | MQTT_HAS(MAXIMUM_PACKET_SIZE);
        c.properties.receive_maximum = 1;
        c.properties.maximum_packet_size = 30u + how;
    }
    peer_connect(l, &c);
}

static void say_raw(struct fake_line *l, struct reader *r)
{
    fake_line_say(l, read_view(r, read_u8(r) % 64));
    l->version = 0; /* nobody knows what the peer speaks from here on */
}

static void say(struct fake_line *l, unsigned act, struct reader *r)
{
    uint8_t a = read_u8(r), b = read_u8(r);
    if (!l->open || !l->version)
        return;
    if (act == 0)
        connect_peer(l, a);
    else if (act == 1)
        peer_publish(l, PICK(topics, a), PICK(payloads, b), b >> 2);
    else if (act == 2)
        peer_subscribe(l, &(struct mqtt_filter){.filter = bytes_of_text(PICK(filters, a)), .qos = b % 3}, 1u + a);
    else if (act == 3)
        peer_unsubscribe(l, PICK(filters, a), 1u + b);
    else if (act == 4)
        peer_puback(l, 1u + a);
    else if (act == 5)
        peer_disconnect(l, l->version == MQTT_5 && a & 1 ? MQTT_DISCONNECT_WITH_WILL : MQTT_NORMAL_DISCONNECTION);
    else
        peer_packet(l, &(struct mqtt_packet){.type = MQTT_PINGREQ});
}

static void turn(struct play *p, struct reader *r)
{
    static const struct fault *const results[] = {OK, OK, OK, &play_disk, &play_refused};
    unsigned act = read_u8(r) % 8, a = read_u8(r);
    if (act == 0 && p->posted_count)
        play_store(p, a % p->posted_count, PICK(results, a >> 4));
    else if (act == 1 && p->asked_count)
        play_know(p, a % p->asked_count, PICK(results, a >> 4));
    else if (act == 2)
        p->store = a % 3;
    else if (act == 3)
        p->known = a % 3;
    else if (act == 4)
        p->limited = a & 1;
    else if (act == 5)
        play_pass(p, a * 100);
    else if (act == 6 && a < 8)
        lobby_expel(&p->lobbies[a & 1], a & 2 ? "d0" : "d1");
    else if (act == 7 && a < 8)
        lobby_shut(&p->lobbies[a & 1]);
}

/* What came is well formed; then it is forgotten, or a long input would collect megabytes. */
static void read_all(struct fake_line *l)
{
    struct mqtt_packet packet;
    while (l->version && peer_next(l, &packet))
        ;
    if (l->taken < l->out.len)
        return;
    buffer_clear(&l->out);
    l->taken = l->read = 0;
}

static void act(struct play *p, struct reader *r)
{
    uint8_t what = read_u8(r);
    struct fake_line *l = &p->lines[what >> 4 & (PEERS - 1)];
    unsigned kind = what & 15;
    if (kind < 7)
        say(l, kind, r);
    else if (kind == 7)
        arrive(p, l, read_u8(r));
    else if (kind == 8)
        say_raw(l, r);
    else if (kind == 9)
        fake_line_lose(l);
    else if (kind == 10)
        l->stuck = !l->stuck;
    else if (kind == 11)
        (void)fake_line_step(l);
    else if (kind < 14)
        turn(p, r);
    else
        play_settle(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(bytes_of(data, size));
    struct play p;
    play_open(&p);
    p.lobbies[0].all_count = p.lobbies[1].all_count = PLAY_LOBBIES;
    for (int acts = 0; r.left.len && acts < ACTS_MAX; acts++) {
        act(&p, &r);
        buffer_clear(&p.said);
        for (size_t i = 0; i < PEERS; i++)
            read_all(&p.lines[i]);
        must(counter_read(&p.counts.sessions_now) <= PLAY_LINES + p.posted_count + p.asked_count);
    }
    play_close(&p);
    return 0;
}
