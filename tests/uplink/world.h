/* A loop, a spool, certificates, a link and what it said: the surroundings of every test of the link. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "os/certificates.h"
#include "os/clock.h"
#include "os/file.h"
#include "uplink/link.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_ROOM = 512, PATIENCE_MS = 20000, GLANCE_MS = 2 };

struct world {
    struct link_owner owner;
    struct loop *loop;
    struct timer patience;
    struct timer glance; /* an acknowledgement shows in the spool only, and nobody calls */
    bool (*done)(struct world *w);
    bool in_time;

    char folder[PATH_ROOM];
    struct party authority, server, client, renewed;
    struct tls_context *tls;
    struct spool *spool;
    struct link *link;
    uint64_t appended;

    struct link_note note; /* the last */
    char why[256];
    unsigned ups, downs;
    uint64_t arrived, arrived_next; /* messages that came back, and the number that is expected next */
    bool arrived_in_order;
    uint64_t refused_number[16];
    enum mqtt_reason refused_reason[16];
    size_t refused;
};

static inline void look(struct world *w)
{
    if (w->done && w->done(w))
        loop_stop(w->loop);
}

static inline void on_changed(struct link_owner *self, const struct link_note *note)
{
    struct world *w = CONTAINER(self, struct world, owner);
    if (note->state == LINK_CONNECTED)
        w->ups++;
    if (note->state == LINK_WAITING)
        w->downs++;
    w->note = *note;
    snprintf(w->why, sizeof w->why, "%s", note->why);
    look(w);
}

static inline enum link_arrival on_arrived(struct link_owner *self, const struct mqtt_publish *publish)
{
    struct bytes payload = publish->payload;
    struct world *w = CONTAINER(self, struct world, owner);
    uint64_t number = 0;
    if (payload.len == sizeof number)
        memcpy(&number, payload.at, sizeof number);
    w->arrived++;
    if (number > w->arrived_next)
        w->arrived_in_order = false; /* again is fine, missing is not */
    if (number == w->arrived_next)
        w->arrived_next++;
    look(w);
    return LINK_TAKEN;
}

static inline void on_refused(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record)
{
    struct world *w = CONTAINER(self, struct world, owner);
    if (w->refused < 16) {
        w->refused_number[w->refused] = record->number;
        w->refused_reason[w->refused++] = reason;
    }
    look(w);
}

static inline void out_of_patience(struct timer *self)
{
    struct world *w = CONTAINER(self, struct world, patience);
    w->in_time = false;
    loop_stop(w->loop);
}

static inline void take_glance(struct timer *self)
{
    struct world *w = CONTAINER(self, struct world, glance);
    look(w);
    assert_null(loop_timer_set(w->loop, &w->glance, GLANCE_MS));
}

/* Runs the loop until the claim holds; fails when it does not come true. */
static inline void run_until(struct world *w, bool (*done)(struct world *w), const char *claim)
{
    w->done = done;
    w->in_time = true;
    w->patience.due = out_of_patience;
    w->glance.due = take_glance;
    assert_null(loop_timer_set(w->loop, &w->patience, PATIENCE_MS));
    assert_null(loop_timer_set(w->loop, &w->glance, GLANCE_MS));
    if (!done(w))
        assert_null(loop_run(w->loop));
    loop_timer_clear(w->loop, &w->patience);
    loop_timer_clear(w->loop, &w->glance);
    if (!w->in_time)
        fail_msg("%s did not happen; the link last said: %s", claim, w->why);
}

static inline struct tls_context *client_context(const struct world *w, const struct party *who)
{
    struct tls_context *ctx = NULL;
    const struct tls_options options = {.chain_pem = buffer_view(&who->chain_pem),
                                        .key_pem = buffer_view(&who->key_pem),
                                        .anchors_pem = buffer_view(&w->authority.chain_pem),
                                        .server_name = "127.0.0.1"};
    assert_null(tls_context_client(&options, &ctx));
    return ctx;
}

static inline void world_open(struct world *w)
{
    *w = (struct world){.owner = {.changed = on_changed, .arrived = on_arrived, .refused = on_refused},
                        .arrived_next = 1,
                        .arrived_in_order = true};
    const char *base = getenv("TMPDIR");
    snprintf(w->folder, sizeof w->folder, "%s/link-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(w->folder));
    w->authority = authority_make(NULL, "test root");
    w->server = party_make(&w->authority, &(struct leaf){.name = "server", .alternatives = "IP:127.0.0.1"});
    w->client = party_make(&w->authority, &(struct leaf){.name = "device"});
    w->renewed = party_make(&w->authority, &(struct leaf){.name = "device, renewed"});
    assert_null(loop_open(machine_clock(), 16, &w->loop));
    assert_null(spool_open(&(struct spool_options){.folder = w->folder, .bytes_max = 1 << 22}, &w->spool));
    w->tls = client_context(w, &w->client);
}

static inline void link_up(struct world *w, struct link_options options)
{
    static const struct log quiet = {0};
    options.loop = w->loop;
    options.spool = w->spool;
    options.owner = &w->owner;
    options.dice = machine_dice();
    options.log = &quiet;
    options.tls = w->tls;
    options.host = "127.0.0.1";
    options.client_id = "device";
    options.backoff_first_ms = 5;
    options.backoff_max_ms = 50;
    assert_null(link_open(&options, &w->link));
}

static inline void append_numbers(struct world *w, uint64_t count)
{
    while (count--) {
        uint64_t number = ++w->appended;
        assert_null(spool_append(w->spool, BYTES("devices/device/telemetry"), bytes_of(&number, sizeof number)));
    }
    assert_null(spool_sync(w->spool));
    if (w->link)
        link_wake(w->link);
}

static inline uint64_t still_waiting(const struct world *w)
{
    struct spool_counts counts;
    spool_read_counts(w->spool, &counts);
    return counts.records;
}

static inline struct link_counts counts_of(const struct world *w)
{
    struct link_counts counts;
    link_read_counts(w->link, &counts);
    return counts;
}

static inline void world_close(struct world *w)
{
    link_close(w->link);
    spool_close(w->spool);
    tls_context_drop(w->tls);
    loop_close(w->loop);
    party_drop(&w->authority);
    party_drop(&w->server);
    party_drop(&w->client);
    party_drop(&w->renewed);
    DIR *dir = opendir(w->folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[2 * PATH_ROOM];
        snprintf(path, sizeof path, "%s/%s", w->folder, entry->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(w->folder);
}
