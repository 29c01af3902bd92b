/* holdfastd: arguments and settings, then the launcher, or, in the process that it starts, the server. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "os/file.h"
#include "prog/server/launcher.h"
#include "prog/server/server.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char help[] =
    "holdfastd: the Holdfast server\n"
    "\n"
    "  holdfastd [--config FILE] [--set NAME=VALUE]...   runs in the foreground until SIGTERM or SIGINT\n"
    "  holdfastd --check [--json] [--config FILE]        reads the settings and says what is wrong with them\n"
    "  holdfastd --reference                             the settings, as Markdown\n"
    "  holdfastd --defaults                              a settings file with every default\n"
    "  holdfastd --version | --help\n"
    "\n"
    "Settings come from the file, then from the environment (HOLDFAST_HTTP_PORT for http.port), then from --set.\n"
    "The exit status is 0 when all is well, 1 when it failed, 2 for a wrong argument.\n";

struct wishes {
    const char *config;
    bool check, json, serve;
    const char *set[64];
    size_t set_count;
};

static int print_reference(void)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    put_text(&text,
             "# Settings of holdfastd\n\nMade by `holdfastd --reference` from the table that the program reads.\n\n");
    settings_put_reference(server_settings_table(), &text);
    fputs(buffer_text(&text), stdout);
    return EXIT_OK;
}

static int print_defaults(void)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    settings_put_yaml(server_settings_table(), &text);
    fputs(buffer_text(&text), stdout);
    return EXIT_OK;
}

static err read_file(const char *path, struct server_settings *settings, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    err failed = file_read(path, &text);
    if (failed) {
        why_say(why, "%s: %s", path, err_text(failed));
        return failed;
    }
    return settings_read_yaml(server_settings_table(), buffer_view(&text), path, settings, why);
}

static err set_one(const char *wish, struct server_settings *settings, char why[WHY_TEXT])
{
    static const struct fault malformed = {ERR_MALFORMED, "settings: --set takes NAME=VALUE"};
    char name[128];
    const char *equals = strchr(wish, '=');
    if (!equals || (size_t)(equals - wish) >= sizeof name) {
        why_say(why, "--set %s: it takes NAME=VALUE", wish);
        return &malformed;
    }
    memcpy(name, wish, (size_t)(equals - wish));
    name[equals - wish] = 0;
    return settings_override(server_settings_table(), name, equals + 1, settings, why);
}

static err read_settings(const struct wishes *w, struct server_settings *settings, char why[WHY_TEXT])
{
    TRY(settings_defaults(server_settings_table(), settings, why));
    if (w->config)
        TRY(read_file(w->config, settings, why));
    TRY(settings_read_environment(server_settings_table(), environ, settings, why));
    for (size_t i = 0; i < w->set_count; i++)
        TRY(set_one(w->set[i], settings, why));
    return server_settings_check(settings, why);
}

static int check(const struct wishes *w, err failed, const char *why)
{
    SCOPED(buffer_drop) struct buffer text = {.max = 4096};
    if (w->json) {
        put_format(&text, "{\"ok\":%s,\"why\":", failed ? "false" : "true");
        put_json_text(&text, bytes_of_text(failed ? why : ""));
        put_text(&text, "}\n");
    } else {
        put_format(&text, "%s\n", failed ? why : "the settings are good");
    }
    fputs(buffer_text(&text), failed && !w->json ? stderr : stdout);
    return failed ? EXIT_FAILED : EXIT_OK;
}

enum option_code {
    WANT_CONFIG = 1,
    WANT_SET,
    WANT_CHECK,
    WANT_JSON,
    WANT_REFERENCE,
    WANT_DEFAULTS,
    WANT_VERSION,
    WANT_HELP,
    WANT_SERVE
};

static const struct option options[] = {
    {"config", required_argument, NULL, WANT_CONFIG},
    {"set", required_argument, NULL, WANT_SET},
    {"check", no_argument, NULL, WANT_CHECK},
    {"json", no_argument, NULL, WANT_JSON},
    {"reference", no_argument, NULL, WANT_REFERENCE},
    {"defaults", no_argument, NULL, WANT_DEFAULTS},
    {"version", no_argument, NULL, WANT_VERSION},
    {"help", no_argument, NULL, WANT_HELP},
    {"serve", no_argument, NULL, WANT_SERVE}, /* what the launcher starts; of no use by hand */
    {NULL, 0, NULL, 0},
};

static int say(const char *text)
{
    fputs(text, stdout);
    return EXIT_OK;
}

static int wrong(void)
{
    fputs("holdfastd: a wrong argument; holdfastd --help says what there is\n", stderr);
    return EXIT_USAGE;
}

/* -1: go on. */
static int take_option(int code, struct wishes *w)
{
    switch (code) {
    case WANT_CONFIG:
        w->config = optarg;
        return -1;
    case WANT_SET:
        if (w->set_count == sizeof w->set / sizeof *w->set)
            return wrong();
        w->set[w->set_count++] = optarg;
        return -1;
    case WANT_CHECK:
        w->check = true;
        return -1;
    case WANT_JSON:
        w->json = true;
        return -1;
    case WANT_SERVE:
        w->serve = true;
        return -1;
    case WANT_REFERENCE:
        return print_reference();
    case WANT_DEFAULTS:
        return print_defaults();
    case WANT_VERSION:
        return say("holdfastd " HOLDFAST_VERSION "\n");
    case WANT_HELP:
        return say(help);
    default:
        return wrong();
    }
}

int main(int argc, char **argv)
{
    struct wishes w = {0};
    struct server_settings settings;
    char why[WHY_TEXT] = "";
    for (int code; (code = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int status = take_option(code, &w);
        if (status >= 0)
            return status;
    }
    if (optind < argc)
        return wrong();
    err failed = read_settings(&w, &settings, why);
    if (w.check)
        return check(&w, failed, why);
    if (failed) {
        fprintf(stderr, "holdfastd: %s\n", why);
        return EXIT_FAILED;
    }
    if (w.serve)
        return server_run(&settings);
    return launcher_run(&(struct launch){&settings, (const char *const *)argv});
}
