/* SPDX-License-Identifier: BSD-3-Clause */
/* What the links want: LINKs sent, and a line in the log now and then. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/log.h"

#include "bin/ringd/link.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"

enum { RINGD_NET_LINES = 6 };
static const uint64_t ringd_net_line_ns = 10 * CLOCK_S_NS;

/* A LINK is alone in its datagram, which goes whole or not at all. */
static void
ringd_net_send_link(struct ringd_net *net, const struct link_effect *effect)
{
	const union udp_addr *to = &net->cfg.addr[effect->peer][effect->link];
	struct ringd_net_node *node = &net->nodes[effect->peer];
	struct ringd_net_counters *counters = &node->links[effect->link];
	uint8_t plain[LIMIT_FRAME_BYTES_MAX];
	struct session_header header;
	size_t len = LINK_TEXT_BYTES;

	if (effect->bytes != 0)
		len = num_max(len, effect->bytes - SESSION_OVERHEAD_BYTES);
	ENSURE(len <= sizeof plain);
	link_packet_put(&effect->packet, plain);
	memset(plain + LINK_TEXT_BYTES, 0, len - LINK_TEXT_BYTES);
	session_stamp(
	    net->session, SESSION_LINK, net->cfg.nodes[effect->peer], &header);
	ringd_net_seal(net, &header, plain, len, net->scratch);
	len += SESSION_OVERHEAD_BYTES;
	if (node->drop_out_until_ns > net->now_ns) {
		counters->filtered_out++;
		return;
	}
	counters->sent_packets++;
	counters->sent_bytes += len;
	if (effect->bytes != 0) {
		udp_send_whole(
		    &net->links[effect->link], net->scratch, len, to);
	} else {
		struct udp_batch batch = { net->scratch, len, len };

		udp_send(&net->links[effect->link], &batch, &to, 1);
	}
}

bool
ringd_net_may_log(const struct ringd_net *net, struct ringd_net_lines *lines)
{
	lines->log_ns = num_max(lines->log_ns, net->now_ns);
	if (lines->log_ns - net->now_ns >=
	    RINGD_NET_LINES * ringd_net_line_ns) {
		lines->untold++;
		return false;
	}
	lines->log_ns += ringd_net_line_ns;
	return true;
}

static void
ringd_net_log_pair(
    struct ringd_net *net, const struct link_effect *effect, const char *event)
{
	struct ringd_net_lines *lines =
	    &net->nodes[effect->peer].lines[effect->link];
	struct link_status status;

	if (!ringd_net_may_log(net, lines))
		return;
	link_status(net->paths, effect->peer, effect->link, &status);
	log_line(LOG_LEVEL_NOTICE, event,
	    "node=%u link=%u state=%s rtt_us=%llu mtu=%u untold=%u",
	    net->cfg.nodes[effect->peer], effect->link,
	    link_state_name(status.state),
	    (unsigned long long)(status.rtt_ns / 1000), status.mtu,
	    lines->untold);
	lines->untold = 0;
}

static void
ringd_net_log_moved(struct ringd_net *net, const struct link_effect *effect)
{
	log_line(LOG_LEVEL_INFO, "link-data", "node=%u links=%#x",
	    net->cfg.nodes[effect->peer], effect->data);
}

static void
ringd_net_link_effect(struct ringd_net *net, const struct link_effect *effect)
{
	switch (effect->kind) {
	case LINK_OUT_SEND:
		if (!net->is_rolled_back)
			ringd_net_send_link(net, effect);
		break;
	case LINK_OUT_UP:
		ringd_net_log_pair(net, effect, "link-up");
		break;
	case LINK_OUT_DOWN:
		ringd_net_log_pair(net, effect, "link-down");
		break;
	case LINK_OUT_MOVED:
		ringd_net_log_moved(net, effect);
		break;
	case LINK_OUT_MTU:
		ringd_net_log_pair(net, effect, "link-mtu");
		break;
	}
}

/* Of who cannot be reached now nothing is known. */
static void
ringd_net_fit(struct ringd_net *net)
{
	uint32_t frame = net->cfg.frame_bytes;

	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		uint32_t mtu = link_is_reached(net->paths, i)
		    ? link_mtu(net->paths, i, false)
		    : 0;

		if (mtu > SESSION_OVERHEAD_BYTES)
			frame = (uint32_t)num_min(
			    frame, mtu - SESSION_OVERHEAD_BYTES);
	}
	net->frame_bytes = frame;
}

uint32_t
ringd_net_frame_bytes(const struct ringd_net *net)
{
	return net->frame_bytes;
}

void
ringd_net_pull_links(struct ringd_net *net)
{
	struct link_effect effect;
	bool has_news = false;

	while (link_next(net->paths, net->now_ns, &effect)) {
		has_news |= effect.kind != LINK_OUT_SEND;
		ringd_net_link_effect(net, &effect);
	}
	if (has_news)
		ringd_net_fit(net);
}
