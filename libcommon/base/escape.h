/* SPDX-License-Identifier: BSD-3-Clause */
/* Undoing the escapes of a value: \\ \n \t \r and \0ooo, nothing else. */
#ifndef RK_ESCAPE_H
#define RK_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text_put_value is the way back. */

/*
 * The escape that begins at bytes, a backslash: gives the byte it stands for
 * and answers its length, 0 when it is bad or cut off.
 */
size_t escape_read(const char *bytes, size_t left, uint8_t *byte);

bool escape_is_valid(const char *bytes, size_t len);

/* In place, on what escape_is_valid accepts; answers the new length. */
size_t escape_undo(char *bytes, size_t len);

#endif
