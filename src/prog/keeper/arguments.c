/* The keeper's command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/keeper/arguments.h"

#include <getopt.h>

static const struct fault bad_argument = {ERR_MALFORMED, "keeper: an argument that is unknown or lacks its value"};
static const struct fault no_folder = {ERR_MALFORMED, "keeper: --folder is missing"};
static const struct fault too_many = {ERR_TOO_LARGE, "keeper: more than 32 names and addresses"};

static err add_names(struct keeper_arguments *out, enum certificate_name_kind kind, const char *list)
{
    for (struct bytes rest = bytes_of_text(list); rest.len;) {
        struct bytes text = bytes_trim(bytes_cut(&rest, ','));
        if (!text.len)
            continue;
        if (out->name_count == CERTIFICATE_NAMES_MAX)
            return &too_many;
        out->names[out->name_count++] = (struct certificate_name){kind, text};
    }
    return OK;
}

static err take(int what, const char *value, struct keeper_arguments *out)
{
    switch (what) {
    case 'f':
        out->folder = value;
        return OK;
    case 'n':
        return add_names(out, CERTIFICATE_NAME_DNS, value);
    case 'a':
        return add_names(out, CERTIFICATE_NAME_ADDRESS, value);
    case 'l':
        return log_level_from(bytes_of_text(value), &out->log_level);
    case 'i':
        out->strictness = SANDBOX_INSECURE_WITHOUT_LANDLOCK;
        return OK;
    default:
        return &bad_argument;
    }
}

err keeper_arguments_read(int count, char *const *arguments, struct keeper_arguments *out)
{
    static const struct option table[] = {
        {"folder", required_argument, NULL, 'f'},
        {"names", required_argument, NULL, 'n'},
        {"addresses", required_argument, NULL, 'a'},
        {"log-level", required_argument, NULL, 'l'},
        {"insecure-without-landlock", no_argument, NULL, 'i'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct keeper_arguments){.log_level = LOG_INFO};
    for (int what; (what = getopt_long(count, arguments, "", table, NULL)) != -1;)
        TRY(take(what, optarg, out));
    if (optind < count)
        return &bad_argument;
    return out->folder ? OK : &no_folder;
}
