/* SPDX-License-Identifier: BSD-3-Clause */
/* Folders of hooks: which files of EVENT.d are to be run, in which order. */
#ifndef RK_HOOK_DIR_H
#define RK_HOOK_DIR_H

#include <stddef.h>

enum { HOOK_DIR_FILES = 64 }; /* of one event; more are said and left out */

/* Tells why a file is not run: a path and a reason. */
typedef void hook_dir_refuse_fn(const char *path, const char *why);

/*
 * The files of OWN/EVENT.d and OTHER/EVENT.d (NULL: none), by their names in
 * the order of bytes; one of OWN hides that of OTHER, and hides it without
 * being run when it is a link to /dev/null.  A name is made of letters,
 * digits, "_" and "-".  A file that is no regular file, not executable, not
 * owned by root or by us, writable by others, or set-uid, is refused, and
 * so is everything in a folder that others own or may write to.
 * Paths are the caller's, to be freed; answers how many.
 */
size_t hook_dir_list(const char *own, const char *other, const char *event,
    char *paths[HOOK_DIR_FILES], hook_dir_refuse_fn *refuse);

#endif
