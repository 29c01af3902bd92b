/* Enrolment: trust in the server first, then the key, the request, the answer, and only then the disk.
 *
 *   root   from a file, or from the server itself and held against the pin; from here on the server is verified
 *   key    the folder's, or a new one
 *   ask    simpleenroll with the token; cacerts for the authority above the certificate
 *   take   the certificate must be about our key, name the id that was asked for, and chain to the root
 *   store  root.pem, server, key.pem, and certificate.pem last */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/enrol.h"

#include "core/principal.h"
#include "crypto/csr.h"

static const struct fault enrolled_already = {ERR_EXISTS, "enrol: the folder holds an identity already"};
static const struct fault bad_id = {ERR_MALFORMED, "enrol: not a device id"};
static const struct fault bad_root = {ERR_MALFORMED, "enrol: the file is not one root certificate"};
static const struct fault other_id = {ERR_REFUSED, "enrol: the certificate is about another device"};

static err check_order(const struct enrol_order *order, struct credentials *c, char why[WHY_TEXT])
{
    err e = server_address_read(order->server, &c->server);
    if (e) {
        why_say(why, "%.*s: %s", (int)order->server.len, (const char *)order->server.at, e->text);
        return e;
    }
    if (!id_is_valid(order->id)) {
        why_say(why, "\"%.*s\" cannot be a device id: 1 to %d of A-Z a-z 0-9 . _ -, the first a letter or a digit",
                (int)order->id.len, (const char *)order->id.at, DEVICE_ID_MAX);
        return &bad_id;
    }
    if (order->key == ENROL_ONCE && credentials_exist(order->folder)) {
        why_say(why, "%s holds an identity already; with --new-key it is replaced", order->folder);
        return &enrolled_already;
    }
    return OK;
}

/* Exactly one certificate: which of several to trust would be a guess. */
static err take_root_file(struct bytes pem, struct buffer *out, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX}, second = {.max = CERTIFICATE_MAX};
    err e = certificate_next_pem(&pem, &der);
    if (e || !err_is(certificate_next_pem(&pem, &second), ERR_ABSENT)) {
        why_say(why, "the file with the root must hold exactly one certificate in PEM");
        return &bad_root;
    }
    return certificate_put_pem(buffer_view(&der), out);
}

static err find_root(const struct enrol_order *order, struct credentials *c, char why[WHY_TEXT])
{
    if (order->ca_pem.len)
        return take_root_file(order->ca_pem, &c->root_pem, why);
    struct est_server anybody = {.url = c->server.url};
    return est_fetch_root(&anybody, order->ca_sha256, &c->root_pem, why);
}

static err find_key(const struct enrol_order *order, struct credentials *c, char why[WHY_TEXT])
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    if (order->key == ENROL_ONCE)
        return credentials_key(order->folder, &c->key_pem, why);
    err e = key_generate(KEY_P256, &key);
    if (!e)
        e = key_put_pem(key, &c->key_pem);
    if (e)
        why_say(why, "a key cannot be made: %s", e->text);
    return e;
}

static err make_csr(const struct credentials *c, struct bytes id, struct buffer *csr, char why[WHY_TEXT])
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    err e = key_read_pem(buffer_view(&c->key_pem), (struct bytes){NULL, 0}, &key);
    if (!e)
        e = csr_make(key, id, csr);
    if (e)
        why_say(why, "a certificate request cannot be made: %s", e->text);
    return e;
}

static struct est_server server_of(const struct credentials *c, const struct counter *abandon)
{
    return (struct est_server){.url = c->server.url, .anchors_pem = buffer_view(&c->root_pem), .abandon = abandon};
}

/* A server that hands out another name than was asked for would have this machine speak as somebody else. */
static err take_for(struct credentials *c, struct bytes id, struct bytes offered, int64_t now_us, char why[WHY_TEXT])
{
    TRY(credentials_take(c, offered, now_us, why));
    if (bytes_is(id, c->id))
        return OK;
    why_say(why, "the server's certificate is for \"%s\", not for what was asked", c->id);
    return &other_id;
}

static err enrol_steps(const struct enrol_order *order, struct credentials *c, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer csr = {.max = CSR_MAX};
    SCOPED(buffer_drop) struct buffer offered = {.max = CREDENTIALS_FILE_MAX};
    TRY(check_order(order, c, why));
    TRY(find_root(order, c, why));
    struct est_server server = server_of(c, NULL);
    /* Asked for before the token is spent: without the authority above it a certificate would be of no use. */
    SCOPED(buffer_drop) struct buffer authorities = {.max = CREDENTIALS_FILE_MAX};
    TRY(est_fetch_authorities(&server, &authorities, why));
    TRY(find_key(order, c, why));
    TRY(make_csr(c, order->id, &csr, why));
    TRY(est_enrol(&server, order->token, buffer_view(&csr), &offered, why));
    put_bytes(&offered, buffer_view(&authorities));
    TRY(buffer_finish(&offered));
    TRY(take_for(c, order->id, buffer_view(&offered), wall_us(order->clock), why));
    return credentials_store(order->folder, c, why);
}

err device_enrol(const struct enrol_order *order, struct credentials *out, char why[WHY_TEXT])
{
    why_say(why, "no memory");
    *out = (struct credentials){.key_pem = {.max = KEY_PEM_MAX},
                                .chain_pem = {.max = CREDENTIALS_FILE_MAX},
                                .root_pem = {.max = CREDENTIALS_FILE_MAX}};
    err e = enrol_steps(order, out, why);
    if (e)
        credentials_drop(out);
    return e;
}

/* The authority may have changed since the last time, so that it is asked for again. */
static err ask_for_renewal(const struct renew_order *order, const struct credentials *c, struct buffer *offered,
                           char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer csr = {.max = CSR_MAX};
    struct est_server server = server_of(c, order->abandon);
    TRY(make_csr(c, bytes_of_text(c->id), &csr, why));
    TRY(est_fetch_authorities(&server, offered, why));
    struct est_renewal renewal = {buffer_view(&c->chain_pem), buffer_view(&c->key_pem), buffer_view(&csr)};
    return est_renew(&server, &renewal, offered, why);
}

err device_renew(const struct renew_order *order, struct credentials *c, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer offered = {.max = (size_t)2 * CREDENTIALS_FILE_MAX};
    SCOPED(credentials_drop) struct credentials next = {0};
    why_say(why, "no memory");
    TRY(ask_for_renewal(order, c, &offered, why));
    /* A copy is what the new certificate goes into, so that a failure leaves the old one in use. */
    TRY(credentials_load(order->folder, &next, why));
    TRY(take_for(&next, bytes_of_text(c->id), buffer_view(&offered), order->now_us, why));
    TRY(credentials_store_chain(order->folder, &next, why));
    struct credentials former = *c;
    *c = next;
    next = former;
    return OK;
}
