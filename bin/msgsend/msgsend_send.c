/* SPDX-License-Identifier: BSD-3-Clause */
/* One loop: take in answers, put as many messages as the window allows, push
 * them into the socket, wait.  Nothing here waits for the daemon but that
 * loop, so a daemon that is stopped is noticed.
 */
#include "bin/msgsend/msgsend_send.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/out.h"
#include "libcommon/os/tool.h"

#include "bin/msgsend/msgsend_input.h"
#include "bin/msgsend/msgsend_quorum.h"
#include "bin/msgsend/msgsend_window.h"

enum {
	HEAD_BYTES = 1024, /* of "pub group=G confirm=C id=CLIENT." */
	LINE_BYTES = 1200, /* the same with what differs from one to another */
	/* What ask takes without waiting, when it had nothing unsent. */
	PUT_BYTES = 64000,
};

#define RATE_BURST_NS  (10 * CLOCK_MS_NS)
#define BACKOFF_MIN_NS (100 * CLOCK_MS_NS)
#define BACKOFF_MAX_NS (2 * CLOCK_S_NS)

struct sender {
	const struct msgsend_options *options;
	struct msgsend_input *input;
	struct msgsend_window window;
	struct ask *ask;
	struct out tee;
	char head[HEAD_BYTES];
	size_t head_len;
	char view[MSGSEND_VIEW_BYTES]; /* all are sent under it; "": any */
	/* The rest of the message that is being put. */
	const char *part;
	size_t part_len;
	bool is_putting;
	size_t budget; /* what may be put until the next flush */
	int lost;      /* of putting */
	bool is_end;   /* of the input, or of wanting any of it */
	bool needs_in; /* the input has to be read */
	enum exitcode code;
	uint64_t refused;     /* of those on their way: their view is over */
	uint64_t next_ns;     /* not before, by --rate */
	uint64_t patience_ns; /* for one answer, before it is asked after */
	uint64_t heard_ns, probed_ns;
	uint64_t retry_until_ns, backoff_ns; /* 0: the last try succeeded */
};

/* The first failure counts; what is on its way is still waited for. */
static void
fail(struct sender *s, enum exitcode code)
{
	if (s->code == EXITCODE_OK)
		s->code = code;
	s->is_end = true;
}

static uint64_t
later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

static bool
is_idle(const struct sender *s)
{
	return s->window.answered == s->window.taken && !s->is_putting;
}

/* ---- connecting -------------------------------------------------------- */

static int
connect_once(struct sender *s, uint64_t deadline_ns)
{
	const char *max;
	uint64_t bytes;
	int rc = ask_open(&s->ask, s->options->rundir, "ring", deadline_ns);

	if (rc != 0)
		return rc;
	max = ask_greeting(s->ask, "max_data");
	if (max == NULL || parse_u64(max, strlen(max), 1, SIZE_MAX, &bytes))
		return ASK_E_PROTOCOL;
	s->input->max = bytes;
	s->heard_ns = s->probed_ns = clock_now_ns();
	return 0;
}

/* Trying again could help. */
static bool
is_passing(const struct sender *s, int rc)
{
	return s->options->is_retrying && rc != ASK_E_PROTOCOL &&
	    rc != -EACCES && rc != -EPERM && rc != -ENAMETOOLONG;
}

static void
report_loss(const struct sender *s, int rc)
{
	uint64_t lost = s->window.taken - s->window.answered;

	if (lost > 0)
		tool_warn("%s: %llu messages were not confirmed",
		    ask_explain_rc(s->options->rundir, "ring", rc),
		    (unsigned long long)lost);
	else
		tool_warn("%s", ask_explain_rc(s->options->rundir, "ring", rc));
}

/* A connection, at last; else false, and code is set. */
static bool
connect_again(struct sender *s, int rc)
{
	uint64_t now_ns = clock_now_ns();

	if (s->backoff_ns == 0) {
		s->retry_until_ns = later(now_ns, s->options->retry_ns);
		s->backoff_ns = BACKOFF_MIN_NS;
	}
	while (is_passing(s, rc) && now_ns < s->retry_until_ns) {
		uint64_t pause_ns =
		    num_min(s->backoff_ns, s->retry_until_ns - now_ns);

		tool_say("%s: trying again", ask_strerror(rc));
		poll(NULL, 0, (int)(pause_ns / CLOCK_MS_NS) + 1);
		s->backoff_ns = num_min(2 * s->backoff_ns, BACKOFF_MAX_NS);
		now_ns = clock_now_ns();
		rc = connect_once(s,
		    num_min(later(now_ns, BACKOFF_MAX_NS), s->retry_until_ns));
		if (rc == 0)
			return true;
	}
	report_loss(s, rc);
	fail(s, ask_exitcode(rc));
	return false;
}

/* The connection is useless: all that is not answered goes out again. */
static bool
recover(struct sender *s, int rc)
{
	ask_close(s->ask);
	s->ask = NULL;
	s->is_putting = false;
	s->lost = 0;
	s->window.put = s->window.answered;
	s->refused = 0;
	if (s->code != EXITCODE_OK) {
		report_loss(s, rc);
		return false;
	}
	return connect_again(s, rc);
}

/* ---- answers ----------------------------------------------------------- */

static void
confirm(struct sender *s)
{
	struct msgsend_message message;

	if (s->options->tee_fd >= 0) {
		msgsend_window_oldest(&s->window, &message);
		out_put(&s->tee, message.raw, message.raw_len);
		out_end(&s->tee);
	}
	msgsend_window_drop(&s->window);
	s->backoff_ns = 0;
}

static void
refuse(struct sender *s, const struct ask_line *line)
{
	const char *why = ask_value(line, "msg");

	if (*why == '\0')
		why = ask_value(line, "code");
	tool_warn("message %llu: %s",
	    (unsigned long long)s->window.answered + 1, why);
	fail(s,
	    line->kind == ASK_NO ? EXITCODE_TRYAGAIN : ask_line_exitcode(line));
	msgsend_window_drop(&s->window);
}

/* A line though nothing was asked: why the daemon ends the connection. */
static int
take_farewell(struct sender *s, const struct ask_line *line)
{
	if (line->kind != ASK_ERR)
		return ASK_E_PROTOCOL;
	tool_warn("%s", ask_value(line, "msg"));
	if (!s->options->is_retrying)
		fail(s, ask_line_exitcode(line));
	return ASK_E_CLOSED;
}

/* 0, or that the connection is of no use any more. */
static int
take_answer(struct sender *s, const struct ask_line *line)
{
	s->heard_ns = clock_now_ns();
	if (s->window.put - s->window.answered <= s->refused)
		return take_farewell(s, line);
	if (line->kind == ASK_OK && s->refused == 0) {
		confirm(s);
		return 0;
	}
	if (line->kind == ASK_NO && s->view[0] != '\0' &&
	    strcmp(ask_value(line, "code"), "view") == 0) {
		s->refused++;
		return 0;
	}
	if (line->kind != ASK_ERR && line->kind != ASK_NO)
		return ASK_E_PROTOCOL;
	if (is_passing(s, 0) && line->kind == ASK_ERR &&
	    (ask_line_exitcode(line) == EXITCODE_TRYAGAIN ||
		ask_line_exitcode(line) == EXITCODE_UNAVAILABLE))
		return ASK_E_BUSY;
	refuse(s, line);
	return 0;
}

/* What has come in: 0, or that the connection is of no use any more. */
static int
take_answers(struct sender *s)
{
	struct ask_line line;
	int rc;

	do {
		rc = ask_next(s->ask, &line, 0);
		if (rc == 0)
			rc = take_answer(s, &line);
	} while (rc == 0 && ask_has_line(s->ask));
	if (rc != 0 && rc != -ETIMEDOUT)
		return rc;
	if (s->options->tee_fd >= 0 && (rc = out_flush(&s->tee)) != 0)
		tool_fail_output(rc);
	return 0;
}

/* All that were sent under a view that is over: they go out under the next. */
static void
renew_view(struct sender *s)
{
	enum exitcode code;

	if (s->refused == 0 || s->refused < s->window.put - s->window.answered)
		return;
	s->refused = 0;
	s->window.put = s->window.answered;
	code = msgsend_quorum_view(s->options->rundir, s->view);
	if (code != EXITCODE_OK)
		fail(s, code);
}

/* ---- putting ----------------------------------------------------------- */

/* The next message of the input is in the window; false: not now. */
static bool
take_message(struct sender *s, struct msgsend_message *message)
{
	enum msgsend_input_result result;

	if (s->window.put < s->window.taken) {
		msgsend_window_get(&s->window, message);
		return true;
	}
	if (s->is_end || !msgsend_window_has_room(&s->window))
		return false;
	result = msgsend_input_next(s->input, message);
	s->needs_in = result == MSGSEND_INPUT_MORE;
	if (result == MSGSEND_INPUT_END)
		s->is_end = true;
	if (result == MSGSEND_INPUT_BAD) {
		tool_warn("%s", s->input->why);
		fail(s, EXITCODE_DATA);
	}
	if (result != MSGSEND_INPUT_READY)
		return false;
	if (msgsend_window_take(&s->window, message) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	return true;
}

static void
put(struct sender *s, const void *bytes, size_t len)
{
	int rc = ask_put(s->ask, bytes, len);

	s->budget -= len;
	if (s->lost == 0)
		s->lost = rc;
}

/* pub group=G … len=N */
static void
put_line(struct sender *s, size_t len)
{
	char line[LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof line);
	text_put_bytes(&text, s->head, s->head_len);
	if (s->options->is_retrying)
		text_put_u64(&text, s->window.put + 1);
	if (s->view[0] != '\0') {
		text_put(&text, " if_view=");
		text_put(&text, s->view);
	}
	text_put(&text, " len=");
	text_put_u64(&text, len);
	text_put_char(&text, '\n');
	put(s, text.bytes, text.len);
}

/* As much of the message as there is room for. */
static void
put_part(struct sender *s)
{
	size_t len = num_min(s->part_len, s->budget - 1);

	put(s, s->part, len);
	s->part += len;
	s->part_len -= len;
	if (s->part_len > 0)
		return;
	put(s, "\n", 1);
	s->is_putting = false;
	s->window.put++;
}

static void
count_rate(struct sender *s)
{
	uint64_t step_ns, now_ns;

	if (s->options->rate == 0)
		return;
	step_ns = CLOCK_S_NS / s->options->rate;
	now_ns = clock_now_ns();
	s->next_ns =
	    num_max(s->next_ns, num_sub(now_ns, RATE_BURST_NS)) + step_ns;
}

/* The next message is at hand and its line is put; false: not now. */
static bool
begin_message(struct sender *s)
{
	struct msgsend_message message;
	bool was_idle = is_idle(s);

	if (s->refused > 0 || s->budget < LINE_BYTES + 1)
		return false;
	if (s->next_ns > 0 && clock_now_ns() < s->next_ns)
		return false;
	if (!take_message(s, &message))
		return false;
	if (was_idle)
		s->heard_ns = s->probed_ns = clock_now_ns();
	count_rate(s);
	s->part = message.bytes;
	s->part_len = message.len;
	s->is_putting = true;
	put_line(s, message.len);
	return true;
}

/* Puts and pushes until something has to be waited for: 0, or lost. */
static int
put_messages(struct sender *s)
{
	s->needs_in = false;
	for (;;) {
		int rc = ask_flush(s->ask, 0);

		if (rc != 0)
			return rc == -ETIMEDOUT ? 0 : rc;
		s->budget = PUT_BYTES;
		while (s->budget > 1 && (s->is_putting || begin_message(s)))
			put_part(s);
		if (s->lost != 0 || s->budget == PUT_BYTES)
			return s->lost;
	}
}

/* ---- waiting ----------------------------------------------------------- */

/*
 * The daemon owes an answer and is silent.  When it still greets, it is the
 * ring that is not ready; else it is stopped.
 */
static int
probe(struct sender *s, uint64_t now_ns)
{
	struct ask *other;
	int rc;

	if (now_ns < later(num_max(s->heard_ns, s->probed_ns), s->patience_ns))
		return 0;
	rc = ask_open(
	    &other, s->options->rundir, "ring", later(now_ns, s->patience_ns));
	ask_close(other);
	s->probed_ns = clock_now_ns();
	return rc == ASK_E_BUSY ? 0 : rc;
}

/* How long nothing need be done, for poll. */
static int
wait_ms(const struct sender *s, uint64_t now_ns)
{
	uint64_t at_ns = UINT64_MAX, left_ns;

	if (s->next_ns > now_ns && !s->is_end)
		at_ns = s->next_ns;
	if (!is_idle(s)) {
		uint64_t since_ns = num_max(s->heard_ns, s->probed_ns);

		at_ns = num_min(at_ns, later(since_ns, s->patience_ns));
		at_ns =
		    num_min(at_ns, later(s->heard_ns, s->options->timeout_ns));
	}
	if (at_ns == UINT64_MAX)
		return -1;
	left_ns = num_min(num_sub(at_ns, now_ns), 60 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

static void
read_input(struct sender *s)
{
	int rc = msgsend_input_read(s->input);

	if (rc == -ENOMEM)
		tool_fail(EXITCODE_OS, "out of memory");
	if (rc != 0 && rc != -EAGAIN) {
		tool_warn("%s: %s", s->input->source->name, strerror(-rc));
		fail(s, EXITCODE_NOINPUT);
	}
	s->needs_in = false;
}

/* Until there is something to do: 0, or the connection is lost. */
static int
wait_some(struct sender *s)
{
	struct pollfd fds[3] = {
		{ ask_fd(s->ask), POLLIN, 0 },
		{ -1, POLLIN, 0 },
		{ s->options->tee_fd, 0, 0 },
	};
	uint64_t now_ns = clock_now_ns();

	if (ask_unsent(s->ask) > 0)
		fds[0].events |= POLLOUT;
	if (s->needs_in && !s->is_end && now_ns >= s->next_ns)
		fds[1].fd = msgsend_input_fd(s->input);
	if (poll(fds, 3, wait_ms(s, now_ns)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[2].revents != 0)
		tool_fail_output(-EPIPE);
	if (fds[1].revents != 0)
		read_input(s);
	if (fds[0].revents != 0 || is_idle(s))
		return 0;
	now_ns = clock_now_ns();
	if (now_ns - s->heard_ns >= s->options->timeout_ns)
		tool_fail(EXITCODE_TIMEOUT,
		    "timed out: %llu messages were not confirmed",
		    (unsigned long long)(s->window.taken - s->window.answered));
	return probe(s, now_ns);
}

/* ---- all of it --------------------------------------------------------- */

static void
make_head(struct sender *s)
{
	struct text text;

	text_init(&text, s->head, sizeof s->head);
	text_put(&text, "pub group=");
	text_put_value(&text, s->options->group, strlen(s->options->group));
	if (strcmp(s->options->confirm, "agreed") != 0) {
		text_put(&text, " confirm=");
		text_put(&text, s->options->confirm);
	}
	if (s->options->is_retrying) {
		text_put(&text, " id=");
		text_put(&text, s->options->client);
		text_put_char(&text, '.');
	}
	s->head_len = text.len;
}

/* One turn: 0, or the connection is lost. */
static int
turn(struct sender *s)
{
	int rc = take_answers(s);

	if (rc != 0)
		return rc;
	renew_view(s);
	rc = put_messages(s);
	if (rc != 0 || (s->is_end && (is_idle(s) || s->ask == NULL)))
		return rc;
	return wait_some(s);
}

static bool
is_done(const struct sender *s)
{
	return s->is_end && is_idle(s) &&
	    (s->ask == NULL || ask_unsent(s->ask) == 0);
}

static void
run(struct sender *s)
{
	int rc = connect_once(s, ask_deadline_ns());

	if (rc != 0 && !recover(s, rc))
		return;
	if (s->options->requires_quorum) {
		enum exitcode code =
		    msgsend_quorum_view(s->options->rundir, s->view);

		if (code != EXITCODE_OK)
			fail(s, code);
	}
	while (!is_done(s)) {
		rc = turn(s);
		if (rc != 0 && !recover(s, rc))
			return;
	}
}

enum exitcode
msgsend_send(const struct msgsend_options *options, struct msgsend_input *input)
{
	struct sender s = { .options = options, .input = input };

	s.window.is_keeping_raw = options->tee_fd >= 0;
	s.window.is_keeping = options->tee_fd >= 0 || options->is_retrying ||
	    options->requires_quorum;
	if (msgsend_window_open(&s.window) != 0 ||
	    out_open(&s.tee, options->tee_fd) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	uint64_t now_ns = clock_now_ns(), deadline_ns = ask_deadline_ns();
	s.patience_ns = deadline_ns == UINT64_MAX
	    ? UINT64_MAX
	    : num_sub(deadline_ns, now_ns) / 3;
	make_head(&s);
	run(&s);
	ask_close(s.ask);
	out_close(&s.tee);
	msgsend_window_close(&s.window);
	return s.code;
}
