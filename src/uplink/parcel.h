/* The parcel: a PUBLISH as it waits in a spool, with all that the other side shall see of it. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/spool.h"
#include "wire/mqtt.h"

/* As a record's payload: a 1, flags (1 byte: 1 QoS 1, 2 retain), when it expires (8, microseconds since 1970, 0:
 * never), the length of its properties (4), properties as they came (MQTT 5.0, 2.2.2), payload. Network order. */
enum { PARCEL_HEAD = 14 };

/* Appends. Of the properties all go along but those that belong to the connection alone: topic alias and subscription
 * identifier. Expiry counts from now_us. Topic and packet identifier are not in it. */
void put_parcel(struct buffer *out, const struct mqtt_publish *publish, int64_t now_us);

/* Fills all of *out but topic and packet identifier; borrows from in. Its expiry is what is left of it. ERR_EXPIRED:
 * nothing is left. ERR_MALFORMED: no parcel. */
MUST err parcel_read(struct bytes in, int64_t now_us, struct mqtt_publish *out);
