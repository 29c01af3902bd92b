/* token create, token list, token delete. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/ask.h"
#include "prog/ctl/commands.h"
#include "prog/ctl/show.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static void show_made(const json_t *answer)
{
    char expires[SHOW_TEXT];
    show_ago(member_text(answer, "expires"), expires);
    printf("Token %s for group ", member_text(answer, "id"));
    print_harmless(member_text(answer, "group"), PLAIN);
    printf(", %" JSON_INTEGER_FORMAT " use(s), ends %s. It is shown this once. On the device, run:\n\n  ",
           json_integer_value(json_object_get(answer, "uses")), expires);
    print_harmless(member_text(answer, "command"), PLAIN);
    putchar('\n');
}

/* A number that does not read goes to the server as it stands, which says so by name. */
static void set_number(json_t *body, const struct invocation *with, const char *option)
{
    const char *text = option_value(with, option);
    int64_t number;
    if (text && !text_to_i64(bytes_of_text(text), &number))
        json_object_set_new(body, option + 2, json_integer(number));
    else if (text)
        json_object_set_new(body, option + 2, json_string(text));
}

OUTCOME run_token_create(const struct invocation *with)
{
    json_t *body = json_object();
    const char *group = option_value(with, "--group");
    if (group)
        json_object_set_new(body, "group", json_string(group));
    set_number(body, with, "--uses");
    set_number(body, with, "--minutes");
    enum outcome o = ask_and_show(with, &(struct request){"POST", "/api/v1/tokens", NULL, body}, show_made);
    json_decref(body);
    return o;
}

static void show_tokens(const json_t *answer)
{
    static const char *const titles[] = {"ID", "GROUP", "USES LEFT", "MADE BY", "MADE", "ENDS"};
    SCOPED(table_drop) struct table t = {.titles = titles, .columns = 6};
    const json_t *token;
    size_t i;
    json_array_foreach(json_object_get(answer, "tokens"), i, token)
    {
        char uses[SHOW_TEXT], made[SHOW_TEXT], ends[SHOW_TEXT];
        json_int_t left = json_integer_value(json_object_get(token, "uses_left"));
        snprintf(uses, sizeof uses, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT, left,
                 json_integer_value(json_object_get(token, "uses_total")));
        show_ago(member_text(token, "made"), made);
        show_ago(member_text(token, "expires"), ends);
        table_text(&t, member_text(token, "id"));
        table_text(&t, member_text(token, "group"));
        table_add(&t, bytes_of_text(uses), left ? PLAIN : FAINT);
        table_text(&t, member_text(token, "made_by"));
        table_text(&t, made);
        table_text(&t, ends);
    }
    table_print(&t);
}

OUTCOME run_token_list(const struct invocation *with)
{
    return ask_and_show(with, &(struct request){"GET", "/api/v1/tokens", NULL, NULL}, show_tokens);
}

OUTCOME run_token_delete(const struct invocation *with)
{
    SCOPED(finding_drop) struct finding found = {.json = NULL};
    SCOPED(buffer_drop) struct buffer path = {.max = THING_PATH_MAX};
    struct request request = {"DELETE", put_thing_path(&path, (struct thing_path){"tokens", with->argument, ""}), NULL,
                              NULL};
    enum outcome o = ask(&request, &found);
    if (!o && !with->json)
        printf("Deleted token %s.\n", with->argument);
    return o;
}
