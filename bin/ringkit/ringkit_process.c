/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_process.h"

#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/child.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit_find.h"
#include "bin/ringkit/ringkit_pidfile.h"
#include "bin/ringkit/ringkit_spawn.h"

enum { TAIL_BYTES = 2048 };

enum exitcode
ringkit_process_start(
    const struct ringkit_plan *plan, struct ringkit_process *process)
{
	char path[RINGKIT_PATH_BYTES];
	int fds[2], rc;

	*process = (struct ringkit_process){ .ready_fd = -1 };
	if (ringkit_find(plan->program, path) != 0) {
		tool_warn("%s: not found", plan->program);
		return EXITCODE_NOTFOUND;
	}
	if (pipe(fds) < 0) {
		tool_warn("pipe: %s", strerror(errno));
		return EXITCODE_OS;
	}
	process->pid = ringkit_spawn(plan, path, fds[1]);
	fd_close(&fds[1]);
	process->ready_fd = fds[0];
	if (process->pid < 0) {
		tool_warn("fork: %s", strerror(errno));
		return EXITCODE_OS;
	}
	rc = ringkit_pidfile_write(plan->rundir, plan->program, process->pid);
	if (rc == 0)
		return EXITCODE_OK;
	tool_warn("%s/%s.pid: %s", plan->rundir, plan->program, strerror(-rc));
	kill(process->pid, SIGTERM);
	return EXITCODE_CANTCREATE;
}

/* The end of the log, for somebody who has not seen it. */
static void
show_log(const char *log)
{
	char bytes[TAIL_BYTES + 1];
	FILE *file = fopen(log, "re");
	const char *from = bytes;
	size_t len;

	if (file == NULL)
		return;
	if (fseek(file, -TAIL_BYTES, SEEK_END) != 0)
		rewind(file);
	len = fread(bytes, 1, TAIL_BYTES, file);
	fclose(file);
	bytes[len] = '\0';
	/* Its first line may be cut. */
	if (len == TAIL_BYTES && strchr(bytes, '\n') != NULL)
		from = strchr(bytes, '\n') + 1;
	fputs(from, stderr);
}

/* Its exit code, if it ended by itself. */
static enum exitcode
reap(const struct ringkit_process *process)
{
	int status;

	while (waitpid(process->pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXITCODE_INTERNAL;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return (enum exitcode)WEXITSTATUS(status);
	return EXITCODE_UNAVAILABLE;
}

enum exitcode
ringkit_process_wait(const struct ringkit_plan *plan,
    struct ringkit_process *process, uint64_t deadline_ns)
{
	enum exitcode code = EXITCODE_OK;
	int rc = fd_wait(process->ready_fd, POLLIN, deadline_ns);
	char c;

	if (rc == 0) {
		tool_warn(
		    "%s: not ready in time: see %s", plan->program, plan->log);
		code = EXITCODE_TIMEOUT;
	} else if (rc < 0 || read(process->ready_fd, &c, 1) != 1) {
		code = reap(process);
		tool_warn("%s: ended with %d: see %s", plan->program, code,
		    plan->log);
		show_log(plan->log);
	}
	fd_close(&process->ready_fd);
	return code;
}

/* ---- ending ------------------------------------------------------------ */

int
ringkit_process_ask_to_end(int pidfd)
{
	int rc = child_signal(pidfd, SIGTERM);

	/* It may have been stopped. */
	return rc != 0 ? rc : child_signal(pidfd, SIGCONT);
}

bool
ringkit_process_finish(int pidfd, uint64_t deadline_ns)
{
	bool is_gone = child_ends_by(pidfd, deadline_ns);

	if (!is_gone) {
		(void)child_signal(pidfd, SIGKILL);
		if (!child_ends_by(pidfd, UINT64_MAX))
			tool_warn("cannot wait: %s", strerror(errno));
	}
	fd_close(&pidfd);
	/* If it was our child; another's is not ours to reap. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return is_gone;
}
