/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose multicasts are heard here, on which link; pure.
 *
 * Who has a group on a link sends a REPORT to it now and then, with how many
 * datagrams it has sent there so far.  So a hearer notices silence, and what
 * was lost.  It *hears* a peer on a link while neither is the case and has
 * not been for a while, longer each time; that is for the peer to know
 * (link_set_group of link.h), who sends copies to whom does not hear it.
 *
 * No I/O here.  The caller sends what is due after mcast_tick, and looks at
 * mcast_hears again after each call that takes a time.
 */
#ifndef RK_MCAST_H
#define RK_MCAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

#include "bin/ringd/link.h"

struct arena;
struct idmap;
struct mcast;

enum { MCAST_REPORT_BYTES = 16 }; /* SESSION_REPORT_BYTES of session.h */

/* ---- datagrams --------------------------------------------------------- */

struct mcast_report {
	uint32_t link; /* that it was sent over */
	uint64_t sent; /* to the group of that link, with this one */
};

void mcast_report_put(
    const struct mcast_report *report, uint8_t out[MCAST_REPORT_BYTES]);
bool mcast_report_get(
    const uint8_t *bytes, size_t len, struct mcast_report *out);

/* ---- the state machine ------------------------------------------------- */

struct mcast_config {
	uint32_t self; /* this node's place */
	uint32_t node_count;
	uint8_t links;         /* those that have a group, as bits */
	uint64_t heartbeat_ns; /* 0: 25 ms */
};

/* From a measuring arena: NULL.  cfg is copied. */
struct mcast *mcast_create(
    struct arena *arena, const struct mcast_config *cfg, uint64_t now_ns);

/* The peer is another incarnation: it is not heard yet. */
void mcast_greet(struct mcast *m, uint32_t peer, uint64_t now_ns);

/* Places move like this, this node's own too; the new are not heard yet. */
void mcast_set_nodes(struct mcast *m, const struct idmap *map);

/* Another cfg.heartbeat_ns, here and at all peers. */
void mcast_set_heartbeat(
    struct mcast *m, uint64_t heartbeat_ns, uint64_t now_ns);

/* The group of this link cannot be heard or spoken to now, or can. */
void mcast_hint(
    struct mcast *m, uint32_t link, bool is_usable, uint64_t now_ns);

/* An authentic datagram of the peer's that was not here before came by the
 * group of the link. */
void mcast_came(struct mcast *m, const struct link_at *at);

/* So did one that had come over another link before: it was not lost here, but
 * may be a recording, and is no sign of life. */
void mcast_copied(struct mcast *m, const struct link_at *at);

/*
 * As mcast_came, and it was a report.  False: it is of another link; then
 * nothing happened.
 */
bool mcast_hear(struct mcast *m, const struct link_at *at,
    const struct mcast_report *report);

/* Datagrams other than reports are about to be sent to the group. */
void mcast_sent(struct mcast *m, uint32_t link, uint32_t count);

uint64_t mcast_deadline_ns(const struct mcast *m);
void mcast_tick(struct mcast *m, uint64_t now_ns);

/* A report is to be sent; false: there is none left. */
bool mcast_next(struct mcast *m, struct mcast_report *out);

/* ---- answers ----------------------------------------------------------- */

/* The links on which the peer's multicasts are heard, as bits. */
uint8_t mcast_hears(const struct mcast *m, uint32_t peer);

/* What was lost of the peer's lately, in thousandths. */
uint32_t mcast_loss(const struct mcast *m, uint32_t peer, uint32_t link);

/* Every invariant of the whole state (ENSURE); for tests. */
void mcast_assert(const struct mcast *m);

#endif
