/* SPDX-License-Identifier: BSD-3-Clause */
/* Patterns over names that have levels: deploy/web, drbd/r0/primary. */
#ifndef RK_GLOB_H
#define RK_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does the pattern describe the whole name?  Levels are separated by '/' and
 * by nothing else.
 *	*	any run of bytes of one level, also none
 *	**	any run of bytes, over levels, also none
 *	?	one byte that is not '/'
 *	\0ooo	and \\ \n \t \r: that byte, so \0052 is a star itself
 * All else stands for itself.  The pattern is therefore taken as it was
 * written, before escapes are undone; names are any bytes.  A bad escape
 * matches nothing.  Takes at most about the product of the lengths in steps.
 */
bool glob_match(
    const char *pattern, size_t pattern_len, const void *name, size_t name_len);

/* No escape in the pattern is bad. */
bool glob_is_valid(const char *pattern, size_t len);

#endif
