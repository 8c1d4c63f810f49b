/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore wait and leader: until a key is so, and who holds a lock. */
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_follow.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_lock.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_scope.h"

enum want { WANT_PRESENT, WANT_ABSENT, WANT_VALUE, WANT_OTHER };

static struct {
	bool is_absent, is_json;
	const char *is_value, *is_other, *fields;
} given;

static struct {
	enum want want;
	struct cfgstore_bytes key;
	const char *value; /* WANT_VALUE, WANT_OTHER */
	/* What the key is. */
	bool is_there, is_equal;
} sought;

static struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };

static struct cfgstore_follow follow = {
	.timeout_ns = PARSE_FOREVER,
	.stays_away = true,
	.ready_fd = -1,
};

/* ---- wait -------------------------------------------------------------- */

static const struct opt wait_opts[] = {
	{ '\0', "absent", OPT_FLAG, &given.is_absent, NULL, NULL,
	    "until there is no such key" },
	{ '\0', "is", OPT_STRING, &given.is_value, NULL, "VALUE",
	    "until it has this value; all of the operand is the key" },
	{ '\0', "is-not", OPT_STRING, &given.is_other, NULL, "VALUE",
	    "until it has another, or none; likewise" },
	{ 't', "timeout", OPT_DURATION, &follow.timeout_ns, NULL, "DUR",
	    "end with 124 after so long; 0: with 1 at once" },
	{ '\0', "sync", OPT_FLAG, &follow.is_sync, NULL, NULL,
	    "begin with all that was written before" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print what the key was then as a JSON object" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these of it, apart by blanks: rev,value,…" },
	{ '\0', "ready-fd", OPT_FD, &follow.ready_fd, NULL, "FD",
	    "write a line feed there once no change is missed" },
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program wait_program = {
	.name = "cfgstore wait",
	.operands = "KEY|KEY=VALUE|KEY!=VALUE",
	.summary = "Wait until a key is there, gone, or has a value.",
	.opts = wait_opts,
	.opt_count = ARRAY_COUNT(wait_opts),
	.operand = cfgstore_operands_take,
};

static bool
holds(void)
{
	switch (sought.want) {
	case WANT_PRESENT:
		return sought.is_there;
	case WANT_ABSENT:
		return !sought.is_there;
	case WANT_VALUE:
		return sought.is_there && sought.is_equal;
	case WANT_OTHER:
		break;
	}
	return !sought.is_there || !sought.is_equal;
}

static void
learn(const struct cfgstore_news *news)
{
	const struct cfgstore_record *record = &news->record;

	sought.is_there = news->event != CFGSTORE_DEL;
	sought.is_equal = sought.is_there && sought.value != NULL &&
	    record->len == strlen(sought.value) &&
	    memcmp(record->value, sought.value, record->len) == 0;
}

static bool
shows(void)
{
	return given.is_json || given.fields != NULL;
}

/* The last record about the key; the daemon's line is gone by ready. */
static struct cfgstore_bytes shown;

static void
keep(struct cfgstore_news *news)
{
	if (!shows())
		return;
	printer.out.len = printer.out.end = 0;
	cfgstore_print(&printer, &news->record);
	shown.len = 0;
	cfgstore_bytes_put(&shown, printer.out.bytes, printer.out.len);
	printer.out.len = printer.out.end = 0;
}

static enum cfgstore_step
end_wait(struct cfgstore_follow *from)
{
	if (shown.len > 0) {
		out_put(&printer.out, shown.at, shown.len);
		out_end(&printer.out);
	}
	return cfgstore_follow_end(from, EXITCODE_OK);
}

static enum cfgstore_step
take(struct cfgstore_follow *from, struct cfgstore_news *news)
{
	switch (news->event) {
	case CFGSTORE_EXISTS:
	case CFGSTORE_PUT:
	case CFGSTORE_DEL:
		learn(news);
		keep(news);
		break;
	case CFGSTORE_GAP:
		sought.is_there = false;
		shown.len = 0;
		break;
	case CFGSTORE_READY:
	case CFGSTORE_AWAY:
	case CFGSTORE_HERE:
	case CFGSTORE_DOWN:
	case CFGSTORE_UP:
	case CFGSTORE_OTHER:
		break;
	}
	if (!from->is_ready || from->is_filling)
		return CFGSTORE_ON;
	if (holds())
		return end_wait(from);
	return from->timeout_ns == 0 ? cfgstore_follow_end(from, EXITCODE_FALSE)
				     : CFGSTORE_ON;
}

/* KEY, KEY=VALUE or KEY!=VALUE, unless options say it. */
static void
read_operand(const char *operand)
{
	const char *equals = strchr(operand, '=');
	size_t len = strlen(operand);

	sought.want = WANT_PRESENT;
	if (given.is_absent) {
		sought.want = WANT_ABSENT;
	} else if (given.is_value != NULL || given.is_other != NULL) {
		sought.want = given.is_value != NULL ? WANT_VALUE : WANT_OTHER;
		sought.value =
		    given.is_value != NULL ? given.is_value : given.is_other;
	} else if (equals != NULL) {
		bool is_other = equals > operand && equals[-1] == '!';

		sought.want = is_other ? WANT_OTHER : WANT_VALUE;
		sought.value = equals + 1;
		len = (size_t)(equals - operand) - is_other;
	}
	cfgstore_bytes_put(&sought.key, operand, len);
}

static int
check_wait(void)
{
	int kinds = given.is_absent + (given.is_value != NULL) +
	    (given.is_other != NULL);

	if (cfgstore_operands_count(&wait_program, 1, 1) != 0)
		return OPT_E_USAGE;
	if (kinds > 1)
		return opt_usage(&wait_program, "only one condition");
	read_operand(cfgstore_operands.at[0]);
	if (sought.key.len == 0)
		return opt_usage(&wait_program, "the key is empty");
	return cfgstore_printer_check(&wait_program, given.is_json,
	    given.fields,
	    "event,key,rev,prev,created,by,lease,why,len,value,old,seq,ts");
}

int
cfgstore_wait(int argc, char **argv)
{
	struct cfgstore_bytes glob = { .at = NULL };
	const char *name;
	const struct cfgstore_scope scope = { &name, 1, false };
	int code, rc = cfgstore_operands_parse(&wait_program, argc, argv);

	if (rc == 0)
		rc = check_wait();
	if (rc != 0)
		return tool_opt_exit(rc);
	/* Quoted, all of it stands for itself in a glob. */
	cfgstore_bytes_put_value(&glob, sought.key.at, sought.key.len);
	name = glob.at;
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	follow.scope = &scope;
	follow.take = take;
	follow.out = &printer.out;
	code = (int)cfgstore_follow_run(&follow);
	cfgstore_bytes_free(&glob);
	cfgstore_printer_close(&printer);
	return code;
}
