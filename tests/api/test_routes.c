/* The table of routes against the OpenAPI document, and the document's lists against the tables that they repeat. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openapi.h"
#include "api/route.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int load(void **state)
{
    struct bytes text = openapi_document();
    *state = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    return *state ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

static const char *method_key(enum call_method method)
{
    static const char *const keys[METHODS] = {"get", "head", "post", "put", "patch", "delete"};
    return keys[method];
}

static const json_t *operation(const json_t *document, const struct route *route)
{
    return json_object_get(json_object_get(json_object_get(document, "paths"), route->pattern),
                           method_key(route->method));
}

static void every_route_is_described(void **state)
{
    for (size_t i = 0; i < route_count; i++)
        if (!operation(*state, &routes[i]))
            fail_msg("%s %s is not in openapi.json", call_method_text(routes[i].method), routes[i].pattern);
}

static bool has_route(const char *path, const char *key)
{
    for (size_t i = 0; i < route_count; i++)
        if (!strcmp(routes[i].pattern, path) && !strcmp(method_key(routes[i].method), key))
            return true;
    return false;
}

static void everything_described_is_a_route(void **state)
{
    const char *path, *key;
    json_t *item, *ignored;
    json_object_foreach(json_object_get(*state, "paths"), path, item)
        json_object_foreach(item, key, ignored) if (strcmp(key, "parameters") && !has_route(path, key))
            fail_msg("openapi.json has %s %s, which is no route", key, path);
}

static bool lists(const char *names, const char *name)
{
    struct bytes rest = bytes_of_text(names);
    while (rest.len) {
        struct bytes one = bytes_cut(&rest, ' ');
        if (bytes_is(one, name))
            return true;
    }
    return false;
}

static size_t words(const char *names)
{
    size_t count = names && *names;
    for (const char *c = names; c && *c; c++)
        count += *c == ' ';
    return count;
}

static void parameters_agree(void **state)
{
    for (size_t i = 0; i < route_count; i++) {
        const json_t *parameters = json_object_get(operation(*state, &routes[i]), "parameters"), *parameter;
        size_t place, in_query = 0;
        json_array_foreach(parameters, place, parameter)
        {
            const char *name = json_string_value(json_object_get(parameter, "name"));
            if (strcmp(json_string_value(json_object_get(parameter, "in")), "query"))
                continue;
            in_query++;
            if (!lists(routes[i].parameters, name))
                fail_msg("%s does not know the parameter %s of openapi.json", routes[i].pattern, name);
        }
        if (in_query != words(routes[i].parameters))
            fail_msg("%s: openapi.json does not describe all of its parameters: %s", routes[i].pattern,
                     routes[i].parameters);
        assert_true(words(routes[i].parameters) <= PARAMETERS_MAX);
    }
}

/* What anybody may call says so in the document, by an empty list of security requirements or by one of its own. */
static void audiences_agree(void **state)
{
    for (size_t i = 0; i < route_count; i++) {
        bool own = json_object_get(operation(*state, &routes[i]), "security") != NULL;
        if (own != (routes[i].who != AUDIENCE_OPERATOR))
            fail_msg("%s %s: openapi.json says something else of who may call it", call_method_text(routes[i].method),
                     routes[i].pattern);
    }
}

static const json_t *schema(const json_t *document, const char *name)
{
    return json_object_get(json_object_get(json_object_get(document, "components"), "schemas"), name);
}

static void event_kinds_agree(void **state)
{
    const json_t *kinds = json_object_get(schema(*state, "EventKind"), "enum");
    assert_int_equal(json_array_size(kinds), EVENT_KINDS);
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
        assert_string_equal(json_string_value(json_array_get(kinds, kind)), event_kind_text(kind));
}

/* A schema that lets unknown members pass would let a test against it pass, too. */
static void check_strict(const char *path, json_t *node, unsigned depth)
{
    const char *key;
    json_t *value;
    size_t place;
    assert_true(depth < 32);
    if (json_object_get(node, "type") && json_object_get(node, "properties")) { /* not the members of one that has such */
        if (!json_is_false(json_object_get(node, "additionalProperties")) || !json_object_get(node, "required"))
            fail_msg("%s: not strict", path);
    }
    json_object_foreach(node, key, value) check_strict(depth < 3 ? key : path, value, depth + 1);
    json_array_foreach(node, place, value) check_strict(path, value, depth + 1);
}

static void schemas_are_strict(void **state)
{
    check_strict("components", json_object_get(*state, "components"), 0);
}

static void audiences(void **state)
{
    static const struct {
        const char *rule;
        enum call_method method;
        const char *path;
        enum audience who;
        enum api_service service;
    } rows[] = {
        {"operators", METHOD_GET, "/api/v1/devices/x/latest", AUDIENCE_OPERATOR, API_QUERY},
        {"HEAD is as GET", METHOD_HEAD, "/api/v1/devices", AUDIENCE_OPERATOR, API_QUERY},
        {"anybody signs in", METHOD_POST, "/api/v1/session", AUDIENCE_ANYBODY, API_SIGN_IN},
        {"not anybody signs out", METHOD_DELETE, "/api/v1/session", AUDIENCE_OPERATOR, API_QUERY},
        {"the stream is no event", METHOD_GET, "/api/v1/events/stream", AUDIENCE_OPERATOR, API_STREAM},
        {"a device renews", METHOD_POST, "/.well-known/est/simplereenroll", AUDIENCE_DEVICE, API_QUERY},
        {"no path", METHOD_GET, "/nowhere", AUDIENCE_ANYBODY, API_QUERY},
        {"no method", METHOD_PUT, "/api/v1/devices", AUDIENCE_ANYBODY, API_QUERY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (api_route_audience(rows[i].method, bytes_of_text(rows[i].path)) != rows[i].who ||
            api_route_service(rows[i].method, bytes_of_text(rows[i].path)) != rows[i].service)
            fail_msg("%s", rows[i].rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described), cmocka_unit_test(everything_described_is_a_route),
        cmocka_unit_test(parameters_agree),         cmocka_unit_test(audiences_agree),
        cmocka_unit_test(event_kinds_agree),        cmocka_unit_test(schemas_are_strict),
        cmocka_unit_test(audiences),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
