/* The machine that is looked at: its files below a root folder, which tests replace by a tree of their own. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { SITE_PATH_MAX = 512 };

struct site {
    const char *root;   /* "" for this machine; no "/" at its end. Borrowed for the life of the site */
    const char *folder; /* where the agent keeps its data: the disk that is measured. Not below root. Borrowed */
};

/* Appends the start of the file, as much as fits into out; out is never spoiled by a file that is longer. `path` is
 * relative: "proc/stat". ERR_ABSENT: there is no such file, nor a device behind it. ERR_IO: it cannot be read. */
MUST err site_read(const struct site *site, const char *path, struct buffer *out);
/* As site_read, into a text without blanks at its ends. A file with a NUL inside counts up to it (device tree). */
MUST err site_read_text(const struct site *site, const char *path, char *out, size_t room);
/* The file for reading piece by piece; the caller closes it. */
MUST err site_open(const struct site *site, const char *path, int *fd_out);
