/* sessions list, sessions show, sessions kick. A session is named by its client identifier and by whose it is:
 * --principal, which is left out where a device bears its own id as client identifier, as the agent does. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/confirm.h"
#include "prog/ctl/show.h"

#include <stdio.h>
#include <string.h>

#define ONE "/api/v1/sessions/one"

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void add_principal(struct table *t, const json_t *session)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SHOW_TEXT * 2};
    const json_t *principal = json_object_get(session, "principal");
    const char *kind = member_text(principal, "kind"), *id = member_text(principal, "id");
    put_format(&text, "%s%s%s", kind ? kind : "?", id && *id ? " " : "", id ? id : "");
    table_add(t, buffer_view(&text), PLAIN);
}

static void add_number(struct table *t, const json_t *object, const char *name, enum tint when_some)
{
    char text[SHOW_TEXT];
    json_int_t value = number(object, name);
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, value);
    table_add(t, bytes_of_text(text), value ? when_some : FAINT);
}

static void add_session(struct table *t, const json_t *session)
{
    char since[SHOW_TEXT];
    bool connected = json_is_true(json_object_get(session, "connected"));
    show_ago(member_text(session, "since"), since);
    table_text(t, member_text(session, "client"));
    add_principal(t, session);
    table_add(t, bytes_of_text(connected ? "yes" : "no"), connected ? GOOD : FAINT);
    table_text(t, member_text(session, "since") ? since : NULL);
    table_text(t, member_text(session, "peer"));
    add_number(t, session, "subscriptions", PLAIN);
    add_number(t, session, "queued", CAREFUL);
    add_number(t, session, "dropped", BAD);
}

static void show_sessions(const json_t *answer)
{
    static const char *const titles[] = {"CLIENT", "PRINCIPAL", "CONNECTED", "SINCE",
                                         "PEER",   "WATCHES",   "QUEUED",    "DROPPED"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 8};
    const json_t *sessions = json_object_get(answer, "sessions"), *session;
    const char *next = member_text(answer, "next");
    size_t i;
    json_array_foreach(sessions, i, session) add_session(&t, session);
    table_print(&t);
    if (!next)
        return;
    printf("%zu of %" JSON_INTEGER_FORMAT " sessions; there is more: --after ", json_array_size(sessions),
           number(answer, "total"));
    print_harmless(next, PLAIN);
    putchar('\n');
}

OUTCOME run_sessions_list(const struct invocation *with)
{
    static const char *const same[] = {"--search", "--after", "--limit"};
    SCOPED(query_drop) struct query query;
    const char *connected = option_value(with, "--connected");
    query_open(&query);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        query_option(&query, with, same[i]);
    if (connected && strcmp(connected, "yes") != 0 && strcmp(connected, "no") != 0) {
        complain("--connected is yes or no");
        return USAGE;
    }
    if (connected)
        query_add(&query, "connected", strcmp(connected, "yes") ? "false" : "true");
    return ask_and_show(with, &(struct request){"GET", "/api/v1/sessions", &query, NULL}, show_sessions);
}

/* ---- one of them */

static void name_session(struct query *q, const struct invocation *with)
{
    const char *kind = option_value(with, "--kind"), *principal = option_value(with, "--principal");
    bool anonymous = kind && !strcmp(kind, "anonymous");
    query_open(q);
    query_add(q, "kind", kind ? kind : "device");
    query_add(q, "principal", principal || anonymous ? principal : with->argument);
    query_add(q, "client", with->argument);
}

static void line(struct table *t, const char *name, const char *text)
{
    table_add(t, bytes_of_text(name), FAINT);
    table_text(t, text);
}

static void line_number(struct table *t, const char *title, const json_t *session, const char *name)
{
    table_add(t, bytes_of_text(title), FAINT);
    add_number(t, session, name, PLAIN);
}

static void line_expiry(struct table *t, const json_t *session)
{
    const json_t *expiry = json_object_get(session, "expiry_s");
    char text[SHOW_TEXT];
    show_span(json_integer_value(expiry), text);
    line(t, "Expires", json_is_null(expiry) ? "never" : json_integer_value(expiry) ? text : "with its connection");
}

static void show_watches(const json_t *watches)
{
    static const char *const titles[] = {"FILTER", "QOS", "NO LOCAL", "AS PUBLISHED", "ID"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 5};
    const json_t *watch;
    size_t i;
    json_array_foreach(watches, i, watch)
    {
        table_text(&t, member_text(watch, "filter"));
        add_number(&t, watch, "qos", PLAIN);
        table_text(&t, json_is_true(json_object_get(watch, "no_local")) ? "yes" : "no");
        table_text(&t, json_is_true(json_object_get(watch, "as_published")) ? "yes" : "no");
        add_number(&t, watch, "subscription_id", PLAIN);
    }
    if (!json_array_size(watches))
        return;
    putchar('\n');
    table_print(&t);
}

static void show_session(const json_t *session)
{
    SCOPED(table_drop) struct table t = {.columns = 2};
    char since[SHOW_TEXT], text[2 * SHOW_TEXT];
    bool connected = json_is_true(json_object_get(session, "connected"));
    show_ago(member_text(session, "since"), since);
    line(&t, "Client", member_text(session, "client"));
    table_add(&t, BYTES("Principal"), FAINT);
    add_principal(&t, session);
    snprintf(text, sizeof text, "%s, %s", connected ? "yes" : "no", since);
    table_add(&t, BYTES("Connected"), FAINT);
    table_add(&t,
              bytes_of_text(member_text(session, "since") ? text
                            : connected                   ? "yes"
                                                          : "no"),
              connected ? GOOD : FAINT);
    line(&t, "Peer", member_text(session, "peer"));
    line(&t, "Transport", member_text(session, "transport"));
    line(&t, "MQTT", member_text(session, "version"));
    line_number(&t, "Keep-alive (s)", session, "keep_alive_s");
    line_expiry(&t, session);
    line_number(&t, "Queued", session, "queued");
    line_number(&t, "Queued (bytes)", session, "queued_bytes");
    line_number(&t, "Under way", session, "under_way");
    line_number(&t, "Dropped", session, "dropped");
    line_number(&t, "Messages in", session, "messages_in");
    line_number(&t, "Messages out", session, "messages_out");
    line_number(&t, "Subscriptions", session, "subscriptions");
    table_print(&t);
    show_watches(json_object_get(session, "watches"));
}

OUTCOME run_sessions_show(const struct invocation *with)
{
    SCOPED(query_drop) struct query query;
    name_session(&query, with);
    return ask_and_show(with, &(struct request){"GET", ONE, &query, NULL}, show_session);
}

OUTCOME run_sessions_kick(const struct invocation *with)
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    SCOPED(query_drop) struct query query;
    SCOPED(buffer_drop) struct buffer shown = {.max = 1024};
    bool state = option_value(with, "--state") != NULL;
    enum outcome o = DONE;
    put_harmless(&shown, bytes_of_text(with->argument));
    name_session(&query, with);
    if (state)
        query_add(&query, "state", "true");
    if (state && !option_value(with, "--yes"))
        o = confirm(
            with->argument,
            "End the session of '%s' with its subscriptions and queued messages? Type it again: ", buffer_text(&shown));
    if (!o)
        o = ask(&(struct request){"DELETE", ONE, &query, NULL}, &found);
    if (!o && !with->json)
        printf("Ended the %s of %s.\n", state ? "session" : "connection", buffer_text(&shown));
    return o;
}
