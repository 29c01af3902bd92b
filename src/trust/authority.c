/* The certificate authority. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/authority.h"

#include "base/text.h"
#include "crypto/certificate_order.h"

static const struct fault short_passphrase = {ERR_MALFORMED, "authority: the root's passphrase is under 16 bytes"};

enum { YEAR_S = 31557600, BACKDATE_S = 86400, NAME_BYTES = 4 };
#define SECOND_US ((int64_t)1000000)

void authority_texts_open(struct authority_texts *t)
{
    const struct buffer empty = {.max = AUTHORITY_PEM_MAX};
    *t = (struct authority_texts){empty, empty, empty, empty};
}

void authority_texts_wipe(struct authority_texts *t)
{
    buffer_wipe(&t->root_key);
    buffer_wipe(&t->issuing_key);
    buffer_drop(&t->root);
    buffer_drop(&t->issuing);
}

/* One certificate in the making: what differs between the two. */
struct link {
    enum certificate_role role;
    const char *title;
    int64_t years;
    const struct key *key, *issuer_key;
    struct bytes issuer;
};

/* "Holdfast root 1a2b3c4d": so that people can tell the roots of two installations apart. */
static err put_title(const char *title, const struct dice *dice, struct buffer *out)
{
    uint8_t mark[NAME_BYTES];
    dice->fill(dice, mark, sizeof mark);
    put_format(out, "Holdfast %s ", title);
    put_hex(out, bytes_of(mark, sizeof mark));
    return buffer_finish(out);
}

static err make(const struct authority_birth *birth, const struct link *link, struct buffer *der)
{
    SCOPED(buffer_drop) struct buffer name = {.max = CERTIFICATE_NAME_MAX + 1};
    SCOPED(buffer_drop) struct buffer public_key = {.max = KEY_PUBLIC_MAX};
    int64_t now_us = wall_us(birth->clock);
    TRY(put_title(link->title, birth->dice, &name));
    TRY(key_put_public(link->key, &public_key));
    const struct certificate_order order = {.role = link->role,
                                            .common_name = buffer_view(&name),
                                            .organization = BYTES("Holdfast"),
                                            .public_key = buffer_view(&public_key),
                                            .not_before_us = now_us - BACKDATE_S * SECOND_US,
                                            .not_after_us = now_us + link->years * YEAR_S * SECOND_US,
                                            .issuer_key = link->issuer_key,
                                            .issuer = link->issuer,
                                            .dice = birth->dice};
    return certificate_issue(&order, der);
}

err authority_create(const struct authority_birth *birth, struct authority_texts *out)
{
    SCOPED(key_drop_scoped) struct key *root_key = NULL;
    SCOPED(key_drop_scoped) struct key *issuing_key = NULL;
    SCOPED(buffer_drop) struct buffer root = {.max = CERTIFICATE_MAX};
    SCOPED(buffer_drop) struct buffer issuing = {.max = CERTIFICATE_MAX};
    if (birth->passphrase.len < AUTHORITY_PASSPHRASE_MIN)
        return &short_passphrase;
    TRY(key_generate(KEY_P384, &root_key));
    TRY(key_generate(KEY_P256, &issuing_key));
    const struct link first = {CERTIFICATE_ROOT, "root", AUTHORITY_ROOT_YEARS, root_key, root_key, {NULL, 0}};
    TRY(make(birth, &first, &root));
    const struct link second = {CERTIFICATE_ISSUING, "issuing", AUTHORITY_ISSUING_YEARS,
                                issuing_key,         root_key,  buffer_view(&root)};
    TRY(make(birth, &second, &issuing));
    TRY(key_put_pem_locked(root_key, birth->passphrase, &out->root_key));
    TRY(key_put_pem(issuing_key, &out->issuing_key));
    TRY(certificate_put_pem(buffer_view(&root), &out->root));
    return certificate_put_pem(buffer_view(&issuing), &out->issuing);
}

void authority_drop(struct authority *a)
{
    key_drop(a->issuing_key);
    buffer_drop(&a->issuing);
    buffer_drop(&a->root);
    *a = (struct authority){0};
}

static err read_one(const struct buffer *pem, struct buffer *der)
{
    struct bytes rest = buffer_view(pem);
    return certificate_next_pem(&rest, der);
}

static err check(const struct authority *a, int64_t now_us)
{
    const struct certificate_path root = {buffer_view(&a->root), {NULL, 0}, buffer_view(&a->root), now_us};
    const struct certificate_path issuing = {buffer_view(&a->issuing), {NULL, 0}, buffer_view(&a->root), now_us};
    TRY(certificate_verify(&root));
    TRY(certificate_verify(&issuing));
    return certificate_matches_key(buffer_view(&a->issuing), a->issuing_key);
}

static err load(const struct authority_texts *texts, const struct clock *clock, struct authority *a)
{
    struct certificate_facts facts;
    TRY(read_one(&texts->root, &a->root));
    TRY(read_one(&texts->issuing, &a->issuing));
    TRY(key_read_pem(buffer_view(&texts->issuing_key), (struct bytes){NULL, 0}, &a->issuing_key));
    TRY(check(a, wall_us(clock)));
    TRY(certificate_read(buffer_view(&a->issuing), &facts));
    a->issuing_expires_us = facts.not_after_us;
    return OK;
}

err authority_load(const struct authority_texts *texts, const struct clock *clock, struct authority *out)
{
    *out = (struct authority){.issuing = {.max = CERTIFICATE_MAX}, .root = {.max = CERTIFICATE_MAX}};
    err failed = load(texts, clock, out);
    if (failed)
        authority_drop(out);
    return failed;
}

err authority_put_chain_pem(const struct authority *a, struct buffer *out)
{
    TRY(certificate_put_pem(buffer_view(&a->issuing), out));
    return certificate_put_pem(buffer_view(&a->root), out);
}
