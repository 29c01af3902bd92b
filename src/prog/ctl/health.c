/* health: how the server is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void line(struct table *t, const char *name, const char *text)
{
    table_add(t, bytes_of_text(name), FAINT);
    table_text(t, text);
}

static void add_numbers(struct table *t, json_t *numbers)
{
    const char *name;
    json_t *value;
    char text[SHOW_TEXT];
    json_object_foreach(numbers, name, value)
    {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        line(t, name, text);
    }
}

static void show_health(json_t *answer)
{
    SCOPED(table_drop) struct table t = {.columns = 2};
    const json_t *store = json_object_get(answer, "store");
    const char *status = member_text(answer, "status");
    char text[SHOW_TEXT];
    table_add(&t, BYTES("status"), FAINT);
    table_add(&t, bytes_of_text(status), status && !strcmp(status, "ok") ? GOOD : BAD);
    line(&t, "version", member_text(answer, "version"));
    show_span(json_integer_value(json_object_get(answer, "uptime_s")), text);
    line(&t, "up", text);
    line(&t, "store", member_text(store, "status"));
    line(&t, " ", member_text(store, "detail"));
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(answer, "devices")));
    line(&t, "devices", text);
    add_numbers(&t, json_object_get(answer, "numbers"));
    table_print(&t);
}

OUTCOME run_health(const struct invocation *with)
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    enum outcome o = ask(&(struct request){"GET", "/api/v1/health", NULL, NULL}, &found);
    if (o)
        return o;
    if (with->json)
        print_json(buffer_view(&found.reply.body));
    else
        show_health(found.json);
    const char *status = member_text(found.json, "status");
    return status && !strcmp(status, "ok") ? DONE : REFUSED;
}
