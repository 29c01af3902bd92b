/* Response heads, chunks and dates. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_response.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    unsigned status;
    const char *text;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

/* The digits come from base's calendar: "2026-01-31T08:15:00.123Z". */
void http_date_text(int64_t wall_us, char out[HTTP_DATE_TEXT])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t day_us = 86400 * INT64_C(1000000);
    char civil[TIME_TEXT];
    int64_t clamped_us;
    time_text(wall_us, civil);
    /* Out of the years 0 to 9999 the text is clamped, and the weekday must be that of the text. */
    if (time_parse(bytes_of_text(civil), &clamped_us))
        clamped_us = 0;
    int64_t day = clamped_us / day_us - (clamped_us % day_us < 0);
    int weekday = (int)((day % 7 + 7) % 7);
    int month = (civil[5] - '0') * 10 + (civil[6] - '0') - 1;
    snprintf(out, HTTP_DATE_TEXT, "%.3s, %.2s %.3s %.4s %.8s GMT", days + 3 * weekday, civil + 8, months + 3 * month,
             civil, civil + 11);
}

static void put_framing(struct buffer *out, const struct http_head *head)
{
    if (head->status < 200 || head->status == 204)
        return;
    switch (head->framing) {
    case HTTP_SIZED:
        put_format(out, "Content-Length: %" PRIu64 "\r\n", head->length);
        return;
    case HTTP_CHUNKED:
        put_text(out, "Transfer-Encoding: chunked\r\n");
        return;
    case HTTP_UNTIL_CLOSE:
        return;
    }
}

void http_put_head(struct buffer *out, const struct http_head *head)
{
    char date[HTTP_DATE_TEXT];
    bool stays = head->connection == HTTP_KEEP_ALIVE && head->framing != HTTP_UNTIL_CLOSE;
    http_date_text(head->now_us, date);
    put_format(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", head->status, http_reason(head->status), date);
    put_format(out, "Connection: %s\r\n", stays ? "keep-alive" : "close");
    if (head->content_type)
        put_format(out, "Content-Type: %s\r\n", head->content_type);
    put_framing(out, head);
    put_bytes(out, head->lines);
    put_text(out, "\r\n");
}

void http_put_chunk(struct buffer *out, struct bytes data)
{
    if (!data.len)
        return;
    put_format(out, "%zx\r\n", data.len);
    put_bytes(out, data);
    put_text(out, "\r\n");
}

void http_put_last_chunk(struct buffer *out)
{
    put_text(out, "0\r\n\r\n");
}
