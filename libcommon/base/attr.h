/* SPDX-License-Identifier: BSD-3-Clause */
/* The only place where compiler attributes are spelled. */
#ifndef RK_ATTR_H
#define RK_ATTR_H

#define RK_PRINTF(format, first) __attribute__((format(printf, format, first)))
#define RK_MUST_CHECK            __attribute__((warn_unused_result))
#define RK_NORETURN              __attribute__((noreturn))

#endif
