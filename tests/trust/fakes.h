/* Small fakes of the ports for this room's tests: a store that remembers one of each, and counts what was written; an
 * issuer that is the keeper's own desk. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/memory.h"
#include "base/text.h"
#include "core/recorder.h"
#include "core/store.h"
#include "crypto/csr.h"
#include "crypto/fixture.h"
#include "trust/authority.h"
#include "trust/keeper_desk.h"

enum { FAKE_EVENTS_MAX = 64 };

struct fake_event {
    enum event_kind kind;
    char device[DEVICE_ID_MAX + 1];
    char detail[DETAIL_MAX + 1];
};

/* One value is both sides of the store: cast back from its first or second member. */
struct fake_store {
    struct store_reader reader; /* first */
    struct recorder recorder;
    struct token token;             /* the only token; uses_total 0: none */
    struct device device;           /* the only device; id "": none */
    struct operator_account person; /* the only operator; name "": none */
    struct session_record session;
    uint8_t setup_hash[TOKEN_HASH];
    int64_t setup_expires_us; /* 0: none */
    err fail_write;           /* what every write but events fails with */
    const char *steal;        /* a device id that somebody else registers between the look and the write */
    struct fake_event events[FAKE_EVENTS_MAX];
    size_t event_count, write_count;
};

static const struct fault fake_absent = {ERR_ABSENT, "fake: none"};
static const struct fault fake_exists = {ERR_EXISTS, "fake: there"};
static const struct fault fake_spent = {ERR_REFUSED, "fake: spent"};
static const struct fault fake_expired = {ERR_EXPIRED, "fake: expired"};

static inline err fake_get_device(struct store_reader *self, struct bytes id, struct device *out)
{
    struct fake_store *s = (struct fake_store *)self;
    if (!s->device.id[0] || !bytes_is(id, s->device.id))
        return &fake_absent;
    *out = s->device;
    return OK;
}

static inline err fake_find_token(struct store_reader *self, const uint8_t hash[TOKEN_HASH], struct token *out)
{
    struct fake_store *s = (struct fake_store *)self;
    if (!s->token.uses_total || memcmp(hash, s->token.hash, TOKEN_HASH) != 0)
        return &fake_absent;
    *out = s->token;
    return OK;
}

static inline err fake_get_operator(struct store_reader *self, struct bytes name, struct operator_account *out)
{
    struct fake_store *s = (struct fake_store *)self;
    if (!s->person.name[0] || !bytes_is(name, s->person.name))
        return &fake_absent;
    *out = s->person;
    return OK;
}

static inline err fake_count_operators(struct store_reader *self, uint64_t *out)
{
    *out = ((struct fake_store *)self)->person.name[0] != 0;
    return OK;
}

static inline err fake_enrol(struct fake_store *s, const struct write *w, struct write_result *result)
{
    if (s->steal)
        assert_ok(text_copy(bytes_of_text(s->steal), s->device.id, sizeof s->device.id));
    if (!s->token.uses_total || memcmp(w->as.enrolment.token_hash, s->token.hash, TOKEN_HASH) != 0)
        return &fake_absent;
    if (!s->token.uses_left)
        return &fake_spent;
    if (w->now_us >= s->token.expires_us)
        return &fake_expired;
    if (!strcmp(s->device.id, w->as.enrolment.device.id))
        return &fake_exists;
    s->token.uses_left--;
    s->device = w->as.enrolment.device;
    memcpy(s->device.group, s->token.group, sizeof s->device.group);
    if (result)
        memcpy(result->group, s->token.group, sizeof result->group);
    return OK;
}

static inline err fake_set_up(struct fake_store *s, const struct write *w)
{
    if (!s->setup_expires_us || memcmp(w->as.operator.setup_hash, s->setup_hash, TOKEN_HASH) != 0)
        return &fake_absent;
    if (w->now_us >= s->setup_expires_us)
        return &fake_expired;
    s->setup_expires_us = 0;
    s->person = w->as.operator.account;
    return OK;
}

static inline err fake_note(struct fake_store *s, const struct event *event)
{
    assert_true(s->event_count < FAKE_EVENTS_MAX);
    struct fake_event *kept = &s->events[s->event_count++];
    kept->kind = event->kind;
    memcpy(kept->device, event->device, sizeof kept->device);
    assert_ok(text_copy(event->detail, kept->detail, sizeof kept->detail));
    return OK;
}

static inline err fake_apply(struct fake_store *s, const struct write *w, struct write_result *result)
{
    if (w->kind == WRITE_EVENT)
        return fake_note(s, &w->as.event);
    s->write_count++;
    if (s->fail_write)
        return s->fail_write;
    if (w->kind == WRITE_ENROLMENT)
        return fake_enrol(s, w, result);
    if (w->kind == WRITE_OPERATOR)
        return fake_set_up(s, w);
    if (w->kind == WRITE_RENEWAL) {
        if (strcmp(s->device.id, w->as.renewal.id) != 0)
            return &fake_absent;
        s->device = w->as.renewal;
    } else if (w->kind == WRITE_SETUP) {
        memcpy(s->setup_hash, w->as.setup.hash, TOKEN_HASH);
        s->setup_expires_us = w->as.setup.expires_us;
    } else if (w->kind == WRITE_SESSION) {
        s->session = w->as.session;
    } else if (w->kind == WRITE_SESSION_DELETE) {
        if (memcmp(s->session.hash, w->as.session_hash, TOKEN_HASH) != 0)
            return &fake_absent;
        s->session = (struct session_record){0};
    } else {
        fail_msg("a write of kind %d was not expected", (int)w->kind);
    }
    return OK;
}

static inline err fake_record(struct recorder *self, struct write *w, struct write_result *result)
{
    struct fake_store *s = (struct fake_store *)((uint8_t *)self - offsetof(struct fake_store, recorder));
    err failed = fake_apply(s, w, result);
    if (result)
        result->failed = failed;
    write_drop(w);
    return failed;
}

static inline void fake_store_open(struct fake_store *s)
{
    *s = (struct fake_store){.reader = {.get_device = fake_get_device,
                                        .find_token = fake_find_token,
                                        .get_operator = fake_get_operator,
                                        .count_operators = fake_count_operators},
                             .recorder = {.record = fake_record}};
}

static inline const struct fake_event *last_event(const struct fake_store *s)
{
    assert_true(s->event_count > 0);
    return &s->events[s->event_count - 1];
}

/* The issuer: asks the desk as the server would, without a process in between. */
struct fake_issuer {
    struct issuer issuer; /* first */
    struct keeper_desk *desk;
    size_t issued;
};

static inline err fake_issue(struct issuer *self, const struct issue_order *order, struct issued *out)
{
    struct fake_issuer *i = (struct fake_issuer *)self;
    SCOPED(buffer_drop) struct buffer question = {.max = KEEPER_REQUEST_MAX};
    SCOPED(buffer_drop) struct buffer reply = {.max = KEEPER_ANSWER_MAX};
    struct keeper_answer answer;
    enum keeper_refusal refused;
    const struct keeper_request request = {1, KEEPER_ISSUE_DEVICE, order->device_id, order->public_key,
                                           order->lifetime_s};
    TRY(keeper_request_encode(&request, &question));
    TRY(keeper_desk_answer(i->desk, buffer_view(&question), &reply, &refused));
    TRY(keeper_answer_decode(buffer_view(&reply), &answer));
    if (answer.kind != KEEPER_ISSUED)
        return keeper_refusal_fault(answer.refusal);
    i->issued++;
    TRY(text_copy(answer.serial, out->serial, sizeof out->serial));
    out->expires_us = answer.expires_us;
    out->certificate.max = CERTIFICATE_MAX;
    put_bytes(&out->certificate, answer.certificate);
    return buffer_finish(&out->certificate);
}

/* An authority, a desk over it, a clock that stands still. */
struct fake_keeper {
    struct test_clock clock;
    struct test_dice dice;
    struct authority authority;
    struct certificate_name names[2];
    struct keeper_desk desk;
    struct fake_issuer issuer;
};

static inline void fake_keeper_open(struct fake_keeper *k)
{
    SCOPED(authority_texts_wipe) struct authority_texts texts;
    *k = (struct fake_keeper){.clock = TEST_CLOCK(TEST_NOW_US), .dice = TEST_DICE(3)};
    const struct authority_birth birth = {BYTES("sixteen bytes or more"), &k->clock.clock, &k->dice.dice};
    authority_texts_open(&texts);
    assert_ok(authority_create(&birth, &texts));
    assert_ok(authority_load(&texts, &k->clock.clock, &k->authority));
    k->names[0] = (struct certificate_name){CERTIFICATE_NAME_DNS, BYTES("holdfast.example")};
    k->names[1] = (struct certificate_name){CERTIFICATE_NAME_ADDRESS, BYTES("192.0.2.1")};
    k->desk = (struct keeper_desk){&k->authority, k->names, 2, &k->clock.clock, &k->dice.dice};
    k->issuer = (struct fake_issuer){{fake_issue}, &k->desk, 0};
}

static inline void fake_keeper_close(struct fake_keeper *k)
{
    authority_drop(&k->authority);
}

/* The DER of a request in requests.h. The caller drops it. */
static inline struct buffer request_der(const char *base64)
{
    struct buffer der = {.max = CSR_MAX};
    assert_ok(base64_decode(bytes_of_text(base64), &der));
    return der;
}
