/* A squad: its units, whose turn it is to connect, storms, and the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/squad.h"

#include "base/memory.h"
#include "os/clock.h"

static const struct fault no_memory = {ERR_MEMORY, "squad: no memory"};

enum { TICK_MS = 100, GRACE_MS = 5000, MAILS_MAX = 16 };

static int64_t now_ms(const struct squad *squad)
{
    return loop_now_ms(squad->loop);
}

/* ---- who connects */

static void let_in(struct squad *squad)
{
    while (squad->arriving < squad->how->at_once && squad->phase == SQUAD_RUNS) {
        struct list *first = list_take(&squad->queue);
        if (!first)
            return;
        struct unit *u = CONTAINER(first, struct unit, queued);
        u->arriving = true;
        squad->arriving++;
        unit_connect(u);
    }
}

void squad_queue(struct unit *u)
{
    struct squad *squad = u->squad;
    if (squad->phase == SQUAD_ENDS || u->phase != UNIT_AWAY)
        return;
    u->phase = UNIT_QUEUED;
    list_append(&squad->queue, &u->queued);
    let_in(squad);
}

/* Who has arrived makes room for the next, who connects when this turn of the loop is over: let_in may be what called
 * us. */
void squad_arrived(struct unit *u)
{
    struct squad *squad = u->squad;
    if (!u->arriving)
        return;
    u->arriving = false;
    squad->arriving--;
    if (loop_timer_set(squad->loop, &squad->tick, 0))
        tally_reason(&squad->tally.refusals, "no memory for a timer");
}

void squad_done(struct unit *u)
{
    if (u->done)
        return;
    u->done = true;
    u->squad->done++;
}

/* ---- storms */

/* All at once, without a word, as when the power fails. What waited for its answer will be sent again. */
static void storm(struct timer *timer)
{
    struct squad *squad = CONTAINER(timer, struct squad, storm);
    for (size_t i = 0; i < squad->unit_count; i++) {
        struct unit *u = &squad->units[i];
        if (u->plan.profile != PROFILE_STORM || u->phase != UNIT_UP)
            continue;
        squad->tally.sent -= u->waiting;
        u->nth -= u->waiting;
        u->waiting = false;
        unit_drop(u);
        squad_queue(u);
    }
    if (squad->phase == SQUAD_RUNS)
        IGNORE(loop_timer_set(squad->loop, &squad->storm, squad->how->storm_ms));
}

/* ---- the end */

static bool somebody_waits(const struct squad *squad)
{
    for (size_t i = 0; i < squad->unit_count; i++)
        if (squad->units[i].waiting && squad->units[i].phase == UNIT_UP)
            return true;
    return false;
}

static void say_good_bye(struct squad *squad)
{
    for (size_t i = 0; i < squad->unit_count; i++) {
        struct unit *u = &squad->units[i];
        squad->tally.unanswered += u->waiting;
        if (u->phase == UNIT_CAUGHT)
            part_due(u); /* whatever it waited for: it is open */
        else if (u->phase != UNIT_AWAY)
            unit_leave(u);
        loop_timer_clear(squad->loop, &u->timer);
    }
    loop_stop(squad->loop);
}

static void tick(struct timer *timer)
{
    struct squad *squad = CONTAINER(timer, struct squad, tick);
    let_in(squad);
    bool over = now_ms(squad) >= squad->end_ms || squad->done == squad->unit_count || counter_read(squad->abandon);
    if (squad->phase == SQUAD_RUNS && over) {
        squad->phase = SQUAD_ENDS;
        squad->end_ms = now_ms(squad) + GRACE_MS;
    }
    if (squad->phase == SQUAD_ENDS && (now_ms(squad) >= squad->end_ms || !somebody_waits(squad)))
        say_good_bye(squad);
    else if (loop_timer_set(squad->loop, &squad->tick, TICK_MS))
        loop_stop(squad->loop);
}

/* ---- from beginning to end */

static err make_units(struct squad *squad, unsigned part)
{
    const struct run_wishes *how = squad->how;
    uint64_t all = how->units * how->sessions_per_device;
    squad->unit_count = (size_t)((all - part + how->threads - 1) / how->threads);
    squad->units = mem_take(squad->unit_count ? squad->unit_count : 1, sizeof *squad->units);
    if (!squad->units)
        return &no_memory;
    for (size_t i = 0; i < squad->unit_count; i++) {
        uint64_t unit = part + (uint64_t)i * how->threads;
        struct unit *u = &squad->units[i];
        u->squad = squad;
        u->plan = plan_of(&how->plan, unit);
        u->number = (uint32_t)(unit / how->sessions_per_device);
        u->session = how->first_session + (uint32_t)(unit % how->sessions_per_device);
    }
    return OK;
}

static err fill(struct squad *squad, unsigned part)
{
    TRY(loop_open(machine_clock(), MAILS_MAX, &squad->loop));
    TRY(certificates_open(squad));
    return make_units(squad, part);
}

err squad_open(const struct run_wishes *how, unsigned part, const struct counter *abandon, struct squad **out)
{
    struct squad *squad = MEM_NEW(struct squad);
    if (!squad)
        return &no_memory;
    squad->how = how;
    squad->abandon = abandon;
    squad->tick.due = tick;
    squad->storm.due = storm;
    list_open(&squad->queue);
    err e = fill(squad, part);
    if (e)
        squad_close(squad);
    else
        *out = squad;
    return e;
}

err squad_run(struct squad *squad)
{
    squad->end_ms = now_ms(squad) + squad->how->run_ms;
    for (size_t i = 0; i < squad->unit_count; i++)
        unit_begin(&squad->units[i]);
    TRY(loop_timer_set(squad->loop, &squad->tick, TICK_MS));
    TRY(loop_timer_set(squad->loop, &squad->storm, squad->how->storm_ms));
    return loop_run(squad->loop);
}

void squad_close(struct squad *squad)
{
    if (!squad)
        return;
    for (size_t i = 0; i < squad->unit_count; i++) {
        struct unit *u = &squad->units[i];
        SSL_SESSION_free(u->ticket);
        if (u->squad && u->timer.due && squad->loop)
            unit_drop(u);
    }
    mem_drop(squad->units);
    certificates_close(squad);
    loop_close(squad->loop);
    mem_drop(squad);
}
