/* The issuer port: certificates from whoever holds the issuing key. The keeper process fills it in production. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/device.h"

enum certificate_profile {
    PROFILE_DEVICE, /* clientAuth, URI urn:holdfast:device:<id>; the default lifetime is 24 hours */
    PROFILE_SERVER, /* serverAuth, the DNS names and addresses that the keeper was started with */
};

struct issue_order {
    enum certificate_profile profile;
    struct bytes device_id;  /* PROFILE_DEVICE */
    struct bytes public_key; /* SubjectPublicKeyInfo in DER, an ECDSA P-256 key; borrowed */
    uint32_t lifetime_s;     /* the keeper caps it by its own table */
};

struct issued {
    struct buffer certificate; /* DER; owned, drop it */
    int64_t expires_us;
    char serial[SERIAL_TEXT];
};

struct issuer {
    /* Blocks for a round trip to another process: for query threads, never for a loop. ERR_REFUSED: the keeper's table
     * does not permit it. */
    err (*issue)(struct issuer *self, const struct issue_order *order, struct issued *out) MUST;
};
