/* The request parser. The head is gathered first and handed to llhttp in one piece, so that every view points into one
 * buffer; the body goes through llhttp as it comes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "wire/http_target.h"

#include <llhttp.h>
#include <string.h>

struct refusal {
    struct fault fault;
    unsigned status;
};

static const struct refusal bad_line_end = {{ERR_MALFORMED, "http: a line does not end with CR LF"}, 400};
static const struct refusal bad_control = {{ERR_MALFORMED, "http: a control character in the head"}, 400};
static const struct refusal bad_method = {{ERR_MALFORMED, "http: the request does not begin with a method"}, 400};
static const struct refusal bad_fold = {{ERR_MALFORMED, "http: a folded header line"}, 400};
static const struct refusal bad_start = {{ERR_MALFORMED, "http: too many empty lines before the request"}, 400};
static const struct refusal bad_syntax = {{ERR_MALFORMED, "http: the request breaks RFC 9112"}, 400};
static const struct refusal bad_target = {{ERR_MALFORMED, "http: the request target is not acceptable"}, 400};
static const struct refusal bad_host = {{ERR_MALFORMED, "http: Host is missing or malformed"}, 400};
static const struct refusal bad_framing = {{ERR_MALFORMED, "http: the length of the body is not told in one way"}, 400};
static const struct refusal bad_overhead = {{ERR_MALFORMED, "http: the chunks are mostly not data"}, 400};
static const struct refusal said_twice = {{ERR_MALFORMED, "http: a header that may stand once stands twice"}, 400};
static const struct refusal long_body = {{ERR_TOO_LARGE, "http: the body is larger than its bound"}, 413};
static const struct refusal long_target = {{ERR_TOO_LARGE, "http: the request target is longer than its bound"}, 414};
static const struct refusal no_expect = {{ERR_UNSUPPORTED, "http: an expectation other than 100-continue"}, 417};
static const struct refusal long_head = {{ERR_TOO_LARGE, "http: the head is larger than its bound"}, 431};
static const struct refusal no_memory = {{ERR_MEMORY, "http: no memory for the request"}, 500};
static const struct refusal no_method = {{ERR_UNSUPPORTED, "http: a method that is not served"}, 501};
static const struct refusal no_coding = {{ERR_UNSUPPORTED, "http: a transfer coding other than chunked"}, 501};
static const struct refusal no_version = {{ERR_UNSUPPORTED, "http: not HTTP/1.0 or HTTP/1.1"}, 505};

enum {
    METHOD_TEXT_MAX = 24,   /* longer than any method that llhttp knows */
    EMPTY_LINES_MAX = 4,    /* bytes of CR LF before a request (RFC 9112, 2.2) */
    BODY_ROOM_KEPT = 65536, /* a buffer that grew larger is given back between requests */
    CHUNK_OVERHEAD = 8,     /* bytes of chunk framing allowed for each byte of data, "1\r\nx\r\n" has 5 */
};

struct http_parser {
    llhttp_t machine;
    enum http_stage stage;
    const struct refusal *broken;
    size_t body_max;
    /* The head while it is gathered. */
    struct buffer head;
    uint8_t last; /* the byte before */
    size_t skipped, line, lines;
    bool method_ended, head_ended;
    /* The body. */
    struct buffer body;
    size_t body_seen; /* bytes used for it, chunk framing included */
    bool chunked, expects;
    /* What http_request() lends. */
    struct bytes target;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct http_request request;
};

static const struct {
    const char *text;
    llhttp_method_t number;
} methods[HTTP_METHODS] = {
    [HTTP_METHOD_GET] = {"GET", HTTP_GET},       [HTTP_METHOD_HEAD] = {"HEAD", HTTP_HEAD},
    [HTTP_METHOD_POST] = {"POST", HTTP_POST},    [HTTP_METHOD_PUT] = {"PUT", HTTP_PUT},
    [HTTP_METHOD_PATCH] = {"PATCH", HTTP_PATCH}, [HTTP_METHOD_DELETE] = {"DELETE", HTTP_DELETE},
};

/* Two of these would let this server and a proxy before it each believe another one. */
static const char *const once[] = {
    "host",   "content-length", "transfer-encoding", "content-type",          "authorization", "cookie", "expect",
    "origin", "range",          "sec-websocket-key", "sec-websocket-version",
};

const char *http_method_text(enum http_method method)
{
    return method < HTTP_METHODS ? methods[method].text : "";
}

struct bytes http_request_header(const struct http_request *r, const char *lower_case_name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (bytes_is(r->headers[i].name, lower_case_name))
            return r->headers[i].value;
    return (struct bytes){NULL, 0};
}

static size_t count_header(const struct http_request *r, const char *lower_case_name)
{
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        count += bytes_is(r->headers[i].name, lower_case_name);
    return count;
}

/* ---- What llhttp tells. It hands a span out in one piece, because the head is in one piece; should it ever not, the
 * pieces touch and are joined. */

static void join(struct bytes *span, const char *at, size_t len)
{
    if (span->at && span->at + span->len == (const uint8_t *)at)
        span->len += len;
    else
        *span = bytes_of(at, len);
}

static int refuse(struct http_parser *p, const struct refusal *why)
{
    if (!p->broken)
        p->broken = why;
    return HPE_USER;
}

static int on_url(llhttp_t *machine, const char *at, size_t len)
{
    struct http_parser *p = machine->data;
    join(&p->target, at, len);
    return p->target.len > HTTP_TARGET_MAX ? refuse(p, &long_target) : 0;
}

static int on_header_field(llhttp_t *machine, const char *at, size_t len)
{
    struct http_parser *p = machine->data;
    struct http_request *r = &p->request;
    if (p->stage != HTTP_IN_HEAD) /* a trailer: read past, never used (RFC 9110, 6.5.1) */
        return 0;
    struct http_header *last = r->header_count ? &p->headers[r->header_count - 1] : NULL;
    if (last && !last->value.at && last->name.at + last->name.len == (const uint8_t *)at) {
        last->name.len += len;
        return 0;
    }
    if (r->header_count == HTTP_HEADERS_MAX)
        return refuse(p, &long_head);
    p->headers[r->header_count++] = (struct http_header){.name = bytes_of(at, len)};
    return 0;
}

static int on_header_value(llhttp_t *machine, const char *at, size_t len)
{
    struct http_parser *p = machine->data;
    if (p->stage == HTTP_IN_HEAD && p->request.header_count)
        join(&p->headers[p->request.header_count - 1].value, at, len);
    return 0;
}

static int on_body(llhttp_t *machine, const char *at, size_t len)
{
    struct http_parser *p = machine->data;
    if (len > p->body_max - p->body.len)
        return refuse(p, &long_body);
    put_bytes(&p->body, bytes_of(at, len));
    return buffer_finish(&p->body) ? refuse(p, &no_memory) : 0;
}

static int on_message_complete(llhttp_t *machine)
{
    struct http_parser *p = machine->data;
    p->stage = HTTP_WHOLE;
    return HPE_PAUSED; /* what follows is the next request, and not to be read yet */
}

/* ---- Judging a head that llhttp took. */

static const struct refusal *judge_method(struct http_parser *p)
{
    for (int m = 0; m < HTTP_METHODS; m++)
        if (methods[m].number == (llhttp_method_t)p->machine.method) {
            p->request.method = (enum http_method)m;
            return NULL;
        }
    return &no_method;
}

static const struct refusal *judge_repeats(struct http_parser *p)
{
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
        if (count_header(&p->request, once[i]) > 1)
            return &said_twice;
    return NULL;
}

/* RFC 9112, 6.1 and 6.3: one of Content-Length and Transfer-Encoding, and only "chunked", and that not in HTTP/1.0. */
static const struct refusal *judge_framing(struct http_parser *p)
{
    const struct http_request *r = &p->request;
    struct bytes length = http_request_header(r, "content-length");
    struct bytes coding = http_request_header(r, "transfer-encoding");
    bool has_length = count_header(r, "content-length"), has_coding = count_header(r, "transfer-encoding");
    uint64_t size = 0;
    if ((has_length && has_coding) || (has_coding && !r->minor))
        return &bad_framing;
    if (has_coding && !bytes_equal_nocase(coding, BYTES("chunked")))
        return &no_coding;
    if (has_length && text_to_u64(length, &size))
        return &bad_framing;
    p->chunked = has_coding;
    return size > p->body_max ? &long_body : NULL;
}

/* RFC 9112, 3.2: a Host in every request of HTTP/1.1; an absolute target overrules it. */
static const struct refusal *judge_target(struct http_parser *p)
{
    struct http_request *r = &p->request;
    struct http_target split;
    if (http_target_split(p->target, &split))
        return &bad_target;
    r->host = http_request_header(r, "host");
    if ((r->minor || r->host.len) && !http_host_is_valid(r->host))
        return &bad_host;
    if (split.host.len)
        r->host = split.host;
    r->path = split.path;
    r->query = split.query;
    return NULL;
}

static const struct refusal *judge_expect(struct http_parser *p)
{
    struct bytes expect = http_request_header(&p->request, "expect");
    if (!expect.len || !p->request.minor) /* RFC 9110, 10.1.1: ignored in HTTP/1.0 */
        return NULL;
    if (!bytes_equal_nocase(expect, BYTES("100-continue")))
        return &no_expect;
    p->expects = true;
    return NULL;
}

static const struct refusal *(*const judges[])(struct http_parser *) = {
    judge_method, judge_repeats, judge_framing, judge_target, judge_expect,
};

/* The views are const, the bytes behind them are this parser's own head. */
static void settle_headers(struct http_parser *p)
{
    for (size_t i = 0; i < p->request.header_count; i++) {
        struct http_header *h = &p->headers[i];
        size_t start = (size_t)(h->name.at - p->head.at);
        for (size_t k = start; k < start + h->name.len; k++)
            if (p->head.at[k] >= 'A' && p->head.at[k] <= 'Z')
                p->head.at[k] |= 0x20;
        h->value = bytes_trim(h->value);
    }
    p->request.headers = p->headers;
}

/* llhttp also takes the names and versions of other protocols. */
static bool is_http_1(const struct http_parser *p)
{
    struct bytes rest = bytes_from(buffer_view(&p->head), (size_t)(p->target.at + p->target.len - p->head.at));
    return bytes_starts(rest, " HTTP/1.1\r\n") || bytes_starts(rest, " HTTP/1.0\r\n");
}

static int on_headers_complete(llhttp_t *machine)
{
    struct http_parser *p = machine->data;
    if (!is_http_1(p))
        return refuse(p, &no_version);
    settle_headers(p);
    p->request.minor = machine->http_minor;
    p->request.keep_alive = llhttp_should_keep_alive(machine);
    p->request.upgrade = machine->upgrade;
    for (size_t i = 0; i < sizeof judges / sizeof judges[0] && !p->broken; i++)
        p->broken = judges[i](p);
    if (p->broken)
        return HPE_USER;
    p->stage = HTTP_IN_BODY;
    return 0;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static const struct refusal *refusal_of(const struct http_parser *p, llhttp_errno_t e)
{
    if (p->broken)
        return p->broken;
    if (e == HPE_INVALID_METHOD)
        return &no_method;
    if (e == HPE_INVALID_VERSION || e == HPE_INVALID_CONSTANT || e == HPE_PAUSED_H2_UPGRADE)
        return &no_version;
    return &bad_syntax;
}

/* Says how many bytes of `in` llhttp used. It pauses behind the request; an upgrade without a body pauses it, too. */
static size_t run(struct http_parser *p, struct bytes in)
{
    llhttp_errno_t e = llhttp_execute(&p->machine, (const char *)in.at, in.len);
    if (e == HPE_OK)
        return in.len;
    if (p->stage == HTTP_WHOLE && (e == HPE_PAUSED || e == HPE_PAUSED_UPGRADE))
        return (size_t)((const uint8_t *)llhttp_get_error_pos(&p->machine) - in.at);
    p->broken = refusal_of(p, e);
    return in.len;
}

/* ---- Gathering the head, with the rules that no reader may be lax about. */

static bool is_method_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

static const struct refusal *judge_header_byte(struct http_parser *p, uint8_t c)
{
    if ((c < 0x20 && c != '\t') || c == 0x7F)
        return &bad_control;
    if (!p->line && (c == ' ' || c == '\t'))
        return &bad_fold;
    if (!p->line && c == ':') /* llhttp takes a header without a name */
        return &bad_syntax;
    p->line++;
    return NULL;
}

/* method SP target SP version (RFC 9112, 3): single blanks. */
static const struct refusal *judge_first_byte(struct http_parser *p, uint8_t c, uint8_t last)
{
    if (c < 0x20 || c == 0x7F)
        return &bad_control;
    if (c == ' ' && last == ' ')
        return &bad_syntax;
    p->line++;
    if (c == ' ' && p->line > 1)
        p->method_ended = true;
    if (!p->method_ended && (!is_method_byte(c) || p->line > METHOD_TEXT_MAX))
        return &bad_method;
    return p->line > HTTP_TARGET_MAX + 2 * METHOD_TEXT_MAX ? &long_target : NULL;
}

static const struct refusal *judge_head_byte(struct http_parser *p, uint8_t c)
{
    uint8_t last = p->last;
    p->last = c;
    if ((last == '\r') != (c == '\n'))
        return &bad_line_end;
    if (c == '\r')
        return NULL;
    if (c != '\n')
        return p->lines ? judge_header_byte(p, c) : judge_first_byte(p, c, last);
    p->head_ended = p->lines && !p->line;
    p->lines++;
    p->line = 0;
    return NULL;
}

static size_t skip_empty_lines(struct http_parser *p, struct bytes in)
{
    size_t skip = 0;
    while (!p->head.len && skip < in.len && (in.at[skip] == '\r' || in.at[skip] == '\n'))
        skip++;
    p->skipped += skip;
    if (p->skipped > EMPTY_LINES_MAX)
        p->broken = &bad_start;
    return skip;
}

static size_t gather_head(struct http_parser *p, struct bytes in)
{
    size_t skip = skip_empty_lines(p, in), end = skip;
    while (end < in.len && !p->head_ended && !p->broken)
        p->broken = judge_head_byte(p, in.at[end++]);
    if (!p->broken && end - skip > HTTP_HEAD_MAX - p->head.len)
        p->broken = &long_head;
    if (p->broken)
        return end;
    put_bytes(&p->head, bytes_of(in.at + skip, end - skip));
    if (buffer_finish(&p->head))
        p->broken = &no_memory;
    else if (p->head_ended)
        run(p, buffer_view(&p->head));
    return end;
}

static size_t take_body(struct http_parser *p, struct bytes in)
{
    p->expects = p->expects && !in.len;
    size_t used = run(p, in);
    p->body_seen += used;
    /* Chunk extensions and one-byte chunks would otherwise let a peer send for ever without reaching the bound. */
    if (p->chunked && !p->broken && p->body_seen > HTTP_HEAD_MAX &&
        (p->body_seen - HTTP_HEAD_MAX) / CHUNK_OVERHEAD > p->body.len)
        p->broken = &bad_overhead;
    return used;
}

err http_request_feed(struct http_parser *p, struct bytes in, size_t *used)
{
    *used = 0;
    if (p->stage == HTTP_IN_HEAD)
        *used = gather_head(p, in);
    else if (p->stage == HTTP_IN_BODY)
        *used = take_body(p, in);
    if (p->broken)
        p->stage = HTTP_BROKEN;
    if (p->stage == HTTP_WHOLE)
        p->request.body = buffer_view(&p->body);
    return p->broken ? &p->broken->fault : OK;
}

/* ---- The parser's life. */

void http_parser_next(struct http_parser *p)
{
    struct buffer head = p->head, body = p->body;
    size_t body_max = p->body_max;
    buffer_clear(&head);
    buffer_clear(&body);
    if (body.room > BODY_ROOM_KEPT)
        buffer_drop(&body);
    memset(p, 0, sizeof *p);
    p->head = head;
    p->body = body;
    p->body_max = body_max;
    llhttp_init(&p->machine, HTTP_REQUEST, &callbacks);
    p->machine.data = p;
}

struct http_parser *http_parser_make(size_t body_max)
{
    struct http_parser *p = MEM_NEW(struct http_parser);
    if (!p)
        return NULL;
    p->head.max = HTTP_HEAD_MAX;
    p->body.max = p->body_max = body_max;
    http_parser_next(p);
    return p;
}

void http_parser_drop(struct http_parser *p)
{
    if (!p)
        return;
    /* Heads carry session secrets, bodies carry passwords. */
    buffer_wipe(&p->head);
    buffer_wipe(&p->body);
    mem_drop(p);
}

enum http_stage http_parser_stage(const struct http_parser *p)
{
    return p->stage;
}

bool http_parser_is_idle(const struct http_parser *p)
{
    return p->stage == HTTP_IN_HEAD && !p->head.len;
}

unsigned http_parser_status(const struct http_parser *p)
{
    return p->broken ? p->broken->status : 0;
}

const struct http_request *http_request(const struct http_parser *p)
{
    return &p->request;
}

bool http_wants_continue(struct http_parser *p)
{
    bool wants = p->expects && p->stage == HTTP_IN_BODY;
    p->expects = p->expects && !wants;
    return wants;
}
