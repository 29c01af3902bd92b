/* Connections over real sockets: bytes in pieces of every size, peers that do not read, do not speak or speak without
 * end, and what an idle one holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_world.h"

static struct guest one, two;

static bool one_came(struct world *w)
{
    return w->spoken_count == 1;
}

static bool two_came(struct world *w)
{
    return w->spoken_count == 2;
}

static bool one_heard_a_line(struct world *w)
{
    size_t at;
    guest_hear(&one);
    return bytes_find(buffer_view(&one.heard), '\n', &at);
}

static void assert_heard(const char *text)
{
    assert_string_equal(buffer_text(&one.heard), text);
    buffer_clear(&one.heard);
}

static struct world *open_with_one(void)
{
    struct world *w = world_open(IN_THE_CLEAR);
    guest_open(w, &one);
    run_until(w, one_came);
    return w;
}

static void close_with_one(struct world *w)
{
    guest_close(&one);
    world_close(w);
}

/* ---- pieces */

static const char slow_text[] = "byte by byte\n";
static size_t slow_at;

static bool one_byte_more(struct world *w)
{
    if (slow_at < sizeof slow_text - 1)
        slow_at += guest_send(&one, bytes_of(slow_text + slow_at, 1));
    return one_heard_a_line(w);
}

static void a_byte_at_a_time(void **state)
{
    struct world *w = open_with_one();
    slow_at = 0;
    run_until(w, one_byte_more);
    assert_heard("BYTE BY BYTE\n");
    assert_true(w->spoken[0].hears > 3);
    close_with_one(w);
}

static void an_idle_one_holds_no_buffer(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "a\nb");
    run_until(w, one_heard_a_line);
    assert_heard("A\n");
    struct connection *c = connection_of(w, 0);
    assert_non_null(c->in); /* the unfinished "b" */
    assert_null(c->out);
    guest_say(&one, "\n");
    run_until(w, one_heard_a_line);
    assert_heard("B\n");
    assert_null(c->in);
    assert_null(c->out);
    assert_true(w->lobbies[0].traffic->pooled >= 1);
    assert_true(sizeof *c <= 320); /* docs/benchmarks.md says what an idle connection costs */
    close_with_one(w);
}

static size_t long_len, long_sent;
static char long_text[65536];

static bool one_sends_it_long(struct world *w)
{
    if (long_sent < long_len)
        long_sent += guest_send(
            &one, bytes_of(long_text + long_sent, long_len - long_sent < 5000 ? long_len - long_sent : 5000));
    return one_heard_a_line(w);
}

/* Across the border between what is completed in the scratch and what is gathered in a buffer. */
static void lines_of_every_length(void **state)
{
    static const size_t lengths[] = {1, 2, 4095, SCRATCH_FRONT - 1, SCRATCH_FRONT, SCRATCH_FRONT + 1, 20000, 65536};
    struct world *w = open_with_one();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(long_text, 'x', sizeof long_text);
        long_len = lengths[i];
        long_sent = 0;
        long_text[long_len - 1] = '\n';
        run_until(w, one_sends_it_long);
        assert_int_equal(one.heard.len, long_len);
        for (size_t at = 0; at + 1 < long_len; at++)
            assert_int_equal(one.heard.at[at], 'X');
        buffer_clear(&one.heard);
    }
    close_with_one(w);
}

static bool first_is_lost(struct world *w)
{
    return w->spoken[0].lost;
}

static bool one_sends_without_end(struct world *w)
{
    static const uint8_t piece[16384] = {'x'};
    (void)guest_send(&one, bytes_of(piece, sizeof piece));
    return w->spoken[0].lost;
}

static void what_never_makes_sense_is_ended(void **state)
{
    struct world *w = open_with_one();
    run_until(w, one_sends_without_end);
    close_with_one(w);
}

/* ---- held, moved, settled */

static bool first_holds(struct world *w)
{
    return w->spoken[0].holds;
}

static void one_that_is_held_hears_later_what_came_meanwhile(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "hold\nkept\n");
    run_until(w, first_holds);
    guest_say(&one, "later\n");
    guest_open(w, &two);
    run_until(w, two_came); /* some turns, in which the held one is told of by epoll */
    guest_hear(&one);
    assert_int_equal(one.heard.len, 0);
    w->spoken[0].holds = false;
    w->spoken[0].speaker.line->calls->resume(w->spoken[0].speaker.line);
    run_until(w, one_heard_a_line);
    while (one.heard.len < sizeof "KEPT\nLATER\n" - 1) {
        buffer_clear(&two.heard);
        run_until(w, one_heard_a_line);
    }
    assert_heard("KEPT\nLATER\n");
    guest_close(&two);
    close_with_one(w);
}

static void a_move_takes_along_what_was_not_used(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "move\nthere\n");
    run_until(w, one_heard_a_line);
    assert_heard("THERE\n");
    assert_ptr_equal(w->spoken[0].speaker.line->lobby, w->all[1]);
    assert_int_equal(counter_read(&w->counts[0].connections_now), 0);
    assert_int_equal(counter_read(&w->counts[1].connections_now), 1);
    close_with_one(w);
}

/* Its last word on the old loop is heard by that loop's sweep, which must not know it any more behind that. */
static void one_that_moves_out_of_a_sweep_is_gone_from_it(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "hold\nmove\nthere\n");
    run_until(w, first_holds);
    w->spoken[0].holds = false;
    w->spoken[0].speaker.line->calls->resume(w->spoken[0].speaker.line);
    run_until(w, one_heard_a_line);
    assert_heard("THERE\n");
    assert_false(w->spoken[0].astray);
    close_with_one(w);
}

static void one_that_settled_is_forgotten(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "settle\n");
    run_until(w, one_heard_a_line);
    assert_heard("FORGOTTEN\n");
    assert_null(connection_of(w, 0)->arrival);
    guest_say(&one, "who\n");
    run_until(w, one_heard_a_line);
    assert_heard("ANONYMOUS\n");
    assert_string_equal(line_transport(w->spoken[0].speaker.line), "plain");
    close_with_one(w);
}

/* ---- peers that do not read */

static bool one_is_closed(struct world *w)
{
    guest_hear(&one);
    return one.closed;
}

static void a_peer_that_takes_nothing_is_let_go(void **state)
{
    struct world *w = open_with_one();
    w->limits.stall_ms = 50;
    guest_say(&one, "much\n");
    run_until(w, first_is_lost);
    assert_int_equal(w->spoken[0].drained, 0);
    run_until(w, one_is_closed);
    assert_true(one.reset); /* the kernel does not go on offering it what it had */
    close_with_one(w);
}

static bool one_heard_much(struct world *w)
{
    uint8_t little[1000];
    size_t got = 0;
    if (!socket_read(one.fd, little, sizeof little, &got))
        put_bytes(&one.heard, bytes_of(little, got));
    if (one.heard.len > 200000) /* it was slow for long enough */
        guest_hear(&one);
    return one.heard.len >= 128 * 65536;
}

static void a_peer_that_reads_slowly_gets_everything(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "much\n");
    run_until(w, one_heard_much);
    assert_int_equal(one.heard.len, 128 * 65536);
    for (size_t i = 0; i < one.heard.len; i++)
        if (one.heard.at[i] != 'M')
            fail_msg("byte %zu", i);
    guest_say(&one, "still there\n");
    buffer_clear(&one.heard);
    run_until(w, one_heard_a_line);
    assert_heard("STILL THERE\n");
    assert_true(w->spoken[0].drained > 0);
    close_with_one(w);
}

static void last_words_arrive_although_more_came(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "end\nmore that nobody reads\n");
    run_until(w, one_is_closed);
    assert_heard("LAST WORDS\n");
    close_with_one(w);
}

static bool first_ended(struct world *w)
{
    return connection_of(w, 0)->phase == ENDING;
}

static bool one_heard_the_end(struct world *w)
{
    guest_hear(&one);
    return one.closed;
}

/* Otherwise a peer that takes a little from time to time would be told for ever, long after its line was ended. */
static void what_comes_behind_the_end_is_not_said(void **state)
{
    struct world *w = open_with_one();
    guest_say(&one, "much\nend\n");
    run_until(w, first_ended);
    line_send(w->spoken[0].speaker.line, BYTES("MORE\n"));
    run_until(w, one_heard_the_end);
    assert_int_equal(one.heard.len, 128 * 65536 + sizeof "LAST WORDS\n" - 1);
    close_with_one(w);
}

/* ---- peers that do not speak */

static bool first_is_tired(struct world *w)
{
    return w->spoken[0].tired;
}

static unsigned moved;

static bool patience_is_moved_often(struct world *w)
{
    struct line *line = w->spoken[0].speaker.line;
    if (moved++ < 60)
        line->calls->patience(line, 25);
    return w->spoken[0].tired;
}

static void patience_is_counted_from_the_last_time(void **state)
{
    struct world *w = open_with_one();
    int64_t began = loop_now_ms(w->loop);
    moved = 0;
    run_until(w, patience_is_moved_often);
    assert_true(loop_now_ms(w->loop) - began >= 25 + 59); /* a look is a millisecond at least */
    assert_int_equal(w->spoken[0].tired, 1);
    struct line *line = w->spoken[0].speaker.line;
    line->calls->patience(line, 5);
    line->calls->patience(line, 0);
    line->calls->patience(line, 40); /* longer than the timer that is set */
    began = loop_now_ms(w->loop);
    w->spoken[0].tired = 0;
    run_until(w, first_is_tired);
    assert_true(loop_now_ms(w->loop) - began >= 40);
    close_with_one(w);
}

/* ---- one that speaks without end hurts nobody */

static uint64_t flooded;
static int64_t asked_ms, worst_ms;
static unsigned answers;

static bool one_floods_and_two_asks(struct world *w)
{
    static char piece[65536];
    size_t at;
    for (size_t i = 0; i < sizeof piece; i += 2)
        memcpy(piece + i, "x\n", 2);
    flooded += guest_send(&one, bytes_of(piece, sizeof piece));
    guest_hear(&one);
    buffer_clear(&one.heard);
    guest_hear(&two);
    if (!asked_ms) {
        guest_say(&two, "now\n");
        asked_ms = monotonic_ms(machine_clock());
    } else if (bytes_find(buffer_view(&two.heard), '\n', &at)) {
        int64_t took_ms = monotonic_ms(machine_clock()) - asked_ms;
        worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
        buffer_clear(&two.heard);
        asked_ms = 0;
        answers++;
    }
    return answers == 100;
}

static void a_busy_peer_starves_nobody(void **state)
{
    struct world *w = open_with_one();
    guest_open(w, &two);
    run_until(w, two_came);
    flooded = answers = 0;
    asked_ms = worst_ms = 0;
    run_until(w, one_floods_and_two_asks);
    assert_true(flooded > 1000000);
    /* Both sides share this thread, so a turn holds the flood's making, too; without fair turns it would be seconds. */
    assert_true(worst_ms < 1000);
    guest_close(&two);
    close_with_one(w);
}

/* ---- out of descriptors */

static void out_of_descriptors_the_rest_waits(void **state)
{
    struct world *w = open_with_one();
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    guest_open(w, &two);
    few = before;
    few.rlim_cur = (rlim_t)two.fd + 1; /* not one more */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    guest_say(&one, "meanwhile\n");
    run_until(w, one_heard_a_line);
    assert_heard("MEANWHILE\n");
    assert_int_equal(w->spoken_count, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    run_until(w, two_came);
    guest_close(&two);
    close_with_one(w);
}

static void over_the_bound_they_are_closed(void **state)
{
    struct world *w = world_open(IN_THE_CLEAR);
    w->limits.connections_max = 1;
    guest_open(w, &two);
    run_until(w, one_came);
    guest_open(w, &one);
    run_until(w, one_is_closed);
    assert_int_equal(counter_read(&w->counts[0].connections_full), 1);
    guest_close(&two);
    close_with_one(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_at_a_time),
        cmocka_unit_test(an_idle_one_holds_no_buffer),
        cmocka_unit_test(lines_of_every_length),
        cmocka_unit_test(what_never_makes_sense_is_ended),
        cmocka_unit_test(one_that_is_held_hears_later_what_came_meanwhile),
        cmocka_unit_test(a_move_takes_along_what_was_not_used),
        cmocka_unit_test(one_that_moves_out_of_a_sweep_is_gone_from_it),
        cmocka_unit_test(one_that_settled_is_forgotten),
        cmocka_unit_test(a_peer_that_takes_nothing_is_let_go),
        cmocka_unit_test(a_peer_that_reads_slowly_gets_everything),
        cmocka_unit_test(last_words_arrive_although_more_came),
        cmocka_unit_test(what_comes_behind_the_end_is_not_said),
        cmocka_unit_test(patience_is_counted_from_the_last_time),
        cmocka_unit_test(a_busy_peer_starves_nobody),
        cmocka_unit_test(out_of_descriptors_the_rest_waits),
        cmocka_unit_test(over_the_bound_they_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
