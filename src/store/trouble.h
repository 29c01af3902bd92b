/* Whether the store commits, and what is still to be said about it. No thread, no store: the clerk tells it how batches
 * went, and asks which events the next batch shall carry. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/event.h"
#include "store/clerk.h"

enum {
    TROUBLE_NOTES_MAX = 8, /* events that wait for a commit; a change of state beyond is logged only */
    TROUBLE_QUIET_MS = 1000, /* without a failed batch, before the store counts as recovered: a disk that is almost full
                                takes small batches and fails large ones, which is one trouble and not a hundred */
};

struct note {
    enum event_kind kind;
    int64_t time_us;
    err why;          /* store.full and store.failed */
    uint64_t refused; /* store.recovered: writes that were rolled back meanwhile */
};

/* {0} is a store that commits. */
struct trouble {
    enum clerk_state state;
    err why;
    int64_t since_us;
    int64_t last_ms; /* when the last batch failed, by the monotonic clock */
    uint64_t refused;
    struct note notes[TROUBLE_NOTES_MAX];
    size_t count;
};

struct moment {
    int64_t wall_us, monotonic_ms;
};

/* A batch of so many writes was rolled back. True when the state changed: worth a line in the log. */
bool trouble_failed(struct trouble *t, struct moment now, err why, size_t writes);
/* The notes that a batch shall carry if it starts now, into out; returns how many. */
size_t trouble_notes(const struct trouble *t, struct moment now, struct note out[TROUBLE_NOTES_MAX + 1]);
/* The batch that carried these notes is on the disk. True when the state changed. */
bool trouble_passed(struct trouble *t, const struct note *notes, size_t count);

/* The note as an event without an id. Its detail is written into `detail`, which lends it. */
MUST err note_event(const struct note *note, struct buffer *detail, struct event *out);
