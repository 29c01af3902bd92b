/* What the server knows of a device, apart from its telemetry, documents and events. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FINGERPRINT_TEXT = 65, /* SHA-256 of the SubjectPublicKeyInfo as lower-case hex, with its NUL */
    SERIAL_TEXT = 41,      /* certificate serial number, at most 20 bytes (RFC 5280, 4.1.2.2), as hex, with its NUL */
};

struct device {
    char id[DEVICE_ID_MAX + 1];
    char group[GROUP_MAX + 1];
    int64_t enrolled_us;
    int64_t last_seen_us; /* 0: never; may lag by a few seconds */
    int64_t connected_us; /* since when it holds a session; 0: not connected */
    int64_t certificate_expires_us;
    char certificate_serial[SERIAL_TEXT];
    char key_fingerprint[FINGERPRINT_TEXT];
};

/* The life-cycle state as text, from what stands above: a device is "enrolled" until it was first seen, then "active". */
static inline const char *device_state(const struct device *d)
{
    return d->last_seen_us ? "active" : "enrolled";
}
