/* The keeper's folder: the authority on disk.
 *
 *   issuing-key.pem, issuing.pem, root.pem    what the keeper works with
 *   offline/                                  the root key, its passphrase and a README: to be taken away
 *   unfinished                                stands there while the first start writes; whatever a crash then left is
 *                                             written again, for nothing has been issued from it
 *
 * A folder that lacks one of the first three without being unfinished is refused, never filled up again: a new root
 * would lock out every device. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "os/log.h"
#include "trust/authority.h"

/* Everything borrowed. */
struct keeper_folder {
    const char *path;
    const char *passphrase_file; /* NULL: a passphrase is made, and written beside the root key */
    const struct clock *clock;
    const struct dice *dice;
    const struct log *log;
};

/* Loads the authority, after making it when the folder is new. ERR_REFUSED: a key file that others may read, that
 * belongs to somebody else or is no plain file; also what authority_load refuses. ERR_ABSENT: a part is missing. */
MUST err keeper_folder_load(const struct keeper_folder *folder, struct authority *out);
