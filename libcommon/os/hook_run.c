/* SPDX-License-Identifier: BSD-3-Clause */
/* Its input lies in a memory file: a command that does not read it cannot
 * hold us up, and one that is slow to read cannot deadlock with us.
 */
#include <sys/mman.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/hook_env.h"
#include "libcommon/os/hook_internal.h"
#include "libcommon/os/tool.h"

#define LATE_GRACE_NS    (5 * CLOCK_S_NS)
#define PREEMPT_GRACE_NS (2 * CLOCK_S_NS)
#define GIVE_UP_NS       (5 * CLOCK_S_NS) /* after KILL */

static const struct hook_job *
job_of(const struct hook *hook)
{
	return &hook->jobs[hook->job_at];
}

static const char *
name_of(const struct hook *hook)
{
	const char *path = job_of(hook)->path;

	return path != NULL ? path : hook->options->argv[0];
}

/* ---- input ------------------------------------------------------------- */

static int
put(int fd, const char *bytes, const char *end)
{
	int rc = fd_write_full(fd, bytes, strlen(bytes), UINT64_MAX);

	return rc == 0 ? fd_write_full(fd, end, strlen(end), UINT64_MAX) : rc;
}

/* gap, the table, and the records. */
static int
put_input(const struct hook *hook, int fd)
{
	const struct hook_queue *batch = &hook->batch;
	uint32_t class = job_of(hook)->class;
	const char *table = hook_queue_table(batch);
	char line[48];
	struct text text;
	const struct hook_entry *at;
	int rc = 0;

	text_init(&text, line, sizeof line);
	text_put(&text, "gap lost=");
	text_put_u64(&text, batch->lost);
	if (batch->lost > 0)
		rc = put(fd, line, "\n");
	if (rc == 0 && table != NULL && hook_queue_shows_table(batch, class))
		rc = put(fd, table, "");
	for (at = batch->oldest; at != NULL; at = at->next)
		if (rc == 0 && (at->record.classes & class) != 0)
			rc = put(fd, at->record.line, "\n");
	return rc;
}

static int
make_input(const struct hook *hook)
{
	int fd = memfd_create("records", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = put_input(hook, fd);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	fd_close(&fd);
	return rc;
}

/* ---- starting ---------------------------------------------------------- */

static int
start_tree(struct hook *hook, const struct hook_env *env, int input, int output)
{
	char *path[2] = { job_of(hook)->path, NULL };
	const struct tree_command command = {
		.argv = path[0] != NULL ? path : hook->options->argv,
		.envp = env->names,
		.cwd = "/",
		.std = { input, output, output },
		.closes_fds = true,
		.grace_ns = PREEMPT_GRACE_NS,
	};

	return tree_start(&hook->tree, &command);
}

static int
start(struct hook *hook, const struct hook_env *env)
{
	int input = make_input(hook), output = -1;
	int rc;

	if (input < 0)
		return input;
	rc = hook_out_open(&hook->out, name_of(hook), &output);
	if (rc == 0)
		rc = start_tree(hook, env, input, output);
	fd_close(&input);
	fd_close(&output);
	return rc;
}

void
hook_run_start(struct hook *hook, uint64_t now_ns)
{
	const struct hook_job *job = job_of(hook);
	const struct hook_env_run run = {
		.batch = &hook->batch,
		.classes = job->class,
		.event = job->event,
		.attempt = hook->attempt,
		.now_ns = now_ns,
		.rundir = hook->options->rundir,
	};
	uint64_t timeout_ns = hook->options->timeout_ns;
	struct hook_env env;
	int rc = hook_env_build(&env, &run);

	hook->begin_ns = now_ns;
	hook->end_ns =
	    timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
	hook->is_late = hook->is_preempted = false;
	hook->tree = (struct tree){ .fd = -1 };
	hook->is_running = true;
	if (rc == 0)
		rc = start(hook, &env);
	hook_env_clear(&env);
	if (rc == 0)
		return;
	tool_warn("%s: cannot be started: %s", name_of(hook), strerror(-rc));
	hook->tree = (struct tree){ .fd = -1,
		.is_ended = true,
		.is_empty = true,
		.code = EXITCODE_WRAPPER };
}

/* ---- ending ------------------------------------------------------------ */

static bool
is_stopping(const struct hook *hook)
{
	return hook->is_late || hook->is_preempted;
}

static void
stop(struct hook *hook, uint64_t now_ns, uint64_t grace_ns)
{
	hook->end_ns = now_ns + grace_ns + GIVE_UP_NS;
	tree_stop(&hook->tree, grace_ns);
}

void
hook_run_preempt(struct hook *hook, uint64_t now_ns)
{
	if (hook->is_preempted)
		return;
	/* One that is late has not longer, either. */
	hook->is_preempted = true;
	stop(hook, now_ns, PREEMPT_GRACE_NS);
}

uint64_t
hook_run_deadline_ns(const struct hook *hook)
{
	return hook->tree.fd >= 0 ? hook->end_ns : 0;
}

/* One line for what did not go well; with -v, for all. */
static void
report(const struct hook *hook, const struct hook_end *end, uint64_t now_ns)
{
	static const char *const words[] = {
		[HOOK_NOT_RUN] = "not-run",
		[HOOK_DONE] = "ok",
		[HOOK_REFUSED] = "again",
		[HOOK_FAILED] = "failed",
		[HOOK_PREEMPTED] = "preempted",
	};
	unsigned long long ms = (now_ns - hook->begin_ns) / CLOCK_MS_NS;

	(end->result == HOOK_DONE ? tool_say : tool_warn)(
	    "hook-end hook=%s status=%s code=%d ms=%llu", hook->out.name,
	    hook->is_late && end->result == HOOK_FAILED ? "timeout"
							: words[end->result],
	    end->code, ms);
}

static struct hook_end
judge(const struct hook *hook)
{
	int code = tree_code(&hook->tree);

	if (hook->is_late)
		return (
		    struct hook_end){ HOOK_FAILED, EXITCODE_TIMEOUT, false };
	if (hook->is_preempted)
		return (struct hook_end){ HOOK_PREEMPTED, code, false };
	if (code == 0)
		return (struct hook_end){ HOOK_DONE, code, false };
	if (code == EXITCODE_TRYAGAIN)
		return (struct hook_end){ HOOK_REFUSED, code, false };
	return (struct hook_end){ HOOK_FAILED, code, false };
}

/*
 * One that ended by itself may leave something behind; of one that was ended,
 * nothing stays.
 */
static bool
is_over(struct hook *hook, uint64_t now_ns)
{
	enum tree_state state;

	if (hook->tree.fd < 0)
		return true;
	state = tree_turn(&hook->tree);
	if (!is_stopping(hook) && state == TREE_ENDED) {
		tree_release(&hook->tree);
		return true;
	}
	if (is_stopping(hook) && now_ns >= hook->end_ns &&
	    state != TREE_EMPTY) {
		tool_warn("%s: cannot be killed", hook->out.name);
		return true;
	}
	return state == TREE_EMPTY;
}

bool
hook_run_turn(struct hook *hook, uint64_t now_ns, struct hook_end *end)
{
	bool is_end = is_over(hook, now_ns);

	hook_out_turn(&hook->out);
	if (!is_end && !is_stopping(hook) && now_ns >= hook->end_ns) {
		hook->is_late = true;
		stop(hook, now_ns, LATE_GRACE_NS);
	}
	if (!is_end)
		return false;
	hook_out_close(&hook->out);
	tree_close(&hook->tree);
	hook->is_running = false;
	*end = judge(hook);
	end->is_absent = hook->tree.error != 0;
	report(hook, end, now_ns);
	return true;
}

void
hook_run_end(struct hook *hook)
{
	if (!hook->is_running)
		return;
	tree_stop(&hook->tree, PREEMPT_GRACE_NS);
	(void)tree_wait(&hook->tree, TREE_EMPTY,
	    clock_now_ns() + PREEMPT_GRACE_NS + GIVE_UP_NS);
	hook_out_close(&hook->out);
	tree_close(&hook->tree);
	hook->is_running = false;
}

/* ---- signals ----------------------------------------------------------- */

int
hook_signals(struct hook *hook)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	sigemptyset(&hook->signals);
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
		struct sigaction action;

		/* What is ignored stays so: a signalfd would get it. */
		if (sigaction(ends[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&hook->signals, ends[i]);
	}
	if (sigprocmask(SIG_BLOCK, &hook->signals, NULL) < 0)
		return -errno;
	hook->signal_fd =
	    signalfd(-1, &hook->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return hook->signal_fd >= 0 ? 0 : -errno;
}

void
hook_signals_turn(struct hook *hook)
{
	struct signalfd_siginfo info;

	if (read(hook->signal_fd, &info, sizeof info) != sizeof info)
		return;
	hook_run_end(hook);
	(void)signal((int)info.ssi_signo, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &hook->signals, NULL);
	(void)raise((int)info.ssi_signo);
	exit(128 + (int)info.ssi_signo);
}
