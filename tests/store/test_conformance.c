/* One suite over every filler of the store port: each write kind, each read, on SQLite and in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/world.h"

enum { BIG_TIME = 1000000000 };

struct world {
    struct folder folder;
    struct memory_store *memory;
    struct store_writer *w;
    struct store_reader *r;
};

static int open_sqlite(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    folder_open(&world->folder);
    struct sqlite_options options = {.folder = world->folder.path};
    assert_ok(sqlite_writer_open(&options, &world->w));
    assert_ok(sqlite_reader_open(&options, &world->r));
    *state = world;
    return 0;
}

static int close_sqlite(void **state)
{
    struct world *world = *state;
    assert_ok(sqlite_writer_check(world->w));
    world->r->close(world->r);
    world->w->close(world->w);
    folder_drop(&world->folder);
    free(world);
    return 0;
}

static int open_memory(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_ok(memory_store_open(&world->memory));
    world->w = memory_store_writer(world->memory);
    assert_ok(memory_store_reader(world->memory, &world->r));
    *state = world;
    return 0;
}

static int close_memory(void **state)
{
    struct world *world = *state;
    world->r->close(world->r);
    world->w->close(world->w);
    memory_store_close(world->memory);
    free(world);
    return 0;
}

static struct bytes as_view(const char *text)
{
    return bytes_of_text(text);
}

/* --- devices and tokens --- */

static void enrolment_spends_a_token_and_makes_the_device(void **state)
{
    struct world *world = *state;
    struct write token = token_write(1, 2, BIG_TIME), enrolment = enrolment_write(1, "pump-1", 2000);
    struct write_result result;
    struct device d;
    struct token t;
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(apply_one(world->w, &enrolment, &result));
    assert_string_equal(result.group, "pumps");

    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_string_equal(d.group, "pumps");
    assert_string_equal(d.certificate_serial, "0a1b");
    assert_string_equal(d.key_fingerprint, enrolment.as.enrolment.device.key_fingerprint);
    assert_int_equal(d.enrolled_us, 2000);
    assert_int_equal(d.certificate_expires_us, 2005);
    assert_int_equal(d.last_seen_us, 0);
    assert_int_equal(d.connected_us, 0);
    assert_ok(world->r->find_token(world->r, token.as.token.hash, &t));
    assert_int_equal(t.uses_left, 1);
    assert_int_equal(t.uses_total, 2);
    assert_string_equal(t.made_by, "ada");
    assert_int_equal(t.made_us, 1001);
}

static void enrolment_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        const char *rule;
        uint8_t token;
        const char *id;
        int64_t now_us;
        enum fault_kind want;
    } rows[] = {
        {"an unknown token", 9, "pump-2", 2000, ERR_ABSENT},
        {"an expired token, at the very microsecond", 1, "pump-2", 5000, ERR_EXPIRED},
        {"an id that is taken", 1, "pump-1", 2000, ERR_EXISTS},
        {"a token without a use left", 2, "pump-2", 2000, ERR_REFUSED},
    };
    struct world *world = *state;
    struct write token = token_write(1, 2, 5000), spent = token_write(2, 0, BIG_TIME);
    struct token t;
    struct device d;
    enrol(world->w, "pump-1");
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(apply_one(world->w, &spent, NULL));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct write w = enrolment_write(rows[i].token, rows[i].id, rows[i].now_us);
        assert_kind(apply_one(world->w, &w, NULL), rows[i].want);
        assert_ok(world->r->find_token(world->r, token.as.token.hash, &t));
        assert_int_equal(t.uses_left, 2);
        assert_kind(world->r->get_device(world->r, BYTES("pump-2"), &d), ERR_ABSENT);
    }
}

/* Three devices race for a token of two uses in one batch: two are in, one is refused, the batch holds. */
static void a_token_race_is_decided_by_order(void **state)
{
    struct world *world = *state;
    struct write token = token_write(1, 2, BIG_TIME);
    static const char *const ids[] = {"a", "b", "c"};
    struct write_result result;
    struct device d;
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(world->w->begin(world->w));
    for (size_t i = 0; i < 3; i++) {
        struct write w = enrolment_write(1, ids[i], 2000);
        err e = world->w->apply(world->w, &w, &result);
        assert_int_equal(e ? e->kind : 0, i < 2 ? 0 : ERR_REFUSED);
    }
    assert_ok(world->w->commit(world->w));
    assert_ok(world->r->get_device(world->r, BYTES("b"), &d));
    assert_kind(world->r->get_device(world->r, BYTES("c"), &d), ERR_ABSENT);
}

static void a_renewal_changes_the_certificate_alone(void **state)
{
    struct world *world = *state;
    struct write w = {.kind = WRITE_RENEWAL, .now_us = 3000};
    struct device d;
    enrol(world->w, "pump-1");
    (void)snprintf(w.as.renewal.id, sizeof w.as.renewal.id, "pump-1");
    (void)snprintf(w.as.renewal.certificate_serial, sizeof w.as.renewal.certificate_serial, "ffff");
    (void)snprintf(w.as.renewal.key_fingerprint, sizeof w.as.renewal.key_fingerprint, "%064d", 8);
    w.as.renewal.certificate_expires_us = 9000;
    w.as.renewal.enrolled_us = 2000;
    assert_ok(apply_one(world->w, &w, NULL));
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_string_equal(d.certificate_serial, "ffff");
    assert_string_equal(d.key_fingerprint, w.as.renewal.key_fingerprint);
    assert_string_equal(d.group, "pumps");
    assert_int_equal(d.certificate_expires_us, 9000);
    assert_int_equal(d.enrolled_us, 2000);
    (void)snprintf(w.as.renewal.id, sizeof w.as.renewal.id, "pump-2");
    assert_kind(apply_one(world->w, &w, NULL), ERR_ABSENT);
}

static err delete_device(struct world *world, const char *id)
{
    struct write w = {.kind = WRITE_DEVICE_DELETE, .now_us = 5000};
    (void)snprintf(w.as.device, sizeof w.as.device, "%s", id);
    return apply_one(world->w, &w, NULL);
}

/* The device was deleted and its id enrolled anew while the renewal was on its way: it is not this device's. */
static void a_renewal_is_of_one_enrolment(void **state)
{
    struct world *world = *state;
    struct write w = {.kind = WRITE_RENEWAL, .now_us = 7000}, token = token_write(1, 1, BIG_TIME);
    struct write again = enrolment_write(1, "pump-1", 6000);
    struct device d;
    enrol(world->w, "pump-1");
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &w.as.renewal));
    (void)snprintf(w.as.renewal.certificate_serial, sizeof w.as.renewal.certificate_serial, "ffff");
    assert_ok(delete_device(world, "pump-1"));
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(apply_one(world->w, &again, NULL));
    assert_kind(apply_one(world->w, &w, NULL), ERR_ABSENT);
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_string_equal(d.certificate_serial, "0a1b");
}

static err presence(struct world *world, const char *id, int64_t connected_us, int64_t now_us)
{
    struct write w = {.kind = WRITE_PRESENCE, .now_us = now_us, .as.presence.connected_us = connected_us};
    (void)snprintf(w.as.presence.device, sizeof w.as.presence.device, "%s", id);
    return apply_one(world->w, &w, NULL);
}

static void presence_moves_last_seen(void **state)
{
    struct world *world = *state;
    struct device d;
    enrol(world->w, "pump-1");
    assert_ok(presence(world, "pump-1", 4000, 4000));
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_int_equal(d.connected_us, 4000);
    assert_int_equal(d.last_seen_us, 4000);
    assert_ok(presence(world, "pump-1", 0, 4001));
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_int_equal(d.connected_us, 0);
    assert_int_equal(d.last_seen_us, 4001);
    assert_ok(presence(world, "pump-1", 0, 100)); /* a clock that was set back does not unsee a device */
    assert_ok(world->r->get_device(world->r, BYTES("pump-1"), &d));
    assert_int_equal(d.last_seen_us, 4001);
    assert_kind(presence(world, "nobody", 1, 1), ERR_ABSENT);
}

static void devices_are_listed_by_filter_and_page(void **state)
{
    static const struct {
        const char *rule;
        struct device_query query;
        const char *want;
        uint64_t total;
    } rows[] = {
        {"all, in order of their bytes", {.limit = 10}, "Pump-9 fan-1 pump-1 pump-10 pump-2 ", 5},
        {"a page", {.limit = 2}, "Pump-9 fan-1 ", 5},
        {"the next page", {.limit = 2, .after = {(const uint8_t *)"fan-1", 5}}, "pump-1 pump-10 ", 5},
        {"behind an id that is not there", {.limit = 9, .after = {(const uint8_t *)"pump-11", 7}}, "pump-2 ", 5},
        {"search, without case", {.limit = 9, .search = {(const uint8_t *)"UMP-1", 5}}, "pump-1 pump-10 ", 2},
        {"search finds groups", {.limit = 9, .search = {(const uint8_t *)"MPS", 3}}, "Pump-9 fan-1 pump-1 pump-10 pump-2 ", 5},
        {"search takes % and _ as they are", {.limit = 9, .search = {(const uint8_t *)"p%-", 3}}, "", 0},
        {"search longer than any id", {.limit = 9, .search = {(const uint8_t *)"pump-1000000000", 15}}, "", 0},
        {"group", {.limit = 9, .group = {(const uint8_t *)"pumps", 5}}, "Pump-9 fan-1 pump-1 pump-10 pump-2 ", 5},
        {"another group", {.limit = 9, .group = {(const uint8_t *)"pump", 4}}, "", 0},
        {"active", {.limit = 9, .state = {(const uint8_t *)"active", 6}}, "fan-1 pump-10 ", 2},
        {"enrolled", {.limit = 9, .state = {(const uint8_t *)"enrolled", 8}}, "Pump-9 pump-1 pump-2 ", 3},
        {"a state that there is not", {.limit = 9, .state = {(const uint8_t *)"retired", 7}}, "", 0},
        {"connected", {.limit = 9, .connected = CONNECTED_YES}, "fan-1 ", 1},
        {"not connected", {.limit = 9, .connected = CONNECTED_NO}, "Pump-9 pump-1 pump-10 pump-2 ", 4},
    };
    struct world *world = *state;
    static const char *const ids[] = {"pump-1", "pump-10", "pump-2", "fan-1", "Pump-9"};
    for (size_t i = 0; i < 5; i++)
        enrol(world->w, ids[i]);
    assert_ok(presence(world, "fan-1", 3000, 3000));
    assert_ok(presence(world, "pump-10", 0, 3000));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct words seen = {.rows.devices = {see_device}};
        uint64_t total;
        assert_ok(world->r->list_devices(world->r, &rows[i].query, &seen.rows.devices));
        assert_ok(world->r->count_devices(world->r, &rows[i].query, &total));
        if (strcmp(seen.text, rows[i].want) != 0 || total != rows[i].total)
            fail_msg("%s: got %s (%llu)", rows[i].rule, seen.text, (unsigned long long)total);
    }
    struct words first = {.rows.devices = {see_device}, .stop_after = 1};
    const struct device_query all = {.limit = 10};
    assert_ok(world->r->list_devices(world->r, &all, &first.rows.devices));
    assert_int_equal(first.count, 1);
}

static void a_deleted_device_leaves_its_events_only(void **state)
{
    struct world *world = *state;
    struct write delete = {.kind = WRITE_DEVICE_DELETE, .as.device = "pump-1"};
    const struct sample samples[] = {integer("a", 1, 1), integer("a", 2, 2), text("b", 1, BYTES("x"))};
    struct event event = {.time_us = 1, .kind = EVENT_DEVICE_CONNECTED, .device = "pump-1", .detail = BYTES("{}")};
    struct sample_seen seen = SAMPLE_SEEN;
    struct words events = {.rows.events = {see_event}}, documents = {.rows.documents = {see_document}};
    const struct event_query of_device = {.device = BYTES("pump-1"), .limit = 10};
    struct store_counts counts;
    enrol(world->w, "pump-1");
    enrol(world->w, "pump-10");
    assert_ok(send_samples(world->w, "pump-1", samples, 3, 5000));
    assert_ok(send_samples(world->w, "pump-10", samples, 3, 5000));
    assert_ok(apply_taken(world->w, write_document("pump-1", BYTES("n"), BYTES("{}"), 1)));
    assert_ok(apply_taken(world->w, write_document("pump-10", BYTES("n"), BYTES("{}"), 1)));
    assert_ok(apply_taken(world->w, write_event(&event)));
    assert_ok(apply_one(world->w, &delete, NULL));
    assert_kind(apply_one(world->w, &delete, NULL), ERR_ABSENT);

    struct device d;
    assert_kind(world->r->get_device(world->r, BYTES("pump-1"), &d), ERR_ABSENT);
    assert_kind(world->r->latest(world->r, BYTES("pump-1"), &seen.rows), ERR_ABSENT);
    assert_kind(world->r->documents(world->r, BYTES("pump-1"), &documents.rows.documents), ERR_ABSENT);
    assert_kind(send_samples(world->w, "pump-1", samples, 3, 6000), ERR_ABSENT);
    assert_ok(world->r->list_events(world->r, &of_device, &events.rows.events));
    assert_int_equal(events.count, 1);
    assert_ok(world->r->latest(world->r, BYTES("pump-10"), &seen.rows));
    assert_int_equal(seen.count, 2);
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, 3);

    /* The id may enrol again, and finds nothing of the former one. */
    enrol(world->w, "pump-1");
    struct sample_seen again = SAMPLE_SEEN;
    assert_ok(world->r->latest(world->r, BYTES("pump-1"), &again.rows));
    assert_int_equal(again.count, 0);
    assert_ok(send_samples(world->w, "pump-1", samples, 2, 7000));
    assert_ok(world->r->latest(world->r, BYTES("pump-1"), &again.rows));
    assert_string_equal(again.lines, "a 2 2i ;");
}

/* --- telemetry --- */

static void samples_come_back_bit_for_bit(void **state)
{
    static const double numbers[] = {0.0, -0.0, 1.0, 0.1, 5e-324, 1.7976931348623157e308, -1e-300, 9007199254740993.0};
    static const int64_t integers[] = {0, 1, -1, 9007199254740993, -9007199254740993, INT64_MAX, INT64_MIN};
    struct world *world = *state;
    enrol(world->w, "d");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sample_seen seen = SAMPLE_SEEN;
        struct sample s = number("n", (int64_t)i, numbers[i]);
        const struct series_query q = {BYTES("d"), BYTES("n"), (int64_t)i, (int64_t)i + 1, 10};
        assert_ok(send_samples(world->w, "d", &s, 1, 5000));
        assert_ok(world->r->series(world->r, &q, &seen.rows));
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.last.kind, SAMPLE_NUMBER);
        assert_memory_equal(&seen.last.value.number, &numbers[i], sizeof numbers[i]);
    }
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        struct sample_seen seen = SAMPLE_SEEN;
        struct sample s = integer("i", (int64_t)i, integers[i]);
        const struct series_query q = {BYTES("d"), BYTES("i"), (int64_t)i, (int64_t)i + 1, 10};
        assert_ok(send_samples(world->w, "d", &s, 1, 5000));
        assert_ok(world->r->series(world->r, &q, &seen.rows));
        assert_int_equal(seen.last.kind, SAMPLE_INTEGER);
        assert_true(seen.last.value.integer == integers[i]);
    }
}

static void kinds_and_units_may_change_within_a_metric(void **state)
{
    struct world *world = *state;
    struct sample samples[] = {integer("m", 1, 5), number("m", 2, 5.5), truth("m", 3, 1), truth("m", 4, 0),
                               text("m", 5, BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a")), text("m", 6, BYTES(""))};
    struct sample_seen seen = SAMPLE_SEEN;
    const struct series_query q = {BYTES("d"), BYTES("m"), 0, 10, 100};
    samples[1].unit = BYTES("Cel");
    samples[2].unit = BYTES("\xc2\xb0");
    enrol(world->w, "d");
    assert_ok(send_samples(world->w, "d", samples, 6, 5000));
    assert_ok(world->r->series(world->r, &q, &seen.rows));
    assert_string_equal(seen.lines, "m 1 5i ;m 2 5.5 Cel;m 3 true \xc2\xb0;m 4 false ;"
                                    "m 5 '\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a' ;m 6 '' ;");
}

static void a_sample_of_the_same_time_replaces(void **state)
{
    struct world *world = *state;
    const struct series_query q = {BYTES("d"), BYTES("a"), INT64_MIN, INT64_MAX, 100};
    const struct sample first[] = {integer("a", 10, 1), integer("a", 20, 2), integer("b", 10, 3)};
    const struct sample again[] = {text("a", 10, BYTES("new")), integer("a", 20, 2), integer("a", 20, 4)};
    struct sample_seen seen = SAMPLE_SEEN;
    struct store_counts counts;
    enrol(world->w, "d");
    for (int round = 0; round < 3; round++)
        assert_ok(send_samples(world->w, "d", first, 3, 5000));
    assert_ok(send_samples(world->w, "d", again, 3, 5000));
    assert_ok(world->r->series(world->r, &q, &seen.rows));
    assert_string_equal(seen.lines, "a 10 'new' ;a 20 4i ;");
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, 3);
}

/* Ordered, old, equal and far future times in one go: the series is ordered, the newest is the newest by time. */
static void times_in_any_order(void **state)
{
    struct world *world = *state;
    const int64_t far = 9000000000000000;
    const struct sample samples[] = {integer("a", 50, 1),   integer("a", 40, 2), integer("a", far, 3), integer("a", 60, 4),
                                     integer("a", -70, 5),  integer("a", 40, 6), integer("b", 1, 7),
                                     integer("a", INT64_MIN, 8)};
    const struct series_query all = {BYTES("d"), BYTES("a"), INT64_MIN, INT64_MAX, 100};
    const struct series_query some = {BYTES("d"), BYTES("a"), 40, 60, 100}, page = {BYTES("d"), BYTES("a"), 0, far, 2};
    struct sample_seen a = SAMPLE_SEEN, b = SAMPLE_SEEN, c = SAMPLE_SEEN, newest = SAMPLE_SEEN;
    enrol(world->w, "d");
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        assert_ok(send_samples(world->w, "d", &samples[i], 1, 5000));
    assert_ok(world->r->series(world->r, &all, &a.rows));
    assert_string_equal(a.lines, "a -9223372036854775808 8i ;a -70 5i ;a 40 6i ;a 50 1i ;a 60 4i ;a 9000000000000000 3i ;");
    assert_ok(world->r->series(world->r, &some, &b.rows));
    assert_string_equal(b.lines, "a 40 6i ;a 50 1i ;");
    assert_ok(world->r->series(world->r, &page, &c.rows));
    assert_string_equal(c.lines, "a 40 6i ;a 50 1i ;");
    assert_ok(world->r->latest(world->r, BYTES("d"), &newest.rows));
    assert_string_equal(newest.lines, "a 9000000000000000 3i ;b 1 7i ;");
}

static void latest_goes_by_metric_name(void **state)
{
    struct world *world = *state;
    const struct sample samples[] = {integer("b", 1, 1), integer("a.b", 1, 2), integer("a", 1, 3), integer("B", 1, 4),
                                     integer("\xc3\xa4", 1, 5), integer("b", 2, 6)};
    struct sample_seen seen = SAMPLE_SEEN, one = SAMPLE_SEEN;
    enrol(world->w, "d");
    assert_ok(send_samples(world->w, "d", samples, 6, 5000));
    assert_ok(world->r->latest(world->r, BYTES("d"), &seen.rows));
    assert_string_equal(seen.lines, "B 1 4i ;a 1 3i ;a.b 1 2i ;b 2 6i ;\xc3\xa4 1 5i ;");
    one.stop_after = 1;
    assert_ok(world->r->latest(world->r, BYTES("d"), &one.rows));
    assert_int_equal(one.count, 1);
    assert_kind(world->r->latest(world->r, BYTES("nobody"), &seen.rows), ERR_ABSENT);
}

static void a_series_of_nothing(void **state)
{
    struct world *world = *state;
    struct sample_seen seen = SAMPLE_SEEN;
    struct series_query q = {BYTES("d"), BYTES("never"), 0, 100, 10};
    enrol(world->w, "d");
    assert_ok(world->r->series(world->r, &q, &seen.rows));
    assert_int_equal(seen.count, 0);
    q.device = BYTES("nobody");
    assert_kind(world->r->series(world->r, &q, &seen.rows), ERR_ABSENT);
}

static void telemetry_moves_last_seen_now_and_then(void **state)
{
    struct world *world = *state;
    const struct sample s = integer("a", 1, 1);
    struct device d;
    enrol(world->w, "d");
    assert_ok(send_samples(world->w, "d", &s, 1, 5000));
    assert_ok(world->r->get_device(world->r, BYTES("d"), &d));
    assert_int_equal(d.last_seen_us, 5000);
    assert_ok(send_samples(world->w, "d", &s, 1, 6005000));
    assert_ok(world->r->get_device(world->r, BYTES("d"), &d));
    assert_int_equal(d.last_seen_us, 6005000);
}

static void samples_at_their_bounds(void **state)
{
    struct world *world = *state;
    static struct sample many[SAMPLES_MAX + 1];
    static char names[SAMPLES_MAX + 1][METRIC_MAX + 2], long_text[SAMPLE_TEXT_MAX];
    struct sample_seen seen = SAMPLE_SEEN;
    enrol(world->w, "d");
    memset(long_text, 'x', sizeof long_text);
    for (size_t i = 0; i <= SAMPLES_MAX; i++) {
        memset(names[i], 'm', METRIC_MAX);
        (void)snprintf(names[i] + METRIC_MAX - 8, 9, "%08zu", i);
        many[i] = integer(names[i], 1, (int64_t)i);
    }
    many[3] = text(names[3], 1, bytes_of(long_text, sizeof long_text));
    assert_ok(send_samples(world->w, "d", many, SAMPLES_MAX, 5000));
    assert_kind(send_samples(world->w, "d", many, SAMPLES_MAX + 1, 5000), ERR_REFUSED);
    assert_ok(world->r->latest(world->r, BYTES("d"), &seen.rows));
    assert_int_equal(seen.count, SAMPLES_MAX);
    assert_ok(send_samples(world->w, "d", many, 0, 5000));

    struct sample bad = number("n", 1, 0);
    bad.value.number = strtod("nan", NULL);
    assert_kind(send_samples(world->w, "d", &bad, 1, 5000), ERR_REFUSED);
    bad = integer("", 1, 1);
    assert_kind(send_samples(world->w, "d", &bad, 1, 5000), ERR_REFUSED);
}

static void a_device_has_so_many_metrics_and_no_more(void **state)
{
    struct world *world = *state;
    static struct sample some[1000];
    static char names[1000][16];
    struct store_counts counts;
    enrol(world->w, "d");
    for (size_t sent = 0; sent < METRICS_MAX;) {
        size_t count = METRICS_MAX - sent < 1000 ? METRICS_MAX - sent : 1000;
        for (size_t i = 0; i < count; i++, sent++) {
            (void)snprintf(names[i], sizeof names[i], "m%zu", sent);
            some[i] = integer(names[i], 1, 1);
        }
        assert_ok(send_samples(world->w, "d", some, count, 5000));
    }
    const struct sample two[] = {integer("m0", 2, 2), integer("one more", 2, 2)};
    assert_kind(send_samples(world->w, "d", two, 2, 5000), ERR_REFUSED);
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, METRICS_MAX);
    assert_ok(send_samples(world->w, "d", two, 1, 5000));
}

/* --- documents --- */

static void documents_replace_by_name(void **state)
{
    struct world *world = *state;
    struct words seen = {.rows.documents = {see_document}};
    enrol(world->w, "d");
    enrol(world->w, "da");
    assert_ok(apply_taken(world->w, write_document("d", BYTES("b"), BYTES("{\"v\":1}"), 10)));
    assert_ok(apply_taken(world->w, write_document("d", BYTES("a"), BYTES("[]"), 11)));
    assert_ok(apply_taken(world->w, write_document("d", BYTES("b"), BYTES("{}"), 12)));
    assert_ok(apply_taken(world->w, write_document("da", BYTES("c"), BYTES("1"), 12)));
    assert_kind(apply_taken(world->w, write_document("nobody", BYTES("c"), BYTES("1"), 12)), ERR_ABSENT);
    assert_ok(world->r->documents(world->r, BYTES("d"), &seen.rows.documents));
    assert_string_equal(seen.text, "a=[]@11 b={}@12 ");
}

static void a_device_has_so_many_documents_and_no_more(void **state)
{
    struct world *world = *state;
    char name[16];
    enrol(world->w, "d");
    for (int i = 0; i < DOCUMENTS_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_ok(apply_taken(world->w, write_document("d", as_view(name), BYTES("{}"), 10)));
    }
    assert_kind(apply_taken(world->w, write_document("d", BYTES("x"), BYTES("{}"), 10)), ERR_REFUSED);
    assert_ok(apply_taken(world->w, write_document("d", BYTES("n7"), BYTES("[]"), 10)));
}

static void a_large_document(void **state)
{
    struct world *world = *state;
    static char json[DOCUMENT_MAX];
    struct words seen = {.rows.documents = {see_document}};
    memset(json, ' ', sizeof json);
    memcpy(json, "{}", 2);
    enrol(world->w, "d");
    assert_ok(apply_taken(world->w, write_document("d", BYTES("big"), bytes_of(json, sizeof json), 10)));
    assert_ok(world->r->documents(world->r, BYTES("d"), &seen.rows.documents));
    assert_int_equal(seen.count, 1);
}

/* --- events --- */

static int64_t add_event(struct world *world, enum event_kind kind, enum severity severity, const char *device,
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

static bool check_event(struct event_rows *rows, const struct event *e)
{
    assert_int_equal(e->time_us, 77);
    assert_int_equal(e->kind, EVENT_DEVICE_ENROLLED);
    assert_int_equal(e->severity, SEVERITY_WARNING);
    assert_string_equal(e->device, "d1");
    assert_true(bytes_is(e->detail, "{\"a\":1}"));
    return true;
}

static void an_event_comes_back_whole(void **state)
{
    struct world *world = *state;
    struct event_rows rows = {check_event};
    const struct event_query q = {.limit = 10};
    assert_true(add_event(world, EVENT_DEVICE_ENROLLED, SEVERITY_WARNING, "d1", "{\"a\":1}") > 0);
    assert_ok(world->r->list_events(world->r, &q, &rows));
}

static void events_are_listed_by_filter_and_page(void **state)
{
    struct world *world = *state;
    int64_t ids[6];
    ids[0] = add_event(world, EVENT_SERVER_STARTED, SEVERITY_INFO, "", "0");
    ids[1] = add_event(world, EVENT_DEVICE_ENROLLED, SEVERITY_INFO, "d1", "1");
    ids[2] = add_event(world, EVENT_DEVICE_ENROLLED, SEVERITY_INFO, "d2", "2");
    ids[3] = add_event(world, EVENT_DEVICE_EVENT, SEVERITY_ERROR, "d1", "3");
    ids[4] = add_event(world, EVENT_DEVICE_EVENT, SEVERITY_WARNING, "d2", "4");
    ids[5] = add_event(world, EVENT_STORE_FULL, SEVERITY_ERROR, "", "5");
    const struct {
        const char *rule;
        struct event_query query;
        const char *want;
    } rows[] = {
        {"newest first", {.limit = 10}, "5 4 3 2 1 0 "},
        {"oldest first", {.limit = 10, .order = EVENTS_OLDEST_FIRST}, "0 1 2 3 4 5 "},
        {"a page", {.limit = 2}, "5 4 "},
        {"the next page", {.limit = 2, .before_id = ids[4]}, "3 2 "},
        {"resume", {.limit = 10, .after_id = ids[3], .order = EVENTS_OLDEST_FIRST}, "4 5 "},
        {"both ends", {.limit = 10, .after_id = ids[0], .before_id = ids[3]}, "2 1 "},
        {"of a device", {.limit = 10, .device = BYTES("d1")}, "3 1 "},
        {"of no such device", {.limit = 10, .device = BYTES("d")}, ""},
        {"of a kind", {.limit = 10, .one_kind = true, .kind = EVENT_DEVICE_ENROLLED}, "2 1 "},
        {"of a device and a kind", {.limit = 10, .device = BYTES("d2"), .one_kind = true, .kind = EVENT_DEVICE_EVENT}, "4 "},
        {"the same, oldest first",
         {.limit = 10, .device = BYTES("d1"), .order = EVENTS_OLDEST_FIRST}, "1 3 "},
        {"of a kind, oldest first",
         {.limit = 10, .one_kind = true, .kind = EVENT_DEVICE_EVENT, .order = EVENTS_OLDEST_FIRST}, "3 4 "},
        {"of both, oldest first",
         {.limit = 10, .device = BYTES("d1"), .one_kind = true, .kind = EVENT_DEVICE_EVENT, .order = EVENTS_OLDEST_FIRST},
         "3 "},
        {"at least a warning", {.limit = 10, .at_least = SEVERITY_WARNING}, "5 4 3 "},
        {"errors", {.limit = 10, .at_least = SEVERITY_ERROR}, "5 3 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct words seen = {.rows.events = {see_event}};
        assert_ok(world->r->list_events(world->r, &rows[i].query, &seen.rows.events));
        if (strcmp(seen.text, rows[i].want) != 0)
            fail_msg("%s: got %s", rows[i].rule, seen.text);
    }
    for (size_t i = 1; i < 6; i++)
        assert_true(ids[i] > ids[i - 1]);
}

/* --- access --- */

static void tokens_are_listed_newest_first(void **state)
{
    struct world *world = *state;
    struct words seen = {.rows.tokens = {see_token}};
    struct write delete = {.kind = WRITE_TOKEN_DELETE};
    struct token t;
    for (uint8_t hash = 1; hash < 5; hash++) {
        struct write w = token_write(hash, 1, BIG_TIME);
        assert_ok(apply_one(world->w, &w, NULL));
        assert_kind(apply_one(world->w, &w, NULL), ERR_EXISTS);
    }
    (void)snprintf(delete.as.token_id, sizeof delete.as.token_id, "%016x", 2);
    assert_ok(apply_one(world->w, &delete, NULL));
    assert_kind(apply_one(world->w, &delete, NULL), ERR_ABSENT);
    assert_ok(world->r->list_tokens(world->r, &seen.rows.tokens));
    assert_string_equal(seen.text, "0000000000000004 0000000000000003 0000000000000001 ");
    uint8_t hash[TOKEN_HASH];
    fill_hash(hash, 2);
    assert_kind(world->r->find_token(world->r, hash, &t), ERR_ABSENT);
}

static err set_up(struct world *world, uint8_t hash, int64_t expires_us)
{
    struct write w = {.kind = WRITE_SETUP, .as.setup.expires_us = expires_us};
    fill_hash(w.as.setup.hash, hash);
    return apply_one(world->w, &w, NULL);
}

static err make_operator(struct world *world, uint8_t hash, const char *name, int64_t now_us)
{
    struct write w = {.kind = WRITE_OPERATOR, .now_us = now_us};
    struct operator_account *account = &w.as.operator.account;
    fill_hash(w.as.operator.setup_hash, hash);
    (void)snprintf(account->name, sizeof account->name, "%s", name);
    (void)snprintf(account->password_hash, sizeof account->password_hash, "scrypt$1$2$3");
    account->made_us = now_us;
    return apply_one(world->w, &w, NULL);
}

static void the_first_account_needs_the_live_secret(void **state)
{
    struct world *world = *state;
    struct operator_account account;
    uint64_t count;
    assert_kind(make_operator(world, 1, "ada", 100), ERR_REFUSED); /* none is live */
    assert_ok(set_up(world, 1, 1000));
    assert_ok(set_up(world, 2, 1000)); /* replaces */
    assert_kind(make_operator(world, 1, "ada", 100), ERR_REFUSED);
    assert_kind(make_operator(world, 2, "ada", 1000), ERR_EXPIRED);
    assert_ok(world->r->count_operators(world->r, &count));
    assert_int_equal(count, 0);
    assert_ok(make_operator(world, 2, "ada", 999));
    assert_kind(make_operator(world, 2, "bob", 999), ERR_REFUSED); /* it was spent */
    assert_ok(set_up(world, 3, 1000));
    assert_kind(make_operator(world, 3, "ada", 999), ERR_EXISTS);
    assert_ok(make_operator(world, 3, "bob", 999)); /* and was not spent by the refusal */
    assert_ok(world->r->count_operators(world->r, &count));
    assert_int_equal(count, 2);
    assert_ok(world->r->get_operator(world->r, BYTES("ada"), &account));
    assert_string_equal(account.name, "ada");
    assert_string_equal(account.password_hash, "scrypt$1$2$3");
    assert_int_equal(account.made_us, 999);
    assert_kind(world->r->get_operator(world->r, BYTES("Ada"), &account), ERR_ABSENT);
}

static struct write session_write(uint8_t hash, const char *name, int64_t expires_us)
{
    struct write w = {.kind = WRITE_SESSION};
    fill_hash(w.as.session.hash, hash);
    (void)snprintf(w.as.session.operator_name, sizeof w.as.session.operator_name, "%s", name);
    w.as.session.made_us = 5;
    w.as.session.expires_us = expires_us;
    return w;
}

struct sessions_seen {
    struct session_rows rows;
    size_t count;
};

static bool see_session(struct session_rows *rows, const struct session_record *session)
{
    struct sessions_seen *seen = (struct sessions_seen *)rows;
    assert_string_equal(session->operator_name, "ada");
    seen->count++;
    return true;
}

static size_t count_sessions(struct world *world, int64_t now_us)
{
    struct sessions_seen seen = {{see_session}, 0};
    assert_ok(world->r->list_sessions(world->r, now_us, &seen.rows));
    return seen.count;
}

static void sessions_begin_and_end(void **state)
{
    struct world *world = *state;
    struct write w = session_write(1, "ada", 50), end = {.kind = WRITE_SESSION_DELETE};
    struct session_record found;
    assert_kind(apply_one(world->w, &w, NULL), ERR_ABSENT); /* no such operator */
    assert_ok(set_up(world, 1, 1000));
    assert_ok(make_operator(world, 1, "ada", 1));
    assert_ok(apply_one(world->w, &w, NULL));
    assert_kind(apply_one(world->w, &w, NULL), ERR_EXISTS);
    assert_ok(world->r->find_session(world->r, w.as.session.hash, &found));
    assert_string_equal(found.operator_name, "ada");
    assert_int_equal(found.made_us, 5);
    assert_int_equal(found.expires_us, 50);
    assert_memory_equal(found.hash, w.as.session.hash, TOKEN_HASH);
    fill_hash(end.as.session_hash, 1);
    assert_ok(apply_one(world->w, &end, NULL));
    assert_kind(apply_one(world->w, &end, NULL), ERR_ABSENT);
    assert_kind(world->r->find_session(world->r, w.as.session.hash, &found), ERR_ABSENT);
}

static void what_ended_is_dropped(void **state)
{
    struct world *world = *state;
    struct write early = session_write(1, "ada", 50), late = session_write(2, "ada", 51);
    struct write token = token_write(3, 1, 50), live = token_write(4, 1, 51);
    struct write expire = {.kind = WRITE_EXPIRE, .now_us = 50};
    struct session_record session;
    struct token t;
    assert_ok(set_up(world, 1, 1000));
    assert_ok(make_operator(world, 1, "ada", 1));
    assert_ok(set_up(world, 2, 50));
    assert_ok(apply_one(world->w, &early, NULL));
    assert_ok(apply_one(world->w, &late, NULL));
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(apply_one(world->w, &live, NULL));
    assert_int_equal(count_sessions(world, 49), 2);
    assert_int_equal(count_sessions(world, 50), 1); /* ended at that very microsecond, though it is still there */
    assert_ok(apply_one(world->w, &expire, NULL));
    assert_int_equal(count_sessions(world, 0), 1);
    assert_kind(world->r->find_session(world->r, early.as.session.hash, &session), ERR_ABSENT);
    assert_ok(world->r->find_session(world->r, late.as.session.hash, &session));
    assert_kind(world->r->find_token(world->r, token.as.token.hash, &t), ERR_ABSENT);
    assert_ok(world->r->find_token(world->r, live.as.token.hash, &t));
    assert_kind(make_operator(world, 2, "bob", 40), ERR_REFUSED);
}

/* --- batches and counts --- */

static void a_batch_that_is_rolled_back_leaves_nothing(void **state)
{
    struct world *world = *state;
    const struct sample s[] = {integer("a", 10, 1), integer("new", 10, 1)}, later = integer("a", 20, 9);
    const struct event event = {.time_us = 1, .kind = EVENT_DEVICE_EVENT, .detail = BYTES("{}")};
    struct sample_seen seen = SAMPLE_SEEN;
    struct write_result result;
    struct store_counts before, after;
    struct write token = token_write(1, 5, BIG_TIME), enrolment = enrolment_write(1, "e", 2000);
    struct write gone = {.kind = WRITE_DEVICE_DELETE, .as.device = "d"};
    enrol(world->w, "d");
    assert_ok(apply_one(world->w, &token, NULL));
    assert_ok(send_samples(world->w, "d", s, 1, 5000));
    assert_ok(world->r->counts(world->r, &before));

    struct write *samples = write_samples("d", (struct samples){s, 2}, 6000), *said = write_event(&event);
    struct write *more = write_samples("d", (struct samples){&later, 1}, 6000000);
    const struct write *const batch[] = {more, samples, said, &enrolment, &gone, said};
    for (size_t count = 0; count <= sizeof batch / sizeof *batch; count++) {
        assert_ok(world->w->begin(world->w));
        for (size_t i = 0; i < count; i++)
            assert_ok(world->w->apply(world->w, batch[i], &result));
        world->w->rollback(world->w);
        assert_ok(world->r->counts(world->r, &after));
        assert_memory_equal(&before, &after, sizeof before);
    }
    write_drop(samples);
    write_drop(more);
    write_drop(said);

    assert_ok(send_samples(world->w, "d", s, 2, 7000));
    assert_ok(world->r->latest(world->r, BYTES("d"), &seen.rows));
    assert_string_equal(seen.lines, "a 10 1i ;new 10 1i ;");
    int64_t id = add_event(world, EVENT_DEVICE_EVENT, SEVERITY_INFO, "", "{}");
    assert_int_equal(id, add_event(world, EVENT_DEVICE_EVENT, SEVERITY_INFO, "", "{}") - 1);
}

static void counts_count(void **state)
{
    struct world *world = *state;
    const struct sample s[] = {integer("a", 10, 1), integer("a", 11, 1), integer("b", 5, 1)};
    struct store_counts counts;
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.devices + counts.connected + counts.active + counts.events + counts.samples, 0);
    enrol(world->w, "d");
    enrol(world->w, "e");
    enrol(world->w, "f");
    assert_ok(presence(world, "e", 7, 7));
    assert_ok(send_samples(world->w, "d", s, 3, 5000));
    assert_ok(send_samples(world->w, "d", s, 3, 5000));
    (void)add_event(world, EVENT_DEVICE_EVENT, SEVERITY_INFO, "d", "{}");
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.devices, 3);
    assert_int_equal(counts.connected, 1);
    assert_int_equal(counts.active, 2);
    assert_int_equal(counts.events, 1);
    assert_int_equal(counts.samples, 3);
}

/* More than the writer keeps unfolded, in order and out of order, against what was sent. */
static void many_samples(void **state)
{
    enum { MESSAGES = 400, EACH = 100 };
    struct world *world = *state;
    static const char *const names[] = {"m0", "m1", "m2", "m3"};
    struct sample some[EACH];
    struct store_counts counts;
    enrol(world->w, "d");
    for (int64_t i = 0; i < MESSAGES; i++) {
        for (int64_t k = 0; k < EACH; k++)
            some[k] = integer(names[k % 4], (i % 7 == 3 ? i - 3 : i) * 1000000 + k / 4 + (i % 7 == 3 ? 50 : 0), i * EACH + k);
        assert_ok(send_samples(world->w, "d", some, EACH, 5000 + i));
    }
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, MESSAGES * EACH);
    struct sample_seen seen = SAMPLE_SEEN, newest = SAMPLE_SEEN;
    const struct series_query q = {BYTES("d"), BYTES("m1"), INT64_MIN, INT64_MAX, POINTS_MAX + 1};
    assert_ok(world->r->series(world->r, &q, &seen.rows));
    assert_int_equal(seen.count, POINTS_MAX);
    assert_ok(world->r->latest(world->r, BYTES("d"), &newest.rows));
    assert_string_equal(newest.lines, "m0 399000024 39996i ;m1 399000024 39997i ;m2 399000024 39998i ;m3 399000024 39999i ;");
}

#define TEST(function) {#function, function, NULL, NULL, NULL}
static const struct CMUnitTest suite[] = {
    TEST(enrolment_spends_a_token_and_makes_the_device),
    TEST(enrolment_is_refused_and_changes_nothing),
    TEST(a_token_race_is_decided_by_order),
    TEST(a_renewal_changes_the_certificate_alone),
    TEST(a_renewal_is_of_one_enrolment),
    TEST(presence_moves_last_seen),
    TEST(devices_are_listed_by_filter_and_page),
    TEST(a_deleted_device_leaves_its_events_only),
    TEST(samples_come_back_bit_for_bit),
    TEST(kinds_and_units_may_change_within_a_metric),
    TEST(a_sample_of_the_same_time_replaces),
    TEST(times_in_any_order),
    TEST(latest_goes_by_metric_name),
    TEST(a_series_of_nothing),
    TEST(telemetry_moves_last_seen_now_and_then),
    TEST(samples_at_their_bounds),
    TEST(a_device_has_so_many_metrics_and_no_more),
    TEST(documents_replace_by_name),
    TEST(a_device_has_so_many_documents_and_no_more),
    TEST(a_large_document),
    TEST(an_event_comes_back_whole),
    TEST(events_are_listed_by_filter_and_page),
    TEST(tokens_are_listed_newest_first),
    TEST(the_first_account_needs_the_live_secret),
    TEST(sessions_begin_and_end),
    TEST(what_ended_is_dropped),
    TEST(a_batch_that_is_rolled_back_leaves_nothing),
    TEST(counts_count),
    TEST(many_samples),
};
enum { TESTS = sizeof suite / sizeof *suite };

int main(void)
{
    struct CMUnitTest sqlite[TESTS], memory[TESTS];
    for (size_t i = 0; i < TESTS; i++) {
        sqlite[i] = memory[i] = suite[i];
        sqlite[i].setup_func = open_sqlite;
        sqlite[i].teardown_func = close_sqlite;
        memory[i].setup_func = open_memory;
        memory[i].teardown_func = close_memory;
    }
    int failed = cmocka_run_group_tests_name("store on SQLite", sqlite, NULL, NULL);
    return failed + cmocka_run_group_tests_name("store in memory", memory, NULL, NULL);
}
