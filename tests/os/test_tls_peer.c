/* TLS with a foreign peer: the openssl program as a client with a device's certificate, over TCP. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/tls.h"

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

static const char openssl_program[] = "/usr/bin/openssl";

struct scene {
    struct party root, server, device;
    char folder[64], root_file[96], device_file[96], key_file[96];
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
    *state = s;
    return 0;
}

static int scene_drop(void **state)
{
    struct scene *s = *state;
    (void)unlink(s->root_file);
    (void)unlink(s->device_file);
    (void)unlink(s->key_file);
    (void)rmdir(s->folder);
    party_drop(&s->root);
    party_drop(&s->server);
    party_drop(&s->device);
    free(s);
    return 0;
}

/* Starts the client; what is written to *in goes to us, what we send comes out of *out. */
static pid_t client_start(const struct scene *s, uint16_t port, const char *version, int *in, int *out)
{
    int input[2], output[2];
    char address[32];
    pid_t pid;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    const char *const arguments[] = {"openssl",
                                     "s_client",
                                     "-quiet",
                                     "-connect",
                                     address,
                                     version,
                                     "-CAfile",
                                     s->root_file,
                                     "-verify_return_error",
                                     "-verify_ip",
                                     "127.0.0.1",
                                     "-cert",
                                     s->device_file,
                                     "-key",
                                     s->key_file,
                                     NULL};
    const struct process_descriptor descriptors[] = {{input[0], 0}, {output[1], 1}, {output[1], 2}};
    assert_null(process_start(
        &(struct process_options){
            .program = openssl_program, .arguments = arguments, .descriptors = descriptors, .descriptor_count = 3},
        &pid));
    fd_close(&input[0]);
    fd_close(&output[1]);
    *in = input[1];
    *out = output[0];
    return pid;
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
                                        .anchors_pem = buffer_view(&s->root.chain_pem)};
    assert_null(tls_context_server(&options, &ctx));
    assert_null(tls_open(ctx, fd, &tls));
    tls_context_drop(ctx);
    for (err e = tls_handshake(tls); e; e = tls_handshake(tls)) {
        assert_true(err_is(e, ERR_AGAIN));
        wait_for(fd, tls_wants(tls) == EPOLLIN ? POLLIN : POLLOUT);
    }
    return tls;
}

static void answer_greeting(struct tls *tls, int fd)
{
    uint8_t in[32];
    size_t got = 0, n;
    while (got < 6) {
        err e = tls_read(tls, in + got, sizeof in - got, &n);
        if (err_is(e, ERR_AGAIN))
            wait_for(fd, POLLIN);
        else
            assert_null(e);
        got += n;
    }
    assert_memory_equal(in, "hello\n", 6);
    assert_null(tls_write(tls, BYTES("world\n"), &n));
}

static bool hears(int fd, const char *word)
{
    char text[4096];
    size_t len = 0;
    for (ssize_t got; (got = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)got;
    text[len] = 0;
    return strstr(text, word);
}

static void a_foreign_client_is_served(void **state)
{
    const struct scene *s = *state;
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    if (access(openssl_program, X_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        int listener, fd, in, out;
        uint16_t port;
        char peer[ADDRESS_TEXT];
        struct process_end end;
        assert_null(socket_listen("127.0.0.1", 0, &listener));
        assert_null(socket_port(listener, &port));
        pid_t client = client_start(s, port, versions[i], &in, &out);
        wait_for(listener, POLLIN);
        assert_null(socket_accept(listener, &fd, peer));
        struct tls *tls = server_shake(s, fd);
        assert_int_equal(write(in, "hello\n", 6), 6);
        answer_greeting(tls, fd);
        tls_close(tls);
        fd_close(&fd);
        assert_true(hears(out, "world\n"));
        assert_null(process_wait(client, &end));
        assert_int_equal(end.code, 0);
        fd_close(&in);
        fd_close(&out);
        fd_close(&listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_foreign_client_is_served)};
    return cmocka_run_group_tests(tests, scene_make, scene_drop);
}
