/* SPDX-License-Identifier: BSD-3-Clause */
/* Judging the pairs: heard, silent, lossy, up, good.  (DESIGN.md, 6.2) */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_internal.h"

static const uint64_t link_penalty_ns = 200 * LINK_MS;
static const uint64_t link_penalty_max_ns = 10000 * LINK_MS;
static const uint64_t link_relapse_ns = 60000 * LINK_MS;

bool
link_is_heard(
    const struct links *l, const struct link_pair *pair, uint64_t now_ns)
{
	return pair->heard_ns != 0 && !pair->is_unusable &&
	    num_sub(now_ns, pair->heard_ns) < l->timeout_ns;
}

bool
link_is_silent(
    const struct links *l, const struct link_pair *pair, uint64_t now_ns)
{
	/* With one link nothing follows from it, and LINKs are rare. */
	return l->cfg.link_count > 1 &&
	    num_sub(now_ns, pair->heard_ns) >= l->beat_ns * 16 / 5;
}

/* ---- loss -------------------------------------------------------------- */

/* In thousandths, of what was sent between two counts. */
static uint32_t
link_loss(const struct link_count *from, const struct link_count *to)
{
	uint64_t sent = num_sub(to->sent, from->sent);
	uint64_t came = num_sub(to->came, from->came);

	return sent == 0 ? 0 : (uint32_t)(num_sub(sent, came) * 1000 / sent);
}

/* counts[0] is the latest.  What is bad shows at once, what is good only over
 * all of them. */
void
link_measure(struct link_pair *pair, const struct link_packet *packet)
{
	struct link_count now = { packet->sent, pair->came };
	uint32_t i = 0;

	if (pair->count_count > 0 && packet->sent < pair->counts[0].sent)
		pair->count_count = 0;
	while (i < pair->count_count &&
	    now.sent - pair->counts[i].sent < LINK_COUNTED_MIN)
		i++;
	if (i < pair->count_count) {
		const struct link_count *last =
		    &pair->counts[pair->count_count - 1];
		uint64_t lost = num_sub(now.sent - pair->counts[i].sent,
		    now.came - pair->counts[i].came);
		uint32_t lately = link_loss(&pair->counts[i], &now);

		pair->loss_in = link_loss(last, &now);
		if (lately >= LINK_LOSS_BAD && lost >= LINK_LOST_MIN) {
			pair->is_lossy = true;
			pair->loss_in =
			    (uint32_t)num_max(lately, pair->loss_in);
		} else if (pair->loss_in < LINK_LOSS_GOOD) {
			pair->is_lossy = false;
		}
	}
	memmove(&pair->counts[1], &pair->counts[0],
	    sizeof pair->counts - sizeof pair->counts[0]);
	pair->counts[0] = now;
	pair->count_count += pair->count_count < LINK_COUNTS;
}

/* ---- one pair ---------------------------------------------------------- */

static void
link_fault(struct link_pair *pair, uint64_t now_ns)
{
	pair->clean_ns = 0;
	if (!pair->is_content)
		return;
	pair->is_content = false;
	if (pair->bad_ns != 0 && now_ns - pair->bad_ns < link_relapse_ns)
		pair->penalty_ns =
		    num_min(2 * pair->penalty_ns, link_penalty_max_ns);
	else
		pair->penalty_ns = link_penalty_ns;
	pair->bad_ns = now_ns;
}

static void
link_judge(const struct links *l, struct link_pair *pair, uint64_t now_ns)
{
	if (!link_is_heard(l, pair, now_ns) ||
	    link_is_silent(l, pair, now_ns) || pair->is_lossy) {
		link_fault(pair, now_ns);
		return;
	}
	if (pair->clean_ns == 0)
		pair->clean_ns = now_ns;
	if (now_ns - pair->clean_ns >= pair->penalty_ns)
		pair->is_content = true;
}

static enum link_state
link_state_of(const struct links *l, const struct link_pair *pair,
    bool is_heard_there, uint64_t now_ns)
{
	if (!link_is_heard(l, pair, now_ns))
		return LINK_DOWN;
	if (is_heard_there && pair->echoes >= LINK_ECHOES)
		return LINK_UP;
	return LINK_INIT;
}

static void
link_enter(struct links *l, struct link_pair *pair, enum link_state state,
    uint64_t now_ns)
{
	enum link_state before = pair->state;

	if (state == before)
		return;
	pair->state = state;
	pair->was_heard |= state != LINK_DOWN;
	if (state == LINK_UP) {
		pair->has_up = true;
		link_mtu_begin(l, pair, now_ns);
	} else {
		pair->echoes = 0;
		pair->begun_ns = now_ns;
	}
	if (before == LINK_UP) {
		pair->downs++;
		pair->has_down = true;
	}
	pair->is_due = !pair->is_unusable;
	l->has_effects = true;
}

/* ---- one peer ---------------------------------------------------------- */

/* All pairs say at once what is new. */
static void
link_tell_all(struct links *l, struct link_peer *peer)
{
	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (!peer->pairs[link].is_unusable && peer->is_known)
			peer->pairs[link].is_due = l->has_effects = true;
}

static void
link_tell(struct links *l, struct link_peer *peer, uint8_t heard, uint8_t good)
{
	if (peer->told_heard == heard && peer->told_good == good)
		return;
	peer->told_heard = heard;
	peer->told_good = good;
	link_tell_all(l, peer);
}

void
link_set_group(struct links *l, uint32_t peer, uint8_t links)
{
	struct link_peer *who = link_peer(l, peer);

	if (who->told_group == links)
		return;
	who->told_group = links;
	link_tell_all(l, who);
}

void
link_settle(struct links *l, uint32_t peer, uint64_t now_ns)
{
	struct link_peer *who = link_peer(l, peer);
	uint8_t heard = 0, good = 0;

	for (uint32_t link = 0; link < l->cfg.link_count; link++) {
		struct link_pair *pair = &who->pairs[link];
		bool is_heard_there = (who->heard >> link & 1) != 0;

		link_judge(l, pair, now_ns);
		link_enter(l, pair,
		    link_state_of(l, pair, is_heard_there, now_ns), now_ns);
		if (pair->state == LINK_DOWN)
			continue;
		heard |= (uint8_t)(1U << link);
		if (pair->is_content)
			good |= (uint8_t)(1U << link);
	}
	link_tell(l, who, heard, good);
	link_choose(l, peer, now_ns);
}
