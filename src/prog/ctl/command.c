/* Reading the command line by the table of commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NEAR = 3, NAME_MAX_SHOWN = 40 };

static const struct option for_all[] = {
    {"--json", NULL, "print the server's JSON"},
    {"--help", NULL, "print this"},
};

static const char exit_codes[] =
    "Exit codes: 0 done; 1 the server refused; 2 the command line does not read; 3 the server cannot be reached or\n"
    "trusted; 4 not signed in; 5 a file or the terminal of this machine failed.\n";

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("holdfast: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added or left out (Levenshtein). Long names count as far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_SHOWN + 1], len = strlen(b);
    if (len > NAME_MAX_SHOWN || strlen(a) > NAME_MAX_SHOWN)
        return NEAR + 1;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t changed = corner + (a[i] != b[j]);
            corner = row[j + 1];
            row[j + 1] = least(changed, least(row[j], corner) + 1);
        }
    }
    return row[len];
}

static const struct option *find_option(const struct option *table, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count && table[i].name; i++)
        if (bytes_is(name, table[i].name))
            return &table[i];
    return NULL;
}

static const char *nearest_option(const struct command *command, const char *name)
{
    const char *nearest = NULL;
    size_t best = NEAR + 1;
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++)
        if (distance(name, command->options[i].name) < best) {
            best = distance(name, command->options[i].name);
            nearest = command->options[i].name;
        }
    return nearest;
}

static OUTCOME unknown_option(const struct command *command, const char *name)
{
    const char *nearest = nearest_option(command, name);
    if (nearest)
        complain("'%s' does not know the option %s; did you mean %s?", command->words, name, nearest);
    else
        complain("'%s' does not know the option %s; see: holdfast %s --help", command->words, name, command->words);
    return USAGE;
}

static const char *nearest_command(const char *given)
{
    const char *nearest = NULL;
    size_t best = NEAR + 1;
    for (size_t i = 0; i < command_count; i++)
        if (distance(given, commands[i].words) < best) {
            best = distance(given, commands[i].words);
            nearest = commands[i].words;
        }
    return nearest;
}

/* The first two words may be meant as one command ("token crate"), or the first alone. */
static OUTCOME unknown_command(int argc, char **argv)
{
    char given[COMMAND_WORDS_MAX];
    bool two = argc > 1 && argv[1][0] != '-';
    snprintf(given, sizeof given, "%s%s%s", argv[0], two ? " " : "", two ? argv[1] : "");
    const char *nearest = nearest_command(given);
    if (!nearest)
        nearest = nearest_command(argv[0]);
    if (nearest)
        complain("there is no command '%s'; did you mean '%s'?", given, nearest);
    else
        complain("there is no command '%s'; see: holdfast --help", given);
    return USAGE;
}

/* How many arguments the command's words take up; 0: they are not there. */
static size_t words_fit(const char *words, int argc, char **argv)
{
    struct bytes rest = bytes_of_text(words);
    size_t used = 0;
    while (rest.at) {
        struct bytes word = bytes_cut(&rest, ' ');
        if ((int)used >= argc || !bytes_is(word, argv[used]))
            return 0;
        used++;
    }
    return used;
}

static const struct command *find_command(int argc, char **argv, size_t *used)
{
    const struct command *found = NULL;
    *used = 0;
    for (size_t i = 0; i < command_count; i++) {
        size_t words = words_fit(commands[i].words, argc, argv);
        if (words > *used) {
            *used = words;
            found = &commands[i];
        }
    }
    return found;
}

static OUTCOME take_argument(struct invocation *out, const char *given)
{
    if (!out->command->argument || out->argument) {
        complain("'%s' takes %s; '%s' is too many", out->command->words,
                 out->command->argument ? "one argument" : "no argument", given);
        return USAGE;
    }
    out->argument = given;
    return DONE;
}

/* "--name value", "--name=value", or "--name" alone. Moves *at behind what it took. */
static OUTCOME take_option(struct invocation *out, int argc, char **argv, int *at)
{
    const struct command *command = out->command;
    struct bytes value = bytes_of_text(argv[*at]), name = bytes_cut(&value, '=');
    const struct option *option = find_option(command->options, COMMAND_OPTIONS_MAX, name);
    if (!option)
        return unknown_option(command, argv[*at]);
    const char **place = &out->values[option - command->options];
    if (*place || (!option->value && value.at)) {
        complain(*place ? "the option %s is given twice" : "the option %s takes no value", option->name);
        return USAGE;
    }
    if (option->value && !value.at && *at + 1 >= argc) {
        complain("the option %s wants a value: %s %s", option->name, option->name, option->value);
        return USAGE;
    }
    *place = !option->value ? "" : value.at ? (const char *)value.at : argv[++*at];
    return DONE;
}

static OUTCOME take_rest(struct invocation *out, int argc, char **argv)
{
    bool only_arguments = false;
    for (int at = 0; at < argc; at++) {
        enum outcome o = DONE;
        if (only_arguments || argv[at][0] != '-' || !argv[at][1])
            o = take_argument(out, argv[at]);
        else if (!strcmp(argv[at], "--"))
            only_arguments = true;
        else if (!strcmp(argv[at], "--json"))
            out->json = true;
        else if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h"))
            out->help = true;
        else
            o = take_option(out, argc, argv, &at);
        if (o)
            return o;
    }
    return DONE;
}

OUTCOME command_parse(int argc, char **argv, struct invocation *out)
{
    size_t used;
    *out = (struct invocation){.command = NULL};
    if (argc < 2) {
        complain("a command is missing; see: holdfast --help");
        return USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        out->help = true;
        return DONE;
    }
    out->command = find_command(argc - 1, argv + 1, &used);
    if (!out->command)
        return unknown_command(argc - 1, argv + 1);
    enum outcome o = take_rest(out, argc - 1 - (int)used, argv + 1 + used);
    if (!o && !out->help && out->command->argument && !out->argument) {
        complain("'%s' wants an argument: holdfast %s %s", out->command->words, out->command->words,
                 out->command->argument);
        return USAGE;
    }
    return o;
}

const char *option_value(const struct invocation *with, const char *name)
{
    const struct option *option = find_option(with->command->options, COMMAND_OPTIONS_MAX, bytes_of_text(name));
    return option ? with->values[option - with->command->options] : NULL;
}

static void option_help(const struct option *option)
{
    char left[COMMAND_WORDS_MAX];
    snprintf(left, sizeof left, "%s %s", option->name, option->value ? option->value : "");
    printf("  %-22s %s\n", left, option->help);
}

static void list_commands(void)
{
    printf("holdfast - see and run a fleet of devices\n\nUsage: holdfast COMMAND [OPTIONS]\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++) {
        char left[COMMAND_WORDS_MAX];
        snprintf(left, sizeof left, "%s %s", commands[i].words, commands[i].argument ? commands[i].argument : "");
        printf("  %-22s %s\n", left, commands[i].help);
    }
    printf("\nholdfast COMMAND --help tells more; holdfast --version tells the version.\n\n"
           "Environment:\n"
           "  HOLDFAST_SERVER        the server, in place of --server; other commands check it against the session's\n"
           "  HOLDFAST_CA            the root certificate's file, in place of --ca\n"
           "  HOLDFAST_SESSION_FILE  where the session is kept, in place of ~/.config/holdfast/session.json\n"
           "  NO_COLOR               no colours\n\n");
    fputs(exit_codes, stdout);
}

void command_help(const struct command *command)
{
    if (!command) {
        list_commands();
        return;
    }
    printf("Usage: holdfast %s%s%s [OPTIONS]\n\n%s\n\nOptions:\n", command->words, command->argument ? " " : "",
           command->argument ? command->argument : "", command->help);
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].name; i++)
        option_help(&command->options[i]);
    for (size_t i = 0; i < sizeof for_all / sizeof for_all[0]; i++)
        option_help(&for_all[i]);
    printf("\n%s", exit_codes);
}
