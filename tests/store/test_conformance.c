/* One suite over every filler of the store port: devices, tokens, accounts, batches; on SQLite and in memory. What devices
 * send is in test_conformance_reports.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conformance.h"

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

int main(void)
{
    static const struct CMUnitTest suite[] = {
        TEST(enrolment_spends_a_token_and_makes_the_device),
        TEST(enrolment_is_refused_and_changes_nothing),
        TEST(a_token_race_is_decided_by_order),
        TEST(a_renewal_changes_the_certificate_alone),
        TEST(a_renewal_is_of_one_enrolment),
        TEST(presence_moves_last_seen),
        TEST(devices_are_listed_by_filter_and_page),
        TEST(a_deleted_device_leaves_its_events_only),
        TEST(tokens_are_listed_newest_first),
        TEST(the_first_account_needs_the_live_secret),
        TEST(sessions_begin_and_end),
        TEST(what_ended_is_dropped),
        TEST(a_batch_that_is_rolled_back_leaves_nothing),
        TEST(counts_count),
    };
    return run_suite(suite, sizeof suite / sizeof *suite);
}
