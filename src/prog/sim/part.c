/* What the profiles make of a connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"
#include "prog/sim/sensor.h"
#include "prog/sim/squad.h"

#include <stdio.h>
#include <sys/socket.h>

enum { TOPIC_ROOM = DEVICE_ID_MAX + 32, BURST = 20, BURST_BYTES = 1000, SIP = 512, SLOW_OUT = UNIT_OUT_MAX / 2 };

static void topic_of(const struct unit *u, const char *what, char out[TOPIC_ROOM])
{
    struct vault_identity identity = {.id = ""};
    IGNORE(vault_find(u->squad->how->vault, u->number, &identity)); /* it has shown its certificate, so it has one */
    (void)snprintf(out, TOPIC_ROOM, "devices/%s/%s", identity.id, what);
}

static void say(struct unit *u, const struct mqtt_packet *packet)
{
    SCOPED(buffer_drop) struct buffer out = {.max = UNIT_PACKET_MAX};
    if (!mqtt_encode(packet, (struct mqtt_dialect){MQTT_5, MQTT_FROM_CLIENT}, &out))
        unit_say(u, buffer_view(&out));
}

static bool all_parts(const struct unit *u)
{
    return u->squad->how->parts && u->nth >= u->squad->how->parts;
}

/* The next part when it is due; one that has done all of them is idle from then on. */
static void wait_for_next(struct unit *u)
{
    if (!all_parts(u)) {
        unit_wait(u, plan_wait_ms(&u->plan, u->nth));
        return;
    }
    if (!u->waiting)
        squad_done(u);
    unit_wait(u, UNIT_PING_MS);
}

/* ---- telemetry */

/* One message on its way at a time: what it waits for is bounded, and a server that is behind is seen to be. */
static void send_sample(struct unit *u)
{
    SCOPED(buffer_drop) struct buffer payload = {.max = 512};
    char topic[TOPIC_ROOM];
    if (u->waiting || u->squad->phase == SQUAD_ENDS)
        return;
    topic_of(u, "telemetry", topic);
    sensor_put(u->plan.chance, u->nth, wall_us(machine_clock()), &payload);
    u->packet_id = u->packet_id == UINT16_MAX ? 1 : (uint16_t)(u->packet_id + 1);
    u->since_us = unit_now_us();
    u->waiting = true;
    u->nth++;
    u->squad->tally.sent++;
    say(u, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                 .as.publish = {.topic = bytes_of_text(topic),
                                                .payload = buffer_view(&payload),
                                                .packet_id = u->packet_id,
                                                .qos = 1}});
}

static void on_puback(struct unit *u, const struct mqtt_ack *ack)
{
    struct tally *tally = &u->squad->tally;
    if (!u->waiting || ack->packet_id != u->packet_id)
        return;
    u->waiting = false;
    if (ack->reason >= MQTT_UNSPECIFIED_ERROR) {
        tally->refused++;
        tally_reason(&tally->losses, mqtt_reason_text(ack->reason));
    } else {
        counter_add(&tally->acknowledged, 1);
        histogram_add(&tally->ack_us, (uint64_t)(unit_now_us() - u->since_us));
    }
    if (all_parts(u))
        squad_done(u);
}

/* ---- slow readers */

static void subscribe(struct unit *u)
{
    SCOPED(buffer_drop) struct buffer filters = {.max = 512};
    char topic[TOPIC_ROOM];
    topic_of(u, "slow", topic);
    if (mqtt_put_filter(&filters, MQTT_SUBSCRIBE, &(struct mqtt_filter){.filter = bytes_of_text(topic)}))
        return;
    say(u, &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                 .as.subscribe = {.filters = buffer_view(&filters), .count = 1, .packet_id = 1}});
}

/* Twenty messages in, half of one out. */
static void burst(struct unit *u)
{
    static const uint8_t payload[BURST_BYTES];
    char topic[TOPIC_ROOM];
    topic_of(u, "slow", topic);
    for (int i = 0; i < BURST && u->out.len < SLOW_OUT; i++, u->squad->tally.flood++)
        say(u, &(struct mqtt_packet){
                   .type = MQTT_PUBLISH,
                   .as.publish = {.topic = bytes_of_text(topic), .payload = bytes_of(payload, sizeof payload)}});
    u->nth++;
    unit_read(u, SIP);
}

/* ---- bad ones */

const struct mischief *part_mischief(const struct unit *u)
{
    return u->plan.profile == PROFILE_BAD ? &mischiefs[(u->plan.mischief + u->nth) % MISCHIEFS] : NULL;
}

static void next_mischief(struct unit *u)
{
    unit_drop(u);
    u->nth++;
    if (all_parts(u))
        squad_done(u);
    else if (u->squad->phase == SQUAD_RUNS)
        unit_wait(u, plan_wait_ms(&u->plan, u->nth));
}

void part_caught(struct unit *u)
{
    size_t which = (size_t)(part_mischief(u) - mischiefs);
    u->squad->tally.mischief[which].tried++;
    u->squad->tally.mischief[which].ended++;
    next_mischief(u);
}

static void still_open(struct unit *u)
{
    size_t which = (size_t)(part_mischief(u) - mischiefs);
    u->squad->tally.mischief[which].tried++;
    u->squad->tally.mischief[which].open++;
    next_mischief(u);
}

static void served(struct unit *u)
{
    size_t which = (size_t)(part_mischief(u) - mischiefs);
    u->squad->tally.mischief[which].tried++;
    u->squad->tally.mischief[which].served++;
    next_mischief(u);
}

static void say_it(struct unit *u, const struct mischief *mischief)
{
    SCOPED(buffer_drop) struct buffer all = {.max = UNIT_OUT_MAX};
    for (unsigned i = 0; i < mischief->times || !i; i++)
        put_bytes(&all, mischief->says);
    if (mischief->stage == MISCHIEF_TCP)
        (void)!send(u->watcher.fd, all.at, all.len, MSG_NOSIGNAL);
    else
        unit_say(u, buffer_view(&all));
}

bool part_misbehaves(struct unit *u, enum mischief_stage stage)
{
    const struct mischief *mischief = part_mischief(u);
    if (!mischief || mischief->stage != stage)
        return false;
    if (u->phase == UNIT_UP)
        counter_less(&u->squad->tally.open, 1);
    u->phase = UNIT_CAUGHT;
    squad_arrived(u);
    unit_listen(u);
    unit_wait(u, u->squad->how->patience_ms);
    say_it(u, mischief);
    return true;
}

/* ---- all of them */

void part_begin(struct unit *u)
{
    switch (u->plan.profile) {
    case PROFILE_TELEMETRY:
    case PROFILE_STORM:
        wait_for_next(u);
        return;
    case PROFILE_SLOW:
        subscribe(u);
        wait_for_next(u);
        return;
    case PROFILE_BAD:
        if (!part_misbehaves(u, MISCHIEF_SESSION))
            served(u); /* with such a certificate it ought not to have come here */
        return;
    case PROFILE_IDLE:
        unit_wait(u, UNIT_PING_MS);
        return;
    case PROFILES:
        return;
    }
}

void part_due(struct unit *u)
{
    if (u->phase == UNIT_CAUGHT) {
        still_open(u);
        return;
    }
    if (u->plan.profile == PROFILE_IDLE || (all_parts(u) && !u->waiting)) {
        say(u, &(struct mqtt_packet){.type = MQTT_PINGREQ});
        unit_wait(u, UNIT_PING_MS);
        return;
    }
    if (u->plan.profile == PROFILE_SLOW)
        burst(u);
    else
        send_sample(u);
    if (u->phase == UNIT_UP)
        wait_for_next(u);
}

void part_answer(struct unit *u, const struct mqtt_packet *packet)
{
    if (packet->type == MQTT_PUBACK)
        on_puback(u, &packet->as.ack);
    else if (packet->type == MQTT_PUBLISH)
        u->squad->tally.read++;
}

void part_lost(struct unit *u, const char *why)
{
    struct tally *tally = &u->squad->tally;
    if (part_mischief(u)) {
        part_caught(u);
        return;
    }
    if (u->plan.profile == PROFILE_SLOW) {
        tally->ended++;
    } else {
        tally->lost++;
        tally_reason(&tally->losses, why);
    }
    tally->unanswered += u->waiting;
    u->waiting = false;
    unit_drop(u);
    if (u->squad->phase == SQUAD_RUNS)
        unit_wait(u, plan_backoff_ms(&u->plan, u->failures++));
}
