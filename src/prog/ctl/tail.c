/* tail: the messages of a topic filter as they pass. A connection that ends is opened anew; what passed meanwhile is
 * not kept for anybody, and that is said. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FIRST_WAIT_S = 1, LONGEST_WAIT_S = 30, SHOWN_MAX = 1048576 };

struct watcher {
    struct event_stream stream;
    const struct invocation *with;
    int64_t wanted; /* messages; 0: until Ctrl-C */
    int64_t seen;
};

/* "2026-01-31 09:15:00  devices/pump-1/telemetry  qos 1, retained  {"cpu":0.5}", one line each. */
static void print_message(const json_t *message)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SHOWN_MAX};
    const json_t *payload = json_object_get(message, "payload");
    const char *encoding = member_text(payload, "encoding"), *topic = member_text(message, "topic"),
               *data = member_text(payload, "data");
    char time[SHOW_TEXT];
    bool base64 = encoding && !strcmp(encoding, "base64");
    show_local(member_text(message, "time"), time);
    put_format(&text, "  qos %" JSON_INTEGER_FORMAT "%s  %s%s%s", json_integer_value(json_object_get(message, "qos")),
               json_is_true(json_object_get(message, "retain")) ? ", retained" : "", base64 ? "base64:" : "",
               data ? data : "", json_is_false(json_object_get(payload, "whole")) ? " ..." : "");
    printf("%s  ", time);
    print_harmless(topic ? topic : "?", GOOD);
    print_harmless(buffer_text(&text), PLAIN);
    putchar('\n');
}

static void print_skipped(const json_t *skipped)
{
    complain("%" JSON_INTEGER_FORMAT " messages were left out: more than can be shown",
             json_integer_value(json_object_get(skipped, "messages")));
}

/* With --json one object a line: a message, or {"skipped": {"messages": N}}. */
static void print_raw(json_t *data, const struct stream_event *heard)
{
    if (bytes_is(heard->kind, "skipped")) {
        printf("{\"skipped\":");
        json_dumpf(data, stdout, JSON_COMPACT);
        printf("}");
    } else {
        json_dumpf(data, stdout, JSON_COMPACT);
    }
    putchar('\n');
}

static void hear(struct event_stream *self, const struct stream_event *heard)
{
    struct watcher *w = (struct watcher *)self;
    bool is_message = bytes_is(heard->kind, "message");
    if (self->enough)
        return; /* more came along with the last one */
    json_t *data = json_loadb((const char *)heard->data.at, heard->data.len, 0, NULL);
    if (json_is_object(data) && w->with->json)
        print_raw(data, heard);
    else if (json_is_object(data) && is_message)
        print_message(data);
    else if (json_is_object(data))
        print_skipped(data);
    json_decref(data);
    fflush(stdout);
    w->seen += is_message;
    self->enough = w->wanted && w->seen >= w->wanted;
}

static OUTCOME read_count(const struct invocation *with, int64_t *out)
{
    const char *text = option_value(with, "--count");
    *out = 0;
    if (!text || (!text_to_i64(bytes_of_text(text), out) && *out > 0))
        return DONE;
    complain("--count is a whole number from 1 on");
    return USAGE;
}

static OUTCOME watch(struct watcher *w, const struct peer *peer, const struct request *request)
{
    unsigned wait = FIRST_WAIT_S;
    for (;;) {
        int64_t before = w->seen;
        enum outcome o = client_listen(peer, request, &w->stream);
        if (w->stream.enough || (o && o != UNREACHED))
            return o;
        if (!o)
            complain("the connection ended; what passes until it stands again is not shown");
        wait = o && w->seen == before ? (wait * 2 < LONGEST_WAIT_S ? wait * 2 : LONGEST_WAIT_S) : FIRST_WAIT_S;
        nanosleep(&(struct timespec){.tv_sec = wait}, NULL);
    }
}

OUTCOME run_tail(const struct invocation *with)
{
    SCOPED(query_drop) struct query query;
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    struct watcher w = {.with = with};
    query_open(&query);
    query_add(&query, "filter", with->argument);
    enum outcome o = read_count(with, &w.wanted);
    if (!o)
        o = session_load(&found.session);
    if (o)
        return o;
    event_stream_open(&w.stream, hear);
    o = watch(&w, &found.session.peer, &(struct request){"GET", "/api/v1/tail", &query, NULL});
    event_stream_close(&w.stream);
    if (o == NOT_SIGNED_IN)
        complain("sign in again: holdfast sign-in --server %s --name %s", found.session.peer.server,
                 found.session.name);
    return o;
}
