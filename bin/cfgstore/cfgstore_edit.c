/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore edit: a value in an editor, written if nobody else wrote it.
 *
 * What was typed is never lost: its file stays unless it was written.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_version.h"
#include "bin/cfgstore/cfgstore_write.h"

static bool is_chomped;
static char path[4096]; /* of the file; "": none is left */

static const struct opt opts[] = {
	{ 'c', "chomp", OPT_FLAG, &is_chomped, NULL, NULL,
	    "a line feed behind the value, only in the editor" },
	CFGSTORE_OPT_LOCK,
	CFGSTORE_OPT_DURABILITY,
	CFGSTORE_OPT_VERSION_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore edit",
	.operands = "KEY",
	.summary = "Change a value with $VISUAL or $EDITOR.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

static void
tell_file(void)
{
	if (path[0] != '\0')
		tool_warn("what was edited is in %s", path);
}

static void
make_file(const struct cfgstore_bytes *text)
{
	const char *dir = getenv("TMPDIR");
	int fd, rc;

	(void)snprintf(path, sizeof path, "%s/cfgstore.XXXXXX",
	    dir != NULL && *dir != '\0' ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		rc = errno;
		path[0] = '\0';
		tool_fail(EXITCODE_CANTCREATE, "%s: %s",
		    dir != NULL ? dir : "/tmp", strerror(rc));
	}
	rc = fd_write_full(fd, text->at, text->len, UINT64_MAX);
	if (rc < 0)
		tool_fail(EXITCODE_IO, "%s: %s", path, strerror(-rc));
	fd_close(&fd);
	(void)atexit(tell_file); /* without it only a message is missing */
}

static void
drop_file(void)
{
	(void)unlink(path); /* it is in a folder for such */
	path[0] = '\0';
}

/* As a shell would: the variable may hold options, and quotes. */
static void
run_editor(void)
{
	const char *editor = getenv("VISUAL");
	char *command;
	int status;

	if (editor == NULL || *editor == '\0')
		editor = getenv("EDITOR");
	if (editor == NULL || *editor == '\0')
		editor = "vi";
	if (asprintf(&command, "%s '%s'", editor, path) < 0)
		tool_fail(EXITCODE_OS, "out of memory");
	status = system(command);
	free(command);
	if (status == -1)
		tool_fail(EXITCODE_OS, "%s: %s", editor, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXITCODE_NOTFOUND)
		tool_fail(EXITCODE_NOTFOUND, "%s: not found", editor);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		tool_fail(EXITCODE_WRAPPER, "%s: failed, nothing was written",
		    editor);
}

static int
edit(struct cfgstore_link *link, const char *key)
{
	struct cfgstore_bytes edited = { .at = NULL };
	struct cfgstore_version now;
	bool is_same;
	int code;

	cfgstore_version_read(link, key, UINT64_MAX, &now);
	/* The daemon need not wait for whoever types. */
	cfgstore_link_close(link);
	if (is_chomped && now.rev > 0)
		cfgstore_bytes_put_string(&now.value, "\n");
	make_file(&now.value);
	run_editor();
	cfgstore_bytes_read(&edited, path, LIMIT_MESSAGE_BYTES_MAX);
	is_same = edited.len == now.value.len &&
	    (edited.len == 0 ||
		memcmp(edited.at, now.value.at, edited.len) == 0);
	if (is_same) {
		drop_file();
		tool_warn("%s: not changed", key);
		return EXITCODE_OK;
	}
	if (is_chomped)
		cfgstore_bytes_chomp(&edited);
	cfgstore_link_open(link);
	code = cfgstore_version_replace(link, key, now.rev, &edited);
	cfgstore_link_close(link);
	if (code == EXITCODE_OK)
		drop_file();
	return code;
}

int
cfgstore_edit(int argc, char **argv)
{
	struct cfgstore_link link;
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(&program, 1, 1);
	if (rc == 0)
		rc = cfgstore_printer_check(&program,
		    cfgstore_version_show.is_json, cfgstore_version_show.fields,
		    cfgstore_outcome);
	if (rc != 0)
		return tool_opt_exit(rc);
	cfgstore_link_open(&link);
	return edit(&link, cfgstore_operands.at[0]);
}
