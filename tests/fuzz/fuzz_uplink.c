/* fuzz: uplink */
/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile server: what it sends to a client that publishes from a spool, subscribes, and keeps its session. The first
 * byte says which version of MQTT is spoken, whether the owner takes messages, and where the bytes are cut in two. */
#include "os/clock.h"
#include "uplink/session_parts.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OLD = 1, FULL = 2, BROKEN = 4, CUT_SHIFT = 3, RECORDS = 8 };

struct target {
    struct link_owner owner;
    uint8_t wish;
    uint64_t arrived, settled;
};

static void changed(struct link_owner *self, const struct link_note *note)
{
}

static enum link_arrival arrived(struct link_owner *self, const struct mqtt_publish *publish)
{
    struct target *t = (struct target *)self;
    assert(publish->topic.len && publish->qos <= 1);
    t->arrived++;
    return t->wish & FULL && t->arrived > 2 ? LINK_LATER : LINK_TAKEN;
}

static void refused(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record)
{
    assert(record->number);
}

static err settle(struct link_owner *self)
{
    static const struct fault broken = {ERR_IO, "fuzz: the disk is broken"};
    struct target *t = (struct target *)self;
    t->settled++;
    return t->wish & BROKEN ? &broken : OK;
}

static char folder[64];

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

/* One for all inputs, with records in it at every start. */
static struct spool *open_spool(void)
{
    static struct spool *spool;
    struct spool_counts counts;
    if (!spool) {
        snprintf(folder, sizeof folder, "/tmp/fuzz-uplink-XXXXXX");
        if (!mkdtemp(folder) || atexit(remove_folder) ||
            spool_open(&(struct spool_options){.folder = folder, .bytes_max = SPOOL_BYTES_MIN}, &spool))
            abort();
    }
    for (spool_read_counts(spool, &counts); counts.records < RECORDS; counts.records++)
        IGNORE(spool_append(spool, BYTES("a/b"), BYTES("payload")));
    return spool;
}

static err feed(struct session *s, struct bytes bytes)
{
    put_bytes(&s->line.in, bytes);
    TRY(buffer_finish(&s->line.in));
    TRY(session_hear(s));
    session_drop_settled(s);
    assert(!s->answer_count);
    return session_pump(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mqtt_filter filters[] = {{.filter = BYTES_ROW("a/#"), .qos = 1, .no_local = true}};
    static const struct log quiet = {.level = LOG_ERROR};
    if (!size)
        return 0;
    struct target t = {.owner = {changed, arrived, refused, settle, NULL, NULL}, .wish = data[0]};
    const struct link_options options = {.spool = open_spool(),
                                         .owner = &t.owner,
                                         .dice = machine_dice(),
                                         .log = &quiet,
                                         .host = "h",
                                         .port = 1,
                                         .client_id = "c",
                                         .window = 4,
                                         .session_expiry = 60,
                                         .packet_max = 4096,
                                         .version = t.wish & OLD ? LINK_MQTT_3_1_1 : LINK_MQTT_5,
                                         .filters = filters,
                                         .filter_count = 1};
    struct link_counts counts = {0};
    struct session s;
    session_prepare(&s, &options, &counts);
    s.phase = SESSION_OPENING;
    s.greeted = true;
    s.window_max = options.window;
    s.packet_max = UINT32_MAX;
    struct bytes in = bytes_of(data + 1, size - 1);
    size_t cut = in.len ? (size_t)(t.wish >> CUT_SHIFT) % in.len : 0;
    if (!feed(&s, bytes_first(in, cut)))
        IGNORE(feed(&s, bytes_from(in, cut)));
    assert(s.window.count <= options.window);
    assert(counts.unheard + t.arrived >= counts.arrived - counts.oversized || t.wish & FULL);
    session_drop(&s);
    return 0;
}
