/* How fast the store is: durable writes through the clerk, in batches of 1, 100 and 1,000 messages, and reads; then messages
 * that are kept for clients until they are delivered.
 *
 *   store-bench FOLDER [DEVICES [METRICS [SECONDS]]]     FOLDER is made, used and left behind
 *
 * A message is METRICS samples of one device with one time, as a device sends them. Every message waits for its commit;
 * the number of messages on their way is the batch. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"
#include "os/file.h"
#include "os/mailbox.h"
#include "store/clerk.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { WINDOW_MAX = 1000, METRICS_ROOM = 64 };

struct bench {
    struct store_writer *writer;
    struct store_reader *reader;
    struct clerk *clerk;
    struct mailbox *home;
    struct recorder *recorder;
    long devices, metrics;
    int64_t seconds;
    int64_t sent, answered;
};

struct job {
    struct errand errand;
    struct bench *bench;
};

static void insist(err e)
{
    if (!e)
        return;
    (void)fprintf(stderr, "store-bench: %s\n", e->text);
    exit(1);
}

static int64_t now_us(void)
{
    return wall_us(machine_clock());
}

static double cpu_seconds(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* Bytes handed to write(2) so far. */
static double written_bytes(void)
{
    char line[128];
    double bytes = 0;
    FILE *io = fopen("/proc/self/io", "r");
    while (io && fgets(line, sizeof line, io))
        if (strncmp(line, "wchar: ", 7) == 0)
            bytes = strtod(line + 7, NULL);
    if (io)
        (void)fclose(io);
    return bytes;
}

static void device_name(char out[DEVICE_ID_MAX + 1], long number)
{
    (void)snprintf(out, DEVICE_ID_MAX + 1, "device-%06ld", number);
}

static struct write *message(const struct bench *b)
{
    static const char *const names[] = {"cpu.load", "memory.used", "disk.used", "net.rx", "net.tx", "temperature"};
    struct sample samples[METRICS_ROOM];
    char device[DEVICE_ID_MAX + 1], metrics[METRICS_ROOM][24];
    int64_t now = now_us();
    for (long i = 0; i < b->metrics; i++) {
        (void)snprintf(metrics[i], sizeof metrics[i], "%s.%ld", names[i % 6], i / 6);
        samples[i] = (struct sample){.metric = bytes_of_text(metrics[i]), .time_us = now, .kind = SAMPLE_NUMBER,
                                     .value.number = (double)(now % 1000) / 7};
    }
    device_name(device, b->sent % b->devices);
    return write_samples(device, (struct samples){samples, (size_t)b->metrics}, now);
}

static void answered(struct errand *errand)
{
    insist(errand->result.failed);
    ((struct job *)errand)->bench->answered++;
}

static void send_one(struct bench *b, struct job *job)
{
    job->bench = b;
    job->errand.write = message(b);
    job->errand.done = answered;
    insist(b->recorder->post(b->recorder, &job->errand));
    b->sent++;
}

/* Sends `batch` messages and waits for all answers, over and over: the clerk commits them in one or two groups. */
static void measure(struct bench *b, int64_t batch)
{
    static struct job jobs[WINDOW_MAX];
    struct clerk_health before, after;
    clerk_read_health(b->clerk, &before);
    int64_t start = now_us(), end = start + b->seconds * 1000000, from = b->answered;
    double cpu = cpu_seconds(), bytes = written_bytes();
    while (now_us() < end) {
        int64_t wanted = b->answered + batch;
        for (int64_t i = 0; i < batch; i++)
            send_one(b, &jobs[i]);
        while (b->answered < wanted) {
            struct mail *mail = mailbox_take(b->home, -1);
            if (mail)
                mail->open(mail);
            (void)mailbox_deliver(b->home);
        }
    }
    double took = (double)(now_us() - start) / 1e6, messages = (double)(b->answered - from);
    clerk_read_health(b->clerk, &after);
    (void)printf("%5lld in flight: %9.0f messages/s %9.0f samples/s %8.1f us/message %6.2f us CPU/sample "
                 "%7.0f bytes/sample %6.1f messages/commit, longest %lld ms\n",
                 (long long)batch, messages / took, messages * (double)b->metrics / took, took * 1e6 / messages,
                 (cpu_seconds() - cpu) * 1e6 / messages / (double)b->metrics,
                 (written_bytes() - bytes) / messages / (double)b->metrics,
                 messages / (double)(after.commits - before.commits), (long long)after.commit_us_max / 1000);
}

/* --- deliveries --- */

enum { SESSIONS = 100, FAN_OUT = 100, PAYLOAD = 100 };

static void add_sessions(struct bench *b)
{
    struct write_result result;
    char client_id[24];
    insist(b->writer->begin(b->writer));
    for (uint64_t i = 1; i <= SESSIONS; i++) {
        (void)snprintf(client_id, sizeof client_id, "client-%llu", (unsigned long long)i);
        const struct client_record c = {
            .number = i, .who = {PRINCIPAL_OPERATOR, "bench"}, .client_id = bytes_of_text(client_id)};
        struct write *w = write_client(&c, 1);
        insist(b->writer->apply(b->writer, w, &result));
        write_drop(w);
    }
    insist(b->writer->commit(b->writer));
}

/* Of message n: one to `fan_out` sessions from n on, round and round. */
static struct client_delivery delivery_of(int64_t n, int64_t fan_out, int64_t i)
{
    return (struct client_delivery){.session = (uint64_t)((n + i) % SESSIONS) + 1, .number = (uint64_t)(n * fan_out + i + 1),
                                    .qos = 1};
}

static struct write *queue_message(struct message *message, int64_t n, int64_t fan_out)
{
    struct client_delivery at[FAN_OUT];
    for (int64_t i = 0; i < fan_out; i++)
        at[i] = delivery_of(n, fan_out, i);
    return write_deliveries(message, at, (size_t)fan_out, 1);
}

static struct write *end_delivery(const struct client_delivery *d)
{
    const struct write w = {.kind = WRITE_DELIVERED, .as.delivery = {d->session, d->number}};
    return write_plain(&w);
}

static void post(struct bench *b, struct job *job, struct write *w)
{
    job->bench = b;
    job->errand.write = w;
    job->errand.done = answered;
    insist(b->recorder->post(b->recorder, &job->errand));
    b->sent++;
}

static void await(struct bench *b)
{
    while (b->answered < b->sent) {
        struct mail *mail = mailbox_take(b->home, -1);
        if (mail)
            mail->open(mail);
        (void)mailbox_deliver(b->home);
    }
}

/* Each round queues `batch` deliveries and waits, then ends them and waits: both are durable. */
static void measure_deliveries(struct bench *b, int64_t batch, int64_t fan_out)
{
    static struct job jobs[WINDOW_MAX];
    static int64_t next; /* a number is never given twice */
    uint8_t payload[PAYLOAD] = {0};
    struct message *message = message_make(
        &(struct message_parts){.topic = BYTES("plant/line/7/orders"), .payload = bytes_of(payload, sizeof payload), .qos = 1});
    int64_t start = now_us(), end = start + b->seconds * 1000000, done = 0;
    double cpu = cpu_seconds(), bytes = written_bytes();
    for (; now_us() < end; next += batch / fan_out, done += batch) {
        for (int64_t n = 0; n < batch / fan_out; n++)
            post(b, &jobs[n], queue_message(message, next + n, fan_out));
        await(b);
        for (int64_t n = 0; n < batch; n++) {
            const struct client_delivery d = delivery_of(next + n / fan_out, fan_out, n % fan_out);
            post(b, &jobs[n], end_delivery(&d));
        }
        await(b);
    }
    double took = (double)(now_us() - start) / 1e6;
    (void)printf("%5lld in flight, each to %3lld: %9.0f deliveries/s queued and ended %6.2f s CPU/million %7.0f bytes/delivery\n",
                 (long long)batch, (long long)fan_out, (double)done / took, (cpu_seconds() - cpu) * 1e6 / (double)done,
                 (written_bytes() - bytes) / (double)done);
    message_drop(message);
}

/* --- reads --- */

struct counted {
    struct sample_rows rows;
    size_t count;
};

static bool count_row(struct sample_rows *rows, const struct sample *sample)
{
    ((struct counted *)rows)->count++;
    return true;
}

static void measure_reads(struct bench *b)
{
    enum { TIMES = 200 };
    struct counted latest = {.rows = {count_row}}, points = {.rows = {count_row}};
    char device[DEVICE_ID_MAX + 1];
    int64_t start = now_us();
    for (long i = 0; i < TIMES; i++) {
        device_name(device, i % b->devices);
        insist(b->reader->latest(b->reader, bytes_of_text(device), &latest.rows));
    }
    int64_t middle = now_us();
    for (long i = 0; i < TIMES; i++) {
        device_name(device, i % b->devices);
        const struct series_query q = {bytes_of_text(device), BYTES("cpu.load.0"), 0, INT64_MAX, 1000};
        insist(b->reader->series(b->reader, &q, &points.rows));
    }
    (void)printf("latest: %.0f us for %zu values; series: %.0f us for %zu points\n", (double)(middle - start) / TIMES,
                 latest.count / TIMES, (double)(now_us() - middle) / TIMES, points.count / TIMES);
}

static void enrol_all(struct bench *b)
{
    struct write token = {.kind = WRITE_TOKEN,
                          .now_us = 1,
                          .as.token = {.id = "bench", .group = "bench", .expires_us = INT64_MAX, .made_by = "bench"}};
    token.as.token.uses_left = token.as.token.uses_total = (uint32_t)b->devices;
    struct write_result result;
    insist(b->writer->begin(b->writer));
    insist(b->writer->apply(b->writer, &token, &result));
    for (long i = 0; i < b->devices; i++) {
        struct write enrolment = {.kind = WRITE_ENROLMENT, .now_us = 2};
        device_name(enrolment.as.enrolment.device.id, i);
        insist(b->writer->apply(b->writer, &enrolment, &result));
    }
    insist(b->writer->commit(b->writer));
}

static long argument(char **argv, int argc, int place, long otherwise)
{
    return argc > place ? strtol(argv[place], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench b = {.devices = argument(argv, argc, 2, 1000),
                      .metrics = argument(argv, argc, 3, 10),
                      .seconds = argument(argv, argc, 4, 5)};
    if (argc < 2 || b.devices < 1 || b.metrics < 1 || b.metrics > METRICS_ROOM || b.seconds < 1) {
        (void)fprintf(stderr, "usage: store-bench FOLDER [DEVICES [METRICS [SECONDS]]]\n");
        return 2;
    }
    insist(folder_make(argv[1], 0700));
    const struct sqlite_options options = {.folder = argv[1]};
    insist(sqlite_writer_open(&options, &b.writer));
    insist(sqlite_reader_open(&options, &b.reader));
    enrol_all(&b);
    add_sessions(&b);
    const struct clerk_options how = {
        .writer = b.writer, .clock = machine_clock(), .queue_max = 2 * WINDOW_MAX, .batch_max = WINDOW_MAX};
    insist(clerk_start(&how, &b.clerk));
    insist(mailbox_open(WINDOW_MAX, &b.home));
    insist(clerk_recorder(b.clerk, b.home, &b.recorder));
    (void)printf("%ld devices, %ld metrics in a message\n", b.devices, b.metrics);
    measure(&b, 1);
    measure(&b, 100);
    measure(&b, WINDOW_MAX);
    measure_reads(&b);
    measure_deliveries(&b, 1, 1);
    measure_deliveries(&b, 100, 1);
    measure_deliveries(&b, WINDOW_MAX, 1);
    measure_deliveries(&b, WINDOW_MAX, FAN_OUT);
    clerk_close(b.clerk);
    mailbox_close(b.home);
    b.reader->close(b.reader);
    b.writer->close(b.writer);
    return 0;
}
