/* Response heads, chunks, dates. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS(n) (INT64_C(1000000) * (n))

static void dates(void **state)
{
    static const struct {
        int64_t time_us;
        const char *text;
    } rows[] = {
        {SECONDS(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"}, /* the example of RFC 9110, 5.6.7 */
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {SECONDS(951782400), "Tue, 29 Feb 2000 00:00:00 GMT"},
        {SECONDS(1767225599) + 999999, "Wed, 31 Dec 2025 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[HTTP_DATE_TEXT];
        http_date_text(rows[i].time_us, text);
        assert_string_equal(text, rows[i].text);
    }
}

#define DATE "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"

static void heads(void **state)
{
    static const struct {
        const char *rule;
        struct http_head head;
        const char *text;
    } rows[] = {
        {"zero is the careful choice: sized and closed",
         {.status = 500},
         "HTTP/1.1 500 Internal Server Error\r\n" DATE "Connection: close\r\nContent-Length: 0\r\n\r\n"},
        {"a body, a type and further lines",
         {.status = 200,
          .connection = HTTP_KEEP_ALIVE,
          .length = 12,
          .content_type = "text/plain",
          .lines = BYTES_ROW("A: b\r\n")},
         "HTTP/1.1 200 OK\r\n" DATE
         "Connection: keep-alive\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nA: b\r\n\r\n"},
        {"chunks",
         {.status = 200, .connection = HTTP_KEEP_ALIVE, .framing = HTTP_CHUNKED},
         "HTTP/1.1 200 OK\r\n" DATE "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"a body until the end cannot keep the connection",
         {.status = 200, .connection = HTTP_KEEP_ALIVE, .framing = HTTP_UNTIL_CLOSE},
         "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\n"},
        {"204 has no length (RFC 9110, 8.6)",
         {.status = 204, .connection = HTTP_KEEP_ALIVE},
         "HTTP/1.1 204 No Content\r\n" DATE "Connection: keep-alive\r\n\r\n"},
        {"a status without a phrase",
         {.status = 299},
         "HTTP/1.1 299 Unknown\r\n" DATE "Connection: close\r\nContent-Length: 0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 4096};
        http_put_head(&out, &rows[i].head);
        assert_string_equal(buffer_text(&out), rows[i].text);
    }
}

static void chunks(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 4096};
    http_put_chunk(&out, BYTES("hello, world!!!!"));
    http_put_chunk(&out, BYTES("")); /* would be the end */
    http_put_last_chunk(&out);
    assert_string_equal(buffer_text(&out), "10\r\nhello, world!!!!\r\n0\r\n\r\n");
}

static void a_full_buffer_is_spoiled(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 20};
    http_put_head(&out, &(struct http_head){.status = 200});
    assert_true(err_is(buffer_finish(&out), ERR_TOO_LARGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),
        cmocka_unit_test(heads),
        cmocka_unit_test(chunks),
        cmocka_unit_test(a_full_buffer_is_spoiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
