/* SPDX-License-Identifier: BSD-3-Clause */
/* The only place where compiler attributes are spelled. */
#ifndef RK_ATTR_H
#define RK_ATTR_H

/* The names must not be words of the attribute: arguments are expanded. */
#define RK_PRINTF(string_at, first_at) \
	__attribute__((format(printf, string_at, first_at)))
#define RK_MUST_CHECK __attribute__((warn_unused_result))
#define RK_NORETURN   __attribute__((noreturn))
/* Compiled for a processor that has it: whoever calls must have asked. */
#define RK_TARGET(feature) __attribute__((target(feature)))

#endif
