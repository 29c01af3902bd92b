/* devices, device show, device delete. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/confirm.h"
#include "prog/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void show_devices(const json_t *answer)
{
    static const char *const titles[] = {"ID", "GROUP", "STATE", "CONNECTED", "LAST SEEN", "CERTIFICATE"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 6};
    const json_t *devices = json_object_get(answer, "devices"), *device;
    size_t i;
    json_array_foreach(devices, i, device)
    {
        char seen[SHOW_TEXT], expires[SHOW_TEXT];
        bool connected = json_is_true(json_object_get(device, "connected"));
        show_ago(member_text(device, "last_seen"), seen);
        show_ago(member_text(json_object_get(device, "certificate"), "expires"), expires);
        table_text(&t, member_text(device, "id"));
        table_text(&t, member_text(device, "group"));
        table_text(&t, member_text(device, "state"));
        table_add(&t, bytes_of_text(connected ? "yes" : "no"), connected ? GOOD : FAINT);
        table_text(&t, seen);
        table_text(&t, expires);
    }
    table_print(&t);
    json_int_t total = json_integer_value(json_object_get(answer, "total"));
    const char *next = member_text(answer, "next");
    if (!next)
        return;
    printf("%zu of %" JSON_INTEGER_FORMAT " devices; there is more: --after ", json_array_size(devices), total);
    print_harmless(next, PLAIN);
    putchar('\n');
}

OUTCOME run_devices(const struct invocation *with)
{
    static const char *const same[] = {"--search", "--group", "--state", "--after", "--limit"};
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
    return ask_and_show(with, &(struct request){"GET", "/api/v1/devices", &query, NULL}, show_devices);
}

static void line(struct table *t, const char *name, const char *text)
{
    table_add(t, bytes_of_text(name), FAINT);
    table_text(t, text);
}

static void show_device(const json_t *device)
{
    SCOPED(table_drop) struct table t = {.columns = 2};
    const json_t *certificate = json_object_get(device, "certificate");
    const char *since = member_text(device, "connected_since");
    char text[SHOW_TEXT];
    line(&t, "Device", member_text(device, "id"));
    line(&t, "Group", member_text(device, "group"));
    line(&t, "State", member_text(device, "state"));
    show_local(member_text(device, "enrolled"), text);
    line(&t, "Enrolled", text);
    show_ago(member_text(device, "last_seen"), text);
    line(&t, "Last seen", text);
    show_local(since, text);
    line(&t, "Connected since", since ? text : "not connected");
    line(&t, "Certificate", member_text(certificate, "serial"));
    show_ago(member_text(certificate, "expires"), text);
    line(&t, "Expires", text);
    line(&t, "Key (SHA-256)", member_text(json_object_get(device, "key"), "fingerprint"));
    table_print(&t);
}

static void put_joined(struct buffer *out, const json_t *object, const char *const *names)
{
    for (; *names; names++) {
        const char *text = member_text(object, *names);
        put_text(out, text && out->len ? " " : "");
        put_text(out, text);
    }
}

static void inventory_line(struct table *t, const json_t *inventory, const char *title, const char *const *names)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 1024};
    put_joined(&text, json_object_get(inventory, names[0]), names + 1);
    line(t, title, buffer_text(&text));
}

static void show_inventory(const json_t *answer)
{
    static const char *const os[] = {"os", "name", "version", NULL}, *const kernel[] = {"kernel", "release", "machine",
                                                                                        NULL};
    static const char *const product[] = {"hardware", "vendor", "product", NULL}, *const cpu[] = {"hardware", "cpu",
                                                                                                  NULL};
    SCOPED(table_drop) struct table t = {.columns = 2};
    char text[SHOW_TEXT];
    const json_t *document = json_object_get(json_object_get(answer, "documents"), "inventory");
    const json_t *inventory = json_object_get(document, "content");
    const json_t *hardware = json_object_get(inventory, "hardware");
    if (!inventory)
        return;
    inventory_line(&t, inventory, "System", os);
    inventory_line(&t, inventory, "Kernel", kernel);
    inventory_line(&t, inventory, "Hardware", product);
    inventory_line(&t, inventory, "Processor", cpu);
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT " cores, %" JSON_INTEGER_FORMAT " MiB memory",
             json_integer_value(json_object_get(hardware, "cores")),
             json_integer_value(json_object_get(hardware, "memory")) / 1048576);
    line(&t, " ", text);
    snprintf(text, sizeof text, "%zu installed", json_array_size(json_object_get(inventory, "packages")));
    line(&t, "Packages", text);
    putchar('\n');
    table_print(&t);
}

/* The three answers under one roof, for --json. */
static OUTCOME ask_for(struct finding *found, const struct invocation *with, const char *rest, json_t **out)
{
    SCOPED(buffer_drop) struct buffer path = {.max = THING_PATH_MAX};
    struct request request = {"GET", put_thing_path(&path, (struct thing_path){"devices", with->argument, rest}), NULL,
                              NULL};
    enum outcome o = ask(&request, found);
    *out = o ? NULL : json_incref(found->json);
    return o;
}

static void show_all(const struct invocation *with, json_t *const parts[3])
{
    if (with->json) {
        json_t *whole =
            json_pack("{s:O, s:O*, s:O*}", "device", parts[0], "values", json_object_get(parts[1], "values"),
                      "documents", json_object_get(parts[2], "documents"));
        json_dumpf(whole, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(whole);
        return;
    }
    show_device(parts[0]);
    show_inventory(parts[2]);
    putchar('\n');
    show_latest(parts[1]);
}

OUTCOME run_device_show(const struct invocation *with)
{
    static const char *const rests[3] = {"", "/latest", "/documents"};
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    json_t *parts[3] = {NULL};
    enum outcome o = DONE;
    for (size_t i = 0; i < 3 && !o; i++)
        o = ask_for(&found, with, rests[i], &parts[i]);
    if (!o)
        show_all(with, parts);
    for (size_t i = 0; i < 3; i++)
        json_decref(parts[i]);
    return o;
}

OUTCOME run_device_delete(const struct invocation *with)
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    SCOPED(buffer_drop) struct buffer path = {.max = THING_PATH_MAX};
    struct request request = {"DELETE", put_thing_path(&path, (struct thing_path){"devices", with->argument, ""}), NULL,
                              NULL};
    enum outcome o = DONE;
    if (!option_value(with, "--yes"))
        o = confirm(with->argument, "Delete '%s' with all its telemetry? Type its id again: ", with->argument);
    if (!o)
        o = ask(&request, &found);
    if (!o && !with->json)
        printf("Deleted %s.\n", with->argument);
    return o;
}
