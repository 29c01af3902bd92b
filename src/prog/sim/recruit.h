/* Enrolment of a whole fleet over EST, by several threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/count.h"
#include "prog/sim/vault.h"

/* Everything borrowed. */
struct recruit_order {
    const char *folder;
    const char *server;    /* "https://host:8443" */
    struct bytes root_pem; /* or empty, and then */
    const char *ca_sha256; /* its SHA-256 in hex */
    const char *token;
    const char *prefix; /* of the units' ids */
    uint64_t units;     /* all of them: those that have an identity keep it, or renew it when it ends soon */
    unsigned threads;   /* 1 to VAULT_FILES */
};

/* Read by whoever shows progress, while it runs. */
struct recruit_counts {
    struct counter kept, enrolled, renewed, failed;
    struct counter abandon; /* raise it to end early */
};

/* Returns when all are done or one thing failed for good: then why says what, and what was enrolled so far is kept. */
MUST err recruit(const struct recruit_order *order, struct recruit_counts *counts, char why[WHY_TEXT]);
