/* The server's end of the keeper's channel, against a keeper that the test plays: answers in time, late, out of step,
 * garbage, and none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/keeper_client.h"

#include "crypto/fixture.h"
#include "trust/keeper_protocol.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_MS = 20000, SHORT_MS = 50 };

struct scene {
    int server, keeper; /* the two ends */
    struct buffer chain;
    struct keeper_client *client;
};

static void say(int keeper, const struct keeper_answer *answer)
{
    SCOPED(buffer_drop) struct buffer packet = {.max = KEEPER_ANSWER_MAX};
    assert_ok(keeper_answer_encode(answer, &packet));
    assert_int_equal(send(keeper, packet.at, packet.len, MSG_NOSIGNAL), packet.len);
}

static void say_issued(int keeper, uint32_t number, const char *serial)
{
    const struct keeper_answer answer = {number, KEEPER_ISSUED, .certificate = BYTES("der"), .expires_us = 42,
                                         .serial = bytes_of_text(serial)};
    say(keeper, &answer);
}

static void scene_open(struct scene *s, int timeout_ms)
{
    int ends[2];
    const struct keeper_answer greeting = {0, KEEPER_CHAIN, .chain = BYTES("chain")};
    *s = (struct scene){.chain = {.max = KEEPER_ANSWER_MAX}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    s->server = ends[0];
    s->keeper = ends[1];
    say(s->keeper, &greeting);
    assert_ok(keeper_client_open(s->server, timeout_ms, &s->chain, &s->client));
    assert_true(bytes_is(buffer_view(&s->chain), "chain"));
}

static void scene_close(struct scene *s)
{
    keeper_client_close(s->client);
    close(s->server);
    if (s->keeper >= 0)
        close(s->keeper);
    buffer_drop(&s->chain);
}

static err ask(struct scene *s, struct issued *out)
{
    const struct issue_order order = {PROFILE_DEVICE, BYTES("pump-1"), BYTES("key"), 3600};
    struct issuer *issuer = keeper_client_issuer(s->client);
    *out = (struct issued){0};
    return issuer->issue(issuer, &order, out);
}

static void in_time(void **state)
{
    struct scene s;
    struct issued out;
    struct keeper_request request;
    uint8_t packet[KEEPER_REQUEST_MAX];
    scene_open(&s, LONG_MS);
    say_issued(s.keeper, 1, "0a"); /* waits in the socket already */
    assert_ok(ask(&s, &out));
    assert_string_equal(out.serial, "0a");
    assert_int_equal(out.expires_us, 42);
    assert_true(bytes_is(buffer_view(&out.certificate), "der"));
    ssize_t got = recv(s.keeper, packet, sizeof packet, 0);
    assert_true(got > 0);
    assert_ok(keeper_request_decode(bytes_of(packet, (size_t)got), &request));
    assert_int_equal(request.kind, KEEPER_ISSUE_DEVICE);
    assert_true(bytes_is(request.device_id, "pump-1"));
    assert_int_equal(request.lifetime_s, 3600);
    buffer_drop(&out.certificate);
    scene_close(&s);
}

static void refused(void **state)
{
    static const struct {
        enum keeper_refusal refusal;
        enum fault_kind expected;
    } rows[] = {{KEEPER_NOT_PERMITTED, ERR_REFUSED},
                {KEEPER_BAD_KEY, ERR_REFUSED},
                {KEEPER_EXPIRED, ERR_IO},
                {KEEPER_FAILED, ERR_IO}};
    struct scene s;
    struct issued out;
    scene_open(&s, LONG_MS);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct keeper_answer answer = {i + 1, KEEPER_REFUSED, .refusal = rows[i].refusal};
        say(s.keeper, &answer);
        assert_kind(ask(&s, &out), rows[i].expected);
    }
    const struct keeper_answer not_understood = {0, KEEPER_REFUSED, .refusal = KEEPER_NOT_UNDERSTOOD};
    say(s.keeper, &not_understood);
    assert_kind(ask(&s, &out), ERR_IO);
    scene_close(&s);
}

/* What was given up must not be taken for the answer to the next question. */
static void late(void **state)
{
    struct scene s;
    struct issued out;
    scene_open(&s, SHORT_MS);
    assert_kind(ask(&s, &out), ERR_AGAIN);
    say_issued(s.keeper, 1, "01");
    say_issued(s.keeper, 2, "02");
    assert_ok(ask(&s, &out));
    assert_string_equal(out.serial, "02");
    buffer_drop(&out.certificate);
    scene_close(&s);
}

static void wrong(void **state)
{
    struct scene s;
    struct issued out;
    scene_open(&s, LONG_MS);
    say_issued(s.keeper, 9, "09"); /* to what was not asked */
    assert_kind(ask(&s, &out), ERR_IO);
    assert_int_equal(send(s.keeper, "garbage", 7, 0), 7);
    assert_kind(ask(&s, &out), ERR_IO);
    const struct keeper_answer chain = {3, KEEPER_CHAIN, .chain = BYTES("chain")}; /* of another kind */
    say(s.keeper, &chain);
    assert_kind(ask(&s, &out), ERR_IO);
    scene_close(&s);
}

static void ended(void **state)
{
    struct scene s;
    struct issued out;
    scene_open(&s, LONG_MS);
    close(s.keeper);
    s.keeper = -1;
    assert_kind(ask(&s, &out), ERR_CLOSED);
    assert_kind(ask(&s, &out), ERR_CLOSED);
    scene_close(&s);
}

static void never_ready(void **state)
{
    int ends[2];
    SCOPED(buffer_drop) struct buffer chain = {.max = KEEPER_ANSWER_MAX};
    struct keeper_client *client = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_kind(keeper_client_open(ends[0], SHORT_MS, &chain, &client), ERR_AGAIN);
    close(ends[1]);
    assert_kind(keeper_client_open(ends[0], LONG_MS, &chain, &client), ERR_CLOSED);
    close(ends[0]);
}

/* Two query threads and a keeper that answers each with the number it asked under: nobody gets another's. */

enum { ROUNDS = 200 };

static void *play_keeper(void *with)
{
    const int *keeper = with;
    uint8_t packet[KEEPER_REQUEST_MAX];
    struct keeper_request request;
    for (int i = 0; i < 2 * ROUNDS; i++) {
        ssize_t got = recv(*keeper, packet, sizeof packet, 0);
        if (got <= 0 || keeper_request_decode(bytes_of(packet, (size_t)got), &request))
            return NULL;
        SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
        const struct keeper_answer answer = {request.number, KEEPER_ISSUED, .certificate = request.device_id,
                                             .serial = BYTES("0a")};
        if (keeper_answer_encode(&answer, &reply) || send(*keeper, reply.at, reply.len, 0) < 0)
            return NULL;
    }
    return NULL;
}

struct caller {
    struct issuer *issuer;
    struct bytes id;
    int right;
};

static void *play_caller(void *with)
{
    struct caller *c = with;
    for (int i = 0; i < ROUNDS; i++) {
        struct issued out = {0};
        const struct issue_order order = {PROFILE_DEVICE, c->id, BYTES("key"), 3600};
        if (c->issuer->issue(c->issuer, &order, &out) == OK && bytes_equal(buffer_view(&out.certificate), c->id))
            c->right++;
        buffer_drop(&out.certificate);
    }
    return NULL;
}

static void two_callers(void **state)
{
    struct scene s;
    pthread_t threads[3];
    scene_open(&s, LONG_MS);
    struct caller callers[2] = {{keeper_client_issuer(s.client), BYTES("pump-1"), 0},
                                {keeper_client_issuer(s.client), BYTES("pump-2"), 0}};
    assert_int_equal(pthread_create(&threads[0], NULL, play_keeper, &s.keeper), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i + 1], NULL, play_caller, &callers[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(callers[0].right, ROUNDS);
    assert_int_equal(callers[1].right, ROUNDS);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_time),     cmocka_unit_test(refused), cmocka_unit_test(late),
        cmocka_unit_test(wrong),       cmocka_unit_test(ended),   cmocka_unit_test(never_ready),
        cmocka_unit_test(two_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
