/* Reading the command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/options.h"

#include "base/text.h"

#include <stddef.h>
#include <string.h>

static const struct fault bad_usage = {ERR_MALFORMED, "options: the command line cannot be understood"};

enum { FOR_ENROL = 1 << COMMAND_ENROL, FOR_RUN = 1 << COMMAND_RUN, FOR_PLAN = 1 << COMMAND_PLAN };
enum { FOR_ALL = FOR_ENROL | FOR_RUN | FOR_PLAN };

static const struct {
    const char *name;
    enum command command;
    const char *sentence;
} commands[] = {
    {"enrol", COMMAND_ENROL, "Get a key and a certificate for each device; the token comes on standard input."},
    {"run", COMMAND_RUN, "Let the fleet live for a while, and report what happened to it."},
    {"plan", COMMAND_PLAN, "Say what each unit would do, one line of JSON each; the same seed, the same plan."},
    {"help", COMMAND_HELP, NULL},
    {"--help", COMMAND_HELP, NULL},
    {"-h", COMMAND_HELP, NULL},
    {"--version", COMMAND_VERSION, NULL},
};

enum kind { KIND_TEXT, KIND_COUNT, KIND_SECONDS, KIND_TRUTH };

#define AT(member) offsetof(struct options, member)
static const struct flag {
    const char *name, *value;
    enum kind kind;
    size_t at;
    double least, most;
    unsigned commands;
    const char *sentence;
} flags[] = {
    {"--state", "DIR", KIND_TEXT, AT(state), 0, 0, FOR_ALL, "Where keys and certificates are kept."},
    {"--devices", "N", KIND_COUNT, AT(devices), 1, 16e6, FOR_ALL, "Devices, each with a key of its own; 1."},
    {"--threads", "N", KIND_COUNT, AT(threads), 1, 16, FOR_ENROL | FOR_RUN, "Threads; 2, for enrol 8."},
    {"--server", "URL", KIND_TEXT, AT(server), 0, 0, FOR_ENROL, "The server: https://HOST:PORT."},
    {"--ca", "FILE", KIND_TEXT, AT(ca), 0, 0, FOR_ENROL, "The server's root certificate in PEM. This, or"},
    {"--ca-sha256", "HEX", KIND_TEXT, AT(ca_sha256), 0, 0, FOR_ENROL,
     "its SHA-256: the root is fetched and held against it."},
    {"--prefix", "TEXT", KIND_TEXT, AT(prefix), 0, 0, FOR_ENROL, "Of the devices' ids; sim-."},
    {"--mqtt", "HOST:PORT", KIND_TEXT, AT(mqtt), 0, 0, FOR_RUN, "MQTT over TLS."},
    {"--profile", "MIXTURE", KIND_TEXT, AT(profile), 0, 0, FOR_RUN | FOR_PLAN,
     "telemetry, storm, slow, bad, idle, or shares: telemetry:90,bad:10."},
    {"--sessions-per-device", "N", KIND_COUNT, AT(sessions), 1, 1e6, FOR_RUN | FOR_PLAN,
     "Sessions that share one device's key and certificate, with client ids of their own; 1."},
    {"--first-session", "N", KIND_COUNT, AT(first_session), 0, 1e6, FOR_RUN,
     "Number them from N on, for several runs at a time; 0."},
    {"--seed", "N", KIND_COUNT, AT(seed), 0, 1e18, FOR_RUN | FOR_PLAN, "Of everything that is left to chance; 1."},
    {"--seconds", "N", KIND_SECONDS, AT(seconds), 0.1, 1e6, FOR_RUN, "How long at most; 10."},
    {"--messages", "N", KIND_COUNT, AT(messages), 1, 1e9, FOR_RUN,
     "Messages, bursts or mischiefs of each unit, and then the end."},
    {"--interval", "SECONDS", KIND_SECONDS, AT(interval_s), 0.001, 900, FOR_RUN | FOR_PLAN,
     "Between messages of one unit, a fifth more or less; 1."},
    {"--arrive", "SECONDS", KIND_SECONDS, AT(arrive_s), 0, 1e5, FOR_RUN | FOR_PLAN, "Over how long units begin; 0."},
    {"--storm", "SECONDS", KIND_SECONDS, AT(storm_s), 0.1, 1e5, FOR_RUN, "Between storms; 5."},
    {"--patience", "SECONDS", KIND_SECONDS, AT(patience_s), 0.1, 1e5, FOR_RUN,
     "How long bad units wait for their end; 40."},
    {"--sources", "N", KIND_COUNT, AT(sources), 1, 250, FOR_RUN,
     "Come from 127.0.0.1 to 127.0.0.N; as many as the connections need, when the server is on loopback."},
    {"--at-once", "N", KIND_COUNT, AT(at_once), 1, 100000, FOR_RUN,
     "Connections of one thread on their way to be opened; 64."},
    {"--resume", NULL, KIND_TRUTH, AT(resume), 0, 0, FOR_RUN, "Keep session tickets, and come back with them."},
    {"--leaf-only", NULL, KIND_TRUTH, AT(leaf_only), 0, 0, FOR_RUN, "Do not show the authority above the certificate."},
    {"--mute", NULL, KIND_TRUTH, AT(mute), 0, 0, FOR_RUN,
     "Idle units forget their TLS secrets once they are connected: they say nothing more, and cost no memory."},
    {"--json", NULL, KIND_TRUTH, AT(json), 0, 0, FOR_RUN,
     "The report as one JSON object; \"ready\" stands before it when all are connected."},
};
enum { FLAGS = sizeof flags / sizeof *flags, COMMANDS = sizeof commands / sizeof *commands };

static const struct flag *find_flag(const char *word, enum command command)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (!strcmp(flags[i].name, word) && flags[i].commands & 1u << command)
            return &flags[i];
    return NULL;
}

static err set(struct options *out, const struct flag *flag, const char *text, char why[WHY_TEXT])
{
    char *at = (char *)out + flag->at;
    uint64_t count = 0;
    double number = 0;
    err e = OK;
    why_say(why, "%s needs a value", flag->name);
    if (!text)
        return &bad_usage;
    if (flag->kind == KIND_TEXT) {
        *(const char **)(void *)at = text;
        return OK;
    }
    why_say(why, "%s: \"%s\" is not from %.10g to %.10g", flag->name, text, flag->least, flag->most);
    if (flag->kind == KIND_COUNT) {
        e = text_to_u64(bytes_of_text(text), &count);
        number = (double)count;
        *(uint64_t *)(void *)at = count;
    } else {
        e = text_to_double(bytes_of_text(text), &number);
        *(double *)(void *)at = number;
    }
    return e || number < flag->least || number > flag->most ? &bad_usage : OK;
}

static err check(struct options *o, char why[WHY_TEXT])
{
    const char *wrong = o->command == COMMAND_ENROL && !o->server ? "--server is needed"
                        : o->command == COMMAND_ENROL && !o->ca == !o->ca_sha256
                            ? "either --ca or --ca-sha256 is needed: without it anybody could be the server"
                        : o->command != COMMAND_PLAN && !o->state ? "--state is needed"
                        : o->command == COMMAND_RUN && !o->mqtt   ? "--mqtt is needed"
                                                                  : NULL;
    if (!wrong && mixture_read(bytes_of_text(o->profile), &o->mixture))
        wrong = "--profile: not a profile, and not profiles with shares";
    if (!wrong)
        return OK;
    why_say(why, "%s", wrong);
    return &bad_usage;
}

err options_read(int argc, char *const *argv, struct options *out, char why[WHY_TEXT])
{
    *out = (struct options){.prefix = "sim-",
                            .profile = "telemetry",
                            .devices = 1,
                            .sessions = 1,
                            .seed = 1,
                            .seconds = 10,
                            .interval_s = 1,
                            .storm_s = 5,
                            .patience_s = 40,
                            .at_once = 64};
    size_t which = 0;
    while (which < COMMANDS && argc > 1 && strcmp(argv[1], commands[which].name) != 0)
        which++;
    why_say(why, "a command is needed: enrol, run or plan");
    if (argc < 2 || which == COMMANDS)
        return &bad_usage;
    out->command = commands[which].command;
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            out->command = COMMAND_HELP;
            return OK;
        }
        const struct flag *flag = find_flag(argv[i], out->command);
        why_say(why, "\"%s\" is no flag of this command", argv[i]);
        if (!flag)
            return &bad_usage;
        if (flag->kind == KIND_TRUTH)
            *(bool *)((char *)out + flag->at) = true;
        else
            TRY(set(out, flag, argv[++i], why));
    }
    if (!out->threads)
        out->threads = out->command == COMMAND_ENROL ? 8 : 2;
    return out->command < COMMAND_ENROL ? OK : check(out, why);
}

void options_print_help(FILE *to)
{
    fputs("A simulated fleet for a Holdfast server: devices with keys of their own, over mutual TLS.\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!commands[i].sentence)
            continue;
        fprintf(to, "\nholdfast-sim %s: %s\n", commands[i].name, commands[i].sentence);
        for (size_t k = 0; k < FLAGS; k++)
            if (flags[k].commands & 1u << commands[i].command)
                fprintf(to, "  %-22s%-10s%s\n", flags[k].name, flags[k].value ? flags[k].value : "", flags[k].sentence);
    }
    fputs("\nThe token is never an argument, for arguments are seen by everybody on the machine.\n"
          "Exit codes: 0 all was well, 1 it was not, 2 wrong usage or this machine's limits, 3 not enough devices have "
          "enrolled.\n",
          to);
}
