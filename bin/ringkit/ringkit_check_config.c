/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit check-config: ringd itself reads the file, so both always agree. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_find.h"

static const struct opt_program program = {
	.name = "ringkit check-config",
	.operands = "[FILE]",
	.summary = "Say all that is wrong with a configuration file.",
};

int
ringkit_check_config(int argc, char **argv)
{
	char path[RINGKIT_PATH_BYTES], config[RINGKIT_PATH_BYTES];
	char name[] = "ringd", check[] = "--check";
	char *command[] = { name, check, config, NULL };
	const char *file = "/etc/ringkit/ringkit.conf";
	int first, rc = opt_parse(&program, argc, argv, &first);

	if (rc == 0 && argc - first > 1)
		rc = opt_usage(
		    &program, "%s: only one file is checked", argv[first + 1]);
	if (rc != 0)
		return tool_opt_exit(rc);
	if (first < argc)
		file = argv[first];
	if (access(file, R_OK) < 0)
		tool_fail(EXITCODE_NOINPUT, "%s: %s", file, strerror(errno));
	if (ringkit_find("ringd", path) != 0)
		tool_fail(EXITCODE_NOTFOUND, "ringd: not found");
	snprintf(config, sizeof config, "--config=%s", file);
	execv(path, command);
	tool_fail(EXITCODE_NOTEXECUTABLE, "%s: %s", path, strerror(errno));
}
