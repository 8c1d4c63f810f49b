/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store in a few lines, with all its states, and clients who are at some
 * step of an operation: asked, done, answered.  One of them goes on at each
 * step, and each step is a second.
 */
#include "tests/check/lingame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rng.h"

enum { KEYS = 8, CLIENTS = 16, STATES = 1 << 16, LINE = 512 };

struct cell {
	uint64_t value; /* 0: absent */
	uint64_t rev;
};

struct state {
	struct cell cell[KEYS];
	uint64_t token; /* of the lock */
};

enum verb { GET, LOCAL_GET, LIST, SET, CAS, DEL, TXN, LOCKED_SET };

struct client {
	unsigned life;
	enum { IDLE, ASKED, DONE } step;
	enum verb verb;
	uint64_t began;
	unsigned key, other;
	uint64_t value, expected, token;
	char answer[LINE];
};

struct world {
	const struct lingame *game;
	FILE *to;
	struct rng rng;
	uint64_t now;
	uint64_t rev;
	struct state state[STATES]; /* at each revision */
	struct client client[CLIENTS];
	uint64_t last_value;
	uint64_t held_since; /* the lock; 0: free */
	unsigned holder;
	/* What the watcher will be told next. */
	uint64_t watched;
	unsigned lies;
};

static bool
chance(struct world *w, unsigned percent)
{
	return rng_below(&w->rng, 100) < percent;
}

static bool
lies(struct world *w, enum lingame_lie lie)
{
	if (w->game->lie != lie || !chance(w, 25))
		return false;
	w->lies++;
	return true;
}

static struct state *
now_at(struct world *w)
{
	return &w->state[w->rev];
}

static uint64_t
draw_value(struct world *w)
{
	if (w->game->values != 0)
		return 1 + rng_below(&w->rng, w->game->values);
	return ++w->last_value;
}

/* ---- the store --------------------------------------------------------- */

/* A revision more, which is to be changed. */
static struct state *
step(struct world *w)
{
	ENSURE(w->rev + 1 < STATES);
	w->state[w->rev + 1] = w->state[w->rev];
	w->rev++;
	return now_at(w);
}

static void
put(struct world *w, unsigned key, uint64_t value)
{
	now_at(w)->cell[key] =
	    (struct cell){ .value = value, .rev = value == 0 ? 0 : w->rev };
}

/* A revision that may be told though it is not the newest. */
static uint64_t
past(struct world *w)
{
	return w->rev - rng_below(&w->rng, w->rev + 1 < 4 ? w->rev + 1 : 4);
}

static bool
is_vague(struct world *w)
{
	return w->game->is_vague && chance(w, 60);
}

static void
do_get(struct world *w, struct client *client)
{
	uint64_t rev = w->rev;
	if (client->verb == LOCAL_GET)
		rev = past(w);
	else if (w->rev > 0 && lies(w, LINGAME_STALE))
		rev = w->rev - 1;
	struct cell cell = w->state[rev].cell[client->key];
	if (lies(w, LINGAME_VANISHED))
		cell.value = 0;
	if (cell.value != 0 && lies(w, LINGAME_GARBLED))
		cell.value += 1000;
	char where[LINE / 4] = "";
	if (client->verb == LOCAL_GET || !is_vague(w))
		snprintf(where, sizeof where, " store_rev=%" PRIu64, rev);
	if (cell.value == 0)
		snprintf(client->answer, LINE, "absent%s", where);
	else
		snprintf(client->answer, LINE,
		    "ok rev=%" PRIu64 " value=%" PRIu64 "%s", cell.rev,
		    cell.value, where);
}

static void
do_list(struct world *w, struct client *client)
{
	size_t at =
	    (size_t)snprintf(client->answer, LINE, "ok rev=%" PRIu64, w->rev);
	for (unsigned k = 0; k < w->game->keys; k++) {
		const struct cell *cell = &now_at(w)->cell[k];
		if (cell->value != 0 && !lies(w, LINGAME_VANISHED))
			at += (size_t)snprintf(client->answer + at, LINE - at,
			    " key=k%u rev=%" PRIu64 " value=%" PRIu64, k,
			    cell->rev, cell->value);
	}
}

static bool
may(struct world *w, const struct client *client)
{
	const struct cell *cell = &now_at(w)->cell[client->key];
	if (client->verb == LOCKED_SET)
		return client->token == now_at(w)->token ||
		    lies(w, LINGAME_LATE);
	if (client->verb == SET || client->verb == DEL)
		return true;
	return cell->rev == client->expected;
}

static void
change(struct world *w, const struct client *client)
{
	step(w);
	if (lies(w, LINGAME_LOST))
		return;
	put(w, client->key, client->verb == DEL ? 0 : client->value);
	if (client->verb == TXN)
		put(w, client->other, 0);
	if (client->verb == SET && lies(w, LINGAME_TWICE)) {
		step(w);
		put(w, client->key, client->value);
	}
}

static void
conflict(struct world *w, struct client *client, uint64_t rev)
{
	const struct cell *cell = &w->state[rev].cell[client->key];
	if (client->verb == LOCKED_SET)
		snprintf(client->answer, LINE, "refused");
	else if (is_vague(w))
		snprintf(client->answer, LINE, "conflict key=k%u rev=%" PRIu64,
		    client->key, cell->rev);
	else
		snprintf(client->answer, LINE,
		    "conflict key=k%u rev=%" PRIu64 " store_rev=%" PRIu64,
		    client->key, cell->rev, rev);
}

static void
do_change(struct world *w, struct client *client)
{
	bool is_conditional = client->verb == CAS || client->verb == TXN;
	bool is_kept = may(w, client);
	if (is_conditional && w->rev > 0 && lies(w, LINGAME_STALE_STRICT) &&
	    w->state[w->rev - 1].cell[client->key].rev != client->expected) {
		conflict(w, client, w->rev - 1);
		return;
	}
	if (is_kept && is_conditional && lies(w, LINGAME_STRICT))
		is_kept = false;
	else if (!is_kept && is_conditional && lies(w, LINGAME_CARELESS))
		is_kept = true;
	if (!is_kept) {
		conflict(w, client, w->rev);
		return;
	}
	if (client->verb == DEL && now_at(w)->cell[client->key].value == 0) {
		snprintf(client->answer, LINE, "absent");
		return;
	}
	if (chance(w, 10)) {
		/* No quorum. */
		snprintf(client->answer, LINE, "refused");
		if (lies(w, LINGAME_REFUSED))
			change(w, client);
		return;
	}
	change(w, client);
	uint64_t told = w->rev;
	if (told > 1 && lies(w, LINGAME_SAME))
		told--;
	if (told > 3 && lies(w, LINGAME_REORDERED))
		told -= 2;
	snprintf(client->answer, LINE, "ok rev=%" PRIu64, told);
}

/* ---- clients ----------------------------------------------------------- */

static void
draw(struct world *w, struct client *client)
{
	static const enum verb verbs[] = { GET, GET, GET, LIST, SET, SET, SET,
		CAS, CAS, DEL, TXN, LOCAL_GET, LOCKED_SET };
	unsigned count = sizeof verbs / sizeof *verbs;
	client->verb =
	    verbs[rng_below(&w->rng, w->game->is_plain ? count - 2 : count)];
	client->key = (unsigned)rng_below(&w->rng, w->game->keys);
	client->other = (client->key + 1) % w->game->keys;
	client->value = draw_value(w);
	client->token = now_at(w)->token;
	client->expected = now_at(w)->cell[client->key].rev;
	if (chance(w, w->game->keys > 6 ? 0 : 30))
		client->expected = rng_below(&w->rng, w->rev + 1);
	if (client->verb == TXN && w->game->keys == 1)
		client->verb = CAS;
	if (client->verb == LOCKED_SET && client->token == 0)
		client->verb = SET;
}

static void
ask(struct world *w, struct client *client)
{
	draw(w, client);
	client->began = w->now;
	client->step = ASKED;
	if (client->verb == SET && lies(w, LINGAME_FUTURE)) {
		/* Its effect was there before. */
		do_change(w, client);
		client->step = DONE;
		for (unsigned k = 0; k < w->game->clients; k++) {
			struct client *other = &w->client[k];
			if (other == client || other->step != IDLE)
				continue;
			fprintf(w->to,
			    "c%u.%u %" PRIu64 " %" PRIu64 " list sync=yes -> ",
			    k, other->life, w->now, w->now);
			do_list(w, other);
			fprintf(w->to, "%s\n", other->answer);
			client->began = ++w->now;
			break;
		}
	}
}

static void
act(struct world *w, struct client *client)
{
	client->step = DONE;
	if (client->verb == LIST)
		do_list(w, client);
	else if (client->verb == GET || client->verb == LOCAL_GET)
		do_get(w, client);
	else
		do_change(w, client);
}

static void
write_request(struct world *w, const struct client *client)
{
	FILE *to = w->to;
	char expected[LINE / 4];
	snprintf(expected, sizeof expected, "%s%" PRIu64,
	    client->expected == 0 ? "absent=yes" : "rev=", client->expected);
	if (client->expected == 0)
		expected[strlen("absent=yes")] = '\0';
	switch (client->verb) {
	case GET:
		fprintf(to, "get key=k%u sync=yes", client->key);
		break;
	case LOCAL_GET:
		fprintf(to, "get key=k%u", client->key);
		break;
	case LIST:
		fputs("list prefix=k sync=yes", to);
		break;
	case SET:
		fprintf(to, "set key=k%u value=%" PRIu64, client->key,
		    client->value);
		break;
	case LOCKED_SET:
		fprintf(to,
		    "set key=k%u value=%" PRIu64 " lock=l/0 token=%" PRIu64,
		    client->key, client->value, client->token);
		break;
	case CAS:
		fprintf(to, "set key=k%u value=%" PRIu64 " if_%s", client->key,
		    client->value, expected);
		break;
	case DEL:
		fprintf(to, "del key=k%u", client->key);
		break;
	case TXN:
		fprintf(to, "txn if=k%u %s put=k%u value=%" PRIu64 " del=k%u",
		    client->key, expected, client->key, client->value,
		    client->other);
		break;
	}
}

/* Answered; or killed, and somebody else comes in its place. */
static void
end(struct world *w, struct client *client, bool is_killed)
{
	fprintf(w->to, "c%u.%u %" PRIu64 " ", (unsigned)(client - w->client),
	    client->life, client->began);
	if (is_killed)
		fputs("- ", w->to);
	else
		fprintf(w->to, "%" PRIu64 " ", w->now);
	write_request(w, client);
	if (!is_killed)
		fprintf(w->to, " -> %s", client->answer);
	fputc('\n', w->to);
	client->step = IDLE;
	client->life += is_killed;
}

static void
go_on(struct world *w, struct client *client)
{
	switch (client->step) {
	case IDLE:
		ask(w, client);
		break;
	case ASKED:
		if (chance(w, 8))
			end(w, client, true);
		else
			act(w, client);
		break;
	case DONE:
		/* "refused" is no secret of who did not hear it. */
		end(w, client, chance(w, 8));
		break;
	}
}

/* ---- the watcher ------------------------------------------------------- */

static void
tell_key(struct world *w, uint64_t rev, unsigned key)
{
	const struct cell *old = &w->state[rev - 1].cell[key];
	const struct cell *new = &w->state[rev].cell[key];
	if (old->rev == new->rev || lies(w, LINGAME_DEAF))
		return;
	unsigned times = lies(w, LINGAME_STAMMER) ? 2 : 1;
	for (unsigned i = 0; i < times; i++) {
		fprintf(w->to, "w %" PRIu64 " - %s key=k%u rev=%" PRIu64,
		    w->now, new->value == 0 ? "del" : "put", key, rev);
		fprintf(w->to, " prev=%" PRIu64, old->rev);
		if (new->value != 0)
			fprintf(w->to, " value=%" PRIu64, new->value);
		fputc('\n', w->to);
	}
}

static void
tell_rev(struct world *w, uint64_t rev)
{
	for (unsigned k = 0; k < w->game->keys; k++)
		tell_key(w, rev, k);
}

static void
begin_watch(struct world *w)
{
	fprintf(w->to, "w %" PRIu64 " - watch prefix=k\n", w->now);
	w->watched = w->rev;
	for (unsigned k = 0; k < w->game->keys; k++) {
		const struct cell *cell = &now_at(w)->cell[k];
		if (cell->value != 0 && !lies(w, LINGAME_FORGETFUL))
			fprintf(w->to,
			    "w %" PRIu64 " - exists key=k%u rev=%" PRIu64
			    " value=%" PRIu64 "\n",
			    w->now, k, cell->rev, cell->value);
	}
	fprintf(
	    w->to, "w %" PRIu64 " - ready rev=%" PRIu64 "\n", w->now, w->rev);
}

static void
watch(struct world *w)
{
	if (w->game->is_plain)
		return;
	if (w->watched == 0 || chance(w, 1)) {
		begin_watch(w);
	} else if (w->watched + 2 <= w->rev && lies(w, LINGAME_SHUFFLED)) {
		tell_rev(w, w->watched + 2);
		tell_rev(w, w->watched + 1);
		w->watched += 2;
	} else if (w->watched < w->rev && chance(w, 50)) {
		tell_rev(w, ++w->watched);
	}
}

/* ---- the lock ---------------------------------------------------------- */

static void
lock(struct world *w)
{
	if (w->game->is_plain || !chance(w, 15))
		return;
	if (w->held_since == 0) {
		step(w)->token = w->rev;
		w->held_since = w->now;
		w->holder++;
		return;
	}
	uint64_t token = now_at(w)->token;
	if (w->holder > 1 && lies(w, LINGAME_OLD_TOKEN))
		token = 1;
	fprintf(w->to,
	    "h%u %" PRIu64 " %" PRIu64 " hold lock=l/0 token=%" PRIu64 "\n",
	    w->holder, w->held_since, w->now, token);
	w->held_since = 0;
	if (lies(w, LINGAME_SHARED))
		w->held_since = --w->now;
	if (w->held_since != 0) {
		w->now++;
		w->holder++;
		step(w)->token = w->rev;
	}
}

unsigned
lingame_play(const struct lingame *game, FILE *to)
{
	struct world *w = calloc(1, sizeof *w);
	ENSURE(w != NULL && game->keys <= KEYS && game->clients <= CLIENTS);
	w->game = game;
	w->to = to;
	rng_init(&w->rng, game->seed);
	for (unsigned i = 0; i < game->steps; i++) {
		w->now++;
		go_on(w, &w->client[rng_below(&w->rng, game->clients)]);
		watch(w);
		lock(w);
	}
	for (unsigned k = 0; k < game->clients; k++)
		if (w->client[k].step != IDLE)
			end(w, &w->client[k], true);
	for (; w->watched != 0 && w->watched < w->rev; w->now++)
		tell_rev(w, ++w->watched);
	w->client[0].verb = LIST;
	w->client[0].began = w->now++;
	do_list(w, &w->client[0]);
	end(w, &w->client[0], false);
	unsigned told = w->lies;
	free(w);
	return told;
}

const char *
lingame_name(enum lingame_lie lie)
{
	static const char *const names[LINGAME_LIES] = { "honest", "lost",
		"twice", "refused", "reordered", "same", "careless", "strict",
		"stale", "stale-strict", "future", "garbled", "vanished",
		"deaf", "stammer", "shuffled", "forgetful", "shared",
		"old-token", "late" };
	return names[lie];
}
