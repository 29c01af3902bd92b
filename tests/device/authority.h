/* An authority of two floors, for tests: a root, and under it one that issues. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "crypto/certificate_order.h"
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define AUTHORITY_DAY_US (86400 * 1000000LL)

struct authority {
    int64_t now_us;
    struct key *root_key, *issuing_key;
    struct buffer root, issuing; /* DER */
};

struct authority_order {
    enum certificate_role role;
    const struct key *subject;
    const struct certificate_name *name; /* NULL: none */
};

/* Authorities are valid for a day before and ten days behind now, everybody else for one day from now. */
static inline void authority_issue(const struct authority *a, const struct authority_order *order, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer public = {.max = KEY_PUBLIC_MAX};
    const bool is_end = order->role == CERTIFICATE_CLIENT || order->role == CERTIFICATE_SERVER;
    assert_null(key_put_public(order->subject, &public));
    const struct certificate_order whole = {
        .role = order->role,
        .common_name = BYTES("somebody"),
        .public_key = buffer_view(&public),
        .names = order->name,
        .name_count = order->name ? 1 : 0,
        .not_before_us = a->now_us - (is_end ? 0 : AUTHORITY_DAY_US),
        .not_after_us = a->now_us + (is_end ? AUTHORITY_DAY_US : 10 * AUTHORITY_DAY_US),
        .issuer_key = is_end ? a->issuing_key : a->root_key,
        .issuer = buffer_view(is_end ? &a->issuing : &a->root),
        .dice = machine_dice(),
    };
    out->max = CERTIFICATE_MAX;
    assert_null(certificate_issue(&whole, out));
}

static inline void authority_open(struct authority *a, int64_t now_us)
{
    a->now_us = now_us;
    assert_null(key_generate(KEY_P256, &a->root_key));
    assert_null(key_generate(KEY_P256, &a->issuing_key));
    authority_issue(a, &(struct authority_order){CERTIFICATE_ROOT, a->root_key, NULL}, &a->root);
    authority_issue(a, &(struct authority_order){CERTIFICATE_ISSUING, a->issuing_key, NULL}, &a->issuing);
}

static inline void authority_close(struct authority *a)
{
    key_drop(a->root_key);
    key_drop(a->issuing_key);
    buffer_drop(&a->root);
    buffer_drop(&a->issuing);
}
