/* Confirmation on the terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 };

OUTCOME confirm(const char *name, const char *question, ...)
{
    char answer[ANSWER_MAX];
    va_list args;
    if (!isatty(STDIN_FILENO)) {
        complain("this is final; give --yes to mean it");
        return USAGE;
    }
    va_start(args, question);
    vprintf(question, args);
    va_end(args);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        answer[0] = 0;
    answer[strcspn(answer, "\n")] = 0;
    if (!strcmp(answer, name))
        return DONE;
    complain("nothing was done");
    return USAGE;
}
