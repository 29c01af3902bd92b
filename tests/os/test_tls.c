/* TLS: who is let in and who is not, on both sides; transfers in pieces; peers that go away. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/sandbox.h"
#include "os/tls.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum who {
    NOBODY,
    SERVER, /* DNS:server.test, IP 127.0.0.1 and ::1, serverAuth */
    SERVER_EXPIRED,
    SERVER_EARLY,            /* not valid yet */
    SERVER_BY_OTHER,         /* another authority's */
    SERVER_FOR_CLIENTS,      /* clientAuth only */
    SERVER_NAMED_IN_SUBJECT, /* the name only in the common name */
    SERVER_WILD,             /* DNS:*.plant.test */
    DEVICE,
    DEVICE_EXPIRED,
    DEVICE_BY_OTHER,
    DEVICE_FOR_SERVERS, /* serverAuth only */
    DEVICE_DEEP,        /* by an intermediate, which it shows */
    DEVICE_DEEP_ALONE,  /* by an intermediate, which it does not show */
    DEVICE_BY_DEVICE,   /* by a leaf that is no authority */
    DEVICE_SELF,        /* by itself */
    PARTIES,
};

enum { ROOT, OTHER_ROOT, INTERMEDIATE, AUTHORITIES };

struct world {
    enum tls_record_layer records; /* who carries the server's connections */
    struct party authorities[AUTHORITIES];
    struct party parties[PARTIES];
};

static const struct leaf leaves[PARTIES] = {
    [SERVER] = {"server", "DNS:server.test,IP:127.0.0.1,IP:::1", "serverAuth", NULL, 0, 0},
    [SERVER_EXPIRED] = {"server", "DNS:server.test", "serverAuth", NULL, -2 * DAY_SECONDS, -DAY_SECONDS},
    [SERVER_EARLY] = {"server", "DNS:server.test", "serverAuth", NULL, DAY_SECONDS, 2 * DAY_SECONDS},
    [SERVER_BY_OTHER] = {"server", "DNS:server.test", "serverAuth", NULL, 0, 0},
    [SERVER_FOR_CLIENTS] = {"server", "DNS:server.test", "clientAuth", NULL, 0, 0},
    [SERVER_NAMED_IN_SUBJECT] = {"server.test", NULL, "serverAuth", NULL, 0, 0},
    [SERVER_WILD] = {"server", "DNS:*.plant.test", "serverAuth", NULL, 0, 0},
    [DEVICE] = {"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, 0, 0},
    [DEVICE_EXPIRED] = {"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, -2 * DAY_SECONDS, -1},
    [DEVICE_BY_OTHER] = {"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, 0, 0},
    [DEVICE_FOR_SERVERS] = {"pump-1", "URI:urn:holdfast:device:pump-1", "serverAuth", NULL, 0, 0},
    [DEVICE_DEEP] = {"pump-2", "URI:urn:holdfast:device:pump-2", "clientAuth", NULL, 0, 0},
    [DEVICE_DEEP_ALONE] = {"pump-2", "URI:urn:holdfast:device:pump-2", "clientAuth", NULL, 0, 0},
    [DEVICE_BY_DEVICE] = {"pump-3", "URI:urn:holdfast:device:pump-3", "clientAuth", NULL, 0, 0},
    [DEVICE_SELF] = {"pump-4", "URI:urn:holdfast:device:pump-4", "clientAuth", NULL, 0, 0},
};

static const struct party *issuer_of(const struct world *w, enum who who)
{
    static const int by[PARTIES] = {[SERVER_BY_OTHER] = OTHER_ROOT,
                                    [DEVICE_BY_OTHER] = OTHER_ROOT,
                                    [DEVICE_DEEP] = INTERMEDIATE,
                                    [DEVICE_DEEP_ALONE] = INTERMEDIATE};
    return who == DEVICE_BY_DEVICE ? &w->parties[DEVICE] : who == DEVICE_SELF ? NULL : &w->authorities[by[who]];
}

static int world_make(void **state, enum tls_record_layer records)
{
    struct world *w = calloc(1, sizeof *w);
    w->records = records;
    w->authorities[ROOT] = authority_make(NULL, "root");
    w->authorities[OTHER_ROOT] = authority_make(NULL, "root"); /* of the same name, so that keys alone differ */
    w->authorities[INTERMEDIATE] = authority_make(&w->authorities[ROOT], "intermediate");
    for (unsigned who = SERVER; who < PARTIES; who++)
        w->parties[who] = party_make(issuer_of(w, who), &leaves[who]);
    put_bytes(&w->parties[DEVICE_DEEP].chain_pem, buffer_view(&w->authorities[INTERMEDIATE].chain_pem));
    put_bytes(&w->parties[DEVICE_BY_DEVICE].chain_pem, buffer_view(&w->parties[DEVICE].chain_pem));
    *state = w;
    return 0;
}

static int own_world(void **state)
{
    return world_make(state, TLS_RECORDS_OWN);
}

static int openssl_world(void **state)
{
    return world_make(state, TLS_RECORDS_OPENSSL);
}

static int world_drop(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < AUTHORITIES; i++)
        party_drop(&w->authorities[i]);
    for (int i = SERVER; i < PARTIES; i++)
        party_drop(&w->parties[i]);
    free(w);
    return 0;
}

static struct tls_options options_of(const struct world *w, enum who who)
{
    const struct party *p = &w->parties[who];
    return (struct tls_options){.chain_pem = buffer_view(&p->chain_pem),
                                .key_pem = buffer_view(&p->key_pem),
                                .records = w->records,
                                .anchors_pem = buffer_view(&w->authorities[ROOT].chain_pem)};
}

/* Two sides in one thread, joined by a socket pair. */
struct wire {
    struct tls_engine *engine;
    struct tls *tls[2]; /* the server, the client */
    int fd[2];
    err result[2];
};

enum { SERVER_SIDE, CLIENT_SIDE };

static void wire_join(struct wire *wire, const struct tls_options *server, const struct tls_options *client)
{
    struct tls_context *contexts[2];
    assert_null(tls_context_server(server, &contexts[SERVER_SIDE]));
    assert_null(tls_context_client(client, &contexts[CLIENT_SIDE]));
    assert_null(tls_engine_open(&wire->engine));
    assert_null(tls_accept(contexts[SERVER_SIDE], wire->engine, wire->fd[SERVER_SIDE], &wire->tls[SERVER_SIDE]));
    assert_null(tls_open(contexts[CLIENT_SIDE], wire->fd[CLIENT_SIDE], &wire->tls[CLIENT_SIDE]));
    for (int i = 0; i < 2; i++)
        tls_context_drop(contexts[i]); /* the connection holds it */
}

static void wire_open(struct wire *wire, const struct tls_options *server, const struct tls_options *client)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, wire->fd), 0);
    wire_join(wire, server, client);
}

/* To the end on both sides. With TLS 1.3 a client learns at its first read that the server turned it away. */
static void wire_shake(struct wire *wire)
{
    uint8_t byte;
    size_t got;
    bool done[2] = {false, false};
    for (int turns = 0; turns < 100 && !(done[0] && done[1]); turns++)
        for (int i = 0; i < 2; i++)
            if (!done[i]) {
                wire->result[i] = tls_handshake(wire->tls[i]);
                done[i] = !err_is(wire->result[i], ERR_AGAIN);
            }
    if (!wire->result[CLIENT_SIDE])
        wire->result[CLIENT_SIDE] = tls_read(wire->tls[CLIENT_SIDE], &byte, 1, &got);
    if (err_is(wire->result[CLIENT_SIDE], ERR_AGAIN))
        wire->result[CLIENT_SIDE] = OK;
}

static void wire_close(struct wire *wire)
{
    for (int i = 0; i < 2; i++) {
        tls_close(wire->tls[i]);
        fd_close(&wire->fd[i]);
    }
    tls_engine_close(wire->engine);
}

static const struct handshake {
    const char *rule;
    enum who server;
    enum tls_peer asks;
    enum who client;
    const char *name;
    int server_says, client_says; /* fault kinds; 0: OK */
    const char *trouble;          /* in the words of the side that refused first */
} handshakes[] = {
    {"mutual", SERVER, TLS_PEER_REQUIRED, DEVICE, "server.test", 0, 0, ""},
    {"mutual, by IPv4 address", SERVER, TLS_PEER_REQUIRED, DEVICE, "127.0.0.1", 0, 0, ""},
    {"mutual, by IPv6 address", SERVER, TLS_PEER_REQUIRED, DEVICE, "::1", 0, 0, ""},
    {"mutual, through an intermediate", SERVER, TLS_PEER_REQUIRED, DEVICE_DEEP, "server.test", 0, 0, ""},
    {"asked and not shown", SERVER, TLS_PEER_ASKED, NOBODY, "server.test", 0, 0, ""},
    {"asked and shown", SERVER, TLS_PEER_ASKED, DEVICE, "server.test", 0, 0, ""},
    {"not asked", SERVER, TLS_PEER_ANONYMOUS, DEVICE_EXPIRED, "server.test", 0, 0, ""},
    {"a wildcard is one label", SERVER_WILD, TLS_PEER_REQUIRED, DEVICE, "a.plant.test", 0, 0, ""},
    {"required and not shown", SERVER, TLS_PEER_REQUIRED, NOBODY, "server.test", ERR_REFUSED, ERR_REFUSED,
     "peer did not return a certificate"},
    {"another authority's device", SERVER, TLS_PEER_REQUIRED, DEVICE_BY_OTHER, "server.test", ERR_REFUSED, ERR_REFUSED,
     "certificate signature failure"},
    {"another authority's device, asked", SERVER, TLS_PEER_ASKED, DEVICE_BY_OTHER, "server.test", ERR_REFUSED,
     ERR_REFUSED, "certificate signature failure"},
    {"an expired device", SERVER, TLS_PEER_REQUIRED, DEVICE_EXPIRED, "server.test", ERR_REFUSED, ERR_REFUSED,
     "certificate has expired"},
    {"a server's certificate as a device's", SERVER, TLS_PEER_REQUIRED, DEVICE_FOR_SERVERS, "server.test", ERR_REFUSED,
     ERR_REFUSED, "unsuitable certificate purpose"},
    {"an intermediate that is not shown", SERVER, TLS_PEER_REQUIRED, DEVICE_DEEP_ALONE, "server.test", ERR_REFUSED,
     ERR_REFUSED, "unable to get local issuer certificate"},
    {"a device that signs devices", SERVER, TLS_PEER_REQUIRED, DEVICE_BY_DEVICE, "server.test", ERR_REFUSED,
     ERR_REFUSED, "invalid CA certificate"},
    {"a device that signs itself", SERVER, TLS_PEER_REQUIRED, DEVICE_SELF, "server.test", ERR_REFUSED, ERR_REFUSED,
     "self-signed certificate"},
    {"another name", SERVER, TLS_PEER_REQUIRED, DEVICE, "other.test", ERR_REFUSED, ERR_REFUSED, "hostname mismatch"},
    {"another address", SERVER, TLS_PEER_REQUIRED, DEVICE, "127.0.0.2", ERR_REFUSED, ERR_REFUSED,
     "IP address mismatch"},
    {"a wildcard is not two labels", SERVER_WILD, TLS_PEER_REQUIRED, DEVICE, "a.b.plant.test", ERR_REFUSED, ERR_REFUSED,
     "hostname mismatch"},
    {"a name in the subject only", SERVER_NAMED_IN_SUBJECT, TLS_PEER_REQUIRED, DEVICE, "server.test", ERR_REFUSED,
     ERR_REFUSED, "hostname mismatch"},
    {"an expired server", SERVER_EXPIRED, TLS_PEER_REQUIRED, DEVICE, "server.test", ERR_REFUSED, ERR_REFUSED,
     "certificate has expired"},
    {"a server from the future", SERVER_EARLY, TLS_PEER_REQUIRED, DEVICE, "server.test", ERR_REFUSED, ERR_REFUSED,
     "certificate is not yet valid"},
    {"another authority's server", SERVER_BY_OTHER, TLS_PEER_REQUIRED, DEVICE, "server.test", ERR_REFUSED, ERR_REFUSED,
     "certificate signature failure"},
    {"a device's certificate as a server's", SERVER_FOR_CLIENTS, TLS_PEER_REQUIRED, DEVICE, "server.test", ERR_REFUSED,
     ERR_REFUSED, "unsuitable certificate purpose"},
};

static int kind_of(err e)
{
    return e ? (int)e->kind : 0;
}

static void check_certificate(const struct wire *wire, const struct world *w, const struct handshake *h)
{
    SCOPED(buffer_drop) struct buffer shown = {.max = 65536};
    err e = tls_peer_certificate(wire->tls[SERVER_SIDE], &shown);
    if (h->client == NOBODY || h->asks == TLS_PEER_ANONYMOUS || h->server_says) {
        assert_true(err_is(e, ERR_ABSENT));
        return;
    }
    const uint8_t *at = shown.at;
    X509 *seen = d2i_X509(NULL, &at, (long)shown.len);
    assert_null(e);
    assert_int_equal(X509_cmp(seen, w->parties[h->client].certificate), 0);
    X509_free(seen);
}

static void who_is_let_in(void **state)
{
    const struct world *w = *state;
    for (size_t i = 0; i < sizeof handshakes / sizeof *handshakes; i++) {
        const struct handshake *h = &handshakes[i];
        struct tls_options server = options_of(w, h->server), client = options_of(w, h->client);
        struct wire wire;
        server.peer = h->asks;
        client.server_name = h->name;
        wire_open(&wire, &server, &client);
        wire_shake(&wire);
        const char *words[2] = {tls_trouble(wire.tls[SERVER_SIDE]), tls_trouble(wire.tls[CLIENT_SIDE])};
        if (kind_of(wire.result[SERVER_SIDE]) != h->server_says ||
            kind_of(wire.result[CLIENT_SIDE]) != h->client_says ||
            (!strstr(words[0], h->trouble) && !strstr(words[1], h->trouble)))
            fail_msg("%s: server: %s (%s), client: %s (%s)", h->rule, err_text(wire.result[SERVER_SIDE]), words[0],
                     err_text(wire.result[CLIENT_SIDE]), words[1]);
        if (!h->server_says)
            assert_string_equal(tls_version(wire.tls[SERVER_SIDE]), "TLSv1.3");
        check_certificate(&wire, w, h);
        wire_close(&wire);
    }
}

static void alpn_is_chosen_or_refused(void **state)
{
    static const struct {
        const char *server, *client;
        int says;
    } rows[] = {
        {"mqtt", "mqtt", 0}, {"mqtt", "", 0}, {"", "mqtt", 0}, {NULL, NULL, 0}, {"http/1.1", "mqtt", ERR_REFUSED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_options server = options_of(*state, SERVER), client = options_of(*state, DEVICE);
        struct wire wire;
        client.server_name = "server.test";
        server.alpn = rows[i].server;
        client.alpn = rows[i].client;
        wire_open(&wire, &server, &client);
        wire_shake(&wire);
        assert_int_equal(kind_of(wire.result[SERVER_SIDE]), rows[i].says);
        assert_int_equal(kind_of(wire.result[CLIENT_SIDE]), rows[i].says);
        wire_close(&wire);
    }
}

static void open_pair(struct wire *wire, const struct world *w)
{
    struct tls_options server = options_of(w, SERVER), client = options_of(w, DEVICE);
    client.server_name = "server.test";
    wire_open(wire, &server, &client);
    wire_shake(wire);
    assert_null(wire->result[SERVER_SIDE]);
    assert_null(wire->result[CLIENT_SIDE]);
}

/* One side's half of a transfer: bytes of a known pattern out, the other side's checked as they come in. */
struct half {
    size_t sent, received;
    unsigned waits;
};

enum { TRANSFER = 3000000, PIECE = 40000 };

static uint8_t pattern(size_t at, int side)
{
    return (uint8_t)(at * 31 + at / 251 + (size_t)side);
}

/* From another place at each try: the write buffer may move. */
static void send_piece(struct wire *wire, int side, struct half *half)
{
    static uint8_t places[2][PIECE];
    uint8_t *out = places[half->waits % 2];
    size_t len = TRANSFER - half->sent < PIECE ? TRANSFER - half->sent : PIECE, taken;
    for (size_t i = 0; i < len; i++)
        out[i] = pattern(half->sent + i, side);
    err e = tls_write(wire->tls[side], bytes_of(out, len), &taken);
    half->sent += taken;
    if (e) {
        assert_true(err_is(e, ERR_AGAIN));
        assert_int_equal(tls_wants(wire->tls[side]), EPOLLOUT);
        half->waits++;
    }
}

static void receive_piece(struct wire *wire, int side, struct half *half)
{
    uint8_t in[7777];
    size_t got;
    err e = tls_read(wire->tls[side], in, sizeof in, &got);
    if (e) {
        assert_true(err_is(e, ERR_AGAIN));
        assert_int_equal(tls_wants(wire->tls[side]), EPOLLIN);
        assert_false(tls_has_pending(wire->tls[side]));
        return;
    }
    for (size_t i = 0; i < got; i++)
        assert_int_equal(in[i], pattern(half->received + i, 1 - side));
    half->received += got;
}

static void large_transfers_cross_in_pieces(void **state)
{
    struct wire wire;
    struct half halves[2] = {{0, 0, 0}, {0, 0, 0}};
    open_pair(&wire, *state);
    while (halves[0].received < TRANSFER || halves[1].received < TRANSFER)
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < 40 && halves[side].sent < TRANSFER; i++)
                send_piece(&wire, side, &halves[side]);
            receive_piece(&wire, side, &halves[side]);
        }
    assert_true(halves[0].waits > 0 && halves[1].waits > 0);
    wire_close(&wire);
}

static void what_is_inside_is_told(void **state)
{
    struct wire wire;
    uint8_t in[4];
    size_t n;
    open_pair(&wire, *state);
    assert_null(tls_write(wire.tls[CLIENT_SIDE], BYTES("abcdef"), &n));
    assert_int_equal(n, 6);
    assert_null(tls_write(wire.tls[CLIENT_SIDE], BYTES("gh"), &n));
    assert_null(tls_write(wire.tls[CLIENT_SIDE], bytes_of(NULL, 0), &n));
    assert_int_equal(n, 0);
    static const struct {
        size_t got;
        bool pending;
    } reads[] = {{4, true}, {2, true}, {2, false}};
    for (size_t i = 0; i < 3; i++) {
        assert_null(tls_read(wire.tls[SERVER_SIDE], in, sizeof in, &n));
        assert_int_equal(n, reads[i].got);
        assert_int_equal(tls_has_pending(wire.tls[SERVER_SIDE]), reads[i].pending);
    }
    assert_true(err_is(tls_read(wire.tls[SERVER_SIDE], in, sizeof in, &n), ERR_AGAIN));
    wire_close(&wire);
}

static void an_orderly_end_and_a_cut_one_are_closed(void **state)
{
    for (int orderly = 0; orderly < 2; orderly++) {
        struct wire wire;
        uint8_t in[4];
        size_t n;
        open_pair(&wire, *state);
        if (orderly) {
            tls_close(wire.tls[CLIENT_SIDE]);
            wire.tls[CLIENT_SIDE] = NULL;
        } else {
            /* The head of a record and nothing behind it. */
            assert_int_equal(write(wire.fd[CLIENT_SIDE], "\x17\x03\x03\x00\x40half", 9), 9);
            assert_int_equal(close(wire.fd[CLIENT_SIDE]), 0);
            wire.fd[CLIENT_SIDE] = -1;
        }
        assert_true(err_is(tls_read(wire.tls[SERVER_SIDE], in, sizeof in, &n), ERR_CLOSED));
        assert_string_not_equal(tls_trouble(wire.tls[SERVER_SIDE]), "");
        if (!orderly) /* no SIGPIPE, and for good */
            assert_true(err_is(tls_write(wire.tls[SERVER_SIDE], BYTES("x"), &n), ERR_CLOSED));
        wire_close(&wire);
    }
}

static void a_peer_that_vanishes_raises_no_signal(void **state)
{
    struct wire wire;
    size_t n;
    err e = OK;
    open_pair(&wire, *state);
    fd_close(&wire.fd[CLIENT_SIDE]);
    wire.fd[CLIENT_SIDE] = -1;
    for (int i = 0; i < 3 && !e; i++)
        e = tls_write(wire.tls[SERVER_SIDE], BYTES("anybody there?"), &n);
    assert_true(err_is(e, ERR_CLOSED));
    wire_close(&wire);
}

static void bytes_that_are_no_tls_are_refused(void **state)
{
    static const char *const greetings[] = {"GET / HTTP/1.1\r\n\r\n",
                                            "\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04user",
                                            "\x16\x03\x01\xff\xff\x01\x01\x01\x01\x01"};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct tls_options server = options_of(*state, SERVER), client = options_of(*state, DEVICE);
        struct wire wire;
        client.server_name = "server.test";
        wire_open(&wire, &server, &client);
        assert_true(write(wire.fd[CLIENT_SIDE], greetings[i], 10) == 10);
        assert_true(err_is(tls_handshake(wire.tls[SERVER_SIDE]), ERR_REFUSED));
        assert_string_not_equal(tls_trouble(wire.tls[SERVER_SIDE]), "");
        assert_true(err_is(tls_handshake(wire.tls[SERVER_SIDE]), ERR_CLOSED));
        wire_close(&wire);
    }
}

static void a_tampered_record_is_refused(void **state)
{
    struct wire wire;
    uint8_t record[256], in[16];
    size_t n;
    open_pair(&wire, *state);
    assert_null(tls_write(wire.tls[CLIENT_SIDE], BYTES("open the valve"), &n));
    ssize_t len = recv(wire.fd[SERVER_SIDE], record, sizeof record, 0);
    assert_true(len > 20);
    record[len - 1] ^= 1;
    assert_int_equal(send(wire.fd[CLIENT_SIDE], record, (size_t)len, 0), len);
    assert_true(err_is(tls_read(wire.tls[SERVER_SIDE], in, sizeof in, &n), ERR_REFUSED));
    assert_int_equal(n, 0);
    wire_close(&wire);
}

static void contexts_refuse_what_is_wrong(void **state)
{
    const struct world *w = *state;
    struct tls_options good = options_of(w, SERVER), cases[10];
    struct tls_context *ctx = NULL;
    for (size_t i = 0; i < 10; i++)
        cases[i] = good;
    cases[0].key_pem = buffer_view(&w->parties[DEVICE].key_pem);
    cases[1].key_pem = BYTES("no key");
    cases[2].chain_pem = BYTES("no chain");
    cases[3].chain_pem = bytes_of(NULL, 0);
    cases[4].anchors_pem = bytes_of(NULL, 0);
    cases[5].anchors_pem = BYTES("no anchors");
    cases[6].chain_pem = bytes_first(good.chain_pem, good.chain_pem.len / 2);
    cases[7].key_pem = bytes_of(NULL, 0);
    cases[8].alpn = "a-protocol-with-a-name-that-is-far-too-long";
    cases[9].key_pem = BYTES("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    static const int kinds[10] = {ERR_REFUSED,   ERR_MALFORMED, ERR_MALFORMED, ERR_MALFORMED, ERR_MALFORMED,
                                  ERR_MALFORMED, ERR_MALFORMED, ERR_MALFORMED, ERR_TOO_LARGE, ERR_MALFORMED};
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(kind_of(tls_context_server(&cases[i], &ctx)), kinds[i]);
    assert_true(err_is(tls_context_client(&good, &ctx), ERR_MALFORMED)); /* no server name */
    good.server_name = "server.test";
    good.peer = TLS_PEER_ANONYMOUS;
    assert_true(err_is(tls_context_client(&good, &ctx), ERR_MALFORMED)); /* would not verify */
    assert_null(ctx);
    tls_context_drop(NULL);
    tls_close(NULL);
}

/* An outside peer that speaks TLS 1.2 at most, or less: what we offer is what OpenSSL's own client can use. */
static void old_versions(void **state)
{
    static const struct {
        int version;
        int says;
    } rows[] = {{TLS1_1_VERSION, ERR_REFUSED}, {TLS1_2_VERSION, 0}, {TLS1_3_VERSION, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct tls_options server = options_of(*state, SERVER);
        struct tls_context *ctx;
        struct tls *tls;
        int fd[2];
        err e = OK;
        server.peer = TLS_PEER_ANONYMOUS;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        assert_null(tls_context_server(&server, &ctx));
        assert_null(tls_open(ctx, fd[0], &tls));
        SSL_CTX *foreign = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(foreign, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(foreign, 0), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(foreign, rows[i].version), 1);
        assert_int_equal(SSL_CTX_set_cipher_list(foreign, "ALL:@SECLEVEL=0"), 1);
        SSL *client = SSL_new(foreign);
        assert_int_equal(SSL_set_fd(client, fd[1]), 1);
        for (int turns = 0; turns < 100; turns++) {
            (void)SSL_connect(client);
            e = tls_handshake(tls);
            if (!err_is(e, ERR_AGAIN))
                break;
        }
        assert_int_equal(kind_of(e), rows[i].says);
        if (!e) {
            (void)SSL_connect(client);
            assert_int_equal(SSL_version(client), rows[i].version);
            assert_int_equal(SSL_get_secure_renegotiation_support(client), rows[i].version == TLS1_2_VERSION);
            assert_int_equal(SSL_CIPHER_is_aead(SSL_get_current_cipher(client)), 1);
        }
        SSL_free(client);
        SSL_CTX_free(foreign);
        tls_close(tls);
        tls_context_drop(ctx);
        fd_close(&fd[0]);
        fd_close(&fd[1]);
    }
}

/* What the server does: contexts and connections are made inside the sandbox, from memory alone. */
static void shake_in_sandbox(const struct world *w)
{
    struct wire wire;
    struct tls_options server = options_of(w, SERVER), client = options_of(w, DEVICE);
    client.server_name = "server.test";
    server.ticket_scope = "mqtt";
    server.ticket_life_s = 60;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, wire.fd) != 0)
        _exit(1);
    err e = sandbox_enter(&(struct sandbox_options){.profile = SANDBOX_SERVER});
    if (e)
        _exit(err_is(e, ERR_UNSUPPORTED) ? 0 : 2);
    if (tls_tickets_open(machine_dice(), &server.tickets))
        _exit(4);
    wire_join(&wire, &server, &client);
    wire_shake(&wire);
    bool well = !wire.result[SERVER_SIDE] && !wire.result[CLIENT_SIDE];
    wire_close(&wire);
    _exit(well ? 0 : 3);
}

static void handshakes_work_inside_the_sandbox(void **state)
{
    int status;
    assert_null(tls_prepare());
    pid_t child = fork();
    if (child == 0)
        shake_in_sandbox(*state);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_let_in),
        cmocka_unit_test(alpn_is_chosen_or_refused),
        cmocka_unit_test(large_transfers_cross_in_pieces),
        cmocka_unit_test(what_is_inside_is_told),
        cmocka_unit_test(an_orderly_end_and_a_cut_one_are_closed),
        cmocka_unit_test(a_peer_that_vanishes_raises_no_signal),
        cmocka_unit_test(bytes_that_are_no_tls_are_refused),
        cmocka_unit_test(a_tampered_record_is_refused),
        cmocka_unit_test(contexts_refuse_what_is_wrong),
        cmocka_unit_test(old_versions),
        cmocka_unit_test(handshakes_work_inside_the_sandbox),
    };
    return cmocka_run_group_tests_name("own records", tests, own_world, world_drop) +
           cmocka_run_group_tests_name("OpenSSL's records", tests, openssl_world, world_drop);
}
