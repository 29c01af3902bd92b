/* The board over all loops.
 *
 * A question lies on the asker's stack, with one mail for each loop. A loop answers in its own time: a listing in many
 * small steps, between which it does its other work. The asker wakes up when the last loop has answered; what the
 * loops' answers hold is the asker's alone from then on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/board.h"

#include "door/board.h"
#include "door/lobby.h"
#include "prog/server/session_page.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "board: no memory to ask all loops"};
static const struct fault no_session = {ERR_ABSENT, "board: there is no such session"};

struct question;

enum answered { ANSWERED = 0, ASK_AGAIN };

/* One loop's part of a question. */
struct part {
    struct mail mail;
    struct question *question;
    struct lobby *lobby;
    err failed;
    struct session_rows_view rows;
    struct session_walk walk;
    struct session_page page;
};

struct question {
    enum answered (*answer)(struct part *part); /* on the loop */
    const struct session_query *query;
    const struct session_name *name;
    struct session_rows_view *row;
    struct watch_rows_view *watches;
    enum kick_how how;
    const struct drain_order *order;
    pthread_mutex_t lock;
    pthread_cond_t all;
    size_t left;
};

static void hear(struct mail *mail)
{
    struct part *part = CONTAINER(mail, struct part, mail);
    struct question *q = part->question;
    if (q->answer(part) == ASK_AGAIN) {
        mailbox_answer(loop_mailbox(part->lobby->loop), mail); /* in the loop's next turn */
        return;
    }
    pthread_mutex_lock(&q->lock);
    if (!--q->left)
        pthread_cond_signal(&q->all);
    pthread_mutex_unlock(&q->lock);
}

/* `parts` holds one for each lobby. Not bounded by the mailboxes: a query thread has one question at the most. */
static void ask(struct floor_board *b, struct question *q, struct part *parts)
{
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->all, NULL);
    q->left = b->count;
    for (size_t i = 0; i < b->count; i++) {
        parts[i].mail.open = hear;
        parts[i].question = q;
        parts[i].lobby = b->lobbies[i];
        mailbox_answer(loop_mailbox(b->lobbies[i]->loop), &parts[i].mail);
    }
    pthread_mutex_lock(&q->lock);
    while (q->left)
        pthread_cond_wait(&q->all, &q->lock);
    pthread_mutex_unlock(&q->lock);
    pthread_cond_destroy(&q->all);
    pthread_mutex_destroy(&q->lock);
}

static void drop_parts(struct part **parts)
{
    mem_drop(*parts);
}

/* ---- all of them */

static bool page_row(struct session_rows_view *rows, const struct session_view *session)
{
    session_page_add(&CONTAINER(rows, struct part, rows)->page, session);
    return true;
}

static enum answered walk(struct part *part)
{
    switch (lobby_walk_sessions(part->lobby, &part->walk, &part->rows)) {
    case WALK_OVER:
        return ANSWERED;
    case WALK_ANEW:
        session_page_clear(&part->page);
        return ASK_AGAIN;
    case WALK_ON:
        return ASK_AGAIN;
    }
    return ANSWERED;
}

static err open_pages(struct part *parts, size_t count, const struct session_query *query)
{
    for (size_t i = 0; i < count; i++) {
        parts[i].rows.row = page_row;
        TRY(session_page_open(&parts[i].page, query));
    }
    return OK;
}

static err list(struct board *self, const struct session_query *query, struct session_rows_view *rows, uint64_t *total)
{
    struct floor_board *b = CONTAINER(self, struct floor_board, board);
    SCOPED(drop_parts) struct part *parts = mem_take(b->count, sizeof *parts);
    if (!parts)
        return &no_memory;
    err failed = open_pages(parts, b->count, query);
    if (!failed) {
        ask(b, &(struct question){.answer = walk}, parts);
        for (size_t i = 1; i < b->count; i++)
            session_page_merge(&parts[0].page, &parts[i].page);
        failed = parts[0].page.failed;
    }
    if (!failed) {
        *total = parts[0].page.total;
        session_page_tell(&parts[0].page, rows);
    }
    for (size_t i = 0; i < b->count; i++)
        session_page_close(&parts[i].page);
    return failed;
}

/* ---- one of them */

/* Whose home it is, the door knows: all are asked, and the one that has it says so. */
static err ask_for_one(struct floor_board *b, struct question *q)
{
    SCOPED(drop_parts) struct part *parts = mem_take(b->count, sizeof *parts);
    err verdict = &no_session;
    if (!parts)
        return &no_memory;
    ask(b, q, parts);
    for (size_t i = 0; i < b->count; i++)
        if (!err_is(parts[i].failed, ERR_ABSENT))
            verdict = parts[i].failed;
    return verdict;
}

static enum answered show_one(struct part *part)
{
    const struct question *q = part->question;
    part->failed = lobby_show_session(part->lobby, q->name, q->row, q->watches);
    return ANSWERED;
}

static err show(struct board *self, const struct session_name *name, struct session_rows_view *row,
                struct watch_rows_view *watches)
{
    return ask_for_one(CONTAINER(self, struct floor_board, board),
                       &(struct question){.answer = show_one, .name = name, .row = row, .watches = watches});
}

static enum answered kick_one(struct part *part)
{
    part->failed = lobby_kick(part->lobby, part->question->name, part->question->how);
    return ANSWERED;
}

static err kick(struct board *self, const struct session_name *name, enum kick_how how)
{
    return ask_for_one(CONTAINER(self, struct floor_board, board),
                       &(struct question){.answer = kick_one, .name = name, .how = how});
}

/* ---- maintenance */

static enum answered drain_one(struct part *part)
{
    part->failed = lobby_drain(part->lobby, part->question->order);
    return ANSWERED;
}

static err tell_order(struct floor_board *b, const struct drain_order *order, struct part *parts)
{
    err failed = OK;
    ask(b, &(struct question){.answer = drain_one, .order = order}, parts);
    for (size_t i = 0; i < b->count; i++)
        if (parts[i].failed)
            failed = parts[i].failed;
    return failed;
}

/* An order that not all loops follow is taken back. */
static err give_order(struct floor_board *b, const struct drain_order *order)
{
    SCOPED(drop_parts) struct part *parts = mem_take(b->count, sizeof *parts);
    if (!parts)
        return &no_memory;
    err failed = tell_order(b, order, parts);
    if (failed)
        IGNORE(tell_order(b, &b->order, parts));
    else
        b->order = *order;
    return failed;
}

static err drain(struct board *self, const struct drain_order *order)
{
    struct floor_board *b = CONTAINER(self, struct floor_board, board);
    pthread_mutex_lock(&b->lock); /* all the while, so that of two orders at one time all loops follow the same */
    err failed = give_order(b, order);
    pthread_mutex_unlock(&b->lock);
    return failed;
}

static void draining(struct board *self, struct drain_order *out)
{
    struct floor_board *b = CONTAINER(self, struct floor_board, board);
    pthread_mutex_lock(&b->lock);
    *out = b->order;
    pthread_mutex_unlock(&b->lock);
}

/* ---- life */

void floor_board_open(struct floor_board *b, struct lobby *const *lobbies, size_t count)
{
    *b = (struct floor_board){
        .board = {list, show, kick, drain, draining}, .lobbies = lobbies, .count = count, .order.per_s = 100};
    pthread_mutex_init(&b->lock, NULL);
}

void floor_board_close(struct floor_board *b)
{
    pthread_mutex_destroy(&b->lock);
}
