/* fuzz: api */
/* SPDX-License-Identifier: Apache-2.0 */
/* Any path, query and body: an answer, never a crash, and JSON whenever it says so. The input is the method's number,
 * the principal's, the target up to a line feed, then the body. */
#include "../api/ports.h"

#include "base/bytes.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct answer *answer)
{
    if (strcmp(answer->content_type, "application/json") || !answer->body.len)
        return;
    json_t *json = json_loadb((const char *)answer->body.at, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        __builtin_trap();
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct call_header headers[] = {{BYTES("content-type"), BYTES("application/json")}};
    struct bytes rest = bytes_of(data, size);
    struct reader r = reader_over(bytes_first(rest, 2));
    struct call call = {.headers = headers, .header_count = 1};
    struct ports ports;
    struct answer answer;
    ports_open(&ports);
    call.method = read_u8(&r) % METHODS;
    call.who.kind = read_u8(&r) % 3;
    memcpy(call.who.id, "ada", 4);
    rest = bytes_from(rest, 2);
    call.query = bytes_cut(&rest, '\n');
    call.path = bytes_cut(&call.query, '?');
    call.body = rest;
    answer_open(&answer);
    api_answer(&ports.api, &call, &answer);
    check_json(&answer);
    answer_drop(&answer);
    return 0;
}
