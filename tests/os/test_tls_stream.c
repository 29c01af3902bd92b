/* A connection behind its handshake, against a client that is played record by record: what the server answers to every
 * fault, key updates both ways, sockets that take or bring little. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "os/tls_connection.h"
#include "os/tls_content.h"
#include "os/tls_engine.h"

#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const enum record_suite suite = RECORD_AES_128_GCM_SHA256;
static const uint8_t client_secret[32] = {1}, server_secret[32] = {2};

/* The server is a connection; the client is its keys and its end of the socket. */
struct play {
    struct tls_engine *engine;
    struct tls tls;
    struct record_ciphers ciphers;
    struct record_keys *sends, *hears;
    int fd;
};

static struct record_keys *keys_make(struct play *p, const uint8_t secret[32])
{
    struct record_keys *keys = calloc(1, record_keys_size(suite));
    assert_null(record_keys_set(&p->ciphers, suite, keys, bytes_of(secret, 32)));
    return keys;
}

static void play_open(struct play *p, struct bytes early)
{
    int fd[2];
    const struct stream_start start = {.suite = suite,
                                       .client_secret = bytes_of(client_secret, 32),
                                       .server_secret = bytes_of(server_secret, 32),
                                       .early = early};
    *p = (struct play){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_null(tls_engine_open(&p->engine));
    assert_null(record_ciphers_open(&p->ciphers));
    p->sends = keys_make(p, client_secret);
    p->hears = keys_make(p, server_secret);
    p->fd = fd[1];
    p->tls = (struct tls){.engine = p->engine, .fd = fd[0], .carrier = CARRIED_BY_US};
    assert_null(stream_open(p->engine, &start, &p->tls.stream));
}

static void play_close(struct play *p)
{
    stream_close(&p->tls);
    fd_close(&p->tls.fd);
    fd_close(&p->fd);
    free(p->sends);
    free(p->hears);
    record_ciphers_close(&p->ciphers);
    tls_engine_close(p->engine);
}

/* One record of the client's, appended to out. */
static void seal(struct play *p, struct buffer *out, uint8_t content, struct bytes plain)
{
    struct record_run run;
    uint8_t *at = buffer_reserve(out, plain.len + RECORD_OVERHEAD);
    assert_non_null(at);
    assert_null(record_run_begin(&p->ciphers, suite, p->sends, RECORD_SEAL, &run));
    assert_null(record_seal(&run, (enum record_content)content, plain, at));
    buffer_filled(out, plain.len + RECORD_OVERHEAD);
}

static void send_all(struct play *p, struct bytes bytes)
{
    assert_int_equal(send(p->fd, bytes.at, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

static void say(struct play *p, uint8_t content, struct bytes plain)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 100000};
    seal(p, &out, content, plain);
    send_all(p, buffer_view(&out));
}

/* The server's next record, in `room`; content 0: nothing came, or the end. */
static struct record_plain hear(struct play *p, uint8_t room[RECORD_WIRE_MAX])
{
    struct record_run run;
    struct record_plain plain = {0};
    size_t len = 0;
    if (recv(p->fd, room, RECORD_HEAD, 0) != RECORD_HEAD)
        return plain;
    assert_null(record_length(bytes_of(room, RECORD_HEAD), &len));
    assert_int_equal(recv(p->fd, room + RECORD_HEAD, len - RECORD_HEAD, MSG_WAITALL), len - RECORD_HEAD);
    assert_null(record_run_begin(&p->ciphers, suite, p->hears, RECORD_OPEN, &run));
    assert_null(record_open(&run, bytes_of(room, len), room + RECORD_HEAD, &plain));
    return plain;
}

static void expect_alert(struct play *p, uint8_t level, uint8_t description)
{
    uint8_t room[RECORD_WIRE_MAX];
    struct record_plain plain = hear(p, room);
    assert_int_equal(plain.content, RECORD_ALERT);
    assert_int_equal(plain.bytes.len, 2);
    assert_int_equal(plain.bytes.at[0], level);
    assert_int_equal(plain.bytes.at[1], description);
}

static void expect_text(struct play *p, const char *text)
{
    uint8_t in[TLS_BATCH];
    size_t got = 0;
    assert_null(stream_read(&p->tls, in, sizeof in, &got));
    assert_true(bytes_is(bytes_of(in, got), text));
}

static err read_once(struct play *p)
{
    uint8_t in[64];
    size_t got = 0;
    err e = stream_read(&p->tls, in, sizeof in, &got);
    assert_true(e || got);
    return e;
}

static void answer(struct play *p, const char *text)
{
    uint8_t room[RECORD_WIRE_MAX];
    size_t taken = 0;
    assert_null(stream_write(&p->tls, bytes_of_text(text), &taken));
    assert_int_equal(taken, strlen(text));
    struct record_plain plain = hear(p, room);
    assert_int_equal(plain.content, RECORD_DATA);
    assert_true(bytes_is(plain.bytes, text));
}

/* ---- faults and their alerts */

static const struct fault_row {
    const char *rule;
    struct bytes raw; /* on the wire as it stands; empty: the record */
    uint8_t content;
    struct bytes plain;
    uint8_t alert; /* 0: none is sent */
} fault_rows[] = {
    {"not what was sealed", BYTES_ROW("\x17\x03\x03\x00\x13nineteen bytes here"), 0, {NULL, 0}, 20},
    {"too short for a tag", BYTES_ROW("\x17\x03\x03\x00\x05hello"), 0, {NULL, 0}, 20},
    {"too long", BYTES_ROW("\x17\x03\x03\x41\x01"), 0, {NULL, 0}, 22},
    {"change_cipher_spec", BYTES_ROW("\x14\x03\x03\x00\x01\x01"), 0, {NULL, 0}, 10},
    {"an alert in the clear", BYTES_ROW("\x15\x03\x03\x00\x02\x02\x28"), 0, {NULL, 0}, 10},
    {"HTTP", BYTES_ROW("GET /"), 0, {NULL, 0}, 10},
    {"another content", {NULL, 0}, 24, BYTES_ROW("x"), 10},
    {"zeroes alone", {NULL, 0}, 0, BYTES_ROW("\0\0\0"), 10},
    {"an alert of three bytes", {NULL, 0}, 21, BYTES_ROW("\x01\x00\x00"), 50},
    {"a handshake message", {NULL, 0}, 22, BYTES_ROW("\x01\x00\x00\x01"), 10},
    {"a bad KeyUpdate", {NULL, 0}, 22, BYTES_ROW("\x18\x00\x00\x01\x07"), 47},
    {"a long KeyUpdate", {NULL, 0}, 22, BYTES_ROW("\x18\x00\x00\x09"), 50},
    {"a fatal alert", {NULL, 0}, 21, BYTES_ROW("\x02\x2d"), 0},
};

static void faults_are_told_and_final(void **state)
{
    for (size_t i = 0; i < sizeof fault_rows / sizeof *fault_rows; i++)
        for (int with_data = 0; with_data < 2; with_data++) {
            const struct fault_row *row = &fault_rows[i];
            uint8_t room[RECORD_WIRE_MAX];
            size_t taken;
            struct play p;
            play_open(&p, bytes_of(NULL, 0));
            if (with_data)
                say(&p, RECORD_DATA, BYTES("first"));
            if (row->raw.len)
                send_all(&p, row->raw);
            else
                say(&p, row->content, row->plain);
            if (with_data) { /* what was good before it is not lost */
                expect_text(&p, "first");
                assert_true(stream_has_pending(p.tls.stream));
            }
            if (!err_is(read_once(&p), ERR_REFUSED))
                fail_msg("%s: not refused", row->rule);
            assert_int_equal(stream_peer_refused(p.tls.stream), row->alert == 0);
            assert_string_not_equal(stream_trouble(p.tls.stream), "");
            if (row->alert)
                expect_alert(&p, 2, row->alert);
            assert_true(err_is(read_once(&p), ERR_CLOSED));
            assert_true(err_is(stream_write(&p.tls, BYTES("x"), &taken), ERR_CLOSED));
            assert_false(stream_has_pending(p.tls.stream));
            assert_int_equal(hear(&p, room).content, 0);
            play_close(&p);
        }
}

static void floods_that_bring_nothing_end(void **state)
{
    static const struct record_plain rows[] = {{RECORD_DATA, {NULL, 0}}, {RECORD_ALERT, BYTES_ROW("\x01\x5a")}};
    for (size_t i = 0; i < 2; i++) {
        struct play p;
        play_open(&p, bytes_of(NULL, 0));
        for (int n = 0; n < 31; n++)
            say(&p, rows[i].content, rows[i].bytes);
        assert_true(err_is(read_once(&p), ERR_AGAIN));
        say(&p, rows[i].content, rows[i].bytes);
        assert_true(err_is(read_once(&p), ERR_REFUSED));
        expect_alert(&p, 2, 10);
        play_close(&p);
    }
}

/* ---- ends */

static void close_notify_is_heard_and_said(void **state)
{
    struct play p;
    uint8_t room[RECORD_WIRE_MAX];
    play_open(&p, bytes_of(NULL, 0));
    say(&p, RECORD_DATA, BYTES("bye"));
    say(&p, RECORD_ALERT, BYTES("\x01\x00"));
    say(&p, RECORD_DATA, BYTES("not any more"));
    expect_text(&p, "bye");
    assert_true(stream_has_pending(p.tls.stream));
    for (int i = 0; i < 2; i++)
        assert_true(err_is(read_once(&p), ERR_CLOSED));
    answer(&p, "half closed"); /* RFC 8446, 6.1: our side is still open */
    int fd = p.fd;
    p.fd = dup(fd);
    close(fd);
    stream_close(&p.tls);
    expect_alert(&p, 1, 0);
    assert_int_equal(hear(&p, room).content, 0);
    const struct stream_start start = {
        .suite = suite, .client_secret = bytes_of(client_secret, 32), .server_secret = bytes_of(server_secret, 32)};
    assert_null(stream_open(p.engine, &start, &p.tls.stream));
    play_close(&p);
}

static void a_peer_that_dies_in_a_record_is_cut(void **state)
{
    SCOPED(buffer_drop) struct buffer wire = {.max = 1000};
    struct play p;
    play_open(&p, bytes_of(NULL, 0));
    seal(&p, &wire, RECORD_DATA, BYTES("half of this"));
    for (size_t part = 1; part < wire.len; part += 5) {
        struct play q;
        play_open(&q, bytes_of(NULL, 0));
        send_all(&q, bytes_first(buffer_view(&wire), part));
        assert_true(err_is(read_once(&q), ERR_AGAIN));
        assert_int_equal(shutdown(q.fd, SHUT_WR), 0);
        for (int i = 0; i < 2; i++)
            assert_true(err_is(read_once(&q), ERR_CLOSED));
        assert_string_equal(stream_trouble(q.tls.stream), "tls: the connection was cut");
        play_close(&q);
    }
    play_close(&p);
}

/* ---- pieces */

static void a_byte_at_a_time_makes_records(void **state)
{
    SCOPED(buffer_drop) struct buffer wire = {.max = 100000};
    uint8_t in[64];
    size_t got, messages = 0;
    struct play p;
    play_open(&p, bytes_of(NULL, 0));
    for (int i = 0; i < 20; i++) {
        seal(&p, &wire, RECORD_DATA, BYTES("drip"));
        if (i % 7 == 3) {
            seal(&p, &wire, RECORD_HANDSHAKE, BYTES("\x18\x00"));
            seal(&p, &wire, RECORD_HANDSHAKE, BYTES("\x00\x01\x00"));
            assert_null(record_keys_update(&p.ciphers, suite, p.sends));
        }
    }
    for (size_t i = 0; i < wire.len; i++) {
        send_all(&p, bytes_of(wire.at + i, 1));
        err e = stream_read(&p.tls, in, sizeof in, &got);
        assert_true(e ? err_is(e, ERR_AGAIN) : bytes_is(bytes_of(in, got), "drip"));
        messages += !e;
    }
    assert_int_equal(messages, 20);
    play_close(&p);
}

/* Many records at once, read with all kinds of room: nothing is lost, doubled or out of order. */
static void any_room_reads_the_same(void **state)
{
    static const size_t rooms[] = {1, 3, 100, 1000, 16384, 20000, TLS_BATCH};
    static const size_t sizes[] = {1, 16384, 5, 900, 16383, 17, 2000, 1, 1, 16384};
    uint8_t *text = malloc(RECORD_PLAIN_MAX), *in = malloc(TLS_BATCH);
    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        SCOPED(buffer_drop) struct buffer wire = {.max = 200000};
        struct play p;
        size_t total = 0, seen = 0, got = 0;
        play_open(&p, bytes_of(NULL, 0));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (size_t k = 0; k < sizes[i]; k++)
                text[k] = (uint8_t)((total + k) * 7);
            seal(&p, &wire, RECORD_DATA, bytes_of(text, sizes[i]));
            total += sizes[i];
        }
        send_all(&p, buffer_view(&wire));
        while (!stream_read(&p.tls, in, rooms[r], &got)) {
            assert_true(got > 0 && got <= rooms[r]);
            for (size_t k = 0; k < got; k++)
                assert_int_equal(in[k], (uint8_t)((seen + k) * 7));
            seen += got;
        }
        assert_int_equal(seen, total);
        assert_false(stream_has_pending(p.tls.stream));
        play_close(&p);
    }
    free(text);
    free(in);
}

/* What waits from before is small, and what must wait now is not. */
static void a_part_of_a_record_makes_room_for_many(void **state)
{
    static const uint8_t first[200] = {1}, second[4000] = {2};
    SCOPED(buffer_drop) struct buffer wire = {.max = 100000};
    struct play p;
    uint8_t in[150];
    size_t got = 0, all = 0;
    play_open(&p, bytes_of(NULL, 0));
    seal(&p, &wire, RECORD_DATA, bytes_of(first, sizeof first));
    seal(&p, &wire, RECORD_DATA, bytes_of(second, sizeof second));
    send_all(&p, bytes_first(buffer_view(&wire), 30));
    assert_true(err_is(stream_read(&p.tls, in, sizeof in, &got), ERR_AGAIN));
    send_all(&p, bytes_from(buffer_view(&wire), 30));
    while (!stream_read(&p.tls, in, sizeof in, &got))
        all += got;
    assert_int_equal(all, sizeof first + sizeof second);
    play_close(&p);
}

static void what_came_with_the_handshake_is_read_first(void **state)
{
    struct play p, q;
    SCOPED(buffer_drop) struct buffer wire = {.max = 1000};
    play_open(&p, bytes_of(NULL, 0));
    seal(&p, &wire, RECORD_DATA, BYTES("early"));
    size_t whole = wire.len;
    seal(&p, &wire, RECORD_DATA, BYTES("later"));
    play_open(&q, bytes_first(buffer_view(&wire), whole + 9));
    assert_true(stream_has_pending(q.tls.stream));
    expect_text(&q, "early");
    assert_false(stream_has_pending(q.tls.stream));
    send_all(&q, bytes_from(buffer_view(&wire), whole + 9));
    expect_text(&q, "later");
    play_close(&p);
    play_close(&q);
}

/* ---- a socket that is full */

static void small_buffers(struct play *p)
{
    int size = 4096;
    assert_int_equal(setsockopt(p->tls.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/* Takes what the server sent so far off the socket, some bytes at a time. */
static void gather(struct play *p, struct buffer *wire, size_t most)
{
    uint8_t *at = buffer_reserve(wire, most);
    ssize_t len = recv(p->fd, at, most, 0);
    buffer_filled(wire, len > 0 ? (size_t)len : 0);
}

static size_t open_gathered(struct play *p, const struct buffer *wire, size_t *updates)
{
    uint8_t *room = malloc(RECORD_WIRE_MAX);
    size_t data = 0, len;
    for (struct bytes left = buffer_view(wire); left.len; left = bytes_from(left, len)) {
        struct record_run run;
        struct record_plain plain;
        assert_null(record_length(left, &len));
        assert_true(len <= left.len);
        assert_null(record_run_begin(&p->ciphers, suite, p->hears, RECORD_OPEN, &run));
        assert_null(record_open(&run, bytes_first(left, len), room, &plain));
        if (plain.content == RECORD_HANDSHAKE) {
            assert_null(record_keys_update(&p->ciphers, suite, p->hears));
            ++*updates;
            continue;
        }
        assert_int_equal(plain.content, RECORD_DATA);
        for (size_t i = 0; i < plain.bytes.len; i++)
            assert_int_equal(plain.bytes.at[i], (uint8_t)((data + i) * 13));
        data += plain.bytes.len;
    }
    free(room);
    return data;
}

static void a_full_socket_loses_and_doubles_nothing(void **state)
{
    enum { TOTAL = 700000 };
    uint8_t *text = malloc(TOTAL);
    SCOPED(buffer_drop) struct buffer wire = {.max = 2 * TOTAL};
    size_t sent = 0, taken, waits = 0, updates = 0, turn = 0;
    struct play p;
    for (size_t i = 0; i < TOTAL; i++)
        text[i] = (uint8_t)(i * 13);
    play_open(&p, bytes_of(NULL, 0));
    small_buffers(&p);
    while (sent < TOTAL) {
        if (turn++ % 50 == 10) { /* the answer to it goes between two records */
            say(&p, RECORD_HANDSHAKE, BYTES("\x18\x00\x00\x01\x01"));
            assert_null(record_keys_update(&p.ciphers, suite, p.sends));
            say(&p, RECORD_DATA, BYTES("12345678"));
            assert_null(read_once(&p));
        }
        err e = stream_write(&p.tls, bytes_of(text + sent, TOTAL - sent), &taken);
        assert_true(e ? err_is(e, ERR_AGAIN) && !taken : taken > 0);
        sent += taken;
        if (e) {
            waits++;
            assert_int_equal(stream_wants(p.tls.stream), EPOLLOUT);
            gather(&p, &wire, 1 + turn % 3000);
        }
    }
    for (size_t before = 0; before != wire.len;) {
        before = wire.len;
        gather(&p, &wire, 60000);
    }
    assert_int_equal(open_gathered(&p, &wire, &updates), TOTAL);
    assert_true(waits > 10 && updates > 2);
    free(text);
    play_close(&p);
}

static void fewer_bytes_than_before_are_refused(void **state)
{
    uint8_t *text = calloc(1, 300000), *sink = malloc(300000);
    size_t taken = 0;
    struct play p;
    play_open(&p, bytes_of(NULL, 0));
    small_buffers(&p);
    while (!stream_write(&p.tls, bytes_of(text, 100000), &taken))
        ;
    err e;
    do {
        while (recv(p.fd, sink, 300000, 0) > 0)
            ;
        e = stream_write(&p.tls, BYTES("x"), &taken);
    } while (err_is(e, ERR_AGAIN));
    assert_true(err_is(e, ERR_REFUSED));
    assert_true(err_is(stream_write(&p.tls, BYTES("x"), &taken), ERR_CLOSED));
    free(text);
    free(sink);
    play_close(&p);
}

/* ---- keys */

static void key_updates_are_answered_once(void **state)
{
    struct play p;
    uint8_t room[RECORD_WIRE_MAX];
    play_open(&p, bytes_of(NULL, 0));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++) {
            say(&p, RECORD_HANDSHAKE, i == 1 ? BYTES("\x18\x00\x00\x01\x00") : BYTES("\x18\x00\x00\x01\x01"));
            assert_null(record_keys_update(&p.ciphers, suite, p.sends));
        }
        for (int i = 0; i < 3 * NUISANCE_MORE; i++)
            say(&p, RECORD_DATA, BYTES("."));
        expect_text(&p, "........................");
        assert_int_equal(hear(&p, room).content, 0); /* 4.6.3: while it is silent, it owes one */
        size_t taken;
        assert_null(stream_write(&p.tls, BYTES("data"), &taken));
        struct record_plain update = hear(&p, room);
        assert_int_equal(update.content, RECORD_HANDSHAKE);
        assert_true(bytes_equal(update.bytes, BYTES("\x18\x00\x00\x01\x00")));
        assert_null(record_keys_update(&p.ciphers, suite, p.hears));
        assert_true(bytes_is(hear(&p, room).bytes, "data"));
        answer(&p, "and no second one");
    }
    play_close(&p);
}

/* Both directions at the number from which on new keys are due. */
static void keys_are_renewed_before_they_wear_out(void **state)
{
    struct play p;
    uint8_t room[RECORD_WIRE_MAX];
    size_t taken;
    play_open(&p, bytes_of(NULL, 0));
    struct record_keys *reading = stream_keys(p.tls.stream, STREAM_READING);
    struct record_keys *writing = stream_keys(p.tls.stream, STREAM_WRITING);
    assert_int_equal(reading->number, 0);
    assert_memory_equal(reading->material, client_secret, 32);
    assert_memory_equal(writing->material, server_secret, 32);
    reading->number = p.sends->number = RECORDS_RENEW - 1;
    say(&p, RECORD_DATA, BYTES("worn"));
    expect_text(&p, "worn");
    struct record_plain asks = hear(&p, room); /* at once: nobody may write for a long time */
    assert_int_equal(asks.content, RECORD_HANDSHAKE);
    assert_true(bytes_equal(asks.bytes, BYTES("\x18\x00\x00\x01\x01")));
    assert_null(record_keys_update(&p.ciphers, suite, p.hears));
    say(&p, RECORD_DATA, BYTES("worn")); /* asked once */
    expect_text(&p, "worn");
    assert_int_equal(hear(&p, room).content, 0);
    say(&p, RECORD_HANDSHAKE, BYTES("\x18\x00\x00\x01\x00"));
    assert_null(record_keys_update(&p.ciphers, suite, p.sends));
    say(&p, RECORD_DATA, BYTES("new"));
    expect_text(&p, "new");
    writing->number = p.hears->number = RECORDS_RENEW;
    assert_null(stream_write(&p.tls, BYTES("x"), &taken));
    struct record_plain ours = hear(&p, room);
    assert_true(bytes_equal(ours.bytes, BYTES("\x18\x00\x00\x01\x00")));
    assert_null(record_keys_update(&p.ciphers, suite, p.hears));
    assert_true(bytes_is(hear(&p, room).bytes, "x"));
    reading->number = p.sends->number = RECORDS_MAX - 1; /* a peer that does not renew */
    say(&p, RECORD_DATA, BYTES("last"));
    p.sends->number--;
    say(&p, RECORD_DATA, BYTES("none"));
    expect_text(&p, "last");
    assert_true(err_is(read_once(&p), ERR_REFUSED));
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_told_and_final),
        cmocka_unit_test(floods_that_bring_nothing_end),
        cmocka_unit_test(close_notify_is_heard_and_said),
        cmocka_unit_test(a_peer_that_dies_in_a_record_is_cut),
        cmocka_unit_test(a_byte_at_a_time_makes_records),
        cmocka_unit_test(any_room_reads_the_same),
        cmocka_unit_test(a_part_of_a_record_makes_room_for_many),
        cmocka_unit_test(what_came_with_the_handshake_is_read_first),
        cmocka_unit_test(a_full_socket_loses_and_doubles_nothing),
        cmocka_unit_test(fewer_bytes_than_before_are_refused),
        cmocka_unit_test(key_updates_are_answered_once),
        cmocka_unit_test(keys_are_renewed_before_they_wear_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
