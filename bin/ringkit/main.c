/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit: the front door of the toolkit.  Its own commands are in the table;
 * any other name is a program, which it becomes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_find.h"

static const struct {
	const char *name, *title;
	ringkit_fn *run;
} commands[] = {
	{ "check-config", "ringkit check-config", ringkit_check_config },
	{ "down", "ringkit down", ringkit_down },
	{ "fence-confirm", "ringkit fence-confirm", ringkit_fence_confirm },
	{ "forget", "ringkit forget", ringkit_forget },
	{ "keygen", "ringkit keygen", ringkit_keygen },
	{ "members", "ringkit members", ringkit_members },
	{ "reload", "ringkit reload", ringkit_reload },
	{ "rotate-key", "ringkit rotate-key", ringkit_rotate_key },
	{ "sandbox", "ringkit sandbox", ringkit_sandbox },
	{ "status", "ringkit status", ringkit_status },
	{ "tag", "ringkit tag", ringkit_tag },
	{ "up", "ringkit up", ringkit_up },
};

static const struct opt_program program = {
	.name = "ringkit",
	.operands = "COMMAND [ARG…]",
	.summary =
	    "Run a program of the toolkit, or one of these commands:\n"
	    "\n"
	    "  status          show the state of this node\n"
	    "  members         show the nodes\n"
	    "  tag, forget     set a tag of a node; forget a node\n"
	    "  fence-confirm   vouch for a node being stopped\n"
	    "  up, down        start or end this node's daemons\n"
	    "  sandbox         run a cluster on this machine\n"
	    "  keygen          make a key file\n"
	    "  rotate-key      give the ring another key while it runs\n"
	    "  reload          take the changed configuration while it runs\n"
	    "  check-config    say what is wrong with the configuration\n"
	    "  PROGRAM         msgsend, msgcat, ringd, …: ringkit PROGRAM ARG…\n"
	    "\n"
	    "Each has a --help of its own.",
};

uint64_t
ringkit_deadline_ns(uint64_t timeout_ns)
{
	uint64_t now_ns = clock_now_ns();

	return timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX
						: now_ns + timeout_ns;
}

/* Only returns when there is no such program. */
static int
run_program(char **argv)
{
	char path[RINGKIT_PATH_BYTES];

	if (ringkit_find(argv[0], path) != 0)
		return opt_usage(&program,
		    "%s: no command and no program of the toolkit", argv[0]);
	execv(path, argv);
	tool_fail(EXITCODE_NOTEXECUTABLE, "%s: %s", path, strerror(errno));
}

int
main(int argc, char **argv)
{
	int first, rc;

	tool_start(program.name);
	rc = opt_parse(&program, argc, argv, &first);
	if (rc == 0 && first == argc)
		rc = opt_usage(&program, "a command is missing");
	if (rc != 0)
		return tool_opt_exit(rc);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		if (strcmp(argv[first], commands[i].name) == 0) {
			tool_start(commands[i].title);
			return commands[i].run(argc - first, argv + first);
		}
	return tool_opt_exit(run_program(argv + first));
}
