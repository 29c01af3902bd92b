/* The database of installed Debian packages, /var/lib/dpkg/status, read piece by piece. Pure. Machines with rpm, apk or
 * another package manager have no such file; their packages are not listed. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum {
    DPKG_FIELD_MAX = 127, /* bytes of a name or version that we keep; Debian's longest are under 100 */
    DPKG_LINE_MAX = 255,  /* bytes of a line that we look at; longer lines are none of those that we want */
};

struct dpkg_package {
    char name[DPKG_FIELD_MAX + 1];
    char version[DPKG_FIELD_MAX + 1];
};

/* Zero but for `found` is the state before the first byte. */
struct dpkg_reader {
    /* Called for each package that is installed, in the file's order; lends the package until it returns. */
    void (*found)(struct dpkg_reader *self, const struct dpkg_package *package);
    uint64_t unreadable; /* stanzas of installed packages without a usable name or version */

    /* The reader's own. */
    struct dpkg_package package;
    bool installed;
    size_t line_len;
    char line[DPKG_LINE_MAX];
};

void dpkg_feed(struct dpkg_reader *r, struct bytes piece);
void dpkg_finish(struct dpkg_reader *r); /* the file ended: the last stanza needs no empty line */
