/* A load on an MQTT server: many connections over mutual TLS that publish telemetry with QoS 1 in a window, and how soon
 * each message is acknowledged.
 *
 *   mqtt-load --port N --ca FILE --certificates FOLDER [--devices N] [--connections N] [--messages N] [--seconds N]
 *             [--window N] [--version 4|5] [--host NAME] [--prefix NAME] [--wait] [--json]
 *
 * Connection i is device i % N of FOLDER: PREFIX<i>.pem and PREFIX<i>.key, and publishes to devices/PREFIX<i>/telemetry.
 * It keeps up to `window` messages on their way and sends the next one when one is acknowledged, until all messages are
 * sent or the seconds are over; then it waits for the last answers. The clock runs from the moment when all are connected.
 * With --wait it says "ready" then, and goes on when a line or the end comes on standard input. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/loop.h"
#include "os/socket.h"
#include "os/tls.h"
#include "wire/mqtt.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { READ_CHUNK = 16384, BUFFER_MAX = 1 << 20, ARRIVING_MAX = 32, PACKET_MAX = 65536, NAME_ROOM = 256 };

struct wishes {
    const char *host, *ca, *folder, *prefix;
    long port, devices, connections, messages, seconds, window, version;
    bool wait, json; /* of a program's own options, not of a function */
};

struct load {
    struct wishes how;
    struct loop *loop;
    struct tls_context **identities; /* one for each device */
    struct client *clients;
    long opened, connected;
    int64_t start_us, end_us; /* no message leaves after end_us */
    long sent, acknowledged, refused;
    uint32_t *latencies_us; /* of those acknowledged, in order of arrival */
    size_t latency_room;
    int64_t second; /* whose text is in `second_text` */
    char second_text[24];
};

enum phase { CONNECTING, SHAKING_HANDS, GREETING, OPEN };

struct client {
    struct watcher watcher;
    struct load *load;
    struct tls *tls;
    enum phase phase;
    uint32_t watched;
    struct buffer in, out;
    char topic[NAME_ROOM];
    int64_t *sent_us; /* by packet identifier - 1; 0: not on its way */
    long window, on_their_way;
    int64_t last_us; /* the time in its latest message */
};

static void insist(err e, const char *trouble)
{
    if (!e)
        return;
    (void)fprintf(stderr, "mqtt-load: %s%s%s\n", e->text, *trouble ? ": " : "", trouble);
    exit(1);
}

static void *insist_memory(void *taken)
{
    static const struct fault no_memory = {ERR_MEMORY, "no memory"};
    insist(taken ? OK : &no_memory, "");
    return taken;
}

static int64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- bytes out */

static void watch(struct client *c, uint32_t events)
{
    if (events != c->watched)
        insist(loop_rewatch(c->load->loop, &c->watcher, events), "");
    c->watched = events;
}

static void flush(struct client *c)
{
    while (c->out.len) {
        size_t taken = 0;
        err e = tls_write(c->tls, buffer_view(&c->out), &taken);
        if (err_is(e, ERR_AGAIN)) {
            watch(c, EPOLLIN | tls_wants(c->tls));
            return;
        }
        insist(e, tls_trouble(c->tls));
        buffer_consume(&c->out, taken);
    }
    watch(c, EPOLLIN);
}

static void queue(struct client *c, const struct mqtt_packet *packet)
{
    insist(mqtt_encode(packet, (struct mqtt_dialect){(enum mqtt_version)c->load->how.version, MQTT_FROM_CLIENT}, &c->out), "");
}

static void greet(struct client *c)
{
    char name[32];
    (void)snprintf(name, sizeof name, "load-%ld", (long)(c - c->load->clients));
    queue(c, &(struct mqtt_packet){.type = MQTT_CONNECT,
                                   .as.connect = {.version = (enum mqtt_version)c->load->how.version,
                                                  .client_id = bytes_of_text(name),
                                                  .clean_start = true}});
}

/* RFC 3339 with microseconds. Times of one connection rise, so that no sample is given twice. */
static void put_time(struct client *c, struct buffer *out)
{
    struct load *load = c->load;
    int64_t now = wall_us(machine_clock());
    c->last_us = now > c->last_us ? now : c->last_us + 1;
    time_t second = (time_t)(c->last_us / 1000000);
    if (second != load->second) {
        struct tm parts;
        (void)strftime(load->second_text, sizeof load->second_text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &parts));
        load->second = second;
    }
    put_format(out, "{\"time\":\"%s.%06dZ\"", load->second_text, (int)(c->last_us % 1000000));
}

static void publish(struct client *c, uint16_t packet_id)
{
    SCOPED(buffer_drop) struct buffer payload = {.max = 256};
    long n = c->load->sent++;
    put_time(c, &payload);
    put_format(&payload, ",\"a\":%ld.5,\"b\":%ld,\"c\":%s,\"d\":0.%03ld,\"e\":-%ld,\"f\":21.%ld}", n % 50, n % 10000,
               n % 2 ? "true" : "false", n % 1000, n % 100, n % 10);
    queue(c, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                   .as.publish = {.topic = bytes_of_text(c->topic),
                                                  .payload = buffer_view(&payload),
                                                  .packet_id = packet_id,
                                                  .qos = 1}});
    c->on_their_way++;
    c->sent_us[packet_id - 1] = now_us();
}

static bool may_send(const struct load *load)
{
    return load->sent < load->how.messages && now_us() < load->end_us;
}

/* ---- bytes in */

static void note_latency(struct load *load, int64_t took_us)
{
    size_t at = (size_t)(load->acknowledged++);
    if (at == load->latency_room) {
        load->latency_room = load->latency_room ? load->latency_room * 2 : 65536;
        load->latencies_us = insist_memory(mem_grow(load->latencies_us, load->latency_room, sizeof *load->latencies_us));
    }
    load->latencies_us[at] = (uint32_t)took_us;
}

static void on_ack(struct client *c, const struct mqtt_ack *ack)
{
    static const struct fault foreign = {ERR_REFUSED, "an acknowledgement for nothing that was sent"};
    struct load *load = c->load;
    if (ack->packet_id > c->window || !c->sent_us[ack->packet_id - 1])
        insist(&foreign, "");
    if (ack->reason < MQTT_UNSPECIFIED_ERROR)
        note_latency(load, now_us() - c->sent_us[ack->packet_id - 1]);
    else if (!load->refused++)
        (void)fprintf(stderr, "mqtt-load: first refusal: %s\n", mqtt_reason_text(ack->reason));
    c->sent_us[ack->packet_id - 1] = 0;
    c->on_their_way--;
    if (may_send(load))
        publish(c, ack->packet_id);
    else if (load->sent == load->acknowledged + load->refused)
        loop_stop(load->loop);
}

static void open_next(struct load *load);

static void on_connack(struct client *c, const struct mqtt_connack *ack)
{
    static const struct fault no = {ERR_REFUSED, "the server refused CONNECT"};
    struct load *load = c->load;
    if (ack->reason)
        insist(&no, mqtt_reason_text(ack->reason));
    c->phase = OPEN;
    c->window = load->how.window;
    if (load->how.version == MQTT_5 && ack->properties.receive_maximum < c->window)
        c->window = ack->properties.receive_maximum;
    if (++load->connected == load->how.connections)
        loop_stop(load->loop);
    open_next(load);
}

static void take_packets(struct client *c)
{
    static const struct fault odd = {ERR_REFUSED, "the server sent what was not asked for"};
    const struct mqtt_dialect dialect = {(enum mqtt_version)c->load->how.version, MQTT_FROM_SERVER};
    struct mqtt_frame frame;
    err e;
    size_t used = 0;
    while (!(e = mqtt_frame(bytes_from(buffer_view(&c->in), used), PACKET_MAX, &frame))) {
        struct mqtt_packet packet;
        insist(mqtt_decode(&frame, dialect, &packet), "");
        if (packet.type == MQTT_PUBACK)
            on_ack(c, &packet.as.ack);
        else if (packet.type == MQTT_CONNACK && c->phase == GREETING)
            on_connack(c, &packet.as.connack);
        else
            insist(&odd, mqtt_type_text(packet.type));
        used += frame.size;
    }
    if (!err_is(e, ERR_AGAIN))
        insist(e, "");
    buffer_consume(&c->in, used);
}

static void read_in(struct client *c)
{
    for (;;) {
        size_t got = 0;
        uint8_t *room = insist_memory(buffer_reserve(&c->in, READ_CHUNK));
        err e = tls_read(c->tls, room, READ_CHUNK, &got);
        if (err_is(e, ERR_AGAIN))
            return;
        insist(e, tls_trouble(c->tls));
        buffer_filled(&c->in, got);
        take_packets(c);
    }
}

/* ---- connections */

static void ready(struct watcher *watcher, uint32_t events)
{
    struct client *c = CONTAINER(watcher, struct client, watcher);
    if (c->phase == CONNECTING) {
        insist(socket_connected(watcher->fd), "");
        c->phase = SHAKING_HANDS;
    }
    if (c->phase == SHAKING_HANDS) {
        err e = tls_handshake(c->tls);
        if (err_is(e, ERR_AGAIN)) {
            watch(c, tls_wants(c->tls));
            return;
        }
        insist(e, tls_trouble(c->tls));
        c->phase = GREETING;
        greet(c);
    }
    read_in(c);
    flush(c);
}

static void open_next(struct load *load)
{
    if (load->opened == load->how.connections)
        return;
    struct client *c = &load->clients[load->opened];
    long device = load->opened++ % load->how.devices;
    *c = (struct client){.watcher = {-1, ready}, .load = load, .in.max = BUFFER_MAX, .out.max = BUFFER_MAX};
    c->sent_us = insist_memory(mem_take((size_t)load->how.window, sizeof *c->sent_us));
    (void)snprintf(c->topic, sizeof c->topic, "devices/%s%ld/telemetry", load->how.prefix, device);
    insist(socket_connect(load->how.host, (uint16_t)load->how.port, &c->watcher.fd), "");
    insist(tls_open(load->identities[device], c->watcher.fd, &c->tls), "");
    c->watched = EPOLLOUT;
    insist(loop_watch(load->loop, &c->watcher, c->watched), "");
}

static void read_identity(struct load *load, long number, struct bytes anchors)
{
    SCOPED(buffer_drop) struct buffer chain = {.max = 65536};
    SCOPED(buffer_wipe) struct buffer key = {.max = 65536};
    char path[NAME_ROOM];
    (void)snprintf(path, sizeof path, "%s/%s%ld.pem", load->how.folder, load->how.prefix, number);
    insist(file_read(path, &chain), path);
    (void)snprintf(path, sizeof path, "%s/%s%ld.key", load->how.folder, load->how.prefix, number);
    insist(file_read(path, &key), path);
    const struct tls_options options = {.chain_pem = buffer_view(&chain), .key_pem = buffer_view(&key),
                                        .anchors_pem = anchors, .server_name = load->how.host};
    insist(tls_context_client(&options, &load->identities[number]), path);
}

static void connect_all(struct load *load)
{
    SCOPED(buffer_drop) struct buffer anchors = {.max = 65536};
    insist(file_read(load->how.ca, &anchors), load->how.ca);
    insist(loop_open(machine_clock(), 16, &load->loop), "");
    load->identities = insist_memory(mem_take((size_t)load->how.devices, sizeof(struct tls_context *)));
    load->clients = insist_memory(mem_take((size_t)load->how.connections, sizeof *load->clients));
    for (long i = 0; i < load->how.devices; i++)
        read_identity(load, i, buffer_view(&anchors));
    for (int i = 0; i < ARRIVING_MAX; i++)
        open_next(load);
    insist(loop_run(load->loop), "");
    if (!load->how.wait)
        return;
    char line[16];
    (void)puts("ready");
    (void)fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
}

/* ---- the run and its result */

static void run(struct load *load)
{
    load->start_us = now_us();
    load->end_us = load->start_us + load->how.seconds * 1000000;
    for (long i = 0; i < load->how.connections; i++) {
        struct client *c = &load->clients[i];
        for (long slot = 0; slot < c->window && may_send(load); slot++)
            publish(c, (uint16_t)(slot + 1));
        flush(c);
    }
    if (load->sent)
        insist(loop_run(load->loop), "");
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *load, double share)
{
    size_t count = (size_t)load->acknowledged;
    size_t at = (size_t)(share * (double)count);
    return count ? load->latencies_us[at < count ? at : count - 1] : 0;
}

static void tell(const struct load *load)
{
    static const char text[] = "%ld connections, MQTT version %ld, window %ld: %ld messages acknowledged, %ld refused in %.2f s: "
                               "%.0f messages/s\nacknowledged after (us): half %u, 90 %% %u, 99 %% %u, 99.9 %% %u, all %u; "
                               "%.2f CPU seconds of this program\n";
    static const char json[] = "{\"connections\":%ld,\"version\":%ld,\"window\":%ld,\"acknowledged\":%ld,\"refused\":%ld,"
                               "\"seconds\":%.3f,\"per_second\":%.1f,\"latency_us\":{\"p50\":%u,\"p90\":%u,\"p99\":%u,"
                               "\"p999\":%u,\"max\":%u},\"cpu_seconds\":%.3f}\n";
    const char *const format[] = {text, json};
    double took = (double)(now_us() - load->start_us) / 1e6;
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    if (load->acknowledged)
        qsort(load->latencies_us, (size_t)load->acknowledged, sizeof *load->latencies_us, by_size);
    double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)printf(format[load->how.json], load->how.connections, load->how.version, load->how.window, load->acknowledged,
                 load->refused, took, (double)load->acknowledged / took, percentile(load, .5), percentile(load, .9),
                 percentile(load, .99), percentile(load, .999), percentile(load, 1), cpu);
#pragma GCC diagnostic pop
}

static void usage(void)
{
    (void)fputs("usage: mqtt-load --port N --ca FILE --certificates FOLDER [--devices N] [--connections N] [--messages N]\n"
                "                 [--seconds N] [--window N] [--version 4|5] [--host NAME] [--prefix NAME] [--wait] [--json]\n",
                stderr);
    exit(2);
}

enum option_place { HOST, CA, FOLDER, PREFIX, TEXTS, PORT = TEXTS, DEVICES, CONNECTIONS, MESSAGES, SECONDS, WINDOW, VERSION, WAIT, JSON };

static struct wishes read_wishes(int argc, char **argv)
{
    static const struct option known[] = {
        {"host", 1, NULL, HOST},         {"ca", 1, NULL, CA},           {"certificates", 1, NULL, FOLDER},
        {"prefix", 1, NULL, PREFIX},     {"port", 1, NULL, PORT},       {"devices", 1, NULL, DEVICES},
        {"connections", 1, NULL, CONNECTIONS}, {"messages", 1, NULL, MESSAGES}, {"seconds", 1, NULL, SECONDS},
        {"window", 1, NULL, WINDOW},     {"version", 1, NULL, VERSION}, {"wait", 0, NULL, WAIT},
        {"json", 0, NULL, JSON},         {0}};
    struct wishes w = {.host = "localhost", .prefix = "load-", .devices = 1, .connections = 1, .messages = 100000000,
                       .seconds = 10, .window = 20, .version = 5};
    const char **texts[] = {[HOST] = &w.host, [CA] = &w.ca, [FOLDER] = &w.folder, [PREFIX] = &w.prefix};
    long *numbers[] = {[PORT] = &w.port,       [DEVICES] = &w.devices, [CONNECTIONS] = &w.connections,
                       [MESSAGES] = &w.messages, [SECONDS] = &w.seconds, [WINDOW] = &w.window, [VERSION] = &w.version};
    int place;
    while ((place = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (place == '?')
            usage();
        else if (place == WAIT)
            w.wait = true;
        else if (place == JSON)
            w.json = true;
        else if (place < TEXTS)
            *texts[place] = optarg;
        else
            *numbers[place] = strtol(optarg, NULL, 10);
    }
    bool possible = w.ca && w.folder && w.port > 0 && w.devices > 0 && w.connections > 0 && w.messages >= 0 &&
                    w.seconds >= 0 && w.window > 0 && w.window < 65535 && (w.version == MQTT_3_1_1 || w.version == MQTT_5);
    if (!possible || optind < argc)
        usage();
    return w;
}

int main(int argc, char **argv)
{
    struct load load = {.how = read_wishes(argc, argv)};
    insist(tls_prepare(), "");
    connect_all(&load);
    run(&load);
    tell(&load);
    return load.refused > 0;
}
