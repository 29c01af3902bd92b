/* What the server and the keeper say to each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/keeper_protocol.h"

#include "core/principal.h"
#include "crypto/key.h"

static const struct fault not_a_request = {ERR_MALFORMED, "keeper: not a request"};
static const struct fault not_an_answer = {ERR_MALFORMED, "keeper: not an answer"};
static const struct fault over_bound = {ERR_TOO_LARGE, "keeper: a part of a message is over its bound"};

static const struct fault refusals[KEEPER_REFUSALS] = {
    [KEEPER_NOTHING_REFUSED] = {ERR_IO, "keeper: a refusal without a reason"},
    [KEEPER_NOT_UNDERSTOOD] = {ERR_IO, "keeper: the request was not understood"},
    [KEEPER_NOT_PERMITTED] = {ERR_REFUSED, "the keeper's table does not permit this certificate"},
    [KEEPER_BAD_KEY] = {ERR_REFUSED, "the keeper takes ECDSA P-256 keys alone"},
    [KEEPER_EXPIRED] = {ERR_IO, "the issuing certificate has expired: a new one is needed, signed by the root"},
    [KEEPER_FAILED] = {ERR_IO, "keeper: signing failed"},
};

err keeper_refusal_fault(enum keeper_refusal refusal)
{
    return &refusals[refusal < KEEPER_REFUSALS ? refusal : KEEPER_NOTHING_REFUSED];
}

const struct keeper_permit *keeper_permit(enum certificate_profile profile)
{
    static const struct keeper_permit table[] = {
        [PROFILE_DEVICE] = {.lifetime_min_s = 60, .lifetime_max_s = 30 * 86400},
        [PROFILE_SERVER] = {.lifetime_min_s = 60, .lifetime_max_s = 30 * 86400},
    };
    return &table[profile];
}

static void put_short(struct buffer *out, struct bytes part)
{
    put_u8(out, (uint8_t)part.len);
    put_bytes(out, part);
}

static void put_long(struct buffer *out, struct bytes part)
{
    put_u16(out, (uint16_t)part.len);
    put_bytes(out, part);
}

static void put_head(struct buffer *out, uint32_t number, int kind)
{
    put_u8(out, KEEPER_VERSION);
    put_u32(out, number);
    put_u8(out, (uint8_t)kind);
}

err keeper_request_encode(const struct keeper_request *request, struct buffer *out)
{
    if (request->device_id.len > DEVICE_ID_MAX || request->public_key.len > KEY_PUBLIC_MAX)
        return &over_bound;
    put_head(out, request->number, request->kind);
    if (request->kind == KEEPER_ISSUE_DEVICE)
        put_short(out, request->device_id);
    if (request->kind != KEEPER_SHOW_CHAIN) {
        put_u32(out, request->lifetime_s);
        put_long(out, request->public_key);
    }
    return buffer_finish(out);
}

err keeper_request_decode(struct bytes in, struct keeper_request *out)
{
    struct reader r = reader_over(in);
    *out = (struct keeper_request){0};
    uint8_t version = read_u8(&r);
    out->number = read_u32(&r);
    uint8_t kind = read_u8(&r);
    if (in.len > KEEPER_REQUEST_MAX || version != KEEPER_VERSION || kind < KEEPER_ISSUE_DEVICE ||
        kind > KEEPER_SHOW_CHAIN)
        return &not_a_request;
    out->kind = (enum keeper_request_kind)kind;
    if (out->kind == KEEPER_ISSUE_DEVICE)
        out->device_id = read_view(&r, read_u8(&r));
    if (out->kind != KEEPER_SHOW_CHAIN) {
        out->lifetime_s = read_u32(&r);
        out->public_key = read_view(&r, read_u16(&r));
    }
    bool sound = reader_finish(&r) == OK && out->public_key.len <= KEY_PUBLIC_MAX &&
                 (out->kind != KEEPER_ISSUE_DEVICE || id_is_valid(out->device_id));
    return sound ? OK : &not_a_request;
}

err keeper_answer_encode(const struct keeper_answer *answer, struct buffer *out)
{
    if (answer->chain.len > KEEPER_ANSWER_MAX || answer->certificate.len > KEEPER_ANSWER_MAX ||
        answer->serial.len >= SERIAL_TEXT)
        return &over_bound;
    put_head(out, answer->number, answer->kind);
    switch (answer->kind) {
    case KEEPER_CHAIN:
        put_long(out, answer->chain);
        break;
    case KEEPER_ISSUED:
        put_u64(out, (uint64_t)answer->expires_us);
        put_short(out, answer->serial);
        put_long(out, answer->certificate);
        break;
    case KEEPER_REFUSED:
        put_u8(out, (uint8_t)answer->refusal);
        break;
    }
    return buffer_finish(out);
}

err keeper_answer_decode(struct bytes in, struct keeper_answer *out)
{
    struct reader r = reader_over(in);
    *out = (struct keeper_answer){0};
    uint8_t version = read_u8(&r);
    out->number = read_u32(&r);
    uint8_t kind = read_u8(&r);
    if (in.len > KEEPER_ANSWER_MAX || version != KEEPER_VERSION || kind < KEEPER_CHAIN || kind > KEEPER_REFUSED)
        return &not_an_answer;
    out->kind = (enum keeper_answer_kind)kind;
    switch (out->kind) {
    case KEEPER_CHAIN:
        out->chain = read_view(&r, read_u16(&r));
        break;
    case KEEPER_ISSUED:
        out->expires_us = (int64_t)read_u64(&r);
        out->serial = read_view(&r, read_u8(&r));
        out->certificate = read_view(&r, read_u16(&r));
        break;
    case KEEPER_REFUSED:
        out->refusal = (enum keeper_refusal)read_u8(&r);
        break;
    }
    bool sound = reader_finish(&r) == OK && out->serial.len < SERIAL_TEXT && out->refusal < KEEPER_REFUSALS;
    return sound ? OK : &not_an_answer;
}
