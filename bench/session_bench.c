/* How fast session state is, without doors and store: the outbox's and the inbox's rounds, and retained messages.
 *
 *   session-bench [TOPICS]     retained topics; 1,000,000 unless said */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "os/clock.h"
#include "session/inbox.h"
#include "session/outbox.h"
#include "session/retained.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 20000000, SESSIONS = 100000 };

static void insist(err e)
{
    if (!e)
        return;
    (void)fprintf(stderr, "session-bench: %s\n", e->text);
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static size_t taken(void)
{
    struct mallinfo2 use = mallinfo2();
    return use.uordblks + use.hblkhd;
}

static struct message *make(const char *topic, const char *payload)
{
    struct message_parts parts = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload)};
    struct message *m = message_make(&parts);
    if (!m)
        exit(1);
    return m;
}

/* ---- the outbox */

static uint64_t add(struct outbox *o, struct message *m, uint8_t qos)
{
    struct delivery d = {.message = m, .qos = qos, .state = DELIVERY_WAITING};
    uint64_t number;
    insist(outbox_add(o, &d, &number));
    return number;
}

static void send_next(struct outbox *o)
{
    uint64_t number;
    if (outbox_next(o, UINT16_MAX, &number))
        outbox_sent(o, number);
}

/* `window` are under way; the oldest is acknowledged by its packet identifier before the next one goes. */
static void rounds(struct message *m, uint32_t window, const char *what)
{
    struct outbox o = {.last = 0};
    uint64_t number, done = 0;
    for (uint32_t i = 0; i < window - 1; i++) {
        (void)add(&o, m, 1);
        send_next(&o);
    }
    double start = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        (void)add(&o, m, 1);
        send_next(&o);
        if (outbox_find(&o, outbox_packet_id(++done), &number))
            outbox_done(&o, number);
    }
    (void)printf("outbox, QoS 1, %5u under way, %s: %.1f ns\n", window, what, (cpu_ns() - start) / ROUNDS);
    outbox_close(&o);
}

static void rounds_in_any_order(struct message *m)
{
    struct outbox o = {.last = 0};
    uint64_t number;
    uint32_t times = ROUNDS / OUTBOX_SPAN_MAX;
    double start = cpu_ns();
    for (uint32_t t = 0; t < times; t++) {
        for (uint32_t i = 0; i < OUTBOX_SPAN_MAX; i++) {
            (void)add(&o, m, 1);
            send_next(&o);
        }
        for (uint32_t i = 0, at = 0; i < OUTBOX_SPAN_MAX; i++, at = (at + 40009) % OUTBOX_SPAN_MAX)
            if (outbox_find(&o, (uint16_t)(at + 1), &number))
                outbox_done(&o, number);
    }
    (void)printf("outbox, QoS 1, 65535 under way, in any order: %.1f ns\n",
                 (cpu_ns() - start) / times / OUTBOX_SPAN_MAX);
    outbox_close(&o);
}

static void rounds_qos_0(struct message *m)
{
    struct outbox o = {.last = 0};
    double start = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        (void)add(&o, m, 0);
        send_next(&o);
    }
    (void)printf("outbox, QoS 0: %.1f ns\n", (cpu_ns() - start) / ROUNDS);
    outbox_close(&o);
}

static void rounds_share(struct message *m)
{
    double start = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++)
        message_drop(message_share(m));
    (void)printf("of that, a message shared and dropped: %.1f ns\n", (cpu_ns() - start) / ROUNDS);
}

/* One message to many sessions, each with memory of its own, as a fan-out has it. */
static void fan_out(struct message *m)
{
    struct outbox *all = calloc(SESSIONS, sizeof *all);
    uint64_t number;
    if (!all)
        exit(1);
    size_t before = taken();
    for (int round = 0; round < 3; round++) {
        double start = cpu_ns();
        for (uint32_t i = 0; i < SESSIONS; i++) {
            (void)add(&all[i], m, 1);
            send_next(&all[i]);
        }
        for (uint32_t i = 0; i < SESSIONS; i++)
            if (outbox_find(&all[i], outbox_packet_id(all[i].last), &number))
                outbox_done(&all[i], number);
        (void)printf("outbox, one message to %d sessions, %s: %.1f ns\n", SESSIONS, round ? "with its ring" : "first",
                     (cpu_ns() - start) / SESSIONS);
    }
    (void)printf("outbox, memory of one: %zu B, and %.0f B of a ring while it is busy\n", sizeof *all,
                 (double)(taken() - before) / SESSIONS);
    for (uint32_t i = 0; i < SESSIONS; i++)
        outbox_rest(&all[i]);
    (void)printf("outbox, at rest: %.0f B more\n", (double)(taken() - before) / SESSIONS);
    free(all);
}

/* ---- the inbox */

static void receive(uint32_t window)
{
    struct inbox in = {.count = 0};
    uint32_t times = window > 1000 ? ROUNDS / 100 : ROUNDS / 4;
    for (uint32_t i = 0; i < window - 1; i++)
        insist(inbox_put(&in, (uint16_t)(i % 65535 + 1), INBOX_ARRIVING));
    double start = cpu_ns();
    for (uint32_t i = 0, at = window - 1; i < times; i++, at++) {
        uint16_t id = (uint16_t)(at % 65535 + 1), oldest = (uint16_t)((at - window + 1) % 65535 + 1);
        if (!inbox_find(&in, id))
            insist(inbox_put(&in, id, INBOX_ARRIVING));
        insist(inbox_put(&in, id, INBOX_RECEIVED));
        insist(inbox_put(&in, oldest, INBOX_LEAVING));
        inbox_remove(&in, oldest);
    }
    (void)printf("inbox, %5u identifiers at once: %.1f ns\n", window, (cpu_ns() - start) / times);
    inbox_close(&in);
}

/* ---- retained messages */

struct tally {
    struct retained_visitor visitor;
    size_t count;
};

static bool count_it(struct retained_visitor *self, struct message *m)
{
    CONTAINER(self, struct tally, visitor)->count++;
    return true;
}

static void ask(struct retained *r, const char *filter, size_t times)
{
    struct tally t = {.visitor.found = count_it};
    double start = cpu_ns();
    for (size_t i = 0; i < times; i++)
        retained_match(r, bytes_of_text(filter), 1, &t.visitor);
    double ns = (cpu_ns() - start) / (double)times;
    (void)printf("retained, %-24s %8zu found: %12.0f ns, each %.0f ns\n", filter, t.count / times, ns,
                 t.count ? ns * (double)times / (double)t.count : 0);
}

static void retain(size_t topics)
{
    const struct retained_limits limits = {SIZE_MAX, SIZE_MAX};
    struct retained *r;
    struct message **all = calloc(topics, sizeof *all);
    char topic[64];
    double slowest = 0;
    if (!all)
        exit(1);
    for (size_t i = 0; i < topics; i++) {
        (void)snprintf(topic, sizeof topic, "devices/d%06zu/twin/desired", i);
        all[i] = make(topic, "{\"interval\":30}");
    }
    insist(retained_open(&limits, 1, &r));
    size_t before = taken();
    double start = cpu_ns();
    for (size_t i = 0; i < topics; i++) {
        double one = cpu_ns();
        insist(retained_put(r, all[i]));
        one = cpu_ns() - one;
        if (one > slowest)
            slowest = one;
    }
    (void)printf("retained, %zu topics put: each %.0f ns, the slowest %.0f us, %.0f B each beside the message\n",
                 topics, (cpu_ns() - start) / (double)topics, slowest / 1000,
                 (double)(taken() - before) / (double)topics);
    start = cpu_ns();
    for (size_t i = 0; i < topics; i++)
        insist(retained_put(r, all[i * 7919 % topics]));
    (void)printf("retained, put again in any order: each %.0f ns\n", (cpu_ns() - start) / (double)topics);
    ask(r, "devices/d000500/twin/desired", 1000000);
    ask(r, "devices/d000500/#", 1000000);
    ask(r, "devices/d000500/twin/+", 1000000);
    ask(r, "+/d000500/twin/desired", 1000000);
    ask(r, "devices/none/#", 1000000);
    ask(r, "devices/+/twin/desired", 1);
    ask(r, "#", 1);
    retained_close(r);
    for (size_t i = 0; i < topics; i++)
        message_drop(all[i]);
    free(all);
}

int main(int argc, char **argv)
{
    long topics = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    if (topics < 1000 || topics > 100000000) {
        (void)fprintf(stderr, "usage: session-bench [TOPICS]     at least 1000\n");
        return 2;
    }
    struct message *m = make("devices/d1/commands/reboot/7", "{\"delay\":5}");
    (void)printf("CPU time for each delivery, from add over next and sent to done\n");
    rounds(m, 1, "in order");
    rounds(m, 20, "in order");
    rounds(m, 65535, "in order");
    rounds_in_any_order(m);
    rounds_qos_0(m);
    rounds_share(m);
    fan_out(m);
    message_drop(m);
    receive(1);
    receive(20);
    receive(1000);
    receive(60000);
    retain((size_t)topics);
    return 0;
}
