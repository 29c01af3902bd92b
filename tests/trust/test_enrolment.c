/* Enrolment and renewal: one row per way to be refused, and what each leaves behind. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/enrolment.h"

#include "crypto/requests.h"
#include "trust/fakes.h"
#include "trust/token.h"

#define URI "urn:holdfast:device:"

static struct fake_keeper keeper;

struct scene {
    struct fake_store store;
    struct secret token;
    struct enrolment enrolment;
    struct notice_budget refusals;
};

static void scene_open(struct scene *scene, uint64_t uses)
{
    const struct token_order order = {BYTES("pumps"), uses, 10, BYTES("anna")};
    keeper.clock.now_us = TEST_NOW_US;
    keeper.issuer.issued = 0;
    scene->refusals = (struct notice_budget){0};
    fake_store_open(&scene->store);
    assert_ok(token_make(&order, &keeper.clock.clock, &keeper.dice.dice, &scene->store.token, &scene->token));
    scene->enrolment = (struct enrolment){
        &scene->store.reader, &scene->store.recorder, &keeper.issuer.issuer, &keeper.clock.clock, 86400,
        &scene->refusals};
}

static err enrol(struct scene *scene, struct bytes token, const char *request, struct enrolled *out)
{
    SCOPED(buffer_drop) struct buffer der = request_der(request);
    const struct enrol_request asked = {token, buffer_view(&der), "192.0.2.7:41234"};
    *out = (struct enrolled){0};
    return enrolment_enrol(&scene->enrolment, &asked, out);
}

static void a_device_enrols(void **state)
{
    struct scene scene;
    struct certificate_facts facts;
    char id[DEVICE_ID_MAX + 1];
    SCOPED(enrolled_drop) struct enrolled made;
    scene_open(&scene, 2);
    assert_ok(enrol(&scene, secret_view(&scene.token), request_greedy, &made));
    struct bytes der = buffer_view(&made.issued.certificate);
    assert_ok(certificate_read(der, &facts));
    assert_ok(certificate_uri(der, URI, id, sizeof id)); /* one URI: what the request asked for besides is not there */
    assert_string_equal(id, "pump-1");
    assert_string_equal(facts.serial, made.device.certificate_serial);
    assert_string_equal(facts.key_fingerprint, made.device.key_fingerprint);
    assert_int_equal(facts.not_after_us, TEST_NOW_US + DAY_US);
    assert_int_equal(made.device.certificate_expires_us, facts.not_after_us);
    assert_string_equal(made.device.group, "pumps");
    assert_string_equal(scene.store.device.id, "pump-1");
    assert_int_equal(scene.store.token.uses_left, 1);
    const struct certificate_path path = {der, buffer_view(&keeper.authority.issuing),
                                          buffer_view(&keeper.authority.root), TEST_NOW_US};
    assert_ok(certificate_verify(&path));
    assert_int_equal(last_event(&scene.store)->kind, EVENT_DEVICE_ENROLLED);
    assert_string_equal(last_event(&scene.store)->device, "pump-1");
    assert_non_null(strstr(last_event(&scene.store)->detail, scene.store.token.id));
}

enum token_state { ALIVE, SPENT, EXPIRED, UNKNOWN, NONSENSE };

static const struct {
    const char *what;
    const char *request;
    enum token_state token;
    const char *there; /* a device that exists already */
    enum fault_kind expected;
    const char *reason; /* part of it, in the event and for the peer */
} refusals[] = {
    {"a spent token", request_good, SPENT, NULL, ERR_REFUSED, "spent"},
    {"an expired token", request_good, EXPIRED, NULL, ERR_EXPIRED, "expired"},
    {"an unknown token", request_good, UNKNOWN, NULL, ERR_ABSENT, "unknown"},
    {"a token of another form", request_good, NONSENSE, NULL, ERR_ABSENT, "unknown"},
    {"an id that is taken", request_good, ALIVE, "pump-1", ERR_EXISTS, "taken"},
    {"an RSA key", request_rsa, ALIVE, NULL, ERR_UNSUPPORTED, "P-256"},
    {"a P-384 key", request_p384, ALIVE, NULL, ERR_UNSUPPORTED, "P-256"},
    {"no common name", request_no_name, ALIVE, NULL, ERR_MALFORMED, "common name"},
    {"two common names", request_two_names, ALIVE, NULL, ERR_MALFORMED, "common name"},
    {"a name that is no id", request_bad_id, ALIVE, NULL, ERR_MALFORMED, "device id"},
    {"no request at all", "", ALIVE, NULL, ERR_MALFORMED, "PKCS#10"},
    {"a wrong request is told before a wrong token", request_rsa, UNKNOWN, NULL, ERR_UNSUPPORTED, "P-256"},
    {"an unknown token is told nothing about ids", request_good, UNKNOWN, "pump-1", ERR_ABSENT, "unknown"},
};

static struct bytes token_in(enum token_state state, struct scene *scene)
{
    switch (state) {
    case ALIVE:
        break;
    case SPENT:
        scene->store.token.uses_left = 0;
        break;
    case EXPIRED:
        keeper.clock.now_us = scene->store.token.expires_us;
        break;
    case UNKNOWN:
        scene->token.at[0] ^= scene->token.at[0] == 'a' ? 'a' ^ 'b' : scene->token.at[0] ^ 'a';
        break;
    case NONSENSE:
        return BYTES("let me in");
    }
    return secret_view(&scene->token);
}

static void every_refusal_says_why(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct scene scene;
        struct enrolled made;
        scene_open(&scene, 1);
        struct bytes token = token_in(refusals[i].token, &scene);
        if (refusals[i].there)
            assert_ok(text_copy(bytes_of_text(refusals[i].there), scene.store.device.id, DEVICE_ID_MAX + 1));
        err e = enrol(&scene, token, refusals[i].request, &made);
        if (!err_is(e, refusals[i].expected) || !strstr(err_text(e), refusals[i].reason))
            fail_msg("%s: %s", refusals[i].what, err_text(e));
        const struct fake_event *event = last_event(&scene.store);
        assert_int_equal(scene.store.event_count, 1);
        assert_int_equal(event->kind, EVENT_ENROLMENT_REFUSED);
        assert_non_null(strstr(event->detail, refusals[i].reason));
        assert_non_null(strstr(event->detail, "192.0.2.7:41234"));
        assert_null(memmem(event->detail, strlen(event->detail), token.at, token.len));
        /* Only a clash concerns a device; a claim is just that. */
        assert_string_equal(event->device, refusals[i].expected == ERR_EXISTS ? "pump-1" : "");
        assert_int_equal(scene.store.write_count, 0);
        assert_int_equal(keeper.issuer.issued, 0);
        assert_null(made.issued.certificate.at);
    }
}

/* Strangers can be refused as often as they like, and must not fill the disk with it. */
static void a_flood_of_refusals_is_cut_short(void **state)
{
    struct scene scene;
    struct enrolled made;
    size_t recorded = 0;
    scene_open(&scene, 1);
    for (size_t i = 0; i < NOTICE_BURST + 30; i++) {
        scene.store.event_count = 0;
        assert_kind(enrol(&scene, BYTES("nonsense"), request_good, &made), ERR_ABSENT);
        recorded += scene.store.event_count;
    }
    assert_int_equal(recorded, NOTICE_BURST);
    keeper.clock.now_us += SECOND_US;
    for (size_t i = 0; i < NOTICE_PER_S + 5; i++) {
        assert_kind(enrol(&scene, BYTES("nonsense"), request_good, &made), ERR_ABSENT);
        assert_true(i || strstr(last_event(&scene.store)->detail, "\"left_out\":\"30\""));
    }
    assert_int_equal(scene.store.event_count, NOTICE_PER_S);
    assert_null(strstr(last_event(&scene.store)->detail, "left_out"));
}

static void a_request_without_proof(void **state)
{
    struct scene scene;
    struct enrolled made = {0};
    scene_open(&scene, 1);
    SCOPED(buffer_drop) struct buffer der = request_der(request_good);
    der.at[der.len - 1] ^= 1;
    const struct enrol_request asked = {secret_view(&scene.token), buffer_view(&der), "192.0.2.7:41234"};
    assert_kind(enrolment_enrol(&scene.enrolment, &asked, &made), ERR_MALFORMED);
    assert_non_null(strstr(last_event(&scene.store)->detail, "possession"));
    assert_non_null(strstr(last_event(&scene.store)->detail, "\"claimed\":\"pump-1\""));
}

/* The write is the authority: what it refuses is not handed out, though the keeper has signed. */
static void a_race_that_is_lost(void **state)
{
    struct scene scene;
    struct enrolled made;
    scene_open(&scene, 1);
    scene.store.steal = "pump-1";
    assert_kind(enrol(&scene, secret_view(&scene.token), request_good, &made), ERR_EXISTS);
    assert_int_equal(keeper.issuer.issued, 1);
    assert_null(made.issued.certificate.at);
    assert_int_equal(scene.store.token.uses_left, 1);
    assert_int_equal(last_event(&scene.store)->kind, EVENT_ENROLMENT_REFUSED);
}

static void a_store_without_room(void **state)
{
    static const struct fault full = {ERR_FULL, "fake: full"};
    struct scene scene;
    struct enrolled made;
    scene_open(&scene, 1);
    scene.store.fail_write = &full;
    assert_kind(enrol(&scene, secret_view(&scene.token), request_good, &made), ERR_FULL);
    assert_null(made.issued.certificate.at);
}

static void lifetimes_below_the_table(void **state)
{
    struct scene scene;
    struct enrolled made;
    scene_open(&scene, 1);
    scene.enrolment.device_lifetime_s = 1;
    assert_kind(enrol(&scene, secret_view(&scene.token), request_good, &made), ERR_REFUSED);
    assert_int_equal(scene.store.token.uses_left, 1);
}

/* Whatever allocation fails: an enrolment that is not registered leaves no certificate, and one that is, does. */
static void any_allocation_may_fail(void **state)
{
    unsigned long seen;
    unsigned long fail_at = 0;
    do {
        struct scene scene;
        SCOPED(enrolled_drop) struct enrolled made = {0};
        SCOPED(buffer_drop) struct buffer der = request_der(request_good);
        scene_open(&scene, 1);
        const struct enrol_request asked = {secret_view(&scene.token), buffer_view(&der), "192.0.2.7:41234"};
        mem_trial(++fail_at);
        err e = enrolment_enrol(&scene.enrolment, &asked, &made);
        seen = mem_trial(0);
        assert_int_equal(e == OK, made.issued.certificate.len > 0);
        assert_int_equal(e == OK, scene.store.device.id[0] != 0);
        assert_int_equal(e == OK, scene.store.token.uses_left == 0);
    } while (fail_at <= seen);
    assert_true(fail_at > 5);
}

static err renew(struct scene *scene, const char *id, struct bytes certificate, const char *request,
                 struct enrolled *out)
{
    SCOPED(buffer_drop) struct buffer der = request_der(request);
    const struct renew_request asked = {id, certificate, buffer_view(&der), "192.0.2.7:41235"};
    *out = (struct enrolled){0};
    return enrolment_renew(&scene->enrolment, &asked, out);
}

static void a_device_renews(void **state)
{
    struct scene scene;
    SCOPED(enrolled_drop) struct enrolled first;
    SCOPED(enrolled_drop) struct enrolled second;
    scene_open(&scene, 1);
    assert_ok(enrol(&scene, secret_view(&scene.token), request_good, &first));
    keeper.clock.now_us += 16 * 3600 * SECOND_US;
    assert_ok(renew(&scene, "pump-1", buffer_view(&first.issued.certificate), request_sha384, &second));
    assert_string_equal(scene.store.device.certificate_serial, second.issued.serial);
    assert_string_not_equal(first.issued.serial, second.issued.serial);
    assert_int_equal(scene.store.device.enrolled_us, TEST_NOW_US);
    assert_int_equal(second.issued.expires_us, keeper.clock.now_us + DAY_US);
    assert_string_equal(second.device.group, "pumps");
    assert_int_equal(last_event(&scene.store)->kind, EVENT_DEVICE_RENEWED);
    /* An answer that got lost must not lock the device out: its former certificate still renews. */
    SCOPED(enrolled_drop) struct enrolled third;
    assert_ok(renew(&scene, "pump-1", buffer_view(&first.issued.certificate), request_good, &third));
}

static void renewals_that_are_refused(void **state)
{
    struct scene scene;
    struct enrolled out;
    SCOPED(enrolled_drop) struct enrolled old;
    SCOPED(enrolled_drop) struct enrolled fresh;
    scene_open(&scene, 2);
    assert_ok(enrol(&scene, secret_view(&scene.token), request_good, &old));
    struct bytes certificate = buffer_view(&old.issued.certificate);
    assert_kind(renew(&scene, "pump-1", certificate, request_bad_id, &out), ERR_REFUSED); /* another name */
    assert_string_equal(last_event(&scene.store)->device, "pump-1");
    assert_kind(renew(&scene, "pump-1", certificate, request_rsa, &out), ERR_UNSUPPORTED);
    scene.store.device.id[0] = 0; /* deleted */
    assert_kind(renew(&scene, "pump-1", certificate, request_good, &out), ERR_ABSENT);
    assert_int_equal(last_event(&scene.store)->kind, EVENT_ENROLMENT_REFUSED);
    /* Deleted and enrolled anew an hour later: the old certificate is still valid, and is nobody's. */
    keeper.clock.now_us += 3600 * SECOND_US;
    scene.store.token.expires_us = keeper.clock.now_us + DAY_US;
    assert_ok(enrol(&scene, secret_view(&scene.token), request_good, &fresh));
    assert_kind(renew(&scene, "pump-1", certificate, request_good, &out), ERR_REFUSED);
    assert_non_null(strstr(last_event(&scene.store)->detail, "before this device was enrolled"));
    SCOPED(enrolled_drop) struct enrolled again;
    assert_ok(renew(&scene, "pump-1", buffer_view(&fresh.issued.certificate), request_good, &again));
}

static void what_an_enrolment_covers(void **state)
{
    const struct device device = {.enrolled_us = TEST_NOW_US, .certificate_serial = "0a"};
    const struct {
        const char *what, *serial;
        int64_t not_before_us;
        bool covered;
    } rows[] = {
        {"issued at enrolment, backdated", "0b", TEST_NOW_US - KEEPER_BACKDATE_S * SECOND_US, true},
        {"issued before, backdated", "0b", TEST_NOW_US - (KEEPER_BACKDATE_S + 2) * SECOND_US, false},
        {"on record, from before the clock was set back", "0a", TEST_NOW_US - DAY_US, true},
        {"renewed later", "0b", TEST_NOW_US + DAY_US, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct certificate_facts facts = {.not_before_us = rows[i].not_before_us};
        assert_ok(text_copy(bytes_of_text(rows[i].serial), facts.serial, sizeof facts.serial));
        if ((enrolment_covers(&device, &facts) == OK) != rows[i].covered)
            fail_msg("%s", rows[i].what);
    }
}

static int open_keeper(void **state)
{
    fake_keeper_open(&keeper);
    return 0;
}

static int close_keeper(void **state)
{
    fake_keeper_close(&keeper);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_enrols),
        cmocka_unit_test(every_refusal_says_why),
        cmocka_unit_test(a_flood_of_refusals_is_cut_short),
        cmocka_unit_test(a_request_without_proof),
        cmocka_unit_test(a_race_that_is_lost),
        cmocka_unit_test(a_store_without_room),
        cmocka_unit_test(lifetimes_below_the_table),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(a_device_renews),
        cmocka_unit_test(renewals_that_are_refused),
        cmocka_unit_test(what_an_enrolment_covers),
    };
    return cmocka_run_group_tests(tests, open_keeper, close_keeper);
}
