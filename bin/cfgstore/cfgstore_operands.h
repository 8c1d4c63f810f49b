/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands on the command line beside options. */
#ifndef RK_CFGSTORE_OPERANDS_H
#define RK_CFGSTORE_OPERANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

struct opt_program;

struct cfgstore_operands {
	const char **at; /* borrowed from argv, but the array */
	size_t count;
	bool has_dashes; /* "--" stood before the rest */
	int first;       /* of the rest, in argv */
};
extern struct cfgstore_operands cfgstore_operands;

/* For struct opt_program: options may stand behind operands. */
bool cfgstore_operands_take(const char *arg);

/* opt_parse, then those that are left: 0, or what tool_opt_exit wants. */
RK_MUST_CHECK int cfgstore_operands_parse(
    const struct opt_program *program, int argc, char **argv);

/* At least min and at most max: 0 or OPT_E_USAGE. */
RK_MUST_CHECK int cfgstore_operands_count(
    const struct opt_program *program, size_t min, size_t max);

/* That operand is a key: 0 or OPT_E_USAGE. */
RK_MUST_CHECK int cfgstore_operands_check_key(
    const struct opt_program *program, size_t idx);

#endif
