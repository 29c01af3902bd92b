/* Judges what opened records carry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_content.h"

static const struct fault decode = {ERR_REFUSED, "tls: a message that is not as long as it must be"};
static const struct fault illegal = {ERR_REFUSED, "tls: a message with a value that no field of it has"};
static const struct fault nuisance = {ERR_REFUSED, "tls: too many records that bring no data"};
static const struct fault from_peer = {ERR_REFUSED, "the other side says: fatal alert"};
static const struct fault other = {ERR_IO, "tls: out of memory, or OpenSSL failed"};

static const struct {
    err fault;
    uint8_t alert; /* RFC 8446, B.2 */
} faults[CONTENT_FAULTS] = {
    [FAULT_BAD_MAC] = {&record_bad_mac, 20},
    [FAULT_OVERFLOW] = {&record_overflow, 22},
    [FAULT_UNEXPECTED] = {&record_unexpected, 10},
    [FAULT_EXHAUSTED] = {&record_exhausted, 80},
    [FAULT_DECODE] = {&decode, 50},
    [FAULT_ILLEGAL] = {&illegal, 47},
    [FAULT_NUISANCE] = {&nuisance, 10},
    [FAULT_PEER] = {&from_peer, 0},
    [FAULT_OTHER] = {&other, 80},
};

enum content_fault content_fault_of(err e)
{
    for (unsigned i = FAULT_NONE; i < CONTENT_FAULTS; i++)
        if (faults[i].fault == e)
            return (enum content_fault)i;
    return FAULT_OTHER;
}

err content_fault(enum content_fault number)
{
    return faults[number].fault;
}

uint8_t content_alert(enum content_fault number)
{
    return faults[number].alert;
}

static err count_nuisance(struct tls_content *state)
{
    if (state->nuisance >= NUISANCE_MAX)
        return &nuisance;
    state->nuisance += NUISANCE_MORE;
    return OK;
}

static err take_data(struct tls_content *state, size_t len, enum content_event *out)
{
    if (!len)
        return count_nuisance(state); /* 5.1: allowed, against traffic analysis */
    if (state->nuisance)
        state->nuisance--;
    *out = CONTENT_DATA;
    return OK;
}

/* 5.1: one alert in one record. 6: the level is not looked at, all but two are fatal. */
static err take_alert(struct tls_content *state, struct bytes alert, enum content_event *out)
{
    if (alert.len != 2)
        return &decode;
    switch (alert.at[1]) {
    case ALERT_CLOSE_NOTIFY:
        *out = CONTENT_CLOSED;
        return OK;
    case ALERT_USER_CANCELED: /* 6.1: a close_notify follows */
        return count_nuisance(state);
    default:
        return &from_peer;
    }
}

/* 4.6.3: the one message that a client may send which did not offer to authenticate once more. Its bytes are known, so
 * only their number is kept when it is cut over records. */
static err take_message(struct tls_content *state, struct bytes part, enum content_event *out)
{
    static const uint8_t head[] = {24, 0, 0, 1};
    if (!part.len)
        return &record_unexpected; /* 5.1: no empty fragments */
    while (part.len && state->message < sizeof head) {
        if (*part.at != head[state->message])
            return state->message ? &decode : &record_unexpected;
        state->message++;
        part = bytes_from(part, 1);
    }
    if (!part.len)
        return count_nuisance(state);
    if (*part.at > 1)
        return &illegal;
    if (part.len > 1)
        return &record_unexpected; /* 5.1: the key changes at the end of a record */
    state->message = 0;
    *out = *part.at ? CONTENT_UPDATED_AND_ASKS : CONTENT_UPDATED;
    return count_nuisance(state);
}

err content_take(struct tls_content *state, struct record_plain record, enum content_event *out)
{
    *out = CONTENT_NOTHING;
    if (record.content != RECORD_HANDSHAKE && state->message)
        return &record_unexpected; /* 5.1: nothing comes between the parts of a message */
    switch ((enum record_content)record.content) {
    case RECORD_DATA:
        return take_data(state, record.bytes.len, out);
    case RECORD_ALERT:
        return take_alert(state, record.bytes, out);
    case RECORD_HANDSHAKE:
        return take_message(state, record.bytes, out);
    case RECORD_CHANGE_CIPHER:
        break;
    }
    return &record_unexpected;
}
