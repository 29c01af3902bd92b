/* Who the process is to the kernel: giving up root for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct identity {
    uid_t uid;
    gid_t gid;
};

MUST err identity_find(const char *user, struct identity *out); /* a user's name; ERR_ABSENT: there is none */
/* Makes folder the root of the file tree, and the working folder. Needs root; before identity_drop. */
MUST err identity_confine(const char *folder);
/* Becomes who, without further groups, and checks that there is no way back. ERR_REFUSED: who is root, or the process
 * may not change. A process that is who already (and was never root) keeps its groups and is OK. */
MUST err identity_drop(const struct identity *who);
