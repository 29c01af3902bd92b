/* fuzz: os */
/* SPDX-License-Identifier: Apache-2.0 */
/* A client behind its handshake that seals what it likes, sends it in pieces of any size, and bytes that it did not
 * seal: data comes out as it went in, up to the first fault and not behind it, whatever room the reader has. The input
 * is a list of acts: a kind, a length, and that many bytes. */
#include "os/file.h"
#include "os/tls_connection.h"
#include "os/tls_content.h"
#include "os/tls_engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(int claim)
{
    if (!claim)
        abort();
}

enum { ACT_DATA, ACT_HANDSHAKE, ACT_ALERT, ACT_OTHER, ACT_RAW, ACT_UPDATE, ACT_READ, ACT_WRITE, ACTS };

struct play {
    struct tls tls;
    struct tls_engine *engine;
    struct record_ciphers ciphers;
    struct record_keys *keys; /* the client's */
    int fd;
    struct buffer said; /* data that must come out */
    size_t heard;
    bool ended; /* the server has ended it */
};

static const enum record_suite suite = RECORD_CHACHA20_POLY1305_SHA256;

static void play_open(struct play *p)
{
    static const uint8_t secrets[2][32] = {{1}, {2}};
    int fd[2];
    const struct stream_start start = {
        .suite = suite, .client_secret = bytes_of(secrets[0], 32), .server_secret = bytes_of(secrets[1], 32)};
    hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    *p = (struct play){.said = {.max = SIZE_MAX / 4}, .fd = fd[1]};
    p->keys = mem_take(1, record_keys_size(suite));
    hold(p->keys && !tls_engine_open(&p->engine) && !record_ciphers_open(&p->ciphers) &&
         !record_keys_set(&p->ciphers, suite, p->keys, start.client_secret));
    p->tls = (struct tls){.engine = p->engine, .fd = fd[0], .carrier = CARRIED_BY_US};
    hold(!stream_open(p->engine, &start, &p->tls.stream));
}

static void play_close(struct play *p)
{
    stream_close(&p->tls);
    fd_close(&p->tls.fd);
    fd_close(&p->fd);
    record_ciphers_close(&p->ciphers);
    tls_engine_close(p->engine);
    mem_drop(p->keys);
    buffer_drop(&p->said);
}

static void send_bytes(struct play *p, struct bytes bytes)
{
    (void)send(p->fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say(struct play *p, uint8_t content, struct bytes plain)
{
    uint8_t wire[256 + RECORD_OVERHEAD];
    struct record_run run;
    hold(!record_run_begin(&p->ciphers, suite, p->keys, RECORD_SEAL, &run));
    hold(!record_seal(&run, (enum record_content)content, plain, wire));
    send_bytes(p, bytes_of(wire, plain.len + RECORD_OVERHEAD));
}

/* A type of zero is padding: the last byte that is not zero is the type then (RFC 8446, 5.4). */
static void say_padded(struct play *p, uint8_t type, struct bytes plain)
{
    struct bytes content = plain;
    uint8_t real = type;
    while (!real && content.len)
        real = content.at[--content.len];
    if (real == RECORD_DATA)
        put_bytes(&p->said, content);
    say(p, type, plain);
}

static void hear(struct play *p, size_t room)
{
    uint8_t in[TLS_BATCH];
    size_t got = 0;
    err e = stream_read(&p->tls, in, room, &got);
    hold(e ? got == 0 : got > 0 && got <= room);
    hold(!got || !p->ended);
    hold(got <= p->said.len - p->heard && (!got || memcmp(in, p->said.at + p->heard, got) == 0));
    p->heard += got;
    p->ended |= e && !err_is(e, ERR_AGAIN);
    if (err_is(e, ERR_AGAIN))
        hold(!stream_has_pending(p->tls.stream));
}

static void act(struct play *p, uint8_t kind, struct bytes bytes)
{
    static const uint8_t contents[] = {
        [ACT_DATA] = RECORD_DATA, [ACT_HANDSHAKE] = RECORD_HANDSHAKE, [ACT_ALERT] = RECORD_ALERT};
    size_t taken;
    switch (kind % ACTS) {
    case ACT_DATA:
        put_bytes(&p->said, bytes);
        say(p, RECORD_DATA, bytes);
        break;
    case ACT_HANDSHAKE:
    case ACT_ALERT:
        say(p, contents[kind % ACTS], bytes);
        break;
    case ACT_OTHER:
        if (bytes.len > 1)
            say_padded(p, bytes.at[0], bytes_from(bytes, 1));
        break;
    case ACT_RAW:
        send_bytes(p, bytes);
        break;
    case ACT_UPDATE:
        say(p, RECORD_HANDSHAKE, bytes.len % 2 ? BYTES("\x18\x00\x00\x01\x01") : BYTES("\x18\x00\x00\x01\x00"));
        hold(!record_keys_update(&p->ciphers, suite, p->keys));
        break;
    case ACT_READ:
        hear(p, bytes.len ? bytes.len * bytes.len : TLS_BATCH);
        break;
    default:
        IGNORE(stream_write(&p->tls, bytes, &taken));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(bytes_of(data, size));
    struct play p;
    play_open(&p);
    while (r.left.len && !r.spoiled) {
        uint8_t kind = read_u8(&r), len = read_u8(&r);
        act(&p, kind, read_view(&r, len % 252 < r.left.len ? len % 252 : r.left.len));
    }
    for (int i = 0; i < 50 && !p.ended; i++)
        hear(&p, TLS_BATCH);
    play_close(&p);
    return 0;
}
