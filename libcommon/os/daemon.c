/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/daemon.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/fd.h"

static const char *program_name = "ringkit";

void
daemon_set_name(const char *program)
{
	program_name = program;
}

void
daemon_die(enum exitcode code, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit((int)code);
}

void *
daemon_map_memory(size_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return base != MAP_FAILED ? base : NULL;
}

int
daemon_lock_memory(const void *base, size_t bytes)
{
	return mlock(base, bytes) < 0 ? -errno : 0;
}

const char *
daemon_raise_priority(int priority, bool is_inherited)
{
	struct sched_param param = { .sched_priority = priority };
	int policy = is_inherited ? SCHED_RR : SCHED_RR | SCHED_RESET_ON_FORK;

	if (sched_setscheduler(0, policy, &param) == 0)
		return "rr";
	if (setpriority(PRIO_PROCESS, 0, -20) == 0)
		return "nice";
	return "other";
}

bool
daemon_notify(const char *lines)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	ssize_t n;
	int fd;

	if (len == 0 || len >= sizeof addr.sun_path)
		return false;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	n = sendto(fd, lines, strlen(lines), MSG_NOSIGNAL,
	    (const struct sockaddr *)&addr,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	fd_close(&fd);
	return n >= 0;
}

void
daemon_ready(int ready_fd)
{
	daemon_notify("READY=1\n");
	if (ready_fd < 0)
		return;
	/* Who asked for it and went away does not matter to the daemon. */
	(void)!write(ready_fd, "\n", 1);
	fd_close(&ready_fd);
}

int
daemon_become(const char *user_name)
{
	struct passwd *user;

	errno = 0;
	user = getpwnam(user_name);
	if (user == NULL)
		return errno != 0 ? -errno : -ENOENT;
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -errno;
	return 0;
}

void
daemon_harden(void)
{
	struct rlimit none = { 0, 0 };

	umask(0077);
	/* Whoever started us may not have cared; then no end would be told,
	 * and the number of a child that ended would be free for others. */
	(void)signal(SIGCHLD, SIG_DFL);
	/* Refusals are harmless: these are nets, not the fence. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
