/* The keeper's desk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/keeper_desk.h"

#include "base/text.h"
#include "core/principal.h"

#define SECOND_US ((int64_t)1000000)

static enum certificate_profile profile_of(const struct keeper_request *request)
{
    return request->kind == KEEPER_ISSUE_DEVICE ? PROFILE_DEVICE : PROFILE_SERVER;
}

/* What the table leaves of the request: the time that the certificate ends. */
static enum keeper_refusal permit(const struct keeper_desk *desk, const struct keeper_request *request, int64_t now_us,
                                  int64_t *ends_us)
{
    const struct keeper_permit *row = keeper_permit(profile_of(request));
    bool nameless = request->kind == KEEPER_ISSUE_SERVER && !desk->server_name_count;
    if (nameless || request->lifetime_s < row->lifetime_min_s)
        return KEEPER_NOT_PERMITTED;
    if (key_check_public_p256(request->public_key))
        return KEEPER_BAD_KEY;
    uint32_t lifetime_s = request->lifetime_s < row->lifetime_max_s ? request->lifetime_s : row->lifetime_max_s;
    int64_t last_us = desk->authority->issuing_expires_us;
    *ends_us = now_us + lifetime_s * SECOND_US;
    if (*ends_us > last_us)
        *ends_us = last_us; /* nothing outlives its issuer */
    return *ends_us >= now_us + row->lifetime_min_s * SECOND_US ? KEEPER_NOTHING_REFUSED : KEEPER_EXPIRED;
}

static err sign(const struct keeper_desk *desk, const struct keeper_request *request, int64_t now_us, int64_t ends_us,
                struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer uri = {.max = sizeof DEVICE_URI + DEVICE_ID_MAX};
    put_text(&uri, DEVICE_URI);
    put_bytes(&uri, request->device_id);
    TRY(buffer_finish(&uri));
    const struct certificate_name device = {CERTIFICATE_NAME_URI, buffer_view(&uri)};
    const bool is_device = request->kind == KEEPER_ISSUE_DEVICE;
    const struct certificate_order order = {
        .role = is_device ? CERTIFICATE_CLIENT : CERTIFICATE_SERVER,
        .common_name = is_device ? request->device_id : BYTES("Holdfast server"),
        .names = is_device ? &device : desk->server_names,
        .name_count = is_device ? 1 : desk->server_name_count,
        .public_key = request->public_key,
        .not_before_us = now_us - KEEPER_BACKDATE_S * SECOND_US,
        .not_after_us = ends_us,
        .issuer_key = desk->authority->issuing_key,
        .issuer = buffer_view(&desk->authority->issuing),
        .dice = desk->dice,
    };
    return certificate_issue(&order, out);
}

static err put_refusal(uint32_t number, enum keeper_refusal refusal, struct buffer *out)
{
    const struct keeper_answer answer = {.number = number, .kind = KEEPER_REFUSED, .refusal = refusal};
    return keeper_answer_encode(&answer, out);
}

static err put_chain(const struct keeper_desk *desk, uint32_t number, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer chain = {.max = KEEPER_ANSWER_MAX};
    TRY(authority_put_chain_pem(desk->authority, &chain));
    const struct keeper_answer answer = {.number = number, .kind = KEEPER_CHAIN, .chain = buffer_view(&chain)};
    return keeper_answer_encode(&answer, out);
}

static err put_certificate(const struct keeper_desk *desk, const struct keeper_request *request, struct buffer *out,
                           enum keeper_refusal *refused)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct certificate_facts facts = {0};
    int64_t now_us = wall_us(desk->clock), ends_us = 0;
    *refused = permit(desk, request, now_us, &ends_us);
    if (!*refused && (sign(desk, request, now_us, ends_us, &der) || certificate_read(buffer_view(&der), &facts)))
        *refused = KEEPER_FAILED;
    if (*refused)
        return put_refusal(request->number, *refused, out);
    const struct keeper_answer answer = {.number = request->number,
                                         .kind = KEEPER_ISSUED,
                                         .certificate = buffer_view(&der),
                                         .expires_us = facts.not_after_us,
                                         .serial = bytes_of_text(facts.serial)};
    return keeper_answer_encode(&answer, out);
}

err keeper_desk_greet(const struct keeper_desk *desk, struct buffer *answer)
{
    return put_chain(desk, 0, answer);
}

err keeper_desk_answer(const struct keeper_desk *desk, struct bytes request, struct buffer *answer,
                       enum keeper_refusal *refused)
{
    struct keeper_request asked;
    *refused = KEEPER_NOTHING_REFUSED;
    if (keeper_request_decode(request, &asked)) {
        *refused = KEEPER_NOT_UNDERSTOOD;
        return put_refusal(0, *refused, answer);
    }
    if (asked.kind == KEEPER_SHOW_CHAIN)
        return put_chain(desk, asked.number, answer);
    return put_certificate(desk, &asked, answer, refused);
}
