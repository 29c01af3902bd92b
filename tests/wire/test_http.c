/* Requests: what is taken, what is refused and with which status, whole and byte by byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { BODY_BOUND = 64 };

struct row {
    const char *rule;
    struct bytes input;
    unsigned status;                 /* 0: taken */
    const char *path, *query, *body; /* when taken */
};

#define HOST              "Host: h\r\n"
#define GET(target)       BYTES_ROW("GET " target " HTTP/1.1\r\n" HOST "\r\n")
#define WITH(lines)       BYTES_ROW("GET / HTTP/1.1\r\n" HOST lines "\r\n")
#define POST(lines, body) BYTES_ROW("POST / HTTP/1.1\r\n" HOST lines "\r\n" body)

static const struct row rows[] = {
    {"a plain GET", GET("/a/b?c=d&e"), 0, "/a/b", "c=d&e", ""},
    {"an empty query", GET("/a?"), 0, "/a", "", ""},
    {"a query with a question mark", GET("/a?b?c"), 0, "/a", "b?c", ""},
    {"percent-encoding stays", GET("/a%20b%2Fc"), 0, "/a%20b%2Fc", "", ""},
    {"empty lines before the request are skipped (RFC 9112, 2.2)", BYTES_ROW("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
     0, "/", "", ""},
    {"too many of them are not", BYTES_ROW("\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400, 0, 0, 0},
    {"an absolute target", GET("https://x.example:8443/a?b"), 0, "/a", "b", ""},
    {"an absolute target without a path", GET("http://x.example"), 0, "/", "", ""},
    {"an absolute target without a path but a query", GET("http://x.example?b"), 0, "/", "b", ""},
    {"an absolute target with user information", GET("http://u@x.example/"), 400, 0, 0, 0},
    {"an absolute target of another scheme", GET("ftp://x.example/"), 400, 0, 0, 0},
    {"a target without a slash", GET("a"), 400, 0, 0, 0},
    {"an asterisk", GET("*"), 400, 0, 0, 0},
    {"a fragment", GET("/a#b"), 400, 0, 0, 0},
    {"a raw byte above 7F", GET("/\xC3\xA4"), 400, 0, 0, 0},
    {"a backslash", GET("/a\\b"), 400, 0, 0, 0},
    {"an encoded NUL", GET("/a%00"), 400, 0, 0, 0},
    {"an encoded line end", GET("/a%0d%0ab"), 400, 0, 0, 0},
    {"an encoded DEL", GET("/%7F"), 400, 0, 0, 0},
    {"a dot segment", GET("/a/../b"), 400, 0, 0, 0},
    {"a single-dot segment", GET("/./b"), 400, 0, 0, 0},
    {"an encoded dot segment", GET("/a/%2e%2E/b"), 400, 0, 0, 0},
    {"a half-encoded dot segment at the end", GET("/a/.%2e"), 400, 0, 0, 0},
    {"three dots are a name", GET("/.../a..b/.c"), 0, "/.../a..b/.c", "", ""},
    {"a % without digits", GET("/a%2"), 400, 0, 0, 0},
    {"a % with a letter past F", GET("/a%2g"), 400, 0, 0, 0},
    {"a % without digits in the query", GET("/a?b=%"), 400, 0, 0, 0},
    {"two blanks before the target", BYTES_ROW("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400, 0, 0, 0},
    {"HTTP/1.0 without Host", BYTES_ROW("GET /a HTTP/1.0\r\n\r\n"), 0, "/a", "", ""},
    {"HTTP/1.1 without Host", BYTES_ROW("GET /a HTTP/1.1\r\n\r\n"), 400, 0, 0, 0},
    {"an empty Host", BYTES_ROW("GET /a HTTP/1.1\r\nHost:\r\n\r\n"), 400, 0, 0, 0},
    {"a Host with a path", BYTES_ROW("GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, 0, 0, 0},
    {"a Host with a blank", BYTES_ROW("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, 0, 0, 0},
    {"two Hosts", WITH("Host: h\r\n"), 400, 0, 0, 0},
    {"HTTP/2.0", BYTES_ROW("GET / HTTP/2.0\r\n" HOST "\r\n"), 505, 0, 0, 0},
    {"HTTP/1.2", BYTES_ROW("GET / HTTP/1.2\r\n" HOST "\r\n"), 505, 0, 0, 0},
    {"HTTP/0.9", BYTES_ROW("GET / HTTP/0.9\r\n" HOST "\r\n"), 505, 0, 0, 0},
    {"the preface of HTTP/2", BYTES_ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, 0, 0, 0},
    {"another protocol's name", BYTES_ROW("GET / RTSP/1.1\r\n" HOST "\r\n"), 505, 0, 0, 0},
    {"CONNECT", BYTES_ROW("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"), 501, 0, 0, 0},
    {"TRACE", BYTES_ROW("TRACE / HTTP/1.1\r\n" HOST "\r\n"), 501, 0, 0, 0},
    {"OPTIONS", BYTES_ROW("OPTIONS / HTTP/1.1\r\n" HOST "\r\n"), 501, 0, 0, 0},
    {"an unknown method", BYTES_ROW("BREW / HTTP/1.1\r\n" HOST "\r\n"), 501, 0, 0, 0},
    {"a method in lower case is another method", BYTES_ROW("get / HTTP/1.1\r\n" HOST "\r\n"), 501, 0, 0, 0},
    {"a TLS hello", BYTES_ROW("\x16\x03\x01\x02\x00\x01\x00"), 400, 0, 0, 0},
    {"an MQTT CONNECT", BYTES_ROW("\x10\x0f\x00\x04MQTT"), 400, 0, 0, 0},
    {"an endless method", BYTES_ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 400, 0, 0, 0},
    {"lines that end with LF alone", BYTES_ROW("GET / HTTP/1.1\n" HOST "\n"), 400, 0, 0, 0},
    {"a header that ends with LF alone", BYTES_ROW("GET / HTTP/1.1\r\nHost: h\n\r\n"), 400, 0, 0, 0},
    {"a bare CR in a value", WITH("A: b\rc\r\n"), 400, 0, 0, 0},
    {"a NUL in a value", WITH("A: b\0c\r\n"), 400, 0, 0, 0},
    {"a control character in a value", WITH("A: b\x01\r\n"), 400, 0, 0, 0},
    {"a folded line (RFC 9112, 5.2)", WITH("A: b\r\n c\r\n"), 400, 0, 0, 0},
    {"a blank line that is no end", BYTES_ROW("GET / HTTP/1.1\r\n \r\n" HOST "\r\n"), 400, 0, 0, 0},
    {"a blank before the colon (RFC 9112, 5.1)", WITH("A : b\r\n"), 400, 0, 0, 0},
    {"a header without a colon", WITH("A\r\n"), 400, 0, 0, 0},
    {"a header without a name", WITH(": b\r\n"), 400, 0, 0, 0},
    {"a header name with a blank", WITH("A b: c\r\n"), 400, 0, 0, 0},
    {"a tab in a value", WITH("A: b\tc\r\n"), 0, "/", "", ""},
    {"two cookies lines", WITH("Cookie: a=b\r\nCookie: a=c\r\n"), 400, 0, 0, 0},

    {"a body by its length", POST("Content-Length: 5\r\n", "hello"), 0, "/", "", "hello"},
    {"a body of length 0", POST("Content-Length: 0\r\n", ""), 0, "/", "", ""},
    {"POST without a length has no body (RFC 9112, 6.3)", POST("", ""), 0, "/", "", ""},
    {"a GET with a body", WITH("Content-Length: 0\r\n"), 0, "/", "", ""},
    {"a body at its bound",
     POST("Content-Length: 64\r\n", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), 0, "/", "",
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    {"a body over its bound", POST("Content-Length: 65\r\n", ""), 413, 0, 0, 0},
    {"a length over 2^64", POST("Content-Length: 99999999999999999999\r\n", ""), 400, 0, 0, 0},
    {"a signed length", POST("Content-Length: +5\r\n", "hello"), 400, 0, 0, 0},
    {"a negative length", POST("Content-Length: -5\r\n", ""), 400, 0, 0, 0},
    {"an empty length", POST("Content-Length: \r\n", ""), 400, 0, 0, 0},
    {"a list of lengths", POST("Content-Length: 5, 5\r\n", "hello"), 400, 0, 0, 0},
    {"two lengths", POST("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, 0, 0, 0},
    {"a length and a coding", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, 0, 0, 0},
    {"a coding and a length", POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, 0, 0, 0},

    {"chunks", POST("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), 0, "/", "",
     "hello world"},
    {"chunks, said in capitals", POST("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"), 0, "/", "", ""},
    {"chunks with an extension", POST("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n"), 0, "/", "",
     "hello"},
    {"chunks with a trailer", POST("Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n\r\n"), 0, "/", "", ""},
    {"chunks over the bound",
     POST("Transfer-Encoding: chunked\r\n",
          "41\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX\r\n0\r\n\r\n"),
     413, 0, 0, 0},
    {"a chunk size that is no number", POST("Transfer-Encoding: chunked\r\n", "x\r\n"), 400, 0, 0, 0},
    {"a chunk size with 0x", POST("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"), 400, 0, 0, 0},
    {"a chunk size over 2^64", POST("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\n"), 400, 0, 0, 0},
    {"a chunk longer than it says", POST("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n"), 400, 0, 0, 0},
    {"a chunk size line that ends with LF alone", POST("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"), 400,
     0, 0, 0},
    {"a coding that is not known", POST("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, 0, 0, 0},
    {"a coding that does not end", POST("Transfer-Encoding: identity\r\n", ""), 501, 0, 0, 0},
    {"chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, 0, 0, 0},
    {"a coding hidden behind a byte",
     POST("Transfer-Encoding: \x0b"
          "chunked\r\n",
          "0\r\n\r\n"),
     400, 0, 0, 0},
    {"two codings", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, 0, 0, 0},
    {"chunks in HTTP/1.0 (RFC 9112, 6.1)", BYTES_ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     400, 0, 0, 0},
    {"an expectation that is not known", POST("Expect: wonders\r\nContent-Length: 1\r\n", "a"), 417, 0, 0, 0},
    {"an expectation in HTTP/1.0 is ignored", BYTES_ROW("GET / HTTP/1.0\r\nExpect: wonders\r\n\r\n"), 0, "/", "", ""},
};

/* Feeds until the request is whole or broken or the input ends, at most `step` bytes at a time. */
static err feed(struct http_parser *p, struct bytes *in, size_t step)
{
    while (in->len && http_parser_stage(p) != HTTP_WHOLE) {
        size_t used;
        struct bytes part = bytes_first(*in, step);
        err e = http_request_feed(p, part, &used);
        assert_true(used <= part.len);
        *in = bytes_from(*in, used);
        if (e)
            return e;
    }
    return OK;
}

static void check_row(const struct row *row, size_t step)
{
    struct http_parser *p = http_parser_make(BODY_BOUND);
    struct bytes in = row->input;
    err e = feed(p, &in, step);
    if (http_parser_status(p) != row->status || (!row->status && http_parser_stage(p) != HTTP_WHOLE))
        fail_msg("%s, by %zu: status %u, %s", row->rule, step, http_parser_status(p), err_text(e));
    assert_int_equal(e != OK, row->status != 0);
    if (row->status) {
        assert_int_equal(http_parser_stage(p), HTTP_BROKEN);
    } else {
        const struct http_request *r = http_request(p);
        if (!bytes_is(r->path, row->path) || !bytes_is(r->query, row->query) || !bytes_is(r->body, row->body))
            fail_msg("%s: %.*s %.*s %.*s", row->rule, (int)r->path.len, r->path.at, (int)r->query.len, r->query.at,
                     (int)r->body.len, r->body.at);
        assert_int_equal(in.len, 0);
    }
    http_parser_drop(p);
}

static void requests(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], SIZE_MAX);
        check_row(&rows[i], 1);
        check_row(&rows[i], 7);
    }
}

static void a_truncated_request_waits(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status)
            continue;
        for (size_t len = 0; len < rows[i].input.len; len++) {
            struct http_parser *p = http_parser_make(BODY_BOUND);
            struct bytes in = bytes_first(rows[i].input, len);
            assert_ptr_equal(feed(p, &in, SIZE_MAX), OK);
            if (http_parser_stage(p) == HTTP_WHOLE)
                fail_msg("%s: whole after %zu of %zu bytes", rows[i].rule, len, rows[i].input.len);
            http_parser_drop(p);
        }
    }
}

static void pipelined_requests_come_one_by_one(void **state)
{
    struct bytes in = BYTES("GET /a HTTP/1.1\r\n" HOST "\r\n"
                            "POST /b HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
                            "POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
                            "GET /d HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    static const char *const paths[] = {"/a", "/b", "/c", "/d"}, *const bodies[] = {"", "hi", "x", ""};
    struct http_parser *p = http_parser_make(BODY_BOUND);
    for (size_t i = 0; i < 4; i++) {
        assert_true(http_parser_is_idle(p));
        assert_ptr_equal(feed(p, &in, SIZE_MAX), OK);
        assert_int_equal(http_parser_stage(p), HTTP_WHOLE);
        assert_true(bytes_is(http_request(p)->path, paths[i]));
        assert_true(bytes_is(http_request(p)->body, bodies[i]));
        assert_int_equal(http_request(p)->keep_alive, i < 3);
        http_parser_next(p);
    }
    assert_int_equal(in.len, 0);
    http_parser_drop(p);
}

static void headers_are_lowered_and_trimmed(void **state)
{
    struct bytes in = BYTES("GET / HTTP/1.1\r\nHOST: Example\r\nX-Thing:  \t a b \t\r\nempty:\r\nlast: 1\r\n\r\n");
    struct http_parser *p = http_parser_make(BODY_BOUND);
    assert_ptr_equal(feed(p, &in, 3), OK);
    const struct http_request *r = http_request(p);
    assert_int_equal(r->header_count, 4);
    assert_true(bytes_is(r->host, "Example"));
    assert_true(bytes_is(http_request_header(r, "x-thing"), "a b"));
    assert_true(bytes_is(r->headers[2].name, "empty"));
    assert_int_equal(http_request_header(r, "empty").len, 0);
    assert_true(bytes_is(http_request_header(r, "last"), "1"));
    assert_int_equal(http_request_header(r, "absent").len, 0);
    http_parser_drop(p);
}

static void an_absolute_target_overrules_host(void **state)
{
    struct bytes in = BYTES("GET https://one:1/ HTTP/1.1\r\nHost: two\r\n\r\n");
    struct http_parser *p = http_parser_make(BODY_BOUND);
    assert_ptr_equal(feed(p, &in, SIZE_MAX), OK);
    assert_true(bytes_is(http_request(p)->host, "one:1"));
    http_parser_drop(p);
}

static void keep_alive_follows_the_version(void **state)
{
    static const struct {
        struct bytes input;
        bool keep_alive;
    } cases[] = {
        {BYTES_ROW("GET / HTTP/1.1\r\n" HOST "\r\n"), true},
        {BYTES_ROW("GET / HTTP/1.1\r\n" HOST "Connection: foo, Close\r\n\r\n"), false},
        {BYTES_ROW("GET / HTTP/1.0\r\n\r\n"), false},
        {BYTES_ROW("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_parser *p = http_parser_make(BODY_BOUND);
        struct bytes in = cases[i].input;
        assert_ptr_equal(feed(p, &in, SIZE_MAX), OK);
        assert_int_equal(http_parser_stage(p), HTTP_WHOLE);
        assert_int_equal(http_request(p)->keep_alive, cases[i].keep_alive);
        http_parser_drop(p);
    }
}

static void the_head_can_be_judged_before_the_body(void **state)
{
    struct bytes in = BYTES("POST /x HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nok");
    struct http_parser *p = http_parser_make(BODY_BOUND);
    size_t used;
    assert_false(http_wants_continue(p));
    assert_ptr_equal(http_request_feed(p, in, &used), OK);
    assert_int_equal(used, in.len - 2);
    assert_int_equal(http_parser_stage(p), HTTP_IN_BODY);
    assert_true(bytes_is(http_request(p)->path, "/x"));
    assert_true(http_wants_continue(p));
    assert_false(http_wants_continue(p));
    in = bytes_from(in, used);
    assert_ptr_equal(http_request_feed(p, in, &used), OK);
    assert_int_equal(http_parser_stage(p), HTTP_WHOLE);
    http_parser_drop(p);
}

static void an_upgrade_leaves_the_rest(void **state)
{
    struct bytes in =
        BYTES("GET /mqtt HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n\x82\x80");
    struct http_parser *p = http_parser_make(BODY_BOUND);
    assert_ptr_equal(feed(p, &in, SIZE_MAX), OK);
    assert_int_equal(http_parser_stage(p), HTTP_WHOLE);
    assert_true(http_request(p)->upgrade);
    assert_int_equal(in.len, 2);
    http_parser_drop(p);
}

/* Grows one part of a request until it is refused, and says the status. */
static unsigned status_of(const struct buffer *request)
{
    struct http_parser *p = http_parser_make(BODY_BOUND);
    struct bytes in = buffer_view(request);
    IGNORE(feed(p, &in, 1000));
    unsigned status = http_parser_status(p);
    http_parser_drop(p);
    return status;
}

static unsigned status_with_target(size_t len)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 1 << 20};
    put_text(&b, "GET /");
    for (size_t i = 1; i < len; i++)
        put_u8(&b, 'a');
    put_text(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
    return status_of(&b);
}

static unsigned status_with_headers(size_t count, size_t len)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 1 << 20};
    put_text(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 0; i < count; i++) {
        put_text(&b, "a:");
        for (size_t k = 0; k < len; k++)
            put_u8(&b, 'b');
        put_text(&b, "\r\n");
    }
    put_text(&b, "\r\n");
    return status_of(&b);
}

static void the_head_is_bounded(void **state)
{
    assert_int_equal(status_with_target(HTTP_TARGET_MAX), 0);
    assert_int_equal(status_with_target(HTTP_TARGET_MAX + 1), 414);
    assert_int_equal(status_with_target(500000), 414);
    assert_int_equal(status_with_headers(HTTP_HEADERS_MAX - 1, 1), 0);
    assert_int_equal(status_with_headers(HTTP_HEADERS_MAX, 1), 431);
    assert_int_equal(status_with_headers(2, HTTP_HEAD_MAX / 2), 431);
    assert_int_equal(status_with_headers(1, 500000), 431);
}

static void chunk_framing_is_bounded(void **state)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 1 << 20};
    put_text(&b, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=");
    for (size_t i = 0; i < 100000; i++)
        put_u8(&b, 'x');
    assert_int_equal(status_of(&b), 400);
}

static void no_memory_is_a_refusal(void **state)
{
    mem_trial(1);
    assert_null(http_parser_make(BODY_BOUND));
    mem_trial(0);
    for (unsigned long n = 1; n <= 2; n++) {
        struct http_parser *p = http_parser_make(BODY_BOUND);
        struct bytes in = BYTES("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        mem_trial(n);
        assert_true(err_is(feed(p, &in, SIZE_MAX), ERR_MEMORY));
        mem_trial(0);
        assert_int_equal(http_parser_status(p), 500);
        http_parser_drop(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(a_truncated_request_waits),
        cmocka_unit_test(pipelined_requests_come_one_by_one),
        cmocka_unit_test(headers_are_lowered_and_trimmed),
        cmocka_unit_test(an_absolute_target_overrules_host),
        cmocka_unit_test(keep_alive_follows_the_version),
        cmocka_unit_test(the_head_can_be_judged_before_the_body),
        cmocka_unit_test(an_upgrade_leaves_the_rest),
        cmocka_unit_test(the_head_is_bounded),
        cmocka_unit_test(chunk_framing_is_bounded),
        cmocka_unit_test(no_memory_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
