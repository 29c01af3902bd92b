/* Scenes of messages: who publishes to whom, how fast, and whether all of it came. */
/* SPDX-License-Identifier: Apache-2.0 */

/* A publisher has at most `window` messages on their way. With QoS 0 one is on its way until every subscriber of its
 * topic has it, with QoS 1 until it is acknowledged as well; so no broker has to drop anything, and all meet the same
 * pressure. Every write carries `batch` packets. A message carries when and by whom it was sent, and its number: the
 * subscriber knows how long it took, and whether one is missing or out of order. */
#include "base/clock.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "mqtt_bench.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16, TOPIC_ROOM = 256, PACKET_ROOM = 2048, GRACE_NS = 1000000000, PACE_NS = 100000, BALLAST_EACH = 5000 };

struct publisher {
    struct client *client;
    uint64_t sent, acknowledged, delivered; /* delivered: to all of its subscribers together */
    int64_t *sent_ns;                       /* QoS 1, by packet id - 1; 0: free */
    uint16_t next_id;
    int64_t last_us; /* the time in its latest telemetry */
    uint8_t head[TOPIC_ROOM + 8];
    size_t head_len; /* first byte, room for the length, topic: all but packet id, properties, payload */
};

struct run {
    const struct wishes *how;
    struct clients *clients;
    struct publisher *publishers;
    uint64_t *last_seen; /* by subscriber and publisher: the number that is to come next */
    size_t audience;     /* subscribers of each topic */
    size_t ready, ballast_clients, next_start;
    size_t turn; /* whose turn it is, when paced */
    double owed; /* messages that the pace asks for by now */
    int pace_fd;
    bool sending;
    uint64_t sent, acknowledged, delivered, refused, disordered;
    int64_t start_ns, end_ns, last_ns; /* last_ns: when something came last */
    struct histogram ack_us, way_us;
};

static size_t subscribers_of(const struct wishes *how)
{
    return (size_t)how->subscribers;
}

static size_t publishers_of(const struct wishes *how)
{
    return (size_t)how->publishers;
}

static void topic_of(const struct wishes *how, size_t number, char out[TOPIC_ROOM])
{
    static const char *const shape[] = {
        [SCENE_FAN_IN] = "bench/in", [SCENE_FAN_OUT] = "bench/out", [SCENE_PAIRS] = "bench/pair/"};
    if (how->scene == SCENE_DURABLE)
        (void)snprintf(out, TOPIC_ROOM, "devices/%s%zu/telemetry", how->prefix, number % (size_t)how->devices);
    else if (how->own)
        (void)snprintf(out, TOPIC_ROOM, "devices/%s%zu/bench", how->prefix, number);
    else if (how->scene == SCENE_PAIRS)
        (void)snprintf(out, TOPIC_ROOM, "%s%zu", shape[how->scene], number);
    else
        (void)snprintf(out, TOPIC_ROOM, "%s", shape[how->scene]);
}

/* ---- out */

static void prepare(struct run *r, size_t number)
{
    struct publisher *p = &r->publishers[number];
    char topic[TOPIC_ROOM];
    topic_of(r->how, number, topic);
    size_t len = strlen(topic);
    *p = (struct publisher){.client = clients_at(r->clients, number), .head_len = 2 + len};
    p->head[0] = (uint8_t)(len >> 8);
    p->head[1] = (uint8_t)len;
    memcpy(p->head + 2, topic, len);
    if (r->how->qos && !(p->sent_ns = mem_take((size_t)r->how->window, sizeof *p->sent_ns)))
        give_up("no memory");
}

/* Telemetry of about 90 bytes: a time and six values that differ in each message. Times of one connection rise, so that
 * no sample is given twice. */
static size_t put_telemetry(struct publisher *p, uint64_t n, char *out, size_t room)
{
    char time[TIME_TEXT];
    int64_t now = wall_us(machine_clock());
    p->last_us = now > p->last_us ? now : p->last_us + 1;
    time_text(p->last_us, time);
    return (size_t)snprintf(
        out, room, "{\"time\":\"%.19s.%06dZ\",\"a\":%u.5,\"b\":%u,\"c\":%s,\"d\":0.%03u,\"e\":-%u,\"f\":21.%u}", time,
        (int)(p->last_us % 1000000), (unsigned)(n % 50), (unsigned)(n % 10000), n % 2 ? "true" : "false",
        (unsigned)(n % 1000), (unsigned)(n % 100), (unsigned)(n % 10));
}

static size_t put_payload(struct run *r, struct publisher *p, uint8_t *out, size_t room)
{
    if (r->how->scene == SCENE_DURABLE)
        return put_telemetry(p, r->sent, (char *)out, room);
    int64_t now = now_ns();
    uint32_t who = (uint32_t)(p - r->publishers), number = (uint32_t)p->sent;
    memcpy(out, &now, 8);
    memcpy(out + 8, &who, 4);
    memcpy(out + 12, &number, 4);
    memset(out + HEAD, 'x', (size_t)r->how->size - HEAD);
    return (size_t)r->how->size;
}

/* The window is never over 65,535, so a free id is found; acknowledgements mostly come in order. */
static uint16_t take_id(struct run *r, struct publisher *p)
{
    do
        p->next_id = (uint16_t)(p->next_id % r->how->window + 1);
    while (p->sent_ns[p->next_id - 1]);
    p->sent_ns[p->next_id - 1] = now_ns();
    return p->next_id;
}

static size_t put_publish(struct run *r, struct publisher *p, uint8_t *out)
{
    uint8_t payload[PACKET_ROOM / 2];
    size_t len = put_payload(r, p, payload, sizeof payload);
    size_t size = p->head_len + (r->how->qos ? 2u : 0u) + (r->how->version == 5) + len, used = 0;
    out[used++] = (uint8_t)(PACKET_PUBLISH << 4 | r->how->qos << 1);
    for (; size > 127; size >>= 7)
        out[used++] = (uint8_t)(size | 128);
    out[used++] = (uint8_t)size;
    memcpy(out + used, p->head, p->head_len);
    used += p->head_len;
    if (r->how->qos) {
        uint16_t id = take_id(r, p);
        out[used++] = (uint8_t)(id >> 8);
        out[used++] = (uint8_t)id;
    }
    if (r->how->version == 5)
        out[used++] = 0;
    memcpy(out + used, payload, len);
    p->sent++;
    r->sent++;
    return used + len;
}

static size_t on_their_way(const struct run *r, const struct publisher *p)
{
    uint64_t settled = r->audience ? p->delivered / r->audience : UINT64_MAX;
    if (r->how->qos && p->acknowledged < settled)
        settled = p->acknowledged;
    return p->sent - settled;
}

static void write_batch(struct run *r, struct publisher *p)
{
    uint8_t out[64 * PACKET_ROOM];
    size_t len = 0;
    for (long i = 0; i < r->how->batch; i++)
        len += put_publish(r, p, out + len);
    client_send(r->clients, p->client, bytes_of(out, len));
}

static bool may_send(struct run *r)
{
    if (r->sending && (now_ns() >= r->end_ns || (r->how->messages && r->sent >= (uint64_t)r->how->messages)))
        r->sending = false;
    return r->sending;
}

/* As fast as the window lets: everybody writes what it may. */
static void pump(struct run *r)
{
    for (size_t i = 0; i < publishers_of(r->how); i++) {
        struct publisher *p = &r->publishers[i];
        while (on_their_way(r, p) + (size_t)r->how->batch <= (size_t)r->how->window && may_send(r))
            write_batch(r, p);
    }
}

/* Paced: what is due by now, one publisher after the other. */
static void pace(void *self)
{
    struct run *r = self;
    uint64_t ticks = 0;
    if (read(r->pace_fd, &ticks, sizeof ticks) != sizeof ticks)
        return;
    r->owed += (double)ticks * (double)r->how->rate * PACE_NS / 1e9;
    for (; r->owed >= 1 && may_send(r); r->owed -= 1) {
        struct publisher *p = &r->publishers[r->turn++ % publishers_of(r->how)];
        if (on_their_way(r, p) >= (size_t)r->how->window)
            give_up("the broker does not keep up with %ld messages per second", r->how->rate);
        write_batch(r, p);
    }
}

static void begin_pace(struct run *r)
{
    const struct itimerspec each = {{0, PACE_NS}, {0, PACE_NS}};
    r->pace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (r->pace_fd < 0 || timerfd_settime(r->pace_fd, 0, &each, NULL))
        give_up("no timer");
    clients_watch(r->clients, r->pace_fd, pace);
}

/* ---- in */

static void on_puback(struct run *r, struct client *c, struct bytes body)
{
    struct publisher *p = &r->publishers[c->number];
    size_t id = body.len >= 2 ? (size_t)(body.at[0] << 8 | body.at[1]) : 0;
    if (c->number >= publishers_of(r->how) || !id || id > (size_t)r->how->window || !p->sent_ns[id - 1])
        give_up("an acknowledgement for nothing that was sent");
    p->acknowledged++;
    r->acknowledged++;
    if (body.len > 2 && body.at[2] >= 0x80) {
        if (!r->refused++)
            (void)fprintf(stderr, "mqtt-bench: first refusal: 0x%02x\n", body.at[2]);
        r->acknowledged--;
    } else {
        histogram_add(&r->ack_us, (uint64_t)(now_ns() - p->sent_ns[id - 1]) / 1000);
    }
    p->sent_ns[id - 1] = 0;
}

static void acknowledge(struct run *r, struct client *c, const uint8_t *id)
{
    const uint8_t ack[4] = {PACKET_PUBACK << 4, 2, id[0], id[1]};
    put_bytes(&c->out, bytes_of(ack, sizeof ack)); /* goes with all others of this read */
}

static void on_publish(struct run *r, struct client *c, const struct packet *packet)
{
    size_t at = 2 + (packet->body.len > 1 ? (size_t)(packet->body.at[0] << 8 | packet->body.at[1]) : 0);
    size_t place = c->number - publishers_of(r->how);
    const uint8_t *id = NULL;
    if (packet->flags >> 1 & 3) {
        id = packet->body.at + at;
        at += 2;
    }
    if (r->how->version == 5)
        at += 1u + packet->body.at[at]; /* properties, few */
    struct bytes payload = bytes_from(packet->body, at);
    int64_t when;
    uint32_t who, number;
    if (payload.len < HEAD || place >= subscribers_of(r->how))
        give_up("a message that nobody sent");
    memcpy(&when, payload.at, 8);
    memcpy(&who, payload.at + 8, 4);
    memcpy(&number, payload.at + 12, 4);
    if (who >= publishers_of(r->how))
        give_up("a message that nobody sent");
    uint64_t *next = &r->last_seen[place * publishers_of(r->how) + who];
    r->disordered += number != *next;
    *next = (uint64_t)number + 1;
    r->publishers[who].delivered++;
    r->delivered++;
    histogram_add(&r->way_us, (uint64_t)(now_ns() - when) / 1000);
    if (id)
        acknowledge(r, c, id);
}

static void start_next(struct run *r)
{
    size_t all = publishers_of(r->how) + subscribers_of(r->how) + r->ballast_clients;
    if (r->next_start < all)
        clients_start(r->clients, clients_at(r->clients, r->next_start++));
}

static void on_packet(void *self, struct client *c, const struct packet *packet)
{
    struct run *r = self;
    if (packet->type == PACKET_PUBLISH) {
        on_publish(r, c, packet);
    } else if (packet->type == PACKET_PUBACK) {
        on_puback(r, c, packet->body);
    } else if (packet->type == PACKET_SUBACK) {
        if (packet->body.at[packet->body.len - 1] >= 0x80)
            give_up("SUBSCRIBE was refused with 0x%02x", packet->body.at[packet->body.len - 1]);
        r->ready++;
        start_next(r);
    } else {
        give_up("packet %u, which was not asked for", packet->type);
    }
}

static void add_ballast(struct run *r, struct client *c, size_t number)
{
    static char text[BALLAST_EACH][40];
    const char *filters[BALLAST_EACH];
    size_t count = (size_t)r->how->ballast - number * BALLAST_EACH;
    count = count < BALLAST_EACH ? count : BALLAST_EACH;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text[i], sizeof text[i], "bench/ballast/%zu", number * BALLAST_EACH + i);
        filters[i] = text[i];
    }
    client_subscribe(r->clients, c, filters, count, 0);
}

static void on_open(void *self, struct client *c)
{
    struct run *r = self;
    size_t first = publishers_of(r->how), behind = first + subscribers_of(r->how);
    char topic[TOPIC_ROOM];
    const char *filter = topic;
    if (c->number >= behind) {
        add_ballast(r, c, c->number - behind);
    } else if (c->number >= first) {
        topic_of(r->how, c->number - first, topic);
        client_subscribe(r->clients, c, &filter, 1, (unsigned)r->how->qos);
    } else {
        r->ready++;
        start_next(r);
    }
}

/* ---- the run and its result */

static bool all_settled(const struct run *r)
{
    return r->delivered == r->sent * r->audience && (!r->how->qos || r->acknowledged + r->refused == r->sent);
}

/* Until the time is over and everything came, or nothing came for a while. */
static void run_until_settled(struct run *r)
{
    r->sending = true;
    r->start_ns = r->last_ns = now_ns();
    r->end_ns = r->start_ns + r->how->seconds * 1000000000;
    if (r->how->rate)
        begin_pace(r);
    for (uint64_t before = 0, now;; before = now) {
        if (!r->how->rate)
            pump(r);
        if (!may_send(r) && (all_settled(r) || now_ns() - r->last_ns > GRACE_NS))
            return;
        clients_wait(r->clients, 100);
        now = r->delivered + r->acknowledged + r->refused;
        if (now != before)
            r->last_ns = now_ns();
    }
}

static void tell_latency(const char *name, const struct histogram *h)
{
    (void)printf(",\"%s\":{\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu}", name,
                 (unsigned long long)histogram_at(h, .5), (unsigned long long)histogram_at(h, .9),
                 (unsigned long long)histogram_at(h, .99), (unsigned long long)histogram_at(h, .999),
                 (unsigned long long)histogram_at(h, 1));
}

static void tell(const struct run *r)
{
    double took = (double)(r->last_ns - r->start_ns) / 1e9;
    uint64_t lost = r->sent * r->audience - r->delivered;
    uint64_t moved = r->audience ? r->delivered : r->acknowledged;
    if (!r->how->json) {
        (void)printf(
            "%llu published, %llu delivered, %llu acknowledged in %.2f s: %.0f messages/s; %llu lost, %llu refused, "
            "%llu out of order\nway p50 %llu us, p99 %llu us; acknowledged p50 %llu us, p99 %llu us\n",
            (unsigned long long)r->sent, (unsigned long long)r->delivered, (unsigned long long)r->acknowledged, took,
            (double)moved / took, (unsigned long long)lost, (unsigned long long)r->refused,
            (unsigned long long)r->disordered, (unsigned long long)histogram_at(&r->way_us, .5),
            (unsigned long long)histogram_at(&r->way_us, .99), (unsigned long long)histogram_at(&r->ack_us, .5),
            (unsigned long long)histogram_at(&r->ack_us, .99));
        return;
    }
    (void)printf("{\"published\":%llu,\"delivered\":%llu,\"acknowledged\":%llu,\"refused\":%llu,\"lost\":%llu,"
                 "\"disordered\":%llu,"
                 "\"moved\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_seconds\":%.3f",
                 (unsigned long long)r->sent, (unsigned long long)r->delivered, (unsigned long long)r->acknowledged,
                 (unsigned long long)r->refused, (unsigned long long)lost, (unsigned long long)r->disordered,
                 (unsigned long long)moved, took, (double)moved / took, own_cpu_seconds());
    tell_latency("way_us", &r->way_us);
    tell_latency("latency_us", &r->ack_us);
    (void)puts("}");
}

bool run_messages(const struct wishes *how)
{
    static const struct client_events events = {.open = on_open, .packet = on_packet};
    static struct run r; /* its histograms are large */
    enum { ARRIVING = 32 };
    const struct client_options options = client_options_of(how);
    r = (struct run){.how = how, .ballast_clients = (size_t)(how->ballast + BALLAST_EACH - 1) / BALLAST_EACH};
    r.audience = how->scene == SCENE_PAIRS ? 1 : subscribers_of(how);
    size_t all = publishers_of(how) + subscribers_of(how) + r.ballast_clients;
    r.clients = clients_open(&options, all, &events, &r);
    r.publishers = mem_take(publishers_of(how), sizeof *r.publishers);
    r.last_seen = mem_take(publishers_of(how) * subscribers_of(how) + 1, sizeof *r.last_seen);
    if (!r.publishers || !r.last_seen)
        give_up("no memory");
    for (size_t i = 0; i < publishers_of(how); i++)
        prepare(&r, i);
    for (int i = 0; i < ARRIVING; i++)
        start_next(&r);
    while (r.ready < all)
        clients_wait(r.clients, -1);
    wait_for_word(how);
    run_until_settled(&r);
    tell(&r);
    return all_settled(&r) && !r.refused && !r.disordered;
}
