/* SPDX-License-Identifier: BSD-3-Clause */
/* The data lies in a memory file: a command that does not read its input
 * cannot hold us up, and one that is slow to read cannot deadlock with us.
 */
#include "bin/msgcat/msgcat_hook.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree.h"

#define KILL_AFTER_NS (5 * CLOCK_S_NS)

static void
set_environment(struct ask_line *line)
{
	static const struct {
		const char *name, *key;
	} words[] = {
		{ "RINGKIT_MSG_GROUP", "group" },
		{ "RINGKIT_MSG_FROM", "node" },
		{ "RINGKIT_MSG_INC", "inc" },
		{ "RINGKIT_MSG_CONN", "conn" },
		{ "RINGKIT_MSG_MID", "mid" },
		{ "RINGKIT_MSG_ID", "id" },
		{ "RINGKIT_MSG_SVC", "svc" },
		{ "RINGKIT_MSG_VIEW", "view" },
		{ "RINGKIT_MSG_PHASE", "phase" },
		{ "RINGKIT_MSG_POS", "pos" },
		{ "RINGKIT_MSG_LEN", "len" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		setenv(words[i].name, ask_value(line, words[i].key), 1);
}

static int
make_data(const struct ask_line *line)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fd_write_full(fd, line->data, line->len, UINT64_MAX) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		fd_close(&fd);
	return fd;
}

static int
wait_for(struct tree *tree, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t deadline_ns =
	    timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;

	if (tree_wait(tree, TREE_ENDED, deadline_ns) != TREE_RUNNING) {
		tree_release(tree);
		return tree_code(tree);
	}
	tree_stop(tree, KILL_AFTER_NS);
	(void)tree_wait(tree, TREE_EMPTY, UINT64_MAX);
	return EXITCODE_TIMEOUT;
}

int
msgcat_hook_run(char *const *argv, struct ask_line *line, uint64_t timeout_ns)
{
	int data_fd = make_data(line);
	const struct tree_command command = {
		.argv = argv,
		.std = { data_fd, -1, -1 },
		.grace_ns = KILL_AFTER_NS,
	};
	struct tree tree;
	int rc;

	if (data_fd < 0)
		return EXITCODE_WRAPPER;
	set_environment(line);
	rc = tree_start(&tree, &command);
	fd_close(&data_fd);
	if (rc < 0)
		return EXITCODE_WRAPPER;
	rc = wait_for(&tree, timeout_ns);
	tree_close(&tree);
	return rc;
}
