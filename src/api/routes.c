/* The routes: every path of the API, who may call it, where it runs, which parameters it knows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/tail.h"

#include <string.h>

#define V1  "/api/v1"
#define EST "/.well-known/est"

#define ANYBODY  AUDIENCE_ANYBODY
#define DEVICE   AUDIENCE_DEVICE
#define OPERATOR AUDIENCE_OPERATOR

const struct route routes[] = {
    {METHOD_POST, V1 "/setup", ANYBODY, API_SIGN_IN, setup_create, NULL},
    {METHOD_POST, V1 "/session", ANYBODY, API_SIGN_IN, session_create, NULL},
    {METHOD_GET, V1 "/session", OPERATOR, API_QUERY, session_show, NULL},
    {METHOD_DELETE, V1 "/session", OPERATOR, API_QUERY, session_delete, NULL},
    {METHOD_GET, V1 "/health", OPERATOR, API_QUERY, health_show, NULL},
    {METHOD_GET, V1 "/fleet", OPERATOR, API_QUERY, fleet_show, NULL},
    {METHOD_GET, V1 "/devices", OPERATOR, API_QUERY, devices_list, "search group state connected limit after"},
    {METHOD_GET, V1 "/devices/{id}", OPERATOR, API_QUERY, device_show, NULL},
    {METHOD_DELETE, V1 "/devices/{id}", OPERATOR, API_QUERY, device_delete, NULL},
    {METHOD_GET, V1 "/devices/{id}/latest", OPERATOR, API_QUERY, device_latest, NULL},
    {METHOD_GET, V1 "/devices/{id}/series", OPERATOR, API_QUERY, device_series, "metric from to limit"},
    {METHOD_GET, V1 "/devices/{id}/documents", OPERATOR, API_QUERY, device_documents, NULL},
    {METHOD_GET, V1 "/events", OPERATOR, API_QUERY, events_list, "device kind severity before after limit"},
    {METHOD_GET, V1 "/events/stream", OPERATOR, API_STREAM, events_stream, "device kind severity"},
    {METHOD_GET, V1 "/sessions", OPERATOR, API_QUERY, sessions_list, "search connected limit after"},
    {METHOD_GET, V1 "/sessions/one", OPERATOR, API_QUERY, session_of_client_show, "kind principal client"},
    {METHOD_DELETE, V1 "/sessions/one", OPERATOR, API_QUERY, session_of_client_delete, "kind principal client state"},
    {METHOD_GET, V1 "/drain", OPERATOR, API_QUERY, drain_show, NULL},
    {METHOD_PUT, V1 "/drain", OPERATOR, API_QUERY, drain_change, NULL},
    {METHOD_GET, API_TAIL_PATH, OPERATOR, API_STREAM, tail_stream, "filter"},
    {METHOD_POST, V1 "/tokens", OPERATOR, API_QUERY, token_create, NULL},
    {METHOD_GET, V1 "/tokens", OPERATOR, API_QUERY, tokens_list, NULL},
    {METHOD_DELETE, V1 "/tokens/{id}", OPERATOR, API_QUERY, token_delete, NULL},
    {METHOD_GET, V1 "/openapi.json", ANYBODY, API_QUERY, openapi_show, NULL},
    {METHOD_GET, V1 "/ca.pem", ANYBODY, API_QUERY, root_certificate_show, NULL},
    {METHOD_GET, "/healthz", ANYBODY, API_QUERY, alive_show, NULL},
    {METHOD_GET, "/readyz", ANYBODY, API_QUERY, ready_show, NULL},
    {METHOD_GET, "/metrics", OPERATOR, API_QUERY, metrics_show, NULL},
    {METHOD_GET, EST "/cacerts", ANYBODY, API_QUERY, enrol_certificates, NULL},
    {METHOD_GET, EST "/csrattrs", ANYBODY, API_QUERY, enrol_attributes, NULL},
    {METHOD_POST, EST "/simpleenroll", ANYBODY, API_QUERY, enrol_first, NULL}, /* with a token */
    {METHOD_POST, EST "/simplereenroll", DEVICE, API_QUERY, enrol_again, NULL},
};
const size_t route_count = sizeof routes / sizeof routes[0];

/* Literal segments are compared as they stand: no client has a reason to write them percent-encoded. */
static bool path_fits(const char *pattern, struct bytes path, struct bytes *segment)
{
    struct bytes want = bytes_of_text(pattern);
    *segment = (struct bytes){NULL, 0};
    while (want.at && path.at) {
        struct bytes piece = bytes_cut(&want, '/'), given = bytes_cut(&path, '/');
        if (bytes_is(piece, "{id}") && given.len)
            *segment = given;
        else if (!bytes_equal(piece, given))
            return false;
    }
    return !want.at && !path.at;
}

enum route_match route_find(enum call_method method, struct bytes path, const struct route **out, struct bytes *segment)
{
    enum route_match match = ROUTE_NO_PATH;
    struct bytes part;
    for (size_t i = 0; i < route_count; i++) {
        if (!path_fits(routes[i].pattern, path, &part))
            continue;
        match = ROUTE_NO_METHOD;
        if (routes[i].method == (method == METHOD_HEAD ? METHOD_GET : method)) {
            *out = &routes[i];
            *segment = part;
            return ROUTE_FOUND;
        }
    }
    return match;
}

void route_allowed(struct bytes path, struct buffer *out)
{
    struct bytes segment;
    for (size_t i = 0; i < route_count; i++)
        if (path_fits(routes[i].pattern, path, &segment)) {
            put_text(out, out->len ? ", " : "");
            put_text(out, call_method_text(routes[i].method));
            if (routes[i].method == METHOD_GET)
                put_text(out, ", HEAD");
        }
}

static size_t equal_bytes(const char *pattern, struct bytes path)
{
    size_t len = 0;
    while (len < path.len && pattern[len] && (uint8_t)pattern[len] == path.at[len])
        len++;
    return len;
}

/* At least three letters behind the prefix must agree: anything less is no hint. */
const char *route_nearest(struct bytes path)
{
    size_t best = sizeof V1 + 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < route_count; i++)
        if (equal_bytes(routes[i].pattern, path) > best) {
            best = equal_bytes(routes[i].pattern, path);
            nearest = routes[i].pattern;
        }
    return nearest;
}

enum audience api_route_audience(enum call_method method, struct bytes path)
{
    const struct route *route;
    struct bytes segment;
    return route_find(method, path, &route, &segment) == ROUTE_FOUND ? route->who : AUDIENCE_ANYBODY;
}

enum api_service api_route_service(enum call_method method, struct bytes path)
{
    const struct route *route;
    struct bytes segment;
    return route_find(method, path, &route, &segment) == ROUTE_FOUND ? route->service : API_QUERY;
}
