/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_operands.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_write.h"

struct cfgstore_operands cfgstore_operands;

bool
cfgstore_operands_take(const char *arg)
{
	/* There is room for all that argv may hold. */
	cfgstore_operands.at[cfgstore_operands.count++] = arg;
	return true;
}

int
cfgstore_operands_parse(
    const struct opt_program *program, int argc, char **argv)
{
	struct cfgstore_operands *operands = &cfgstore_operands;
	int rc;

	operands->at = calloc((size_t)argc + 1, sizeof *operands->at);
	if (operands->at == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = opt_parse(program, argc, argv, &operands->first);
	if (rc != 0)
		return rc;
	operands->has_dashes =
	    operands->first > 1 && strcmp(argv[operands->first - 1], "--") == 0;
	for (int i = operands->first; i < argc; i++)
		(void)cfgstore_operands_take(argv[i]); /* it takes any */
	return 0;
}

int
cfgstore_operands_count(
    const struct opt_program *program, size_t min, size_t max)
{
	size_t count = cfgstore_operands.count;

	if (count < min)
		return opt_usage(program, "an operand is missing");
	if (count > max)
		return opt_usage(program, "%s: one operand too many",
		    cfgstore_operands.at[max]);
	return 0;
}

int
cfgstore_operands_check_key(const struct opt_program *program, size_t idx)
{
	size_t len = strlen(cfgstore_operands.at[idx]);

	if (len > 0 && len <= CFGSTORE_KEY_BYTES_MAX)
		return 0;
	return opt_usage(program, "a key of %zu bytes, expected 1 to %d", len,
	    CFGSTORE_KEY_BYTES_MAX);
}
