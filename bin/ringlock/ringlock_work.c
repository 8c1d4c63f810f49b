/* SPDX-License-Identifier: BSD-3-Clause */
/* The guard does everything first.  The holder looks at the same times, a
 * little later, and needs nobody for it: what loses its guard becomes the
 * holder's own child, for it adopts, too.
 */
#include "bin/ringlock/ringlock_work.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

/* The guard's start, of what it is late with. */
#define TERM_AFTER_NS (200 * CLOCK_MS_NS)
#define KILL_AFTER_NS (50 * CLOCK_MS_NS)
/* Between rounds of KILL: longer and longer. */
#define ROUND_MIN_NS (10 * CLOCK_MS_NS)
#define ROUND_MAX_NS CLOCK_S_NS

void
ringlock_work_init(struct ringlock_work *work)
{
	*work = (struct ringlock_work){ .tree = { .fd = -1 },
		.stop_ns = UINT64_MAX,
		.kill_ns = UINT64_MAX,
		.gone_ns = UINT64_MAX };
}

int
ringlock_work_start(
    struct ringlock_work *work, const struct tree_command *command)
{
	int rc = tree_begin(&work->tree, command);

	if (rc != 0)
		return rc;
	work->state = RINGLOCK_WORK_RUNS;
	work->strangers.root = command->stranger;
	work->strangers.root_fd = command->stranger_fd;
	if (command->stop_ns != 0)
		work->stop_ns = command->stop_ns;
	if (command->kill_ns != 0)
		work->kill_ns = command->kill_ns;
	return 0;
}

void
ringlock_work_until(
    struct ringlock_work *work, uint64_t stop_ns, uint64_t kill_ns)
{
	if (work->state == RINGLOCK_WORK_NONE)
		return;
	work->stop_ns = stop_ns;
	work->kill_ns = kill_ns;
	tree_until(&work->tree, stop_ns, kill_ns);
}

void
ringlock_work_stop(struct ringlock_work *work, uint64_t grace_ns)
{
	uint64_t now_ns = clock_boot_ns();

	if (work->state == RINGLOCK_WORK_NONE)
		return;
	work->stop_ns = num_min(work->stop_ns, now_ns);
	work->gone_ns = num_min(work->gone_ns, now_ns + grace_ns);
	tree_stop(&work->tree, grace_ns);
}

/* ---- alone ------------------------------------------------------------- */

static void
signal_all(struct ringlock_work *work, int signo)
{
	tree_signal_below(signo);
	if (work->strangers.root > 0 || work->strangers.count > 0)
		tree_strangers_signal(&work->strangers, signo);
}

static void
kill_all(struct ringlock_work *work, uint64_t now_ns)
{
	uint64_t span_ns =
	    num_clamp(2 * work->round_span_ns, ROUND_MIN_NS, ROUND_MAX_NS);

	if (now_ns < work->round_ns)
		return;
	signal_all(work, SIGKILL);
	work->has_killed = true;
	work->round_span_ns = span_ns;
	work->round_ns = now_ns + span_ns;
}

static uint64_t
kill_time(const struct ringlock_work *work)
{
	uint64_t kill_ns = num_min(work->kill_ns, work->gone_ns);

	return kill_ns > UINT64_MAX - KILL_AFTER_NS ? UINT64_MAX
						    : kill_ns + KILL_AFTER_NS;
}

static uint64_t
term_time(const struct ringlock_work *work)
{
	if (work->has_termed || work->tree.is_stopping ||
	    work->stop_ns > UINT64_MAX - TERM_AFTER_NS)
		return UINT64_MAX;
	return work->stop_ns + TERM_AFTER_NS;
}

static void
look_at_time(struct ringlock_work *work)
{
	uint64_t now_ns = clock_boot_ns();

	if (now_ns >= kill_time(work)) {
		kill_all(work, now_ns);
	} else if (now_ns >= term_time(work)) {
		work->has_termed = true;
		signal_all(work, SIGTERM);
		signal_all(work, SIGCONT);
	}
}

/* Takes in who ended; true: nobody is left. */
static bool
is_deserted(struct ringlock_work *work)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0 || (pid < 0 && errno == EINTR));
	return pid < 0 && !tree_strangers_are_left(&work->strangers);
}

/* The guard is dead: what it kept is ours, and has to end. */
static void
end_alone(struct ringlock_work *work)
{
	if (!work->has_killed)
		work->is_guard_lost = true;
	kill_all(work, clock_boot_ns());
	if (!is_deserted(work))
		return;
	work->state = RINGLOCK_WORK_EMPTY;
}

/* ---- together ---------------------------------------------------------- */

void
ringlock_work_turn(struct ringlock_work *work)
{
	enum tree_state state;

	if (work->state == RINGLOCK_WORK_NONE ||
	    work->state == RINGLOCK_WORK_EMPTY)
		return;
	state = tree_turn(&work->tree);
	if (state >= TREE_ENDED && !work->tree.is_lost)
		work->state = RINGLOCK_WORK_ENDED;
	if (work->tree.is_lost) {
		end_alone(work);
	} else if (state == TREE_EMPTY) {
		work->state = RINGLOCK_WORK_EMPTY;
	} else {
		look_at_time(work);
	}
}

uint64_t
ringlock_work_deadline_ns(const struct ringlock_work *work)
{
	if (work->state == RINGLOCK_WORK_NONE ||
	    work->state == RINGLOCK_WORK_EMPTY)
		return UINT64_MAX;
	if (work->tree.is_lost)
		return work->round_ns;
	return num_min(
	    term_time(work), num_max(kill_time(work), work->round_ns));
}

int
ringlock_work_fd(const struct ringlock_work *work)
{
	bool has_guard = work->state == RINGLOCK_WORK_RUNS ||
	    work->state == RINGLOCK_WORK_ENDED;

	return has_guard && !work->tree.is_lost ? work->tree.fd : -1;
}
