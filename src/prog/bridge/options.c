/* Reading the command line: two words with a value, one without. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/bridge/options.h"

#include "prog/bridge/settings.h"

#include <string.h>

static const struct fault bad_usage = {ERR_MALFORMED, "options: the command line cannot be understood"};

static const struct {
    const char *name;
    enum command command;
} commands[] = {
    {"run", COMMAND_RUN},       {"check", COMMAND_CHECK},       {"--check", COMMAND_CHECK},
    {"status", COMMAND_STATUS}, {"help", COMMAND_HELP},         {"--help", COMMAND_HELP},
    {"-h", COMMAND_HELP},       {"--version", COMMAND_VERSION}, {"--reference", COMMAND_REFERENCE},
};

static err find_command(const char *word, enum command *out, char why[WHY_TEXT])
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(word, commands[i].name)) {
            *out = commands[i].command;
            return OK;
        }
    why_say(why, "there is no command \"%s\"", word);
    return &bad_usage;
}

/* "--name VALUE" or "--name=VALUE"; *used says how many words. False: another flag. */
static bool takes_value(const char *name, char *const *words, const char **value, int *used)
{
    size_t len = strlen(name);
    if (strncmp(words[0], name, len) || (words[0][len] && words[0][len] != '='))
        return false;
    *used = words[0][len] ? 1 : 2;
    *value = words[0][len] ? words[0] + len + 1 : words[1];
    return true;
}

static err read_flag(char *const *words, struct options *out, int *used, char why[WHY_TEXT])
{
    *used = 1;
    if (!strcmp(words[0], "--help") || !strcmp(words[0], "-h")) {
        out->command = COMMAND_HELP;
        return OK;
    }
    if (!strcmp(words[0], "--json") && out->command == COMMAND_STATUS) {
        out->json = true;
        return OK;
    }
    const char *value = "";
    const char **at = takes_value("--config", words, &value, used)   ? &out->config
                      : takes_value("--folder", words, &value, used) ? &out->folder
                                                                     : NULL;
    if (!at || !value || *at) {
        why_say(why,
                !at      ? "\"%s\" is no flag of this command"
                : !value ? "%s needs a value"
                         : "%s stands there twice",
                words[0]);
        return &bad_usage;
    }
    *at = value;
    return OK;
}

err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT])
{
    *out = (struct options){.command = COMMAND_HELP};
    if (argc < 2) {
        why_say(why, "a command is needed");
        return &bad_usage;
    }
    TRY(find_command(argv[1], &out->command, why));
    for (int i = 2, used; i < argc; i += used)
        TRY(read_flag(argv + i, out, &used, why));
    return OK;
}

void options_print_help(FILE *to)
{
    fputs(
        "The bridge of Holdfast: forwards messages between Holdfast and another MQTT broker, in both directions.\n"
        "\n"
        "holdfast-bridge run       Forward, until SIGTERM or SIGINT.\n"
        "holdfast-bridge check     Say whether the settings and the files that they name are acceptable.\n"
        "holdfast-bridge status    Say what the running bridge does.\n"
        "  --json                  Answer as one JSON object.\n"
        "\n"
        "  --config FILE           The settings and mappings; " BRIDGE_CONFIG " when it is not given.\n"
        "  --folder DIR            Where the identity and the queues are; the setting `folder` otherwise.\n"
        "\n"
        "holdfast-bridge --help, --version, --reference (the settings, as Markdown)\n"
        "\n"
        "The bridge is a device of Holdfast: enrol it with holdfast-agent enrol --folder DIR, and name its id in the\n"
        "server's setting policy.bridges. A password is never an argument: remote.password-file names its file.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 not enrolled, 4 not running (status).\n",
        to);
}
