/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking quorumd, for --require-quorum. */
#ifndef RK_MSGSEND_QUORUM_H
#define RK_MSGSEND_QUORUM_H

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

enum { MSGSEND_VIEW_BYTES = 64 };

/*
 * The view in which there is a quorum.  75: there is none; 69: quorumd is not
 * there or cannot tell.  Why is said.
 */
RK_MUST_CHECK enum exitcode msgsend_quorum_view(
    const char *rundir, char view[MSGSEND_VIEW_BYTES]);

#endif
