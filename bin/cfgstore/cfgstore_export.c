/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore export: keys and values as a file that import takes.
 *
 * Without what import could not bring back: keys that die with a lease, and
 * those of the toolkit.  And without revisions: the same keys and values give
 * the same file.
 */
#include <stddef.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_plan.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"

static struct cfgstore_scope scope;
static bool is_sync;

static const struct opt opts[] = {
	{ 'p', "prefix", OPT_FLAG, &scope.is_prefix, NULL, NULL,
	    "the operands are beginnings of keys, not globs" },
	{ '\0', "sync", OPT_FLAG, &is_sync, NULL, NULL,
	    "see all that was written before; needs a quorum" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore export",
	.operands = "[GLOB…]",
	.summary = "Print keys and values as import takes them.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static void
take(void *arg, struct ask_line *item)
{
	static struct word none;
	const struct word_pair *key = word_get(item->word, "key");
	struct cfgstore_record record = { .event = "put",
		.word = &none,
		.value = item->data,
		.len = item->len };

	if (key == NULL || !item->has_data)
		cfgstore_link_fail_protocol();
	record.key = key->value;
	record.key_len = key->len;
	if (*ask_value(item, "lease") == '\0' &&
	    !cfgstore_plan_is_own(key->value, key->len))
		cfgstore_print(arg, &record);
}

int
cfgstore_export(int argc, char **argv)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };
	struct cfgstore_pages pages = {
		.scope = &scope, .take = take, .arg = &printer
	};
	struct cfgstore_link link;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	scope.names = cfgstore_operands.at;
	scope.count = cfgstore_operands.count;
	if (rc == 0)
		rc = cfgstore_scope_check(&scope, &program);
	if (rc != 0)
		return tool_opt_exit(rc);
	pages.is_sync = is_sync;
	cfgstore_printer_open(&printer, false, NULL);
	cfgstore_link_open(&link);
	(void)cfgstore_pages_read(&link, &pages);
	cfgstore_printer_close(&printer);
	cfgstore_link_close(&link);
	return EXITCODE_OK;
}
