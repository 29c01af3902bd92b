/* One call's way: is it from our own pages -> which route -> may the caller -> its parameters -> its handler -> the
 * answer, or a problem document that says what was wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include "api/problem.h"
#include "api/route.h"
#include "wire/http_fields.h"

#include <stdio.h>

static const struct fault foreign_page = {
    ERR_REFUSED, "the request comes from a page of another site (its Origin is not this server)"};
static const struct fault operators_only = {ERR_REFUSED, "only an operator may do this, not a device"};
static const struct fault devices_only = {ERR_REFUSED, "this needs the client certificate of a device"};
static const struct fault nobody_may = {ERR_REFUSED, "nobody may do this"};

struct bytes api_session_secret(const struct call *call)
{
    struct bytes bearer = http_bearer(call_header(call, "authorization"));
    return bearer.len ? bearer : http_cookie(call_header(call, "cookie"), API_COOKIE);
}

static bool changes_nothing(enum call_method method)
{
    return method == METHOD_GET || method == METHOD_HEAD;
}

/* A browser says Origin with every request that changes something; other clients leave it out. The cookie is
 * SameSite=Strict already; this also covers sites below the same registered name, and signing in itself. */
static err check_origin(const struct visit *v)
{
    struct bytes origin = call_header(v->call, "origin");
    if (changes_nothing(v->call->method) || !origin.len || bytes_is(origin, v->api->facts->public_url) ||
        http_origin_is(origin, call_header(v->call, "host")))
        return OK;
    return &foreign_page;
}

static err check_audience(const struct route *route, const struct principal *who)
{
    switch (route->who) {
    case AUDIENCE_ANYBODY:
        return OK;
    case AUDIENCE_DEVICE:
        return who->kind == PRINCIPAL_DEVICE ? OK : &devices_only;
    case AUDIENCE_OPERATOR:
        return who->kind == PRINCIPAL_OPERATOR ? OK : &operators_only;
    case AUDIENCE_MEMBER: /* no route's, but the WebSocket's */
    case AUDIENCE_NOBODY:
        break;
    }
    return &nobody_may;
}

static void say_no_path(struct visit *v)
{
    const char *nearest = route_nearest(v->call->path);
    if (nearest)
        snprintf(v->detail, sizeof v->detail, "There is no such path. Did you mean %s?", nearest);
    else
        snprintf(v->detail, sizeof v->detail, "There is no such path; GET /api/v1/openapi.json lists all of them.");
    api_problem(v->answer, 404, v->detail);
}

static void say_no_method(struct visit *v)
{
    SCOPED(buffer_drop) struct buffer allowed = {.max = 64};
    route_allowed(v->call->path, &allowed);
    snprintf(v->detail, sizeof v->detail, "This path does not know %s; it knows %s.", call_method_text(v->call->method),
             buffer_text(&allowed));
    api_problem(v->answer, 405, v->detail);
    answer_header(v->answer, "Allow", buffer_text(&allowed));
}

static err go(struct visit *v, const struct route *route, struct bytes segment)
{
    if (route->who == AUDIENCE_OPERATOR && v->call->who.kind == PRINCIPAL_NOBODY) {
        api_problem(v->answer, 401, "Sign in first: POST /api/v1/session.");
        return OK;
    }
    TRY(check_origin(v));
    TRY(check_audience(route, &v->call->who));
    TRY(visit_open(v, route, segment));
    TRY(route->handle(v));
    return buffer_finish(&v->answer->headers);
}

static void visit_route(struct visit *v, const struct route *route, struct bytes segment)
{
    err e = go(v, route, segment);
    if (e) {
        buffer_clear(&v->answer->headers);
        problem_of_fault(v->answer, e, v->detail);
    } else if (v->answer->body.spoiled) {
        buffer_clear(&v->answer->headers);
        api_problem(v->answer, 500, "The answer is larger than this server sends; ask for less.");
    }
}

void api_answer(struct api *api, const struct call *call, struct answer *answer)
{
    SCOPED(visit_close) struct visit v = {.api = api, .call = call, .answer = answer};
    const struct route *route;
    struct bytes segment;
    switch (route_find(call->method, call->path, &route, &segment)) {
    case ROUTE_NO_PATH:
        say_no_path(&v);
        break;
    case ROUTE_NO_METHOD:
        say_no_method(&v);
        break;
    case ROUTE_FOUND:
        visit_route(&v, route, segment);
        break;
    }
}
