/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hook has acknowledged, in a file that is whole at any time. */
#ifndef RK_HOOK_FILE_H
#define RK_HOOK_FILE_H

#include <stddef.h>

#include "libcommon/base/attr.h"

enum { HOOK_FILE_BYTES = 1 << 20 }; /* a state is not larger */

/*
 * Puts the bytes in the place of the file: a new one beside it, fsync, then
 * its name, then fsync of the folder.  0 or -E…, and then the old one is
 * there.
 */
RK_MUST_CHECK int hook_file_write(
    const char *path, const char *bytes, size_t len);

/*
 * *bytes is the caller's, to be freed, and ended by a NUL; NULL when there is
 * no such file.  0 or -E….
 */
RK_MUST_CHECK int hook_file_read(const char *path, char **bytes);

#endif
