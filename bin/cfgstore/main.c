/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore: the configuration store of the cluster, for shells. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"

static const struct {
	const char *name;
	cfgstore_fn *run;
} verbs[] = {
	{ "cas", cfgstore_cas },
	{ "compact", cfgstore_compact },
	{ "del", cfgstore_del },
	{ "diff", cfgstore_diff },
	{ "edit", cfgstore_edit },
	{ "electorate", cfgstore_electorate },
	{ "export", cfgstore_export },
	{ "get", cfgstore_get },
	{ "history", cfgstore_history },
	{ "import", cfgstore_import },
	{ "init", cfgstore_init },
	{ "leader", cfgstore_leader },
	{ "lease", cfgstore_lease },
	{ "limits", cfgstore_limits },
	{ "list", cfgstore_list },
	{ "nodes", cfgstore_nodes },
	{ "revert", cfgstore_revert },
	{ "set", cfgstore_set },
	{ "status", cfgstore_status },
	{ "txn", cfgstore_txn },
	{ "wait", cfgstore_wait },
	{ "watch", cfgstore_watch },
};

static const struct opt_program program = {
	.name = "cfgstore",
	.operands = "VERB [ARG…]",
	.summary =
	    "Read, write and watch the configuration store:\n"
	    "\n"
	    "  get, list         print values\n"
	    "  set, cas, del     change a key\n"
	    "  txn               change several, all or none\n"
	    "  edit              change a value in an editor\n"
	    "  wait, watch       wait for changes, tell them, run hooks\n"
	    "  history, revert   print what a key was, make it so again\n"
	    "  export, import    keys and values as a file, and back\n"
	    "  diff              show what import would change\n"
	    "  leader            tell who holds a lock\n"
	    "  lease             time that keys live on\n"
	    "  status, nodes     show the state of the store\n"
	    "  init              begin a new store\n"
	    "  electorate        show or change who votes on it\n"
	    "  limits            show or change what it may hold\n"
	    "  compact           forget old versions\n"
	    "\n"
	    "Each has a --help of its own.",
};

int
main(int argc, char **argv)
{
	int first, rc;

	tool_start(program.name);
	rc = opt_parse(&program, argc, argv, &first);
	if (rc == 0 && first == argc)
		rc = opt_usage(&program, "a verb is missing");
	if (rc != 0)
		return tool_opt_exit(rc);
	for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
		if (strcmp(argv[first], verbs[i].name) == 0)
			return verbs[i].run(argc - first, argv + first);
	return tool_opt_exit(
	    opt_usage(&program, "%s: no such verb", argv[first]));
}
