/* Enrolment and renewal, whole: from nothing, or from an old certificate, to new credentials on disk. Blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "device/credentials.h"
#include "device/est_client.h"

enum enrol_key {
    ENROL_ONCE = 0, /* a folder that holds an identity is left alone; a key without a certificate is used */
    ENROL_ANEW,     /* a new key, and what the folder held is replaced once the server has agreed */
};

/* Everything borrowed. */
struct enrol_order {
    const char *folder;
    struct bytes server;    /* "https://host:8443" */
    struct bytes id;
    const char *token;
    struct bytes ca_pem;    /* the root certificate; or empty, and then */
    const char *ca_sha256;  /* its SHA-256 in hex */
    enum enrol_key key;
    const struct clock *clock;
};

/* Fills *out, which the caller drops, when OK. Nothing but key.pem is written before the server has agreed. Every error
 * fills why. ERR_EXISTS: the folder is enrolled, and order->key is ENROL_ONCE. ERR_REFUSED: the server said no, or is
 * not the one that the root or pin says. */
MUST err device_enrol(const struct enrol_order *order, struct credentials *out, char why[WHY_TEXT]);

/* Everything borrowed. */
struct renew_order {
    const char *folder;
    int64_t now_us;                /* by the server's clock, as far as it is known */
    const struct counter *abandon; /* may be NULL */
};

/* Asks for a new certificate for the same key and writes it; *c then holds it. On an error *c and the folder are as they
 * were. ERR_REFUSED: the server does not know this device any more, or its certificate has expired. */
MUST err device_renew(const struct renew_order *order, struct credentials *c, char why[WHY_TEXT]);
