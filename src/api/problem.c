/* Problem documents (RFC 9457): the one place where faults become statuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

#include "base/text.h"

static const struct status_title {
    unsigned status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static const unsigned status_of[] = {
    [ERR_REFUSED] = 403, [ERR_MALFORMED] = 400, [ERR_TOO_LARGE] = 413, [ERR_FULL] = 503,
    [ERR_ABSENT] = 404,  [ERR_EXISTS] = 409,    [ERR_EXPIRED] = 410,   [ERR_AGAIN] = 503,
    [ERR_CLOSED] = 503,  [ERR_IO] = 503,        [ERR_MEMORY] = 503,    [ERR_UNSUPPORTED] = 415,
};

static const char *title_of(unsigned status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void api_problem(struct answer *answer, unsigned status, const char *detail)
{
    answer->status = status;
    answer->content_type = "application/problem+json";
    buffer_clear(&answer->body);
    put_format(&answer->body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", title_of(status),
               status);
    put_json_text(&answer->body, bytes_of_text(detail));
    put_text(&answer->body, "}");
    if (status == 503)
        answer_header(answer, "Retry-After", "5");
    if (status == 401)
        answer_header(answer, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
}

void problem_of_fault(struct answer *answer, err fault, const char *detail)
{
    api_problem(answer, status_of[fault->kind], *detail ? detail : fault->text);
}
