/* events: a page of what happened, or, with --follow, the stream of what happens. Following begins with the newest
 * events; their last id goes along when the stream is opened, and again whenever it has to be opened anew, so that no
 * event is left out or shown twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FIRST_WAIT_S = 1, LONGEST_WAIT_S = 30 };

static enum tint severity_tint(const char *severity)
{
    if (severity && !strcmp(severity, "error"))
        return BAD;
    return severity && !strcmp(severity, "warning") ? CAREFUL : PLAIN;
}

static int put_dumped(const char *text, size_t len, void *self)
{
    put_bytes(self, bytes_of(text, len));
    return 0;
}

/* {"reason":"...","peer":"..."} as "reason=... peer=...": objects and arrays stay JSON. */
static void put_detail(struct buffer *out, json_t *detail)
{
    const char *name;
    json_t *value;
    json_object_foreach(detail, name, value)
    {
        put_format(out, "%s%s=", out->len ? " " : "", name);
        if (json_is_object(value) || json_is_array(value))
            json_dump_callback(value, put_dumped, out, JSON_COMPACT);
        else
            put_value(out, value);
    }
}

static void add_event(struct table *t, const json_t *event)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = 65536};
    char time[SHOW_TEXT];
    const char *severity = member_text(event, "severity");
    show_local(member_text(event, "time"), time);
    put_detail(&detail, json_object_get(event, "detail"));
    table_text(t, time);
    table_add(t, bytes_of_text(severity), severity_tint(severity));
    table_text(t, member_text(event, "kind"));
    table_text(t, member_text(event, "device"));
    table_add(t, buffer_view(&detail), PLAIN);
}

static void show_events(const json_t *answer)
{
    static const char *const titles[] = {"TIME", "SEVERITY", "KIND", "DEVICE", "DETAIL"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 5};
    const json_t *event;
    size_t i;
    json_array_foreach(json_object_get(answer, "events"), i, event) add_event(&t, event);
    table_print(&t);
}

/* One line as soon as it is there, so the columns have fixed widths; with --json one object a line. */
static void print_event(const struct invocation *with, const json_t *event)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = 65536};
    char time[SHOW_TEXT], kind[SHOW_TEXT];
    const char *severity = member_text(event, "severity"), *device = member_text(event, "device");
    if (with->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
    } else {
        show_local(member_text(event, "time"), time);
        snprintf(kind, sizeof kind, "  %-21s ", member_text(event, "kind"));
        put_format(&detail, "%-16s ", device ? device : "-");
        put_detail(&detail, json_object_get(event, "detail"));
        printf("%s  ", time);
        print_harmless(severity ? severity : "?", severity_tint(severity));
        printf("%*s", severity && strlen(severity) < 7 ? (int)(7 - strlen(severity)) : 0, "");
        print_harmless(kind, PLAIN);
        print_harmless(buffer_text(&detail), PLAIN);
    }
    putchar('\n');
    fflush(stdout);
}

struct follower {
    struct event_stream stream;
    const struct invocation *with;
};

static void hear(struct event_stream *self, const struct stream_event *heard)
{
    struct follower *f = (struct follower *)self;
    json_t *event = json_loadb((const char *)heard->data.at, heard->data.len, 0, NULL);
    if (json_is_object(event))
        print_event(f->with, event);
    json_decref(event);
}

static void add_filters(struct query *q, const struct invocation *with)
{
    query_open(q);
    query_option(q, with, "--device");
    query_option(q, with, "--kind");
    query_option(q, with, "--severity");
}

/* The newest events, oldest first; "0" as the last id when there are none. */
static OUTCOME begin(struct follower *f, struct finding *found)
{
    SCOPED(query_drop) struct query query;
    add_filters(&query, f->with);
    query_add(&query, "limit", option_value(f->with, "--limit") ? option_value(f->with, "--limit") : "10");
    enum outcome o = ask(&(struct request){"GET", "/api/v1/events", &query, NULL}, found);
    const json_t *events = o ? NULL : json_object_get(found->json, "events");
    for (size_t i = json_array_size(events); i > 0; i--)
        print_event(f->with, json_array_get(events, i - 1));
    snprintf(f->stream.last_id, sizeof f->stream.last_id, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(json_array_get(events, 0), "id")));
    return o;
}

static void wait_s(unsigned seconds)
{
    nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
}

/* Until Ctrl-C, or until the server refuses: a connection that ends or breaks is opened anew. */
static OUTCOME follow(struct follower *f, const struct peer *peer)
{
    SCOPED(query_drop) struct query query;
    unsigned wait = FIRST_WAIT_S;
    char before[EVENT_STREAM_ID_MAX];
    add_filters(&query, f->with);
    for (;;) {
        memcpy(before, f->stream.last_id, sizeof before);
        enum outcome o =
            client_listen(peer, &(struct request){"GET", "/api/v1/events/stream", &query, NULL}, &f->stream);
        if (o && o != UNREACHED)
            return o;
        bool heard = strcmp(before, f->stream.last_id) != 0;
        wait = o && !heard ? (wait * 2 < LONGEST_WAIT_S ? wait * 2 : LONGEST_WAIT_S) : FIRST_WAIT_S;
        wait_s(wait);
    }
}

OUTCOME run_events(const struct invocation *with)
{
    SCOPED(query_drop) struct query query;
    add_filters(&query, with);
    if (!option_value(with, "--follow")) {
        query_option(&query, with, "--limit");
        return ask_and_show(with, &(struct request){"GET", "/api/v1/events", &query, NULL}, show_events);
    }
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    struct follower f = {.with = with};
    event_stream_open(&f.stream, hear);
    enum outcome o = begin(&f, &found);
    if (!o)
        o = follow(&f, &found.session.peer);
    event_stream_close(&f.stream);
    return o;
}
