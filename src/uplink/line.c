/* Connect, shake hands, then bytes both ways. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/line.h"

#include "os/file.h"
#include "os/socket.h"

#include <stdio.h>
#include <sys/epoll.h>

enum { READS_PER_TURN = 8 };

static err end(struct line *line, err fault)
{
    const char *trouble = line->tls ? tls_trouble(line->tls) : "";
    if (*trouble)
        snprintf(line->why, sizeof line->why, "%s (%s)", fault->text, trouble);
    else
        snprintf(line->why, sizeof line->why, "%s", fault->text);
    tls_close(line->tls);
    line->tls = NULL;
    if (line->phase != LINE_CLOSED)
        loop_unwatch(line->loop, &line->watcher);
    fd_close(&line->watcher.fd);
    line->watcher.fd = -1;
    line->phase = LINE_CLOSED;
    return fault;
}

static err watch(struct line *line, uint32_t events)
{
    if (events == line->events)
        return OK;
    line->events = events;
    return loop_rewatch(line->loop, &line->watcher, events);
}

err line_open(struct line *line, const struct line_target *target)
{
    line_close(line);
    line->why[0] = 0;
    line->read_wants = 0;
    line->watcher.fd = -1;
    err e = socket_connect_attempt(target->host, target->port, target->attempt, &line->watcher.fd);
    if (e)
        return end(line, e);
    line->events = EPOLLOUT;
    e = loop_watch(line->loop, &line->watcher, line->events);
    if (e)
        return end(line, e);
    line->phase = LINE_CONNECTING;
    e = target->tls ? tls_open(target->tls, line->watcher.fd, &line->tls) : OK;
    return e ? end(line, e) : OK;
}

static err connect_on(struct line *line)
{
    TRY(socket_connected(line->watcher.fd));
    line->phase = LINE_SHAKING_HANDS;
    return OK;
}

static err shake_hands(struct line *line)
{
    err e = line->tls ? tls_handshake(line->tls) : OK;
    if (err_is(e, ERR_AGAIN))
        TRY(watch(line, tls_wants(line->tls)));
    TRY(e);
    line->phase = LINE_OPEN;
    return watch(line, EPOLLIN);
}

static err write_some(struct line *line, size_t *taken)
{
    struct bytes out = buffer_view(&line->out);
    return line->tls ? tls_write(line->tls, out, taken) : socket_write(line->watcher.fd, out, taken);
}

static err read_some(struct line *line, uint8_t *room, size_t *got)
{
    return line->tls ? tls_read(line->tls, room, LINE_CHUNK, got)
                     : socket_read(line->watcher.fd, room, LINE_CHUNK, got);
}

/* What the last write or read waits for. */
static uint32_t wants(const struct line *line, uint32_t plain)
{
    return line->tls ? tls_wants(line->tls) : plain;
}

static err write_out(struct line *line)
{
    while (line->out.len) {
        size_t taken;
        err e = write_some(line, &taken);
        if (err_is(e, ERR_AGAIN))
            return watch(line, EPOLLIN | line->read_wants | wants(line, EPOLLOUT));
        TRY(e);
        buffer_consume(&line->out, taken);
    }
    return watch(line, EPOLLIN | line->read_wants);
}

static err read_in(struct line *line)
{
    for (unsigned i = 0; i < READS_PER_TURN && line->in.len + LINE_CHUNK <= line->in.max; i++) {
        uint8_t *room = buffer_reserve(&line->in, LINE_CHUNK);
        if (!room)
            return buffer_finish(&line->in);
        size_t got;
        err e = read_some(line, room, &got);
        line->read_wants = err_is(e, ERR_AGAIN) ? wants(line, EPOLLIN) : 0;
        if (err_is(e, ERR_AGAIN))
            return OK;
        TRY(e);
        buffer_filled(&line->in, got);
    }
    return OK;
}

static err advance(struct line *line)
{
    if (line->phase == LINE_CONNECTING)
        TRY(connect_on(line));
    if (line->phase == LINE_SHAKING_HANDS)
        TRY(shake_hands(line));
    TRY(read_in(line));
    return write_out(line);
}

err line_turn(struct line *line)
{
    if (line->phase == LINE_CLOSED)
        return OK;
    err e = advance(line);
    return !e || err_is(e, ERR_AGAIN) ? OK : end(line, e);
}

err line_flush(struct line *line)
{
    if (line->phase != LINE_OPEN)
        return OK;
    err e = write_out(line);
    return e ? end(line, e) : OK;
}

bool line_has_more(const struct line *line)
{
    return line->phase == LINE_OPEN && line->tls && tls_has_pending(line->tls);
}

void line_close(struct line *line)
{
    static const struct fault on_purpose = {ERR_CLOSED, "uplink: closed by this side"};
    if (line->phase != LINE_CLOSED)
        IGNORE(end(line, &on_purpose));
    buffer_clear(&line->in);
    buffer_clear(&line->out);
}

void line_drop(struct line *line)
{
    line_close(line);
    buffer_drop(&line->in);
    buffer_drop(&line->out);
}
