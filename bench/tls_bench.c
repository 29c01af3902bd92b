/* What TLS costs a server: CPU of a mutual handshake, full and resumed; a record's sealing, opening and way through a
 * socket; memory of an idle connection. Each of our own record layer and of OpenSSL's.
 *
 *   tls-bench [handshakes [connections]]     (500 and 2000)
 *
 * Both ends are in one thread, joined by socket pairs; only the time and the memory between the server's calls are
 * counted. P-256 certificates by an issuing certificate below a root, X25519. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/os/certificates.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/tls.h"
#include "os/tls_record.h"

#include <malloc.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct scene {
    struct party root, issuing, server, device;
    struct tls_engine *engine;
    struct tls_tickets *tickets;
    struct tls_context *contexts[2]; /* by enum tls_record_layer */
    SSL_CTX *client;
    SSL_SESSION *session; /* the client's last one */
};

static void insist(int claim, const char *what)
{
    if (claim)
        return;
    fprintf(stderr, "tls-bench: %s\n", what);
    exit(1);
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct scene *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(s->session);
    s->session = session;
    return 1;
}

static void make_client(struct scene *s)
{
    s->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_app_data(s->client, s);
    SSL_CTX_set_session_cache_mode(s->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(s->client, keep_session);
    insist(SSL_CTX_use_certificate(s->client, s->device.certificate) == 1 &&
               SSL_CTX_use_PrivateKey(s->client, s->device.key) == 1 &&
               SSL_CTX_set1_groups_list(s->client, "X25519") == 1,
           "no client");
}

static void make_scene(struct scene *s)
{
    struct leaf root = {.name = "root", .constraints = "critical,CA:TRUE"};
    s->root = party_make(NULL, &root);
    s->issuing = party_make(&s->root, &(struct leaf){.name = "issuing", .constraints = "critical,CA:TRUE,pathlen:0"});
    s->server = party_make(&s->issuing, &(struct leaf){"server", "DNS:server.test", "serverAuth", NULL, 0, 0});
    s->device =
        party_make(&s->issuing, &(struct leaf){"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, 0, 0});
    put_bytes(&s->server.chain_pem, buffer_view(&s->issuing.chain_pem));
    struct buffer anchors = {.max = 65536};
    put_bytes(&anchors, buffer_view(&s->issuing.chain_pem));
    put_bytes(&anchors, buffer_view(&s->root.chain_pem));
    insist(!tls_prepare() && !tls_engine_open(&s->engine) && !tls_tickets_open(machine_dice(), &s->tickets),
           "no engine");
    for (int layer = 0; layer < 2; layer++)
        insist(!tls_context_server(&(struct tls_options){.chain_pem = buffer_view(&s->server.chain_pem),
                                                         .key_pem = buffer_view(&s->server.key_pem),
                                                         .anchors_pem = buffer_view(&anchors),
                                                         .records = (enum tls_record_layer)layer,
                                                         .tickets = s->tickets,
                                                         .ticket_scope = "bench",
                                                         .ticket_life_s = 3600},
                                   &s->contexts[layer]),
               "no context");
    buffer_drop(&anchors);
    make_client(s);
}

struct pair {
    struct tls *server;
    SSL *client;
    int fd[2];
    int64_t server_ns;
};

/* Server and client in turns until both are done. The server's first read ends OpenSSL's part. */
static void shake(struct scene *s, struct pair *p, enum tls_record_layer layer, SSL_SESSION *session)
{
    uint8_t byte;
    size_t n;
    insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd) == 0, "no sockets");
    p->client = SSL_new(s->client);
    insist(SSL_set_fd(p->client, p->fd[1]) == 1 && (!session || SSL_set_session(p->client, session) == 1), "no client");
    p->server_ns = -cpu_ns();
    insist(!tls_accept(s->contexts[layer], s->engine, p->fd[0], &p->server), "no connection");
    p->server_ns += cpu_ns();
    for (int turns = 0;; turns++) {
        (void)SSL_connect(p->client);
        p->server_ns -= cpu_ns();
        err e = tls_handshake(p->server);
        if (!e)
            insist(err_is(tls_read(p->server, &byte, 1, &n), ERR_AGAIN), "the first read");
        p->server_ns += cpu_ns();
        if (!e)
            break;
        insist(err_is(e, ERR_AGAIN) && turns < 10, tls_trouble(p->server));
    }
    /* Takes the ticket. The shutdown is for OpenSSL's books alone: a session that ends without one is not resumed. */
    insist(SSL_connect(p->client) == 1 && SSL_read_ex(p->client, &byte, 1, &n) == 0, "the client's end");
    SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN);
}

static void part(struct pair *p)
{
    tls_close(p->server);
    SSL_free(p->client);
    fd_close(&p->fd[0]);
    fd_close(&p->fd[1]);
}

static const char *const layers[] = {"own records", "OpenSSL's records"};

static void time_handshakes(struct scene *s, int count)
{
    for (int layer = 0; layer < 2; layer++)
        for (int resumed = 0; resumed < 2; resumed++) {
            int64_t ns = 0;
            int reused = 0;
            for (int i = -10; i < count; i++) { /* ten to warm up */
                struct pair p;
                shake(s, &p, (enum tls_record_layer)layer, resumed ? s->session : NULL);
                reused += SSL_session_reused(p.client);
                ns += i < 0 ? 0 : p.server_ns;
                part(&p);
            }
            insist(reused == (resumed ? count + 10 : 0), "sessions were not resumed as they should be");
            printf("handshake, %s, %s: %.3f ms of server CPU\n", resumed ? "resumed" : "full", layers[layer],
                   (double)ns / count / 1e6);
        }
}

enum { ROUNDS = 20000 };

/* A record each way at a time. The clock is read between two calls and costs some 0.4 microseconds of each. */
static void time_transfers(struct scene *s, size_t size)
{
    static uint8_t text[RECORD_PLAIN_MAX], room[TLS_BATCH];
    for (int layer = 0; layer < 2; layer++) {
        struct pair p;
        int64_t reads = 0, writes = 0;
        size_t n;
        shake(s, &p, (enum tls_record_layer)layer, NULL);
        for (int i = 0; i < ROUNDS; i++) {
            SSL_set_shutdown(p.client, 0);
            insist(SSL_write(p.client, text, (int)size) == (int)size, "client writes");
            int64_t start = cpu_ns();
            insist(!tls_read(p.server, room, sizeof room, &n) && n == size, "server reads");
            int64_t half = cpu_ns();
            insist(!tls_write(p.server, bytes_of(text, size), &n) && n == size, "server writes");
            reads += half - start;
            writes += cpu_ns() - half;
            for (size_t got = 0; got < size; got += n)
                insist(SSL_read_ex(p.client, room, sizeof room, &n) == 1, "client reads");
        }
        printf("record of %zu bytes through a socket, %s: read %.0f ns, write %.0f ns\n", size, layers[layer],
               (double)reads / ROUNDS, (double)writes / ROUNDS);
        part(&p);
    }
}

enum { RECORDS = 2000 };

static int64_t seal_all(struct record_ciphers *ciphers, enum record_suite suite, struct record_keys *keys, size_t size,
                        uint8_t *wires)
{
    static const uint8_t plain[RECORD_PLAIN_MAX];
    struct record_run run;
    int64_t start = cpu_ns();
    for (int i = 0; i < RECORDS; i++, wires += size + RECORD_OVERHEAD)
        insist(!record_run_begin(ciphers, suite, keys, RECORD_SEAL, &run) &&
                   !record_seal(&run, RECORD_DATA, bytes_of(plain, size), wires),
               "seal");
    return cpu_ns() - start;
}

static int64_t open_all(struct record_ciphers *ciphers, enum record_suite suite, struct record_keys *keys, size_t size,
                        const uint8_t *wires)
{
    static uint8_t opened[RECORD_WIRE_MAX];
    struct record_run run;
    struct record_plain out;
    int64_t start = cpu_ns();
    for (int i = 0; i < RECORDS; i++, wires += size + RECORD_OVERHEAD)
        insist(!record_run_begin(ciphers, suite, keys, RECORD_OPEN, &run) &&
                   !record_open(&run, bytes_of(wires, size + RECORD_OVERHEAD), opened, &out),
               "open");
    return cpu_ns() - start;
}

static void time_records(size_t size)
{
    uint8_t *wires = mem_take(RECORDS, size + RECORD_OVERHEAD);
    static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
    static const uint8_t secret[RECORD_SECRET_MAX] = {1};
    for (int suite = 0; suite < RECORD_SUITES; suite++) {
        enum record_suite number = (enum record_suite)suite;
        struct record_ciphers ciphers;
        struct record_keys *keys[2];
        int64_t ns[2];
        insist(wires != NULL, "no memory");
        memset(wires, 1, RECORDS * (size + RECORD_OVERHEAD)); /* not the kernel's pages are to be timed */
        insist(!record_ciphers_open(&ciphers), "no ciphers");
        for (int i = 0; i < 2; i++) {
            keys[i] = mem_take(1, record_keys_size(number));
            insist(!record_keys_set(&ciphers, number, keys[i], bytes_of(secret, record_secret_size(number))),
                   "no keys");
        }
        ns[0] = seal_all(&ciphers, number, keys[0], size, wires);
        ns[1] = open_all(&ciphers, number, keys[1], size, wires);
        printf("record of %zu bytes, %s, keyed for each: seal %.0f ns, open %.0f ns\n", size, names[suite],
               (double)ns[0] / RECORDS, (double)ns[1] / RECORDS);
        record_ciphers_close(&ciphers);
        mem_drop(keys[0]);
        mem_drop(keys[1]);
    }
    mem_drop(wires);
}

/* The server's side alone: what its calls leave taken of the heap. The client is OpenSSL's and is freed before it
 * counts. */
static void weigh_idle(struct scene *s, int count)
{
    struct pair *pairs = calloc((size_t)count, sizeof *pairs);
    for (int layer = 0; layer < 2; layer++) {
        size_t before = mallinfo2().uordblks;
        for (int i = 0; i < count; i++) {
            shake(s, &pairs[i], (enum tls_record_layer)layer, NULL);
            SSL_free(pairs[i].client); /* says nothing: the socket stays open */
            pairs[i].client = NULL;
        }
        printf("idle connection, %s: %.0f bytes of heap\n", layers[layer],
               (double)(mallinfo2().uordblks - before) / count);
        for (int i = 0; i < count; i++)
            part(&pairs[i]);
    }
    free(pairs);
}

int main(int argc, char **argv)
{
    static struct scene scene;
    int handshakes = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 500;
    int connections = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2000;
    insist(handshakes > 0 && connections > 0, "usage: tls-bench [handshakes [connections]]");
    make_scene(&scene);
    time_handshakes(&scene, handshakes);
    time_records(64);
    time_records(16384);
    time_transfers(&scene, 64);
    time_transfers(&scene, 16384);
    weigh_idle(&scene, connections);
    return 0;
}
