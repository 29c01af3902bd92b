/* What most commands do: load the session, ask the server one thing, show the answer. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/ctl/command.h"
#include "prog/ctl/session_file.h"

/* An answer and the session that it came by. Owned; drop it. {0} is an empty one. */
struct finding {
    struct session session;
    struct reply reply;
    json_t *json; /* NULL: the answer has no body */
};
void finding_drop(struct finding *f);

/* Asks in the session's name; asked once more with the same finding, it keeps the session. */
OUTCOME ask(const struct request *request, struct finding *out);
/* As ask, then prints the server's JSON when --json is given, or else what `show` makes of it. */
OUTCOME ask_and_show(const struct invocation *with, const struct request *request, void (*show)(const json_t *answer));

/* A path about one thing: "/api/v1/devices/pump-1/series". Writes into out and lends its text. */
struct thing_path {
    const char *noun, *id, *rest; /* "devices", "pump-1", "/series" */
};
const char *put_thing_path(struct buffer *out, struct thing_path path);
enum { THING_PATH_MAX = 4096 };

/* Adds the option's value, when it is given, under the option's own name without its dashes. */
void query_option(struct query *q, const struct invocation *with, const char *option);
