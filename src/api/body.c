/* The JSON body of a call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/body.h"

#include "wire/http_fields.h"

static const struct fault not_json = {ERR_UNSUPPORTED, "api: the body must be JSON"};

/* Also what keeps a form on another site from calling us: a browser asks before it sends this type across sites. */
static err check_type(struct visit *v)
{
    if (http_media_type_is(call_header(v->call, "content-type"), "application/json"))
        return OK;
    return visit_refuse(v, &not_json, "The body must be JSON, with 'Content-Type: application/json'.");
}

err body_read(struct visit *v, const struct json_member *members, size_t count, json_t **root)
{
    char why[WHY_TEXT];
    TRY(check_type(v));
    err e = json_parse(v->call->body, BODY_MAX, root, why);
    if (!e)
        e = json_members(*root, members, count, why);
    return e ? visit_refuse(v, e, "%s", why) : OK;
}
