/* The peers: random acts of devices and operators, good and bad, and what each of them must and must not hear. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include "core/topic.h"

enum { STREAM_START_MS = 86400000 };

static bool is_device(const struct peer *p)
{
    return p->device < DEVICES;
}

static void name_of(const struct peer *p, char out[16])
{
    snprintf(out, 16, is_device(p) ? "d%u" : "op%u", p->device);
}

/* ---- what they hear */

static void take_away(struct peer *p, size_t i)
{
    memmove(p->awaited + i, p->awaited + i + 1, (--p->awaited_count - i) * sizeof *p->awaited);
}

static void remember_acked(struct world *w, const struct peer *p, const struct awaited *a)
{
    struct acked *kept = malloc(sizeof *kept);
    must(kept);
    *kept = (struct acked){w->acked, p->device, a->life, a->serial};
    w->acked = kept;
}

/* Acknowledgements come in order; success only for what is in the store, and never for what may not be. */
static void hear_puback(struct world *w, struct peer *p, const struct mqtt_ack *ack)
{
    holds(w, p->awaited_count && p->awaited[0].packet_id == ack->packet_id);
    struct awaited a = p->awaited[0];
    take_away(p, 0);
    if (ack->reason != MQTT_SUCCESS) {
        holds(w, p->line.version == MQTT_5);
        holds(w, ack->reason == MQTT_QUOTA_EXCEEDED || ack->reason == MQTT_NOT_AUTHORIZED ||
                     ack->reason == MQTT_PAYLOAD_FORMAT_INVALID);
        holds(w, a.kind != PLAIN || ack->reason == MQTT_QUOTA_EXCEEDED);
        return;
    }
    holds(w, a.kind == GOOD || a.kind == PLAIN);
    if (a.kind == PLAIN || a.life != w->lives[p->device])
        return;
    holds(w, store_has(w, p->device, a.serial));
    remember_acked(w, p, &a);
}

/* Nobody hears what it may not, or what it did not ask for; telemetry only when it is in the store. */
static void hear_publish(struct world *w, struct peer *p, const struct mqtt_publish *publish)
{
    struct device_topic topic;
    char name[16];
    uint64_t serial;
    w->published_heard++;
    name_of(p, name);
    holds(w, topic_is_device(publish->topic, &topic));
    holds(w, is_device(p) ? p->watches_own && bytes_is(topic.id, name) : p->watches_all);
    holds(w, publish->qos <= 1 && (p->resumed || !publish->dup));
    if (publish->qos)
        p->unacked = publish->packet_id;
    if (!bytes_starts(publish->payload, "{\"n\":"))
        return;
    struct bytes rest = bytes_from(publish->payload, 5), digits = bytes_cut(&rest, ','), number = bytes_from(topic.id, 1);
    uint64_t device;
    holds(w, !text_to_u64(digits, &serial) && !text_to_u64(number, &device) && device < DEVICES);
    holds(w, w->lives[device] || store_has(w, (unsigned)device, serial));
}

void peer_listens(struct world *w, struct peer *p)
{
    struct mqtt_packet packet;
    if (!p->line.open)
        p->line.taken = p->line.out.len; /* what lay in the socket is counted too */
    while (peer_next(&p->line, &packet))
        if (packet.type == MQTT_CONNACK) {
            p->let_in = packet.as.connack.reason == MQTT_SUCCESS;
            p->resumed = packet.as.connack.session_present;
            p->watches_own |= p->resumed;
            p->watches_all |= p->resumed;
        }
        else if (packet.type == MQTT_PUBACK)
            hear_puback(w, p, &packet.as.ack);
        else if (packet.type == MQTT_PUBLISH)
            hear_publish(w, p, &packet.as.publish);
        else if (packet.type == MQTT_SUBACK)
            holds(w, packet.as.suback.reasons.len == 1);
    if (p->line.taken == p->line.out.len) {
        buffer_clear(&p->line.out);
        p->line.taken = p->line.read = 0;
    }
}

/* ---- what they do */

static void act_arrive(struct world *w, struct peer *p)
{
    struct principal who;
    char name[16];
    unsigned device = p->device;
    fake_line_lose(&p->line);
    peer_listens(w, p);
    fake_line_drop(&p->line);
    *p = (struct peer){.device = device};
    name_of(p, name);
    must(!principal_set(&who, is_device(p) ? PRINCIPAL_DEVICE : PRINCIPAL_OPERATOR, bytes_of_text(name)));
    fake_line_open(&p->line, &w->lobbies[draw(w, LOOPS)], &who, mqtt_protocol());
}

static void act_connect(struct world *w, struct peer *p)
{
    static const char *const clients[] = {"", "one", "two"};
    char name[16], will[64];
    struct mqtt_connect c = {.version = chance(w, 30) ? MQTT_3_1_1 : MQTT_5, .clean_start = chance(w, 60), .keep_alive = (uint16_t)draw(w, 200),
                             .client_id = bytes_of_text(clients[draw(w, 3)]), .has_will = chance(w, 30)};
    if (p->line.connects && !chance(w, 3)) {
        peer_packet(&p->line, &(struct mqtt_packet){.type = MQTT_PINGREQ});
        return;
    }
    name_of(p, name);
    snprintf(will, sizeof will, "devices/%s/gone", chance(w, 80) ? name : "d0");
    c.will = (struct mqtt_will){.topic = bytes_of_text(will), .payload = BYTES("gone"), .qos = chance(w, 50)};
    if (c.version == MQTT_5 && chance(w, 30)) {
        c.properties.present = MQTT_HAS(RECEIVE_MAXIMUM);
        c.properties.receive_maximum = (uint16_t)(1 + draw(w, 3));
    }
    if (c.version == MQTT_5 && chance(w, 40)) {
        c.properties.present |= MQTT_HAS(SESSION_EXPIRY);
        c.properties.session_expiry = 1 + draw(w, 400);
        c.will.properties.present = chance(w, 50) ? MQTT_HAS(WILL_DELAY) : 0;
        c.will.properties.will_delay = draw(w, 100);
    }
    peer_connect(&p->line, &c);
}

static void act_publish(struct world *w, struct peer *p)
{
    static const char *const behind_the_id[] = {[GOOD] = "/telemetry", [BAD] = "/telemetry/x", [FOREIGN] = "x/telemetry",
                                                [PLAIN] = "/notes"};
    uint32_t die = draw(w, 20);
    enum publish_kind kind = die < 13 ? GOOD : die < 14 ? BAD : die < 15 ? FOREIGN : PLAIN;
    char name[16], topic[64], payload[128];
    bool qos = chance(w, 70);
    if (!is_device(p) && !chance(w, 5))
        return; /* operators have nothing to publish; what they try is refused */
    if (!p->let_in || (p->awaited_count >= w->limits.receive_max && !chance(w, 2)) || p->awaited_count == OPEN_MAX)
        return;
    name_of(p, name);
    uint64_t serial = ++w->serial;
    snprintf(topic, sizeof topic, "devices/%s%s", name, behind_the_id[kind]);
    snprintf(payload, sizeof payload, kind == BAD ? "{\"n\":" : "{\"n\":%" PRIu64 ",\"time\":%" PRId64 "}", serial,
             INT64_C(1767225600000) - STREAM_START_MS + (int64_t)serial);
    if (kind == PLAIN)
        snprintf(payload, sizeof payload, "%0*d", 1 + (int)draw(w, 120), 0);
    if (qos) {
        p->last_id = p->last_id % 60000 + 1;
        p->awaited[p->awaited_count++] = (struct awaited){p->last_id, is_device(p) ? kind : FOREIGN, serial, w->lives[p->device % DEVICES]};
    }
    struct mqtt_publish publish = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload), .qos = qos,
                                   .packet_id = qos ? p->last_id : 0, .retain = kind == PLAIN && chance(w, 20)};
    peer_packet(&p->line, &(struct mqtt_packet){.type = MQTT_PUBLISH, .as.publish = publish});
}

static void act_subscribe(struct world *w, struct peer *p)
{
    static const char *const below_own[] = {"/#", "/telemetry", "/+", "0/#", "", "/notes/#"}; /* the fourth is another's */
    static const char *const all[] = {"devices/#", "devices/+/telemetry", "devices/+/+", "#", "$share/g/devices/#", "$SYS/#"};
    char name[16], filter[64];
    uint32_t which = draw(w, 6);
    if (!p->let_in)
        return;
    name_of(p, name);
    if (is_device(p) && chance(w, 80))
        snprintf(filter, sizeof filter, "devices/%s%s", name, below_own[which]);
    else
        snprintf(filter, sizeof filter, "%s", all[which]);
    if (chance(w, 20)) {
        peer_unsubscribe(&p->line, filter, 1);
        return;
    }
    p->watches_own = p->watches_all = true;
    peer_subscribe(&p->line,
                   &(struct mqtt_filter){.filter = bytes_of_text(filter), .qos = (uint8_t)draw(w, 3),
                                         .no_local = p->line.version == MQTT_5 && chance(w, 20)},
                   1);
}

static void act_acknowledge(struct world *w, struct peer *p)
{
    if (p->let_in && p->unacked)
        peer_puback(&p->line, p->unacked);
    p->unacked = 0;
}

static void act_leave(struct world *w, struct peer *p)
{
    if (chance(w, 50))
        fake_line_lose(&p->line);
    else if (p->let_in)
        peer_disconnect(&p->line, MQTT_NORMAL_DISCONNECTION);
}

static void act_break(struct world *w, struct peer *p)
{
    uint8_t noise[8];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)draw(w, 256);
    noise[0] |= 0xF0; /* AUTH with flags: never a packet, so that nothing of it is by chance a good one */
    noise[0] |= 0x0F;
    fake_line_say(&p->line, bytes_of(noise, 1 + draw(w, 8)));
    if (p->line.in.len < 2)
        fake_line_lose(&p->line); /* or the next act would complete it */
}

void peer_acts(struct world *w)
{
    struct peer *p = &w->peers[draw(w, LINES)];
    uint32_t die = draw(w, 1000);
    if (!p->line.open) {
        act_arrive(w, p);
        act_connect(w, p);
    } else if (p->line.ending) {
        fake_line_lose(&p->line);
    } else if (die < 600) {
        act_publish(w, p);
    } else if (die < 720) {
        act_subscribe(w, p);
    } else if (die < 900) {
        act_acknowledge(w, p);
    } else if (die < 910) {
        p->line.stuck = !p->line.stuck;
    } else if (die < 985) {
        act_connect(w, p);
    } else if (die < 998) {
        act_leave(w, p);
    } else {
        act_break(w, p);
    }
}
