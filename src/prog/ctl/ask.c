/* Asking the server in the session's name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"

#include "prog/ctl/show.h"

void finding_drop(struct finding *f)
{
    json_decref(f->json);
    reply_drop(&f->reply);
    session_drop(&f->session);
}

OUTCOME ask(const struct request *request, struct finding *out)
{
    enum outcome o = out->session.document ? DONE : session_load(&out->session);
    if (o)
        return o;
    json_decref(out->json);
    reply_drop(&out->reply);
    o = client_ask(&out->session.peer, request, &out->reply, &out->json);
    if (o == NOT_SIGNED_IN)
        complain("sign in again: holdfast sign-in --server %s --name %s", out->session.peer.server, out->session.name);
    return o;
}

OUTCOME ask_and_show(const struct invocation *with, const struct request *request, void (*show)(const json_t *answer))
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    enum outcome o = ask(request, &found);
    if (o)
        return o;
    if (with->json)
        print_json(buffer_view(&found.reply.body));
    else
        show(found.json);
    return DONE;
}

const char *put_thing_path(struct buffer *out, struct thing_path path)
{
    out->max = THING_PATH_MAX;
    put_format(out, "/api/v1/%s/", path.noun);
    put_percent(out, path.id);
    put_text(out, path.rest);
    return buffer_text(out);
}

void query_option(struct query *q, const struct invocation *with, const char *option)
{
    query_add(q, option + 2, option_value(with, option));
}
