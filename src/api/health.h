/* The health of the running server: whether its store works, and its numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/metric.h"

enum health_store {
    HEALTH_STORE_FAILED = 0, /* the last batch could not be committed */
    HEALTH_STORE_FULL,       /* as before, because the disk has no room */
    HEALTH_STORE_OK,         /* the last batch reached the disk */
};

/* A port: filled by prog/server. Called on query threads, several at a time; reads counts, and never waits for a loop:
 * what is asked when something hangs must not hang. */
struct health_source {
    enum health_store (*store)(struct health_source *self);
    void (*tell)(struct health_source *self, struct metric_rows *rows); /* all numbers, family by family */
};
