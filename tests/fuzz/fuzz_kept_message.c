/* fuzz: store */
/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a kept message: what is read keeps every bound, and written again it is the same bytes. */
#include "store/kept_message.h"

#include "core/topic.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(int claim)
{
    if (!claim)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(buffer_drop) struct buffer again = {.max = KEPT_MESSAGE_MAX};
    struct message *message;
    if (kept_message_read(bytes_of(data, size), &message))
        return 0;
    hold(message->qos <= 2 && message->expires_us >= 0 && !topic_check_name(message->topic));
    hold(message->payload.len <= PAYLOAD_MAX && message->properties.len <= PAYLOAD_MAX);
    hold(!kept_message_write(message, &again));
    hold(bytes_equal(buffer_view(&again), bytes_of(data, size)));
    message_drop(message);
    return 0;
}
