/* SPDX-License-Identifier: BSD-3-Clause */
/* ringlock: run a command under a lock of the whole cluster. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringlock/ringlock.h"

#define TTL_DEFAULT_NS   (15 * CLOCK_S_NS)
#define GRACE_DEFAULT_NS (10 * CLOCK_S_NS)
#define TTL_MIN_NS       (2 * CLOCK_S_NS)
#define TTL_MAX_NS       (24 * 3600 * CLOCK_S_NS)

static struct {
	bool is_list, is_holder;
	const char *rundir;
	const char *value;
	uint64_t grace_ns; /* UINT64_MAX: not given */
	uint64_t pid;
} given = { .grace_ns = UINT64_MAX };

static struct ringlock_options options = {
	.lock = { .slots = 1, .ttl_ns = TTL_DEFAULT_NS, .wait_ns = UINT64_MAX },
	.watchdog = "/dev/watchdog",
};

static bool
set_pid(const char *arg)
{
	return parse_u64(arg, strlen(arg), 1, INT_MAX, &given.pid) == 0;
}

static bool
set_kill_on_loss(const char *arg)
{
	int yes;

	if (parse_yes_no(arg, strlen(arg), &yes) != 0)
		return false;
	options.lock.ignores_loss = yes == 0;
	return true;
}

static bool
set_on_stuck(const char *arg)
{
	static const char *const names[] = {
		[RINGLOCK_STUCK_NONE] = "none",
		[RINGLOCK_STUCK_WATCHDOG] = "watchdog",
		[RINGLOCK_STUCK_REBOOT] = "reboot",
	};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(arg, names[i]) == 0) {
			options.on_stuck = (enum ringlock_stuck)i;
			return true;
		}
	return false;
}

static const struct opt opts[] = {
	{ '\0', "try", OPT_FLAG, &options.lock.is_try, NULL, NULL,
	    "end with 1 when it is not free" },
	{ 'w', "wait", OPT_DURATION, &options.lock.wait_ns, NULL, "DUR",
	    "wait at most so long, then end with 124" },
	{ '\0', "slots", OPT_COUNT, &options.lock.slots, NULL, "N",
	    "so many may hold it at once (default: 1)" },
	{ '\0', "prio", OPT_COUNT, &options.lock.prio, NULL, "N",
	    "come before those with a lower one (default: 0)" },
	{ '\0', "value", OPT_STRING, &given.value, NULL, "S",
	    "what others are told of the holder" },
	{ '\0', "ttl", OPT_DURATION, &options.lock.ttl_ns, NULL, "DUR",
	    "so long it is ours without the store (default: 15s)" },
	{ '\0', "grace", OPT_DURATION, &given.grace_ns, NULL, "DUR",
	    "from TERM to the end of that (default: 10s)" },
	{ '\0', "kill-on-loss", OPT_CALL, NULL, set_kill_on_loss, "yes|no",
	    "end CMD when the lock is lost (default: yes)" },
	{ '\0', "on-stuck", OPT_CALL, NULL, set_on_stuck,
	    "none|watchdog|reboot", "what to do when CMD cannot be ended" },
	{ '\0', "watchdog", OPT_STRING, &options.watchdog, NULL, "DEVICE",
	    "of --on-stuck=watchdog (default: /dev/watchdog)" },
	{ '\0', "contain", OPT_FLAG, &options.is_contained, NULL, NULL,
	    "as root: CMD in a PID namespace that dies with us" },
	{ '\0', "for-pid", OPT_CALL, NULL, set_pid, "PID",
	    "hold it for this process, from behind" },
	{ '\0', "holder", OPT_FLAG, &given.is_holder, NULL, NULL,
	    "print who holds it; 1: nobody" },
	{ '\0', "list", OPT_FLAG, &given.is_list, NULL, NULL,
	    "print all locks, who holds them and who waits" },
	{ 'j', "json", OPT_FLAG, &options.is_json, NULL, NULL,
	    "print JSON objects" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where cfg.sock is" },
};

static const struct opt_program program = {
	.name = "ringlock",
	.operands = "NAME [[--] CMD [ARG…]]",
	.summary = "Run a command under a lock of the whole cluster.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* ---- what does not fit together; 0 or OPT_E_USAGE ---------------------- */

static int
check_times(void)
{
	struct lock_config *lock = &options.lock;

	if (lock->ttl_ns < TTL_MIN_NS || lock->ttl_ns > TTL_MAX_NS)
		return opt_usage(&program, "--ttl: expected 2s to 24h");
	lock->grace_ns = given.grace_ns;
	if (given.grace_ns == UINT64_MAX)
		lock->grace_ns =
		    num_min(GRACE_DEFAULT_NS, lock->ttl_ns / 3 * 2);
	if (lock->grace_ns < LOCK_MARGIN_NS ||
	    lock->grace_ns > lock->ttl_ns - lock->ttl_ns / 10)
		return opt_usage(
		    &program, "--grace: expected 1s to nine tenths of --ttl");
	return 0;
}

static int
check_numbers(void)
{
	struct lock_config *lock = &options.lock;

	if (lock->slots < 1 || lock->slots > LOCK_SLOTS_MAX)
		return opt_usage(
		    &program, "--slots: expected 1 to %d", LOCK_SLOTS_MAX);
	if (lock->prio > LOCK_PRIO_MAX)
		return opt_usage(
		    &program, "--prio: expected 0 to %d", LOCK_PRIO_MAX);
	if (given.value != NULL && strlen(given.value) > LOCK_VALUE_BYTES_MAX)
		return opt_usage(&program, "--value: at most %d bytes",
		    LOCK_VALUE_BYTES_MAX);
	return 0;
}

static int
check_modes(void)
{
	bool has_command = options.command != NULL;

	if (given.is_list + given.is_holder + (given.pid != 0) > 1)
		return opt_usage(
		    &program, "only one of --list, --holder and --for-pid");
	if (has_command && (given.is_list || given.is_holder || given.pid != 0))
		return opt_usage(&program, "no command is run here");
	if (!has_command && options.is_contained)
		return opt_usage(&program, "--contain needs a command");
	if (options.lock.is_try && options.lock.wait_ns != UINT64_MAX)
		return opt_usage(&program, "only one of --try and --wait");
	if (!has_command && given.pid == 0 &&
	    (options.on_stuck != RINGLOCK_STUCK_NONE ||
		options.lock.ignores_loss))
		return opt_usage(
		    &program, "--on-stuck and --kill-on-loss need a command");
	/* It would end with the lease what is to go on without. */
	if (options.lock.ignores_loss &&
	    options.on_stuck == RINGLOCK_STUCK_WATCHDOG)
		return opt_usage(&program,
		    "only one of --kill-on-loss=no and --on-stuck=watchdog");
	return 0;
}

/* NAME, and what follows it. */
static int
read_operands(char **operand)
{
	const char *wrong;
	char **command = operand[0] != NULL ? operand + 1 : operand;
	bool is_marked = *command != NULL && strcmp(*command, "--") == 0;

	if (given.is_list)
		return operand[0] == NULL
		    ? 0
		    : opt_usage(&program, "--list takes no operand");
	if (operand[0] == NULL)
		return opt_usage(&program, "a name is missing");
	options.lock.name = operand[0];
	wrong = lock_name_is_wrong(operand[0]);
	if (wrong != NULL)
		return opt_usage(&program, "%s", wrong);
	if (is_marked && command[1] == NULL)
		return opt_usage(&program, "a command must follow --");
	if (!is_marked && *command != NULL && **command == '-')
		return opt_usage(
		    &program, "%s: options come before NAME", *command);
	if (*command != NULL)
		options.command = command + is_marked;
	return 0;
}

/* A daemon that is silent for so long is away. */
static uint64_t
answer_ns(void)
{
	uint64_t deadline_ns = ask_deadline_ns();

	return deadline_ns == UINT64_MAX ? TTL_MAX_NS
					 : num_sub(deadline_ns, clock_now_ns());
}

int
main(int argc, char **argv)
{
	int first, rc;

	tool_start(program.name);
	rc = opt_parse(&program, argc, argv, &first);
	if (rc == 0)
		rc = read_operands(argv + first);
	if (rc == 0)
		rc = check_times();
	if (rc == 0)
		rc = check_numbers();
	if (rc == 0)
		rc = check_modes();
	if (rc != 0)
		return tool_opt_exit(rc);
	options.rundir = opt_rundir(given.rundir);
	if (given.is_list || given.is_holder)
		return ringlock_list(
		    options.rundir, options.lock.name, options.is_json);
	options.pid = (pid_t)given.pid;
	options.lock.value = given.value;
	options.lock.value_len = given.value != NULL ? strlen(given.value) : 0;
	options.lock.answer_ns = answer_ns();
	options.lock.has_work = options.command != NULL || options.pid > 0;
	return options.pid > 0 ? ringlock_hold_behind(&options)
			       : ringlock_hold(&options, -1);
}
