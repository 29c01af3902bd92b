/* holdfast-bridge status: what the running bridge left, and whether it runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "prog/bridge/bridge.h"
#include "prog/bridge/commands.h"
#include "wire/json.h"

#include <stdio.h>

static bool bridge_runs(const char *folder)
{
    SCOPED(fd_close) int lock = -1;
    return err_is(folder_lock(folder, &lock), ERR_EXISTS);
}

static err read_state(const char *folder, struct buffer *text, json_t **out, char why[WHY_TEXT])
{
    char path[512];
    snprintf(path, sizeof path, "%s/" STATE_FILE, folder);
    err e = file_read(path, text);
    if (e) {
        why_say(why, "%s: %s", path, e->text);
        return e;
    }
    return json_parse(buffer_view(text), STATE_MAX, out, why);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void print_side(const char *name, const json_t *side)
{
    printf("%-10s %s since %s", name, text_of(side, "state"), text_of(side, "since"));
    if (*text_of(side, "mqtt"))
        printf(", MQTT %s, %lld filters", text_of(side, "mqtt"), number_of(side, "filters"));
    else
        printf(": %s", text_of(side, "why"));
    if (number_of(side, "filters_refused"))
        printf(", %lld of them refused by the server", number_of(side, "filters_refused"));
    puts("");
}

static void print_direction(const char *name, const json_t *d)
{
    printf("%-10s %lld taken, %lld forwarded, %lld waiting (%lld of %lld bytes), %lld dropped%s\n", name,
           number_of(d, "taken"), number_of(d, "forwarded"), number_of(d, "queued"), number_of(d, "queued_bytes"),
           number_of(d, "queue_bytes_max"), number_of(d, "dropped"),
           json_is_true(json_object_get(d, "stopped")) ? "; the queue is full, nothing more is taken" : "");
    const char *reason;
    json_t *count;
    json_object_foreach(json_object_get(d, "dropped_because"), reason, count)
    {
        if (json_integer_value(count))
            printf("%-10s   dropped, %s: %lld\n", "", reason, (long long)json_integer_value(count));
    }
}

/* The object that the bridge left, with one member before its own. */
static void print_json(const char *running, const json_t *state, struct buffer *text)
{
    printf("{\"running\":%s%s%s", running, state ? "," : "}\n", state ? buffer_text(text) + 1 : "");
}

enum exit_code command_status(const struct options *options, const struct bridge_plan *plan)
{
    SCOPED(json_drop) json_t *state = NULL;
    SCOPED(buffer_drop) struct buffer text = {.max = STATE_MAX};
    char why[WHY_TEXT] = "";
    bool runs = bridge_runs(plan->set.folder);
    enum exit_code code = runs ? EXIT_DONE : EXIT_NOT_RUNNING;
    err e = read_state(plan->set.folder, &text, &state, why);
    if (options->json) {
        print_json(runs ? "true" : "false", state, &text);
        return code;
    }
    printf("bridge     %s\n", runs ? "running" : "not running");
    if (e) {
        fprintf(stderr, "holdfast-bridge: nothing is known of what it did: %s\n", why);
        return code;
    }
    print_side("local", json_object_get(state, "local"));
    print_side("remote", json_object_get(state, "remote"));
    print_direction("out", json_object_get(state, "out"));
    print_direction("in", json_object_get(state, "in"));
    return code;
}
