/* What the conformance suites share: every filler of the store port, and how a suite runs over all of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/world.h"

enum { BIG_TIME = 1000000000 };

struct world {
    struct folder folder;
    struct memory_store *memory;
    struct store_writer *w;
    struct store_reader *r;
};

static inline int open_sqlite(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    folder_open(&world->folder);
    struct sqlite_options options = {.folder = world->folder.path};
    assert_ok(sqlite_writer_open(&options, &world->w));
    assert_ok(sqlite_reader_open(&options, &world->r));
    *state = world;
    return 0;
}

static inline int close_sqlite(void **state)
{
    struct world *world = *state;
    assert_ok(sqlite_writer_check(world->w));
    world->r->close(world->r);
    world->w->close(world->w);
    folder_drop(&world->folder);
    free(world);
    return 0;
}

static inline int open_memory(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_ok(memory_store_open(&world->memory));
    world->w = memory_store_writer(world->memory);
    assert_ok(memory_store_reader(world->memory, &world->r));
    *state = world;
    return 0;
}

static inline int close_memory(void **state)
{
    struct world *world = *state;
    world->r->close(world->r);
    world->w->close(world->w);
    memory_store_close(world->memory);
    free(world);
    return 0;
}

static inline struct bytes as_view(const char *text)
{
    return bytes_of_text(text);
}

static inline err delete_device(struct world *world, const char *id)
{
    struct write w = {.kind = WRITE_DEVICE_DELETE, .now_us = 5000};
    (void)snprintf(w.as.device, sizeof w.as.device, "%s", id);
    return apply_one(world->w, &w, NULL);
}

static inline err presence(struct world *world, const char *id, int64_t connected_us, int64_t now_us)
{
    struct write w = {.kind = WRITE_PRESENCE, .now_us = now_us, .as.presence.connected_us = connected_us};
    (void)snprintf(w.as.presence.device, sizeof w.as.presence.device, "%s", id);
    return apply_one(world->w, &w, NULL);
}

static inline int64_t add_event(struct world *world, enum event_kind kind, enum severity severity, const char *device,
                         const char *detail)
{
    struct event event = {.time_us = 77, .kind = kind, .severity = severity, .detail = as_view(detail)};
    struct write_result result;
    (void)snprintf(event.device, sizeof event.device, "%s", device);
    struct write *w = write_event(&event);
    assert_ok(apply_one(world->w, w, &result));
    write_drop(w);
    return result.id;
}

#define TEST(function) {#function, function, NULL, NULL, NULL}
enum { SUITE_MAX = 64 };

/* Every test of the suite on SQLite, then in memory; how many failed. */
static inline int run_suite(const struct CMUnitTest *suite, size_t count)
{
    struct CMUnitTest sqlite[SUITE_MAX], memory[SUITE_MAX];
    assert_in_range(count, 1, SUITE_MAX);
    for (size_t i = 0; i < count; i++) {
        sqlite[i] = memory[i] = suite[i];
        sqlite[i].setup_func = open_sqlite;
        sqlite[i].teardown_func = close_sqlite;
        memory[i].setup_func = open_memory;
        memory[i].teardown_func = close_memory;
    }
    int failed = _cmocka_run_group_tests("store on SQLite", sqlite, count, NULL, NULL);
    return failed + _cmocka_run_group_tests("store in memory", memory, count, NULL, NULL);
}
