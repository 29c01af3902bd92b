/* Reading the command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/agent/options.h"

#include <stddef.h>
#include <string.h>

static const struct fault bad_usage = {ERR_MALFORMED, "options: the command line cannot be understood"};

static const struct {
    const char *name;
    enum command command;
    const char *sentence;
} commands[] = {
    {"enrol", COMMAND_ENROL, "Get a certificate for this machine, with a one-time token."},
    {"run", COMMAND_RUN, "Measure this machine and send what it finds, until SIGTERM or SIGINT."},
    {"status", COMMAND_STATUS, "Say who this machine is, and whether the agent runs."},
    {"help", COMMAND_HELP, NULL},
    {"--help", COMMAND_HELP, NULL},
    {"-h", COMMAND_HELP, NULL},
    {"--version", COMMAND_VERSION, NULL},
    {"--reference", COMMAND_REFERENCE, NULL},
};

enum { FOR_ENROL = 1 << COMMAND_ENROL, FOR_RUN = 1 << COMMAND_RUN, FOR_STATUS = 1 << COMMAND_STATUS };
enum { FOR_ALL = FOR_ENROL | FOR_RUN | FOR_STATUS };

/* A flag with a value has the place of a text, one without has the place of a truth. */
static const struct flag {
    const char *name, *value;
    size_t offset;
    unsigned commands;
    const char *sentence;
} flags[] = {
    {"--server", "URL", offsetof(struct options, server), FOR_ENROL, "The server: https://HOST:PORT."},
    {"--ca", "FILE", offsetof(struct options, ca), FOR_ENROL, "The server's root certificate in PEM. This, or"},
    {"--ca-sha256", "HEX", offsetof(struct options, ca_sha256), FOR_ENROL,
     "its SHA-256 (of the DER): the root is fetched and held against it."},
    {"--id", "ID", offsetof(struct options, id), FOR_ENROL, "The device's id; the host name when it is not given."},
    {"--token-stdin", NULL, offsetof(struct options, token_stdin), FOR_ENROL,
     "Read the token from standard input, also when that is a terminal's."},
    {"--token-file", "FILE", offsetof(struct options, token_file), FOR_ENROL, "Read the token from a file."},
    {"--new-key", NULL, offsetof(struct options, new_key), FOR_ENROL, "Replace the identity that the folder holds."},
    {"--interval", "TIME", offsetof(struct options, interval), FOR_RUN, "How often to measure: 10s, 1m."},
    {"--mqtt", "HOST:PORT", offsetof(struct options, mqtt), FOR_RUN,
     "Where to send; the enrolment's host and port 8883 when it is not given."},
    {"--json", NULL, offsetof(struct options, json), FOR_STATUS, "Answer as one JSON object."},
    {"--folder", "DIR", offsetof(struct options, folder), FOR_ALL, "Where the identity is; /var/lib/holdfast-agent."},
    {"--config", "FILE", offsetof(struct options, config), FOR_ALL,
     "The settings; /etc/holdfast/agent.yaml when it is there."},
};

enum { FLAGS = sizeof flags / sizeof *flags, COMMANDS = sizeof commands / sizeof *commands };

static err find_command(const char *word, struct options *out, char why[WHY_TEXT])
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(word, commands[i].name)) {
            out->command = commands[i].command;
            return OK;
        }
    why_say(why, "there is no command \"%s\"", word);
    return &bad_usage;
}

static const struct flag *find_flag(const char *word, size_t len)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (strlen(flags[i].name) == len && !strncmp(word, flags[i].name, len))
            return &flags[i];
    return NULL;
}

static err set_text(struct options *out, const struct flag *flag, const char *text, char why[WHY_TEXT])
{
    const char **at = (const char **)(void *)((char *)out + flag->offset);
    if (!text || *at) {
        why_say(why, text ? "%s stands there twice" : "%s needs a value", flag->name);
        return &bad_usage;
    }
    *at = text;
    return OK;
}

/* Takes "--name", "--name=value", or "--name" and the next word; *used says how many words. */
static err read_flag(char *const *words, struct options *out, int *used, char why[WHY_TEXT])
{
    const char *equals = strchr(words[0], '=');
    size_t len = equals ? (size_t)(equals - words[0]) : strlen(words[0]);
    const struct flag *flag = find_flag(words[0], len);
    *used = 1;
    if (!flag || !(flag->commands & 1u << out->command)) {
        why_say(why, "\"%.*s\" is no flag of this command", (int)len, words[0]);
        return &bad_usage;
    }
    if (flag->value) {
        *used = equals ? 1 : 2;
        return set_text(out, flag, equals ? equals + 1 : words[1], why);
    }
    if (equals) {
        why_say(why, "%s takes no value", flag->name);
        return &bad_usage;
    }
    *(bool *)((char *)out + flag->offset) = true;
    return OK;
}

static err check_enrol(const struct options *o, char why[WHY_TEXT])
{
    const char *wrong = !o->server ? "--server is needed"
                        : !o->ca && !o->ca_sha256
                            ? "--ca or --ca-sha256 is needed: without it anybody could be the server"
                        : o->ca && o->ca_sha256           ? "--ca and --ca-sha256 exclude each other"
                        : o->token_stdin && o->token_file ? "--token-stdin and --token-file exclude each other"
                                                          : NULL;
    if (!wrong)
        return OK;
    why_say(why, "%s", wrong);
    return &bad_usage;
}

err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT])
{
    *out = (struct options){.command = COMMAND_HELP};
    if (argc < 2) {
        why_say(why, "a command is needed");
        return &bad_usage;
    }
    TRY(find_command(argv[1], out, why));
    for (int i = 2, used; i < argc; i += used) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            out->command = COMMAND_HELP;
            return OK;
        }
        TRY(read_flag(argv + i, out, &used, why));
    }
    return out->command == COMMAND_ENROL ? check_enrol(out, why) : OK;
}

void options_print_help(FILE *to)
{
    fputs("The agent of Holdfast: measures the machine that it runs on and reports to its server.\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!commands[i].sentence)
            continue;
        fprintf(to, "\nholdfast-agent %s: %s\n", commands[i].name, commands[i].sentence);
        for (size_t k = 0; k < FLAGS; k++)
            if (flags[k].commands & 1u << commands[i].command)
                fprintf(to, "  %-14s%-11s%s\n", flags[k].name, flags[k].value ? flags[k].value : "", flags[k].sentence);
    }
    fputs(
        "\nholdfast-agent --help, --version, --reference (the settings, as Markdown)\n"
        "\n"
        "A token is never an argument, for arguments are seen by everybody on the machine: it is read from standard\n"
        "input, or asked for on a terminal.\n"
        "Exit codes: 0 done, 1 failed and may be tried again, 2 wrong usage or settings, 3 not enrolled, 4 refused.\n",
        to);
}
