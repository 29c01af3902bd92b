/* One suite over every filler of the store port: telemetry, documents and events; on SQLite and in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conformance.h"

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

int main(void)
{
    static const struct CMUnitTest suite[] = {
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
        TEST(many_samples),
    };
    return run_suite(suite, sizeof suite / sizeof *suite);
}
