/* What the tests of sudden ends share: a server's store side in a child that is killed. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/world.h"

#include "os/clock.h"
#include "os/mailbox.h"
#include "store/clerk.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

enum { WINDOW = 64 }; /* errands on their way */

/* The child cannot use cmocka's assertions: it says what was wrong by its exit status. */
#define MUST_HOLD(claim)                                                                                               \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim);                                          \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

struct server {
    struct kept_sink sink;
    sem_t kept;
    struct store_writer *writer;
    struct clerk *clerk;
    struct mailbox *home;
    struct recorder *recorder;
};

static inline void event_kept(struct kept_sink *sink, const struct event *event)
{
    (void)sem_post(&((struct server *)sink)->kept);
}

static inline void server_open(struct server *s, const char *folder)
{
    s->sink = (struct kept_sink){.event = event_kept};
    MUST_HOLD(!sem_init(&s->kept, 0, 0));
    const struct sqlite_options options = {.folder = folder};
    MUST_HOLD(!sqlite_writer_open(&options, &s->writer));
    const struct clerk_options how = {
        .writer = s->writer, .clock = machine_clock(), .sink = &s->sink, .queue_max = WINDOW * 2, .batch_max = 16};
    MUST_HOLD(!clerk_start(&how, &s->clerk));
    MUST_HOLD(!mailbox_open(WINDOW * 2, &s->home));
    MUST_HOLD(!clerk_recorder(s->clerk, s->home, &s->recorder));
}

static inline void server_close(struct server *s)
{
    clerk_close(s->clerk);
    mailbox_close(s->home);
    MUST_HOLD(!sqlite_writer_check(s->writer));
    s->writer->close(s->writer);
}

static inline uint64_t roll(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline uint64_t seed_of_the_day(void)
{
    const char *given = getenv("HOLDFAST_SEED");
    uint64_t seed;
    machine_dice()->fill(machine_dice(), (uint8_t *)&seed, sizeof seed);
    seed = (given ? strtoull(given, NULL, 10) : seed) | 1;
    print_message("seed %llu (HOLDFAST_SEED repeats it)\n", (unsigned long long)seed);
    return seed;
}
