/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore leader: who holds a lock. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_follow.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_lock.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_scope.h"

static struct {
	bool is_json, is_self, is_sync;
	const char *fields;
	uint64_t wait_ns;
} given;

static struct cfgstore_printer printer = { .format = CFGSTORE_VALUE };
static const char *self;
static uint64_t holders, own; /* own: this node's of them */

static const struct opt opts[] = {
	{ 'w', "wait", OPT_DURATION, &given.wait_ns, NULL, "DUR",
	    "wait so long for a holder, then end with 124" },
	{ '\0', "self", OPT_FLAG, &given.is_self, NULL, NULL,
	    "end with 1 unless a holder is on this node" },
	{ '\0', "sync", OPT_FLAG, &given.is_sync, NULL, NULL,
	    "see all that was written before; needs a quorum" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: value,by,rev,key" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore leader",
	.operands = "NAME",
	.summary = "Print what the holders of a lock say of themselves.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static void
show(void *arg, struct ask_line *item)
{
	struct cfgstore_record record;

	holders++;
	own += self != NULL && strcmp(ask_value(item, "by"), self) == 0;
	cfgstore_record_of(item, "exists", &record);
	cfgstore_print(arg, &record);
}

/* ---- waiting ----------------------------------------------------------- */

static enum cfgstore_step
take(struct cfgstore_follow *follow, struct cfgstore_news *news)
{
	bool *has_holder = follow->arg;

	if (news->event == CFGSTORE_EXISTS || news->event == CFGSTORE_PUT)
		*has_holder = true;
	else if (news->event == CFGSTORE_DEL || news->event == CFGSTORE_GAP)
		*has_holder = false;
	return *has_holder && follow->is_ready && !follow->is_filling
	    ? cfgstore_follow_end(follow, EXITCODE_OK)
	    : CFGSTORE_ON;
}

static enum exitcode
await_holder(const struct cfgstore_scope *scope)
{
	bool has_holder = false;
	struct cfgstore_follow follow = { .scope = scope,
		.take = take,
		.arg = &has_holder,
		.stays_away = true,
		.timeout_ns = given.wait_ns,
		.ready_fd = -1,
		.out = &printer.out };

	return cfgstore_follow_run(&follow);
}

/* ---- all of it --------------------------------------------------------- */

static void
read_holders(const struct cfgstore_scope *scope)
{
	const struct cfgstore_pages pages = { .scope = scope,
		.is_sync = given.is_sync,
		.take = show,
		.arg = &printer };
	struct cfgstore_link link;

	cfgstore_link_open(&link);
	self = ask_greeting(link.ask, "node");
	(void)cfgstore_pages_read(&link, &pages);
	cfgstore_link_close(&link);
}

static int
run(const char *lock)
{
	struct cfgstore_bytes prefix = { .at = NULL };
	const char *name;
	const struct cfgstore_scope scope = { &name, 1, true };
	enum exitcode code = EXITCODE_OK;

	cfgstore_lock_put_slots(&prefix, lock, strlen(lock));
	name = prefix.at;
	/* It may be given back before it is read: then once more. */
	do {
		if (given.wait_ns > 0)
			code = await_holder(&scope);
		if (code == EXITCODE_OK)
			read_holders(&scope);
	} while (code == EXITCODE_OK && given.wait_ns > 0 && holders == 0);
	cfgstore_bytes_free(&prefix);
	cfgstore_printer_close(&printer);
	if (code != EXITCODE_OK)
		return (int)code;
	return (given.is_self ? own : holders) > 0 ? EXITCODE_OK
						   : EXITCODE_FALSE;
}

int
cfgstore_leader(int argc, char **argv)
{
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&program, 1, 1);
	if (rc == 0)
		rc = cfgstore_printer_check(&program, given.is_json,
		    given.fields, "event,value,by,rev,key,created,lease,len");
	if (rc != 0)
		return tool_opt_exit(rc);
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	return run(cfgstore_operands.at[0]);
}
