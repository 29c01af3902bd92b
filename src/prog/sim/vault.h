/* The fleet's identities on disk, so that a later run is the same fleet. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/limits.h"
#include "wire/why.h"

/* FOLDER/root.pem          the root that the server must chain to
 * FOLDER/authorities.pem   the authorities above the units' certificates
 * FOLDER/units.0 ... .15   blocks of a line "unit NUMBER ID", the unit's key and its certificate, both in PEM; the last
 * block of a unit counts; unit N is in file N % 16. A file has one writer at a time and is only appended to; a block
 * that was cut off is cut away before the next. Thousands of files of one key each would be the slow way to do this.
 * All of it is secret: mode 0600. */
enum { VAULT_FILES = 16 };

struct vault;

/* Lent by the vault. */
struct vault_identity {
    char id[DEVICE_ID_MAX + 1];
    struct bytes key_pem, leaf_pem;
};

/* Reads all of it. An empty or absent folder is an empty vault. Gives. */
MUST err vault_open(const char *folder, struct vault **out, char why[WHY_TEXT]);
void vault_close(struct vault *v);                     /* takes; wipes; NULL is fine */
struct bytes vault_root(const struct vault *v);        /* PEM; empty: nobody has enrolled */
struct bytes vault_authorities(const struct vault *v); /* PEM */
uint64_t vault_count(const struct vault *v);           /* units 0 to count - 1 have an identity */
MUST err vault_find(const struct vault *v, uint64_t unit, struct vault_identity *out); /* ERR_ABSENT */

MUST err vault_keep_authorities(const char *folder, struct bytes root_pem, struct bytes authorities_pem);
/* The file of these units, for appending; the caller closes it. */
MUST err vault_append_begin(const struct vault *v, const char *folder, unsigned file, int *fd_out);
MUST err vault_append(int fd, uint64_t unit, const struct vault_identity *identity);
MUST err vault_append_end(int fd); /* on the disk now */
