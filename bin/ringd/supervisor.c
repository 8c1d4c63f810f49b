/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The supervisor's own life: signals, the end of a child, the next one.  All
 * that happens comes through the loop; forking is left to supervisor_run, so
 * that a child returns from there and not from within a callback.
 */
#include "bin/ringd/supervisor.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/ringd_bind.h"

/* ---- signals ----------------------------------------------------------- */

static void
on_child(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)signo;
	supervisor_reap(s, now_ns);
	if (s->is_over)
		loop_stop(loop, 0);
}

static void
on_leave(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)signo;
	(void)now_ns;
	s->is_leaving = true;
	if (s->child != 0) {
		supervisor_signal(s, SUPERVISOR_LEAVE);
		return;
	}
	s->is_over = true;
	s->code = EXITCODE_OK;
	loop_stop(loop, 0);
}

static void
on_relay(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)loop;
	(void)now_ns;
	/* Before it watches for them they would end it. */
	if (s->child != 0 && s->is_serving)
		supervisor_signal(s, signo);
}

/* ---- timers ------------------------------------------------------------ */

static uint64_t
get_check_ns(const void *arg)
{
	const struct supervisor *s = arg;

	return s->child != 0 ? s->watch.check_ns : UINT64_MAX;
}

static void
on_check(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct supervisor *s = arg;
	struct supervisor_look look;

	(void)loop;
	supervisor_look(s, &look);
	if (!supervisor_is_hung(&s->watch, &look, now_ns) || s->is_killed)
		return;
	/* First, for writing the line may have to wait for a disk. */
	s->is_killed = true;
	supervisor_signal(s, SIGKILL);
	log_line(LOG_LEVEL_ERROR, "hangs", "inc=%llu",
	    (unsigned long long)atomic_load(&s->page->incarnation));
}

static uint64_t
get_birth_ns(const void *arg)
{
	const struct supervisor *s = arg;

	return s->child == 0 && !s->is_over ? s->birth_ns : UINT64_MAX;
}

static void
on_birth(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	loop_stop(loop, 0); /* supervisor_run does it */
}

/* ---- readiness --------------------------------------------------------- */

static void
close_ready(struct supervisor *s)
{
	if (s->ready_read_fd >= 0)
		loop_remove_fd(s->loop, s->ready_slot);
	fd_close(&s->ready_read_fd);
}

static void
on_ready(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct supervisor *s = arg;
	char byte;

	(void)loop;
	(void)ready;
	(void)now_ns;
	s->is_serving = read(s->ready_read_fd, &byte, 1) == 1;
	if (s->is_serving && !s->has_served) {
		s->has_served = true;
		daemon_ready(s->plan.ready_fd);
		s->plan.ready_fd = -1;
	}
	close_ready(s);
}

/* The end of a pipe that the child is to write to: 0 or -E…. */
static int
open_ready(struct supervisor *s, int *write_fd)
{
	int ends[2];

	close_ready(s);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	s->ready_slot = loop_add_fd(s->loop, ends[0], on_ready, s);
	if (s->ready_slot < 0) {
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return s->ready_slot;
	}
	s->ready_read_fd = ends[0];
	*write_fd = ends[1];
	return 0;
}

/* ---- a birth ----------------------------------------------------------- */

static void
become_child(struct supervisor *s, int ready_fd)
{
	/*
	 * Whoever kills the supervisor means ringd, and may start another: no
	 * child goes on alone.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != s->self)
		_exit(EXITCODE_OS);
	(void)prctl(PR_SET_NAME, "ringd-ring", 0, 0, 0);
	/* What a terminal says comes to the supervisor alone. */
	(void)setpgid(0, 0);
	fd_close(&s->ready_read_fd);
	fd_close(&s->plan.ready_fd); /* whoever waits for its end does */
	loop_close(s->loop);
	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
	unsetenv("NOTIFY_SOCKET");
	s->child_ready_fd = ready_fd;
	if (s->has_served) {
		ringd_bind_drain(s->plan.conf, s->plan.links);
		ringd_bind_drain(s->plan.conf, s->plan.groups);
	}
}

/* 1 in the child, 0 in the supervisor, -E…. */
static int
give_birth(struct supervisor *s)
{
	int write_fd = -1, rc;
	pid_t child;

	s->is_serving = false;
	*s->page = (struct supervisor_page){ 0 };
	/* All that may fail comes first: no child lives on unknown. */
	rc = open_ready(s, &write_fd);
	if (rc < 0)
		return rc;
	child = fork();
	if (child == 0) {
		become_child(s, write_fd);
		return 1;
	}
	rc = child < 0 ? -errno : 0;
	fd_close(&write_fd);
	if (rc < 0) {
		close_ready(s);
		return rc;
	}
	s->child = child;
	s->born_ns = clock_now_ns();
	s->watch = (struct supervisor_watch){ .check_ns = s->born_ns +
		    SUPERVISOR_CHECK_NS };
	return 0;
}

/* ---- opening, running -------------------------------------------------- */

static struct loop *
make_loop(void)
{
	struct arena arena;
	void *base;

	arena_init(&arena, NULL, 0);
	(void)loop_create(&arena, 1);
	base = daemon_map_memory(arena.used_bytes);
	if (base == NULL)
		return NULL;
	arena_init(&arena, base, arena.used_bytes);
	return loop_create(&arena, 1);
}

static int
watch_signals(struct supervisor *s)
{
	static const struct {
		int signo;
		loop_signal_fn *fn;
	} table[] = {
		{ SIGCHLD, on_child },
		{ SIGTERM, on_leave },
		{ SIGINT, on_leave },
		{ SIGHUP, on_relay },
		{ SIGUSR1, on_relay },
	};

	if (sigprocmask(SIG_BLOCK, NULL, &s->mask) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int rc =
		    loop_add_signal(s->loop, table[i].signo, table[i].fn, s);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void
open_supervisor(struct supervisor *s, const struct supervisor_plan *plan)
{
	void *page = mmap(NULL, sizeof *s->page, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*s = (struct supervisor){ .plan = *plan,
		.self = getpid(),
		.loop = make_loop(),
		.ready_read_fd = -1,
		.child_ready_fd = -1 };
	if (page == MAP_FAILED || s->loop == NULL)
		daemon_die(EXITCODE_OS, "not enough memory");
	s->page = page;
	if (loop_open(s->loop) < 0 || watch_signals(s) < 0)
		daemon_die(EXITCODE_OS, "supervisor: %s", strerror(errno));
	loop_add_timer(s->loop, get_check_ns, on_check, s);
	loop_add_timer(s->loop, get_birth_ns, on_birth, s);
	obituary_init(&s->obituary, plan->conf, plan->keys, plan->links);
}

bool
supervisor_run(
    struct supervisor *s, const struct supervisor_plan *plan, int *code)
{
	open_supervisor(s, plan);
	while (!s->is_over) {
		int rc = give_birth(s);

		if (rc > 0)
			return true;
		if (rc < 0 && !s->has_served)
			daemon_die(EXITCODE_OS, "fork: %s", strerror(-rc));
		if (rc < 0) {
			log_line(
			    LOG_LEVEL_ERROR, "fork-failed", "errno=%d", -rc);
			s->birth_ns = clock_now_ns() + SUPERVISOR_DELAY_MAX_NS;
		}
		if (loop_run(s->loop) < 0)
			daemon_die(
			    EXITCODE_OS, "supervisor: %s", strerror(errno));
	}
	close_ready(s);
	loop_close(s->loop);
	*code = s->code;
	return false;
}
