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
