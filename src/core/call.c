/* Calls: headers and answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/call.h"

static const char *const methods[METHODS] = {
    [METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

const char *call_method_text(enum call_method method)
{
    return methods[method];
}

struct bytes call_header(const struct call *call, const char *lower_case_name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (bytes_is(call->headers[i].name, lower_case_name))
            return call->headers[i].value;
    return (struct bytes){NULL, 0};
}

void answer_open(struct answer *answer)
{
    *answer = (struct answer){200, "application/json", {.max = ANSWER_BODY_MAX}, {.max = 4096}};
}

void answer_drop(struct answer *answer)
{
    buffer_drop(&answer->body);
    buffer_drop(&answer->headers);
}

void answer_header(struct answer *answer, const char *name, const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            answer->headers.spoiled = true;
            return;
        }
    put_format(&answer->headers, "%s: %s\r\n", name, value);
}
