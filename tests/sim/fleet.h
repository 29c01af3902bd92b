/* A simulated fleet: the real doors, flow, policy, quotas, inspection, dispatch between two loops and store, under a clock,
 * peers and a store thread that are played. One seed decides everything. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../door/mqtt_peer.h"

#include "base/text.h"
#include "door/mqtt.h"
#include "door/mqtt_session.h"
#include "guard/inspection.h"
#include "guard/policy.h"
#include "guard/quota.h"
#include "prog/server/dispatch.h"
#include "session/retained.h"
#include "store/memory.h"

#include <inttypes.h>
#include <string.h>

enum {
    LOOPS = 2,
    DEVICES = 10,
    OPERATORS = 2,
    LINES = 2 * DEVICES + OPERATORS, /* two connections for each device */
    WAITING_MAX = 40,                /* writes that the recorder takes */
    OPEN_MAX = 64,                   /* unacknowledged publishes that a peer remembers */
    MAILBOX_MAX = 8,                 /* mails that wait for a loop */
};

/* Ends the run and says how to see it again. */
#define holds(w, what)                                                                                                 \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: HOLDFAST_SEED=%" PRIu64 ", step %d: must hold: %s\n", __FILE__, __LINE__,          \
                    (w)->seed, (w)->step, #what);                                                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum publish_kind { GOOD, BAD, FOREIGN, PLAIN };

/* A publish that its peer waits to see acknowledged. */
struct awaited {
    uint16_t packet_id;
    enum publish_kind kind;
    uint64_t serial;
    unsigned life; /* of the device when it was published */
};

struct peer {
    struct fake_line line;
    unsigned device; /* DEVICES and up: an operator */
    bool let_in;
    struct awaited awaited[OPEN_MAX];
    size_t awaited_count;
    uint16_t last_id;
    uint16_t unacked; /* a delivery that it has not acknowledged yet; 0: none */
    bool watches_own, watches_all;
    bool resumed; /* its session is older than its connection */
};

struct acked {
    struct acked *next;
    unsigned device, life;
    uint64_t serial;
};

/* One loop with all that it owns. */
struct station {
    struct loop *loop;
    struct interests interests;
    struct dispatch *dispatch;
    struct quota *quota;
};

enum store_mood { STORE_WELL, STORE_FULL, STORE_SLOW };

struct world {
    uint64_t seed, dice;
    int step;
    struct clock clock;
    struct dice dice_port;
    int64_t now_ms;
    struct log log;
    struct door_limits limits;
    struct door_counts counts;
    struct inspection inspection;
    struct registry registry;
    struct recorder recorder;
    struct tap tap;
    struct reporter reporter;
    struct station stations[LOOPS];
    struct dispatch *dispatches[LOOPS];
    struct lobby lobbies[LOOPS];
    struct lobby *all[LOOPS];
    struct peer peers[LINES];

    struct memory_store *store;
    struct store_writer *writer;
    struct store_reader *reader;
    enum store_mood mood;
    struct errand *waiting[WAITING_MAX], *returning[4 * WAITING_MAX];
    size_t waiting_count, returning_count;
    struct request *asked[LINES * 2];
    size_t asked_count;

    bool enrolled[DEVICES];
    unsigned lives[DEVICES];
    uint64_t serial;
    struct acked *acked;
    uint64_t published_heard, told, refused, hellos, byes;
};

uint32_t draw(struct world *w, uint32_t below);
bool chance(struct world *w, uint32_t percent);

void world_open(struct world *w, uint64_t seed);
void world_close(struct world *w); /* everybody leaves, everything is answered, nothing may be left */
void world_settle(struct world *w); /* lines: whatever can happen by itself */

/* The store thread: commits what waits, as its mood is; later the answers come home, in order. */
void store_commit(struct world *w);
void store_return(struct world *w, size_t count);
void device_enrol(struct world *w, unsigned device);
void device_delete(struct world *w, unsigned device);
bool store_has(struct world *w, unsigned device, uint64_t serial);
void registry_answer(struct world *w);
void station_turns(struct world *w, size_t loop); /* its mails and its timers */

void peer_acts(struct world *w);                     /* one random act of one random peer */
void peer_listens(struct world *w, struct peer *p); /* checks whatever came */
void check(struct world *w);                         /* after every step */
