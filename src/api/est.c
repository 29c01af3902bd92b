/* Enrolment over Secure Transport. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/est.h"

#include "base/text.h"
#include "crypto/csr.h"
#include "crypto/pkcs7.h"
#include "trust/enrolment.h"
#include "wire/http_fields.h"

static const struct fault no_credentials = {
    ERR_ABSENT, "an enrolment token is needed: as the password of HTTP Basic, or as a Bearer token"};
static const struct fault no_certificate = {ERR_REFUSED, "a renewal needs the device's own certificate"};
static const struct fault not_pkcs10 = {ERR_UNSUPPORTED, "the content type must be application/pkcs10"};

enum { LINE_BYTES = 48 /* 64 characters a line, so that openssl base64 -d reads it as it is */, BODY_MAX = 16384 };
enum { AUTHORIZATION_MAX = 1024 };

/* RFC 7030, 4.1.3 and 4.2.3, say base64; RFC 8951, 3.1, that Content-Transfer-Encoding is for old clients only. */
static err answer_certificates(const struct bytes *certificates, size_t count, const char *content_type,
                               struct answer *answer)
{
    SCOPED(buffer_drop) struct buffer p7 = {.max = PKCS7_MAX};
    TRY(pkcs7_put_certificates(certificates, count, &p7));
    for (struct bytes rest = buffer_view(&p7); rest.len; rest = bytes_from(rest, LINE_BYTES)) {
        put_base64(&answer->body, bytes_first(rest, LINE_BYTES));
        put_u8(&answer->body, '\n');
    }
    answer->status = 200;
    answer->content_type = content_type;
    answer_header(answer, "Content-Transfer-Encoding", "base64");
    return buffer_finish(&answer->body);
}

/* What went wrong, as HTTP says it. Everything that is not the peer's doing is 503: it may try again. */
static unsigned status_of(err why)
{
    switch (why->kind) {
    case ERR_MALFORMED:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
        return 400;
    case ERR_ABSENT:
        return 401;
    case ERR_REFUSED:
    case ERR_EXPIRED:
        return 403;
    case ERR_EXISTS:
        return 409;
    case ERR_FULL:
    case ERR_AGAIN:
    case ERR_CLOSED:
    case ERR_IO:
    case ERR_MEMORY:
        return 503;
    }
    return 503;
}

static err answer_refusal(unsigned status, err why, struct answer *answer)
{
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
    if (status == 401)
        answer_header(answer, "WWW-Authenticate", "Basic realm=\"enrolment token\", charset=\"UTF-8\"");
    if (status == 503)
        answer_header(answer, "Retry-After", "10");
    put_format(&answer->body, "%s\n", status == 503 ? "the server cannot do this at the moment" : err_text(why));
    return buffer_finish(&answer->body);
}

err est_cacerts(const struct est *est, const struct call *call, struct answer *answer)
{
    SCOPED(buffer_drop) struct buffer issuing = {.max = CERTIFICATE_MAX};
    SCOPED(buffer_drop) struct buffer root = {.max = CERTIFICATE_MAX};
    struct bytes pem = est->chain_pem;
    TRY(certificate_next_pem(&pem, &issuing));
    TRY(certificate_next_pem(&pem, &root));
    const struct bytes both[] = {buffer_view(&issuing), buffer_view(&root)};
    return answer_certificates(both, 2, "application/pkcs7-mime", answer);
}

err est_csrattrs(const struct est *est, const struct call *call, struct answer *answer)
{
    answer->status = 204; /* RFC 7030, 4.5.2: no attributes are wanted */
    return OK;
}

/* The token: a Bearer token, or the password of Basic whatever the user name. Decoded bytes go into `room`, which the
 * token then lends from. */
static err read_token(const struct call *call, struct buffer *room, struct bytes *token)
{
    struct bytes said = call_header(call, "authorization");
    struct http_basic basic;
    *token = http_bearer(said);
    if (!token->len && !http_basic(said, room, &basic))
        *token = basic.password;
    return token->len ? OK : &no_credentials;
}

/* OK: the content type is right. A body that is no base64 leaves der empty: the enrolment refuses that like any other
 * request that is none, and records it. */
static err read_request(const struct call *call, struct buffer *der)
{
    struct bytes type = call_header(call, "content-type");
    if (!bytes_equal_nocase(bytes_trim(bytes_cut(&type, ';')), BYTES("application/pkcs10")))
        return &not_pkcs10;
    if (call->body.len > BODY_MAX || base64_decode(call->body, der))
        buffer_clear(der);
    return OK;
}

static struct enrolment enrolment_of(const struct est *est)
{
    return (struct enrolment){est->reader, est->recorder,          est->issuer,
                              est->clock,  est->device_lifetime_s, est->refusals};
}

static err answer_enrolled(const struct enrolled *made, struct answer *answer)
{
    const struct bytes certificate = buffer_view(&made->issued.certificate);
    return answer_certificates(&certificate, 1, "application/pkcs7-mime; smime-type=certs-only", answer);
}

err est_simpleenroll(const struct est *est, const struct call *call, struct answer *answer)
{
    SCOPED(buffer_wipe) struct buffer basic = {.max = AUTHORIZATION_MAX};
    SCOPED(buffer_drop) struct buffer der = {.max = CSR_MAX};
    SCOPED(enrolled_drop) struct enrolled made = {0};
    struct enrol_request request = {.peer = call->peer};
    const struct enrolment enrolment = enrolment_of(est);
    err wrong = read_token(call, &basic, &request.token);
    if (wrong)
        return answer_refusal(401, wrong, answer);
    wrong = read_request(call, &der);
    if (wrong)
        return answer_refusal(415, wrong, answer);
    request.csr = buffer_view(&der);
    wrong = enrolment_enrol(&enrolment, &request, &made);
    return wrong ? answer_refusal(status_of(wrong), wrong, answer) : answer_enrolled(&made, answer);
}

err est_simplereenroll(const struct est *est, const struct call *call, struct answer *answer)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CSR_MAX};
    SCOPED(enrolled_drop) struct enrolled made = {0};
    struct renew_request request = {
        .device_id = call->who.id, .certificate = call->peer_certificate, .peer = call->peer};
    const struct enrolment enrolment = enrolment_of(est);
    if (call->who.kind != PRINCIPAL_DEVICE || !call->peer_certificate.len)
        return answer_refusal(403, &no_certificate, answer);
    err wrong = read_request(call, &der);
    if (wrong)
        return answer_refusal(415, wrong, answer);
    request.csr = buffer_view(&der);
    wrong = enrolment_renew(&enrolment, &request, &made);
    if (!wrong)
        return answer_enrolled(&made, answer);
    /* The certificate held, so no credentials that the client could add would help: not 401. */
    return answer_refusal(err_is(wrong, ERR_ABSENT) ? 403 : status_of(wrong), wrong, answer);
}
