/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting and holding: one loop over events, answers, a command and time.
 *
 * Events tell of changes at once; answers to a question that is asked again
 * and again tell that the daemon is alive and how old its knowledge is.  An
 * answer counts from when its question was sent, on a clock that also runs
 * while the machine sleeps: whoever was stopped, the daemon or we, nobody
 * goes on by what was true before.
 *
 * Every change is judged, not only the last of those that came together, so
 * a condition that was false for a moment was false.
 */
#include <sys/signalfd.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"
#include "libcommon/os/tree.h"

#include "bin/check-quorum/checkq.h"

#define FRESH_DEFAULT_NS (2 * CLOCK_S_NS)
#define ASK_MIN_NS       (50 * CLOCK_MS_NS)
#define ASK_MAX_NS       (1 * CLOCK_S_NS)
#define RETRY_NS         (200 * CLOCK_MS_NS)

enum { WATCH_ID = 1 };

enum step {
	STEP_ON,
	STEP_END, /* the exit code is in code */
};

/* All times by clock_boot_ns. */
struct stand {
	const struct checkq_options *options;
	struct known known;
	struct ask *ask; /* NULL: the daemon is away */
	struct tree tree;
	int signal_fd;
	int signo;          /* that came, 0: none */
	uint64_t now_ns;    /* of this turn */
	uint64_t fresh_ns;  /* how old an answer may be */
	uint64_t until_ns;  /* the last answer is fresh so long */
	uint64_t asked_ns;  /* the question is out since; 0: none is */
	uint64_t ask_ns;    /* when to ask again, or to connect */
	uint64_t answer_ns; /* when silence is an end */
	uint64_t end_ns;    /* -t */
	uint64_t true_ns;   /* the condition holds since; 0: it does not */
	bool has_answer;
	bool is_counting; /* known_arm was called */
	bool is_armed;
	bool is_met;  /* wait: only the command is waited for */
	bool is_held; /* hold: READY was said */
	bool has_tree;
	int code;
};

static uint64_t
later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

static enum step
end(struct stand *s, int code)
{
	s->code = code;
	return STEP_END;
}

static enum known_answer
judge(const struct stand *s)
{
	return cond_judge(s->options->conds, s->options->cond_count, &s->known);
}

static const char *
missing_text(const struct stand *s)
{
	const struct cond *missing =
	    cond_missing(s->options->conds, s->options->cond_count, &s->known);

	return missing != NULL ? missing->text : "not for so long";
}

/* ---- the command ------------------------------------------------------- */

static enum step
start_command(struct stand *s)
{
	struct tree_command command = {
		.argv = s->options->command,
		.std = { -1, -1, -1 },
		.grace_ns = s->options->kill_after_ns,
	};
	int rc;

	if (command.argv == NULL || s->has_tree)
		return STEP_ON;
	rc = tree_start(&s->tree, &command);
	if (rc != 0) {
		tool_warn("%s: %s", command.argv[0], strerror(-rc));
		return end(s, EXITCODE_WRAPPER);
	}
	s->has_tree = true;
	return STEP_ON;
}

/* Ends what is left of the command: false when something cannot be ended. */
static bool
stop_command(struct stand *s)
{
	uint64_t kill_ns = s->options->kill_after_ns;
	enum tree_state state;

	if (!s->has_tree)
		return true;
	tree_stop(&s->tree, kill_ns);
	state = tree_wait(&s->tree, TREE_EMPTY,
	    later(later(clock_now_ns(), kill_ns), 5 * CLOCK_S_NS));
	if (state != TREE_EMPTY)
		tool_warn("%s: cannot be ended", s->options->command[0]);
	tree_close(&s->tree);
	s->has_tree = false;
	return state == TREE_EMPTY;
}

static bool
is_command_over(const struct stand *s)
{
	return s->has_tree && s->tree.is_ended;
}

/* What the end of the command means. */
static enum step
look_at_command(struct stand *s)
{
	int code;

	if (!s->has_tree || tree_turn(&s->tree) == TREE_RUNNING)
		return STEP_ON;
	code = tree_code(&s->tree);
	if (s->tree.error != 0)
		tool_warn(
		    "%s: %s", s->options->command[0], strerror(s->tree.error));
	if (s->options->is_hold)
		return end(s, code);
	if (s->options->ignores_child)
		return STEP_ON;
	if (code != 0) {
		tool_warn("%s: ended with %d", s->options->command[0], code);
		return end(s, EXITCODE_WRAPPER);
	}
	return s->is_met ? end(s, EXITCODE_OK) : STEP_ON;
}

/* ---- the condition ----------------------------------------------------- */

static enum step
meet(struct stand *s)
{
	const struct checkq_options *o = s->options;

	if (o->is_hold) {
		s->is_held = true;
		tool_say("%s: holds", o->conds[0].text);
		daemon_notify("READY=1\n");
		return start_command(s);
	}
	s->is_met = true;
	if (!s->has_tree || o->ignores_child || is_command_over(s))
		return end(s, EXITCODE_OK);
	return STEP_ON;
}

/* It does not hold any more. */
static enum step
lose(struct stand *s, enum known_answer answer)
{
	bool is_known = answer == KNOWN_NO;

	tool_warn("%s: %s", missing_text(s),
	    is_known ? "no longer holds" : "unknown");
	daemon_notify("STOPPING=1\n");
	if (s->has_tree)
		return end(s, EXITCODE_LOST);
	return end(s, is_known ? EXITCODE_FALSE : EXITCODE_UNAVAILABLE);
}

/* To be called after every change of what is known, and as time passes. */
static enum step
look_at_condition(struct stand *s)
{
	const struct checkq_options *o = s->options;
	enum known_answer answer;

	if (!s->is_armed || s->is_met)
		return STEP_ON;
	answer = judge(s);
	if (answer != KNOWN_YES) {
		s->true_ns = 0;
		if (s->is_held)
			return lose(s, answer);
		/* Nobody wants to wait: then it is a check. */
		if (o->timeout_ns == 0)
			return end(s,
			    answer == KNOWN_NO ? EXITCODE_FALSE
					       : EXITCODE_UNAVAILABLE);
		return STEP_ON;
	}
	if (s->true_ns == 0)
		s->true_ns = s->now_ns;
	if (!s->is_held && s->now_ns - s->true_ns >= o->for_ns)
		return meet(s);
	if (!s->is_held && o->timeout_ns == 0)
		return end(s, EXITCODE_FALSE); /* not for so long */
	return STEP_ON;
}

/* ---- the daemon -------------------------------------------------------- */

/* Somebody waits for the daemon to come or to go. */
static bool
is_about_daemon(const struct stand *s)
{
	for (size_t i = 0; i < s->options->cond_count; i++)
		if (s->options->conds[i].kind == COND_DAEMON)
			return true;
	return false;
}

/* From here on the condition is judged. */
static enum step
arm(struct stand *s)
{
	if (s->is_armed)
		return STEP_ON;
	s->is_armed = true;
	tool_say("armed");
	return s->options->is_hold ? STEP_ON : start_command(s);
}

/* The first time that everything is known. */
static enum step
count_from_here(struct stand *s)
{
	const struct cond *stranger;

	if (s->is_counting || !s->has_answer || !s->known.has_nodes)
		return STEP_ON;
	stranger = checkq_stranger(s->options, &s->known);
	if (stranger != NULL) {
		tool_warn("%s: no such node", stranger->node);
		return end(s, EXITCODE_DATA);
	}
	known_arm(&s->known);
	s->is_counting = true;
	return arm(s);
}

static void
hang_up(struct stand *s)
{
	ask_close(s->ask);
	s->ask = NULL;
	s->asked_ns = 0;
	s->ask_ns = later(s->now_ns, RETRY_NS);
	known_lose(&s->known);
	s->known.has_nodes = false;
}

static enum step
be_away(struct stand *s, int rc)
{
	hang_up(s);
	/* All there is to know is known. */
	if (is_about_daemon(s))
		return arm(s) == STEP_ON ? look_at_condition(s) : STEP_END;
	if (s->is_held)
		return lose(s, KNOWN_UNKNOWN);
	tool_warn("%s", ask_explain_rc(s->options->rundir, "quorum", rc));
	return end(s, (int)ask_exitcode(rc));
}

static enum step
put_question(struct stand *s, const char *before)
{
	int rc = ask_putf(s->ask, "%s#q quorum\n", before);

	s->asked_ns = s->now_ns;
	s->ask_ns = later(
	    s->now_ns, num_clamp(s->fresh_ns / 8, ASK_MIN_NS, ASK_MAX_NS));
	s->answer_ns = later(
	    s->now_ns, num_sub(checkq_deadline_ns(s->options), clock_now_ns()));
	return rc == 0 ? STEP_ON : be_away(s, rc);
}

static enum step
connect_once(struct stand *s)
{
	int rc = ask_open(&s->ask, s->options->rundir, "quorum",
	    checkq_deadline_ns(s->options));

	s->now_ns = clock_boot_ns();
	if (rc != 0)
		return be_away(s, rc);
	return put_question(s, "#w watch id=1 snapshot=yes\n");
}

static enum step
on_answer(struct stand *s, struct ask_line *line)
{
	uint64_t age_ns, told_ns = s->asked_ns;

	if (!known_take_answer(&s->known, line->word))
		return be_away(s, ASK_E_PROTOCOL);
	age_ns = num_min(s->known.age_ms, UINT32_MAX) * CLOCK_MS_NS;
	s->until_ns = num_sub(later(told_ns, s->fresh_ns), age_ns);
	s->asked_ns = 0;
	s->has_answer = true;
	return STEP_ON;
}

static enum step
on_refusal(struct stand *s, const struct ask_line *line)
{
	int code = (int)ask_line_exitcode(line);

	/* It is there, and what it learns from is not: that may come yet. */
	if (!s->is_held && strcmp(ask_value(line, "code"), "away") == 0) {
		hang_up(s);
		return STEP_ON;
	}
	tool_warn("quorumd: %s", ask_value(line, "msg"));
	if (s->has_tree && s->options->is_hold)
		return end(s, EXITCODE_LOST);
	return end(s, code == EXITCODE_FALSE ? EXITCODE_UNAVAILABLE : code);
}

/* Answers STEP_ON with *is_news when what is known has changed. */
static enum step
take_line(struct stand *s, struct ask_line *line, bool *is_news)
{
	*is_news = false;
	switch (line->kind) {
	case ASK_EV:
		*is_news = line->id == WATCH_ID &&
		    known_take_event(&s->known, line->event, line->word);
		/* A verdict that came alone is worth a question. */
		if (*is_news && !s->known.is_current)
			s->ask_ns = s->now_ns;
		return STEP_ON;
	case ASK_OK:
		if (line->tag == NULL || strcmp(line->tag, "q") != 0)
			return STEP_ON;
		*is_news = true;
		return on_answer(s, line);
	case ASK_NO:
	case ASK_ERR:
		return on_refusal(s, line);
	case ASK_ITEM:
		break;
	}
	return STEP_ON;
}

/* What is out of date is not known, however it came to be so. */
static void
look_at_age(struct stand *s)
{
	if (s->known.is_current && s->now_ns > s->until_ns)
		known_lose(&s->known);
}

/* Takes in all that is here. */
static enum step
drain(struct stand *s)
{
	while (s->ask != NULL) {
		struct ask_line line;
		enum step step;
		bool is_news;
		int rc = ask_next(s->ask, &line, 0);

		if (rc == -ETIMEDOUT)
			break;
		if (rc != 0)
			return be_away(s, rc);
		step = take_line(s, &line, &is_news);
		if (step == STEP_ON && is_news) {
			s->now_ns = clock_boot_ns();
			look_at_age(s);
			step = count_from_here(s);
		}
		if (step == STEP_ON && is_news)
			step = look_at_condition(s);
		if (step != STEP_ON)
			return step;
	}
	return STEP_ON;
}

static enum step
look_at_daemon(struct stand *s)
{
	if (s->ask == NULL)
		return s->now_ns >= s->ask_ns ? connect_once(s) : STEP_ON;
	if (s->asked_ns == 0)
		return s->now_ns >= s->ask_ns ? put_question(s, "") : STEP_ON;
	return s->now_ns >= s->answer_ns ? be_away(s, -ETIMEDOUT) : STEP_ON;
}

/* ---- time -------------------------------------------------------------- */

static enum step
look_at_time(struct stand *s)
{
	if (s->is_held || s->now_ns < s->end_ns)
		return STEP_ON;
	tool_warn("%s: timed out",
	    s->is_met ? s->options->command[0] : missing_text(s));
	return end(s, EXITCODE_TIMEOUT);
}

/* When something is due by itself. */
static uint64_t
due_ns(const struct stand *s)
{
	uint64_t due = s->asked_ns != 0 ? s->answer_ns : s->ask_ns;

	if (s->known.is_current)
		due = num_min(due, later(s->until_ns, 1));
	if (s->is_held || s->is_met)
		return s->is_held ? due : num_min(due, s->end_ns);
	if (s->true_ns != 0)
		due = num_min(due, later(s->true_ns, s->options->for_ns));
	return num_min(due, s->end_ns);
}

static int
wait_ms(const struct stand *s)
{
	uint64_t left_ns = num_sub(due_ns(s), clock_boot_ns());

	left_ns = num_min(left_ns, 10 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

static enum step
wait_some(struct stand *s)
{
	struct pollfd fds[3] = {
		{ s->ask != NULL ? ask_fd(s->ask) : -1, POLLIN, 0 },
		{ s->has_tree && !s->tree.is_empty ? s->tree.fd : -1, POLLIN,
		    0 },
		{ s->signal_fd, POLLIN, 0 },
	};
	struct signalfd_siginfo info;

	/* What was put goes out before the wait. */
	if (s->ask != NULL && ask_unsent(s->ask) > 0 &&
	    ask_flush(s->ask, 0) == -ETIMEDOUT)
		fds[0].events |= POLLOUT;
	if (poll(fds, 3, wait_ms(s)) < 0 && errno != EINTR)
		return end(s, EXITCODE_OS);
	if (s->signal_fd < 0 ||
	    read(s->signal_fd, &info, sizeof info) != sizeof info)
		return STEP_ON;
	s->signo = (int)info.ssi_signo;
	return end(s, 128 + s->signo);
}

static enum step
turn(struct stand *s)
{
	static enum step (*const looks[])(struct stand *) = {
		drain,
		look_at_command,
		look_at_daemon,
		look_at_condition,
		look_at_time,
	};

	s->now_ns = clock_boot_ns();
	for (size_t i = 0; i < ARRAY_COUNT(looks); i++) {
		enum step step = looks[i](s);

		if (step != STEP_ON)
			return step;
		look_at_age(s);
	}
	return wait_some(s);
}

/* ---- beginning and end ------------------------------------------------- */

/* With a command, a signal ends that first. */
static int
catch_signals(sigset_t *set)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		sigaddset(set, signals[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Dies of the signal, as if it had not been caught. */
static void
die_of(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
finish(struct stand *s)
{
	/* Daemons that it was to start, for one. */
	bool goes_on = s->code == EXITCODE_OK && !s->options->is_hold;

	if (s->has_tree && goes_on) {
		tree_release(&s->tree);
		tree_close(&s->tree);
		s->has_tree = false;
	}
	stop_command(s);
	ask_close(s->ask);
	if (s->signo != 0)
		die_of(s->signo);
}

int
checkq_stand(const struct checkq_options *options)
{
	static struct stand s;
	enum step step = STEP_ON;
	sigset_t set;

	s.options = options;
	known_init(&s.known);
	s.signal_fd = options->command != NULL ? catch_signals(&set) : -1;
	s.now_ns = clock_boot_ns();
	s.fresh_ns = options->fresh_ns != UINT64_MAX ? options->fresh_ns
						     : FRESH_DEFAULT_NS;
	/* 0 is a check, which takes as long as an answer does. */
	s.end_ns = options->timeout_ns == 0
	    ? UINT64_MAX
	    : later(s.now_ns, options->timeout_ns);
	while (step == STEP_ON)
		step = turn(&s);
	finish(&s);
	return s.code;
}
