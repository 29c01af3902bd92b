/* The policy: who may do what where. Rows of data, read top to bottom; what no row allows is denied. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/flow.h"

/* Today's policy is the built-in one: a device publishes and watches below devices/<its id>/ only, an operator watches
 * devices and events and calls the API, and nobody else does anything but what is open to anybody. A constant. */
const struct rule *policy_built_in(void);
