/* Enrolment tokens: making one, the list, the end of one. The rules are in trust/token.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/record.h"
#include "api/render.h"

#include "base/text.h"
#include "trust/token.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEFAULT_MINUTES = 60, MEMBERS_TEXT = 256 };

static err read_order(struct visit *v, json_t **root, struct token_order *order)
{
    json_t *group, *uses, *minutes;
    const struct json_member members[] = {
        {"group", MEMBER_TEXT, MEMBER_OPTIONAL, &group},
        {"uses", MEMBER_INTEGER, MEMBER_OPTIONAL, &uses},
        {"minutes", MEMBER_INTEGER, MEMBER_OPTIONAL, &minutes},
    };
    char why[WHY_TEXT];
    int64_t use_count = 1, minute_count = DEFAULT_MINUTES;
    err e = OK;
    TRY(body_read(v, members, sizeof members / sizeof members[0], root));
    if (uses)
        e = json_integer_within(uses, "uses", (struct json_bounds){1, TOKEN_USES_MAX}, &use_count, why);
    if (!e && minutes)
        e = json_integer_within(minutes, "minutes", (struct json_bounds){1, TOKEN_MINUTES_MAX}, &minute_count, why);
    if (e)
        return visit_refuse(v, e, "%s", why);
    *order = (struct token_order){group ? json_text(group) : BYTES("default"), (uint64_t)use_count,
                                  (uint64_t)minute_count, bytes_of_text(v->call->who.id)};
    return OK;
}

/* The secret goes in by standard input, so that it stands in no list of processes. */
static void put_command(struct buffer *out, const struct api_facts *facts, struct bytes secret)
{
    SCOPED(buffer_wipe) struct buffer command = {.max = DETAIL_MAX};
    put_text(&command, "echo ");
    put_bytes(&command, secret);
    put_format(&command, " | holdfast-agent enrol --server %s --ca-sha256 %s --token-stdin", facts->public_url,
               facts->root_sha256);
    put_format(&command, " && holdfast-agent run --mqtt %s", facts->mqtt_address);
    put_json_text(out, buffer_view(&command));
}

static void put_made(struct visit *v, const struct token *token, struct bytes secret)
{
    struct buffer *out = &v->answer->body;
    put_format(out, "{\"id\":\"%s\",\"token\":", token->id);
    put_json_text(out, secret);
    put_format(out, ",\"group\":\"%s\",\"uses\":%" PRIu32 ",\"expires\":", token->group, token->uses_total);
    render_time(out, token->expires_us);
    put_text(out, ",\"command\":");
    put_command(out, v->api->facts, secret);
    put_text(out, "}");
}

err token_create(struct visit *v)
{
    struct token_order order;
    struct write w = {.kind = WRITE_TOKEN, .now_us = wall_us(v->api->clock)};
    char members[MEMBERS_TEXT];
    SCOPED(json_drop) json_t *root = NULL;
    SCOPED(secret_wipe) struct secret secret = {.len = 0};
    TRY(read_order(v, &root, &order));
    TRY(token_make(&order, v->api->clock, v->api->dice, &w.as.token, &secret));
    TRY(record_plain(v->api, &w));
    const struct token *token = &w.as.token;
    snprintf(members, sizeof members, "\"token\":\"%s\",\"group\":\"%s\",\"uses\":%" PRIu32, token->id, token->group,
             token->uses_total);
    record_act(v, EVENT_TOKEN_CREATED, "", members);
    v->answer->status = 201;
    put_made(v, token, secret_view(&secret));
    return OK;
}

struct token_list {
    struct token_rows rows;
    struct buffer *out;
    size_t shown;
};

static bool token_row(struct token_rows *rows, const struct token *token)
{
    struct token_list *list = (struct token_list *)rows;
    put_text(list->out, list->shown++ ? "," : "");
    render_token(list->out, token);
    return !list->out->spoiled;
}

err tokens_list(struct visit *v)
{
    struct token_list list = {{token_row}, &v->answer->body, 0};
    put_text(&v->answer->body, "{\"tokens\":[");
    TRY(v->api->reader->list_tokens(v->api->reader, &list.rows));
    put_text(&v->answer->body, "]}");
    return OK;
}

static err forget(struct visit *v)
{
    struct write w = {.kind = WRITE_TOKEN_DELETE, .now_us = wall_us(v->api->clock)};
    TRY(text_copy(bytes_of_text(v->id), w.as.token_id, sizeof w.as.token_id));
    return record_plain(v->api, &w);
}

err token_delete(struct visit *v)
{
    static const struct fault absent = {ERR_ABSENT, "api: there is no such token"};
    char members[MEMBERS_TEXT];
    err e = forget(v);
    if (err_is(e, ERR_ABSENT) || err_is(e, ERR_TOO_LARGE))
        return visit_refuse(v, &absent, "There is no token '%s'.", v->id);
    TRY(e);
    snprintf(members, sizeof members, "\"token\":\"%s\"", v->id);
    record_act(v, EVENT_TOKEN_DELETED, "", members);
    v->answer->status = 204;
    return OK;
}
