/* A principal is whoever a handshake proved. It never comes from a payload. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/limits.h"

enum principal_kind {
    PRINCIPAL_NOBODY = 0, /* nothing was proved */
    PRINCIPAL_DEVICE,     /* a certificate of ours with urn:holdfast:device:<id> */
    PRINCIPAL_OPERATOR,   /* a signed-in person */
    PRINCIPAL_ANONYMOUS,  /* a client of a plain port: nothing could be proved, and the settings may let it in */
};

struct principal {
    enum principal_kind kind;
    char id[DEVICE_ID_MAX + 1]; /* the device id, or the operator's name; "" for the others */
};

#define DEVICE_URI "urn:holdfast:device:"

/* 1 to DEVICE_ID_MAX of A-Z a-z 0-9 . _ - and the first a letter or a digit: safe in topics, paths, URIs and file
 * names. Groups and operator names obey the same rule. */
bool id_is_valid(struct bytes id);
/* ERR_MALFORMED when id breaks the rule above. */
MUST err principal_set(struct principal *p, enum principal_kind kind, struct bytes id);
/* Whether p may hear of this topic at all, whatever wildcard of its own matches it: the anonymous hear nothing of
 * devices. */
bool principal_may_hear(const struct principal *p, struct bytes topic);
