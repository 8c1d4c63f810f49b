/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that are here are printed into one buffer; it is written when none is
 * left, so that a message alone goes out at once and a flood in large pieces.
 */
#include "bin/msgcat/msgcat_run.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/msgcat/msgcat_hook.h"

enum { LISTEN_ID = 1, VIEWS_ID = 2 };

#define BACKOFF_MIN_NS (100 * CLOCK_MS_NS)
#define BACKOFF_MAX_NS (5 * CLOCK_S_NS)

enum step {
	STEP_ON,
	STEP_END,  /* the exit code is in code */
	STEP_LOST, /* the connection, by rc */
};

struct listener {
	const struct msgcat_options *options;
	struct msgcat_printer *printer;
	struct ask *ask;
	uint32_t from;      /* 0: any node */
	bool is_subscribed; /* on this connection */
	bool is_ready;      /* it was, once */
	bool is_lossy;      /* something was missed that was not printed */
	uint64_t count;
	uint64_t line_count;   /* since the clock was read */
	uint64_t subscribe_ns; /* to be subscribed by then */
	uint64_t deadline_ns, idle_deadline_ns;
	enum exitcode code;
	int rc;
};

static uint64_t
later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

static enum step
end(struct listener *l, enum exitcode code)
{
	l->code = code;
	return STEP_END;
}

static enum step
lose(struct listener *l, int rc)
{
	l->rc = rc;
	return STEP_LOST;
}

/* An end that is good, unless something is missing. */
static enum step
end_well(struct listener *l)
{
	return end(l, l->is_lossy ? EXITCODE_TRYAGAIN : EXITCODE_OK);
}

/* ---- asking ------------------------------------------------------------ */

/* One of the items of status: is it the node that is sought? */
static void
match_node(struct listener *l, const struct ask_line *line)
{
	const char *node = ask_value(line, "node");

	if (strcmp(ask_value(line, "kind"), "node") == 0 &&
	    strcmp(ask_value(line, "name"), l->options->from) == 0 &&
	    parse_node_id(node, strlen(node), &l->from) != 0)
		l->from = 0;
}

/* --from, which may be a name. */
static enum step
find_from(struct listener *l)
{
	const char *from = l->options->from;
	struct ask_line line;
	int rc;

	if (from == NULL || l->from != 0 ||
	    parse_node_id(from, strlen(from), &l->from) == 0)
		return STEP_ON;
	rc = ask_put(l->ask, "status\n", strlen("status\n"));
	while (rc == 0) {
		rc = ask_next(l->ask, &line, ask_deadline_ns());
		if (rc != 0 || line.kind != ASK_ITEM)
			break;
		match_node(l, &line);
	}
	if (rc != 0)
		return lose(l, rc);
	if (l->from != 0)
		return STEP_ON;
	tool_warn("%s: no such node", from);
	return end(l, EXITCODE_DATA);
}

/*
 * A glob into a request: its own escapes and stars stay, what a line may not
 * hold is escaped, and a comma would end it.
 */
static void
put_glob(struct text *text, const char *glob)
{
	for (; *glob != '\0'; glob++) {
		unsigned char byte = (unsigned char)*glob;

		if (byte > ' ' && byte != 0x7F && byte != ',') {
			text_put_char(text, *glob);
			continue;
		}
		text_put(text, "\\0");
		text_put_char(text, (char)('0' + (byte >> 6)));
		text_put_char(text, (char)('0' + (byte >> 3 & 7)));
		text_put_char(text, (char)('0' + (byte & 7)));
	}
}

/* Asks for both at once; the answers come in between the first events. */
static enum step
subscribe(struct listener *l)
{
	char request[LIMIT_REQUEST_BYTES];
	struct text text;
	int rc;

	text_init(&text, request, sizeof request);
	if (l->options->shows_views)
		text_put(&text, "views id=2\n");
	text_put(&text, "listen id=1");
	for (int i = 0; i < l->options->glob_count; i++) {
		text_put(&text, i == 0 ? " group=" : ",");
		put_glob(&text, l->options->globs[i]);
	}
	if (l->options->shows_members)
		text_put(&text, " members=yes");
	if (l->options->is_lossless)
		text_put(&text, " lossless=yes");
	text_put_char(&text, '\n');
	if (text.is_full) {
		tool_warn("the groups are too long for one request");
		return end(l, EXITCODE_USAGE);
	}
	l->is_subscribed = false;
	l->subscribe_ns = ask_deadline_ns();
	rc = ask_put(l->ask, text.bytes, text.len);
	return rc == 0 ? STEP_ON : lose(l, rc);
}

static enum step
connect_once(struct listener *l)
{
	int rc =
	    ask_open(&l->ask, l->options->rundir, "ring", ask_deadline_ns());
	enum step step;

	if (rc != 0)
		return lose(l, rc);
	step = find_from(l);
	return step == STEP_ON ? subscribe(l) : step;
}

/* ---- events ------------------------------------------------------------ */

static void
print_own(struct listener *l, const char *event, const char *words)
{
	char bytes[64];
	struct word word;
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, event);
	text_put(&text, words);
	if (word_parse(&word, bytes, text.len) != 0 ||
	    !msgcat_print_event(l->printer, event, &word))
		tool_warn("%s", event);
}

/* Something is missing from here on that the output cannot show. */
static void
print_gap(struct listener *l, const struct ask_line *line)
{
	if (msgcat_print_event(l->printer, "gap", line->word))
		return;
	tool_warn("%s messages were lost", ask_value(line, "lost"));
	l->is_lossy = true;
}

static enum step
on_ready(struct listener *l, uint64_t now_ns)
{
	l->is_subscribed = true;
	if (l->is_ready)
		return STEP_ON;
	l->is_ready = true;
	l->deadline_ns = later(now_ns, l->options->timeout_ns);
	l->idle_deadline_ns = later(now_ns, l->options->idle_ns);
	l->printer->out.deadline_ns = l->deadline_ns;
	tool_say("ready");
	if (l->options->ready_fd >= 0) {
		int fd = l->options->ready_fd;

		/* Nobody may be left who wanted to know. */
		(void)!write(fd, "\n", 1);
		fd_close(&fd);
	}
	return l->options->count_max == 0 ? end_well(l) : STEP_ON;
}

static enum step
run_command(struct listener *l, struct ask_line *line)
{
	int code = msgcat_hook_run(
	    l->options->command, line, l->options->hook_timeout_ns);

	if (code == 0)
		return STEP_ON;
	tool_warn("%s: ended with %d", l->options->command[0], code);
	if (l->options->stops_on_error || code == EXITCODE_NOTFOUND ||
	    code == EXITCODE_NOTEXECUTABLE || code == EXITCODE_WRAPPER)
		return end(l, (enum exitcode)code);
	return STEP_ON;
}

static enum step
on_message(struct listener *l, struct ask_line *line)
{
	enum step step = STEP_ON;
	const struct word_pair *node;
	uint32_t id;

	if (l->from != 0) {
		node = word_get(line->word, "node");
		if (node == NULL ||
		    parse_node_id(node->value, node->len, &id) != 0 ||
		    id != l->from)
			return STEP_ON;
	}
	l->idle_deadline_ns = UINT64_MAX; /* until the clock is read */
	if (l->options->command != NULL)
		step = run_command(l, line);
	else
		msgcat_print_message(l->printer, line);
	if (++l->count == l->options->count_max && step == STEP_ON)
		return end_well(l);
	return step;
}

static enum step
on_event(struct listener *l, struct ask_line *line)
{
	bool is_ready = strcmp(line->event, "ready") == 0;

	if (line->id == LISTEN_ID && strcmp(line->event, "msg") == 0 &&
	    line->has_data)
		return on_message(l, line);
	if (strcmp(line->event, "gap") == 0) {
		print_gap(l, line);
		return STEP_ON;
	}
	if (line->id == VIEWS_ID || l->options->shows_members)
		msgcat_print_event(l->printer, line->event, line->word);
	return is_ready && line->id == LISTEN_ID ? on_ready(l, clock_now_ns())
						 : STEP_ON;
}

static enum step
on_refusal(struct listener *l, const struct ask_line *line)
{
	enum exitcode code = ask_line_exitcode(line);

	if (line->kind == ASK_ERR && code == EXITCODE_UNAVAILABLE)
		return lose(l, ASK_E_CLOSED);
	tool_warn("%s", ask_value(line, "msg"));
	return end(l, code);
}

static enum step
take_line(struct listener *l, struct ask_line *line)
{
	switch (line->kind) {
	case ASK_EV:
		return on_event(l, line);
	case ASK_OK:
		return STEP_ON;
	case ASK_NO:
	case ASK_ERR:
		return on_refusal(l, line);
	case ASK_ITEM:
		break;
	}
	return lose(l, ASK_E_PROTOCOL);
}

/* ---- time -------------------------------------------------------------- */

static void
check_output(struct listener *l)
{
	if (l->printer->out.rc != 0)
		tool_fail_output(l->printer->out.rc);
	if (out_is_deserted(&l->printer->out))
		tool_fail_output(-EPIPE);
}

/* Reads the clock; ends what is due. */
static enum step
look_at_clock(struct listener *l)
{
	uint64_t now_ns = clock_now_ns();

	l->line_count = 0;
	msgcat_print_time(l->printer, clock_real_ns());
	check_output(l);
	if (!l->is_ready)
		return STEP_ON;
	if (l->idle_deadline_ns == UINT64_MAX)
		l->idle_deadline_ns = later(now_ns, l->options->idle_ns);
	if (now_ns >= l->deadline_ns)
		return end(l, EXITCODE_TIMEOUT);
	if (now_ns >= l->idle_deadline_ns)
		return end_well(l);
	return STEP_ON;
}

/* For poll: until the next thing that is due by itself. */
static int
wait_ms(const struct listener *l, uint64_t until_ns)
{
	uint64_t at_ns = until_ns, now_ns, left_ns;

	if (l->is_ready)
		at_ns = num_min(
		    at_ns, num_min(l->deadline_ns, l->idle_deadline_ns));
	if (at_ns == UINT64_MAX)
		return -1;
	now_ns = clock_now_ns();
	left_ns = num_min(num_sub(at_ns, now_ns), 60 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

/* Waits for fd (-1: none), for the reader to go, for time to pass. */
static enum step
wait_some(struct listener *l, int fd, uint64_t until_ns)
{
	struct pollfd fds[2] = {
		{ fd, POLLIN, 0 },
		{ l->printer->out.fd, 0, 0 },
	};
	int rc = out_flush(&l->printer->out);
	enum step step;

	if (rc != 0)
		tool_fail_output(rc);
	/* What was printed last reset the idle time. */
	step = look_at_clock(l);
	if (step != STEP_ON)
		return step;
	if (poll(fds, 2, wait_ms(l, until_ns)) < 0 && errno != EINTR)
		return lose(l, -errno);
	return look_at_clock(l);
}

/* ---- all of it --------------------------------------------------------- */

static enum step
turn(struct listener *l)
{
	enum { LINES_PER_LOOK = 64 };
	struct ask_line line;
	uint64_t until_ns = l->is_subscribed ? UINT64_MAX : l->subscribe_ns;
	int rc = ask_next(l->ask, &line, 0);
	enum step step;

	if (rc == -ETIMEDOUT) {
		if (!l->is_subscribed && clock_now_ns() >= until_ns)
			return lose(l, -ETIMEDOUT);
		return wait_some(l, ask_fd(l->ask), until_ns);
	}
	if (rc != 0)
		return lose(l, rc);
	step = take_line(l, &line);
	if (step == STEP_ON && ++l->line_count >= LINES_PER_LOOK)
		return look_at_clock(l);
	return step;
}

static bool
is_final(int rc)
{
	return rc == ASK_E_PROTOCOL || rc == -EACCES || rc == -EPERM;
}

static enum step
give_up(struct listener *l)
{
	tool_warn("%s", ask_explain_rc(l->options->rundir, "ring", l->rc));
	return end(l, ask_exitcode(l->rc));
}

/* The connection is lost: down, and up once there is another. */
static enum step
reconnect(struct listener *l)
{
	uint64_t backoff_ns = BACKOFF_MIN_NS;
	enum step step = STEP_LOST;

	if (!l->is_ready || l->options->stays_away || is_final(l->rc))
		return give_up(l);
	l->is_lossy = l->is_lossy || l->printer->format == MSGCAT_PAYLOAD ||
	    l->printer->format == MSGCAT_CUSTOM;
	print_own(l, "down", " reason=daemon-exit");
	while (step == STEP_LOST) {
		uint64_t until_ns = later(clock_now_ns(), backoff_ns);

		if (is_final(l->rc))
			return give_up(l);
		while (clock_now_ns() < until_ns) {
			step = wait_some(l, -1, until_ns);
			if (step != STEP_ON)
				return step;
		}
		ask_close(l->ask);
		l->ask = NULL;
		step = connect_once(l);
		backoff_ns = num_min(2 * backoff_ns, BACKOFF_MAX_NS);
	}
	if (step == STEP_ON)
		print_own(l, "up", "");
	return step;
}

enum exitcode
msgcat_run(const struct msgcat_options *options, struct msgcat_printer *printer)
{
	struct listener l = {
		.options = options,
		.printer = printer,
		.deadline_ns = UINT64_MAX,
		.idle_deadline_ns = UINT64_MAX,
	};
	enum step step;
	int rc;

	msgcat_print_time(printer, clock_real_ns());
	step = connect_once(&l);
	while (step != STEP_END)
		step = step == STEP_LOST ? reconnect(&l) : turn(&l);
	rc = out_flush(&printer->out);
	ask_close(l.ask);
	if (rc != 0)
		tool_fail_output(rc);
	out_close(&printer->out);
	return l.code;
}
