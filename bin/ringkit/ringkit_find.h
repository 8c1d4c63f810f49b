/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the other programs are. */
#ifndef RK_RINGKIT_FIND_H
#define RK_RINGKIT_FIND_H

#include <stddef.h>

#include "libcommon/base/attr.h"

enum { RINGKIT_PATH_BYTES = 4096 };

/*
 * The path of a program of the toolkit: from the libexec directory if this
 * ringkit was installed with it, else from beside this ringkit, else
 * ringkit-NAME from PATH (never NAME: msgcat is gettext's, too).  0, or
 * -ENOENT.
 */
RK_MUST_CHECK int ringkit_find(const char *name, char out[RINGKIT_PATH_BYTES]);

/* Puts the directory of the programs in front of PATH. */
void ringkit_find_extend_path(void);

#endif
