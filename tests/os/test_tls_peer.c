/* TLS with foreign clients over TCP: OpenSSL's, GnuTLS's and mosquitto's, with a device's certificate; key updates,
 * tickets, long talks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/tls.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

static const char openssl_program[] = "/usr/bin/openssl", gnutls_program[] = "/usr/bin/gnutls-cli",
                  mosquitto_program[] = "/usr/bin/mosquitto_pub";

struct scene {
    struct party root, server, device;
    char folder[64], root_file[96], device_file[96], key_file[96], session_file[96];
    struct tls_engine *engine;
    struct tls_tickets *tickets;
};

static void write_pem(const struct scene *s, char path[96], const char *name, const struct buffer *pem)
{
    snprintf(path, 96, "%s/%s", s->folder, name);
    assert_null(file_create(path, buffer_view(pem), 0600));
}

static int scene_make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    const struct leaf server = {"server", "IP:127.0.0.1", "serverAuth", NULL, 0, 0};
    const struct leaf device = {"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, 0, 0};
    s->root = authority_make(NULL, "root");
    s->server = party_make(&s->root, &server);
    s->device = party_make(&s->root, &device);
    snprintf(s->folder, sizeof s->folder, "/tmp/holdfast-tls-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    write_pem(s, s->root_file, "root.pem", &s->root.chain_pem);
    write_pem(s, s->device_file, "device.pem", &s->device.chain_pem);
    write_pem(s, s->key_file, "key.pem", &s->device.key_pem);
    snprintf(s->session_file, sizeof s->session_file, "%s/session.pem", s->folder);
    assert_null(tls_engine_open(&s->engine));
    assert_null(tls_tickets_open(machine_dice(), &s->tickets));
    *state = s;
    return 0;
}

static int scene_drop(void **state)
{
    struct scene *s = *state;
    (void)unlink(s->root_file);
    (void)unlink(s->device_file);
    (void)unlink(s->key_file);
    (void)unlink(s->session_file);
    tls_engine_close(s->engine);
    tls_tickets_drop(s->tickets);
    (void)rmdir(s->folder);
    party_drop(&s->root);
    party_drop(&s->server);
    party_drop(&s->device);
    free(s);
    return 0;
}

enum { ARGUMENTS = 24, STEPS = 40 };

/* A foreign client's part: what it is told, one step after the other, and what it must show before the next. */
struct part {
    const char *rule;
    const char *program;
    const char *arguments[ARGUMENTS]; /* words in capitals stand for what the scene has */
    const struct step {
        const char *say, *shows; /* NULL: the end of its input */
    } * steps;
    void (*serve)(struct tls *tls, struct bytes in);
    bool resumes;
    int code; /* what it ends with */
};

struct guest {
    pid_t pid;
    int in, out;
    char shown[65536];
    size_t len;
};

static void guest_start(struct guest *g, const char *program, const char *const *arguments)
{
    int input[2], output[2];
    *g = (struct guest){0};
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    const struct process_descriptor descriptors[] = {{input[0], 0}, {output[1], 1}, {output[1], 2}};
    assert_null(process_start(
        &(struct process_options){
            .program = program, .arguments = arguments, .descriptors = descriptors, .descriptor_count = 3},
        &g->pid));
    fd_close(&input[0]);
    fd_close(&output[1]);
    g->in = input[1];
    g->out = output[0];
}

/* False: it has closed its output. */
static bool guest_shows(struct guest *g)
{
    ssize_t len = read(g->out, g->shown + g->len, sizeof g->shown - 1 - g->len);
    g->len += len > 0 ? (size_t)len : 0;
    g->shown[g->len] = 0;
    return len > 0;
}

/* The next step's words go in when the last one's effect is seen; then only what is shown from now on counts. */
static void guest_steps(struct guest *g, const struct step **step)
{
    if (g->in < 0 || ((*step)->shows && !strstr(g->shown, (*step)->shows)))
        return;
    g->len = 0;
    g->shown[0] = 0;
    if ((*step)->say) {
        assert_int_equal(write(g->in, (*step)->say, strlen((*step)->say)), (ssize_t)strlen((*step)->say));
        ++*step;
    } else {
        fd_close(&g->in);
        g->in = -1;
    }
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, 60000), 1);
}

static struct tls *server_shake(const struct scene *s, int fd)
{
    struct tls_context *ctx;
    struct tls *tls;
    const struct tls_options options = {.chain_pem = buffer_view(&s->server.chain_pem),
                                        .key_pem = buffer_view(&s->server.key_pem),
                                        .anchors_pem = buffer_view(&s->root.chain_pem),
                                        .tickets = s->tickets,
                                        .ticket_scope = "test",
                                        .ticket_life_s = 60};
    assert_null(tls_context_server(&options, &ctx));
    assert_null(tls_accept(ctx, s->engine, fd, &tls));
    tls_context_drop(ctx);
    for (err e = tls_handshake(tls); e; e = tls_handshake(tls)) {
        if (!err_is(e, ERR_AGAIN))
            fail_msg("handshake: %s", tls_trouble(tls));
        wait_for(fd, tls_wants(tls) == EPOLLIN ? POLLIN : POLLOUT);
    }
    return tls;
}

static void write_all(struct tls *tls, struct bytes out)
{
    for (size_t n; out.len; out = bytes_from(out, n))
        assert_null(tls_write(tls, out, &n));
}

/* What came goes back in capital letters. */
static void echo(struct tls *tls, struct bytes in)
{
    uint8_t out[4096];
    assert_true(in.len <= sizeof out);
    for (size_t i = 0; i < in.len; i++)
        out[i] = (uint8_t)toupper(in.at[i]);
    write_all(tls, bytes_of(out, in.len));
}

/* As much of a broker as one message of QoS 1 on topic "t" needs (MQTT 3.1.1). */
static void broke(struct tls *tls, struct bytes in)
{
    if (in.at[0] == 0x10)
        write_all(tls, BYTES("\x20\x02\x00\x00"));
    if (in.at[0] == 0x32) {
        assert_memory_equal(in.at + 2, "\x00\x01t\x00\x01hello", 10);
        write_all(tls, BYTES("\x40\x02\x00\x01"));
    }
}

/* False: the client said good-bye. */
static bool server_hears(struct tls *tls, const struct part *part)
{
    static uint8_t room[TLS_BATCH];
    for (;;) {
        size_t got;
        err e = tls_read(tls, room, sizeof room, &got);
        if (err_is(e, ERR_AGAIN))
            return true;
        if (e && strcmp(tls_trouble(tls), "tls: the other side closed the connection") != 0)
            fail_msg("%s: %s", part->rule, tls_trouble(tls));
        if (e)
            return false;
        part->serve(tls, bytes_of(room, got));
    }
}

static void talk(struct tls *tls, int fd, struct guest *g, const struct part *part)
{
    const struct step *step = part->steps;
    bool speaks = true, shows = true;
    while (speaks || shows) {
        struct pollfd p[2] = {{.fd = speaks ? fd : -1, .events = POLLIN},
                              {.fd = shows ? g->out : -1, .events = POLLIN}};
        if (poll(p, 2, 20000) <= 0)
            fail_msg("%s: stuck behind \"%s\", it shows \"%s\"", part->rule, step->say ? step->say : "", g->shown);
        if (speaks && p[0].revents)
            speaks = server_hears(tls, part);
        if (shows && p[1].revents)
            shows = guest_shows(g);
        guest_steps(g, &step);
    }
    assert_null(step->say);
}

static void fill_arguments(const struct scene *s, const struct part *part, uint16_t port, char (*texts)[128],
                           const char **out)
{
    static const char *const names[] = {"ROOT", "CERTIFICATE", "KEY", "SESSION"};
    const char *const values[] = {s->root_file, s->device_file, s->key_file, s->session_file};
    for (int i = 0; part->arguments[i]; i++) {
        snprintf(texts[i], 128, "%s", part->arguments[i]);
        for (int k = 0; k < 4; k++)
            if (strcmp(part->arguments[i], names[k]) == 0)
                snprintf(texts[i], 128, "%s", values[k]);
        if (strcmp(part->arguments[i], "ADDRESS") == 0)
            snprintf(texts[i], 128, "127.0.0.1:%u", port);
        if (strcmp(part->arguments[i], "PORT") == 0)
            snprintf(texts[i], 128, "%u", port);
        out[i] = texts[i];
    }
}

static void play(const struct scene *s, const struct part *part)
{
    static struct guest guest;
    char texts[ARGUMENTS][128], peer[ADDRESS_TEXT];
    const char *arguments[ARGUMENTS] = {NULL};
    int listener, fd;
    uint16_t port;
    struct process_end end;
    assert_null(socket_listen("127.0.0.1", 0, &listener));
    assert_null(socket_port(listener, &port));
    fill_arguments(s, part, port, texts, arguments);
    guest_start(&guest, part->program, arguments);
    wait_for(listener, POLLIN);
    assert_null(socket_accept(listener, &fd, peer));
    struct tls *tls = server_shake(s, fd);
    assert_int_equal(tls_resumed(tls), part->resumes);
    talk(tls, fd, &guest, part);
    tls_close(tls);
    fd_close(&fd);
    assert_null(process_wait(guest.pid, &end));
    if (end.code != part->code)
        fail_msg("%s: it ended with %d and shows \"%s\"", part->rule, end.code, guest.shown);
    fd_close(&guest.out);
    fd_close(&listener);
}

static const struct step plain_talk[] = {{"hello\n", NULL}, {"again\n", "HELLO"}, {NULL, "AGAIN"}};
static const struct step waits_for_ticket[] = {{"hello\n", NULL}, {"Q\n", "HELLO"}, {NULL, NULL}};
/* K asks us for new keys as well, k does not (s_client(1)). */
static const struct step key_updates[] = {
    {"one\n", NULL},  {"K\n", "ONE"},       {"two\n", "KEYUPDATE"},  {"k\n", "TWO"},  {"three\n", "KEYUPDATE"},
    {"K\n", "THREE"}, {"K\n", "KEYUPDATE"}, {"four\n", "KEYUPDATE"}, {"Q\n", "FOUR"}, {NULL, NULL}};
static const struct step rekeys[] = {
    {"one\n", NULL},          {"^rekey^\n", "ONE"},   {"two\n", "completed"},  {"^rekey1^\n", "TWO"},
    {"three\n", "completed"}, {"^rekey^\n", "THREE"}, {"four\n", "completed"}, {NULL, "FOUR"}};
static const struct step nothing[] = {{NULL, NULL}};

#define S_CLIENT                                                                                                       \
    "openssl", "s_client", "-connect", "ADDRESS", "-CAfile", "ROOT", "-verify_return_error", "-verify_ip",             \
        "127.0.0.1", "-cert", "CERTIFICATE", "-key", "KEY"
#define GNUTLS                                                                                                         \
    "gnutls-cli", "--x509cafile", "ROOT", "--x509certfile", "CERTIFICATE", "--x509keyfile", "KEY", "--port", "PORT",   \
        "127.0.0.1"

static const struct part parts[] = {
    {"openssl, TLS 1.2", openssl_program, {S_CLIENT, "-quiet", "-no_ign_eof", "-tls1_2"}, plain_talk, echo, false, 0},
    {"openssl, TLS 1.3", openssl_program, {S_CLIENT, "-quiet", "-no_ign_eof", "-tls1_3"}, plain_talk, echo, false, 0},
    {"openssl, AES-256",
     openssl_program,
     {S_CLIENT, "-quiet", "-no_ign_eof", "-ciphersuites", "TLS_AES_256_GCM_SHA384"},
     plain_talk,
     echo,
     false,
     0},
    {"openssl, ChaCha20",
     openssl_program,
     {S_CLIENT, "-quiet", "-no_ign_eof", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"},
     plain_talk,
     echo,
     false,
     0},
    {"openssl, key updates", openssl_program, {S_CLIENT, "-tls1_3"}, key_updates, echo, false, 0},
    {"openssl, takes a ticket", openssl_program, {S_CLIENT, "-sess_out", "SESSION"}, waits_for_ticket, echo, false, 0},
    {"openssl, comes back", openssl_program, {S_CLIENT, "-sess_in", "SESSION"}, waits_for_ticket, echo, true, 0},
    {"gnutls", gnutls_program, {GNUTLS}, plain_talk, echo, false, 0},
    {"gnutls, TLS 1.2",
     gnutls_program,
     {GNUTLS, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"},
     plain_talk,
     echo,
     false,
     0},
    {"gnutls, key updates", gnutls_program, {GNUTLS, "--inline-commands"}, rekeys, echo, false, 0},
    {"mosquitto",
     mosquitto_program,
     {"mosquitto_pub", "-h", "127.0.0.1", "-p", "PORT", "--cafile", "ROOT", "--cert", "CERTIFICATE", "--key", "KEY",
      "-V", "311", "-t", "t", "-m", "hello", "-q", "1"},
     nothing,
     broke,
     false,
     0},
};

static void foreign_clients_are_served(void **state)
{
    unsigned played = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (access(parts[i].program, X_OK) != 0) {
            print_message("%s: %s is not installed\n", parts[i].rule, parts[i].program);
            continue;
        }
        play(*state, &parts[i]);
        played++;
    }
    if (!played)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(foreign_clients_are_served)};
    return cmocka_run_group_tests(tests, scene_make, scene_drop);
}
