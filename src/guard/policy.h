/* The policy: who may do what where. Rows of data, read top to bottom; what no row allows is denied. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/flow.h"

/* Today's policy is the built-in one: a device publishes and watches below devices/<its id>/ only, an operator watches
 * everything but what begins with $ (of that, the events) and calls the API, and nobody else does anything but what is
 * open to anybody. Two rows stand only where the settings ask for them. */
enum policy_options {
    POLICY_STRICT = 0,
    POLICY_ANONYMOUS = 1 << 0, /* clients of the plain ports use all topics but devices/ and $holdfast/ */
};

struct policy {
    struct rule rule;
    enum policy_options options;
    const char *bridges; /* ids of devices with blanks between; borrowed */
};

/* Readies a policy, which is immutable from then on. `bridges`: devices that carry the messages of other brokers: they
 * watch everything but what begins with $, and publish everything but $holdfast/ and what is below devices/ of others. */
void policy_open(struct policy *policy, enum policy_options options, const char *bridges);
const struct rule *policy_built_in(void); /* a constant: strict, and without bridges */
