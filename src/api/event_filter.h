/* Which events somebody wants: the parameters that listings and streams share. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/route.h"

struct event_filter {
    struct bytes device; /* lent from the visit; empty: of all */
    bool one_kind;
    enum event_kind kind; /* when one_kind */
    enum severity at_least;
};

/* Reads the parameters device, kind and severity; a bad one is refused by name. */
MUST err event_filter_read(struct visit *v, struct event_filter *out);
