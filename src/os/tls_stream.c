/* A TLS 1.3 connection behind its handshake.
 *
 * In: a recv into the engine's room, behind what an earlier one left, until there is something to give; whole records
 * are opened straight into the caller's room; a part of one waits in `in`. A caller with little room leaves opened
 * bytes there as well. Out: records are sealed into the engine's room and sent with one call. Of what the socket does
 * not take, the record that is cut waits in `out`, and those behind it never were: nobody has seen them, so their
 * numbers are given back and the same bytes are sealed again when they are offered again. Nothing else ever gives a
 * number back.
 *
 * A fault sends its alert and breaks the connection; bytes that were opened before it are given first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_connection.h"
#include "os/tls_content.h"
#include "os/tls_engine.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const struct fault fewer = {ERR_REFUSED, "tls: fewer bytes are offered than were before"};

enum {
    FULL_RECORD = RECORD_PLAIN_MAX + RECORD_OVERHEAD,
    UPDATE_RECORD = 5 + RECORD_OVERHEAD,
    ALERT_RECORD = 2 + RECORD_OVERHEAD,
};

enum stream_flag {
    BROKEN = 1 << 0,       /* cut, or ended by a fault: nothing is said any more */
    UNTOLD = 1 << 1,       /* by a fault that the caller has yet to hear */
    HEARD_CLOSE = 1 << 2,  /* close_notify came */
    OWES_UPDATE = 1 << 3,  /* the other side asked for new keys: before the next data (4.6.3) */
    ASKED_UPDATE = 1 << 4, /* and so did we */
    BLOCKED = 1 << 5,      /* the last call waits for the socket to take more */
};

struct tls_stream {
    struct tls_rest *in, *out;
    uint8_t suite, flags, fault;
    struct tls_content content;
    alignas(uint64_t) uint8_t keys[]; /* two struct record_keys */
};

struct record_keys *stream_keys(struct tls_stream *s, enum stream_direction direction)
{
    void *at = s->keys + (size_t)direction * record_keys_size((enum record_suite)s->suite);
    return at;
}

static size_t stream_size(enum record_suite suite)
{
    return sizeof(struct tls_stream) + 2 * record_keys_size(suite);
}

static void stream_drop(struct tls_stream *s)
{
    rest_drop(&s->in);
    rest_drop(&s->out);
    mem_wipe(s, stream_size((enum record_suite)s->suite));
    mem_drop(s);
}

static err stream_start(struct tls_engine *engine, const struct stream_start *start, struct tls_stream *s)
{
    TRY(record_keys_set(&engine->ciphers, start->suite, stream_keys(s, STREAM_READING), start->client_secret));
    TRY(record_keys_set(&engine->ciphers, start->suite, stream_keys(s, STREAM_WRITING), start->server_secret));
    stream_keys(s, STREAM_WRITING)->number = start->server_records;
    return rest_set(&s->in, start->early, 0);
}

err stream_open(struct tls_engine *engine, const struct stream_start *start, struct tls_stream **out)
{
    struct tls_stream *s = mem_take(1, stream_size(start->suite));
    if (!s)
        return &tls_no_memory;
    s->suite = (uint8_t)start->suite;
    err failed = stream_start(engine, start, s);
    if (failed)
        stream_drop(s);
    else
        *out = s;
    return failed;
}

/* ---- out */

/* How much the socket took; ERR_CLOSED when it will take no more. */
static err send_some(int fd, struct bytes bytes, size_t *sent)
{
    ssize_t done = send(fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    *sent = done > 0 ? (size_t)done : 0;
    return done >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? OK : &tls_cut;
}

static err cut(struct tls_stream *s)
{
    s->flags |= BROKEN;
    return &tls_cut;
}

static err blocked(struct tls_stream *s)
{
    s->flags |= BLOCKED;
    return &tls_again;
}

/* What waits from before. ERR_AGAIN: some of it still does. */
static err flush(struct tls *tls)
{
    struct tls_stream *s = tls->stream;
    size_t sent = 0;
    if (!s->out)
        return OK;
    if (send_some(tls->fd, rest_view(s->out), &sent))
        return cut(s);
    s->out->from += (uint32_t)sent;
    return s->out->from < s->out->len ? blocked(s) : OK;
}

/* Seals one short record that is no data and sends it; what the socket does not take waits. Nothing waits yet. */
static err send_message(struct tls *tls, enum record_content content, struct bytes message)
{
    struct tls_stream *s = tls->stream;
    struct record_run run;
    size_t sent = 0, len = message.len + RECORD_OVERHEAD;
    TRY(record_run_begin(&tls->engine->ciphers, (enum record_suite)s->suite, stream_keys(s, STREAM_WRITING),
                         RECORD_SEAL, &run));
    TRY(record_seal(&run, content, message, tls->engine->out));
    if (send_some(tls->fd, bytes_of(tls->engine->out, len), &sent))
        return cut(s);
    return rest_set(&s->out, bytes_of(tls->engine->out + sent, len - sent), 0);
}

/* Best effort: the other side may learn it from the end of the connection. */
static void send_alert(struct tls *tls, uint8_t level, uint8_t description)
{
    const uint8_t alert[] = {level, description};
    if (tls->stream->flags & BROKEN || flush(tls))
        return;
    rest_drop(&tls->stream->out);
    IGNORE(send_message(tls, RECORD_ALERT, bytes_of(alert, sizeof alert)));
}

static err fail(struct tls *tls, err why)
{
    struct tls_stream *s = tls->stream;
    s->fault = (uint8_t)content_fault_of(why);
    uint8_t alert = content_alert((enum content_fault)s->fault);
    if (alert)
        send_alert(tls, ALERT_FATAL, alert);
    s->flags |= BROKEN;
    rest_drop(&s->in);
    rest_drop(&s->out);
    return why;
}

static bool asks_update(struct tls_stream *s)
{
    return !(s->flags & ASKED_UPDATE) && stream_keys(s, STREAM_READING)->number >= RECORDS_RENEW;
}

static bool owes_update(struct tls_stream *s)
{
    return s->flags & OWES_UPDATE || stream_keys(s, STREAM_WRITING)->number >= RECORDS_RENEW || asks_update(s);
}

/* 4.6.3: the message goes under the old key. Nothing waits yet. */
static err send_update(struct tls *tls)
{
    struct tls_stream *s = tls->stream;
    const uint8_t message[] = {24, 0, 0, 1, asks_update(s)};
    TRY(send_message(tls, RECORD_HANDSHAKE, bytes_of(message, sizeof message)));
    s->flags = (uint8_t)((s->flags & ~OWES_UPDATE) | (message[4] ? ASKED_UPDATE : 0));
    return record_keys_update(&tls->engine->ciphers, (enum record_suite)s->suite, stream_keys(s, STREAM_WRITING));
}

static err seal_batch(struct tls *tls, struct bytes in, size_t *len)
{
    struct record_run run;
    uint8_t *at = tls->engine->out;
    TRY(record_run_begin(&tls->engine->ciphers, (enum record_suite)tls->stream->suite,
                         stream_keys(tls->stream, STREAM_WRITING), RECORD_SEAL, &run));
    for (; in.len; in = bytes_from(in, RECORD_PLAIN_MAX)) {
        struct bytes plain = bytes_first(in, RECORD_PLAIN_MAX);
        TRY(record_seal(&run, RECORD_DATA, plain, at));
        at += plain.len + RECORD_OVERHEAD;
    }
    *len = (size_t)(at - tls->engine->out);
    return OK;
}

/* The socket took `sent` bytes of a batch of `len` that began with the record `first`. */
static err keep_cut_record(struct tls *tls, uint64_t first, size_t len, size_t sent)
{
    struct tls_stream *s = tls->stream;
    size_t whole = sent / FULL_RECORD, begin = whole * FULL_RECORD;
    size_t end = len - begin < FULL_RECORD ? len : begin + FULL_RECORD;
    stream_keys(s, STREAM_WRITING)->number = first + whole + (sent > begin);
    s->flags |= BLOCKED;
    if (sent == begin)
        return OK;
    TRY(rest_set(&s->out, bytes_of(tls->engine->out + sent, end - sent), 0));
    s->out->plain = (uint32_t)(end - begin - RECORD_OVERHEAD);
    return OK;
}

static err write_batch(struct tls *tls, struct bytes in, size_t *taken)
{
    struct tls_stream *s = tls->stream;
    uint64_t first = stream_keys(s, STREAM_WRITING)->number;
    size_t len = 0, sent = 0;
    TRY(seal_batch(tls, in, &len));
    if (send_some(tls->fd, bytes_of(tls->engine->out, len), &sent))
        return cut(s);
    if (sent == len) {
        *taken += in.len;
        return OK;
    }
    *taken += sent / FULL_RECORD * RECORD_PLAIN_MAX;
    return keep_cut_record(tls, first, len, sent);
}

/* The cut record is out: its bytes count as taken now. */
static err finish_cut_record(struct tls *tls, struct bytes *in, size_t *taken)
{
    struct tls_stream *s = tls->stream;
    TRY(flush(tls));
    if (!s->out)
        return OK;
    *taken = s->out->plain;
    rest_drop(&s->out);
    if (*taken > in->len) {
        *taken = 0;
        return &fewer;
    }
    *in = bytes_from(*in, *taken);
    return OK;
}

static err write_some(struct tls *tls, struct bytes in, size_t *taken)
{
    TRY(finish_cut_record(tls, &in, taken));
    if (owes_update(tls->stream))
        TRY(send_update(tls));
    if (tls->stream->out)
        return *taken ? OK : blocked(tls->stream);
    if (in.len)
        TRY(write_batch(tls, bytes_first(in, TLS_BATCH), taken));
    return *taken ? OK : &tls_again;
}

/* What the last call left to be told, or that nothing more can be said. */
static err not_usable(struct tls_stream *s)
{
    bool untold = s->flags & UNTOLD;
    s->flags &= (uint8_t) ~(UNTOLD | BLOCKED);
    if (untold)
        return content_fault((enum content_fault)s->fault);
    return s->flags & BROKEN ? &tls_cut : OK;
}

err stream_write(struct tls *tls, struct bytes in, size_t *taken)
{
    *taken = 0;
    if (!in.len)
        return OK;
    TRY(not_usable(tls->stream));
    err failed = write_some(tls, in, taken);
    if (failed && !err_is(failed, ERR_AGAIN) && failed != &tls_cut)
        return fail(tls, failed);
    return failed;
}

void stream_close(struct tls *tls)
{
    send_alert(tls, ALERT_WARNING, ALERT_CLOSE_NOTIFY);
    stream_drop(tls->stream);
}

/* ---- in */

/* Where a read stands. */
struct intake {
    struct tls *tls;
    struct record_run run;
    struct bytes raw; /* in the engine's room: not yet opened */
    uint8_t *out;
    size_t room, got;
    struct bytes surplus; /* opened in the engine's room: the caller had no room for it */
};

static bool has_whole_record(struct bytes raw)
{
    size_t len = 0;
    err e = record_length(raw, &len);
    return e ? !err_is(e, ERR_AGAIN) : len <= raw.len;
}

/* Reads behind what an earlier call left, unless that is a record already. */
static err fetch(struct intake *i)
{
    struct tls_stream *s = i->tls->stream;
    uint8_t *at = i->tls->engine->in;
    struct bytes rest = rest_view(s->in);
    size_t limit = i->room > TLS_BATCH ? TLS_BATCH : i->room < RECORD_WIRE_MAX ? RECORD_WIRE_MAX : i->room;
    if (rest.len)
        memcpy(at, rest.at, rest.len);
    i->raw = bytes_of(at, rest.len);
    if (has_whole_record(rest))
        return OK;
    ssize_t len = recv(i->tls->fd, at + rest.len, limit - rest.len, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return &tls_again;
    if (len <= 0)
        return cut(s);
    i->raw.len += (size_t)len;
    return OK;
}

/* Data that was opened in place goes as far as there is room. */
static void give_data(struct intake *i, struct bytes data)
{
    if (data.at == i->out + i->got) {
        i->got += data.len;
        return;
    }
    struct bytes fits = bytes_first(data, i->room - i->got);
    memcpy(i->out + i->got, fits.at, fits.len);
    i->got += fits.len;
    i->surplus = bytes_from(data, fits.len);
}

static err begin_run(struct intake *i)
{
    struct tls_stream *s = i->tls->stream;
    return record_run_begin(&i->tls->engine->ciphers, (enum record_suite)s->suite, stream_keys(s, STREAM_READING),
                            RECORD_OPEN, &i->run);
}

static err change_key(struct intake *i, enum content_event event)
{
    struct tls_stream *s = i->tls->stream;
    s->flags = (uint8_t)((s->flags & ~ASKED_UPDATE) | (event == CONTENT_UPDATED_AND_ASKS ? OWES_UPDATE : 0));
    TRY(record_keys_update(&i->tls->engine->ciphers, (enum record_suite)s->suite, stream_keys(s, STREAM_READING)));
    return begin_run(i);
}

static err take_record(struct intake *i, struct bytes wire)
{
    struct record_plain plain;
    enum content_event event;
    bool straight = wire.len - RECORD_HEAD - RECORD_TAG <= i->room - i->got;
    uint8_t *here = i->tls->engine->in + (wire.at - i->tls->engine->in) + RECORD_HEAD;
    TRY(record_open(&i->run, wire, straight ? i->out + i->got : here, &plain));
    TRY(content_take(&i->tls->stream->content, plain, &event));
    switch (event) {
    case CONTENT_NOTHING:
        return OK;
    case CONTENT_DATA:
        give_data(i, plain.bytes);
        return OK;
    case CONTENT_CLOSED:
        i->tls->stream->flags |= HEARD_CLOSE;
        return OK;
    case CONTENT_UPDATED:
    case CONTENT_UPDATED_AND_ASKS:
        return change_key(i, event);
    }
    return &record_unexpected;
}

/* Whole records, as long as what they hold surely fits; the first one in any case. */
static err take_records(struct intake *i)
{
    TRY(begin_run(i));
    while (i->raw.len && !i->surplus.len && !(i->tls->stream->flags & HEARD_CLOSE)) {
        size_t len = 0;
        err e = record_length(i->raw, &len);
        if (err_is(e, ERR_AGAIN) || (!e && len > i->raw.len))
            return OK;
        TRY(e);
        if (i->got && len - RECORD_HEAD - RECORD_TAG > i->room - i->got)
            return OK;
        struct bytes wire = bytes_first(i->raw, len);
        i->raw = bytes_from(i->raw, len);
        TRY(take_record(i, wire));
    }
    return OK;
}

/* Room for twice what came, at most for the record that it is a part of: who announces much and sends little gets
 * little. */
static size_t room_for(struct bytes raw)
{
    size_t len = 0, room = raw.len < 64 ? 128 : raw.len * 2;
    return record_length(raw, &len) || len <= raw.len || len > room ? room : len;
}

static err keep_rest(struct intake *i)
{
    struct tls_stream *s = i->tls->stream;
    if (s->flags & HEARD_CLOSE) {
        rest_drop(&s->in); /* 6.1: what comes behind it is not looked at */
        return OK;
    }
    if (!i->surplus.len)
        return rest_set(&s->in, i->raw, i->raw.len ? room_for(i->raw) : 0);
    TRY(rest_set(&s->in, i->surplus, i->surplus.len + i->raw.len));
    s->in->plain = (uint32_t)i->surplus.len;
    if (i->raw.len)
        memcpy(s->in->at + s->in->len, i->raw.at, i->raw.len);
    s->in->len += (uint32_t)i->raw.len;
    return OK;
}

/* What an earlier call had no room for. */
static void give_opened(struct tls_stream *s, struct intake *i)
{
    struct bytes data = bytes_first(bytes_first(rest_view(s->in), s->in->plain), i->room);
    memcpy(i->out, data.at, data.len);
    i->got = data.len;
    s->in->from += (uint32_t)data.len;
    s->in->plain -= (uint32_t)data.len;
    if (s->in->from == s->in->len)
        rest_drop(&s->in);
}

static err read_some(struct intake *i)
{
    struct tls_stream *s = i->tls->stream;
    if (s->in && s->in->plain) {
        give_opened(s, i);
        return OK;
    }
    TRY(fetch(i));
    TRY(take_records(i));
    TRY(keep_rest(i));
    err asked = asks_update(s) && !s->out ? send_update(i->tls) : OK;
    return asked == &tls_cut ? OK : asked; /* what was read counts; the next call tells */
}

static err read_outcome(struct intake *i, err e)
{
    struct tls_stream *s = i->tls->stream;
    if (err_is(e, ERR_AGAIN) || e == &tls_cut)
        return e;
    if (e)
        (void)fail(i->tls, e);
    if (i->got) {
        s->flags |= e ? UNTOLD : 0;
        return OK;
    }
    if (e)
        return e;
    return s->flags & HEARD_CLOSE ? &tls_closed : &tls_cut;
}

err stream_read(struct tls *tls, uint8_t *out, size_t room, size_t *got)
{
    struct intake i = {.tls = tls, .out = out, .room = room};
    *got = 0;
    TRY(not_usable(tls->stream));
    if (tls->stream->flags & HEARD_CLOSE && !tls->stream->in)
        return &tls_closed;
    err e = OK;
    while (!e && !i.got && !(tls->stream->flags & (HEARD_CLOSE | BROKEN)))
        e = read_some(&i);
    *got = i.got;
    return read_outcome(&i, e);
}

/* ---- what a connection says of itself */

uint32_t stream_wants(const struct tls_stream *stream)
{
    return stream->flags & BLOCKED ? EPOLLOUT : EPOLLIN;
}

bool stream_has_pending(const struct tls_stream *s)
{
    if (s->flags & (UNTOLD | BROKEN))
        return s->flags & UNTOLD;
    return s->flags & HEARD_CLOSE || (s->in && (s->in->plain || has_whole_record(rest_view(s->in))));
}

const char *stream_trouble(const struct tls_stream *s)
{
    if (s->fault)
        return content_fault((enum content_fault)s->fault)->text;
    return s->flags & BROKEN ? tls_cut.text : s->flags & HEARD_CLOSE ? tls_closed.text : "";
}

bool stream_peer_refused(const struct tls_stream *s)
{
    return s->fault == FAULT_PEER;
}
