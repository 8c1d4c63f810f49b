/* SPDX-License-Identifier: BSD-3-Clause */
/* Contenders for one lock: a key that lives no longer than a lease.
 *
 * Who has it counts on it until a time on its own clock, from before the last
 * renewal was asked for.  What it writes has its token as a condition. */
#include "libcommon/base/num.h"

#include "tests/check/lincheck.h"
#include "tests/unit/replica_world_internal.h"

#define MS_NS UINT64_C(1000000)

#define w replica_w

static uint64_t
clock_of(const struct world_contender *c)
{
	return w.now_ns + w.node[c->node].skew_ns;
}

/* It had the lock at least that long. */
static void
end_hold(struct world_contender *c)
{
	struct lincheck_hold hold = { .token = c->token,
		.path = "contender",
		.line = (uint64_t)(c - w.contender),
		.begin_ns = c->begin_stamp,
		.end_ns = c->seen_stamp };
	char name = (char)('0' + (c - w.contender));

	if (c->token == 0)
		return;
	c->token = 0;
	if (w.history == NULL)
		return;
	hold.client = lincheck_word(w.history, &name, 1);
	hold.lock = replica_world_note_key(WORLD_KEY_LOCK);
	lincheck_hold(w.history, &hold);
}

static void
look(struct world_contender *c)
{
	if (c->token == 0)
		return;
	if (clock_of(c) < c->until_ns)
		c->seen_stamp = replica_world_stamp();
	else
		end_hold(c);
}

void
replica_world_lock_look(void)
{
	for (unsigned i = 0; i < CONTENDERS; i++)
		look(&w.contender[i]);
}

/* ---- asking ------------------------------------------------------------ */

static void
ask(struct world_contender *c, struct world_op *op)
{
	op->contender = (unsigned)(c - w.contender) + 1;
	c->asked = (size_t)(op - w.op) + 1;
	replica_world_propose(&w.node[c->node], op);
}

static void
ask_lock(struct world_contender *c)
{
	struct world_op *op = replica_world_op(&w.node[c->node], WORLD_WRITE);

	if (op == NULL)
		return;
	op->ttl_ns = (50 + replica_world_draw(400)) * MS_NS;
	op->wish.key = op->wish.other = op->wish.if_key = WORLD_KEY_LOCK;
	op->wish.condition = WORLD_IF_REV;
	ask(c, op);
}

static void
ask_renewal(struct world_contender *c)
{
	struct world_op *op = replica_world_op(&w.node[c->node], WORLD_RENEW);

	if (op == NULL)
		return;
	op->lease = c->token;
	op->ttl_ns = c->ttl_ns;
	op->wish.key = op->wish.other = WORLD_KEY_RENEWED;
	ask(c, op);
}

static void
ask_write(struct world_contender *c)
{
	struct world_op *op = replica_world_op(&w.node[c->node], WORLD_WRITE);

	if (op == NULL)
		return;
	op->wish.key = op->wish.other = (uint8_t)replica_world_draw(WORLD_KEYS);
	op->wish.condition = WORLD_IF_REV;
	op->wish.if_key = WORLD_KEY_LOCK;
	op->wish.if_rev = op->wish.token = c->token;
	ask(c, op);
}

/* From now on it holds nothing, whatever becomes of the request. */
static void
ask_release(struct world_contender *c)
{
	struct world_op *op = replica_world_op(&w.node[c->node], WORLD_RELEASE);

	if (op == NULL)
		return;
	op->lease = c->token;
	end_hold(c);
	ask(c, op);
}

void
replica_world_contend(struct world_node *n)
{
	struct world_contender *c =
	    &w.contender[replica_world_draw(CONTENDERS)];
	unsigned choice = replica_world_draw(10);

	replica_world_lock_look();
	if (c->asked != 0 || !n->is_up || w.rules.may_lose)
		return;
	if (c->token == 0)
		c->node = (unsigned)(n - w.node);
	if (&w.node[c->node] != n)
		return;
	if (c->token == 0)
		ask_lock(c);
	else if (choice < 6)
		ask_renewal(c);
	else if (choice < 9)
		ask_write(c);
	else
		ask_release(c);
}

/* ---- answers ----------------------------------------------------------- */

void
replica_world_lock_answered(
    const struct world_op *op, enum replica_code code, uint64_t rev)
{
	struct world_contender *c;
	uint64_t until_ns = op->begin_clock_ns + op->ttl_ns;

	if (op->contender == 0)
		return;
	c = &w.contender[op->contender - 1];
	if (c->asked != (size_t)(op - w.op) + 1)
		return;
	c->asked = 0;
	look(c);
	if (code != REPLICA_OK || op->ttl_ns == 0)
		return;
	if (op->kind == WORLD_RENEW) {
		c->until_ns = num_max(c->until_ns, until_ns);
		return;
	}
	if (clock_of(c) >= until_ns)
		return;
	c->token = rev;
	c->ttl_ns = op->ttl_ns;
	c->until_ns = until_ns;
	c->begin_stamp = c->seen_stamp = replica_world_stamp();
}

/* Its clients are gone with it. */
void
replica_world_lock_lost(const struct world_node *n)
{
	for (unsigned i = 0; i < CONTENDERS; i++) {
		struct world_contender *c = &w.contender[i];

		if (&w.node[c->node] != n)
			continue;
		end_hold(c);
		c->asked = 0;
	}
}

void
replica_world_lock_end(void)
{
	for (unsigned i = 0; i < CONTENDERS; i++)
		end_hold(&w.contender[i]);
}
