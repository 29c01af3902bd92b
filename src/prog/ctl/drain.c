/* drain, drain on, drain off: sending clients away for maintenance. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include "base/text.h"

#include <stdio.h>

static void show_drain(const json_t *answer)
{
    const char *reference = member_text(answer, "reference");
    if (!json_is_true(json_object_get(answer, "drains"))) {
        printf("Clients are let in.\n");
        return;
    }
    printf("Clients are sent away, %" JSON_INTEGER_FORMAT " a second on each event loop, ",
           json_integer_value(json_object_get(answer, "per_second")));
    print_harmless(reference ? "to " : "nowhere in particular", PLAIN);
    print_harmless(reference ? reference : "", PLAIN);
    printf(".\n");
}

OUTCOME run_drain(const struct invocation *with)
{
    return ask_and_show(with, &(struct request){"GET", "/api/v1/drain", NULL, NULL}, show_drain);
}

static OUTCOME put_order(const struct invocation *with, json_t *body)
{
    enum outcome o = ask_and_show(with, &(struct request){"PUT", "/api/v1/drain", NULL, body}, show_drain);
    json_decref(body);
    return o;
}

OUTCOME run_drain_on(const struct invocation *with)
{
    json_t *body = json_pack("{s:b}", "drains", 1);
    const char *reference = option_value(with, "--reference"), *per_second = option_value(with, "--per-second");
    int64_t number;
    if (reference)
        json_object_set_new(body, "reference", json_string(reference));
    /* A number that does not read goes to the server as it stands, which says so by name. */
    if (per_second && !text_to_i64(bytes_of_text(per_second), &number))
        json_object_set_new(body, "per_second", json_integer(number));
    else if (per_second)
        json_object_set_new(body, "per_second", json_string(per_second));
    return put_order(with, body);
}

OUTCOME run_drain_off(const struct invocation *with)
{
    return put_order(with, json_pack("{s:b}", "drains", 0));
}
