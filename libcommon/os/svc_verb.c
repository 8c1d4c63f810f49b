/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and replies: what a line asks for, who may, and how it is said. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/log.h"
#include "libcommon/os/svc_internal.h"

enum { REPLY_BYTES = 2048 };

static const struct {
	const char *code;
	enum exitcode n;
} errors[] = {
	{ "unknown", EXITCODE_USAGE },
	{ "usage", EXITCODE_USAGE },
	{ "toolong", EXITCODE_DATA },
	{ "denied", EXITCODE_DENIED },
	{ "busy", EXITCODE_TRYAGAIN },
	{ "full", EXITCODE_TRYAGAIN },
	{ "slow", EXITCODE_TRYAGAIN },
	{ "notquorate", EXITCODE_TRYAGAIN },
	{ "broken", EXITCODE_TRYAGAIN },
	{ "absent", EXITCODE_TRYAGAIN },
	{ "reformed", EXITCODE_TRYAGAIN },
	{ "late", EXITCODE_TRYAGAIN },
	{ "refused", EXITCODE_CONFIG },
	{ "leaving", EXITCODE_UNAVAILABLE },
	{ "away", EXITCODE_UNAVAILABLE },
	{ "version", EXITCODE_PROTOCOL },
	{ "internal", EXITCODE_INTERNAL },
};

static enum exitcode
error_number(const char *code)
{
	size_t i = 0;

	while (strcmp(errors[i].code, code) != 0)
		ENSURE(++i < ARRAY_COUNT(errors));
	return errors[i].n;
}

void
svc_put_tag(struct text *out, const char *tag)
{
	if (tag == NULL)
		return;
	text_put_char(out, '#');
	text_put(out, tag);
	text_put_char(out, ' ');
}

void
svc_ok(struct svc_client *client, const char *tag, const char *format, ...)
{
	char bytes[REPLY_BYTES], words[REPLY_BYTES - 32];
	struct text out;
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "ok");
	if (words[0] != '\0')
		text_put_char(&out, ' ');
	text_put(&out, words);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}

void
svc_no(struct svc_client *client, const char *tag, const char *code)
{
	char bytes[REPLY_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "no code=");
	text_put(&out, code);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}

void
svc_err(struct svc_client *client, const char *tag, const char *code,
    const char *format, ...)
{
	/* A quoted byte may take five. */
	char bytes[REPLY_BYTES], msg[REPLY_BYTES / 5 - 64];
	struct text out;
	va_list args;

	va_start(args, format);
	vsnprintf(msg, sizeof msg, format, args);
	va_end(args);
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "err code=");
	text_put(&out, code);
	text_put(&out, " n=");
	text_put_u64(&out, (uint64_t)error_number(code));
	text_put(&out, " msg=");
	text_put_value(&out, msg, strlen(msg));
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	client->svc->stats.failed++;
	svc_put(client, out.bytes, out.len);
}

/* ---- verbs that every daemon has --------------------------------------- */

static enum svc_result
run_ping(void *arg, struct svc_request *req)
{
	(void)arg;
	svc_ok(req->client, req->tag, "%s", "");
	return SVC_DONE;
}

static enum svc_result
run_quit(void *arg, struct svc_request *req)
{
	(void)arg;
	svc_ok(req->client, req->tag, "%s", "");
	svc_client_close(req->client);
	return SVC_DONE;
}

static enum svc_result
run_log_level(void *arg, struct svc_request *req)
{
	const struct word_pair *level = word_get(req->word, "level");
	enum log_level now = log_get_level();

	(void)arg;
	if (level != NULL && !log_level_from_name(level->value, &now)) {
		svc_err(req->client, req->tag, "usage",
		    "level: expected error, warning, notice, info or debug");
		return SVC_DONE;
	}
	if (level != NULL) {
		log_set_level(now);
		log_line(LOG_LEVEL_NOTICE, "log-level", "pid=%d uid=%u",
		    (int)req->client->peer.pid,
		    (unsigned)req->client->peer.uid);
	}
	svc_ok(req->client, req->tag, "level=%s", log_level_name(now));
	return SVC_DONE;
}

static svc_verb_fn run_help;

static const struct svc_verb common_verbs[] = {
	{ "ping", run_ping, SVC_RIGHT_READ, "", false },
	{ "help", run_help, SVC_RIGHT_READ, "", false },
	{ "log-level", run_log_level, SVC_RIGHT_ADMIN,
	    "[level=error|warning|notice|info|debug]", false },
	{ "quit", run_quit, SVC_RIGHT_READ, "", false },
};

static void
put_help(struct svc_request *req, const struct svc_verb *verbs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char bytes[REPLY_BYTES];
		struct text out;

		text_init(&out, bytes, sizeof bytes);
		svc_put_tag(&out, req->tag);
		text_put(&out, "item verb=");
		text_put(&out, verbs[i].name);
		text_put(&out, " usage=");
		text_put_value(&out, verbs[i].usage, strlen(verbs[i].usage));
		text_put_char(&out, '\n');
		ENSURE(!out.is_full);
		svc_put(req->client, out.bytes, out.len);
	}
}

static enum svc_result
run_help(void *arg, struct svc_request *req)
{
	const struct svc_config *cfg = &req->client->svc->cfg;

	(void)arg;
	put_help(req, cfg->verbs, cfg->verb_count);
	put_help(req, common_verbs, ARRAY_COUNT(common_verbs));
	svc_ok(req->client, req->tag, "n=%zu",
	    cfg->verb_count + ARRAY_COUNT(common_verbs));
	return SVC_DONE;
}

/* ---- which one --------------------------------------------------------- */

static const struct svc_verb *
find_in(const struct svc_verb *verbs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static const struct svc_verb *
find_verb(const struct svc *svc, const char *name)
{
	const struct svc_verb *verb =
	    find_in(svc->cfg.verbs, svc->cfg.verb_count, name);

	return verb != NULL
	    ? verb
	    : find_in(common_verbs, ARRAY_COUNT(common_verbs), name);
}

/* verb[0] holds only letters, digits, '.', '_' and '-'. */
static void
deny(struct svc_request *req, const char *verb)
{
	const struct unixsock_peer *peer = &req->client->peer;

	log_line(LOG_LEVEL_WARNING, "denied", "verb=%s pid=%d uid=%u", verb,
	    (int)peer->pid, (unsigned)peer->uid);
	svc_err(req->client, req->tag, "denied", "%s: not allowed", verb);
}

static enum svc_result
run(struct svc *svc, struct svc_request *req)
{
	const char *name = req->word->verb[0];
	const struct svc_verb *verb = find_verb(svc, name);
	bool is_ordered = verb != NULL && verb->is_ordered;

	if (!is_ordered && svc->cfg.is_busy(svc->cfg.arg, req->client))
		return SVC_WAIT;
	if (verb == NULL) {
		svc_err(
		    req->client, req->tag, "unknown", "%s: no such verb", name);
		return SVC_DONE;
	}
	if (req->word->verb_count > 1) {
		svc_err(req->client, req->tag, "usage",
		    "%s: expected key=value", req->word->verb[1]);
		return SVC_DONE;
	}
	if (!svc_client_may(req->client, verb->right)) {
		if (svc->cfg.is_busy(svc->cfg.arg, req->client))
			return SVC_WAIT;
		deny(req, name);
		return SVC_DONE;
	}
	return verb->run(svc->cfg.arg, req);
}

enum svc_result
svc_verb_run(
    struct svc_client *client, const struct svc_frame *frame, uint64_t now_ns)
{
	struct svc *svc = client->svc;
	struct svc_request req = { .client = client,
		.word = &svc->word,
		.data = frame->data,
		.data_len = frame->data_len,
		.now_ns = now_ns };
	int rc;

	/* Parsing changes the line, and this one may have to come again. */
	memcpy(svc->line, frame->line, frame->line_len);
	rc = word_parse(&svc->word, svc->line, frame->line_len);
	req.tag = svc->word.tag;
	if (rc == 0)
		return run(svc, &req);
	if (rc == WORD_E_EMPTY && frame->line_len == 0)
		return SVC_DONE; /* a blank line asks for nothing */
	if (svc->cfg.is_busy(svc->cfg.arg, client))
		return SVC_WAIT;
	svc_err(client, req.tag, "usage", "%s%s%s", word_error_text(rc),
	    svc->word.about[0] != '\0' ? ": " : "", svc->word.about);
	return SVC_DONE;
}

void
svc_verb_refuse(struct svc_client *client, enum svc_in_result why)
{
	if (why == SVC_IN_LONG)
		svc_err(client, NULL, "toolong", "line: at most %d bytes",
		    LIMIT_REQUEST_BYTES);
	else if (why == SVC_IN_BIG)
		svc_err(client, NULL, "toolong", "len: at most %zu",
		    client->svc->cfg.data_max);
	else if (why == SVC_IN_BAD_LEN)
		svc_err(client, NULL, "usage", "len: expected a number");
	else
		svc_err(client, NULL, "usage", "no line end behind the data");
	svc_client_close(client);
}
