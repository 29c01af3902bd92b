/* A principal is whoever a handshake proved. It never comes from a payload. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/limits.h"

enum principal_kind {
    PRINCIPAL_NOBODY = 0, /* nothing was proved */
    PRINCIPAL_DEVICE,     /* a certificate of ours with urn:holdfast:device:<id> */
    PRINCIPAL_OPERATOR,   /* a signed-in person */
};

struct principal {
    enum principal_kind kind;
    char id[DEVICE_ID_MAX + 1]; /* the device id, or the operator's name; "" for nobody */
};

#define DEVICE_URI "urn:holdfast:device:"

/* 1 to DEVICE_ID_MAX of A-Z a-z 0-9 . _ - and the first a letter or a digit: safe in topics, paths, URIs and file
 * names. Groups and operator names obey the same rule. */
bool id_is_valid(struct bytes id);
/* ERR_MALFORMED when id breaks the rule above. */
MUST err principal_set(struct principal *p, enum principal_kind kind, struct bytes id);
