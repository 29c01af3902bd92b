/* The spool: a bounded first-in-first-out queue of messages on disk, for the time without a connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* Messages leave in the order in which they came, each at least once. One that was appended and synced is there after
 * kill -9 and after a power cut. What happens when the bound is reached is its policy's. One thread owns it.
 *
 * On disk: a folder of segment files, only ever appended to and unlinked when everything in them was dropped, and the
 * file `head` that says how far dropping has come. A record that was cut off by a crash is cut away when the
 * spool is opened; a record damaged in the middle costs the rest of its segment, counted in `damaged`. */
struct spool;

enum {
    SPOOL_TOPIC_MAX = 1024,
    SPOOL_PAYLOAD_MAX = 1 << 20,
    SPOOL_BYTES_MIN = 1 << 16, /* the smallest bound */
};

enum spool_policy {
    SPOOL_DROP_OLDEST = 0, /* at the bound the oldest are dropped, and counted */
    SPOOL_REFUSE,          /* at the bound nothing more is taken: spool_append is ERR_FULL. Nothing is ever dropped */
};

struct spool_options {
    const char *folder;   /* made (0700) when it is not there; belongs to one spool and one process */
    uint64_t bytes_max;   /* all waiting records with their heads; the disk holds at most one segment more */
    uint32_t segment_max; /* bytes of a segment file; 0: a sixteenth of bytes_max, at least 4,096 */
    enum spool_policy policy;
};

struct spool_record {
    uint64_t number; /* from 1, counts up by one per message, through restarts; never 0 */
    struct bytes topic;
    struct bytes payload;
};

struct spool_counts {
    uint64_t records;    /* waiting */
    uint64_t bytes;      /* that they take */
    uint64_t overflowed; /* dropped because the bound was reached, since open */
    uint64_t damaged;    /* gaps found: records that were lost to damage on disk, since open */
};

/* Borrows options until it returns; gives. ERR_EXISTS: another process has it open. ERR_FULL, ERR_IO: the disk has no
 * room, or failed. ERR_REFUSED: bytes_max under SPOOL_BYTES_MIN, segment_max under 4,096 or under a thousandth of it.
 */
MUST err spool_open(const struct spool_options *options, struct spool **out);
void spool_close(struct spool *spool); /* takes, syncs what it can. NULL is fine */

/* Copies the message behind the last. ERR_TOO_LARGE: over a bound above. ERR_FULL: the disk has no room, or the
 * bound is reached and the policy SPOOL_REFUSE; ERR_IO: the disk failed; nothing was appended then, and a later call
 * may succeed. Not durable before spool_sync returned OK. */
MUST err spool_append(struct spool *spool, struct bytes topic, struct bytes payload);
MUST err
spool_sync(struct spool *spool); /* fsync; ERR_IO or ERR_FULL: what was appended since the last one is in doubt */

/* Walks from the oldest: spool_next lends the record until the next call of any function here; ERR_ABSENT when none is
 * left now. Dropped records are stepped over. spool_rewind goes back to the oldest that is left. */
MUST err spool_next(struct spool *spool, struct spool_record *out);
void spool_rewind(struct spool *spool);

/* Lends the record `number` out of order, as spool_next does, without moving the walk; its cost grows with the distance
 * to the oldest. ERR_ABSENT: it was dropped, or never there. */
MUST err spool_find(struct spool *spool, uint64_t number, struct spool_record *out);

/* Removes every record up to and including `number`. It is remembered without fsync: after a power cut some may come
 * again. Unknown or former numbers are fine. ERR_IO: they are gone for this process and may come again for the next. */
MUST err spool_drop(struct spool *spool, uint64_t number);

void spool_read_counts(const struct spool *spool, struct spool_counts *out);
