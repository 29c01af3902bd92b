/* The witness. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/witness.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { EVENTS_PER_S = 20, BURST = 200 };

/* A write that nobody waits for. */
struct statement {
    struct errand errand;
    struct witness *witness;
};

static void stated(struct errand *errand)
{
    struct statement *s = CONTAINER(errand, struct statement, errand);
    s->witness->left_out += errand->result.failed != OK;
    mem_drop(s);
}

static bool may_speak(struct witness *w)
{
    static const struct bucket_rate rate = {EVENTS_PER_S, BURST};
    return bucket_take(&w->allowance, rate, monotonic_ms(w->clock));
}

static void member(struct buffer *out, const char *name, struct bytes text)
{
    if (!text.len)
        return;
    put_text(out, out->len > 1 ? "," : "");
    put_json_text(out, bytes_of_text(name));
    put_text(out, ":");
    put_json_text(out, bytes_first(text, 512));
}

static bool post(struct witness *w, const struct event *event)
{
    struct statement *s = MEM_NEW(struct statement);
    struct write *write = s ? write_event(event) : NULL;
    if (!write) {
        mem_drop(s);
        return false;
    }
    *s = (struct statement){.errand = {.write = write, .done = stated}, .witness = w};
    if (w->recorder->post(w->recorder, &s->errand)) {
        write_drop(write);
        mem_drop(s);
        return false;
    }
    return true;
}

static void report(struct reporter *self, const struct report *r)
{
    struct witness *w = CONTAINER(self, struct witness, reporter);
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    if (!may_speak(w)) {
        w->left_out++;
        return;
    }
    put_text(&detail, "{");
    member(&detail, "why", bytes_of_text(r->why));
    member(&detail, "topic", r->topic);
    member(&detail, "peer", bytes_of_text(r->peer));
    if (w->left_out)
        put_format(&detail, "%s\"left_out\":%llu", detail.len > 1 ? "," : "", (unsigned long long)w->left_out);
    put_text(&detail, "}");
    struct event event = {.time_us = wall_us(w->clock),
                          .kind = r->kind,
                          .severity = event_kind_severity(r->kind),
                          .detail = buffer_view(&detail)};
    if (r->device && text_copy(bytes_of_text(r->device), event.device, sizeof event.device))
        event.device[0] = 0;
    if (buffer_finish(&detail) || !post(w, &event))
        w->left_out++;
    else
        w->left_out = 0;
    log_line(w->log, LOG_INFO, event_kind_text(r->kind), "device=%s peer=%s why=\"%s\"", event.device, r->peer, r->why);
}

/* What a refusal is called; one without a row leaves no event. Refused calls are answered and counted, and that the
 * store does not commit is the store's own to say, once. */
static const struct naming {
    const char *stage;
    enum verb verb;
    enum event_kind kind;
} namings[] = {
    {"limit", VERB_HELLO, EVENT_REQUEST_LIMITED},       {"limit", VERB_PUBLISH, EVENT_REQUEST_LIMITED},
    {"limit", VERB_WATCH, EVENT_REQUEST_LIMITED},       {"authorise", VERB_HELLO, EVENT_CONNECTION_REFUSED},
    {"authorise", VERB_PUBLISH, EVENT_PUBLISH_REFUSED}, {"authorise", VERB_WATCH, EVENT_SUBSCRIBE_REFUSED},
    {"identify", VERB_HELLO, EVENT_CONNECTION_REFUSED}, {"inspect", VERB_PUBLISH, EVENT_PAYLOAD_REFUSED},
};

static const struct naming *naming_of(const struct request *r)
{
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++)
        if (namings[i].verb == r->verb && strcmp(namings[i].stage, r->refused_by) == 0)
            return &namings[i];
    return NULL;
}

static void outcome(struct tap *self, const struct request *r)
{
    struct witness *w = CONTAINER(self, struct witness, tap);
    const struct naming *naming = r->refused ? naming_of(r) : NULL;
    if (!naming)
        return;
    struct report said = {.kind = naming->kind,
                          .peer = r->peer,
                          .why = r->why[0] ? r->why : err_text(r->refused),
                          .device = r->who->kind == PRINCIPAL_DEVICE ? r->who->id : ""};
    if (r->verb != VERB_HELLO)
        said.topic = r->resource;
    report(&w->reporter, &said);
}

void witness_open(struct witness *w, const struct witness_options *options)
{
    *w = (struct witness){.tap = {outcome},
                          .reporter = {report},
                          .recorder = options->recorder,
                          .clock = options->clock,
                          .log = options->log};
}
