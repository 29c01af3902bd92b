/* Files: whole reads with a bound, atomic replacement, folders, locks. Paths are given by our own settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

#include <sys/types.h>

void fd_close(const int *fd); /* for SCOPED(fd_close) int fd; closes when >= 0 */
int fd_give(int *fd);         /* the descriptor; *fd becomes -1, so that its scope does not close it */

MUST err file_read(const char *path, struct buffer *out); /* appends; out's bound is the file's. ERR_ABSENT: no file */
/* Writes path's whole new content: into `path.new`, fsync, rename, fsync of the folder. mode such as 0600. ERR_FULL: no
 * room; the old file is untouched whatever fails before the rename. Writers of one path wait for each other. */
MUST err file_replace(const char *path, struct bytes content, mode_t mode);
/* As file_replace, but ERR_EXISTS when the file is there already. */
MUST err file_create(const char *path, struct bytes content, mode_t mode);
MUST err file_remove(const char *path); /* and syncs the folder: it does not come back after a power cut */
/* What changes whenever somebody writes or replaces the file. {0}: there is no such file. */
struct file_mark {
    int64_t changed_ns;
    uint64_t size, number;
};
struct file_mark file_mark(const char *path);
bool file_exists(const char *path);
MUST err folder_make(const char *path, mode_t mode); /* and its parents (0755); there already is OK */
/* Holds an exclusive lock on path until the descriptor is closed. ERR_EXISTS: another process holds it. */
MUST err file_lock(const char *path, int *fd_out);
