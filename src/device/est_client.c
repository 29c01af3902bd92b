/* EST over HTTPS. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/est_client.h"

#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/pkcs7.h"
#include "wire/json.h"

static const struct fault not_base64 = {ERR_MALFORMED, "est: the answer is not base64"};
static const struct fault not_time = {ERR_MALFORMED, "est: the answer of /healthz does not tell the time"};
static const struct fault bad_pin = {ERR_MALFORMED, "est: the pin is not the 64 hexadecimal digits of a SHA-256"};
static const struct fault other_root = {ERR_REFUSED, "est: the server's root certificate is not the pinned one"};

#define EST "/.well-known/est/"

/* The bodies of EST are base64 of DER (RFC 7030, 4; RFC 8951, 3). */
static err put_certificates(const struct https_answer *answer, struct buffer *pem, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer der = {.max = PKCS7_MAX};
    err e = base64_decode(buffer_view(&answer->body), &der) ? &not_base64 : pkcs7_put_pem(buffer_view(&der), pem);
    if (e)
        why_say(why, "the server's answer is no list of certificates: %s", e->text);
    return e;
}

static err call(const struct https_request *request, struct https_answer *answer, char why[WHY_TEXT])
{
    TRY(https_call(request, answer, why));
    return https_want_200(answer, why);
}

static err fetch(const struct est_server *server, const char *path, struct https_answer *answer, char why[WHY_TEXT])
{
    return call(
        &(struct https_request){
            .base = server->url, .path = path, .anchors_pem = server->anchors_pem, .abandon = server->abandon},
        answer, why);
}

static void answer_drop(struct https_answer *answer)
{
    buffer_drop(&answer->body);
}

/* The first certificate of the answer, when it is the pinned one. */
static err take_pinned(struct bytes pem, struct bytes pin, struct buffer *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    char found[DIGEST_SHA256_TEXT];
    err e = certificate_next_pem(&pem, &der);
    if (e) {
        why_say(why, "the server's root certificate cannot be read: %s", e->text);
        return e;
    }
    TRY(digest_sha256_text(buffer_view(&der), found));
    if (!bytes_equal_nocase(bytes_of_text(found), pin)) {
        why_say(why, "the server's root certificate has the SHA-256 %s, which is not the pinned one", found);
        return &other_root;
    }
    return certificate_put_pem(buffer_view(&der), out);
}

err est_fetch_root(const struct est_server *server, const char *sha256_hex, struct buffer *pem, char why[WHY_TEXT])
{
    SCOPED(answer_drop) struct https_answer answer = {0};
    SCOPED(buffer_drop) struct buffer digest = {.max = DIGEST_SHA256};
    struct bytes pin = bytes_of_text(sha256_hex);
    if (hex_decode(pin, &digest) || digest.len != DIGEST_SHA256) {
        why_say(why, "the pin is not the 64 hexadecimal digits of a SHA-256");
        return &bad_pin;
    }
    /* Whoever answers here is not known, and learns nothing; only what the pin proves is taken. */
    TRY(call(
        &(struct https_request){
            .base = server->url, .path = "/api/v1/ca.pem", .trust = HTTPS_UNVERIFIED, .abandon = server->abandon},
        &answer, why));
    return take_pinned(buffer_view(&answer.body), pin, pem, why);
}

err est_fetch_authorities(const struct est_server *server, struct buffer *pem, char why[WHY_TEXT])
{
    SCOPED(answer_drop) struct https_answer answer = {0};
    TRY(fetch(server, EST "cacerts", &answer, why));
    return put_certificates(&answer, pem, why);
}

static err post_csr(struct https_request *request, struct bytes csr, struct buffer *pem, char why[WHY_TEXT])
{
    SCOPED(answer_drop) struct https_answer answer = {0};
    SCOPED(buffer_drop) struct buffer body = {.max = csr.len * 2 + 4};
    put_base64(&body, csr);
    TRY(buffer_finish(&body));
    request->body = buffer_view(&body);
    request->content_type = "application/pkcs10";
    TRY(call(request, &answer, why));
    return put_certificates(&answer, pem, why);
}

err est_enrol(const struct est_server *server, const char *token, struct bytes csr, struct buffer *pem,
              char why[WHY_TEXT])
{
    struct https_request request = {.base = server->url,
                                    .path = EST "simpleenroll",
                                    .anchors_pem = server->anchors_pem,
                                    .password = token,
                                    .abandon = server->abandon};
    return post_csr(&request, csr, pem, why);
}

err est_renew(const struct est_server *server, const struct est_renewal *renewal, struct buffer *pem,
              char why[WHY_TEXT])
{
    struct https_request request = {.base = server->url,
                                    .path = EST "simplereenroll",
                                    .anchors_pem = server->anchors_pem,
                                    .chain_pem = renewal->chain_pem,
                                    .key_pem = renewal->key_pem,
                                    .abandon = server->abandon};
    return post_csr(&request, renewal->csr, pem, why);
}

err est_clock_offset(const struct est_server *server, const struct clock *clock, int64_t *ahead_us_out,
                     char why[WHY_TEXT])
{
    SCOPED(answer_drop) struct https_answer answer = {0};
    SCOPED(json_drop) json_t *root = NULL;
    TRY(fetch(server, "/healthz", &answer, why));
    /* The server looked at its clock about half-way between our last byte and its first. */
    int64_t looked_us = wall_us(clock) - answer.since_first_byte_us - answer.waited_us / 2;
    TRY(json_parse(buffer_view(&answer.body), HTTPS_ANSWER_MAX, &root, why));
    json_t *time = json_object_get(root, "time_ms");
    int64_t server_us;
    if (!json_is_integer(time) || __builtin_mul_overflow(json_integer_value(time), INT64_C(1000), &server_us) ||
        __builtin_sub_overflow(looked_us, server_us, ahead_us_out)) {
        why_say(why, "the answer of /healthz has no usable \"time_ms\"");
        return &not_time;
    }
    return OK;
}
