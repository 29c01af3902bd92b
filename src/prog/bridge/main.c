/* holdfast-bridge: reads the command line and the settings, and hands over to the command. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "os/file.h"
#include "prog/bridge/commands.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The process holds a private key and a password: what it writes is for its user alone, it leaves no core dump, and
 * neither it nor what it might start gains rights. Best effort, for nothing below relies on it. */
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

static enum exit_code run_with_plan(const struct options *options, struct bridge_plan *plan)
{
    char why[WHY_TEXT] = "no memory";
    if (!plan || bridge_plan_read(options->config, options->folder, plan, why)) {
        fprintf(stderr, "holdfast-bridge: %s\n", why);
        return EXIT_USAGE;
    }
    return options->command == COMMAND_RUN     ? command_run(plan)
           : options->command == COMMAND_CHECK ? command_check(plan)
                                               : command_status(options, plan);
}

static enum exit_code run_command(const struct options *options)
{
    struct bridge_plan *plan = MEM_NEW(struct bridge_plan);
    enum exit_code code = run_with_plan(options, plan);
    mem_drop(plan);
    return code;
}

static void print_reference(void)
{
    SCOPED(buffer_drop) struct buffer text = {.max = SETTINGS_FILE_MAX};
    put_text(&text, "# Settings of holdfast-bridge\n\n"
                    "Made by `holdfast-bridge --reference` from the tables that the program reads.\n\n");
    settings_put_reference(bridge_settings_table(), &text);
    put_text(&text, "\n");
    settings_put_list_reference(&(struct settings_list){.name = "mappings", .table = bridge_mapping_table()}, &text);
    fputs(buffer_text(&text), stdout);
}

int main(int argc, char **argv)
{
    struct options options;
    char why[WHY_TEXT] = "";
    harden();
    if (options_read(argc, argv, &options, why)) {
        fprintf(stderr, "holdfast-bridge: %s\nTry holdfast-bridge --help.\n", why);
        return EXIT_USAGE;
    }
    switch (options.command) {
    case COMMAND_HELP:
        options_print_help(stdout);
        return EXIT_DONE;
    case COMMAND_VERSION:
        puts("holdfast-bridge " HOLDFAST_VERSION);
        return EXIT_DONE;
    case COMMAND_REFERENCE:
        print_reference();
        return EXIT_DONE;
    case COMMAND_RUN:
    case COMMAND_CHECK:
    case COMMAND_STATUS:
        return run_command(&options);
    }
    return EXIT_USAGE;
}
