/* The store port on SQLite: one file, "holdfast.db", and its write-ahead log, in a folder of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"
#include "os/log.h"

/* What is read from the pragmas and the tables is in store/schema.c. A commit that returns OK has been through fsync:
 * WAL mode with synchronous=FULL. Nothing but the three files of the database is ever opened, and all of them are open
 * when an opener returns, so a process may give up its right to open files (chroot, Landlock) afterwards. */
struct sqlite_options {
    const char *folder;      /* exists already and is writable; borrowed until the opener returns */
    uint64_t bytes_max;      /* of the database file, rounded down to pages: 0 leaves it to the disk. Past it: ERR_FULL */
    struct log log;          /* what SQLite says about its failures goes there */
};

/* Draws what SQLite would otherwise take from files on first use; before the process enters a sandbox. */
void sqlite_prepare(void);

/* Makes or migrates the database; nobody counts as connected afterwards. One writer at a time, and before any reader:
 * the caller holds the folder's lock (os/file.h). ERR_UNSUPPORTED: the file is no Holdfast database, or was written by
 * a newer release. ERR_FULL: no room on the disk. ERR_IO: damaged or unreadable. Gives; end it with its own `close`. */
MUST err sqlite_writer_open(const struct sqlite_options *options, struct store_writer **out);

/* A reader sees the last commit before each of its calls, never half a batch, and never waits for the writer. The
 * writer was opened first. Gives; end it with its own `close`, before the writer's. */
MUST err sqlite_reader_open(const struct sqlite_options *options, struct store_reader **out);

/* Walks the whole database: OK, or ERR_IO when a page, an index or a reference is damaged. Takes time in proportion to
 * its size. For the writer that sqlite_writer_open gave. */
MUST err sqlite_writer_check(struct store_writer *writer);
