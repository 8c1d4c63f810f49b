/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's folder, and the lock that its owner holds for life. */
#ifndef RK_CFGSTORED_LOCK_H
#define RK_CFGSTORED_LOCK_H

#include "libcommon/base/attr.h"

/*
 * Opens statedir/cfg, making what is missing of it, and takes cfg/lock: waits
 * for the writer of an owner that just died.  0 or -E…, -EBUSY: another owner
 * lives; what is open then has to be closed all the same.
 */
RK_MUST_CHECK int cfgstored_lock_folder(
    const char *statedir, int *folder_fd, int *lock_fd);

#endif
