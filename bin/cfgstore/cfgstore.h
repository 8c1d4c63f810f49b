/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs; each has its own options and answers an exit code. */
#ifndef RK_CFGSTORE_H
#define RK_CFGSTORE_H

/* argv[0] is the verb. */
typedef int cfgstore_fn(int argc, char **argv);

cfgstore_fn cfgstore_cas;
cfgstore_fn cfgstore_compact;
cfgstore_fn cfgstore_del;
cfgstore_fn cfgstore_diff;
cfgstore_fn cfgstore_edit;
cfgstore_fn cfgstore_electorate;
cfgstore_fn cfgstore_export;
cfgstore_fn cfgstore_get;
cfgstore_fn cfgstore_history;
cfgstore_fn cfgstore_import;
cfgstore_fn cfgstore_init;
cfgstore_fn cfgstore_leader;
cfgstore_fn cfgstore_lease;
cfgstore_fn cfgstore_limits;
cfgstore_fn cfgstore_list;
cfgstore_fn cfgstore_nodes;
cfgstore_fn cfgstore_revert;
cfgstore_fn cfgstore_set;
cfgstore_fn cfgstore_status;
cfgstore_fn cfgstore_txn;
cfgstore_fn cfgstore_wait;
cfgstore_fn cfgstore_watch;

#endif
