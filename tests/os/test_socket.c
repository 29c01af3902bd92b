/* Sockets: listening, accepting, connecting, and what fails. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, 60000), 1);
}

static void a_connection_is_made_and_named(void **state)
{
    static const struct {
        const char *listen, *connect, *peer;
    } rows[] = {{"127.0.0.1", "127.0.0.1", "127.0.0.1:"}, {"::", "127.0.0.1", "127.0.0.1:"}, {"::1", "::1", "[::1]:"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int listener, client, server;
        uint16_t port;
        char peer[ADDRESS_TEXT];
        if (socket_listen(rows[i].listen, 0, &listener))
            continue; /* a machine without IPv6 */
        assert_null(socket_port(listener, &port));
        assert_true(err_is(socket_accept(listener, &server, peer), ERR_AGAIN));
        assert_null(socket_connect(rows[i].connect, port, &client));
        wait_for(client, POLLOUT);
        assert_null(socket_connected(client));
        wait_for(listener, POLLIN);
        assert_null(socket_accept(listener, &server, peer));
        assert_memory_equal(peer, rows[i].peer, strlen(rows[i].peer));
        fd_close(&client);
        fd_close(&server);
        fd_close(&listener);
    }
}

static void a_retry_finds_the_address_that_works(void **state)
{
    int listener, client = -1;
    uint16_t port;
    err e = &(const struct fault){ERR_CLOSED, "not tried"};
    assert_null(socket_listen("127.0.0.1", 0, &listener));
    assert_null(socket_port(listener, &port));
    for (unsigned attempt = 0; attempt < 2 && e; attempt++) {
        e = socket_connect_attempt("localhost", port, attempt, &client);
        if (e)
            continue;
        wait_for(client, POLLOUT);
        e = socket_connected(client);
        fd_close(&client);
    }
    assert_null(e);
    fd_close(&listener);
}

static void failures_are_named(void **state)
{
    int listener, other, client;
    uint16_t port;
    assert_true(err_is(socket_listen("localhost", 0, &other), ERR_MALFORMED));
    assert_true(err_is(socket_listen("203.0.113.7", 0, &other), ERR_ABSENT));
    assert_null(socket_listen("127.0.0.1", 0, &listener));
    assert_null(socket_port(listener, &port));
    assert_true(err_is(socket_listen("127.0.0.1", port, &other), ERR_EXISTS));
    fd_close(&listener);
    err e = socket_connect("127.0.0.1", port, &client);
    if (!e) {
        wait_for(client, POLLOUT);
        e = socket_connected(client);
        fd_close(&client);
    }
    assert_true(err_is(e, ERR_CLOSED));
    assert_true(err_is(socket_connect("no-such-host.invalid", 1, &client), ERR_ABSENT) ||
                err_is(socket_connect("no-such-host.invalid", 1, &client), ERR_AGAIN));
}

static void running_out_of_descriptors_is_told(void **state)
{
    int listener, client, server;
    uint16_t port;
    char peer[ADDRESS_TEXT];
    struct rlimit before, tight;
    assert_null(socket_listen("127.0.0.1", 0, &listener));
    assert_null(socket_port(listener, &port));
    assert_null(socket_connect("127.0.0.1", port, &client));
    wait_for(listener, POLLIN);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = (struct rlimit){(rlim_t)client + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    err e = socket_accept(listener, &server, peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(err_is(e, ERR_FULL));
    assert_null(socket_accept(listener, &server, peer)); /* it waited meanwhile */
    fd_close(&server);
    fd_close(&client);
    fd_close(&listener);
}

/* One that is done talking still hears, and may read past what it does not want to know. */
static void a_conversation_ends_in_two_halves(void **state)
{
    int listener, client, server;
    uint16_t port;
    char peer[ADDRESS_TEXT], bytes[64] = {0};
    assert_null(socket_listen("127.0.0.1", 0, &listener));
    assert_null(socket_port(listener, &port));
    assert_null(socket_connect("127.0.0.1", port, &client));
    wait_for(listener, POLLIN);
    assert_null(socket_accept(listener, &server, peer));
    assert_null(socket_discard(server, 16)); /* nothing came, and more may */
    socket_finish(server);
    wait_for(client, POLLIN);
    assert_int_equal(read(client, bytes, sizeof bytes), 0);
    assert_int_equal(write(client, bytes, sizeof bytes), sizeof bytes);
    wait_for(server, POLLIN);
    assert_null(socket_discard(server, 16)); /* no more than it was told */
    assert_int_equal(read(server, bytes, sizeof bytes), sizeof bytes - 16);
    socket_finish(client);
    wait_for(server, POLLIN);
    assert_true(err_is(socket_discard(server, 16), ERR_CLOSED));
    fd_close(&server);
    fd_close(&client);
    fd_close(&listener);
}

static void what_was_abandoned_is_reset(void **state)
{
    static const struct {
        bool abandons;
        int code; /* of the other side's read: 0 is an orderly end */
    } rows[] = {{false, 0}, {true, ECONNRESET}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int listener, client, server;
        uint16_t port;
        char peer[ADDRESS_TEXT], byte;
        assert_null(socket_listen("127.0.0.1", 0, &listener));
        assert_null(socket_port(listener, &port));
        assert_null(socket_connect("127.0.0.1", port, &client));
        wait_for(listener, POLLIN);
        assert_null(socket_accept(listener, &server, peer));
        if (rows[i].abandons)
            socket_abandon(server);
        fd_close(&server);
        wait_for(client, POLLIN);
        errno = 0;
        assert_int_equal(read(client, &byte, 1), rows[i].code ? -1 : 0);
        assert_int_equal(errno, rows[i].code);
        fd_close(&client);
        fd_close(&listener);
    }
}

static void the_loopback_is_known(void **state)
{
    static const struct {
        const char *address;
        bool is;
    } rows[] = {
        {"127.0.0.1", true}, {"127.255.255.254", true}, {"::1", true},       {"::ffff:127.0.0.1", true},
        {"0.0.0.0", false},  {"::", false},             {"10.0.0.1", false}, {"::ffff:10.0.0.1", false},
        {"128.0.0.1", false}, {"fe80::1", false},       {"localhost", false}, {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (address_is_loopback(rows[i].address) != rows[i].is)
            fail_msg("%s", rows[i].address);
}

static void bytes_go_both_ways_and_nobody_waits(void **state)
{
    static uint8_t much[1 << 20];
    uint8_t in[16];
    int pair[2];
    size_t got, taken, all = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); /* blocking, which must not matter */
    assert_true(err_is(socket_read(pair[0], in, sizeof in, &got), ERR_AGAIN));
    assert_null(socket_write(pair[1], BYTES("hello"), &taken));
    assert_int_equal(taken, 5);
    assert_null(socket_read(pair[0], in, sizeof in, &got));
    assert_int_equal(got, 5);
    err failed = OK;
    while (!failed) {
        failed = socket_write(pair[1], bytes_of(much, sizeof much), &taken);
        all += taken;
    }
    assert_true(err_is(failed, ERR_AGAIN) && all > 0);
    assert_int_equal(close(pair[0]), 0);
    assert_true(err_is(socket_write(pair[1], BYTES("x"), &taken), ERR_CLOSED)); /* and no SIGPIPE */
    assert_int_equal(close(pair[1]), 0);
    assert_true(err_is(socket_read(-1, in, sizeof in, &got), ERR_CLOSED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_made_and_named),
        cmocka_unit_test(the_loopback_is_known),
        cmocka_unit_test(bytes_go_both_ways_and_nobody_waits),
        cmocka_unit_test(a_retry_finds_the_address_that_works),
        cmocka_unit_test(failures_are_named),
        cmocka_unit_test(running_out_of_descriptors_is_told),
        cmocka_unit_test(a_conversation_ends_in_two_halves),
        cmocka_unit_test(what_was_abandoned_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
