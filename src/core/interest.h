/* Interest: which topics somebody on one loop may want, as a summary that every loop can read without asking. It is a
 * counted Bloom filter over the first one or two levels of the filters there: it may say yes for nothing, and never no
 * for something. One loop writes, all read. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "base/count.h"

enum { INTEREST_ONE = 1024, INTEREST_TWO = 16384 };

struct interest {
    struct counter total;
    struct counter any;               /* filters whose first level is a wildcard */
    struct counter one[INTEREST_ONE]; /* by a plain first level, when no plain second one follows */
    struct counter two[INTEREST_TWO]; /* by two plain levels */
};

void interest_add(struct interest *i, struct bytes filter);    /* without its share */
void interest_remove(struct interest *i, struct bytes filter); /* one that was added */
bool interest_has(const struct interest *i, struct bytes topic);
