/* The EST client against a server in this process that says whatever the row wants it to say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/est_client.h"

#include "base/memory.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/pkcs7.h"
#include "device/authority.h"
#include "device/https_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"
#include "os/tls.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct fake_server {
    pthread_t thread;
    int listener, stop[2];
    struct tls_context *tls;
    struct buffer answer; /* sent to whoever asks, as it is */
    struct buffer heard;  /* the last request */
};

struct fixture {
    struct authority ours, foreign;
    struct buffer root_pem, foreign_pem;
    struct fake_server server;
    char url[64];
};

static bool wait_for(int fd, uint32_t events)
{
    struct pollfd p = {.fd = fd, .events = events & EPOLLOUT ? POLLOUT : POLLIN};
    return poll(&p, 1, 5000) > 0;
}

static bool hear(struct fake_server *s, struct tls *tls, int fd)
{
    uint8_t piece[4096];
    size_t got;
    for (;;) {
        err e = tls_read(tls, piece, sizeof piece, &got);
        if (err_is(e, ERR_AGAIN) && wait_for(fd, tls_wants(tls)))
            continue;
        if (e)
            return false;
        put_bytes(&s->heard, bytes_of(piece, got));
        const char *text = buffer_text(&s->heard), *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        if (end && strlen(end + 4) >= (length ? strtoul(length + 16, NULL, 10) : 0))
            return true;
    }
}

static void say(struct fake_server *s, struct tls *tls, int fd)
{
    size_t taken;
    for (struct bytes left = buffer_view(&s->answer); left.len;) {
        err e = tls_write(tls, left, &taken);
        if (err_is(e, ERR_AGAIN) && wait_for(fd, tls_wants(tls)))
            continue;
        if (e)
            return;
        left = bytes_from(left, taken);
    }
}

static void serve_one(struct fake_server *s)
{
    SCOPED(fd_close) int fd = -1;
    char peer[ADDRESS_TEXT];
    struct tls *tls = NULL;
    if (socket_accept(s->listener, &fd, peer) || tls_open(s->tls, fd, &tls))
        return;
    err e = tls_handshake(tls);
    while (err_is(e, ERR_AGAIN) && wait_for(fd, tls_wants(tls)))
        e = tls_handshake(tls);
    buffer_clear(&s->heard);
    if (!e && hear(s, tls, fd))
        say(s, tls, fd);
    tls_close(tls);
}

static void *serve(void *argument)
{
    struct fake_server *s = argument;
    struct pollfd p[] = {{.fd = s->listener, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
    while (poll(p, 2, -1) > 0 && !p[1].revents)
        serve_one(s);
    return NULL;
}

static void open_server(struct fixture *f)
{
    struct fake_server *s = &f->server;
    struct key *key;
    uint16_t port;
    SCOPED(buffer_drop) struct buffer der = {0}, chain = {.max = 65536}, key_pem = {.max = KEY_PEM_MAX};
    const struct certificate_name name = {CERTIFICATE_NAME_ADDRESS, BYTES("127.0.0.1")};
    assert_null(key_generate(KEY_P256, &key));
    authority_issue(&f->ours, &(struct authority_order){CERTIFICATE_SERVER, key, &name}, &der);
    assert_null(certificate_put_pem(buffer_view(&der), &chain));
    assert_null(certificate_put_pem(buffer_view(&f->ours.issuing), &chain));
    assert_null(key_put_pem(key, &key_pem));
    key_drop(key);
    const struct tls_options options = {
        .chain_pem = buffer_view(&chain), .key_pem = buffer_view(&key_pem), .peer = TLS_PEER_ANONYMOUS, .alpn = ""};
    assert_null(tls_context_server(&options, &s->tls));
    assert_null(socket_listen("127.0.0.1", 0, &s->listener));
    assert_null(socket_port(s->listener, &port));
    snprintf(f->url, sizeof f->url, "https://127.0.0.1:%u", port);
    assert_int_equal(pipe(s->stop), 0);
    s->heard.max = s->answer.max = 1 << 20;
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    int64_t now_us = wall_us(machine_clock()) - 60000000;
    assert_null(https_begin());
    authority_open(&f->ours, now_us);
    authority_open(&f->foreign, now_us);
    f->root_pem.max = f->foreign_pem.max = 65536;
    assert_null(certificate_put_pem(buffer_view(&f->ours.root), &f->root_pem));
    assert_null(certificate_put_pem(buffer_view(&f->foreign.root), &f->foreign_pem));
    open_server(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(write(f->server.stop[1], "", 1), 1);
    pthread_join(f->server.thread, NULL);
    close(f->server.stop[0]);
    close(f->server.stop[1]);
    close(f->server.listener);
    tls_context_drop(f->server.tls);
    buffer_drop(&f->server.answer);
    buffer_drop(&f->server.heard);
    buffer_drop(&f->root_pem);
    buffer_drop(&f->foreign_pem);
    authority_close(&f->ours);
    authority_close(&f->foreign);
    https_end();
    mem_drop(f);
    return 0;
}

static void will_answer(struct fixture *f, const char *status, struct bytes body)
{
    buffer_clear(&f->server.answer);
    put_format(&f->server.answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, body.len);
    put_bytes(&f->server.answer, body);
}

static struct est_server trusting(const struct fixture *f, const struct buffer *anchors)
{
    return (struct est_server){.url = f->url, .anchors_pem = buffer_view(anchors)};
}

static void the_clock_is_compared(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    char why[WHY_TEXT] = "", body[128];
    int64_t ahead_us = 0;
    snprintf(body, sizeof body, "{\"status\":\"ok\",\"time_ms\":%lld}", (long long)(wall_us(machine_clock()) / 1000 - 60000));
    will_answer(f, "200 OK", bytes_of_text(body));
    if (est_clock_offset(&server, machine_clock(), &ahead_us, why))
        fail_msg("%s", why);
    assert_in_range(ahead_us, 59000000, 70000000);
}

static void answers_that_are_refused(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    const struct {
        const char *rule, *status;
        struct bytes body;
        enum fault_kind kind;
        const char *why;
    } rows[] = {
        {"a refusal's text is told", "401 Unauthorized", BYTES("the token is unknown\nmore"), ERR_REFUSED, "401: the token is unknown"},
        {"what is told cannot command a terminal", "403 Forbidden", BYTES("\033[2Jgone"), ERR_REFUSED, "?[2Jgone"},
        {"a server that is unwell", "503 Service Unavailable", BYTES(""), ERR_AGAIN, "503"},
        {"too many requests may pass", "429 Too Many Requests", BYTES("wait"), ERR_AGAIN, "429"},
        {"a redirect is not followed", "302 Found\r\nLocation: https://127.0.0.1:1/", BYTES(""), ERR_AGAIN, "302"},
        {"not base64", "200 OK", BYTES("<html>"), ERR_MALFORMED, "base64"},
        {"base64 of no PKCS#7", "200 OK", BYTES("aGVsbG8gd29ybGQ="), ERR_MALFORMED, "no list of certificates"},
        {"empty", "200 OK", BYTES(""), ERR_MALFORMED, "no list of certificates"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer pem = {.max = 65536};
        char why[WHY_TEXT] = "";
        will_answer(f, rows[i].status, rows[i].body);
        err e = est_fetch_authorities(&server, &pem, why);
        if (!err_is(e, rows[i].kind) || !strstr(why, rows[i].why))
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
    }
}

static void a_large_answer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536}, large = {.max = 1 << 20};
    char why[WHY_TEXT];
    while (large.len <= HTTPS_ANSWER_MAX)
        put_text(&large, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    will_answer(f, "200 OK", buffer_view(&large));
    assert_true(err_is(est_fetch_authorities(&server, &pem, why), ERR_TOO_LARGE));
    /* Without a Content-Length it shows only on the way. */
    buffer_clear(&f->server.answer);
    put_text(&f->server.answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    put_bytes(&f->server.answer, buffer_view(&large));
    assert_true(err_is(est_fetch_authorities(&server, &pem, why), ERR_TOO_LARGE));
}

static void an_answer_that_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536};
    char why[WHY_TEXT];
    buffer_clear(&f->server.answer);
    put_text(&f->server.answer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nAAAA");
    assert_non_null(est_fetch_authorities(&server, &pem, why));
    assert_int_equal(pem.len, 0);
}

static void put_certs_only(struct fixture *f, struct buffer *base64)
{
    SCOPED(buffer_drop) struct buffer der = {.max = PKCS7_MAX};
    const struct bytes certificates[] = {buffer_view(&f->ours.issuing), buffer_view(&f->ours.root)};
    assert_null(pkcs7_put_certificates(certificates, 2, &der));
    put_base64(base64, buffer_view(&der));
}

static void certificates_come_as_pem(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536}, body = {.max = 65536}, der = {.max = 65536};
    char why[WHY_TEXT] = "";
    put_certs_only(f, &body);
    will_answer(f, "200 OK", buffer_view(&body));
    if (est_fetch_authorities(&server, &pem, why))
        fail_msg("%s", why);
    struct bytes rest = buffer_view(&pem);
    assert_null(certificate_next_pem(&rest, &der));
    assert_true(bytes_equal(buffer_view(&der), buffer_view(&f->ours.issuing)));
    assert_non_null(strstr(buffer_text(&f->server.heard), "GET /.well-known/est/cacerts HTTP/1.1\r\n"));
}

static void enrolment_shows_token_and_request(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->root_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536}, body = {.max = 65536};
    char why[WHY_TEXT] = "";
    put_certs_only(f, &body);
    will_answer(f, "200 OK", buffer_view(&body));
    if (est_enrol(&server, "secret", BYTES("\x30\x03\x02\x01\x07"), &pem, why))
        fail_msg("%s", why);
    const char *heard = buffer_text(&f->server.heard);
    assert_non_null(strstr(heard, "POST /.well-known/est/simpleenroll HTTP/1.1\r\n"));
    assert_non_null(strstr(heard, "Authorization: Basic ZGV2aWNlOnNlY3JldA==\r\n")); /* device:secret */
    assert_non_null(strstr(heard, "Content-Type: application/pkcs10\r\n"));
    assert_non_null(strstr(heard, "\r\n\r\nMAMCAQc="));
}

static void another_root_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    struct est_server server = trusting(f, &f->foreign_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536};
    char why[WHY_TEXT], wrong_name[64];
    will_answer(f, "200 OK", BYTES(""));
    buffer_clear(&f->server.heard);
    assert_true(err_is(est_enrol(&server, "secret", BYTES("csr"), &pem, why), ERR_REFUSED));
    assert_int_equal(f->server.heard.len, 0); /* nothing was said to the stranger */
    snprintf(wrong_name, sizeof wrong_name, "https://localhost%s", strrchr(f->url, ':'));
    server = (struct est_server){.url = wrong_name, .anchors_pem = buffer_view(&f->root_pem)};
    assert_true(err_is(est_enrol(&server, "secret", BYTES("csr"), &pem, why), ERR_REFUSED));
    server = (struct est_server){.url = f->url};
    assert_non_null(est_enrol(&server, "secret", BYTES("csr"), &pem, why));
    assert_int_equal(f->server.heard.len, 0);
}

static void a_pin_decides_which_root(void **state)
{
    struct fixture *f = *state;
    struct est_server anybody = {.url = f->url};
    char right[DIGEST_SHA256_TEXT], wrong[DIGEST_SHA256_TEXT], why[WHY_TEXT] = "";
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536}, none = {.max = 65536};
    assert_null(digest_sha256_text(buffer_view(&f->ours.root), right));
    assert_null(digest_sha256_text(buffer_view(&f->foreign.root), wrong));
    will_answer(f, "200 OK", buffer_view(&f->root_pem));
    if (est_fetch_root(&anybody, right, &pem, why))
        fail_msg("%s", why);
    assert_true(bytes_equal(buffer_view(&pem), buffer_view(&f->root_pem)));
    assert_true(err_is(est_fetch_root(&anybody, wrong, &none, why), ERR_REFUSED));
    assert_true(err_is(est_fetch_root(&anybody, "", &none, why), ERR_MALFORMED));
    assert_true(err_is(est_fetch_root(&anybody, "00ff", &none, why), ERR_MALFORMED));
    will_answer(f, "200 OK", BYTES("no certificate"));
    assert_non_null(est_fetch_root(&anybody, right, &none, why));
    assert_int_equal(none.len, 0);
}

static void an_abandoned_call_ends(void **state)
{
    struct fixture *f = *state;
    struct counter abandon = {1};
    struct est_server server = trusting(f, &f->root_pem);
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536};
    char why[WHY_TEXT];
    server.abandon = &abandon;
    will_answer(f, "200 OK", BYTES(""));
    assert_true(err_is(est_fetch_authorities(&server, &pem, why), ERR_AGAIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_is_compared),
        cmocka_unit_test(answers_that_are_refused),
        cmocka_unit_test(a_large_answer_is_refused),
        cmocka_unit_test(an_answer_that_is_cut_off),
        cmocka_unit_test(certificates_come_as_pem),
        cmocka_unit_test(enrolment_shows_token_and_request),
        cmocka_unit_test(another_root_is_not_trusted),
        cmocka_unit_test(a_pin_decides_which_root),
        cmocka_unit_test(an_abandoned_call_ends),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
