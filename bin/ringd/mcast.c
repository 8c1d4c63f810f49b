/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is heard by which group.  (DESIGN.md, 6.6) */
#include "bin/ringd/mcast.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#define MCAST_MS    ((uint64_t)1000000)
#define MCAST_NEVER UINT64_MAX

enum {
	MCAST_COUNTS = 8,       /* reports over which loss is counted */
	MCAST_COUNTED_MIN = 20, /* datagrams that it takes */
	MCAST_LOST_MIN = 4,     /* and how many of them must be missing */
	MCAST_LOSS_BAD = 150,   /* thousandths */
	MCAST_SLOW_NODES = 8,   /* more of them: fewer reports */
};

static const uint64_t mcast_heartbeat_ns = 25 * MCAST_MS;
static const uint64_t mcast_penalty_ns = 200 * MCAST_MS;
static const uint64_t mcast_penalty_max_ns = 10000 * MCAST_MS;
static const uint64_t mcast_relapse_ns = 60000 * MCAST_MS;

/* What was sent and what came until one report. */
struct mcast_count {
	uint64_t sent, came;
};

/* One peer, as the group of one link brings it. */
struct mcast_ear {
	bool hears;
	uint64_t came;
	uint64_t heard_ns; /* 0: never */
	uint64_t clean_ns; /* without fault since; 0: it has one */
	uint64_t bad_ns, penalty_ns;
	uint32_t loss;
	struct mcast_count counts[MCAST_COUNTS]; /* the latest first */
	uint32_t count_count;
};

/* What this node sends to the group of one link. */
struct mcast_mouth {
	bool is_unusable, is_due;
	uint64_t sent;
	uint64_t report_ns; /* the next one */
};

struct mcast {
	struct mcast_config cfg;
	uint64_t beat_ns; /* between two reports */
	uint64_t due_ns;
	struct mcast_mouth mouths[LIMIT_LINKS];
	struct mcast_ear ears[LIMIT_NODES][LIMIT_LINKS];
};

/* ---- datagrams --------------------------------------------------------- */

/* link 1 | reserved 7 | sent 8 */
void
mcast_report_put(
    const struct mcast_report *report, uint8_t out[MCAST_REPORT_BYTES])
{
	struct wrbuf wr;

	ENSURE(report->link < LIMIT_LINKS && report->sent != 0);
	wrbuf_init(&wr, out, MCAST_REPORT_BYTES);
	wrbuf_u8(&wr, (uint8_t)report->link);
	wrbuf_u8(&wr, 0);
	wrbuf_u16(&wr, 0);
	wrbuf_u32(&wr, 0);
	wrbuf_u64(&wr, report->sent);
	ENSURE(wr.len == MCAST_REPORT_BYTES && !wr.is_full);
}

bool
mcast_report_get(const uint8_t *bytes, size_t len, struct mcast_report *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	out->link = rdbuf_u8(&rd);
	(void)rdbuf_u8(&rd);
	(void)rdbuf_u16(&rd);
	(void)rdbuf_u32(&rd);
	out->sent = rdbuf_u64(&rd);
	return rdbuf_is_done(&rd) && out->link < LIMIT_LINKS && out->sent != 0;
}

/* ---- beginnings -------------------------------------------------------- */

static bool
mcast_has(const struct mcast *m, uint32_t link)
{
	return link < LIMIT_LINKS && (m->cfg.links >> link & 1) != 0;
}

static void
mcast_set_beat(struct mcast *m)
{
	uint64_t heartbeat_ns = m->cfg.heartbeat_ns;
	uint64_t slowness = 1;

	if (heartbeat_ns == 0)
		heartbeat_ns = mcast_heartbeat_ns;
	if (m->cfg.node_count > MCAST_SLOW_NODES)
		slowness = (m->cfg.node_count + MCAST_SLOW_NODES - 1) /
		    MCAST_SLOW_NODES;
	m->beat_ns = 2 * slowness * heartbeat_ns;
}

struct mcast *
mcast_create(
    struct arena *arena, const struct mcast_config *cfg, uint64_t now_ns)
{
	struct mcast *m = arena_take(arena, sizeof *m);

	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	ENSURE(cfg->self < cfg->node_count);
	if (m == NULL)
		return NULL;
	memset(m, 0, sizeof *m);
	m->cfg = *cfg;
	mcast_set_beat(m);
	m->due_ns = cfg->links != 0 ? now_ns : MCAST_NEVER;
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		m->mouths[i].report_ns = now_ns;
	return m;
}

/* ---- judging ----------------------------------------------------------- */

static uint64_t
mcast_patience_ns(const struct mcast *m)
{
	return m->beat_ns * 9 / 2;
}

static void
mcast_fault(struct mcast_ear *ear, uint64_t now_ns)
{
	ear->clean_ns = 0;
	if (!ear->hears)
		return;
	ear->hears = false;
	if (ear->bad_ns != 0 && now_ns - ear->bad_ns < mcast_relapse_ns)
		ear->penalty_ns =
		    num_min(2 * ear->penalty_ns, mcast_penalty_max_ns);
	else
		ear->penalty_ns = mcast_penalty_ns;
	ear->bad_ns = now_ns;
}

static bool
mcast_is_silent(
    const struct mcast *m, const struct mcast_ear *ear, uint64_t now_ns)
{
	return ear->heard_ns == 0 ||
	    now_ns - ear->heard_ns >= mcast_patience_ns(m);
}

static void
mcast_judge(struct mcast *m, struct mcast_ear *ear, uint64_t now_ns)
{
	if (mcast_is_silent(m, ear, now_ns)) {
		mcast_fault(ear, now_ns);
		ear->count_count = 0;
		ear->loss = 0;
		return;
	}
	if (ear->loss >= MCAST_LOSS_BAD) {
		mcast_fault(ear, now_ns);
		return;
	}
	if (ear->clean_ns == 0)
		ear->clean_ns = now_ns;
	if (now_ns - ear->clean_ns >= num_max(ear->penalty_ns, 2 * m->beat_ns))
		ear->hears = true;
}

/*
 * Of what was sent since a report that is at least so many datagrams old.  Who
 * is not content gets no DATA here, so then all the reports will do.
 */
static void
mcast_measure(struct mcast_ear *ear, uint64_t sent)
{
	struct mcast_count now = { sent, ear->came };
	uint32_t i = 0;

	if (ear->count_count > 0 && sent <= ear->counts[0].sent)
		ear->count_count = 0;
	while (i < ear->count_count &&
	    sent - ear->counts[i].sent < MCAST_COUNTED_MIN)
		i++;
	if (i == MCAST_COUNTS)
		i--;
	if (i < ear->count_count) {
		uint64_t all = sent - ear->counts[i].sent;
		uint64_t lost = num_sub(all, now.came - ear->counts[i].came);

		ear->loss =
		    lost < MCAST_LOST_MIN ? 0 : (uint32_t)(lost * 1000 / all);
	}
	memmove(&ear->counts[1], &ear->counts[0],
	    sizeof ear->counts - sizeof ear->counts[0]);
	ear->counts[0] = now;
	ear->count_count += ear->count_count < MCAST_COUNTS;
}

/* ---- what comes and goes ----------------------------------------------- */

static struct mcast_ear *
mcast_ear(struct mcast *m, const struct link_at *at)
{
	ENSURE(at->peer < m->cfg.node_count && at->peer != m->cfg.self);
	ENSURE(mcast_has(m, at->link));
	return &m->ears[at->peer][at->link];
}

void
mcast_greet(struct mcast *m, uint32_t peer, uint64_t now_ns)
{
	ENSURE(peer < m->cfg.node_count && peer != m->cfg.self);
	memset(m->ears[peer], 0, sizeof m->ears[peer]);
	m->due_ns = num_min(m->due_ns, now_ns + m->beat_ns);
}

void
mcast_set_heartbeat(struct mcast *m, uint64_t heartbeat_ns, uint64_t now_ns)
{
	m->cfg.heartbeat_ns = heartbeat_ns;
	mcast_set_beat(m);
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		m->mouths[i].report_ns =
		    num_min(m->mouths[i].report_ns, now_ns + m->beat_ns);
	if (m->due_ns != MCAST_NEVER)
		m->due_ns = num_min(m->due_ns, now_ns);
}

void
mcast_set_nodes(struct mcast *m, const struct idmap *map)
{
	ENSURE(map->before == m->cfg.node_count);
	ENSURE(map->to[m->cfg.self] != IDMAP_NONE);
	idmap_array(map, m->ears, sizeof m->ears[0]);
	m->cfg.node_count = map->after;
	m->cfg.self = map->to[m->cfg.self];
	mcast_set_beat(m);
}

void
mcast_hint(struct mcast *m, uint32_t link, bool is_usable, uint64_t now_ns)
{
	struct mcast_mouth *mouth = &m->mouths[link];

	if (!mcast_has(m, link) || mouth->is_unusable == !is_usable)
		return;
	mouth->is_unusable = !is_usable;
	mouth->report_ns = now_ns;
	m->due_ns = num_min(m->due_ns, now_ns);
	for (uint32_t i = 0; i < m->cfg.node_count; i++) {
		if (is_usable)
			continue;
		m->ears[i][link].heard_ns = 0;
		mcast_judge(m, &m->ears[i][link], now_ns);
	}
}

void
mcast_came(struct mcast *m, const struct link_at *at)
{
	struct mcast_ear *ear = mcast_ear(m, at);

	ear->came++;
	ear->heard_ns = num_max(at->now_ns, 1);
}

void
mcast_copied(struct mcast *m, const struct link_at *at)
{
	mcast_ear(m, at)->came++;
}

bool
mcast_hear(struct mcast *m, const struct link_at *at,
    const struct mcast_report *report)
{
	struct mcast_ear *ear;

	if (report->link != at->link)
		return false;
	ear = mcast_ear(m, at);
	mcast_came(m, at);
	mcast_measure(ear, report->sent);
	mcast_judge(m, ear, at->now_ns);
	return true;
}

void
mcast_sent(struct mcast *m, uint32_t link, uint32_t count)
{
	ENSURE(mcast_has(m, link));
	m->mouths[link].sent += count;
}

/* ---- time -------------------------------------------------------------- */

uint64_t
mcast_deadline_ns(const struct mcast *m)
{
	return m->due_ns;
}

/* This process was not run: nobody is to blame for the silence. */
static void
mcast_excuse(struct mcast *m, uint64_t late_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < m->cfg.node_count; i++)
		for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
			struct mcast_ear *ear = &m->ears[i][link];

			if (ear->heard_ns != 0)
				ear->heard_ns =
				    num_min(now_ns, ear->heard_ns + late_ns);
		}
}

static void
mcast_tick_link(struct mcast *m, uint32_t link, uint64_t now_ns)
{
	struct mcast_mouth *mouth = &m->mouths[link];

	for (uint32_t i = 0; i < m->cfg.node_count; i++)
		if (i != m->cfg.self)
			mcast_judge(m, &m->ears[i][link], now_ns);
	if (mouth->is_unusable || now_ns < mouth->report_ns)
		return;
	mouth->is_due = true;
	mouth->report_ns = now_ns + m->beat_ns;
}

void
mcast_tick(struct mcast *m, uint64_t now_ns)
{
	if (now_ns < m->due_ns)
		return;
	if (now_ns - m->due_ns >= m->beat_ns / 2)
		mcast_excuse(m, now_ns - m->due_ns, now_ns);
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		if (mcast_has(m, link))
			mcast_tick_link(m, link, now_ns);
	m->due_ns = now_ns + m->beat_ns;
}

bool
mcast_next(struct mcast *m, struct mcast_report *out)
{
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		struct mcast_mouth *mouth = &m->mouths[link];

		if (!mouth->is_due)
			continue;
		mouth->is_due = false;
		*out = (struct mcast_report){ link, ++mouth->sent };
		return true;
	}
	return false;
}

/* ---- answers ----------------------------------------------------------- */

uint8_t
mcast_hears(const struct mcast *m, uint32_t peer)
{
	uint8_t links = 0;

	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		if (m->ears[peer][link].hears)
			links |= (uint8_t)(1U << link);
	return links;
}

uint32_t
mcast_loss(const struct mcast *m, uint32_t peer, uint32_t link)
{
	return m->ears[peer][link].loss;
}

void
mcast_assert(const struct mcast *m)
{
	for (uint32_t i = 0; i < m->cfg.node_count; i++)
		for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
			const struct mcast_ear *ear = &m->ears[i][link];

			ENSURE(mcast_has(m, link) || ear->came == 0);
			ENSURE(!ear->hears || ear->clean_ns != 0);
			ENSURE(!ear->hears || i != m->cfg.self);
			ENSURE(ear->count_count <= MCAST_COUNTS);
			ENSURE(ear->loss <= 1000);
		}
}
