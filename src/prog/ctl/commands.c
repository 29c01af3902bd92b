/* The table of commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/commands.h"

#define FROM                                                                                                           \
    {                                                                                                                  \
        "--from", "TIME",                                                                                              \
            "from then on: 2026-01-31T08:15:00Z, or 90s, 30m, 2h, 7d ago; by default one hour before --to"             \
    }
#define TO                                                                                                             \
    {                                                                                                                  \
        "--to", "TIME", "up to then; by default now"                                                                   \
    }
#define LIMIT                                                                                                          \
    {                                                                                                                  \
        "--limit", "N", "at most so many rows"                                                                         \
    }

#define KIND                                                                                                           \
    {                                                                                                                  \
        "--kind", "KIND", "of whose session it is: device, operator or anonymous; by default device"                   \
    }
#define PRINCIPAL                                                                                                      \
    {                                                                                                                  \
        "--principal", "ID", "the device's id or the operator's name; by default as the client identifier"             \
    }

const struct command commands[] = {
    {"sign-in",
     NULL,
     "Sign in to a server and keep the session.",
     run_sign_in,
     {{"--server", "URL", "https://host:8443"},
      {"--name", "NAME", "the operator's name"},
      {"--ca", "FILE", "trust this root certificate (PEM)"},
      {"--ca-sha256", "HEX", "trust the server's root certificate if it has this SHA-256"},
      {"--password-stdin", NULL, "read the password from standard input"}}},
    {"sign-out", NULL, "End the session, here and on the server.", run_sign_out, {{NULL, NULL, NULL}}},
    {"devices",
     NULL,
     "List devices.",
     run_devices,
     {{"--search", "TEXT", "part of the id or the group"},
      {"--group", "GROUP", "only this group"},
      {"--state", "STATE", "only this state: enrolled or active"},
      {"--connected", "yes|no", "only devices with, or without, an open session"},
      {"--after", "ID", "only ids behind this one: the next page"},
      LIMIT}},
    {"device show", "ID", "Show one device: what it is, and its latest values.", run_device_show, {{NULL, NULL, NULL}}},
    {"device delete",
     "ID",
     "Delete a device and its telemetry; its certificate is refused from then on.",
     run_device_delete,
     {{"--yes", NULL, "do not ask"}}},
    {"telemetry",
     "ID",
     "Show the latest values of a device, or one metric over time.",
     run_telemetry,
     {{"--metric", "NAME", "this metric over time"}, FROM, TO, LIMIT}},
    {"events",
     NULL,
     "Show what happened, newest first.",
     run_events,
     {{"--device", "ID", "only events of this device"},
      {"--kind", "KIND", "only this kind, such as device.enrolled"},
      {"--severity", "LEVEL", "at least this severe: info, warning or error"},
      LIMIT,
      {"--follow", NULL, "go on with new events, oldest first, until Ctrl-C"}}},
    {"sessions list",
     NULL,
     "List MQTT clients' sessions.",
     run_sessions_list,
     {{"--search", "TEXT", "part of the principal's id or of the client identifier"},
      {"--connected", "yes|no", "only sessions with, or without, their client"},
      {"--after", "CURSOR", "the next page, as the page before named it"},
      LIMIT}},
    {"sessions show",
     "CLIENT",
     "Show one session: its client, its queue, its subscriptions.",
     run_sessions_show,
     {KIND, PRINCIPAL}},
    {"sessions kick",
     "CLIENT",
     "End a session's connection; its client may come back.",
     run_sessions_kick,
     {KIND,
      PRINCIPAL,
      {"--state", NULL, "end the session itself, too: its subscriptions and queued messages are gone"},
      {"--yes", NULL, "with --state: do not ask"}}},
    {"tail",
     "FILTER",
     "Show the messages of a topic filter as they pass, until Ctrl-C.",
     run_tail,
     {{"--count", "N", "end after so many messages"}}},
    {"drain", NULL, "Show whether clients are sent away for maintenance.", run_drain, {{NULL, NULL, NULL}}},
    {"drain on",
     NULL,
     "Refuse new MQTT sessions and end those that stand, bit by bit; what is acknowledged stays.",
     run_drain_on,
     {{"--reference", "HOST:PORT", "where MQTT 5.0 clients are told to go"},
      {"--per-second", "N", "so many sessions a second on each event loop; by default 100"}}},
    {"drain off", NULL, "Let clients in again.", run_drain_off, {{NULL, NULL, NULL}}},
    {"token create",
     NULL,
     "Make an enrolment token and show the command for the device.",
     run_token_create,
     {{"--group", "GROUP", "the group that the devices join; by default 'default'"},
      {"--uses", "N", "how many devices may use it; by default 1"},
      {"--minutes", "N", "how long it lives; by default 60"}}},
    {"token list", NULL, "List enrolment tokens.", run_token_list, {{NULL, NULL, NULL}}},
    {"token delete", "ID", "Delete an enrolment token.", run_token_delete, {{NULL, NULL, NULL}}},
    {"health", NULL, "Show how the server is; exit code 1 when it is not well.", run_health, {{NULL, NULL, NULL}}},
};
const size_t command_count = sizeof commands / sizeof commands[0];
