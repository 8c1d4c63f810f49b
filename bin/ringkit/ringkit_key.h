/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a key file. */
#ifndef RK_RINGKIT_KEY_H
#define RK_RINGKIT_KEY_H

#include <stdint.h>

#include "libcommon/base/attr.h"

/*
 * Makes path with one new key, mode 0400: 0, -EEXIST when it is there
 * already, or another -E….
 */
RK_MUST_CHECK int ringkit_key_write(const char *path, uint32_t id);

#endif
