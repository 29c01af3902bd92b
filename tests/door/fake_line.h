/* A line without a wire: the test is the peer. It keeps the promises of door/line.h and of connection.c: a speaker is
 * never called from inside its own call, what it sends leaves when that call is over, and `lost` comes last. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "door/connection.h"
#include "door/line.h"
#include "door/lobby.h"

#include <stdio.h>
#include <stdlib.h>

/* For what a fuzz target shares with tests: it ends the process whatever frames the test. */
#define must(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #what);                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { FAKE_LINE_MAX = 64 << 20 };

struct fake_line {
    struct line line;
    bool open;         /* until `lost` was said */
    bool held, ending; /* what the speaker asked for */
    bool unread;       /* it is to be heard again although nothing new came */
    bool stuck;        /* the peer takes nothing */
    bool calling;      /* the speaker is being called */
    struct lobby *moving_to;
    struct buffer in, out;
    size_t taken;    /* bytes of out that the peer took */
    size_t read;     /* bytes of out that the test looked at */
    int64_t patience_ms; /* as last asked for; 0: for ever */
    int64_t asked_ms;    /* when */
    unsigned connects;   /* CONNECTs that the peer said; the test's own, as the next */
    unsigned version;    /* of MQTT */
};

static inline struct fake_line *fake_line_of(const struct line *line)
{
    return CONTAINER(line, struct fake_line, line);
}

static inline void fake_send(struct line *self, struct bytes bytes)
{
    struct fake_line *l = fake_line_of(self);
    must(l->open);
    put_bytes(&l->out, bytes);
}

static inline size_t fake_backlog(const struct line *self)
{
    const struct fake_line *l = fake_line_of(self);
    return l->out.len - l->taken;
}

static inline void fake_end(struct line *self)
{
    must(fake_line_of(self)->open);
    fake_line_of(self)->ending = true;
}

static inline void fake_hold(struct line *self)
{
    fake_line_of(self)->held = true;
}

static inline void fake_resume(struct line *self)
{
    must(fake_line_of(self)->open);
    fake_line_of(self)->held = false;
    fake_line_of(self)->unread = true;
}

static inline void fake_patience(struct line *self, int64_t ms)
{
    struct fake_line *l = fake_line_of(self);
    must(l->open && ms >= 0);
    l->patience_ms = ms;
    l->asked_ms = monotonic_ms(loop_clock(self->lobby->loop));
}

static inline void fake_move(struct line *self, struct lobby *to)
{
    fake_line_of(self)->moving_to = to;
}

/* What was settled is gone: a speaker that still looks at it sees nothing. */
static inline void fake_settled(struct line *self)
{
    self->certificate = (struct bytes){NULL, 0};
    self->peer = "";
}

static const struct line_calls fake_calls = {fake_send,     fake_backlog, fake_end,     fake_hold,          fake_resume,
                                             fake_patience, fake_move,    fake_settled, .transport = "tls"};

/* A new connection whose handshake proved `who`. */
static inline void fake_line_open(struct fake_line *l, struct lobby *lobby, const struct principal *who,
                                  const struct protocol *protocol)
{
    must(!l->open);
    *l = (struct fake_line){.line = {.calls = &fake_calls, .lobby = lobby, .who = *who, .peer = "192.0.2.7:41234"},
                            .open = true, .in = {.max = FAKE_LINE_MAX}, .out = {.max = FAKE_LINE_MAX}};
    must(!protocol->speak(&l->line, &l->line.speaker));
    fake_patience(&l->line, lobby->limits->handshake_ms);
}

/* The socket is gone. */
static inline void fake_line_lose(struct fake_line *l)
{
    struct speaker *speaker = l->line.speaker;
    if (!l->open)
        return;
    must(!l->calling);
    l->open = false;
    l->line.speaker = NULL;
    speaker->speech->lost(speaker);
}

static inline void fake_line_drop(struct fake_line *l)
{
    fake_line_lose(l);
    buffer_drop(&l->in);
    buffer_drop(&l->out);
}

static inline void fake_line_say(struct fake_line *l, struct bytes bytes)
{
    if (!l->open)
        return;
    put_bytes(&l->in, bytes);
    must(!l->in.spoiled);
    l->unread = true;
}

static inline void fake_line_hear(struct fake_line *l)
{
    SCOPED(buffer_drop) struct buffer exact = {.max = FAKE_LINE_MAX};
    size_t used = 0;
    struct speaker *speaker = l->line.speaker;
    l->unread = false;
    /* A copy, so that a sanitizer sees a view that is kept for longer than the call. */
    put_bytes(&exact, buffer_view(&l->in));
    l->calling = true;
    err failed = speaker->speech->hear(speaker, buffer_view(&exact), &used);
    l->calling = false;
    must(used <= l->in.len);
    buffer_consume(&l->in, used);
    if (failed)
        l->ending = true;
}

/* One thing that the loop would do next for this line; false: there is nothing to do. */
static inline bool fake_line_step(struct fake_line *l)
{
    if (!l->open)
        return false;
    if (l->moving_to) {
        l->line.lobby = l->moving_to;
        l->moving_to = NULL;
        l->unread = true;
        return true;
    }
    if (l->unread && !l->held && !l->ending) {
        fake_line_hear(l);
        return true;
    }
    if (!l->stuck && l->taken < l->out.len) {
        l->taken = l->out.len;
        if (!l->ending)
            l->line.speaker->speech->drained(l->line.speaker);
        return true;
    }
    if (l->ending && l->taken == l->out.len) {
        fake_line_lose(l);
        return true;
    }
    return false;
}

/* Patience ran out, if it did by now. */
static inline bool fake_line_tire(struct fake_line *l)
{
    if (!l->open || !l->patience_ms || monotonic_ms(loop_clock(l->line.lobby->loop)) < l->asked_ms + l->patience_ms)
        return false;
    l->patience_ms = 0;
    if (l->ending)
        fake_line_lose(l);
    else
        l->line.speaker->speech->tired(l->line.speaker);
    return true;
}
