/* The board over several loops that run, with a door that is played: pages in order whatever lies where, walks that begin
 * anew, one that is asked for, orders that all follow. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/board.h"

#include "base/memory.h"
#include "door/board.h"
#include "door/lobby.h"
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOOPS = 3, SESSIONS = 1000, STEP = 37 };

/* Session i lies on loop i % LOOPS. */
static void name(size_t i, char id[DEVICE_ID_MAX + 1], char client[32])
{
    snprintf(id, DEVICE_ID_MAX + 1, "dev-%03zu", i / 4);
    snprintf(client, 32, "%s-%zu", i % 4 == 3 ? "Probe" : "main", i % 4);
}

struct world {
    struct lobby lobbies[LOOPS];
    struct lobby *all[LOOPS];
    pthread_t threads[LOOPS];
    unsigned anew[LOOPS]; /* walks that still begin anew */
    struct drain_order order[LOOPS];
    struct floor_board board;
};

static struct world *world_of(const struct lobby *lobby, size_t *number)
{
    for (*number = 0; lobby->all[*number] != lobby;)
        (*number)++;
    return (struct world *)((uintptr_t)lobby->all[0] - offsetof(struct world, lobbies));
}

static bool at(size_t i, struct session_rows_view *rows)
{
    char id[DEVICE_ID_MAX + 1], client[32];
    struct session_view view = {.peer = "", .transport = "", .connected = i % 2};
    name(i, id, client);
    view.who.kind = PRINCIPAL_DEVICE;
    memcpy(view.who.id, id, sizeof view.who.id);
    view.client_id = bytes_of_text(client);
    return rows->row(rows, &view);
}

enum walk_progress lobby_walk_sessions(const struct lobby *lobby, struct session_walk *walk,
                                       struct session_rows_view *rows)
{
    size_t number;
    struct world *w = world_of(lobby, &number);
    if (walk->next > SESSIONS / 2 && w->anew[number]) {
        w->anew[number]--;
        walk->next = 0;
        return WALK_ANEW;
    }
    /* Backwards, since no order is promised. */
    for (size_t end = walk->next + STEP; walk->next < end && walk->next < SESSIONS; walk->next++)
        if ((SESSIONS - 1 - walk->next) % LOOPS == number)
            (void)at(SESSIONS - 1 - walk->next, rows);
    return walk->next < SESSIONS ? WALK_ON : WALK_OVER;
}

static const struct fault absent = {ERR_ABSENT, "test: not here"};
static const struct fault stubborn = {ERR_FULL, "test: no"};

static err here(const struct lobby *lobby, const struct session_name *who, size_t *found)
{
    size_t number;
    (void)world_of(lobby, &number);
    for (*found = number; *found < SESSIONS; *found += LOOPS) {
        char id[DEVICE_ID_MAX + 1], client[32];
        name(*found, id, client);
        if (!strcmp(id, who->who.id) && bytes_is(who->client_id, client))
            return OK;
    }
    return &absent;
}

err lobby_show_session(const struct lobby *lobby, const struct session_name *who, struct session_rows_view *row,
                       struct watch_rows_view *watches)
{
    size_t found;
    TRY(here(lobby, who, &found));
    (void)at(found, row);
    return OK;
}

err lobby_kick(struct lobby *lobby, const struct session_name *who, enum kick_how how)
{
    size_t found;
    TRY(here(lobby, who, &found));
    return how == KICK_SESSION ? &stubborn : OK;
}

err lobby_drain(struct lobby *lobby, const struct drain_order *order)
{
    size_t number;
    struct world *w = world_of(lobby, &number);
    if (number == 1 && order->per_s == 13)
        return &stubborn;
    w->order[number] = *order;
    return OK;
}

static void *run(void *lobby)
{
    assert_null(loop_run(((struct lobby *)lobby)->loop));
    return NULL;
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    for (size_t i = 0; i < LOOPS; i++) {
        w->all[i] = &w->lobbies[i];
        assert_null(loop_open(machine_clock(), 16, &w->lobbies[i].loop));
        w->lobbies[i].all = w->all;
        w->lobbies[i].all_count = LOOPS;
    }
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&w->threads[i], NULL, run, &w->lobbies[i]), 0);
    floor_board_open(&w->board, w->all, LOOPS);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < LOOPS; i++)
        loop_stop(w->lobbies[i].loop);
    for (size_t i = 0; i < LOOPS; i++) {
        pthread_join(w->threads[i], NULL);
        loop_close(w->lobbies[i].loop);
    }
    floor_board_close(&w->board);
    free(w);
    return 0;
}

struct heard {
    struct session_rows_view rows;
    size_t count, most;
    char last_id[DEVICE_ID_MAX + 1], last_client[32];
};

static bool hear(struct session_rows_view *self, const struct session_view *session)
{
    struct heard *heard = (struct heard *)self;
    struct session_name before = {.who.kind = PRINCIPAL_DEVICE, .client_id = bytes_of_text(heard->last_client)};
    struct session_name now = {session->who, session->client_id};
    memcpy(before.who.id, heard->last_id, sizeof before.who.id);
    assert_true(!heard->count || session_name_order(&before, &now) < 0);
    memcpy(heard->last_id, session->who.id, sizeof heard->last_id);
    snprintf(heard->last_client, sizeof heard->last_client, "%.*s", (int)session->client_id.len,
             (const char *)session->client_id.at);
    return ++heard->count < heard->most;
}

/* Page by page all come once, in order, although every walk begins anew somewhere. */
static void pages_are_whole(void **state)
{
    struct world *w = *state;
    struct heard heard = {.rows = {hear}, .most = SIZE_MAX};
    struct session_query query = {.limit = 7};
    struct session_name after = {.who.kind = PRINCIPAL_DEVICE};
    uint64_t total;
    size_t pages = 0;
    for (size_t before = SIZE_MAX; heard.count != before; pages++) {
        before = heard.count;
        for (size_t i = 0; i < LOOPS; i++)
            w->anew[i] = (unsigned)(pages + i) % 3;
        assert_null(w->board.board.list(&w->board.board, &query, &heard.rows, &total));
        assert_int_equal(total, SESSIONS);
        memcpy(after.who.id, heard.last_id, sizeof after.who.id);
        after.client_id = bytes_of_text(heard.last_client);
        query.after = &after;
    }
    assert_int_equal(heard.count, SESSIONS);
    assert_int_equal(pages, (SESSIONS + 6) / 7 + 1);
}

static void searches(void **state)
{
    static const struct {
        const char *rule, *search;
        enum connected_wish wish;
        size_t limit, shown;
        uint64_t total;
    } rows[] = {
        {"one of four", "probe", SESSIONS_ALL, 1000, 250, 250},
        {"of one device", "dev-017", SESSIONS_ALL, 1000, 4, 4},
        {"connected", "", SESSIONS_CONNECTED, 10, 10, 500},
        {"connected, of one device", "dev-017", SESSIONS_CONNECTED, 10, 2, 2},
        {"none", "valve", SESSIONS_ALL, 10, 0, 0},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct heard heard = {.rows = {hear}, .most = SIZE_MAX};
        struct session_query query = {
            .search = bytes_of_text(rows[i].search), .connected = rows[i].wish, .limit = rows[i].limit};
        uint64_t total;
        assert_null(w->board.board.list(&w->board.board, &query, &heard.rows, &total));
        if (heard.count != rows[i].shown || total != rows[i].total)
            fail_msg("%s: %zu of %llu", rows[i].rule, heard.count, (unsigned long long)total);
    }
}

/* On the asking thread the 1st, 2nd, ... allocation fails; none is lost, and no half page is shown. */
static void no_memory(void **state)
{
    struct world *w = *state;
    for (unsigned long fail_at = 1; fail_at <= LOOPS + 1; fail_at++) {
        struct heard heard = {.rows = {hear}, .most = SIZE_MAX};
        uint64_t total;
        mem_trial(fail_at);
        err failed = w->board.board.list(&w->board.board, &(struct session_query){.limit = 5}, &heard.rows, &total);
        mem_trial(0);
        assert_true(err_is(failed, ERR_MEMORY));
        assert_int_equal(heard.count, 0);
    }
}

static bool no_watch(struct watch_rows_view *self, const struct client_watch *watch)
{
    return true;
}

static void one_is_found_wherever_it_is(void **state)
{
    struct world *w = *state;
    struct board *board = &w->board.board;
    for (size_t i = 0; i < SESSIONS; i += 97) {
        char id[DEVICE_ID_MAX + 1], client[32];
        struct heard heard = {.rows = {hear}, .most = SIZE_MAX};
        struct watch_rows_view watches = {no_watch};
        name(i, id, client);
        struct session_name who = {.who.kind = PRINCIPAL_DEVICE, .client_id = bytes_of_text(client)};
        memcpy(who.who.id, id, sizeof who.who.id);
        assert_null(board->show(board, &who, &heard.rows, &watches));
        assert_string_equal(heard.last_client, client);
        assert_null(board->kick(board, &who, KICK_CONNECTION));
        assert_ptr_equal(board->kick(board, &who, KICK_SESSION), &stubborn);
        who.client_id = BYTES("nobody");
        assert_true(err_is(board->show(board, &who, &heard.rows, &watches), ERR_ABSENT));
        assert_true(err_is(board->kick(board, &who, KICK_CONNECTION), ERR_ABSENT));
    }
}

static void all_loops_follow_an_order(void **state)
{
    struct world *w = *state;
    struct board *board = &w->board.board;
    struct drain_order order = {.drains = true, .reference = "b:1", .per_s = 5}, said;
    board->draining(board, &said);
    assert_false(said.drains);
    assert_null(board->drain(board, &order));
    for (size_t i = 0; i < LOOPS; i++)
        assert_string_equal(w->order[i].reference, "b:1");
    board->draining(board, &said);
    assert_true(said.drains && said.per_s == 5);
    order.per_s = 13;
    assert_ptr_equal(board->drain(board, &order), &stubborn);
    board->draining(board, &said);
    assert_int_equal(said.per_s, 5);
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(w->order[i].per_s, 5); /* an order that not all follow is taken back */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_are_whole, open_world, close_world),
        cmocka_unit_test_setup_teardown(searches, open_world, close_world),
        cmocka_unit_test_setup_teardown(no_memory, open_world, close_world),
        cmocka_unit_test_setup_teardown(one_is_found_wherever_it_is, open_world, close_world),
        cmocka_unit_test_setup_teardown(all_loops_follow_an_order, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
