/* Every route with good and bad rows: the status, and what the answer holds. Every JSON answer must parse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OP PRINCIPAL_OPERATOR
#define NO PRINCIPAL_NOBODY
#define V1 "/api/v1"

static const struct row {
    const char *rule;
    struct asked asked;
    unsigned status;
    const char *holds; /* a part of the body; NULL: it is empty */
} rows[] = {
    {"the list of devices", ASK(METHOD_GET, V1 "/devices", NULL, OP), 200, "\"total\":5,\"next\":null"},
    {"a device in the list", ASK(METHOD_GET, V1 "/devices?limit=1", NULL, OP), 200,
     "{\"id\":\"pump-1\",\"group\":\"north\",\"state\":\"enrolled\",\"enrolled\":\"2025-12-31T00:00:00.000Z\",\"last_"
     "seen\":null,\"connected\":false,\"connected_since\":null,\"certificate\":{\"serial\":\"0a1b2c\",\"expires\":"
     "\"2026-01-01T01:00:00.000Z\"},\"key\":{\"fingerprint\":\"aaaa"},
    {"a page says where the next begins", ASK(METHOD_GET, V1 "/devices?limit=2", NULL, OP), 200,
     "\"total\":5,\"next\":\"pump-2\""},
    {"the next page", ASK(METHOD_GET, V1 "/devices?limit=2&after=pump-2", NULL, OP), 200, "[{\"id\":\"pump-3\""},
    {"the last page is full and says so", ASK(METHOD_GET, V1 "/devices?limit=2&after=pump-3", NULL, OP), 200,
     "\"next\":null"},
    {"search", ASK(METHOD_GET, V1 "/devices?search=mp-4", NULL, OP), 200, "\"total\":1"},
    {"search is decoded", ASK(METHOD_GET, V1 "/devices?search=%6dp%2D4", NULL, OP), 200, "\"total\":1"},
    {"filters together", ASK(METHOD_GET, V1 "/devices?group=north&state=active&connected=false", NULL, OP), 200,
     "\"total\":2"},
    {"connected", ASK(METHOD_GET, V1 "/devices?connected=true", NULL, OP), 200, "\"total\":2"},
    {"an empty parameter is none", ASK(METHOD_GET, V1 "/devices?group=&", NULL, OP), 200, "\"total\":5"},
    {"an unknown parameter by name", ASK(METHOD_GET, V1 "/devices?colour=red", NULL, OP), 400,
     "'colour' is not known; this path takes: search group"},
    {"an unknown parameter where there is none", ASK(METHOD_GET, V1 "/fleet?x=1", NULL, OP), 400,
     "'x' is not known; this path takes none"},
    {"a parameter twice", ASK(METHOD_GET, V1 "/devices?limit=1&limit=2", NULL, OP), 400, "'limit' is given twice"},
    {"a bad limit", ASK(METHOD_GET, V1 "/devices?limit=0", NULL, OP), 400,
     "'limit' must be a whole number from 1 to 500"},
    {"a limit over the bound", ASK(METHOD_GET, V1 "/devices?limit=501", NULL, OP), 400, "'limit'"},
    {"a limit that overflows", ASK(METHOD_GET, V1 "/devices?limit=99999999999999999999", NULL, OP), 400, "'limit'"},
    {"a bad truth", ASK(METHOD_GET, V1 "/devices?connected=yes", NULL, OP), 400, "'connected' must be true or false"},
    {"a bad state", ASK(METHOD_GET, V1 "/devices?state=on", NULL, OP), 400, "'state'"},
    {"a bad group", ASK(METHOD_GET, V1 "/devices?group=a/b", NULL, OP), 400, "'group'"},
    {"a cut escape", ASK(METHOD_GET, V1 "/devices?search=%4", NULL, OP), 400, "'search' has a %"},
    {"no UTF-8", ASK(METHOD_GET, V1 "/devices?search=%FF", NULL, OP), 400, "'search' is not UTF-8"},
    {"a NUL", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=a%00", NULL, OP), 400, "'metric' is not UTF-8 or has"},
    {"a line feed", ASK(METHOD_GET, V1 "/devices?search=a%0Ab", NULL, OP), 400, "control characters"},
    {"a long search",
     ASK(METHOD_GET, V1 "/devices?search=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, OP),
     400, "'search' must be at most 64"},
    {"one device", ASK(METHOD_GET, V1 "/devices/pump-5", NULL, OP), 200,
     "\"connected\":true,\"connected_since\":\"2025-12-31T23:59:00.000Z\""},
    {"an escaped id", ASK(METHOD_GET, V1 "/devices/pump%2d5", NULL, OP), 200, "\"id\":\"pump-5\""},
    {"no such device", ASK(METHOD_GET, V1 "/devices/pump-6", NULL, OP), 404, "There is no device 'pump-6'."},
    {"an id that cannot be one", ASK(METHOD_GET, V1 "/devices/%2e%2e", NULL, OP), 400, "The id in the path"},
    {"an id with a NUL", ASK(METHOD_GET, V1 "/devices/a%00b", NULL, OP), 400, "The id in the path"},
    {"delete a device", ASK(METHOD_DELETE, V1 "/devices/pump-1", NULL, OP), 204, NULL},
    {"delete none", ASK(METHOD_DELETE, V1 "/devices/nobody", NULL, OP), 404, "There is no device 'nobody'."},
    {"latest values", ASK(METHOD_GET, V1 "/devices/pump-1/latest", NULL, OP), 200,
     "{\"metric\":\"cpu.load\",\"time\":\"2025-12-31T23:59:59.000Z\",\"value\":0.1,\"unit\":\"°C\"}"},
    {"a text is escaped", ASK(METHOD_GET, V1 "/devices/pump-1/latest", NULL, OP), 200,
     "\"value\":\"a \\\"b\\\"\\u000a\",\"unit\":null"},
    {"latest of none", ASK(METHOD_GET, V1 "/devices/nobody/latest", NULL, OP), 404, "nobody"},
    {"a series", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=cpu.load", NULL, OP), 200,
     "{\"metric\":\"cpu.load\",\"points\":[[1767225599000,0.1],[1767225599000,-9223372036854775808],[1767225599000,"
     "true],[1767225599000,\"a "},
    {"a series goes on exactly", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=cpu.load&limit=2", NULL, OP), 200,
     "\"next\":\"2025-12-31T23:59:59.000600Z\"}"},
    {"where it said",
     ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=cpu.load&limit=1&from=2025-12-31T23:59:59.000600Z", NULL, OP),
     200, "[[1767225599000,true]]"},
    {"from and to in milliseconds",
     ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=cpu.load&from=1767225599001&to=1767225599002", NULL, OP), 200,
     "[[1767225599001,0.1],[1767225599001,-9223372036854775808],[1767225599001,true]]"},
    {"nothing there", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=none", NULL, OP), 200,
     "\"points\":[],\"next\":null"},
    {"a series without a metric", ASK(METHOD_GET, V1 "/devices/pump-1/series", NULL, OP), 400, "'metric' must name"},
    {"a bad time", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&from=yesterday", NULL, OP), 400,
     "'from' must be a time"},
    {"a time over the bound", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&from=9223372036854775807", NULL, OP),
     400, "'from'"},
    {"times the wrong way round", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&from=2&to=1", NULL, OP), 400,
     "'from' must not be later"},
    {"a time before the year 0", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&to=-62167219200001", NULL, OP),
     400, "'to'"},
    {"the year 0", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&to=0000-01-01T00:00:00Z", NULL, OP), 200, "[]"},
    {"too many points", ASK(METHOD_GET, V1 "/devices/pump-1/series?metric=m&limit=10001", NULL, OP), 400,
     "from 1 to 10000"},
    {"documents", ASK(METHOD_GET, V1 "/devices/pump-1/documents", NULL, OP), 200,
     "\"inventory\":{\"time\":\"2026-01-01T00:00:00.000Z\",\"content\":{\"os\""},
    {"documents of none", ASK(METHOD_GET, V1 "/devices/nobody/documents", NULL, OP), 404, "nobody"},
    {"events, newest first", ASK(METHOD_GET, V1 "/events?limit=2", NULL, OP), 200,
     "{\"events\":[{\"id\":30,\"time\":\"2026-01-01T00:00:00.000Z\",\"kind\":\"payload.refused\",\"severity\":"
     "\"warning\",\"device\":null,\"detail\":{\"reason\":\"why\"}},{\"id\":29"},
    {"events, next", ASK(METHOD_GET, V1 "/events?limit=2", NULL, OP), 200, "\"next\":29}"},
    {"events, the page behind", ASK(METHOD_GET, V1 "/events?limit=2&before=29", NULL, OP), 200, "[{\"id\":28,"},
    {"events, the end", ASK(METHOD_GET, V1 "/events?limit=30", NULL, OP), 200, "\"next\":null}"},
    {"events after", ASK(METHOD_GET, V1 "/events?after=29", NULL, OP), 200, "{\"events\":[{\"id\":30,"},
    {"events of a device",
     ASK(METHOD_GET, V1 "/events?device=pump-1&kind=payload.refused&severity=warning&limit=1", NULL, OP), 200,
     "\"id\":27,"},
    {"an unknown kind", ASK(METHOD_GET, V1 "/events?kind=x", NULL, OP), 400, "'kind'"},
    {"an unknown severity", ASK(METHOD_GET, V1 "/events?severity=fatal", NULL, OP), 400,
     "'severity' must be info, warning or error"},
    {"a negative id", ASK(METHOD_GET, V1 "/events?before=-1", NULL, OP), 400, "'before'"},
    {"the fleet", ASK(METHOD_GET, V1 "/fleet", NULL, OP), 200,
     "{\"devices\":5,\"connected\":2,\"active\":4,\"events\":30,\"samples\":99}"},
    {"health", ASK(METHOD_GET, V1 "/health", NULL, OP), 200,
     "{\"status\":\"ok\",\"version\":\"0.1.0\",\"started\":\"2025-12-31T23:59:51.000Z\",\"uptime_s\":9,\"store\":{"
     "\"status\":\"ok\""},
    {"health in numbers", ASK(METHOD_GET, V1 "/health", NULL, OP), 200, "\"numbers\":{\"connections\":7,\"messages_in\":23}"},
    {"health in times", ASK(METHOD_GET, V1 "/health", NULL, OP), 200,
     "\"latencies\":{\"acknowledgement_seconds\":{\"sum_us\":12000345,\"bounds_us\":[50,100,"},
    {"make a token", ASK(METHOD_POST, V1 "/tokens", "{\"group\":\"north\",\"uses\":3,\"minutes\":5}", OP), 201,
     ",\"group\":\"north\",\"uses\":3,\"expires\":\"2026-01-01T00:05:00.000Z\",\"command\":\"echo "},
    {"its command", ASK(METHOD_POST, V1 "/tokens", "{}", OP), 201,
     " | holdfast-agent enrol --server https://hold.example:8443 --ca-sha256 ab12 --token-stdin"
     " && holdfast-agent run --mqtt hold.example:8883\""},
    {"its defaults", ASK(METHOD_POST, V1 "/tokens", "{}", OP), 201,
     ",\"group\":\"default\",\"uses\":1,\"expires\":\"2026-01-01T01:00:00.000Z\""},
    {"a bad group", ASK(METHOD_POST, V1 "/tokens", "{\"group\":\"a b\"}", OP), 400, "group"},
    {"no uses", ASK(METHOD_POST, V1 "/tokens", "{\"uses\":0}", OP), 400, "uses"},
    {"too many uses", ASK(METHOD_POST, V1 "/tokens", "{\"uses\":100001}", OP), 400, "uses"},
    {"too many minutes", ASK(METHOD_POST, V1 "/tokens", "{\"minutes\":43201}", OP), 400, "minutes"},
    {"uses as text", ASK(METHOD_POST, V1 "/tokens", "{\"uses\":\"3\"}", OP), 400, "uses"},
    {"an unknown member", ASK(METHOD_POST, V1 "/tokens", "{\"user\":3}", OP), 400, "user"},
    {"a member twice", ASK(METHOD_POST, V1 "/tokens", "{\"uses\":3,\"uses\":4}", OP), 400, "detail"},
    {"no JSON", ASK(METHOD_POST, V1 "/tokens", "{", OP), 400, "detail"},
    {"an empty body", ASK(METHOD_POST, V1 "/tokens", "", OP), 400, "detail"},
    {"a body that says nothing of itself", ASK(METHOD_POST, V1 "/tokens", NULL, OP), 415,
     "Content-Type: application/json"},
    {"sessions", ASK(METHOD_GET, V1 "/sessions", NULL, OP), 200,
     "{\"sessions\":[{\"principal\":{\"kind\":\"anonymous\",\"id\":\"\"},\"client\":\"a/../b\\u0001\\\"?\","
     "\"connected\":false,\"since\":\"2026-01-01T00:00:00.000Z\",\"peer\":null,\"transport\":null,"
     "\"version\":\"3.1.1\",\"keep_alive_s\":0,\"expiry_s\":null,"},
    {"a session's numbers", ASK(METHOD_GET, V1 "/sessions", NULL, OP), 200,
     "\"transport\":\"tls\",\"version\":\"5.0\",\"keep_alive_s\":60,\"expiry_s\":3600,\"subscriptions\":2,"
     "\"queued\":3,\"queued_bytes\":400,\"under_way\":1,\"dropped\":5,\"messages_in\":6,\"messages_out\":7}"},
    {"all sessions", ASK(METHOD_GET, V1 "/sessions?limit=4", NULL, OP), 200, "],\"total\":4,\"next\":null}"},
    {"a page of sessions", ASK(METHOD_GET, V1 "/sessions?limit=1", NULL, OP), 200,
     "],\"total\":4,\"next\":\"anonymous::YS8uLi9iASI_\"}"},
    {"the page behind", ASK(METHOD_GET, V1 "/sessions?limit=1&after=anonymous::YS8uLi9iASI_", NULL, OP), 200,
     "{\"sessions\":[{\"principal\":{\"kind\":\"operator\",\"id\":\"ada\"}"},
    {"sessions by part of a name", ASK(METHOD_GET, V1 "/sessions?search=MP-2", NULL, OP), 200,
     "{\"sessions\":[{\"principal\":{\"kind\":\"device\",\"id\":\"pump-2\"}"},
    {"how many the search finds", ASK(METHOD_GET, V1 "/sessions?search=pump&limit=1", NULL, OP), 200,
     "\"total\":2,\"next\":\"device:pump-1:cHVtcC0x\"}"},
    {"sessions that are away", ASK(METHOD_GET, V1 "/sessions?connected=false", NULL, OP), 200, "\"total\":2,"},
    {"half connected", ASK(METHOD_GET, V1 "/sessions?connected=half", NULL, OP), 400, "'connected' must be true or"},
    {"too many sessions", ASK(METHOD_GET, V1 "/sessions?limit=501", NULL, OP), 400, "'limit'"},
    {"a cursor of nothing", ASK(METHOD_GET, V1 "/sessions?after=x", NULL, OP), 400, "'next' of the page before"},
    {"a cursor of nobody", ASK(METHOD_GET, V1 "/sessions?after=nobody::YQ", NULL, OP), 400, "'next' of the page"},
    {"a cursor that was cut", ASK(METHOD_GET, V1 "/sessions?after=device:a:Y", NULL, OP), 400, "'next' of the page"},
    {"a search too long",
     ASK(METHOD_GET, V1 "/sessions?search=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg", NULL, OP), 400,
     "'search' must be at most 64 bytes"},
    {"one session", ASK(METHOD_GET, V1 "/sessions/one?kind=device&principal=pump-1&client=pump-1", NULL, OP), 200,
     "\"messages_out\":7,\"watches\":[{\"filter\":\"devices/+/\\\"x\\\"\",\"qos\":1,\"no_local\":false,"
     "\"as_published\":false,\"subscription_id\":null},{\"filter\":\"$share/a/#\",\"qos\":2,\"no_local\":true,"
     "\"as_published\":true,\"subscription_id\":7}]}"},
    {"a name that no path survives", ASK(METHOD_GET, V1 "/sessions/one?kind=anonymous&client=a%2F..%2Fb%01%22%3F", NULL, OP),
     200, "\"client\":\"a/../b\\u0001\\\"?\""},
    {"no such client", ASK(METHOD_GET, V1 "/sessions/one?kind=device&principal=pump-1&client=x", NULL, OP), 404,
     "There is no session with the client identifier 'x' of device pump-1."},
    {"the same names, another kind", ASK(METHOD_GET, V1 "/sessions/one?kind=operator&principal=pump-1&client=pump-1", NULL, OP),
     404, "of operator pump-1"},
    {"no kind", ASK(METHOD_GET, V1 "/sessions/one?principal=pump-1&client=x", NULL, OP), 400, "'kind' must be device"},
    {"nobody is no kind", ASK(METHOD_GET, V1 "/sessions/one?kind=nobody&client=x", NULL, OP), 400, "'kind' must be device"},
    {"no principal", ASK(METHOD_GET, V1 "/sessions/one?kind=device&client=x", NULL, OP), 400, "'principal' must be the id"},
    {"a principal that cannot be",
     ASK(METHOD_GET, V1 "/sessions/one?kind=device&principal=a%2Fb&client=x", NULL, OP), 400, "'principal' must be 1 to"},
    {"an anonymous with a name", ASK(METHOD_GET, V1 "/sessions/one?kind=anonymous&principal=a&client=x", NULL, OP), 400,
     "'principal' must be left out"},
    {"no client", ASK(METHOD_GET, V1 "/sessions/one?kind=device&principal=pump-1", NULL, OP), 400, "'client' must be"},
    {"a client that is no UTF-8", ASK(METHOD_GET, V1 "/sessions/one?kind=anonymous&client=%ff", NULL, OP), 400, "'client' is"},
    {"kick", ASK(METHOD_DELETE, V1 "/sessions/one?kind=device&principal=pump-1&client=pump-1", NULL, OP), 204, NULL},
    {"kick with all", ASK(METHOD_DELETE, V1 "/sessions/one?kind=operator&principal=ada&client=console&state=true", NULL, OP),
     204, NULL},
    {"kick nobody", ASK(METHOD_DELETE, V1 "/sessions/one?kind=device&principal=pump-9&client=pump-1", NULL, OP), 404,
     "There is no session with"},
    {"kick by half", ASK(METHOD_DELETE, V1 "/sessions/one?kind=device&principal=pump-1&client=pump-1&state=1", NULL, OP), 400,
     "'state' must be true or false"},
    {"kick by path", ASK(METHOD_DELETE, V1 "/sessions", NULL, OP), 405, "it knows GET, HEAD"},
    {"a device kicks nobody",
     ASK(METHOD_DELETE, V1 "/sessions/one?kind=device&principal=pump-1&client=pump-1", NULL, PRINCIPAL_DEVICE), 403,
     "only an operator"},
    {"no drain", ASK(METHOD_GET, V1 "/drain", NULL, OP), 200, "{\"drains\":false,\"reference\":null,\"per_second\":100}"},
    {"drain", ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true}", OP), 200,
     "{\"drains\":true,\"reference\":null,\"per_second\":100}"},
    {"drain to another",
     ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true,\"reference\":\"b.example:8883\",\"per_second\":7}", OP), 200,
     "{\"drains\":true,\"reference\":\"b.example:8883\",\"per_second\":7}"},
    {"drain or not", ASK(METHOD_PUT, V1 "/drain", "{}", OP), 400, "drains"},
    {"drain at no speed", ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true,\"per_second\":0}", OP), 400, "per_second"},
    {"drain to no host", ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true,\"reference\":\"a\\nb\"}", OP), 400,
     "'reference' must be host:port"},
    {"drain is no POST", ASK(METHOD_POST, V1 "/drain", "{}", OP), 405, "it knows GET, HEAD, PUT"},
    {"a tail of nothing", ASK(METHOD_GET, V1 "/tail", NULL, OP), 400, "'filter' must be a topic filter"},
    {"a tail of a broken filter", ASK(METHOD_GET, V1 "/tail?filter=a/%23/b", NULL, OP), 400, "'filter' must be a topic"},
    {"a tail of a share", ASK(METHOD_GET, V1 "/tail?filter=%24share/g/a", NULL, OP), 400, "no share"},
    {"a tail for nobody", ASK(METHOD_GET, V1 "/tail?filter=a", NULL, NO), 401, "Sign in first"},
    {"the list of tokens", ASK(METHOD_GET, V1 "/tokens", NULL, OP), 200,
     "{\"tokens\":[{\"id\":\"0123456789abcdef\",\"group\":\"north\",\"uses_left\":2,\"uses_total\":3,\"made\":\"2026-"
     "01-01T00:00:00.000Z\",\"made_by\":\"ada\",\"expires\":\"2026-01-01T00:01:00.000Z\"},{"},
    {"delete a token", ASK(METHOD_DELETE, V1 "/tokens/0123456789abcdef", NULL, OP), 204, NULL},
    {"delete no token", ASK(METHOD_DELETE, V1 "/tokens/0000000000000000", NULL, OP), 404, "There is no token"},
    {"delete what cannot be a token", ASK(METHOD_DELETE, V1 "/tokens/0123456789abcdef0", NULL, OP), 404,
     "There is no token"},
    {"the description", ASK(METHOD_GET, V1 "/openapi.json", NULL, NO), 200, "{\"openapi\":\"3.1.0\""},
    {"alive", ASK(METHOD_GET, "/healthz", NULL, NO), 200,
     "{\"status\":\"ok\",\"time\":\"2026-01-01T00:00:00.000Z\",\"time_ms\":1767225600000}"},
    {"ready", ASK(METHOD_GET, "/readyz", NULL, NO), 200, "ready"},
    {"no such path", ASK(METHOD_GET, "/api/v2/x", NULL, NO), 404, "openapi.json"},
    {"a path that is nearly one", ASK(METHOD_GET, V1 "/devices/", NULL, NO), 404, "Did you mean /api/v1/devices/{id}?"},
    {"a segment too many", ASK(METHOD_GET, V1 "/devices/a/latest/b", NULL, OP), 404, "detail"},
    {"an empty path", ASK(METHOD_GET, "", NULL, OP), 404, "detail"},
    {"no such method", ASK(METHOD_PUT, V1 "/devices", NULL, OP), 405, "does not know PUT; it knows GET, HEAD."},
    {"HEAD is GET", ASK(METHOD_HEAD, V1 "/fleet", NULL, OP), 200, "\"devices\":5"},
    {"HEAD is not POST", ASK(METHOD_HEAD, V1 "/setup", NULL, OP), 405, "POST"},
    {"nobody", ASK(METHOD_GET, V1 "/devices", NULL, NO), 401, "Sign in first"},
    {"nobody deletes", ASK(METHOD_DELETE, V1 "/devices/pump-1", NULL, NO), 401, "Sign in first"},
    {"a device is no operator", ASK(METHOD_GET, V1 "/devices", NULL, PRINCIPAL_DEVICE), 403, "only an operator"},
    {"an operator is no device", ASK(METHOD_POST, "/.well-known/est/simplereenroll", NULL, OP), 403,
     "certificate of a device"},
    {"another site's page", ASK_FROM(METHOD_POST, V1 "/tokens", "{}", OP, "https://evil.example"), 403, "another site"},
    {"no site's page", ASK_FROM(METHOD_POST, V1 "/tokens", "{}", OP, "null"), 403, "another site"},
    {"our name, another port", ASK_FROM(METHOD_POST, V1 "/tokens", "{}", OP, "https://hold.example:8444"), 403,
     "another site"},
    {"our own page", ASK_FROM(METHOD_POST, V1 "/tokens", "{}", OP, "https://hold.example:8443"), 201, "token"},
    {"reading from another site's page changes nothing",
     ASK_FROM(METHOD_GET, V1 "/fleet", NULL, OP, "https://evil.example"), 200, "devices"},
    {"signing in for another site", ASK_FROM(METHOD_POST, V1 "/session", "{}", NO, "https://evil.example"), 403,
     "another site"},
};

static void check_body(const struct row *row, struct answer *answer)
{
    if (!row->holds) {
        if (answer->body.len)
            fail_msg("%s: a body: %s", row->rule, buffer_text(&answer->body));
        return;
    }
    if (!holds(&answer->body, row->holds))
        fail_msg("%s: the body has no %s: %s", row->rule, row->holds, buffer_text(&answer->body));
    json_t *json = json_loadb((const char *)answer->body.at, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        fail_msg("%s: no JSON: %s", row->rule, buffer_text(&answer->body));
    if (answer->status >= 400) {
        assert_string_equal(answer->content_type, "application/problem+json");
        assert_int_equal(json_integer_value(json_object_get(json, "status")), answer->status);
    } else {
        assert_string_equal(answer->content_type, "application/json");
    }
    json_decref(json);
}

static void answers(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ports ports;
        ports_open(&ports);
        struct answer answer = ask_api(&ports, &rows[i].asked);
        if (answer.status != rows[i].status)
            fail_msg("%s: %u, not %u: %s", rows[i].rule, answer.status, rows[i].status, buffer_text(&answer.body));
        check_body(&rows[i], &answer);
        answer_drop(&answer);
    }
}

/* A store that fails yields 503 where it is needed, and never half an answer. */
static void broken_store(void **state)
{
    static const char *const needs[] = {"/devices",
                                        "/devices/pump-1",
                                        "/devices/pump-1/latest",
                                        "/devices/pump-1/documents",
                                        "/devices/pump-1/series?metric=cpu.load",
                                        "/events",
                                        "/fleet",
                                        "/tokens"};
    char target[128];
    struct ports ports;
    ports_open(&ports);
    ports.store_fails = &port_broken;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        snprintf(target, sizeof target, V1 "%s", needs[i]);
        struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, target, NULL, OP));
        const struct row row = {.rule = target, .holds = "\"detail\":\"test: the store is broken\"}"};
        assert_int_equal(answer.status, 503);
        check_body(&row, &answer);
        assert_true(holds(&answer.headers, "Retry-After: 5\r\n"));
        answer_drop(&answer);
    }
}

static void health_of_a_broken_store(void **state)
{
    struct ports ports;
    ports_open(&ports);
    ports.store_fails = &port_broken;
    struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, V1 "/health", NULL, OP));
    assert_int_equal(answer.status, 200);
    assert_true(holds(&answer.body, "{\"status\":\"degraded\""));
    assert_true(holds(&answer.body, "could not be read"));
    answer_drop(&answer);
    ports.store_fails = OK;
    ports.store_state = HEALTH_STORE_FULL;
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, "/readyz", NULL, NO));
    assert_int_equal(answer.status, 503);
    assert_true(holds(&answer.body, "no room"));
    answer_drop(&answer);
}

static void deleting_a_device(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_DELETE, V1 "/devices/pump-4", NULL, OP));
    assert_string_equal(ports.gone, "pump-4");
    assert_int_equal(ports.written[0], WRITE_DEVICE_DELETE);
    assert_int_equal(ports.events[0], EVENT_DEVICE_DELETED);
    assert_string_equal(ports.event_detail, "{\"operator\":\"ada\"}");
    answer_drop(&answer);
    ports_open(&ports);
    ports.store_fails = &port_broken;
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_DELETE, V1 "/devices/pump-4", NULL, OP));
    assert_int_equal(answer.status, 503);
    assert_string_equal(ports.gone, "");
    answer_drop(&answer);
}

static void making_a_token(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_POST, V1 "/tokens", "{\"uses\":2}", OP));
    json_t *json = json_loadb((const char *)answer.body.at, answer.body.len, 0, NULL);
    assert_int_equal(ports.written[0], WRITE_TOKEN);
    assert_int_equal(ports.events[0], EVENT_TOKEN_CREATED);
    assert_null(strstr(ports.event_detail, json_string_value(json_object_get(json, "token"))));
    assert_non_null(strstr(ports.event_detail, json_string_value(json_object_get(json, "id"))));
    json_decref(json);
    answer_drop(&answer);
}

static void kicking_a_session(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = ask_api(
        &ports, &(struct asked)ASK(METHOD_DELETE, V1 "/sessions/one?kind=device&principal=pump-1&client=pump-1", NULL, OP));
    assert_string_equal(ports.kicked, "pump-1");
    assert_int_equal(ports.kicked_how, KICK_CONNECTION);
    assert_int_equal(ports.events[0], EVENT_SESSION_KICKED);
    assert_string_equal(ports.event_detail, "{\"operator\":\"ada\",\"principal\":{\"kind\":\"device\",\"id\":\"pump-1\"},"
                                            "\"client\":\"pump-1\",\"state\":false}");
    answer_drop(&answer);
    ports_open(&ports);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_DELETE,
                                                V1 "/sessions/one?kind=anonymous&client=a/../b%01%22?&state=true", NULL, OP));
    assert_int_equal(ports.kicked_how, KICK_SESSION);
    assert_non_null(strstr(ports.event_detail, "\"client\":\"a/../b\\u0001\\\"?\",\"state\":true}"));
    answer_drop(&answer);
}

static void draining(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer =
        ask_api(&ports, &(struct asked)ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true,\"reference\":\"b:1\"}", OP));
    assert_true(ports.drain.drains);
    assert_int_equal(ports.events[0], EVENT_SERVER_DRAINING);
    assert_string_equal(ports.event_detail, "{\"operator\":\"ada\",\"per_second\":100,\"reference\":\"b:1\"}");
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, V1 "/drain", NULL, OP));
    assert_true(holds(&answer.body, "{\"drains\":true,\"reference\":\"b:1\","));
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_PUT, V1 "/drain", "{\"drains\":false}", OP));
    assert_false(ports.drain.drains);
    assert_int_equal(ports.events[1], EVENT_SERVER_DRAINED);
    answer_drop(&answer);
    ports.board_fails = &port_broken;
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_PUT, V1 "/drain", "{\"drains\":true}", OP));
    assert_int_equal(answer.status, 503);
    assert_int_equal(ports.event_count, 2);
    answer_drop(&answer);
}

static void texts(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, V1 "/ca.pem", NULL, NO));
    assert_string_equal(answer.content_type, "application/x-pem-file");
    assert_string_equal(buffer_text(&answer.body), "-----BEGIN CERTIFICATE-----\n");
    answer_drop(&answer);
    answer = ask_api(&ports, &(struct asked)ASK(METHOD_GET, "/metrics", NULL, OP));
    assert_true(holds(&answer.body, "\n# HELP holdfast_connections Connections that are open.\n"
                                    "# TYPE holdfast_connections gauge\nholdfast_connections 7\n"));
    assert_true(holds(&answer.body, "\n# HELP holdfast_messages_in_total Messages that came.\n"
                                    "# TYPE holdfast_messages_in_total counter\n"
                                    "holdfast_messages_in_total{qos=\"0\"} 20\n"
                                    "holdfast_messages_in_total{qos=\"1\"} 3\n"));
    assert_true(holds(&answer.body, "# TYPE holdfast_acknowledgement_seconds histogram\n"
                                    "holdfast_acknowledgement_seconds_bucket{le=\"5e-05\"} 3\n"));
    assert_true(holds(&answer.body, "_bucket{le=\"0.001\"} 5\n"));
    assert_true(holds(&answer.body, "_bucket{le=\"10\"} 5\n"
                                    "holdfast_acknowledgement_seconds_bucket{le=\"+Inf\"} 6\n"
                                    "holdfast_acknowledgement_seconds_sum 12.000345\n"
                                    "holdfast_acknowledgement_seconds_count 6\n"));
    assert_true(holds(&answer.body, "\nholdfast_devices 5\n"));
    answer_drop(&answer);
}

static void allow_header(void **state)
{
    struct ports ports;
    ports_open(&ports);
    struct answer answer = ask_api(&ports, &(struct asked)ASK(METHOD_PATCH, V1 "/devices/pump-1", NULL, OP));
    assert_true(holds(&answer.headers, "Allow: GET, HEAD, DELETE\r\n"));
    answer_drop(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(broken_store),
        cmocka_unit_test(health_of_a_broken_store),
        cmocka_unit_test(deleting_a_device),
        cmocka_unit_test(making_a_token),
        cmocka_unit_test(kicking_a_session),
        cmocka_unit_test(draining),
        cmocka_unit_test(texts),
        cmocka_unit_test(allow_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
