/* The admission of handshakes: all who come are served in the end, within the bounds; who waits too long is told so;
 * who says nothing gives way; and those who are connected do not notice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_world.h"

enum { CROWD = 40 };

static struct guest crowd[CROWD], live;
static size_t shaken, under_way_most;

static void come(struct world *w, size_t count)
{
    for (size_t i = 0; i < count; i++)
        guest_open(w, &crowd[i]);
    shaken = under_way_most = 0;
}

static void go(size_t count)
{
    for (size_t i = 0; i < count; i++)
        guest_close(&crowd[i]);
}

static struct admission *admission(struct world *w)
{
    return &w->lobbies[0].traffic->admission;
}

static void note(struct world *w)
{
    size_t now = admission(w)->under_way_count;
    under_way_most = now > under_way_most ? now : under_way_most;
}

static bool all_are_served(struct world *w)
{
    note(w);
    for (size_t i = 0; i < CROWD; i++)
        (void)guest_shook_hands(&crowd[i]);
    return w->spoken_count == CROWD;
}

static uint64_t count_of(struct world *w, size_t offset)
{
    return lobby_sum(w->all[0], offset);
}

#define COUNT_OF(w, name) count_of(w, offsetof(struct door_counts, name))

static void a_crowd_is_served_within_the_bound(void **state)
{
    struct world *w = world_open(WITH_TLS);
    w->limits.handshakes_max = 5; /* with places for 40 who wait */
    come(w, CROWD);
    run_until(w, all_are_served);
    assert_true(under_way_most <= 5);
    assert_true(COUNT_OF(w, handshakes_deferred) > 0);
    assert_int_equal(COUNT_OF(w, handshakes_shed), 0);
    assert_int_equal(COUNT_OF(w, handshakes_refused), 0);
    assert_int_equal(admission(w)->under_way_count, 0);
    assert_int_equal(admission(w)->waiting_count, 0);
    go(CROWD);
    world_close(w);
}

static bool first_is_served(struct world *w)
{
    (void)guest_shook_hands(&crowd[0]);
    return w->spoken_count == 1;
}

static bool first_heard(struct world *w)
{
    size_t at;
    guest_hear(&crowd[0]);
    return bytes_find(buffer_view(&crowd[0].heard), '\n', &at);
}

static void a_device_is_who_its_certificate_says(void **state)
{
    struct world *w = world_open(WITH_TLS);
    come(w, 1);
    run_until(w, first_is_served);
    assert_true(w->spoken[0].speaker.line->certificate.len > 100);
    guest_say(&crowd[0], "who\n");
    run_until(w, first_heard);
    assert_string_equal(buffer_text(&crowd[0].heard), "pump-1\n");
    buffer_clear(&crowd[0].heard);
    guest_say(&crowd[0], "settle\n");
    run_until(w, first_heard);
    assert_string_equal(buffer_text(&crowd[0].heard), "FORGOTTEN\n");
    assert_string_equal(line_transport(w->spoken[0].speaker.line), "tls");
    go(1);
    world_close(w);
}

/* To the other loop with a record layer's state, and a part of a line in hand. */
static void a_tls_line_moves(void **state)
{
    struct world *w = world_open(WITH_TLS);
    come(w, 1);
    run_until(w, first_is_served);
    guest_say(&crowd[0], "move\nther");
    guest_say(&crowd[0], "e\n");
    run_until(w, first_heard);
    assert_string_equal(buffer_text(&crowd[0].heard), "THERE\n");
    assert_ptr_equal(w->spoken[0].speaker.line->lobby, w->all[1]);
    go(1);
    world_close(w);
}

static struct guest mute, late;

static bool late_was_refused(struct world *w)
{
    guest_hear(&late);
    return late.closed;
}

/* Without TLS: what the server says in the clear is looked at. */
static void connect_raw(struct world *w, struct guest *g)
{
    *g = (struct guest){.fd = -1, .heard = {.max = 4096}};
    assert_null(socket_connect("127.0.0.1", w->port, &g->fd));
}

static void who_waits_too_long_is_told_so(void **state)
{
    struct world *w = world_open(WITH_TLS);
    w->limits.handshakes_max = 1;
    w->limits.handshake_ms = 200;
    connect_raw(w, &mute); /* has the place and says nothing */
    connect_raw(w, &late);
    run_until(w, late_was_refused);
    assert_true(late.heard.len >= 7);
    assert_int_equal(late.heard.at[0], 21); /* an alert in the clear (RFC 8446, 5.1), */
    assert_int_equal(late.heard.at[5], 2);  /* fatal, */
    assert_int_equal(late.heard.at[6], 80); /* internal_error */
    assert_int_equal(COUNT_OF(w, handshakes_shed), 1);
    assert_int_equal(w->spoken_count, 0);
    guest_close(&mute);
    guest_close(&late);
    world_close(w);
}

static bool mute_gave_way(struct world *w)
{
    (void)guest_shook_hands(&crowd[0]);
    return w->spoken_count == 1;
}

static void who_says_nothing_gives_way(void **state)
{
    struct world *w = world_open(WITH_TLS);
    w->limits.handshakes_max = 1;
    connect_raw(w, &mute);
    come(w, 1);
    run_until(w, mute_gave_way);
    assert_int_equal(COUNT_OF(w, handshakes_shed), 1);
    run_until(w, mute_gave_way);
    guest_close(&mute);
    go(1);
    world_close(w);
}

static int64_t began_ms;

static bool all_came_by_rate(struct world *w)
{
    for (size_t i = 0; i < 10; i++)
        (void)guest_shook_hands(&crowd[i]);
    return w->spoken_count == 10;
}

static void a_rate_is_kept(void **state)
{
    struct world *w = world_open(WITH_TLS);
    w->limits.handshakes_per_s = 50; /* with bursts of 5 */
    come(w, 10);
    began_ms = monotonic_ms(machine_clock());
    run_until(w, all_came_by_rate);
    assert_true(monotonic_ms(machine_clock()) - began_ms >= 90);
    go(10);
    world_close(w);
}

static bool handshake_ran_out(struct world *w)
{
    guest_hear(&mute);
    return mute.closed;
}

/* One byte of a record now and then is no progress that counts. */
static bool a_byte_now_and_then(struct world *w)
{
    static const uint8_t hello[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3};
    static size_t at;
    if (at < sizeof hello)
        at += guest_send(&mute, bytes_of(&hello[at], 1));
    return handshake_ran_out(w);
}

static void slowloris_has_its_time_and_no_more(void **state)
{
    struct world *w = world_open(WITH_TLS);
    w->limits.handshake_ms = 100;
    connect_raw(w, &mute);
    began_ms = monotonic_ms(machine_clock());
    run_until(w, a_byte_now_and_then);
    assert_true(monotonic_ms(machine_clock()) - began_ms < 10000);
    assert_int_equal(w->spoken_count, 0);
    guest_close(&mute);
    world_close(w);
}

/* ---- a storm beside a live session */

static int64_t asked_ms, worst_ms;
static unsigned answers;

static bool live_is_served(struct world *w)
{
    (void)guest_shook_hands(&live);
    return w->spoken_count == 1;
}

static void ask_again(void)
{
    size_t at;
    guest_hear(&live);
    if (!asked_ms) {
        guest_say(&live, "now\n");
        asked_ms = monotonic_ms(machine_clock());
    } else if (bytes_find(buffer_view(&live.heard), '\n', &at)) {
        int64_t took_ms = monotonic_ms(machine_clock()) - asked_ms;
        worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
        buffer_clear(&live.heard);
        asked_ms = 0;
        answers++;
    }
}

/* The crowd comes and goes, and comes again. */
static bool storm(struct world *w)
{
    static size_t rotation;
    size_t at = rotation++ % CROWD;
    ask_again();
    if (guest_shook_hands(&crowd[at]) && w->spoken_count < SPOKEN_MAX - 1) {
        shaken++;
        guest_close(&crowd[at]);
        guest_open(w, &crowd[at]);
    }
    return w->spoken_count >= SPOKEN_MAX - 1 - CROWD && answers >= 50;
}

static void a_storm_leaves_a_live_session_undisturbed(void **state)
{
    struct world *w = world_open(WITH_TLS);
    guest_open(w, &live);
    run_until(w, live_is_served);
    come(w, CROWD);
    asked_ms = worst_ms = 0;
    answers = 0;
    run_until(w, storm);
    /* Both ends compute in this thread; a turn holds some handshakes of each side, never the whole crowd's. */
    assert_true(worst_ms < 500);
    go(CROWD);
    guest_close(&live);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_is_served_within_the_bound),
        cmocka_unit_test(a_device_is_who_its_certificate_says),
        cmocka_unit_test(a_tls_line_moves),
        cmocka_unit_test(who_waits_too_long_is_told_so),
        cmocka_unit_test(who_says_nothing_gives_way),
        cmocka_unit_test(a_rate_is_kept),
        cmocka_unit_test(slowloris_has_its_time_and_no_more),
        cmocka_unit_test(a_storm_leaves_a_live_session_undisturbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
