/* An order for a certificate, and its making. The role alone decides the extensions (RFC 5280, 4.2). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "crypto/certificate.h"

enum { CERTIFICATE_NAMES_MAX = 32 /* subject alternative names of one certificate that we issue */ };

enum certificate_role {
    CERTIFICATE_CLIENT = 0, /* end entity: clientAuth */
    CERTIFICATE_SERVER,     /* end entity: serverAuth */
    CERTIFICATE_ISSUING,    /* authority, path length 0 */
    CERTIFICATE_ROOT,       /* authority, path length 1, signed by its own key */
};

enum certificate_name_kind { CERTIFICATE_NAME_URI, CERTIFICATE_NAME_DNS, CERTIFICATE_NAME_ADDRESS };
struct certificate_name {
    enum certificate_name_kind kind;
    struct bytes text; /* an address as text: "192.0.2.7", "2001:db8::1" */
};

struct certificate_order {
    enum certificate_role role;
    struct bytes common_name;  /* 1 to CERTIFICATE_NAME_MAX bytes of UTF-8 */
    struct bytes organization; /* as common_name, or empty: none */
    struct bytes public_key;   /* SubjectPublicKeyInfo; P-256 or P-384 */
    const struct certificate_name *names;
    size_t name_count;
    int64_t not_before_us, not_after_us; /* cut to whole seconds */
    const struct key *issuer_key;
    struct bytes issuer;     /* the issuer's certificate; ignored for CERTIFICATE_ROOT */
    const struct dice *dice; /* for the serial number: 126 random bits */
};

/* Appends the certificate's DER. ERR_MALFORMED: the order breaks RFC 5280 (a name, the times, the key), the key is not
 * the issuer's, or the certificate would outlive its issuer. ERR_TOO_LARGE: over CERTIFICATE_NAMES_MAX names. */
MUST err certificate_issue(const struct certificate_order *order, struct buffer *out);
