/* What the settings name for the other broker: certificates, a key, a password. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls.h"
#include "prog/bridge/settings.h"

struct remote_access {
    struct tls_context *tls; /* NULL: plain */
    struct secret password;  /* len 0: none */
};

/* Reads them all. Every error fills why with the setting, the file and what is wrong with it: absent, readable by
 * others than its owner (keys and passwords), not PEM, a key that does not belong to its certificate. */
MUST err remote_access_read(const struct bridge_settings *set, struct remote_access *out, char why[WHY_TEXT]);
void remote_access_drop(struct remote_access *a); /* for SCOPED; wipes the password */
