/* fuzz: base crypto wire core trust */
/* Any bytes as a message of the keeper's channel: refused, or the same again after encoding. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/keeper_protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(struct bytes in, err encoded, const struct buffer *out)
{
    if (encoded || !bytes_equal(in, buffer_view(out)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes in = bytes_of(data, size);
    SCOPED(buffer_drop) struct buffer request_again = {.max = KEEPER_REQUEST_MAX};
    SCOPED(buffer_drop) struct buffer answer_again = {.max = KEEPER_ANSWER_MAX};
    struct keeper_request request;
    struct keeper_answer answer;
    if (keeper_request_decode(in, &request) == OK)
        same_again(in, keeper_request_encode(&request, &request_again), &request_again);
    if (keeper_answer_decode(in, &answer) == OK)
        same_again(in, keeper_answer_encode(&answer, &answer_again), &answer_again);
    return 0;
}
