/* What only the SQLite filler can get wrong: files, schemas, reopening, bounds, damage. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/world.h"

#include "base/memory.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

static int open_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    folder_open(folder);
    *state = folder;
    return 0;
}

static int drop_folder(void **state)
{
    folder_drop(*state);
    free(*state);
    return 0;
}

static struct store_writer *open_writer(const struct folder *folder)
{
    const struct sqlite_options options = {.folder = folder->path};
    struct store_writer *w;
    assert_ok(sqlite_writer_open(&options, &w));
    return w;
}

static struct store_reader *open_reader(const struct folder *folder)
{
    const struct sqlite_options options = {.folder = folder->path};
    struct store_reader *r;
    assert_ok(sqlite_reader_open(&options, &r));
    return r;
}

static off_t size_of(const struct folder *folder, const char *name)
{
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return stat(path, &st) ? -1 : st.st_size;
}

static void run_sql(const struct folder *folder, const char *sql)
{
    char path[128];
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/holdfast.db", folder->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void the_next_start_finds_everything(void **state)
{
    const struct sample s[] = {integer("a", 10, 1), integer("b", 10, 2), integer("a", 20, 3)}, again = integer("a", 20, 4);
    struct write here = {.kind = WRITE_PRESENCE, .now_us = 50, .as.presence = {.device = "d", .connected_us = 50}};
    struct sample_seen seen = SAMPLE_SEEN;
    struct device d;
    struct store_writer *w = open_writer(*state);
    enrol(w, "d");
    assert_ok(send_samples(w, "d", s, 3, 5000));
    assert_ok(apply_one(w, &here, NULL));
    w->close(w);

    w = open_writer(*state);
    assert_ok(send_samples(w, "d", &again, 1, 6000)); /* replaces what a former process appended */
    struct store_reader *r = open_reader(*state);
    assert_ok(r->latest(r, BYTES("d"), &seen.rows));
    assert_string_equal(seen.lines, "a 20 4i ;b 10 2i ;");
    assert_ok(r->get_device(r, BYTES("d"), &d));
    assert_int_equal(d.connected_us, 0); /* nobody is connected to a server that starts */
    assert_ok(sqlite_writer_check(w));
    r->close(r);
    w->close(w);
}

static void readers_see_commits_only(void **state)
{
    struct store_writer *w = open_writer(*state);
    struct store_reader *r = open_reader(*state);
    struct sample_seen seen = SAMPLE_SEEN;
    const struct sample s = integer("a", 10, 1);
    struct write_result result;
    enrol(w, "d");
    struct write *write = write_samples("d", (struct samples){&s, 1}, 5000);
    assert_ok(w->begin(w));
    assert_ok(w->apply(w, write, &result));
    assert_ok(r->latest(r, BYTES("d"), &seen.rows));
    assert_int_equal(seen.count, 0);
    assert_ok(w->commit(w));
    assert_ok(r->latest(r, BYTES("d"), &seen.rows));
    assert_int_equal(seen.count, 1);
    write_drop(write);
    r->close(r);
    w->close(w);
}

static void files_are_for_their_owner_alone(void **state)
{
    const struct folder *folder = *state;
    static const char *const names[] = {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm"};
    char path[128];
    struct stat st;
    struct store_writer *w = open_writer(folder);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    w->close(w);
}

static void what_cannot_be_opened(void **state)
{
    static const struct {
        const char *rule, *sql;
        enum fault_kind want;
    } rows[] = {
        {"a newer schema", "PRAGMA application_id = 1212566833; CREATE TABLE t (a); PRAGMA user_version = 99",
         ERR_UNSUPPORTED},
        {"a newer schema without tables", "PRAGMA user_version = 99", ERR_UNSUPPORTED},
        {"another application", "PRAGMA application_id = 7; CREATE TABLE t (a)", ERR_UNSUPPORTED},
        {"another application without a name", "CREATE TABLE t (a)", ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct folder folder;
        struct store_writer *w;
        struct store_reader *r;
        folder_open(&folder);
        const struct sqlite_options options = {.folder = folder.path};
        run_sql(&folder, rows[i].sql);
        off_t before = size_of(&folder, "holdfast.db");
        assert_kind(sqlite_writer_open(&options, &w), rows[i].want);
        assert_kind(sqlite_reader_open(&options, &r), rows[i].want);
        assert_int_equal(size_of(&folder, "holdfast.db"), before);
        assert_int_equal(size_of(&folder, "holdfast.db-wal"), -1);
        folder_drop(&folder);
    }
    const struct sqlite_options nowhere = {.folder = "/nonexistent/holdfast"};
    struct store_writer *w;
    struct store_reader *r;
    assert_kind(sqlite_writer_open(&nowhere, &w), ERR_IO);
    assert_true(sqlite_reader_open(&nowhere, &r) != OK);
    const struct sqlite_options empty = {.folder = ((struct folder *)*state)->path};
    assert_true(sqlite_reader_open(&empty, &r) != OK); /* the writer comes first */
}

static void overwrite(const struct folder *folder, off_t from, size_t len)
{
    char path[128], junk[4096];
    memset(junk, 0xA5, sizeof junk);
    (void)snprintf(path, sizeof path, "%s/holdfast.db", folder->path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (size_t done = 0; done < len; done += sizeof junk)
        assert_int_equal(pwrite(fd, junk, sizeof junk, from + (off_t)done), sizeof junk);
    assert_int_equal(close(fd), 0);
}

static void damage_is_found(void **state)
{
    const struct folder *folder = *state;
    const struct sqlite_options options = {.folder = folder->path};
    static char json[100000];
    struct store_writer *w = open_writer(folder);
    enrol(w, "d");
    memset(json, '7', sizeof json);
    assert_ok(apply_taken(w, write_document("d", BYTES("n"), bytes_of(json, sizeof json), 1)));
    assert_ok(sqlite_writer_check(w));
    w->close(w);
    off_t size = size_of(folder, "holdfast.db");
    overwrite(folder, 4096, (size_t)(size - 4096));
    err e = sqlite_writer_open(&options, &w);
    if (!e) {
        e = sqlite_writer_check(w);
        w->close(w);
    }
    assert_kind(e, ERR_IO);
    overwrite(folder, 0, 4096);
    assert_kind(sqlite_writer_open(&options, &w), ERR_IO);
}

static void the_size_bound_is_a_full_disk(void **state)
{
    const struct folder *folder = *state;
    const struct sqlite_options options = {.folder = folder->path, .bytes_max = 512 * 1024};
    static char json[20000];
    struct store_writer *w;
    struct words seen = {.rows.documents = {see_document}};
    char name[16];
    size_t kept = 0;
    memset(json, '7', sizeof json);
    assert_ok(sqlite_writer_open(&options, &w));
    enrol(w, "d");
    enrol(w, "e");
    for (err e = OK; !e; kept += !e) {
        (void)snprintf(name, sizeof name, "n%zu", kept);
        e = apply_taken(w, write_document("d", bytes_of_text(name), bytes_of(json, sizeof json), 1));
        assert_true(!e || e->kind == ERR_FULL);
        assert_true(kept < 100);
    }
    struct store_reader *r = open_reader(folder);
    assert_ok(r->documents(r, BYTES("d"), &seen.rows.documents));
    assert_int_equal(seen.count, kept);

    struct write gone = {.kind = WRITE_DEVICE_DELETE, .as.device = "d"}; /* makes room */
    assert_ok(apply_one(w, &gone, NULL));
    assert_ok(apply_taken(w, write_document("e", BYTES("n"), bytes_of(json, sizeof json), 1)));
    r->close(r);
    assert_ok(sqlite_writer_check(w));
    w->close(w);
    assert_true(size_of(folder, "holdfast.db") <= 512 * 1024);
}

static void the_log_is_bounded(void **state)
{
    static char json[DOCUMENT_MAX];
    struct store_writer *w = open_writer(*state);
    struct store_reader *r = open_reader(*state);
    struct device d;
    memset(json, '7', sizeof json);
    enrol(w, "d");
    for (int i = 0; i < 120; i++) {
        assert_ok(apply_taken(w, write_document("d", BYTES("n"), bytes_of(json, sizeof json), i)));
        assert_ok(r->get_device(r, BYTES("d"), &d));
        assert_true(size_of(*state, "holdfast.db-wal") < 32 * 1024 * 1024);
    }
    r->close(r);
    w->close(w);
}

/* The Nth allocation fails: an error or a result, never a crash, and the store is whole. */
static void no_memory_at_any_point(void **state)
{
    const struct sample s[] = {integer("a", 10, 1), integer("b", 10, 2)};
    for (unsigned long n = 1; n < 60; n++) {
        struct folder folder;
        struct store_writer *w;
        struct store_reader *r;
        folder_open(&folder);
        const struct sqlite_options options = {.folder = folder.path};
        (void)mem_trial(n);
        err e = sqlite_writer_open(&options, &w);
        (void)mem_trial(0);
        assert_true(!e || e->kind == ERR_MEMORY);
        if (e)
            assert_ok(sqlite_writer_open(&options, &w));
        enrol(w, "d");
        struct write *write = write_samples("d", (struct samples){s, 2}, 5000);
        (void)mem_trial(n);
        e = apply_one(w, write, NULL);
        (void)mem_trial(0);
        assert_true(!e || e->kind == ERR_MEMORY);
        assert_ok(apply_one(w, write, NULL));
        write_drop(write);
        struct sample_seen seen = SAMPLE_SEEN;
        r = open_reader(&folder);
        assert_ok(r->latest(r, BYTES("d"), &seen.rows));
        assert_int_equal(seen.count, 2);
        r->close(r);
        assert_ok(sqlite_writer_check(w));
        w->close(w);
        folder_drop(&folder);
        if (n > 8)
            n += 10;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_start_finds_everything),
        TEST(readers_see_commits_only),
        TEST(files_are_for_their_owner_alone),
        TEST(what_cannot_be_opened),
        TEST(damage_is_found),
        TEST(the_size_bound_is_a_full_disk),
        TEST(the_log_is_bounded),
        TEST(no_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
