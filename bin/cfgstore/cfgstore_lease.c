/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore lease: time that keys live on. */
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_write.h"

static struct {
	bool is_json;
	const char *fields;
} given;

static const struct opt opts[] = {
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print the answer as a JSON object" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these of the answer: lease,ttl_ms,…" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore lease",
	.operands = "grant DUR | renew ID | release ID | list",
	.summary = "Grant, renew or release leases, on which keys live.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

/* The forms: which request, and what is printed when nothing is asked for. */
static const struct form {
	const char *name, *request;
	const char *fields; /* NULL: records; "": nothing */
	bool is_duration, is_id, is_write;
} forms[] = {
	{ "grant", "lease ttl=", "lease", true, false, true },
	{ "renew", "renew lease=", "", false, true, true },
	{ "release", "release lease=", "", false, true, true },
	{ "list", "leases", NULL, false, false, false },
};

static const struct form *
find_form(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

static int
check(const struct form **form)
{
	const char *const *operand = cfgstore_operands.at;
	uint64_t number;
	size_t wanted;

	if (cfgstore_operands_count(&program, 1, 2) != 0)
		return OPT_E_USAGE;
	*form = find_form(operand[0]);
	if (*form == NULL)
		return opt_usage(&program,
		    "%s: expected grant, renew, release or list", operand[0]);
	wanted = (*form)->is_duration || (*form)->is_id ? 2 : 1;
	if (cfgstore_operands_count(&program, wanted, wanted) != 0)
		return OPT_E_USAGE;
	if ((*form)->is_duration &&
	    !cfgstore_write_is_ttl(operand[1], strlen(operand[1])))
		return opt_usage(
		    &program, "%s: expected 100ms to a year", operand[1]);
	if ((*form)->is_id &&
	    parse_u64(operand[1], strlen(operand[1]), 1, UINT64_MAX, &number) !=
		0)
		return opt_usage(&program, "%s: expected a lease", operand[1]);
	return cfgstore_printer_check(&program, given.is_json, given.fields,
	    "event,lease,ttl_ms,left_ms,renewals,by,keys,n,rev");
}

static void
show(struct cfgstore_printer *printer, struct ask_line *line)
{
	struct cfgstore_record record;

	cfgstore_record_of(line, "lease", &record);
	cfgstore_print(printer, &record);
}

static int
run(const struct form *form)
{
	struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };
	const char *fields = given.fields;
	char bytes[LIMIT_REQUEST_BYTES];
	struct cfgstore_link link;
	struct ask_line answer;
	struct text line;

	text_init(&line, bytes, sizeof bytes);
	text_put(&line, form->request);
	if (cfgstore_operands.count > 1)
		text_put(&line, cfgstore_operands.at[1]);
	if (fields == NULL && !given.is_json)
		fields = form->fields;
	cfgstore_printer_open(&printer, given.is_json, fields);
	cfgstore_link_open(&link);
	cfgstore_link_begin(&link, form->is_write);
	cfgstore_link_put_line(&link, &line);
	while (cfgstore_link_next(&link, &answer) == ASK_ITEM)
		show(&printer, &answer);
	if (answer.kind == ASK_NO)
		tool_warn("%s: no such lease", cfgstore_operands.at[1]);
	else if (form->fields != NULL && (fields == NULL || *fields != '\0'))
		show(&printer, &answer);
	cfgstore_printer_close(&printer);
	cfgstore_link_close(&link);
	return answer.kind == ASK_OK ? EXITCODE_OK : EXITCODE_FALSE;
}

int
cfgstore_lease(int argc, char **argv)
{
	const struct form *form;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = check(&form);
	return rc != 0 ? tool_opt_exit(rc) : run(form);
}
