/* The parts of the sandbox: for os/sandbox*.c only, everybody else sees os/sandbox.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/sandbox.h"

/* Landlock: from now on this thread and those it starts open files below the folders only, reach no TCP port, and
 * signal nobody outside. ERR_UNSUPPORTED: the kernel has none. ERR_ABSENT: a folder cannot be opened. */
MUST err landlock_enter(const char *const *folders);
/* seccomp: from now on the process makes only the profile's calls. ERR_UNSUPPORTED: the kernel has none. */
MUST err call_filter_enter(enum sandbox_profile profile);
