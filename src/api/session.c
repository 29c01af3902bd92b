/* Sessions of operators: the first account, signing in, signing out. The rules are in trust/account.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/render.h"

#include "trust/account.h"
#include "trust/bearer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct fault no_limit = {ERR_IO, "api: a sign-in reached a thread that keeps no limit"};

enum { SECOND_US = 1000000, COOKIE_LINE = 192 };

static struct accounts accounts_of(const struct api *api)
{
    return (struct accounts){api->reader, api->recorder, api->clock, api->dice, api->signin_limit};
}

static void set_cookie(struct answer *answer, const char *secret, int64_t seconds)
{
    char line[COOKIE_LINE];
    snprintf(line, sizeof line, "%s=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%" PRId64, API_COOKIE,
             secret, seconds);
    answer_header(answer, "Set-Cookie", line);
    mem_wipe(line, sizeof line);
}

static void give_cookie(struct visit *v, const struct signed_in *in)
{
    char secret[BEARER_TEXT + 1] = "";
    memcpy(secret, in->text.at, in->text.len < BEARER_TEXT ? in->text.len : BEARER_TEXT);
    set_cookie(v->answer, secret, (in->session.expires_us - in->session.made_us) / SECOND_US);
    mem_wipe(secret, sizeof secret);
}

static void signed_in_wipe(struct signed_in *in)
{
    secret_wipe(&in->text);
}

static void put_operator(struct buffer *out, const struct session_record *session)
{
    put_format(out, "{\"operator\":{\"name\":\"%s\"},\"expires\":", session->operator_name);
    render_time(out, session->expires_us);
}

static err too_many(struct visit *v, const struct signed_in *in)
{
    char seconds[16], detail[VISIT_DETAIL];
    snprintf(seconds, sizeof seconds, "%" PRIu32, in->retry_after_s);
    snprintf(detail, sizeof detail, "There were too many failed sign-ins. Try again in %s seconds.", seconds);
    api_problem(v->answer, 429, detail);
    answer_header(v->answer, "Retry-After", seconds);
    return OK;
}

err setup_create(struct visit *v)
{
    json_t *secret, *name, *password;
    const struct json_member members[] = {
        {"secret", MEMBER_TEXT, MEMBER_REQUIRED, &secret},
        {"name", MEMBER_TEXT, MEMBER_REQUIRED, &name},
        {"password", MEMBER_TEXT, MEMBER_REQUIRED, &password},
    };
    SCOPED(json_drop) json_t *root = NULL;
    SCOPED(signed_in_wipe) struct signed_in in = {.retry_after_s = 0};
    if (!v->api->signin_limit)
        return &no_limit;
    TRY(body_read(v, members, sizeof members / sizeof members[0], &root));
    struct accounts accounts = accounts_of(v->api);
    struct credentials with = {json_text(secret), json_text(name), json_text(password), v->call->peer};
    err e = account_setup(&accounts, &with, &in);
    if (err_is(e, ERR_AGAIN))
        return too_many(v, &in);
    TRY(e);
    v->api->herald->session_made(v->api->herald, &in.session);
    give_cookie(v, &in);
    v->answer->status = 201;
    put_operator(&v->answer->body, &in.session);
    put_text(&v->answer->body, "}");
    return OK;
}

static err sign_in(struct visit *v, const struct credentials *with, struct signed_in *in)
{
    struct accounts accounts = accounts_of(v->api);
    err e = account_sign_in(&accounts, with, in);
    if (err_is(e, ERR_AGAIN))
        return too_many(v, in);
    if (err_is(e, ERR_REFUSED)) {
        api_problem(v->answer, 401, "The name or the password is wrong.");
        return OK;
    }
    TRY(e);
    v->api->herald->session_made(v->api->herald, &in->session);
    give_cookie(v, in);
    put_operator(&v->answer->body, &in->session);
    put_text(&v->answer->body, ",\"token\":\"");
    put_bytes(&v->answer->body, secret_view(&in->text));
    put_text(&v->answer->body, "\"}");
    return OK;
}

err session_create(struct visit *v)
{
    json_t *name, *password;
    const struct json_member members[] = {
        {"name", MEMBER_TEXT, MEMBER_REQUIRED, &name},
        {"password", MEMBER_TEXT, MEMBER_REQUIRED, &password},
    };
    SCOPED(json_drop) json_t *root = NULL;
    SCOPED(signed_in_wipe) struct signed_in in = {.retry_after_s = 0};
    if (!v->api->signin_limit)
        return &no_limit;
    TRY(body_read(v, members, sizeof members / sizeof members[0], &root));
    struct credentials with = {.name = json_text(name), .password = json_text(password), .peer = v->call->peer};
    return sign_in(v, &with, &in);
}

err session_show(struct visit *v)
{
    struct session_record session;
    err e = v->api->reader->find_session(v->api->reader, v->call->session_hash, &session);
    if (err_is(e, ERR_ABSENT)) {
        api_problem(v->answer, 401, "The session has ended: sign in again.");
        return OK;
    }
    TRY(e);
    put_operator(&v->answer->body, &session);
    put_text(&v->answer->body, "}");
    return OK;
}

/* A session that is gone already is as good as ended now: the loops are told all the same. */
err session_delete(struct visit *v)
{
    struct accounts accounts = accounts_of(v->api);
    struct session_record session = {.made_us = 0};
    memcpy(session.hash, v->call->session_hash, sizeof session.hash);
    memcpy(session.operator_name, v->call->who.id, sizeof session.operator_name);
    err e = account_sign_out(&accounts, &session, v->call->peer);
    if (e && !err_is(e, ERR_ABSENT))
        return e;
    v->api->herald->session_ended(v->api->herald, session.hash);
    set_cookie(v->answer, "", 0);
    v->answer->status = 204;
    return OK;
}
