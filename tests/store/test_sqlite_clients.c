/* What only the SQLite filler can get wrong about clients: the step from the former schema, restarts, rows that are kept once and
 * go with their last use, damage, memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clients.h"

#include "base/memory.h"
#include "store/first_release.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

struct world {
    struct folder folder;
    struct store_writer *w;
    struct store_reader *r;
};

static void start(struct world *world)
{
    const struct sqlite_options options = {.folder = world->folder.path};
    assert_ok(sqlite_writer_open(&options, &world->w));
    assert_ok(sqlite_reader_open(&options, &world->r));
}

static void stop(struct world *world)
{
    assert_ok(sqlite_writer_check(world->w));
    world->r->close(world->r);
    world->w->close(world->w);
}

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    folder_open(&world->folder);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    folder_drop(&world->folder);
    free(world);
    return 0;
}

#define DO(write) assert_ok(apply_taken(world->w, write))
#define TOLD(want) assert_told(world->r, __func__, want)

static sqlite3 *open_file(const struct world *world)
{
    char path[128];
    sqlite3 *db;
    (void)snprintf(path, sizeof path, "%s/holdfast.db", world->folder.path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run_sql(const struct world *world, const char *sql)
{
    sqlite3 *db = open_file(world);
    char *said = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s", said);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The first column of the first row. */
static int ask(const struct world *world, const char *sql)
{
    sqlite3 *db = open_file(world);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int answer = sqlite3_column_int(s, 0);
    (void)sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return answer;
}

/* --- the former schema --- */

static void holds_what_the_first_release_kept(struct world *world)
{
    struct sample_seen latest = SAMPLE_SEEN, series = SAMPLE_SEEN;
    struct words documents = {.rows.documents = {see_document}}, events = {.rows.events = {see_event}};
    const struct series_query all = {BYTES("pump-1"), BYTES("t"), INT64_MIN, INT64_MAX, 10};
    const struct event_query of_device = {.device = BYTES("pump-1"), .limit = 10};
    struct operator_account ada;
    struct session_record session;
    struct store_counts counts;
    struct token token;
    struct device d;
    uint8_t hash[TOKEN_HASH];
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_string_equal(d.group, "pumps");
    assert_string_equal(d.key_fingerprint, "f00d");
    assert_int_equal(d.last_seen_us, 4000);
    assert_ok(world->r->latest(world->r, BYTES("pump-1"), &latest.rows));
    assert_string_equal(latest.lines, "on 10 true ;t 20 'warm' ;");
    assert_ok(world->r->series(world->r, &all, &series.rows));
    assert_string_equal(series.lines, "t 5 7i ;t 10 1.5 C;t 20 'warm' ;");
    assert_ok(world->r->documents(world->r, BYTES("pump-1"), &documents.rows.documents));
    assert_string_equal(documents.text, "firmware={\"version\":\"1.2\"}@4200 ");
    assert_ok(world->r->list_events(world->r, &of_device, &events.rows.events));
    assert_string_equal(events.text, "{\"a\":1} ");
    fill_hash(hash, 1);
    assert_ok(world->r->find_token(world->r, hash, &token));
    assert_int_equal(token.uses_left, 4);
    fill_hash(hash, 3);
    assert_ok(world->r->find_session(world->r, hash, &session));
    assert_ok(world->r->get_operator(world->r, BYTES("ada"), &ada));
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, 4);
    assert_int_equal(counts.events, 1);
}

static void a_database_of_the_first_release_opens_and_keeps_all(void **state)
{
    struct world *world = *state;
    const struct sqlite_options options = {.folder = world->folder.path};
    run_sql(world, first_release);
    assert_kind(sqlite_reader_open(&options, &world->r), ERR_UNSUPPORTED); /* a reader does not migrate */
    for (int times = 0; times < 2; times++) {
        start(world);
        holds_what_the_first_release_kept(world);
        stop(world);
    }
    assert_int_equal(ask(world, "PRAGMA user_version"), 2);
    start(world);
    DO(client_write(1, PRINCIPAL_DEVICE, "pump-1", "c"));
    DO(delivery_write(1, 1, "x"));
    TOLD("client 1 1:pump-1 c 60 0 0 - \ndelivery 1/1 0 1 t x \n");
    stop(world);
}

static void without_room_for_the_step_nothing_changes(void **state)
{
    struct world *world = *state;
    run_sql(world, first_release);
    const struct sqlite_options tight = {.folder = world->folder.path,
                                         .bytes_max = (uint64_t)ask(world, "PRAGMA page_count") * 4096 + 8192};
    assert_kind(sqlite_writer_open(&tight, &world->w), ERR_FULL);
    assert_int_equal(ask(world, "PRAGMA user_version"), 1);
    assert_int_equal(ask(world, "SELECT count(*) FROM sqlite_schema WHERE name = 'client'"), 0);
    start(world);
    holds_what_the_first_release_kept(world);
    stop(world);
}

/* --- restarts --- */

static void the_next_start_finds_the_clients(void **state)
{
    static const struct client_delivery both[] = {{.session = 1, .number = 2, .qos = 2}, {.session = 2, .number = 1, .qos = 1}};
    struct world *world = *state;
    start(world);
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
    DO(watch_write(1, "a/#", 1));
    DO(delivery_write(1, 1, "x"));
    DO(deliveries_write(both, 2, BYTES("both")));
    DO(received_write(WRITE_RECEIVED, 2, 77));
    DO(retained_write("r", "kept"));
    struct buffer before = all_of_clients(world->r);
    stop(world);

    start(world);
    TOLD(buffer_text(&before));
    DO(progress_write(WRITE_RELEASED, 1, 2)); /* found, though another process wrote it */
    DO(progress_write(WRITE_DELIVERED, 1, 1));
    DO(progress_write(WRITE_DELIVERED, 2, 1));
    TOLD("client 1 1:d c 60 0 0 - \nclient 2 1:d c2 60 0 0 - \nwatch 1 a/# 7 1 1\ndelivery 1/2 0 2 - \n"
         "received 2 77\nretained r kept \n");
    stop(world);
    assert_int_equal(ask(world, "SELECT count(*) FROM message"), 0);
    buffer_drop(&before);
}

static void a_message_for_many_is_kept_once_and_goes_with_the_last(void **state)
{
    enum { SESSIONS = 50 };
    struct world *world = *state;
    struct client_delivery at[SESSIONS];
    char owner[16];
    start(world);
    for (uint64_t i = 0; i < SESSIONS; i++) {
        (void)snprintf(owner, sizeof owner, "d%llu", (unsigned long long)i);
        DO(client_write(i + 1, PRINCIPAL_DEVICE, owner, "c"));
        at[i] = (struct client_delivery){.session = i + 1, .number = 1, .qos = 1};
    }
    DO(deliveries_write(at, SESSIONS, BYTES("all")));
    assert_int_equal(ask(world, "SELECT count(*) FROM message"), 1);
    assert_int_equal(ask(world, "SELECT count(*) FROM delivery WHERE bytes IS NULL"), SESSIONS);
    for (uint64_t i = 0; i < SESSIONS; i++) {
        assert_int_equal(ask(world, "SELECT count(*) FROM message"), 1);
        if (i == 20) {
            stop(world);
            start(world);
        }
        DO(i % 3 ? progress_write(WRITE_DELIVERED, i + 1, 1) : i % 2 ? progress_write(WRITE_RELEASED, i + 1, 1)
                                                                     : client_end_write(i + 1));
    }
    assert_int_equal(ask(world, "SELECT count(*) FROM message"), 0);
    stop(world);
}

/* The rows of a long queue go some with each commit, also after a restart in between, and nobody is told of them. */
static void the_rows_of_an_ended_session_go_bit_by_bit(void **state)
{
    enum { COUNT = 7000 };
    struct world *world = *state;
    struct client_delivery *at = calloc(COUNT, sizeof *at);
    for (size_t i = 0; i < COUNT; i++)
        at[i] = (struct client_delivery){.session = 1, .number = i + 1, .qos = 1};
    start(world);
    DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
    DO(deliveries_write(at, COUNT, BYTES("all")));
    DO(client_end_write(1));
    TOLD("");
    int left = ask(world, "SELECT count(*) FROM delivery");
    assert_in_range(left, 1, COUNT - 1);
    stop(world);
    start(world);
    TOLD("");
    while (left) {
        DO(client_end_write(1));
        int now = ask(world, "SELECT count(*) FROM delivery");
        assert_true(now < left);
        left = now;
    }
    assert_int_equal(ask(world, "SELECT count(*) FROM message"), 0);
    stop(world);
    free(at);
}

/* --- damage --- */

/* What is said on stderr meanwhile, into out. */
struct overheard {
    int real, file;
};

static struct overheard overhear(const struct world *world)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/stderr", world->folder.path);
    struct overheard o = {dup(STDERR_FILENO), open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    assert_true(o.real >= 0 && o.file >= 0 && dup2(o.file, STDERR_FILENO) >= 0);
    return o;
}

static void end_overhearing(struct overheard *o, char *out, size_t room)
{
    assert_true(dup2(o->real, STDERR_FILENO) >= 0);
    ssize_t len = pread(o->file, out, room - 1, 0);
    assert_true(len >= 0);
    out[len] = 0;
    (void)close(o->real);
    (void)close(o->file);
}

static void a_damaged_row_is_named_and_left_out(void **state)
{
    static const struct {
        const char *rule, *sql, *lost, *place;
    } rows[] = {
        {"a version of the future", "UPDATE delivery SET bytes = CAST(X'02' || substr(bytes, 2) AS BLOB) WHERE session = 1 AND number = 1",
         "delivery 1/1", "table=delivery row=1"},
        {"no bytes", "UPDATE delivery SET bytes = X'' WHERE session = 1 AND number = 1", "delivery 1/1",
         "table=delivery row=1"},
        {"no message at all", "UPDATE delivery SET bytes = NULL WHERE session = 1 AND number = 1", "delivery 1/1",
         "table=delivery row=1"},
        {"a topic that is longer than the row", "UPDATE delivery SET bytes = CAST(substr(bytes, 1, 10) || X'FFFF' AS BLOB) WHERE number = 1",
         "delivery 1/1", "table=delivery row=1"},
        {"a message for several", "UPDATE message SET bytes = X'00'", "delivery 1/2", "table=message row=1"},
        {"a retained one", "UPDATE retained SET bytes = CAST(X'0107' || substr(bytes, 3) AS BLOB) WHERE topic = 'r'", "retained r",
         "table=retained row=1"},
        {"a topic with a wildcard", "UPDATE retained SET bytes = X'010100000000000000000001000000002378' WHERE topic = 'r'",
         "retained r", "table=retained row=1"},
        {"an owner of no kind", "UPDATE client SET owner_kind = 9 WHERE number = 1", "client 1", "table=client row=1"},
        {"a will", "UPDATE client SET will = X'01' WHERE number = 1", "client 1", "table=client row=1"},
    };
    static const struct client_delivery both[] = {{.session = 1, .number = 2, .qos = 1}, {.session = 2, .number = 2, .qos = 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world fresh, *world = &fresh;
        char said[4096];
        folder_open(&world->folder);
        start(world);
        DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
        DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
        DO(delivery_write(1, 1, "x"));
        DO(deliveries_write(both, 2, BYTES("both")));
        DO(delivery_write(2, 3, "y"));
        DO(retained_write("r", "kept"));
        DO(retained_write("s", "kept"));
        stop(world);
        run_sql(world, rows[i].sql);
        start(world);
        struct overheard overheard = overhear(world);
        struct buffer told = all_of_clients(world->r);
        end_overhearing(&overheard, said, sizeof said);
        if (strstr(buffer_text(&told), rows[i].lost) || !strstr(said, rows[i].place))
            fail_msg("%s: told\n%ssaid\n%s", rows[i].rule, buffer_text(&told), said);
        assert_non_null(strstr(buffer_text(&told), "client 2 "));
        assert_non_null(strstr(buffer_text(&told), "delivery 2/3 "));
        assert_non_null(strstr(buffer_text(&told), "retained s "));
        buffer_drop(&told);
        DO(progress_write(WRITE_DELIVERED, 1, 1)); /* and can be done away with */
        DO(progress_write(WRITE_DELIVERED, 1, 2));
        DO(progress_write(WRITE_DELIVERED, 2, 2));
        stop(world);
        folder_drop(&world->folder);
    }
}

/* --- memory --- */

/* The Nth allocation fails: an error or a result, and the store is whole. */
static void no_memory_at_any_point(void **state)
{
    static const struct client_delivery both[] = {{.session = 1, .number = 2, .qos = 2}, {.session = 2, .number = 2, .qos = 1}};
    for (unsigned long n = 1; n < 16; n++) {
        struct world fresh, *world = &fresh;
        folder_open(&world->folder);
        start(world);
        DO(client_write(1, PRINCIPAL_DEVICE, "d", "c"));
        DO(client_write(2, PRINCIPAL_DEVICE, "d", "c2"));
        DO(delivery_write(1, 1, "x"));
        stop(world);
        start(world);
        struct write *const writes[] = {deliveries_write(both, 2, BYTES("both")), progress_write(WRITE_DELIVERED, 1, 1),
                                        progress_write(WRITE_RELEASED, 1, 2), retained_write("t", "r"),
                                        client_end_write(2)};
        for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
            (void)mem_trial(n);
            err e = apply_one(world->w, writes[i], NULL);
            (void)mem_trial(0);
            assert_true(!e || e->kind == ERR_MEMORY);
            if (e)
                assert_ok(apply_one(world->w, writes[i], NULL));
            write_drop(writes[i]);
        }
        TOLD("client 1 1:d c 60 0 0 - \ndelivery 1/2 0 2 - \nretained t r \n");
        struct told t = {.rows.retained = {tell_retained}, .text.max = 1000};
        (void)mem_trial(n);
        err e = world->r->list_retained(world->r, &t.rows.retained);
        (void)mem_trial(0);
        assert_true(!e || e->kind == ERR_MEMORY);
        buffer_drop(&t.text);
        assert_int_equal(ask(world, "SELECT count(*) FROM message"), 0);
        stop(world);
        folder_drop(&world->folder);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_database_of_the_first_release_opens_and_keeps_all),
        TEST(without_room_for_the_step_nothing_changes),
        TEST(the_next_start_finds_the_clients),
        TEST(a_message_for_many_is_kept_once_and_goes_with_the_last),
        TEST(the_rows_of_an_ended_session_go_bit_by_bit),
        TEST(a_damaged_row_is_named_and_left_out),
        TEST(no_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
