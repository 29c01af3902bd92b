/* The keeper's command line: where its folder is and what server certificates may say. No secrets. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "crypto/certificate_order.h"
#include "os/log.h"
#include "os/sandbox.h"

/* Views and texts lend from argv. */
struct keeper_arguments {
    const char *folder;
    struct certificate_name names[CERTIFICATE_NAMES_MAX]; /* DNS names, then addresses */
    size_t name_count;
    enum sandbox_strictness strictness;
    enum log_level log_level;
};

#define KEEPER_USAGE                                                                                                   \
    "usage: holdfast-keeper --folder DIR [--names a,b] [--addresses 192.0.2.7,2001:db8::1]\n"                          \
    "                       [--log-level error|warn|info|debug] [--insecure-without-landlock]\n"                       \
    "Holds the issuing key. Started by holdfastd, which it answers on descriptor 3.\n"                                 \
    "HOLDFAST_ROOT_PASSPHRASE_FILE names a file with the root key's passphrase for the first start;\n"                 \
    "without it, one is made and written beside the root key.\n"

/* ERR_MALFORMED: an argument that is unknown or lacks its value. ERR_TOO_LARGE: over CERTIFICATE_NAMES_MAX names. */
MUST err keeper_arguments_read(int count, char *const *arguments, struct keeper_arguments *out);
