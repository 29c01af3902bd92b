/* Topic names and filters (MQTT 5.0, 4.7), also those of other protocols that publish. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/limits.h"

MUST err
topic_check_name(struct bytes name); /* 1 to TOPIC_MAX bytes of UTF-8, no wildcard, no U+0000, levels bounded */
/* The bounds of ours alone, for a name whose text and characters were checked when it was decoded. */
MUST err topic_check_bounds(struct bytes name);
MUST err topic_check_filter(struct bytes filter); /* as above; "+" a whole level, "#" the whole last level. A share is
                                                   * checked with what stands in it */
/* Both are well-formed. A wildcard in the first level does not match names that start with "$" (4.7.2). */
bool topic_matches(struct bytes filter, struct bytes name);

/* The parts of "$share/{name}/{filter}" (4.8.2). OK with an empty name: the filter is not shared, and is `filter`
 * itself. ERR_MALFORMED: it begins with "$share/" and breaks its rules. What stands behind the name is not checked
 * here. */
struct topic_share {
    struct bytes name, filter;
};
MUST err topic_share(struct bytes filter, struct topic_share *out);

/* The parts of "devices/{id}/{rest}". False when the name is none of ours. */
struct device_topic {
    struct bytes id, rest;
};
bool topic_is_device(struct bytes name, struct device_topic *out);
