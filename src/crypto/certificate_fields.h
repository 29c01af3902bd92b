/* A certificate taken apart where it lies (RFC 5280, 4.1), without a look into its key. OpenSSL 3.0 decodes the key of
 * each certificate that it reads, which takes a tenth of a millisecond: thirty times what all of this does. For this
 * room alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/der.h"

/* Views of the certificate. */
struct certificate_fields {
    struct bytes serial;     /* 1 to 20 bytes, the first not zero: a positive number */
    struct der from, until;  /* UTCTime or GeneralizedTime, not looked into */
    struct bytes subject;    /* the contents of its Name, not looked into */
    struct bytes public_key; /* the whole SubjectPublicKeyInfo */
    struct bytes names;      /* what the subject alternative name's extension wraps; empty: there is none */
};

/* Strict DER down to these fields. ERR_MALFORMED: no certificate, bytes behind it, a serial number that RFC 5280 does
 * not allow (4.1.2.2), or alternative names twice (4.2). Nothing is verified. */
MUST err certificate_take_apart(struct bytes der, struct certificate_fields *out);

/* A Time (4.1.2.5): in UTC, with seconds, a day that there is. */
MUST err certificate_date(struct der time, int64_t *us_out);
/* The common name of a subject. ERR_ABSENT: none. ERR_MALFORMED: several, or one that is empty, does not fit, holds a
 * NUL, or is neither UTF-8 nor ASCII. */
MUST err certificate_common_name(struct bytes subject, char *out, size_t room);
