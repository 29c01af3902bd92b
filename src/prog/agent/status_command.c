/* holdfast-agent status: who this machine is, until when, and whether the agent runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "device/credentials.h"
#include "os/clock.h"
#include "os/file.h"
#include "prog/agent/commands.h"
#include "wire/json.h"

#include <string.h>

/* What is shown, as text; state is the link's words as the running agent left them, or "". */
struct status {
    struct credentials credentials;
    bool running, expired;
    char expires[TIME_TEXT];
    char link[32], since[TIME_TEXT], why[WHY_TEXT];
};

static void status_drop(struct status *s)
{
    credentials_drop(&s->credentials);
}

static bool agent_runs(const char *folder)
{
    SCOPED(fd_close) int lock = -1;
    return err_is(folder_lock(folder, &lock), ERR_EXISTS);
}

static void take_text(const json_t *root, const char *member, char *out, size_t room)
{
    if (text_copy(json_text(json_object_get(root, member)), out, room))
        out[0] = 0;
}

static void read_state(const char *folder, struct status *s)
{
    SCOPED(buffer_drop) struct buffer text = {.max = STATE_MAX};
    SCOPED(json_drop) json_t *root = NULL;
    char path[512], why[WHY_TEXT];
    snprintf(path, sizeof path, "%s/" STATE_FILE, folder);
    if (file_read(path, &text) || json_parse(buffer_view(&text), STATE_MAX, &root, why))
        return;
    take_text(root, "link", s->link, sizeof s->link);
    take_text(root, "since", s->since, sizeof s->since);
    take_text(root, "why", s->why, sizeof s->why);
}

static err read_status(const char *folder, struct status *s, char why[WHY_TEXT])
{
    TRY(credentials_load(folder, &s->credentials, why));
    s->running = agent_runs(folder);
    s->expired = s->credentials.facts.not_after_us <= wall_us(machine_clock());
    time_text(s->credentials.facts.not_after_us, s->expires);
    if (s->running)
        read_state(folder, s);
    return OK;
}

static void put_member(struct buffer *b, const char *name, const char *text)
{
    put_format(b, ",\"%s\":", name);
    put_json_text(b, bytes_of_text(text));
}

static void print_json(const struct status *s, const char *folder)
{
    SCOPED(buffer_drop) struct buffer b = {.max = 16384};
    put_format(&b, "{\"enrolled\":true,\"running\":%s,\"expired\":%s", s->running ? "true" : "false",
               s->expired ? "true" : "false");
    put_member(&b, "id", s->credentials.id);
    put_member(&b, "server", s->credentials.server.url);
    put_member(&b, "folder", folder);
    put_member(&b, "serial", s->credentials.facts.serial);
    put_member(&b, "expires", s->expires);
    put_member(&b, "key_fingerprint", s->credentials.facts.key_fingerprint);
    if (s->link[0]) {
        put_member(&b, "link", s->link);
        put_member(&b, "link_since", s->since);
        put_member(&b, "link_why", s->why);
    }
    puts((put_text(&b, "}"), buffer_text(&b)));
}

static void print_text(const struct status *s, const char *folder)
{
    printf("device       %s\n", s->credentials.id);
    printf("server       %s\n", s->credentials.server.url);
    printf("certificate  %s %s, serial %s\n", s->expired ? "expired at" : "valid until", s->expires,
           s->credentials.facts.serial);
    printf("key          %s, SHA-256 %.16s...\n", "software key", s->credentials.facts.key_fingerprint);
    printf("folder       %s\n", folder);
    printf("agent        %s\n", s->running ? "running" : "not running");
    if (s->link[0])
        printf("link         %s since %s%s%s\n", s->link, s->since, s->why[0] ? ": " : "", s->why);
    if (s->expired)
        puts("An expired certificate cannot be renewed: enrol again with holdfast-agent enrol --new-key.");
}

enum exit_code command_status(const struct options *options, const struct agent_settings *settings)
{
    SCOPED(status_drop) struct status s = {.running = false};
    char why[WHY_TEXT] = "";
    err e = read_status(settings->folder, &s, why);
    bool absent = err_is(e, ERR_ABSENT) && !credentials_exist(settings->folder);
    if (e && options->json)
        puts(absent ? "{\"enrolled\":false}" : "{\"enrolled\":false,\"damaged\":true}");
    if (absent) {
        fprintf(stderr, "holdfast-agent: %s holds no identity: enrol first\n", settings->folder);
        return EXIT_NOT_ENROLLED;
    }
    if (e) {
        fprintf(stderr, "holdfast-agent: %s\n", why);
        return EXIT_FAILED;
    }
    if (options->json)
        print_json(&s, settings->folder);
    else
        print_text(&s, settings->folder);
    return EXIT_DONE;
}
