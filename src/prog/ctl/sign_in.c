/* sign-in and sign-out. Trust in a server that is new: by --ca, by --ca-sha256 (the root certificate is fetched without
 * verification and used only if its hash is that one), or by the roots of the system. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/pin.h"
#include "prog/ctl/secret_prompt.h"
#include "prog/ctl/show.h"

#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_TEXT = 512, CA_MAX = 65536 };

static const char *option_or_variable(const struct invocation *with, const char *option, const char *variable)
{
    const char *value = option_value(with, option);
    if (!value)
        value = getenv(variable);
    return value && *value ? value : NULL;
}

static OUTCOME read_server(const struct invocation *with, char out[URL_TEXT])
{
    const char *given = option_or_variable(with, "--server", "HOLDFAST_SERVER");
    if (!given || strncmp(given, "https://", 8) != 0 || !given[8]) {
        complain(given ? "the server must be a URL that begins with https://"
                       : "which server? --server https://host:8443");
        return USAGE;
    }
    int len = snprintf(out, URL_TEXT, "%s", given);
    while (len > 0 && len < URL_TEXT && out[len - 1] == '/')
        out[--len] = 0;
    if (len < URL_TEXT && !strpbrk(out + 8, "/?#@ "))
        return DONE;
    complain("the server must be https://host:port and nothing more");
    return USAGE;
}

static OUTCOME read_trust(const struct invocation *with, const char *server, struct buffer *pem)
{
    const char *hash = option_value(with, "--ca-sha256");
    const char *file = hash ? option_value(with, "--ca") : option_or_variable(with, "--ca", "HOLDFAST_CA");
    if (hash && file) {
        complain("give --ca or --ca-sha256, not both");
        return USAGE;
    }
    if (hash)
        return pin_fetch(server, hash, pem);
    err e = file ? file_read(file, pem) : OK;
    if (!e)
        return DONE;
    complain("%s cannot be read: %s", file, err_text(e));
    return LOCAL;
}

static OUTCOME read_password(const struct invocation *with, struct secret *out)
{
    char question[URL_TEXT];
    if (option_value(with, "--password-stdin"))
        return secret_from_input(out);
    snprintf(question, sizeof question, "Password of %s: ", option_value(with, "--name"));
    return secret_ask(question, out);
}

static OUTCOME keep_session(const struct peer *peer, const json_t *answer)
{
    const char *token = member_text(answer, "token"), *expires = member_text(answer, "expires");
    const char *name = member_text(json_object_get(answer, "operator"), "name");
    json_t *document = json_pack("{s:s, s:s%, s:s, s:s, s:s}", "server", peer->server, "ca",
                                 peer->ca_pem.len ? (const char *)peer->ca_pem.at : "", peer->ca_pem.len, "token",
                                 token, "name", name, "expires", expires);
    if (!document) {
        complain("the server's answer is not that of a sign-in");
        return UNREACHED;
    }
    enum outcome o = session_save(document);
    json_decref(document);
    return o;
}

static OUTCOME sign_in(const struct invocation *with, const struct peer *peer, const struct secret *password)
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    json_t *body =
        json_pack("{s:s, s:s%}", "name", option_value(with, "--name"), "password", password->at, password->len);
    if (!body) {
        complain("the name or the password is not UTF-8");
        return USAGE;
    }
    enum outcome o =
        client_ask(peer, &(struct request){"POST", "/api/v1/session", NULL, body}, &found.reply, &found.json);
    json_decref(body);
    if (o == NOT_SIGNED_IN)
        return REFUSED; /* 401 says here that the credentials are wrong */
    if (!o)
        o = keep_session(peer, found.json);
    if (o)
        return o;
    char until[SHOW_TEXT];
    show_local(member_text(found.json, "expires"), until);
    if (with->json)
        printf("{\"server\":\"%s\",\"expires\":\"%s\"}\n", peer->server, member_text(found.json, "expires"));
    else
        printf("Signed in to %s as %s until %s.\n", peer->server, option_value(with, "--name"), until);
    return DONE;
}

OUTCOME run_sign_in(const struct invocation *with)
{
    char server[URL_TEXT];
    SCOPED(buffer_drop) struct buffer pem = {.max = CA_MAX};
    SCOPED(secret_wipe) struct secret password = {.len = 0};
    if (!option_value(with, "--name")) {
        complain("who signs in? --name NAME");
        return USAGE;
    }
    enum outcome o = read_server(with, server);
    if (!o)
        o = read_trust(with, server, &pem);
    if (!o)
        o = read_password(with, &password);
    if (o)
        return o;
    struct peer peer = {.server = server, .ca_pem = buffer_view(&pem), .token = ""};
    return sign_in(with, &peer, &password);
}

/* A session that the server has ended already is signed out of here too. When the server cannot be reached the file
 * stays, because the session lives on and can still be ended. */
OUTCOME run_sign_out(const struct invocation *with)
{
    struct session session;
    struct reply reply = {.status = 0};
    enum outcome o = session_load(&session);
    if (!o)
        o = client_call(&session.peer, &(struct request){"DELETE", "/api/v1/session", NULL, NULL}, &reply);
    if (!o && reply.status != 204 && reply.status != 401)
        o = client_refused(&reply);
    reply_drop(&reply);
    session_drop(&session);
    if (o)
        return o;
    o = session_forget();
    if (!o && !with->json)
        puts("Signed out.");
    return o;
}
