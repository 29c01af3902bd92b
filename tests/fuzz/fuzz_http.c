/* fuzz: wire */
/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, whole and byte by byte: both readings must agree, and what is taken must be what http.h promises. */
#include "wire/http.h"

#include "base/buffer.h"
#include "wire/http_fields.h"
#include "wire/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(int claim)
{
    if (!claim)
        abort();
}

static void check_promises(const struct http_request *r)
{
    hold(r->method < HTTP_METHODS && r->minor <= 1);
    hold(r->path.len && r->path.at[0] == '/');
    hold(r->header_count <= HTTP_HEADERS_MAX);
    hold(r->minor == 0 || r->host.len);
    for (size_t i = 0; i < r->header_count; i++) {
        hold(r->headers[i].name.len > 0);
        for (size_t k = 0; k < r->headers[i].name.len; k++)
            hold(r->headers[i].name.at[k] > 0x20 && (r->headers[i].name.at[k] < 'A' || r->headers[i].name.at[k] > 'Z'));
        for (size_t k = 0; k < r->headers[i].value.len; k++)
            hold(r->headers[i].value.at[k] >= 0x20 || r->headers[i].value.at[k] == '\t');
    }
}

static void put_view(struct buffer *said, struct bytes view)
{
    put_u32(said, (uint32_t)view.len);
    put_bytes(said, view);
}

/* Everything that a caller can see of a request. */
static void say(struct buffer *said, const struct http_request *r)
{
    put_u8(said, (uint8_t)r->method);
    put_u8(said, (uint8_t)(r->minor << 2 | r->keep_alive << 1 | r->upgrade));
    put_view(said, r->host);
    put_view(said, r->path);
    put_view(said, r->query);
    put_view(said, r->body);
    for (size_t i = 0; i < r->header_count; i++) {
        put_view(said, r->headers[i].name);
        put_view(said, r->headers[i].value);
    }
}

static void read_fields(const struct http_request *r)
{
    static const char *const protocols[] = {"mqtt", NULL};
    SCOPED(buffer_wipe) struct buffer room = {.max = 256};
    struct websocket_offer offer;
    struct http_range range;
    struct http_basic basic;
    for (size_t i = 0; i < r->header_count; i++) {
        struct bytes value = r->headers[i].value;
        if (http_range(value, 1000, &range) == HTTP_RANGE_PART)
            hold(range.length && range.first < 1000 && range.length <= 1000 - range.first);
        if (!http_basic(value, &room, &basic))
            hold(basic.name.len + basic.password.len + 1 == room.len);
        (void)http_cookie(value, "a");
        (void)http_bearer(value);
        (void)http_none_match_hits(value, BYTES("\"a\""));
        (void)http_accepts_coding(value, "gzip");
    }
    IGNORE(websocket_offer(r, protocols, &offer));
}

static void read_all(struct bytes in, size_t step, struct buffer *said)
{
    struct http_parser *p = http_parser_make(4096);
    hold(p != NULL);
    while (in.len) {
        size_t used;
        err e = http_request_feed(p, bytes_first(in, step), &used);
        hold(used <= in.len && used <= step);
        hold((e != OK) == (http_parser_status(p) != 0));
        in = bytes_from(in, used);
        if (e)
            break;
        if (http_parser_stage(p) != HTTP_WHOLE) {
            hold(used > 0);
            continue;
        }
        check_promises(http_request(p));
        read_fields(http_request(p));
        say(said, http_request(p));
        http_parser_next(p);
    }
    put_u32(said, http_parser_status(p));
    http_parser_drop(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(buffer_drop) struct buffer whole = {.max = SIZE_MAX / 4};
    SCOPED(buffer_drop) struct buffer pieces = {.max = SIZE_MAX / 4};
    read_all(bytes_of(data, size), SIZE_MAX, &whole);
    read_all(bytes_of(data, size), 1, &pieces);
    hold(bytes_equal(buffer_view(&whole), buffer_view(&pieces)));
    return 0;
}
