/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/msgsend/msgsend_quorum.h"

#include <stdbool.h>
#include <string.h>

#include "libcommon/os/ask.h"
#include "libcommon/os/tool.h"

/* The view in which quorumd says that there is a quorum. */
static enum exitcode
find_view(
    struct ask *quorum, uint64_t deadline_ns, char view[MSGSEND_VIEW_BYTES])
{
	struct ask_line line;
	const char *word;
	int rc = ask_put(quorum, "quorum\n", strlen("quorum\n"));

	if (rc == 0)
		rc = ask_next(quorum, &line, deadline_ns);
	if (rc != 0) {
		tool_warn("quorum.sock: %s", ask_strerror(rc));
		return ask_exitcode(rc);
	}
	word = ask_value(&line, "quorate");
	if (line.kind != ASK_OK || strcmp(word, "yes") != 0) {
		bool is_no = line.kind == ASK_OK && strcmp(word, "no") == 0;

		tool_warn(is_no ? "not quorate" : "quorum unknown");
		return is_no ? EXITCODE_TRYAGAIN : EXITCODE_UNAVAILABLE;
	}
	word = ask_value(&line, "view");
	if (strlen(word) >= MSGSEND_VIEW_BYTES || *word == '\0')
		return EXITCODE_PROTOCOL;
	strcpy(view, word);
	return EXITCODE_OK;
}

enum exitcode
msgsend_quorum_view(const char *rundir, char view[MSGSEND_VIEW_BYTES])
{
	uint64_t deadline_ns = ask_deadline_ns();
	struct ask *quorum;
	enum exitcode code;
	int rc = ask_open(&quorum, rundir, "quorum", deadline_ns);

	if (rc != 0) {
		tool_warn("%s: --require-quorum needs it",
		    ask_explain_rc(rundir, "quorum", rc));
		return ask_exitcode(rc);
	}
	code = find_view(quorum, deadline_ns, view);
	ask_close(quorum);
	return code;
}
