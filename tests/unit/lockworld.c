/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lockworld.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/word.h"

#define S LOCK_S_NS

uint64_t lockworld_now_ns;

struct lock_config
lockworld_config(void)
{
	return (struct lock_config){ .name = "a",
		.value = "me",
		.value_len = 2,
		.slots = 1,
		.ttl_ns = 15 * S,
		.grace_ns = 10 * S,
		.wait_ns = UINT64_MAX,
		.answer_ns = 5 * S,
		.has_work = true };
}

static void
see(struct contender *c, const char *word)
{
	size_t len = strlen(c->seen);

	if (len + strlen(word) + 2 < sizeof c->seen)
		(void)snprintf(
		    c->seen + len, sizeof c->seen - len, "%s ", word);
}

static void
carry_out(struct contender *c, const struct lock_effect *e)
{
	static const char *const words[] = { "send", "reconnect", "held",
		"until", "stop", "signal", "lost", "stuck", "warn", "end" };

	if (e->kind == LOCK_SEND) {
		ENSURE(c->sent_len + e->len < sizeof c->sent);
		memcpy(c->sent + c->sent_len, e->bytes, e->len);
		c->sent_len += e->len;
		c->sent[c->sent_len] = '\0';
		return;
	}
	if (e->kind != LOCK_UNTIL)
		see(c, words[e->kind]);
	if (e->kind == LOCK_HELD) {
		c->is_held = c->works = true;
		c->token = e->token;
	}
	if (e->kind == LOCK_HELD || e->kind == LOCK_UNTIL) {
		c->stop_ns = e->stop_ns;
		c->kill_ns = e->kill_ns;
	}
	if (e->kind == LOCK_STOP && !c->must_end) {
		c->must_end = true;
		c->end_ns = lockworld_now_ns + e->grace_ns;
	} else if (e->kind == LOCK_STOP) {
		c->end_ns = num_min(c->end_ns, lockworld_now_ns + e->grace_ns);
	}
	if (e->kind == LOCK_RECONNECT)
		c->is_open = false;
	if (e->kind == LOCK_END) {
		c->is_over = true;
		c->code = e->code;
	}
}

void
lockworld_pull(struct contender *c)
{
	struct lock_effect effect;

	while (lock_next(c->lock, &effect))
		carry_out(c, &effect);
	lock_check(c->lock);
}

void
lockworld_create(struct contender *c, const struct lock_config *cfg)
{
	struct arena arena;

	memset(c, 0, sizeof *c);
	c->cfg = *cfg;
	arena_init(&arena, NULL, 0);
	ENSURE(lock_create(&arena, cfg, lockworld_now_ns) == NULL);
	c->memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	ENSURE(c->memory != NULL);
	arena_init(&arena, c->memory, arena.used_bytes);
	c->lock = lock_create(&arena, cfg, lockworld_now_ns);
}

void
lockworld_destroy(struct contender *c)
{
	free(c->memory);
	free(c->in.bytes);
}

/* A line of the store. */
void
lockworld_tell(struct contender *c, const char *text)
{
	static const char *const kinds[] = { "ok", "no", "err", "item", "ev" };
	char bytes[4096];
	struct word word;
	struct lock_line line = { .word = &word };
	const char *lf = strchr(text, '\n');
	size_t len = lf != NULL ? (size_t)(lf - text) : strlen(text);

	memcpy(bytes, text, len);
	bytes[len] = '\0';
	ENSURE(word_parse(&word, bytes, len) == 0);
	while (strcmp(kinds[line.kind], word.verb[0]) != 0)
		line.kind++;
	line.tag = word.tag;
	line.event = line.kind == LOCK_EV ? word.verb[2] : NULL;
	if (lf != NULL) {
		line.data = (const uint8_t *)lf + 1;
		line.len = strlen(lf + 1);
		if (line.len > 0 && lf[line.len] == '\n')
			line.len--;
	}
	lock_line(c->lock, &line, lockworld_now_ns);
	lockworld_pull(c);
}

void
lockworld_open_all(struct contender *c)
{
	lock_opened(c->lock, lockworld_now_ns);
	lockworld_pull(c);
}

void
lockworld_pass(struct contender *c, uint64_t span_ns)
{
	lockworld_now_ns += span_ns;
	lock_pass(c->lock, lockworld_now_ns);
	lockworld_pull(c);
}

/* What was sent since the last time. */
const char *
lockworld_sent(struct contender *c)
{
	static char bytes[sizeof c->sent];

	memcpy(bytes, c->sent, c->sent_len);
	bytes[c->sent_len] = '\0';
	c->sent_len = 0;
	return bytes;
}

const char *
lockworld_seen(struct contender *c)
{
	static char bytes[sizeof c->seen];

	strcpy(bytes, c->seen);
	c->seen[0] = '\0';
	return bytes;
}
