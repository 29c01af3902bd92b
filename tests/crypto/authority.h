/* A small authority for tests: root and issuing certificate of random keys, valid around TEST_NOW_US. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "crypto/fixture.h"

struct test_authority {
    struct test_dice dice;
    struct key *root_key, *issuing_key;
    struct buffer root, issuing; /* DER */
};

static inline err test_authority_issue(struct test_authority *a, struct certificate_order order, const struct key *of,
                                       struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer public_key = {.max = KEY_PUBLIC_MAX};
    TRY(key_put_public(of, &public_key));
    order.public_key = buffer_view(&public_key);
    order.dice = &a->dice.dice;
    if (!order.not_after_us) {
        order.not_before_us = TEST_NOW_US - DAY_US;
        order.not_after_us = TEST_NOW_US + 30 * DAY_US;
    }
    return certificate_issue(&order, out);
}

static inline void test_authority_open(struct test_authority *a)
{
    *a = (struct test_authority){
        .dice = TEST_DICE(1), .root = {.max = CERTIFICATE_MAX}, .issuing = {.max = CERTIFICATE_MAX}};
    assert_ok(key_generate(KEY_P384, &a->root_key));
    assert_ok(key_generate(KEY_P256, &a->issuing_key));
    const struct certificate_order root = {
        .role = CERTIFICATE_ROOT, .common_name = BYTES("Test root"), .issuer_key = a->root_key};
    assert_ok(test_authority_issue(a, root, a->root_key, &a->root));
    const struct certificate_order issuing = {.role = CERTIFICATE_ISSUING,
                                              .common_name = BYTES("Test issuing"),
                                              .issuer_key = a->root_key,
                                              .issuer = buffer_view(&a->root)};
    assert_ok(test_authority_issue(a, issuing, a->issuing_key, &a->issuing));
}

static inline void test_authority_close(struct test_authority *a)
{
    key_drop(a->root_key);
    key_drop(a->issuing_key);
    buffer_drop(&a->root);
    buffer_drop(&a->issuing);
}
