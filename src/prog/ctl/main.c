/* holdfast: the operator's command line. It talks to the server's REST API alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/command.h"

#include <curl/curl.h>

#include <stdio.h>
#include <string.h>

static OUTCOME run(int argc, char **argv)
{
    struct invocation with;
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("holdfast " HOLDFAST_VERSION);
        return DONE;
    }
    enum outcome o = command_parse(argc, argv, &with);
    if (o)
        return o;
    if (with.help) {
        command_help(with.command);
        return DONE;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        complain("libcurl does not start");
        return LOCAL;
    }
    o = with.command->run(&with);
    curl_global_cleanup();
    return o;
}

int main(int argc, char **argv)
{
    enum outcome o = run(argc, argv);
    if (fflush(stdout) || ferror(stdout)) {
        complain("standard output cannot be written");
        return o ? o : LOCAL;
    }
    return o;
}
