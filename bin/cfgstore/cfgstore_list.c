/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore list: keys and values of one state. */
#include <stddef.h>

#include "libcommon/base/num.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"

static struct {
	bool is_record, is_keys, is_null, is_json, is_prefix, is_sync;
	const char *fields;
} given;

static const struct opt opts[] = {
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words each" },
	{ 'k', "keys", OPT_FLAG, &given.is_keys, NULL, NULL,
	    "print only the keys" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: key,rev,value,…" },
	{ '0', "null", OPT_FLAG, &given.is_null, NULL, NULL,
	    "end each with a NUL; with -k exact bytes" },
	{ 'p', "prefix", OPT_FLAG, &given.is_prefix, NULL, NULL,
	    "the operands are beginnings of keys, not globs" },
	{ '\0', "sync", OPT_FLAG, &given.is_sync, NULL, NULL,
	    "see all that was written before; needs a quorum" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static struct cfgstore_scope scope;

static const struct opt_program program = {
	.name = "cfgstore list",
	.operands = "[GLOB…]",
	.summary = "Print keys and their values.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static int
check(void)
{
	int formats = given.is_record + given.is_keys + given.is_json +
	    (given.fields != NULL);

	scope.names = cfgstore_operands.at;
	scope.count = cfgstore_operands.count;
	scope.is_prefix = given.is_prefix;
	if (formats > 1)
		return opt_usage(&program, "only one format can be printed");
	if (cfgstore_scope_check(&scope, &program) != 0)
		return OPT_E_USAGE;
	return cfgstore_printer_check(&program, given.is_json, given.fields,
	    "event,key,rev,created,by,lease,len,value");
}

static void
take(void *arg, struct ask_line *item)
{
	struct cfgstore_record record;

	cfgstore_record_of(item, "exists", &record);
	cfgstore_print(arg, &record);
}

int
cfgstore_list(int argc, char **argv)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_PAIR,
		.is_null = false };
	struct cfgstore_pages pages = {
		.scope = &scope, .take = take, .arg = &printer
	};
	struct cfgstore_link link;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = check();
	if (rc != 0)
		return tool_opt_exit(rc);
	if (given.is_record)
		printer.format = CFGSTORE_RECORD;
	if (given.is_keys)
		printer.format = CFGSTORE_KEY;
	printer.is_null = given.is_null;
	pages.is_keys_only = given.is_keys;
	pages.is_sync = given.is_sync;
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	cfgstore_link_open(&link);
	(void)cfgstore_pages_read(&link, &pages);
	cfgstore_printer_close(&printer);
	cfgstore_link_close(&link);
	return EXITCODE_OK;
}
