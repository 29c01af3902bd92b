/* Enrolment tokens: made by an operator for a group, good for some uses and some minutes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "core/write.h"

enum { TOKEN_USES_MAX = 100000, TOKEN_MINUTES_MAX = 43200 /* 30 days */ };

struct token_order {
    struct bytes group;   /* as id_is_valid() */
    uint64_t uses;        /* 1 to TOKEN_USES_MAX */
    uint64_t minutes;     /* 1 to TOKEN_MINUTES_MAX */
    struct bytes made_by; /* the operator's name */
};

/* Fills what the store keeps, and the text that is shown once. ERR_MALFORMED says which part of the order is wrong. */
MUST err token_make(const struct token_order *order, const struct clock *clock, const struct dice *dice,
                    struct token *out, struct secret *text);

/* OK: alive at now_us. ERR_EXPIRED, or ERR_REFUSED when its uses are spent. A first answer only: the authority is
 * WRITE_ENROLMENT, which spends. */
MUST err token_check(const struct token *token, int64_t now_us);
