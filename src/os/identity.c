/* Giving up root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct fault no_user = {ERR_ABSENT, "identity: there is no such user"};
static const struct fault no_lookup = {ERR_IO, "identity: the users' database cannot be read"};
static const struct fault no_root_folder = {ERR_IO, "identity: the folder cannot become the root"};
static const struct fault is_root = {ERR_REFUSED, "identity: root is nobody to drop to"};
static const struct fault not_allowed = {ERR_REFUSED, "identity: the process may not become that user"};
static const struct fault way_back = {ERR_REFUSED, "identity: privileges were dropped and could be taken back"};

err identity_find(const char *user, struct identity *out)
{
    char texts[4096];
    struct passwd entry, *found = NULL;
    int code = getpwnam_r(user, &entry, texts, sizeof texts, &found);
    if (!found)
        return code == 0 || code == ENOENT || code == ESRCH ? &no_user : &no_lookup;
    *out = (struct identity){entry.pw_uid, entry.pw_gid};
    return OK;
}

err identity_confine(const char *folder)
{
    /* chdir first: a working folder outside of the new root would be a way out. */
    return chdir(folder) == 0 && chroot(".") == 0 && chdir("/") == 0 ? OK : &no_root_folder;
}

static bool is_wholly(const struct identity *who)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    return getresuid(&real, &effective, &saved) == 0 && getresgid(&real_group, &effective_group, &saved_group) == 0 &&
           real == who->uid && effective == who->uid && saved == who->uid && real_group == who->gid &&
           effective_group == who->gid && saved_group == who->gid;
}

/* Groups before the user: afterwards it would not be allowed any more. */
static err become(const struct identity *who)
{
    return setgroups(0, NULL) == 0 && setresgid(who->gid, who->gid, who->gid) == 0 &&
                   setresuid(who->uid, who->uid, who->uid) == 0
               ? OK
               : &not_allowed;
}

err identity_drop(const struct identity *who)
{
    if (who->uid == 0 || who->gid == 0)
        return &is_root;
    /* The change of user would forget which signal the end of our parent sends us (prctl(2)). */
    int tie = 0;
    (void)prctl(PR_GET_PDEATHSIG, &tie, 0, 0, 0);
    if (!is_wholly(who))
        TRY(become(who));
    (void)prctl(PR_SET_PDEATHSIG, tie, 0, 0, 0);
    bool came_back = setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0;
    return is_wholly(who) && !came_back ? OK : &way_back;
}
