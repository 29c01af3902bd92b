/* The HTTP door: requests through the flow to files, the desk and streams; slow peers, lost lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

static const struct principal pump = {PRINCIPAL_DEVICE, "pump-1"};

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void the_desk_answers(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    assert_string_equal(ask(&p, 0, "GET /api/v1/devices?limit=2 HTTP/1.1\r\n" HOST BADGE "\r\n"), "");
    assert_int_equal(p.inquiry_count, 1);
    const struct call *call = &p.inquiries[0]->call;
    assert_true(call->method == METHOD_GET && bytes_is(call->path, "/api/v1/devices") && bytes_is(call->query, "limit=2"));
    assert_true(call->who.kind == PRINCIPAL_OPERATOR && strcmp(call->who.id, "ada") == 0);
    assert_string_equal(call->peer, "192.0.2.7:41234");
    play_answer(&p, 0, 200, "{\"devices\":[]}");
    const char *answer = ask(&p, 0, "");
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Content-Length: 14\r\n");
    assert_has(answer, "Content-Type: application/json\r\n");
    assert_has(answer, "Content-Security-Policy: default-src 'none'");
    assert_has(answer, "X-Content-Type-Options: nosniff\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
    assert_has(answer, "\r\n\r\n{\"devices\":[]}");
    assert_true(p.lines[0].open);
    play_close(&p);
}

/* Requests behind each other in one piece: answered one by one, in order, each asked when the former was answered. */
static void pipelining(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "GET /api/1 HTTP/1.1\r\n" HOST BADGE "\r\nPOST /api/2 HTTP/1.1\r\n" HOST BADGE
               "Content-Length: 4\r\n\r\nbodyGET /api/3 HTTP/1.1\r\n" HOST BADGE "\r\nGET /api/4 HT");
    for (int i = 1; i <= 3; i++) {
        char path[16], body[16];
        assert_int_equal(p.inquiry_count, 1);
        snprintf(path, sizeof path, "/api/%d", i);
        snprintf(body, sizeof body, "answer %d", i);
        assert_true(bytes_is(p.inquiries[0]->call.path, path));
        assert_true(bytes_is(p.inquiries[0]->call.body, i == 2 ? "body" : ""));
        play_answer(&p, 0, 200, body);
        const char *answer = ask(&p, 0, "");
        assert_has(answer, body);
        assert_int_equal(times(answer, "HTTP/1.1 200"), 1);
    }
    assert_int_equal(p.inquiry_count, 0);
    ask(&p, 0, "TP/1.1\r\n" HOST BADGE "Connection: close\r\n\r\nGET /api/5 HTTP/1.1\r\n" HOST "\r\n");
    play_answer(&p, 0, 200, "last");
    assert_has(ask(&p, 0, ""), "Connection: close\r\n");
    assert_int_equal(p.inquiry_count, 0); /* what stands behind the last request is not heard */
    assert_false(p.lines[0].open);
    play_close(&p);
}

static void head_and_empty_answers(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "HEAD /api/1 HTTP/1.1\r\n" HOST BADGE "\r\n");
    play_answer(&p, 0, 200, "0123456789");
    const char *answer = ask(&p, 0, "");
    assert_has(answer, "Content-Length: 10\r\n");
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    ask(&p, 0, "DELETE /api/1 HTTP/1.1\r\n" HOST BADGE "\r\n");
    play_answer(&p, 0, 204, "");
    answer = ask(&p, 0, "");
    assert_has(answer, "HTTP/1.1 204 No Content\r\n");
    assert_null(strstr(answer, "Content-Length"));
    assert_null(strstr(answer, "Content-Type:"));
    play_close(&p);
}

static void refusals_are_problems(void **state)
{
    static const struct {
        const char *rule;
        const struct principal *who;
        bool limited;
        enum answers desks;
        const char *request, *status;
        bool stays;
    } rows[] = {
        {"nobody", &nobody, false, LATER, "GET /api/1 HTTP/1.1\r\n" HOST "\r\n", "401 Unauthorized", true},
        {"a device", &pump, false, LATER, "GET /api/1 HTTP/1.1\r\n" HOST "\r\n", "403 Forbidden", true},
        {"too many", &nobody, true, LATER, "GET /x HTTP/1.1\r\n" HOST "\r\n", "429 Too Many Requests", true},
        {"the desk is full", &nobody, false, NEVER, "GET /x HTTP/1.1\r\n" HOST "\r\n", "503 Service Unavailable", true},
        {"no Host", &nobody, false, LATER, "GET /x HTTP/1.1\r\n\r\n", "400 Bad Request", false},
        {"no HTTP", &nobody, false, LATER, "\x16\x03\x01 hello\r\n\r\n", "", false},
        {"an unknown method", &nobody, false, LATER, "BREW /x HTTP/1.1\r\n" HOST "\r\n", "501 Not Implemented", false},
        {"a body over the bound", &nobody, false, LATER, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n",
         "413 ", false},
        {"two lengths", &nobody, false, LATER,
         "POST /x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Bad Request", false},
        {"a WebSocket that is none", &nobody, false, LATER, "GET /mqtt HTTP/1.1\r\n" HOST BADGE "\r\n", "426 Upgrade Required",
         true},
        {"a WebSocket of nobody", &nobody, false, LATER,
         "GET /mqtt HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", "401 Unauthorized", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        char line[64];
        play_open(&p);
        arrive(&p, 0, rows[i].who);
        p.limited = rows[i].limited;
        p.desks = rows[i].desks;
        const char *answer = ask(&p, 0, rows[i].request);
        snprintf(line, sizeof line, "HTTP/1.1 %s", rows[i].status);
        if (!strstr(answer, line) || !strstr(answer, "Content-Type: application/problem+json\r\n") ||
            !strstr(answer, "{\"type\":\"about:blank\",\"title\":") || times(answer, "HTTP/1.1") != 1 ||
            p.lines[0].open != rows[i].stays)
            fail_msg("%s: %s", rows[i].rule, answer);
        assert_int_equal(p.inquiry_count, 0);
        assert_int_equal(counter_read(&p.counts.http_refused), 1);
        play_close(&p);
    }
}

static void not_found_is_the_desks_to_say(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    play_answer(&p, 0, 404, "{\"status\":404}");
    assert_has(ask(&p, 0, ""), "HTTP/1.1 404 Not Found\r\n");
    ask(&p, 0, "GET /again HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(p.inquiry_count, 1);
    play_close(&p);
}

static const struct asset files[] = {
    {"/index.html", "text/html", "\"i\"", "\"ig\"", BYTES_ROW("<p>hello</p>"), {NULL, 0}},
    {"/app.js", "text/javascript", "\"a\"", "\"ag\"", BYTES_ROW("0123456789"), BYTES_ROW("zipped")},
};

/* RFC 9110, 13 and 14. */
static void assets(void **state)
{
    static const struct {
        const char *rule, *request;
        const char *status, *has; /* a header */
        const char *body;
    } rows[] = {
        {"the page", "GET / HTTP/1.1\r\n" HOST "\r\n", "200", "Content-Type: text/html\r\n", "<p>hello</p>"},
        {"a file", "GET /app.js HTTP/1.1\r\n" HOST "\r\n", "200", "ETag: \"a\"\r\n", "0123456789"},
        {"HEAD", "HEAD /app.js HTTP/1.1\r\n" HOST "\r\n", "200", "Content-Length: 10\r\n", ""},
        {"compressed", "GET /app.js HTTP/1.1\r\n" HOST "Accept-Encoding: br, gzip\r\n\r\n", "200",
         "Content-Encoding: gzip\r\n", "zipped"},
        {"compressed has its own tag", "GET /app.js HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n", "200",
         "ETag: \"ag\"\r\n", "zipped"},
        {"not compressed for those who refuse it", "GET /app.js HTTP/1.1\r\n" HOST "Accept-Encoding: gzip;q=0\r\n\r\n", "200",
         "ETag: \"a\"\r\n", "0123456789"},
        {"nothing to compress", "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n", "200", "ETag: \"i\"\r\n",
         "<p>hello</p>"},
        {"not modified", "GET /app.js HTTP/1.1\r\n" HOST "If-None-Match: \"x\", W/\"a\"\r\n\r\n", "304", "ETag: \"a\"\r\n", ""},
        {"not modified, compressed", "GET /app.js HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\nIf-None-Match: \"ag\"\r\n\r\n",
         "304", "ETag: \"ag\"\r\n", ""},
        {"modified", "GET /app.js HTTP/1.1\r\n" HOST "If-None-Match: \"x\"\r\n\r\n", "200", "", "0123456789"},
        {"a part", "GET /app.js HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\n\r\n", "206", "Content-Range: bytes 2-4/10\r\n", "234"},
        {"the end", "GET /app.js HTTP/1.1\r\n" HOST "Range: bytes=-3\r\n\r\n", "206", "Content-Range: bytes 7-9/10\r\n", "789"},
        {"a part is not compressed", "GET /app.js HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\nRange: bytes=0-0\r\n\r\n", "206",
         "ETag: \"a\"\r\n", "0"},
        {"beyond the end", "GET /app.js HTTP/1.1\r\n" HOST "Range: bytes=10-\r\n\r\n", "416", "Content-Range: bytes */10\r\n",
         ""},
        {"a part of what it was", "GET /app.js HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\nIf-Range: \"old\"\r\n\r\n", "200", "",
         "0123456789"},
        {"a part of what it is", "GET /app.js HTTP/1.1\r\n" HOST "Range: bytes=2-4\r\nIf-Range: \"a\"\r\n\r\n", "206", "", "234"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        char status[32];
        play_open(&p);
        p.assets = (struct assets){files, 2};
        arrive(&p, 0, &nobody);
        const char *answer = ask(&p, 0, rows[i].request), *body = strstr(answer, "\r\n\r\n");
        snprintf(status, sizeof status, "HTTP/1.1 %s ", rows[i].status);
        if (!body || strcmp(body + 4, rows[i].body) != 0 || !strstr(answer, status) || !strstr(answer, rows[i].has) ||
            !strstr(answer, "Content-Security-Policy"))
            fail_msg("%s: %s", rows[i].rule, answer);
        if (strcmp(rows[i].status, "304") == 0) /* RFC 9110, 8.6: none, or that of the 200 */
            assert_null(strstr(answer, "Content-Length: 0"));
        assert_true(p.lines[0].open);
        assert_int_equal(p.inquiry_count, 0);
        play_close(&p);
    }
    struct play p;
    play_open(&p);
    p.assets = (struct assets){files, 2};
    arrive(&p, 0, &nobody);
    ask(&p, 0, "POST /app.js HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    assert_int_equal(p.inquiry_count, 1); /* no file answers a POST */
    play_close(&p);
}

/* ---- streams */

static void publish_news(struct play *p, const char *text)
{
    struct message_parts parts = {.topic = BYTES("news/today"), .payload = bytes_of_text(text)};
    struct message *m = message_make(&parts);
    router_route(p->lobbies[0].flow.router, m, ROUTE_FRESH);
    message_drop(m);
}

/* What happens while the past is looked up is asked for again, so that nothing is missed and nothing is said twice. */
static void past_and_present_meet(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    const char *answer = ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n");
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Transfer-Encoding: chunked\r\n");
    assert_has(answer, "Content-Type: text/event-stream\r\n");
    assert_int_equal(p.inquiry_count, 1);
    assert_non_null(p.inquiries[0]->stream);
    publish_news(&p, "between");
    play_answer(&p, 0, 200, "data: past\n\n");
    assert_int_equal(p.inquiry_count, 1); /* it asks again */
    play_answer(&p, 0, 200, "data: between\n\n");
    assert_int_equal(p.inquiry_count, 0);
    publish_news(&p, "now");
    answer = ask(&p, 0, "");
    const char *past = strstr(answer, "data: past"), *between = strstr(answer, "data: between"), *now = strstr(answer, "data: now");
    assert_true(past && between && now && past < between && between < now);
    assert_int_equal(times(answer, "data: between"), 1);
    ask(&p, 0, "GET /api/1 HTTP/1.1\r\n" HOST BADGE "\r\n"); /* behind a stream nothing is heard */
    assert_int_equal(p.inquiry_count, 0);
    play_pass(&p, 15000);
    assert_has(ask(&p, 0, ""), ":\n\n"); /* the heartbeat */
    p.signed_out = true;
    play_pass(&p, 15000);
    assert_false(p.lines[0].open);
    assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
    play_close(&p);
}

/* The desk has no room for the second question: the client must come again, for what it missed is not at hand. */
static void what_was_missed_is_never_passed_over(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n");
    publish_news(&p, "between");
    p.desks = NEVER;
    play_answer(&p, 0, 200, "data: past\n\n");
    publish_news(&p, "now");
    const char *answer = ask(&p, 0, "");
    assert_null(strstr(answer, "data: now"));
    assert_false(p.lines[0].open);
    play_close(&p);
}

static void streams_that_do_not_begin(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    assert_has(ask(&p, 0, "GET /api/stream?bad HTTP/1.1\r\n" HOST BADGE "\r\n"), "HTTP/1.1 400");
    p.desks = NEVER;
    assert_has(ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n"), "HTTP/1.1 503");
    p.desks = LATER;
    assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
    assert_has(ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 401");
    ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n");
    play_answer(&p, 0, 503, "");
    ask(&p, 0, "");
    assert_false(p.lines[0].open); /* it began, and its past cannot be had: the client comes again */
    arrive(&p, 0, &nobody);
    assert_has(ask(&p, 0, "GET /api/stream HTTP/1.0\r\n" BADGE "\r\n"), "Connection: close\r\n"); /* its end is the line's */
    play_close(&p);
}

static void a_stream_that_nobody_reads(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n");
    play_answer(&p, 0, 200, "");
    play_settle(&p);
    p.lines[0].stuck = true;
    for (int i = 0; i < 20000 && !p.lines[0].ending; i++)
        publish_news(&p, "0123456789012345678901234567890123456789");
    assert_true(p.lines[0].ending);
    assert_true(line_backlog(&p.lines[0].line) < p.limits.stream_bytes_max + 1000);
    publish_news(&p, "after the end");
    play_close(&p);
}

/* A stream without a past begins at once, asks no query thread, and tells what it left out instead of ending. */
static void a_tail_says_what_it_left_out(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    assert_has(ask(&p, 0, "GET /api/tail HTTP/1.1\r\n" HOST BADGE "\r\n"), ":\n\n");
    assert_int_equal(p.inquiry_count, 0);
    publish_news(&p, "first");
    publish_news(&p, "too much");
    assert_has(ask(&p, 0, ""), "data: first\n\n");
    publish_news(&p, "second");
    const char *answer = ask(&p, 0, "");
    assert_has(answer, "skipped: 1\n\ndata: second\n\n");
    p.lines[0].stuck = true;
    for (int i = 0; i < 20000; i++)
        publish_news(&p, "0123456789012345678901234567890123456789");
    assert_true(p.lines[0].open && !p.lines[0].ending);
    assert_true(line_backlog(&p.lines[0].line) < p.limits.stream_bytes_max + 1000);
    uint64_t dropped = counter_read(&p.counts.tail_dropped);
    assert_true(dropped > 10000 && dropped < 20001);
    p.lines[0].stuck = false;
    play_settle(&p);
    play_pass(&p, 15000); /* nothing comes any more: the heartbeat says it */
    char skipped[64];
    snprintf(skipped, sizeof skipped, "skipped: %llu\n\n", (unsigned long long)dropped - 1);
    assert_has(ask(&p, 0, ""), skipped);
    p.signed_out = true;
    play_pass(&p, 15000);
    assert_false(p.lines[0].open);
    assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
    play_close(&p);
}

/* The flow is asked about the filter, as of any subscriber. */
static void a_stream_that_the_flow_refuses(void **state)
{
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    assert_has(ask(&p, 0, "GET /api/tail?secret HTTP/1.1\r\n" HOST BADGE "\r\n"), "HTTP/1.1 403");
    assert_int_equal(p.streams_open, 0);
    assert_int_equal(router_count(p.lobbies[0].flow.router), 0);
    play_close(&p);
}

/* ---- slow and lost */

static void slow_peers_run_out_of_patience(void **state)
{
    static const struct {
        const char *rule, *bytes;
        int64_t after_ms;
        const char *answer;
    } rows[] = {
        {"nothing at all", "", 10000, ""},
        {"a head that does not end", "GET /x HTTP/1.1\r\n", 10000, "HTTP/1.1 408"},
        {"a body that does not end", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc", 30000, "HTTP/1.1 408"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        play_open(&p);
        arrive(&p, 0, &nobody);
        ask(&p, 0, rows[i].bytes);
        play_pass(&p, rows[i].after_ms - 1);
        assert_true(p.lines[0].open);
        play_pass(&p, 1);
        const char *answer = ask(&p, 0, "");
        if (!strstr(answer, rows[i].answer) || p.lines[0].open)
            fail_msg("%s: %s", rows[i].rule, answer);
        play_close(&p);
    }
    struct play p;
    play_open(&p);
    arrive(&p, 0, &nobody);
    for (int i = 0; i < 9; i++) { /* a byte now and then does not buy time */
        ask(&p, 0, i ? "a" : "GET /");
        play_pass(&p, 1000);
    }
    play_pass(&p, 1000);
    assert_false(p.lines[0].open);
    arrive(&p, 0, &nobody);
    ask(&p, 0, "GET /x HTTP/1.1\r\n" HOST "\r\n");
    play_pass(&p, 3600000); /* the desk may take its time */
    assert_true(p.lines[0].open);
    play_answer(&p, 0, 200, "late");
    assert_has(ask(&p, 0, ""), "late");
    play_pass(&p, 60000); /* between requests */
    assert_false(p.lines[0].open);
    play_close(&p);
}

static void lost_while_asking(void **state)
{
    struct play p;
    play_open(&p);
    for (size_t i = 0; i < 4; i++) {
        arrive(&p, i, &nobody);
        ask(&p, i, i % 2 ? "GET /api/stream HTTP/1.1\r\n" HOST BADGE "\r\n" : "GET /x HTTP/1.1\r\n" HOST "\r\n");
    }
    publish_news(&p, "between");
    fake_line_lose(&p.lines[0]);
    fake_line_lose(&p.lines[1]);
    publish_news(&p, "again");
    while (p.inquiry_count) /* the views of the calls still hold */
        play_answer(&p, 0, 200, p.inquiries[0]->call.path.len == 2 ? "x" : "data: past\n\n");
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_desk_answers),
        cmocka_unit_test(pipelining),
        cmocka_unit_test(head_and_empty_answers),
        cmocka_unit_test(refusals_are_problems),
        cmocka_unit_test(not_found_is_the_desks_to_say),
        cmocka_unit_test(assets),
        cmocka_unit_test(past_and_present_meet),
        cmocka_unit_test(what_was_missed_is_never_passed_over),
        cmocka_unit_test(streams_that_do_not_begin),
        cmocka_unit_test(a_stream_that_nobody_reads),
        cmocka_unit_test(a_tail_says_what_it_left_out),
        cmocka_unit_test(a_stream_that_the_flow_refuses),
        cmocka_unit_test(slow_peers_run_out_of_patience),
        cmocka_unit_test(lost_while_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
