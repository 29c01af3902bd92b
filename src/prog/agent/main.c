/* holdfast-agent: reads the command line and the settings, and hands over to the command. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/server_address.h"
#include "os/file.h"
#include "prog/agent/commands.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The process holds a private key: what it writes is for its user alone, it leaves no core dump, and neither it nor
 * what it might start gains rights. Best effort, for nothing below relies on it. */
static void harden(void)
{
    const struct rlimit none = {0, 0};
    umask(077);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
}

err folder_lock(const char *folder, int *fd_out)
{
    char path[512];
    TRY(folder_make(folder, 0700));
    snprintf(path, sizeof path, "%s/lock", folder);
    return file_lock(path, fd_out);
}

static err read_settings(const struct options *options, struct agent_settings *settings, char why[WHY_TEXT])
{
    struct server_address mqtt = {.port = 0};
    char port[8];
    err e = options->mqtt ? server_address_read_pair(bytes_of_text(options->mqtt), &mqtt) : OK;
    if (e) {
        why_say(why, "--mqtt: \"%s\" is not HOST:PORT", options->mqtt);
        return e;
    }
    snprintf(port, sizeof port, "%u", mqtt.port);
    const struct agent_flag flags[] = {
        {"folder", options->folder},
        {"interval", options->interval},
        {"mqtt.host", options->mqtt ? mqtt.host : NULL},
        {"mqtt.port", options->mqtt ? port : NULL},
    };
    return agent_settings_read(options->config, flags, sizeof flags / sizeof *flags, settings, why);
}

static enum exit_code run_command(const struct options *options)
{
    struct agent_settings settings;
    char why[WHY_TEXT] = "";
    if (read_settings(options, &settings, why)) {
        fprintf(stderr, "holdfast-agent: %s\n", why);
        return EXIT_USAGE;
    }
    return options->command == COMMAND_ENROL ? command_enrol(options, &settings)
           : options->command == COMMAND_RUN ? command_run(options, &settings)
                                             : command_status(options, &settings);
}

static void print_reference(void)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    put_text(&text, "# Settings of holdfast-agent\n\n"
                    "Made by `holdfast-agent --reference` from the table that the program reads.\n\n");
    settings_put_reference(agent_settings_table(), &text);
    fputs(buffer_text(&text), stdout);
}

int main(int argc, char **argv)
{
    struct options options;
    char why[WHY_TEXT] = "";
    harden();
    if (options_read(argc, argv, &options, why)) {
        fprintf(stderr, "holdfast-agent: %s\nTry holdfast-agent --help.\n", why);
        return EXIT_USAGE;
    }
    switch (options.command) {
    case COMMAND_HELP:
        options_print_help(stdout);
        return EXIT_DONE;
    case COMMAND_VERSION:
        puts("holdfast-agent " HOLDFAST_VERSION);
        return EXIT_DONE;
    case COMMAND_REFERENCE:
        print_reference();
        return EXIT_DONE;
    case COMMAND_ENROL:
    case COMMAND_RUN:
    case COMMAND_STATUS:
        return run_command(&options);
    }
    return EXIT_USAGE;
}
