/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore get: one value, now or as it was. */
#include <inttypes.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"

static struct {
	bool is_exact, is_json, is_sync;
	const char *fallback, *fields, *file;
	uint64_t rev;
} given = { .rev = UINT64_MAX };

static const struct opt opts[] = {
	{ 'r', "raw", OPT_FLAG, &given.is_exact, NULL, NULL,
	    "print the bytes of the value and no line feed" },
	{ 'd', "default", OPT_STRING, &given.fallback, NULL, "VALUE",
	    "print this when there is no such key" },
	{ 'R', "rev", OPT_COUNT, &given.rev, NULL, "REV",
	    "the value as it was at that revision" },
	{ '\0', "sync", OPT_FLAG, &given.is_sync, NULL, NULL,
	    "see all that was written before; needs a quorum" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: rev,created,by,…" },
	{ 'O', "output", OPT_STRING, &given.file, NULL, "FILE",
	    "put the bytes in the place of FILE, in one step" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore get",
	.operands = "KEY",
	.summary = "Print the value of a key.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static int
check(void)
{
	bool has_format = given.is_json || given.fields != NULL;

	if (cfgstore_operands_count(&program, 1, 1) != 0)
		return OPT_E_USAGE;
	if (given.file != NULL && (has_format || given.is_exact))
		return opt_usage(&program, "--output takes exact bytes");
	if (given.is_exact && has_format)
		return opt_usage(&program, "only one format can be printed");
	if (given.fallback != NULL && has_format)
		return opt_usage(
		    &program, "--default is a value, it has no fields");
	return cfgstore_printer_check(&program, given.is_json, given.fields,
	    "event,key,rev,created,by,lease,store_rev,age_ms,len,value");
}

static void
ask(struct cfgstore_link *link)
{
	const char *key = cfgstore_operands.at[0];
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;

	cfgstore_link_begin(link, false);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "get");
	cfgstore_scope_put_key(&line, key, strlen(key));
	if (given.rev != UINT64_MAX) {
		text_put(&line, " rev=");
		text_put_u64(&line, given.rev);
	}
	if (given.is_sync)
		text_put(&line, " sync=yes");
	cfgstore_link_put_line(link, &line);
}

static void
show(const struct cfgstore_record *record)
{
	struct cfgstore_printer printer = {
		.format = given.is_exact ? CFGSTORE_EXACT : CFGSTORE_VALUE
	};

	if (given.file != NULL) {
		cfgstore_bytes_save(given.file, record->value, record->len);
		return;
	}
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	cfgstore_print(&printer, record);
	cfgstore_printer_close(&printer);
}

static int
show_fallback(void)
{
	static struct word none;
	const struct cfgstore_record record = { .event = "exists",
		.word = &none,
		.value = given.fallback,
		.len = given.fallback != NULL ? strlen(given.fallback) : 0 };

	if (given.fallback == NULL)
		return EXITCODE_FALSE;
	show(&record);
	return EXITCODE_OK;
}

int
cfgstore_get(int argc, char **argv)
{
	struct cfgstore_record record;
	struct cfgstore_link link;
	struct ask_line line;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = check();
	if (rc != 0)
		return tool_opt_exit(rc);
	cfgstore_link_open(&link);
	ask(&link);
	if (cfgstore_link_next(&link, &line) == ASK_OK) {
		if (!line.has_data)
			cfgstore_link_fail_protocol();
		cfgstore_record_of(&line, "exists", &record);
		show(&record);
	} else if (cfgstore_link_is_no(&line, "compacted")) {
		/* Not 1: whether the key was there is not known any more. */
		tool_fail(EXITCODE_UNAVAILABLE,
		    "revision %" PRIu64 " is not kept any more", given.rev);
	} else {
		rc = show_fallback();
	}
	cfgstore_link_close(&link);
	return rc;
}
