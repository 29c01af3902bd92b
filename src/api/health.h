/* The health of the running server, as numbers that the programs' composition fills in. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

enum health_store {
    HEALTH_STORE_FAILED = 0, /* the last batch could not be committed */
    HEALTH_STORE_FULL,       /* as before, because the disk has no room */
    HEALTH_STORE_OK,         /* the last batch reached the disk */
};

#define HEALTH(name, type, sentence) uint64_t name;
struct health {
    enum health_store store;
#include "api/health.def"
};
#undef HEALTH

/* A port: filled by prog/server. Called on query threads, several at a time: it reads counts, and never waits. */
struct health_source {
    void (*read)(struct health_source *self, struct health *out); /* fills every field */
};
