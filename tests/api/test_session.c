/* The first operator, signing in and out, over the real rules of accounts and a fake store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "trust/bearer.h"
#include "trust/signin_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECRET   "abcdefghijklmnopqrstuvwxyz234567"
#define PASSWORD "correct horse battery"

static void open_ports(struct ports *ports)
{
    ports_open(ports);
    assert_null(signin_limit_open(&ports->api.signin_limit));
    assert_null(bearer_hash(BYTES(SECRET), ports->setup_hash));
}

static void close_ports(struct ports *ports)
{
    signin_limit_close(ports->api.signin_limit);
}

static struct answer post(struct ports *ports, const char *path, const char *body)
{
    return ask_api(ports, &(struct asked)ASK(METHOD_POST, path, body, PRINCIPAL_NOBODY));
}

static void set_up(struct ports *ports)
{
    struct answer answer =
        post(ports, "/api/v1/setup", "{\"secret\":\"" SECRET "\",\"name\":\"ada\",\"password\":\"" PASSWORD "\"}");
    if (answer.status != 201)
        fail_msg("%u %s", answer.status, buffer_text(&answer.body));
    assert_string_equal(buffer_text(&answer.body),
                        "{\"operator\":{\"name\":\"ada\"},\"expires\":\"2026-01-01T12:00:00.000Z\"}");
    assert_true(holds(&answer.headers, "Set-Cookie: __Host-holdfast="));
    assert_true(holds(&answer.headers, "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200\r\n"));
    answer_drop(&answer);
}

static void setting_up(void **state)
{
    static const struct {
        const char *rule, *body;
        unsigned status;
        const char *holds;
    } rows[] = {
        {"a wrong secret", "{\"secret\":\"zzz\",\"name\":\"ada\",\"password\":\"" PASSWORD "\"}", 403, "link"},
        {"a short password", "{\"secret\":\"" SECRET "\",\"name\":\"ada\",\"password\":\"short\"}", 400,
         "12 characters"},
        {"a bad name", "{\"secret\":\"" SECRET "\",\"name\":\"a b\",\"password\":\"" PASSWORD "\"}", 400, "name"},
        {"a member is missing", "{\"secret\":\"" SECRET "\",\"name\":\"ada\"}", 400, "password"},
        {"a member too many", "{\"secret\":\"s\",\"name\":\"ada\",\"password\":\"p\",\"role\":\"x\"}", 400, "role"},
        {"a member of another kind", "{\"secret\":1,\"name\":\"ada\",\"password\":\"p\"}", 400, "secret"},
    };
    struct ports ports;
    open_ports(&ports);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer = post(&ports, "/api/v1/setup", rows[i].body);
        if (answer.status != rows[i].status || !holds(&answer.body, rows[i].holds))
            fail_msg("%s: %u %s", rows[i].rule, answer.status, buffer_text(&answer.body));
        assert_false(holds(&answer.headers, "Set-Cookie"));
        answer_drop(&answer);
    }
    assert_int_equal(ports.sessions_made, 0);
    set_up(&ports);
    assert_int_equal(ports.sessions_made, 1);
    struct answer again =
        post(&ports, "/api/v1/setup", "{\"secret\":\"" SECRET "\",\"name\":\"eve\",\"password\":\"" PASSWORD "\"}");
    assert_int_equal(again.status, 403);
    answer_drop(&again);
    close_ports(&ports);
}

static void signing_in(void **state)
{
    struct ports ports;
    open_ports(&ports);
    set_up(&ports);
    struct answer answer = post(&ports, "/api/v1/session", "{\"name\":\"ada\",\"password\":\"" PASSWORD "\"}");
    assert_int_equal(answer.status, 200);
    assert_true(
        holds(&answer.body, "{\"operator\":{\"name\":\"ada\"},\"expires\":\"2026-01-01T12:00:00.000Z\",\"token\":\""));
    assert_true(holds(&answer.headers, "Set-Cookie: __Host-holdfast="));
    assert_int_equal(ports.sessions_made, 2);
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, "/api/v1/session", NULL, PRINCIPAL_OPERATOR));
    assert_string_equal(buffer_text(&answer.body),
                        "{\"operator\":{\"name\":\"ada\"},\"expires\":\"2026-01-01T12:00:00.000Z\"}");
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_DELETE, "/api/v1/session", NULL, PRINCIPAL_OPERATOR));
    assert_int_equal(answer.status, 204);
    assert_int_equal(ports.sessions_ended, 1);
    assert_true(holds(&answer.headers,
                      "Set-Cookie: __Host-holdfast=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0\r\n"));
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, "/api/v1/session", NULL, PRINCIPAL_OPERATOR));
    assert_int_equal(answer.status, 401);
    answer_drop(&answer);
    close_ports(&ports);
}

/* The same words for a wrong name and a wrong password; and after a few of them, a wait. */
static void refusals(void **state)
{
    struct ports ports;
    char first[512] = "";
    open_ports(&ports);
    set_up(&ports);
    for (size_t i = 0; i < SIGNIN_FREE_FAILURES; i++) {
        struct answer answer = post(&ports, "/api/v1/session",
                                    i % 2 ? "{\"name\":\"ada\",\"password\":\"wrong wrong wrong\"}"
                                          : "{\"name\":\"eve\",\"password\":\"" PASSWORD "\"}");
        assert_int_equal(answer.status, 401);
        assert_false(holds(&answer.headers, "Set-Cookie"));
        if (i)
            assert_string_equal(buffer_text(&answer.body), first);
        snprintf(first, sizeof first, "%s", buffer_text(&answer.body));
        answer_drop(&answer);
    }
    struct answer answer = post(&ports, "/api/v1/session", "{\"name\":\"ada\",\"password\":\"" PASSWORD "\"}");
    assert_int_equal(answer.status, 429);
    assert_true(holds(&answer.headers, "Retry-After: 30\r\n"));
    assert_true(holds(&answer.body, "30 seconds"));
    answer_drop(&answer);
    close_ports(&ports);
}

static void only_where_the_limit_is(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = post(&ports, "/api/v1/session", "{\"name\":\"ada\",\"password\":\"" PASSWORD "\"}");
    assert_int_equal(answer.status, 503);
    answer_drop(&answer);
}

static void secrets(void **state)
{
    static const struct {
        const char *rule, *name, *value, *secret;
    } rows[] = {
        {"the cookie", "cookie", "a=b; __Host-holdfast=xyz", "xyz"},
        {"a cookie of another name", "cookie", "holdfast=xyz", ""},
        {"a bearer", "authorization", "Bearer xyz", "xyz"},
        {"Basic is none", "authorization", "Basic eHl6", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct call_header header = {bytes_of_text(rows[i].name), bytes_of_text(rows[i].value)};
        const struct call call = {.headers = &header, .header_count = 1};
        if (!bytes_is(api_session_secret(&call), rows[i].secret))
            fail_msg("%s", rows[i].rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(setting_up), cmocka_unit_test(signing_in),
                                       cmocka_unit_test(refusals), cmocka_unit_test(only_where_the_limit_is),
                                       cmocka_unit_test(secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
