/* Enrolment and renewal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/enrolment.h"

#include "base/text.h"
#include "core/principal.h"
#include "crypto/csr.h"
#include "trust/bearer.h"
#include "trust/keeper_desk.h"
#include "trust/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct fault no_token = {ERR_ABSENT, "the enrolment token is unknown"};
static const struct fault spent_token = {ERR_REFUSED, "the enrolment token's uses are spent"};
static const struct fault old_token = {ERR_EXPIRED, "the enrolment token has expired"};
static const struct fault taken = {ERR_EXISTS, "the device id is taken"};
static const struct fault bad_id = {
    ERR_MALFORMED, "the common name is no device id: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a "
                   "digit"};
static const struct fault no_device = {ERR_ABSENT, "there is no such device any more"};
static const struct fault other_name = {ERR_REFUSED, "the request names another device than the certificate"};
static const struct fault outlived = {ERR_REFUSED, "the certificate is from before this device was enrolled"};
static const struct fault no_memory = {ERR_MEMORY, "enrolment: no memory"};

enum { SECOND_US = 1000000 };

void enrolled_drop(struct enrolled *e)
{
    buffer_drop(&e->issued.certificate);
}

/* Takes w. What the store says about it, in words for the peer: the store's own are about rows. */
static err commit(const struct enrolment *e, struct write *w, struct write_result *result)
{
    if (!w)
        return &no_memory;
    bool renewal = w->kind == WRITE_RENEWAL;
    err failed = e->recorder->record(e->recorder, w, result);
    if (!failed)
        failed = result->failed;
    if (err_is(failed, ERR_ABSENT))
        return renewal ? &no_device : &no_token;
    if (err_is(failed, ERR_REFUSED))
        return &spent_token;
    if (err_is(failed, ERR_EXPIRED))
        return &old_token;
    return err_is(failed, ERR_EXISTS) ? &taken : failed;
}

static err issue(const struct enrolment *e, const struct csr *csr, struct enrolled *out)
{
    struct device *device = &out->device;
    const struct issue_order order = {.profile = PROFILE_DEVICE,
                                      .device_id = bytes_of_text(csr->common_name),
                                      .public_key = csr_public_key(csr),
                                      .lifetime_s = e->device_lifetime_s};
    TRY(text_copy(order.device_id, device->id, sizeof device->id));
    TRY(key_fingerprint(order.public_key, device->key_fingerprint));
    TRY(e->issuer->issue(e->issuer, &order, &out->issued));
    device->certificate_expires_us = out->issued.expires_us;
    return text_copy(bytes_of_text(out->issued.serial), device->certificate_serial, sizeof device->certificate_serial);
}

static err check_token(const struct enrolment *e, struct bytes text, int64_t now_us, struct token *out)
{
    uint8_t hash[TOKEN_HASH];
    err malformed = bearer_hash(text, hash);
    if (malformed)
        return err_is(malformed, ERR_MALFORMED) ? &no_token : malformed;
    err absent = e->reader->find_token(e->reader, hash, out);
    if (absent)
        return err_is(absent, ERR_ABSENT) ? &no_token : absent;
    return token_check(out, now_us);
}

static err check_free(const struct enrolment *e, const char *id)
{
    struct device there;
    err absent = e->reader->get_device(e->reader, bytes_of_text(id), &there);
    if (!absent)
        return &taken;
    return err_is(absent, ERR_ABSENT) ? OK : absent;
}

static err register_device(const struct enrolment *e, const struct token *token, struct enrolled *made)
{
    struct write w = {.kind = WRITE_ENROLMENT, .now_us = made->device.enrolled_us};
    struct write_result result = {0};
    memcpy(w.as.enrolment.token_hash, token->hash, TOKEN_HASH);
    w.as.enrolment.device = made->device;
    TRY(commit(e, write_plain(&w), &result));
    return text_copy(bytes_of_text(result.group), made->device.group, sizeof made->device.group);
}

/* The order is the point: see the header. */
static err enrol(const struct enrolment *e, const struct enrol_request *request, struct csr *csr, struct token *token,
                 struct enrolled *made)
{
    TRY(csr_read(request->csr, csr));
    if (!id_is_valid(bytes_of_text(csr->common_name)))
        return &bad_id;
    made->device.enrolled_us = wall_us(e->clock);
    TRY(check_token(e, request->token, made->device.enrolled_us, token));
    TRY(check_free(e, csr->common_name));
    TRY(issue(e, csr, made));
    return register_device(e, token, made);
}

static void report_refusal(const struct enrolment *e, err why, const char *claimed, const struct notice *known)
{
    char left_out[24] = "";
    struct notice notice = *known;
    if (!notice_budget_take(e->refusals, monotonic_ms(e->clock)))
        return;
    if (e->refusals->left_out)
        (void)snprintf(left_out, sizeof left_out, "%" PRIu64, e->refusals->left_out);
    e->refusals->left_out = 0;
    notice.kind = EVENT_ENROLMENT_REFUSED;
    notice.fields[0] = (struct notice_field){"reason", bytes_of_text(err_text(why))};
    notice.fields[1] = (struct notice_field){"claimed", bytes_of_text(claimed)};
    notice.fields[2] = (struct notice_field){"left_out", bytes_of_text(left_out)};
    notice_record(e->recorder, e->clock, &notice);
}

static void report_success(const struct enrolment *e, enum event_kind kind, const struct enrolled *made,
                           const struct notice *known)
{
    char expires[TIME_TEXT];
    struct notice notice = *known;
    time_text(made->issued.expires_us, expires);
    notice.kind = kind;
    notice.device = made->device.id;
    notice.fields[0] = (struct notice_field){"group", bytes_of_text(made->device.group)};
    notice.fields[1] = (struct notice_field){"serial", bytes_of_text(made->issued.serial)};
    notice.fields[2] = (struct notice_field){"expires", bytes_of_text(expires)};
    notice.fields[3] = (struct notice_field){"key", bytes_of_text(made->device.key_fingerprint)};
    notice_record(e->recorder, e->clock, &notice);
}

err enrolment_enrol(const struct enrolment *e, const struct enrol_request *request, struct enrolled *out)
{
    struct csr csr = {0};
    struct token token = {0};
    struct enrolled made = {.issued.certificate.max = CERTIFICATE_MAX};
    err refused = enrol(e, request, &csr, &token, &made);
    struct notice known = {.fields[4] = {"token", bytes_of_text(token.id)}, /* its public handle */
                           .fields[5] = {"peer", bytes_of_text(request->peer)}};
    if (refused) {
        /* An id that is merely claimed is put down as a claim; one that clashes concerns the device that has it. */
        known.device = refused->kind == ERR_EXISTS ? csr.common_name : NULL;
        report_refusal(e, refused, csr.common_name, &known);
        enrolled_drop(&made);
        return refused;
    }
    report_success(e, EVENT_DEVICE_ENROLLED, &made, &known);
    *out = made;
    return OK;
}

err enrolment_covers(const struct device *device, const struct certificate_facts *shown)
{
    /* The start of a certificate lies back by KEEPER_BACKDATE_S and is cut to a whole second. A renewal that is on
     * record counts even if the server's clock was set back meanwhile. */
    int64_t issued_us = shown->not_before_us + (int64_t)(KEEPER_BACKDATE_S + 1) * SECOND_US;
    bool on_record = bytes_is(bytes_of_text(shown->serial), device->certificate_serial);
    return on_record || issued_us >= device->enrolled_us ? OK : &outlived;
}

static err renew(const struct enrolment *e, const struct renew_request *request, struct csr *csr, struct enrolled *made)
{
    struct certificate_facts shown;
    struct device *device = &made->device;
    err absent = e->reader->get_device(e->reader, bytes_of_text(request->device_id), device);
    if (absent)
        return err_is(absent, ERR_ABSENT) ? &no_device : absent;
    TRY(certificate_read(request->certificate, &shown));
    TRY(enrolment_covers(device, &shown));
    TRY(csr_read(request->csr, csr));
    if (!bytes_is(bytes_of_text(csr->common_name), device->id))
        return &other_name;
    TRY(issue(e, csr, made));
    struct write w = {.kind = WRITE_RENEWAL, .now_us = wall_us(e->clock), .as.renewal = *device};
    struct write_result result = {0};
    return commit(e, write_plain(&w), &result);
}

err enrolment_renew(const struct enrolment *e, const struct renew_request *request, struct enrolled *out)
{
    struct csr csr = {0};
    struct enrolled made = {.issued.certificate.max = CERTIFICATE_MAX};
    err refused = renew(e, request, &csr, &made);
    const struct notice known = {.device = request->device_id, .fields[5] = {"peer", bytes_of_text(request->peer)}};
    if (refused) {
        report_refusal(e, refused, csr.common_name, &known);
        enrolled_drop(&made);
        return refused;
    }
    report_success(e, EVENT_DEVICE_RENEWED, &made, &known);
    *out = made;
    return OK;
}
