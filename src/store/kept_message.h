/* A message as the stores keep it: a few numbers, then the bytes it is made of. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/limits.h"
#include "core/message.h"

/*   u8 version, u8 QoS and flags, u64 expires_us, u16 length of the topic, u32 length of the properties,
 *   topic, properties, payload to the end
 *
 * What a message means only while its server runs (number, source) is not kept. */
enum { KEPT_MESSAGE_MAX = 16 + TOPIC_MAX + 2 * PAYLOAD_MAX };

/* Replaces what is in out, whose `max` is KEPT_MESSAGE_MAX. ERR_REFUSED: larger than is kept. ERR_MEMORY. */
MUST err kept_message_write(const struct message *message, struct buffer *out);
/* Gives. ERR_MALFORMED: these bytes were not written by us, or were changed since. ERR_MEMORY. */
MUST err kept_message_read(struct bytes in, struct message **out);
