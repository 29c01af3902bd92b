/* The keeper's protocol and desk: what is permitted, and what garbage gets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/requests.h"
#include "trust/fakes.h"

#define URI "urn:holdfast:device:"

static struct fake_keeper keeper;

/* The key of request_good. */
static struct csr some;

static int open_keeper(void **state)
{
    SCOPED(buffer_drop) struct buffer der = request_der(request_good);
    fake_keeper_open(&keeper);
    return csr_read(buffer_view(&der), &some) ? -1 : 0;
}

static int close_keeper(void **state)
{
    fake_keeper_close(&keeper);
    return 0;
}

/* Asks the desk; `reply` holds the bytes that the answer lends from. */
static struct keeper_answer ask(const struct keeper_request *request, struct buffer *reply)
{
    SCOPED(buffer_drop) struct buffer question = {.max = KEEPER_REQUEST_MAX};
    struct keeper_answer answer;
    enum keeper_refusal refused;
    buffer_clear(reply);
    assert_ok(keeper_request_encode(request, &question));
    assert_ok(keeper_desk_answer(&keeper.desk, buffer_view(&question), reply, &refused));
    assert_ok(keeper_answer_decode(buffer_view(reply), &answer));
    assert_int_equal(answer.kind == KEEPER_REFUSED ? answer.refusal : 0, refused);
    assert_int_equal(answer.number, request->number);
    return answer;
}

static void the_table(void **state)
{
    const int64_t five_years_us = keeper.authority.issuing_expires_us - TEST_NOW_US;
    const struct {
        const char *what;
        enum keeper_request_kind kind;
        uint32_t lifetime_s;
        int64_t now_us;
        enum keeper_refusal refusal;
        int64_t ends_after_s;
    } rows[] = {
        {"a day", KEEPER_ISSUE_DEVICE, 86400, TEST_NOW_US, 0, 86400},
        {"the longest", KEEPER_ISSUE_DEVICE, 30 * 86400, TEST_NOW_US, 0, 30 * 86400},
        {"longer is cut", KEEPER_ISSUE_DEVICE, UINT32_MAX, TEST_NOW_US, 0, 30 * 86400},
        {"no life", KEEPER_ISSUE_DEVICE, 0, TEST_NOW_US, KEEPER_NOT_PERMITTED, 0},
        {"under a minute", KEEPER_ISSUE_DEVICE, 59, TEST_NOW_US, KEEPER_NOT_PERMITTED, 0},
        {"a server", KEEPER_ISSUE_SERVER, 86400, TEST_NOW_US, 0, 86400},
        {"a server is cut too", KEEPER_ISSUE_SERVER, UINT32_MAX, TEST_NOW_US, 0, 30 * 86400},
        {"an hour before the issuer ends", KEEPER_ISSUE_DEVICE, 86400, TEST_NOW_US + five_years_us - 3600 * SECOND_US,
         0, 3600},
        {"the issuer has ended", KEEPER_ISSUE_DEVICE, 86400, TEST_NOW_US + five_years_us, KEEPER_EXPIRED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
        const struct keeper_request request = {(uint32_t)i + 1, rows[i].kind, BYTES("pump-1"), csr_public_key(&some),
                                               rows[i].lifetime_s};
        keeper.clock.now_us = rows[i].now_us;
        const struct keeper_answer answer = ask(&request, &reply);
        if ((answer.kind == KEEPER_REFUSED ? answer.refusal : 0) != rows[i].refusal)
            fail_msg("%s: %d", rows[i].what, (int)answer.refusal);
        if (answer.kind == KEEPER_ISSUED)
            assert_int_equal(answer.expires_us, rows[i].now_us + rows[i].ends_after_s * SECOND_US);
    }
    keeper.clock.now_us = TEST_NOW_US;
}

static void names_are_fixed_at_start(void **state)
{
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    char id[DEVICE_ID_MAX + 1];
    /* A server's certificate carries no device's name, whatever the request says. */
    struct keeper_request request = {1, KEEPER_ISSUE_SERVER, BYTES("pump-1"), csr_public_key(&some), 3600};
    struct keeper_answer answer = ask(&request, &reply);
    assert_int_equal(answer.kind, KEEPER_ISSUED);
    assert_kind(certificate_uri(answer.certificate, URI, id, sizeof id), ERR_ABSENT);
    const struct keeper_desk all = keeper.desk;
    keeper.desk.server_name_count = 0;
    answer = ask(&request, &reply);
    assert_int_equal(answer.refusal, KEEPER_NOT_PERMITTED);
    request.kind = KEEPER_ISSUE_DEVICE; /* needs none */
    answer = ask(&request, &reply);
    assert_int_equal(answer.kind, KEEPER_ISSUED);
    keeper.desk = all;
}

static void only_p256_keys(void **state)
{
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    uint8_t off_curve[KEY_PUBLIC_P256];
    memcpy(off_curve, some.public_key, sizeof off_curve);
    off_curve[sizeof off_curve - 1] ^= 1;
    const struct bytes keys[] = {{NULL, 0}, BYTES("key"), bytes_of(off_curve, sizeof off_curve)};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct keeper_request request = {1, KEEPER_ISSUE_DEVICE, BYTES("pump-1"), keys[i], 3600};
        assert_int_equal(ask(&request, &reply).refusal, KEEPER_BAD_KEY);
    }
}

static void the_chain(void **state)
{
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct keeper_answer greeting;
    assert_ok(keeper_desk_greet(&keeper.desk, &reply));
    assert_ok(keeper_answer_decode(buffer_view(&reply), &greeting));
    assert_int_equal(greeting.number, 0);
    struct bytes pem = greeting.chain;
    assert_ok(certificate_next_pem(&pem, &der));
    assert_true(bytes_equal(buffer_view(&der), buffer_view(&keeper.authority.issuing)));
    const struct keeper_request again = {.number = 7, .kind = KEEPER_SHOW_CHAIN};
    assert_int_equal(ask(&again, &reply).kind, KEEPER_CHAIN);
}

static void assert_not_understood(struct bytes request)
{
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    struct keeper_answer answer;
    enum keeper_refusal refused;
    assert_ok(keeper_desk_answer(&keeper.desk, request, &reply, &refused));
    assert_int_equal(refused, KEEPER_NOT_UNDERSTOOD);
    assert_ok(keeper_answer_decode(buffer_view(&reply), &answer));
    assert_int_equal(answer.number, 0);
    assert_int_equal(answer.refusal, KEEPER_NOT_UNDERSTOOD);
}

static void garbage(void **state)
{
    static const uint8_t zeroes[KEEPER_REQUEST_MAX + 1];
    SCOPED(buffer_drop) struct buffer whole = {.max = KEEPER_REQUEST_MAX};
    const struct keeper_request request = {1, KEEPER_ISSUE_DEVICE, BYTES("pump-1"), csr_public_key(&some), 3600};
    assert_ok(keeper_request_encode(&request, &whole));
    for (size_t len = 0; len < whole.len; len++)
        assert_not_understood(bytes_first(buffer_view(&whole), len));
    put_u8(&whole, 0);
    assert_not_understood(buffer_view(&whole)); /* a byte left over */
    assert_not_understood(bytes_of(zeroes, sizeof zeroes));
    assert_not_understood(BYTES("\x02\0\0\0\1\3")); /* another version */
    assert_not_understood(BYTES("\x01\0\0\0\1\0")); /* no such kind */
    assert_not_understood(BYTES("\x01\0\0\0\1\4"));
    assert_not_understood(BYTES("\x01\0\0\0\1\1\0\0\0\x0E\x10\0\0"));     /* an empty id */
    assert_not_understood(BYTES("\x01\0\0\0\1\1\4../x\0\0\x0E\x10\0\0")); /* an id that is none */
}

static void parts_over_their_bounds(void **state)
{
    static const uint8_t zeroes[KEEPER_ANSWER_MAX + 1];
    SCOPED(buffer_drop) struct buffer out = {.max = KEEPER_ANSWER_MAX};
    const struct keeper_request long_id = {.kind = KEEPER_ISSUE_DEVICE,
                                           .device_id = bytes_of(zeroes, DEVICE_ID_MAX + 1)};
    const struct keeper_request long_key = {.kind = KEEPER_ISSUE_SERVER,
                                            .public_key = bytes_of(zeroes, KEY_PUBLIC_MAX + 1)};
    const struct keeper_answer long_chain = {.kind = KEEPER_CHAIN, .chain = bytes_of(zeroes, sizeof zeroes)};
    const struct keeper_answer long_serial = {.kind = KEEPER_ISSUED, .serial = bytes_of(zeroes, SERIAL_TEXT)};
    assert_kind(keeper_request_encode(&long_id, &out), ERR_TOO_LARGE);
    assert_kind(keeper_request_encode(&long_key, &out), ERR_TOO_LARGE);
    assert_kind(keeper_answer_encode(&long_chain, &out), ERR_TOO_LARGE);
    assert_kind(keeper_answer_encode(&long_serial, &out), ERR_TOO_LARGE);
}

static void answers_that_are_none(void **state)
{
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    const struct keeper_request request = {1, KEEPER_ISSUE_DEVICE, BYTES("pump-1"), csr_public_key(&some), 3600};
    struct keeper_answer answer = ask(&request, &reply);
    assert_int_equal(answer.kind, KEEPER_ISSUED);
    for (size_t len = 0; len < reply.len; len++)
        assert_kind(keeper_answer_decode(bytes_first(buffer_view(&reply), len), &answer), ERR_MALFORMED);
    assert_kind(keeper_answer_decode(BYTES("\x01\0\0\0\1\3\x63"), &answer), ERR_MALFORMED); /* no such refusal */
    for (int refusal = 0; refusal <= KEEPER_REFUSALS; refusal++)
        assert_non_null(keeper_refusal_fault((enum keeper_refusal)refusal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(names_are_fixed_at_start),
        cmocka_unit_test(only_p256_keys),
        cmocka_unit_test(the_chain),
        cmocka_unit_test(garbage),
        cmocka_unit_test(parts_over_their_bounds),
        cmocka_unit_test(answers_that_are_none),
    };
    return cmocka_run_group_tests(tests, open_keeper, close_keeper);
}
