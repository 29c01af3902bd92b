/* A load on an MQTT server: messages in several shapes, idle crowds, handshakes. `mqtt-bench` alone says how it is
 * used. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_bench.h"

#include "base/memory.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct client_options client_options_of(const struct wishes *how)
{
    int tls = !how->tls ? 0 : !strcmp(how->tls, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
    return (struct client_options){.host = how->host,
                                   .port = (uint16_t)how->port,
                                   .sources = (unsigned)how->sources,
                                   .version = (unsigned)how->version,
                                   .keep_alive = 1200,
                                   .prefix = how->prefix,
                                   .ca = how->ca,
                                   .folder = how->folder,
                                   .devices = (unsigned)how->devices,
                                   .tls_version = tls};
}

int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double own_cpu_seconds(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

void wait_for_word(const struct wishes *how)
{
    char line[16];
    if (!how->wait)
        return;
    (void)puts("ready");
    (void)fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
}

/* ---- the command line */

/* What a scene is when nothing else is said. */
static const struct scene {
    const char *name, *sentence;
    enum scene_kind kind;
    long publishers, subscribers, qos;
    bool (*run)(const struct wishes *how);
} scenes[] = {
    {"fan-in", "many publish to one topic, few subscribe to it", SCENE_FAN_IN, 50, 1, 0, run_messages},
    {"fan-out", "one publishes, many subscribe", SCENE_FAN_OUT, 1, 500, 0, run_messages},
    {"pairs", "as many subscribers as publishers, each with a topic of its own", SCENE_PAIRS, 100, 100, 0,
     run_messages},
    {"durable", "telemetry of devices, which nobody reads: each waits for its acknowledgement", SCENE_DURABLE, 1, 0, 1,
     run_messages},
    {"idle", "connections that do nothing", SCENE_IDLE, 0, 0, 0, run_idle},
    {"handshakes", "connections that come and go", SCENE_HANDSHAKES, 0, 0, 0, run_handshakes},
};
enum { SCENES = sizeof scenes / sizeof *scenes };

static struct wishes wishes = {.host = "127.0.0.1",
                               .prefix = "load-",
                               .version = 5,
                               .devices = 1,
                               .batch = 1,
                               .size = 16,
                               .seconds = 10,
                               .connections = 1000,
                               .publishers = -1,
                               .subscribers = -1,
                               .qos = -1,
                               .window = -1};

static const struct flag {
    const char *name;
    const char **text;
    long *number; /* a truth when `value` is NULL */
    const char *value, *sentence;
} flags[] = {
    {"host", &wishes.host, NULL, "ADDRESS", "IPv4; 127.0.0.1"},
    {"port", NULL, &wishes.port, "N", ""},
    {"version", NULL, &wishes.version, "4|5", "of MQTT: 4 is 3.1.1; 5"},
    {"ca", &wishes.ca, NULL, "FILE", "TLS, with this authority; the server is \"localhost\""},
    {"certificates", &wishes.folder, NULL, "FOLDER", "of PREFIX<i>.pem and PREFIX<i>.key"},
    {"prefix", &wishes.prefix, NULL, "TEXT", "of client ids and of these files; load-"},
    {"devices", NULL, &wishes.devices, "N", "certificates there; client i shows that of device i % N"},
    {"tls", &wishes.tls, NULL, "1.2|1.3", "only this version"},
    {"sources", NULL, &wishes.sources, "N", "come from 127.0.0.1 to 127.0.0.N in turn"},
    {"publishers", NULL, &wishes.publishers, "N", ""},
    {"subscribers", NULL, &wishes.subscribers, "N", ""},
    {"qos", NULL, &wishes.qos, "0|1", "of publishers and subscribers"},
    {"batch", NULL, &wishes.batch, "N", "packets in one write, up to 64; 1"},
    {"window", NULL, &wishes.window, "N",
     "messages of one publisher on their way; 8, with QoS 1 20, at least twice the batch"},
    {"size", NULL, &wishes.size, "BYTES", "of a payload, 16 to 1024; 16"},
    {"rate", NULL, &wishes.rate, "N", "messages per second of all publishers; 0: as fast as the window lets"},
    {"seconds", NULL, &wishes.seconds, "N", "10"},
    {"messages", NULL, &wishes.messages, "N", "stop after so many"},
    {"ballast", NULL, &wishes.ballast, "N", "subscriptions to other topics, before the run"},
    {"connections", NULL, &wishes.connections, "N", "for idle and handshakes; 1000"},
    {"resumed", NULL, &wishes.resumed, NULL, "handshakes with the ticket of the one before"},
    {"own", NULL, &wishes.own, NULL, "topics below the devices' own, for pairs of which each is one device"},
    {"wait", NULL, &wishes.wait, NULL, "say \"ready\" before the run and wait for a line"},
    {"json", NULL, &wishes.json, NULL, "the result as one JSON object"},
};
enum { FLAGS = sizeof flags / sizeof *flags };

_Noreturn static void usage(void)
{
    (void)fputs("usage: mqtt-bench SCENE --port N [OPTION...]\n\nscenes:\n", stderr);
    for (size_t i = 0; i < SCENES; i++)
        (void)fprintf(stderr, "  %-11s %s\n", scenes[i].name, scenes[i].sentence);
    (void)fputs("\noptions:\n", stderr);
    for (size_t i = 0; i < FLAGS; i++)
        (void)fprintf(stderr, "  --%-12s %-8s %s\n", flags[i].name, flags[i].value ? flags[i].value : "",
                      flags[i].sentence);
    exit(2);
}

static void read_flags(int argc, char **argv)
{
    struct option known[FLAGS + 1] = {0};
    for (int i = 0; i < FLAGS; i++)
        known[i] = (struct option){flags[i].name, flags[i].value != NULL, NULL, i};
    int place;
    while ((place = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (place < 0 || place >= FLAGS)
            usage();
        if (flags[place].text)
            *flags[place].text = optarg;
        else
            *flags[place].number = flags[place].value ? strtol(optarg, NULL, 10) : 1;
    }
    if (optind < argc)
        usage();
}

static void fill_in(const struct scene *scene)
{
    wishes.scene = scene->kind;
    wishes.publishers = wishes.publishers < 0 ? scene->publishers : wishes.publishers;
    wishes.subscribers = wishes.subscribers < 0 ? scene->subscribers : wishes.subscribers;
    wishes.qos = wishes.qos < 0 ? scene->qos : wishes.qos;
    if (wishes.window < 0)
        wishes.window = wishes.batch > 4 ? 2 * wishes.batch : wishes.qos ? 20 : 8;
    if (wishes.window < wishes.batch)
        wishes.window = wishes.batch;
    bool possible = wishes.port > 0 && wishes.port < 65536 && (wishes.version == 4 || wishes.version == 5) &&
                    wishes.devices > 0 && wishes.publishers >= 0 && wishes.subscribers >= 0 &&
                    (wishes.qos == 0 || wishes.qos == 1) && wishes.batch > 0 && wishes.batch <= 64 &&
                    wishes.window < 65535 && wishes.size >= 16 && wishes.size <= 1024 && wishes.rate >= 0 &&
                    wishes.connections > 0 && wishes.ballast >= 0 &&
                    (scene->kind != SCENE_PAIRS || wishes.publishers == wishes.subscribers) &&
                    (!wishes.own || wishes.publishers == wishes.devices);
    if (!possible)
        usage();
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < SCENES; i++)
        if (!strcmp(argv[1], scenes[i].name)) {
            read_flags(argc - 1, argv + 1);
            fill_in(&scenes[i]);
            raise_descriptors();
            return !scenes[i].run(&wishes);
        }
    usage();
}
