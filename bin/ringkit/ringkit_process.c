/* SPDX-License-Identifier: BSD-3-Clause */
/* A pid file holds the pid and the time at which that process began (field
 * 22 of /proc/PID/stat); only both together name a process.
 */
#include "bin/ringkit/ringkit_process.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit_find.h"

enum { STAT_BYTES = 1024, TAIL_BYTES = 2048, ARGS_MAX = 8, ARG_BYTES = 4200 };

/* ---- starting ---------------------------------------------------------- */

/* When the process began, in clock ticks since boot; 0: there is none. */
static uint64_t
started_at(pid_t pid)
{
	char path[64], bytes[STAT_BYTES];
	long len;
	const char *at;
	uint64_t ticks = 0;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	len = fd_read_file(path, bytes, sizeof bytes - 1);
	if (len <= 0)
		return 0;
	bytes[len] = '\0';
	/* Its name may hold anything, a bracket too; the last one ends it. */
	at = strrchr(bytes, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL ||
	    parse_u64(at + 1, strcspn(at + 1, " "), 1, UINT64_MAX, &ticks) != 0)
		return 0;
	return ticks;
}

static int
pid_path(char out[RINGKIT_PATH_BYTES], const char *rundir, const char *program)
{
	int n = snprintf(out, RINGKIT_PATH_BYTES, "%s/%s.pid", rundir, program);

	return n < RINGKIT_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int
write_pid(const struct ringkit_plan *plan, pid_t pid)
{
	char path[RINGKIT_PATH_BYTES], line[64];
	int rc = pid_path(path, plan->rundir, plan->program), fd;
	int n = snprintf(line, sizeof line, "%ld %llu\n", (long)pid,
	    (unsigned long long)started_at(pid));

	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, line, (size_t)n, UINT64_MAX);
	fd_close(&fd);
	return rc;
}

struct command_line {
	char bytes[ARGS_MAX][ARG_BYTES];
	char *argv[ARGS_MAX + 1];
	int count;
};

static void
add(struct command_line *line, const char *option, const char *value)
{
	if (value == NULL)
		return;
	snprintf(line->bytes[line->count], ARG_BYTES, "%s%s", option, value);
	line->argv[line->count] = line->bytes[line->count];
	line->count++;
}

/* In the child; never returns. */
static void
become(const struct ringkit_plan *plan, const char *path, int ready_fd)
{
	static struct command_line line;
	char number[16];
	sigset_t none;
	int log_fd = open(plan->log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (plan->dies_with_us)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (log_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(log_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0 ||
	    fd_set_cloexec(ready_fd, false) < 0)
		_exit(EXITCODE_CANTCREATE);
	snprintf(number, sizeof number, "%d", ready_fd);
	add(&line, "", plan->program);
	add(&line, "--config=", plan->config);
	add(&line, "--rundir=", plan->rundir);
	add(&line, "--statedir=", plan->statedir);
	add(&line, "--node=", plan->node);
	add(&line, "--ready-fd=", number);
	execv(path, line.argv);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(EXITCODE_NOTFOUND);
}

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
	if (pipe2(fds, O_CLOEXEC) < 0) {
		tool_warn("pipe: %s", strerror(errno));
		return EXITCODE_OS;
	}
	process->pid = fork();
	if (process->pid == 0)
		become(plan, path, fds[1]);
	fd_close(&fds[1]);
	process->ready_fd = fds[0];
	if (process->pid < 0) {
		tool_warn("fork: %s", strerror(errno));
		return EXITCODE_OS;
	}
	rc = write_pid(plan, process->pid);
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
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	const char *from = bytes;
	off_t size;
	ssize_t n;

	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	n = pread(
	    fd, bytes, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
	fd_close(&fd);
	if (n <= 0)
		return;
	bytes[n] = '\0';
	if (size > TAIL_BYTES && strchr(bytes, '\n') != NULL)
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

static bool
read_pid(const char *path, pid_t *pid, uint64_t *ticks)
{
	char bytes[64];
	long len = fd_read_file(path, bytes, sizeof bytes);
	const char *blank;
	uint64_t number;

	if (len <= 1 || bytes[len - 1] != '\n')
		return false;
	blank = memchr(bytes, ' ', (size_t)len);
	if (blank == NULL ||
	    parse_u64(bytes, (size_t)(blank - bytes), 2, INT32_MAX, &number) !=
		0 ||
	    parse_u64(blank + 1, (size_t)(bytes + len - blank) - 2, 1,
		UINT64_MAX, ticks) != 0)
		return false;
	*pid = (pid_t)number;
	return true;
}

int
ringkit_process_open(const char *rundir, const char *program)
{
	char path[RINGKIT_PATH_BYTES];
	uint64_t ticks = 0;
	pid_t pid = 0;
	int fd;

	if (pid_path(path, rundir, program) < 0 ||
	    !read_pid(path, &pid, &ticks))
		return -ENOENT;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	/*
	 * Looked at after the descriptor: the number is now held.  One that
	 * ended and was not reaped does not run, either.
	 */
	if (started_at(pid) != ticks || fd_wait(fd, POLLIN, 0) != 0) {
		fd_close(&fd);
		return -ENOENT;
	}
	return fd;
}

static void
send_signal(int pidfd, int signo)
{
	/* Gone already is as good. */
	(void)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

void
ringkit_process_ask_to_end(int pidfd)
{
	send_signal(pidfd, SIGTERM);
	/* It may have been stopped. */
	send_signal(pidfd, SIGCONT);
}

bool
ringkit_process_finish(int pidfd, uint64_t deadline_ns)
{
	bool is_gone = fd_wait(pidfd, POLLIN, deadline_ns) > 0;

	if (!is_gone) {
		send_signal(pidfd, SIGKILL);
		if (fd_wait(pidfd, POLLIN, UINT64_MAX) < 0)
			tool_warn("cannot wait: %s", strerror(errno));
	}
	fd_close(&pidfd);
	/* If it was our child; another's is not ours to reap. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return is_gone;
}
