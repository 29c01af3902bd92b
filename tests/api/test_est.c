/* EST: what goes over HTTP, with the trust room's fakes behind it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/est.h"

#include "crypto/pkcs7.h"
#include "crypto/requests.h"
#include "trust/fakes.h"
#include "trust/token.h"

static struct fake_keeper keeper;
static struct buffer chain = {.max = AUTHORITY_PEM_MAX};

struct scene {
    struct fake_store store;
    struct secret token;
    struct est est;
    struct notice_budget refusals;
    struct call_header headers[2];
    struct call call;
    struct buffer authorization;
    struct answer answer;
};

static void scene_open(struct scene *s)
{
    const struct token_order order = {BYTES("pumps"), 5, 10, BYTES("anna")};
    *s = (struct scene){.authorization = {.max = 1024}};
    fake_store_open(&s->store);
    assert_ok(token_make(&order, &keeper.clock.clock, &keeper.dice.dice, &s->store.token, &s->token));
    s->est = (struct est){&s->store.reader,    &s->store.recorder,  &keeper.issuer.issuer,
                          &keeper.clock.clock, buffer_view(&chain), 86400,
                          &s->refusals};
    s->headers[0] = (struct call_header){BYTES("content-type"), BYTES("application/pkcs10")};
    s->call = (struct call){.method = METHOD_POST,
                            .path = BYTES("/.well-known/est/simpleenroll"),
                            .body = bytes_of_text(request_good),
                            .headers = s->headers,
                            .header_count = 2,
                            .peer = "192.0.2.7:41234"};
    answer_open(&s->answer);
}

static void scene_close(struct scene *s)
{
    answer_drop(&s->answer);
    buffer_drop(&s->authorization);
    secret_wipe(&s->token);
}

/* `format` has one %s for the token; "basic:" in front asks for the rest to be encoded. */
static void authorize(struct scene *s, const char *format)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 1024};
    bool basic = bytes_starts(bytes_of_text(format), "basic:");
    struct bytes rest = bytes_of_text(basic ? format + 6 : format);
    struct bytes before = bytes_cut(&rest, '%');
    put_bytes(&text, before);
    if (rest.at) {
        put_bytes(&text, secret_view(&s->token));
        put_bytes(&text, bytes_from(rest, 1));
    }
    if (basic)
        put_text(&s->authorization, "Basic ");
    basic ? put_base64(&s->authorization, buffer_view(&text)) : put_bytes(&s->authorization, buffer_view(&text));
    s->headers[1] = (struct call_header){BYTES("authorization"), buffer_view(&s->authorization)};
}

static struct bytes headers_of(struct scene *s)
{
    return bytes_of_text(buffer_text(&s->answer.headers));
}

static bool has(struct bytes text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

/* The certificates of an answer, as PEM. */
static void read_certificates(struct scene *s, struct buffer *pem)
{
    SCOPED(buffer_drop) struct buffer der = {.max = PKCS7_MAX};
    assert_ok(base64_decode(buffer_view(&s->answer.body), &der));
    assert_ok(pkcs7_put_pem(buffer_view(&der), pem));
    assert_true(has(headers_of(s), "Content-Transfer-Encoding: base64\r\n"));
}

static void cacerts(void **state)
{
    struct scene s;
    SCOPED(buffer_drop) struct buffer pem = {.max = PKCS7_MAX};
    scene_open(&s);
    assert_ok(est_cacerts(&s.est, &s.call, &s.answer));
    assert_int_equal(s.answer.status, 200);
    assert_string_equal(s.answer.content_type, "application/pkcs7-mime");
    read_certificates(&s, &pem);
    assert_true(bytes_equal(buffer_view(&pem), buffer_view(&chain)));
    scene_close(&s);
}

static void csrattrs(void **state)
{
    struct scene s;
    scene_open(&s);
    assert_ok(est_csrattrs(&s.est, &s.call, &s.answer));
    assert_int_equal(s.answer.status, 204);
    assert_int_equal(s.answer.body.len, 0);
    scene_close(&s);
}

static void enrols_with_either_scheme(void **state)
{
    static const char *const ways[] = {"Bearer %s", "bearer  %s", "basic:pump-1:%s", "basic::%s"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct scene s;
        SCOPED(buffer_drop) struct buffer pem = {.max = PKCS7_MAX};
        SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
        struct certificate_facts facts;
        scene_open(&s);
        authorize(&s, ways[i]);
        assert_ok(est_simpleenroll(&s.est, &s.call, &s.answer));
        assert_int_equal(s.answer.status, 200);
        assert_string_equal(s.answer.content_type, "application/pkcs7-mime; smime-type=certs-only");
        read_certificates(&s, &pem);
        struct bytes rest = buffer_view(&pem);
        assert_ok(certificate_next_pem(&rest, &der));
        assert_ok(certificate_read(buffer_view(&der), &facts));
        assert_string_equal(facts.serial, s.store.device.certificate_serial);
        buffer_clear(&der);
        assert_kind(certificate_next_pem(&rest, &der), ERR_ABSENT); /* the certificate alone (RFC 7030, 4.2.3) */
        scene_close(&s);
    }
}

static void refusals(void **state)
{
    static const struct fault full = {ERR_FULL, "fake: full"};
    static const struct {
        const char *what, *authorization, *type, *body;
        const char *there;
        err store;
        unsigned status;
        const char *reason;
        enum event_kind event; /* 0: none */
    } rows[] = {
        {"no credentials", "", "application/pkcs10", request_good, NULL, OK, 401, "token is needed", 0},
        {"another scheme", "Digest %s", "application/pkcs10", request_good, NULL, OK, 401, "token is needed", 0},
        {"Basic of nonsense", "Basic ***", "application/pkcs10", request_good, NULL, OK, 401, "token is needed", 0},
        {"no password", "basic:user", "application/pkcs10", request_good, NULL, OK, 401, "token is needed", 0},
        {"no bearer", "Bearer ", "application/pkcs10", request_good, NULL, OK, 401, "token is needed", 0},
        {"a foreign token", "Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "application/pkcs10", request_good, NULL, OK,
         401, "unknown", EVENT_ENROLMENT_REFUSED},
        {"another type", "Bearer %s", "application/json", request_good, NULL, OK, 415, "application/pkcs10", 0},
        {"a type with a parameter", "Bearer %s", "application/pkcs10; charset=x", request_rsa, NULL, OK, 400, "P-256",
         EVENT_ENROLMENT_REFUSED},
        {"no base64", "Bearer %s", "application/pkcs10", "***", NULL, OK, 400, "PKCS#10", EVENT_ENROLMENT_REFUSED},
        {"no body", "Bearer %s", "application/pkcs10", "", NULL, OK, 400, "PKCS#10", EVENT_ENROLMENT_REFUSED},
        {"an RSA key", "Bearer %s", "application/pkcs10", request_rsa, NULL, OK, 400, "P-256", EVENT_ENROLMENT_REFUSED},
        {"a taken id", "Bearer %s", "application/pkcs10", request_good, "pump-1", OK, 409, "taken",
         EVENT_ENROLMENT_REFUSED},
        {"a store without room", "Bearer %s", "application/pkcs10", request_good, NULL, &full, 503, "at the moment",
         EVENT_ENROLMENT_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        scene_open(&s);
        authorize(&s, rows[i].authorization);
        s.headers[0].value = bytes_of_text(rows[i].type);
        s.call.body = bytes_of_text(rows[i].body);
        s.store.fail_write = rows[i].store;
        if (rows[i].there)
            assert_ok(text_copy(bytes_of_text(rows[i].there), s.store.device.id, sizeof s.store.device.id));
        assert_ok(est_simpleenroll(&s.est, &s.call, &s.answer));
        if (s.answer.status != rows[i].status || !has(buffer_view(&s.answer.body), rows[i].reason))
            fail_msg("%s: %u %s", rows[i].what, s.answer.status, buffer_text(&s.answer.body));
        assert_string_equal(s.answer.content_type, "text/plain; charset=utf-8");
        assert_int_equal(has(headers_of(&s), "WWW-Authenticate: Basic "), rows[i].status == 401);
        assert_int_equal(has(headers_of(&s), "Retry-After: "), rows[i].status == 503);
        assert_int_equal(s.store.event_count, rows[i].event ? 1 : 0);
        scene_close(&s);
    }
}

static void tokens_that_ended_are_forbidden(void **state)
{
    struct scene s;
    scene_open(&s);
    authorize(&s, "Bearer %s");
    s.store.token.uses_left = 0;
    assert_ok(est_simpleenroll(&s.est, &s.call, &s.answer));
    assert_int_equal(s.answer.status, 403);
    answer_drop(&s.answer);
    answer_open(&s.answer);
    s.store.token.uses_left = 1;
    s.store.token.expires_us = TEST_NOW_US;
    assert_ok(est_simpleenroll(&s.est, &s.call, &s.answer));
    assert_int_equal(s.answer.status, 403);
    scene_close(&s);
}

static unsigned renew(struct scene *s)
{
    answer_drop(&s->answer);
    answer_open(&s->answer);
    assert_ok(est_simplereenroll(&s->est, &s->call, &s->answer));
    return s->answer.status;
}

static void renewals(void **state)
{
    struct scene s;
    SCOPED(buffer_drop) struct buffer pem = {.max = PKCS7_MAX};
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    scene_open(&s);
    authorize(&s, "Bearer %s");
    assert_ok(est_simpleenroll(&s.est, &s.call, &s.answer));
    read_certificates(&s, &pem);
    struct bytes rest = buffer_view(&pem);
    assert_ok(certificate_next_pem(&rest, &der));

    assert_int_equal(renew(&s), 403); /* a token is no certificate */
    s.call.peer_certificate = buffer_view(&der);
    assert_ok(principal_set(&s.call.who, PRINCIPAL_OPERATOR, BYTES("pump-1")));
    assert_int_equal(renew(&s), 403); /* nor is an operator a device */
    assert_ok(principal_set(&s.call.who, PRINCIPAL_DEVICE, BYTES("pump-1")));
    assert_int_equal(renew(&s), 200);
    s.call.body = bytes_of_text(request_bad_id);
    assert_int_equal(renew(&s), 403); /* another device's name */
    s.call.body = bytes_of_text(request_rsa);
    assert_int_equal(renew(&s), 400);
    s.headers[0].value = BYTES("text/plain");
    assert_int_equal(renew(&s), 415);
    s.headers[0].value = BYTES("application/pkcs10");
    s.call.body = bytes_of_text(request_good);
    s.store.device.id[0] = 0;
    assert_int_equal(renew(&s), 403); /* deleted */
    assert_false(has(headers_of(&s), "WWW-Authenticate"));
    scene_close(&s);
}

static int open_keeper(void **state)
{
    fake_keeper_open(&keeper);
    return authority_put_chain_pem(&keeper.authority, &chain) ? -1 : 0;
}

static int close_keeper(void **state)
{
    fake_keeper_close(&keeper);
    buffer_drop(&chain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cacerts),  cmocka_unit_test(csrattrs), cmocka_unit_test(enrols_with_either_scheme),
        cmocka_unit_test(refusals), cmocka_unit_test(renewals), cmocka_unit_test(tokens_that_ended_are_forbidden),
    };
    return cmocka_run_group_tests(tests, open_keeper, close_keeper);
}
