/* Answers out: whole ones, problems, and the console's files with their conditions and ranges. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/http_speaker.h"

#include "base/text.h"

enum { HEAD_MAX = 16384 };

struct reply {
    unsigned status;
    const char *content_type;
    struct bytes lines, body;
};

/* Forgets the present request. */
static void next(struct http_speaker *h)
{
    http_parser_next(h->parser);
    h->phase = HTTP_READING;
    h->speaker.line->calls->patience(h->speaker.line, h->lobby->limits->idle_ms);
}

static bool keeps_alive(const struct http_speaker *h)
{
    return http_parser_stage(h->parser) == HTTP_WHOLE && http_request(h->parser)->keep_alive;
}

static void send(struct http_speaker *h, const struct reply *reply)
{
    SCOPED(buffer_drop) struct buffer out = {.max = HEAD_MAX};
    bool head_only = http_parser_stage(h->parser) == HTTP_WHOLE && h->inquiry.call.method == METHOD_HEAD;
    bool stays = keeps_alive(h);
    if (reply->status >= 400)
        counter_raise(&h->lobby->counts->http_refused, 1);
    http_put_head(&out, &(struct http_head){.status = reply->status,
                                            .now_us = wall_us(loop_clock(h->lobby->loop)),
                                            .connection = stays ? HTTP_KEEP_ALIVE : HTTP_CLOSE,
                                            .length = reply->body.len,
                                            .content_type = reply->content_type,
                                            .lines = reply->lines});
    if (buffer_finish(&out)) {
        line_end(h->speaker.line);
        return;
    }
    line_send(h->speaker.line, buffer_view(&out));
    if (!head_only && reply->status != 204 && reply->status != 304)
        line_send(h->speaker.line, reply->body);
    if (stays) {
        next(h);
        return;
    }
    h->phase = HTTP_OVER;
    line_end(h->speaker.line);
}

void http_reply(struct http_speaker *h, const struct answer *answer)
{
    SCOPED(buffer_drop) struct buffer lines = {.max = HEAD_MAX};
    if (answer->body.spoiled || answer->headers.spoiled) {
        http_refuse(h, 500, "the answer is larger than the server sends", "");
        return;
    }
    put_text(&lines, HTTP_SECURITY_LINES "Cache-Control: no-store\r\n");
    put_bytes(&lines, buffer_view(&answer->headers));
    send(h, &(struct reply){answer->status, answer->body.len ? answer->content_type : NULL, buffer_view(&lines),
                            buffer_view(&answer->body)});
}

void http_refuse(struct http_speaker *h, unsigned status, const char *detail, const char *more)
{
    SCOPED(buffer_drop) struct buffer body = {.max = HEAD_MAX};
    SCOPED(buffer_drop) struct buffer lines = {.max = HEAD_MAX};
    put_text(&lines, HTTP_SECURITY_LINES "Cache-Control: no-store\r\n");
    put_text(&lines, more);
    put_text(&body, "{\"type\":\"about:blank\",\"title\":");
    put_json_text(&body, bytes_of_text(http_reason(status)));
    put_format(&body, ",\"status\":%u,\"detail\":", status);
    put_json_text(&body, bytes_of_text(detail));
    put_text(&body, "}\n");
    send(h, &(struct reply){status, "application/problem+json", buffer_view(&lines), buffer_view(&body)});
}

const struct asset *http_find_asset(const struct assets *assets, const struct call *call)
{
    struct bytes path = bytes_is(call->path, "/") ? BYTES("/index.html") : call->path;
    if (call->method != METHOD_GET && call->method != METHOD_HEAD)
        return NULL;
    for (size_t i = 0; i < assets->count; i++)
        if (bytes_is(path, assets->at[i].path))
            return &assets->at[i];
    return NULL;
}

/* Which bytes of an asset go out, after the request's conditions and ranges. */
struct selection {
    unsigned status;
    const char *etag;
    struct bytes body;
    bool gzip;
    enum http_range_kind kind;
    struct http_range range;
};

static struct selection select_bytes(const struct asset *asset, const struct call *call)
{
    struct bytes wanted = call_header(call, "range");
    struct selection s = {.status = 200, .etag = asset->etag, .body = asset->plain};
    if (!wanted.len && asset->gzip.len && http_accepts_coding(call_header(call, "accept-encoding"), "gzip"))
        s = (struct selection){.status = 200, .etag = asset->gzip_etag, .body = asset->gzip, .gzip = true};
    if (http_none_match_hits(call_header(call, "if-none-match"), bytes_of_text(s.etag))) {
        s.status = 304; /* its Content-Length is that of the body that is not sent (RFC 9110, 8.6) */
        return s;
    }
    if (wanted.len && http_if_range_holds(call_header(call, "if-range"), bytes_of_text(s.etag)))
        s.kind = http_range(wanted, asset->plain.len, &s.range);
    if (s.kind == HTTP_RANGE_WHOLE)
        return s;
    s.status = s.kind == HTTP_RANGE_PART ? 206 : 416;
    s.body = bytes_first(bytes_from(asset->plain, s.range.first), s.range.length);
    return s;
}

void http_send_asset(struct http_speaker *h, const struct asset *asset)
{
    SCOPED(buffer_drop) struct buffer lines = {.max = HEAD_MAX};
    struct selection s = select_bytes(asset, &h->inquiry.call);
    put_text(&lines,
             HTTP_SECURITY_LINES "Cache-Control: no-cache\r\nVary: Accept-Encoding\r\nAccept-Ranges: bytes\r\n");
    put_format(&lines, "ETag: %s\r\n", s.etag);
    if (s.gzip)
        put_text(&lines, "Content-Encoding: gzip\r\n");
    http_put_content_range(&lines, s.kind, s.range, asset->plain.len);
    send(h, &(struct reply){s.status, asset->content_type, buffer_view(&lines), s.body});
}
