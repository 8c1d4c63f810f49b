/* SPDX-License-Identifier: BSD-3-Clause */
/* What ringd tells about itself: status, stats, and the dump in the log. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/group.h"
#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"

enum { LINE_BYTES = 2048 };

/* Where the lines go: to a client, or into the log. */
struct report {
	struct ringd *r;
	struct svc_request *req; /* NULL: the log */
	uint64_t items;
	struct text out;
	char bytes[LINE_BYTES];
};

/* ---- lines ------------------------------------------------------------- */

static void
begin(struct report *report, const char *kind)
{
	text_init(&report->out, report->bytes, sizeof report->bytes);
	if (report->req != NULL) {
		svc_put_tag(&report->out, report->req->tag);
		text_put(&report->out, "item ");
	}
	text_put(&report->out, kind);
}

static void
put(struct report *report, const char *key, const char *value)
{
	text_put_char(&report->out, ' ');
	text_put(&report->out, key);
	text_put_char(&report->out, '=');
	text_put(&report->out, value);
}

static void
put_number(struct report *report, const char *key, uint64_t number)
{
	put(report, key, "");
	text_put_u64(&report->out, number);
}

static void
end(struct report *report)
{
	report->items++;
	if (report->req == NULL) {
		log_always("dump", "%s", report->out.bytes);
		return;
	}
	text_put_char(&report->out, '\n');
	svc_put(report->req->client, report->out.bytes, report->out.len);
}

/* ---- status ------------------------------------------------------------ */

static void
put_ring(struct report *report, const struct totem_status *status)
{
	begin(report, "kind=ring");
	put(report, "state", totem_state_name(status->state));
	put(report, "view", "");
	totem_ring_text(status->ring, &report->out);
	put(report, "members", "");
	ringd_client_put_nodes(&report->out, &status->members);
	put_number(report, "since_ms",
	    num_sub(report->r->now_ns, report->r->view_ns) / CLOCK_MS_NS);
	put(report, "gate", status->is_gate_open ? "open" : "closed");
	put_number(report, "token_age_ms", status->token_age_ns / CLOCK_MS_NS);
	put_number(report, "rotation_us", status->rotation_ns / 1000);
	put_number(report, "window", status->window);
	put_number(
	    report, "frame_bytes", ringd_net_frame_bytes(report->r->net));
	put_number(report, "queue_bytes", status->queue_bytes_used);
	put_number(report, "aru", status->aru);
	put_number(report, "high", status->high);
	put_number(report, "delivered", status->delivered);
	put_number(report, "stable", status->stable);
	put(report, "reason", totem_reason_name(status->gather_reason));
	end(report);
}

static bool
is_member(const struct totem_nodes *nodes, uint32_t node)
{
	for (uint32_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == node)
			return true;
	return false;
}

static void
put_node(
    struct report *report, const struct totem_status *status, uint32_t index)
{
	const struct ringd *r = report->r;
	const struct cluster_node *node = &r->conf->nodes[index];
	bool is_local = index == r->conf->self;
	struct totem_peer_status peer = { .is_alive = is_local };

	if (!is_local)
		(void)totem_peer_status(r->totem, node->id, r->now_ns, &peer);
	begin(report, "kind=node");
	put_number(report, "node", node->id);
	put(report, "name", node->name);
	put(report, "state",
	    is_member(&status->members, node->id) ? "member" : "absent");
	put(report, "local", is_local ? "yes" : "no");
	put_number(
	    report, "inc", is_local ? r->disk.incarnation : peer.incarnation);
	put(report, "alive", peer.is_alive ? "yes" : "no");
	if (!is_local) {
		put_number(report, "silent_ms", peer.silent_ns / CLOCK_MS_NS);
		put_number(
		    report, "dead_after_ms", peer.dead_after_ns / CLOCK_MS_NS);
		put_number(report, "suspect_after_ms",
		    peer.suspect_after_ns / CLOCK_MS_NS);
		put_number(report, "rtt_us", peer.rtt_ns / 1000);
		put_number(report, "late_us", peer.late_ns / 1000);
	}
	put_number(report, "votes", node->votes);
	end(report);
}

/* How DATA comes to a peer and from it, over one link. */
static void
put_mcast(struct report *report, uint32_t link,
    const struct ringd_net_mcast_peer *peer)
{
	struct ringd_net_mcast group;

	/* What is configured comes into force at the end of the turn. */
	if (link >= ringd_net_link_count(report->r->net))
		return;
	ringd_net_mcast(report->r->net, link, &group);
	if (!group.has_group)
		return;
	put(report, "mcast_out", peer->hears_us ? "group" : "copies");
	put(report, "mcast_in", peer->is_heard ? "group" : "copies");
	put_number(report, "mcast_loss_in", peer->loss_in);
}

static void
put_links(struct report *report, const struct cluster_node *node)
{
	const struct ringd *r = report->r;
	struct ringd_net_peer peer;

	if (!ringd_net_peer(r->net, node->id, r->now_ns, &peer))
		return;
	for (uint32_t i = 0; i < node->link_count; i++) {
		const struct link_status *link = &peer.state[i];

		begin(report, "kind=link");
		put_number(report, "node", node->id);
		put_number(report, "link", i);
		put(report, "addr", "");
		udp_addr_text(&node->link[i], &report->out);
		put(report, "state",
		    link->is_unusable ? "unusable"
				      : link_state_name(link->state));
		put(report, "active", link->has_data ? "yes" : "no");
		put(report, "good", link->is_good ? "yes" : "no");
		put_number(report, "rtt_us", link->rtt_ns / 1000);
		put_number(report, "rtt_dev_us", link->rtt_dev_ns / 1000);
		put_number(report, "loss_in", link->loss_in);
		put_number(report, "loss_out", link->loss_out);
		put_number(report, "mtu", link->mtu);
		put_number(report, "priority", link->priority);
		put_mcast(report, i, &peer.mcast[i]);
		end(report);
	}
}

static void
put_group(struct report *report, uint32_t link)
{
	struct ringd_net_mcast group;

	/* What is configured comes into force at the end of the turn. */
	if (link >= ringd_net_link_count(report->r->net))
		return;
	ringd_net_mcast(report->r->net, link, &group);
	if (!group.has_group)
		return;
	put(report, "group", "");
	udp_addr_text(&group.group, &report->out);
	put(report, "joined", group.is_joined ? "yes" : "no");
}

/* What the kernel says of this node's own end of each link. */
static void
put_local(struct report *report)
{
	const struct netwatch *local = &report->r->local;

	for (uint32_t i = 0; i < local->count; i++) {
		const struct netwatch_item *item = &local->item[i];

		begin(report, "kind=local");
		put_number(report, "link", i);
		put(report, "addr", "");
		udp_addr_text(&item->addr, &report->out);
		put(report, "state", netwatch_state_name(item->state));
		put(report, "interface", item->ifname);
		put_group(report, i);
		end(report);
	}
}

static void
put_keys(struct report *report)
{
	const struct box_keyring *keys = report->r->keys->ring;

	for (uint32_t i = 0; i < keys->count; i++) {
		begin(report, "kind=key");
		put_number(report, "id", keys->id[i]);
		put(report, "active",
		    keys->id[i] == box_keyring_active(keys) ? "yes" : "no");
		put(report, "fingerprint", "");
		text_put_hex(
		    &report->out, box_hash(keys->key[i], BOX_KEY_BYTES));
		end(report);
	}
}

static void
put_config(struct report *report)
{
	const struct ringd *r = report->r;

	begin(report, "kind=config");
	put(report, "digest", "");
	ringd_reload_put_digest(&report->out, r->reload.config);
	put_number(report, "reloads", r->reload.count);
	put_number(report, "nodes", r->conf->node_count);
	end(report);
}

static void
put_drop(struct report *report, uint32_t node, const char *direction,
    uint64_t until_ns)
{
	if (until_ns <= report->r->now_ns)
		return;
	begin(report, "kind=drop");
	put_number(report, "node", node);
	put(report, "dir", direction);
	put_number(
	    report, "left_ms", (until_ns - report->r->now_ns) / CLOCK_MS_NS);
	end(report);
}

static void
put_warning(struct report *report, uint32_t node, const char *msg)
{
	begin(report, "kind=warning");
	put_number(report, "node", node);
	put(report, "msg", msg);
	end(report);
}

static void
put_peer_notes(struct report *report, const struct cluster_node *node)
{
	struct totem_peer_status core;
	struct ringd_net_peer peer;

	if (!ringd_net_peer(report->r->net, node->id, report->r->now_ns, &peer))
		return;
	put_drop(report, node->id, "in", peer.drop_in_until_ns);
	put_drop(report, node->id, "out", peer.drop_out_until_ns);
	if (peer.session.is_table_different)
		put_warning(report, node->id,
		    "its\\0040table\\0040of\\0040nodes\\0040differs:"
		    "\\0040give\\0040it\\0040the\\0040same\\0040file,"
		    "\\0040then\\0040ringkit\\0040reload");
	if (totem_peer_status(
		report->r->totem, node->id, report->r->now_ns, &core) &&
	    core.is_mismatched)
		put_warning(report, node->id,
		    "its\\0040limits\\0040differ:\\0040no\\0040ring\\0040with"
		    "\\0040it");
}

static void
put_clients(struct report *report)
{
	struct ringd *r = report->r;
	struct svc_client *client = NULL;

	while ((client = svc_client_next(r->svc, client)) != NULL) {
		const struct unixsock_peer *peer = svc_client_peer(client);
		const struct ringd_client *c = ringd_client_of(client);
		uint64_t subs = 0, lost = 0;

		for (uint32_t i = 0; i < RINGD_CLIENT_SUBS; i++) {
			subs += c->subs[i].kind != RINGD_SUB_NONE;
			lost += c->subs[i].lost_total;
		}
		begin(report, "kind=client");
		put_number(report, "conn", c->conn);
		put_number(report, "pid", (uint64_t)peer->pid);
		put_number(report, "uid", peer->uid);
		put(report, "name", "");
		text_put_value(&report->out, c->name, c->name_len);
		put_number(report, "groups", ringd_client_groups(r, c));
		put_number(report, "subs", subs);
		put_number(report, "pending", c->pending_count);
		put_number(report, "queue_bytes", svc_client_queued(client));
		put_number(report, "lost", lost);
		end(report);
	}
}

/* What the detector and the timers go by: DESIGN.md, 7.2. */
static void
put_detect(struct report *report, const struct totem_status *status)
{
	static const char *const presets[] = { "lan", "wan", "loaded-vm" };
	const struct totem_config *cfg = totem_config(report->r->totem);
	const struct {
		const char *key;
		uint64_t span_ns;
	} spans[] = {
		{ "heartbeat_ms", cfg->heartbeat_ns },
		{ "suspect_min_ms", cfg->suspect_min_ns },
		{ "suspect_max_ms", cfg->suspect_max_ns },
		{ "confirm_min_ms", cfg->confirm_min_ns },
		{ "confirm_max_ms", cfg->confirm_max_ns },
		{ "token_ms", status->token_loss_ns },
		{ "consensus_ms", cfg->consensus_ns },
		{ "join_ms", cfg->join_ns },
		{ "merge_ms", cfg->merge_ns },
		{ "hold_down_ms", cfg->merge_hold_down_ns },
		{ "hold_down_max_ms", cfg->merge_hold_down_max_ns },
	};

	begin(report, "kind=detect");
	put(report, "preset", presets[report->r->conf->ring.preset]);
	put_number(report, "health", status->health);
	for (size_t i = 0; i < ARRAY_COUNT(spans); i++)
		put_number(
		    report, spans[i].key, spans[i].span_ns / CLOCK_MS_NS);
	end(report);
}

static void
put_process(struct report *report)
{
	const struct ringd *r = report->r;
	struct ringd_net_status net;
	struct group_status groups;

	ringd_net_status(r->net, &net);
	group_status(r->groups, &groups);
	begin(report, "kind=process");
	put(report, "version", RINGKIT_VERSION);
	put_number(report, "pid", (uint64_t)getpid());
	put_number(report, "supervisor", (uint64_t)r->supervisor);
	put_number(
	    report, "uptime_ms", (r->now_ns - r->start_ns) / CLOCK_MS_NS);
	put(report, "sched", r->scheduling);
	put(report, "mlock", r->is_locked ? "yes" : "no");
	put(report, "cipher", net.cipher);
	put_number(report, "memory_bytes", r->memory_bytes);
	put_number(report, "groups", groups.groups);
	put_number(report, "members", groups.members);
	put(report, "synced", groups.is_synced ? "yes" : "no");
	put(report, "leaving", r->leave_deadline_ns != 0 ? "yes" : "no");
	end(report);
}

static void
put_status(struct report *report)
{
	const struct cluster_conf *conf = report->r->conf;
	struct totem_status status;

	totem_status(report->r->totem, report->r->now_ns, &status);
	put_ring(report, &status);
	for (uint32_t i = 0; i < conf->node_count; i++)
		put_node(report, &status, i);
	for (uint32_t i = 0; i < conf->node_count; i++)
		put_links(report, &conf->nodes[i]);
	put_local(report);
	put_config(report);
	put_keys(report);
	put_detect(report, &status);
	put_process(report);
	for (uint32_t i = 0; i < conf->node_count; i++)
		put_peer_notes(report, &conf->nodes[i]);
}

enum svc_result
ringd_svc_status(void *arg, struct svc_request *req)
{
	struct report report = { .r = arg, .req = req };

	ringd_set_now(arg, req->now_ns);
	put_status(&report);
	put_clients(&report);
	svc_ok(
	    req->client, req->tag, "n=%llu", (unsigned long long)report.items);
	return SVC_DONE;
}

void
ringd_svc_dump(struct ringd *r)
{
	struct report report = { .r = r };

	put_status(&report);
	put_clients(&report);
}

/* ---- stats ------------------------------------------------------------- */

static void
put_count(
    struct report *report, const char *group, const char *name, uint64_t value)
{
	begin(report, "name=");
	text_put(&report->out, group);
	text_put(&report->out, name);
	put_number(report, "value", value);
	end(report);
}

static void
put_core_counts(struct report *report)
{
	const struct ringd *r = report->r;
	struct totem_status status;

	for (int i = 0; i < TOTEM_COUNTERS; i++)
		put_count(report, "ring_",
		    totem_counter_name((enum totem_counter)i),
		    totem_count(r->totem, (enum totem_counter)i));
	totem_status(r->totem, r->now_ns, &status);
	for (int i = 0; i < TOTEM_REASONS; i++) {
		begin(report, "name=ring_gathers_by_reason");
		put(report, "reason", totem_reason_name((enum totem_reason)i));
		put_number(report, "value", status.gathers[i]);
		end(report);
	}
	put_count(report, "ring_", "rotation_ns", status.rotation_ns);
	put_count(report, "ring_", "rotation_dev_ns", status.rotation_dev_ns);
	for (int i = 0; i < GROUP_COUNTERS; i++)
		put_count(report, "", group_counter_name((enum group_counter)i),
		    group_count(r->groups, (enum group_counter)i));
}

static void
put_udp_counts(struct report *report)
{
	const struct ringd *r = report->r;

	for (uint32_t i = 0; i < ringd_net_link_count(r->net); i++) {
		const struct udp *udp = ringd_net_udp(r->net, i);
		const struct {
			const char *name;
			uint64_t value;
		} counts[] = {
			{ "sent_datagrams", udp->counters.sent_datagrams },
			{ "sent_bytes", udp->counters.sent_bytes },
			{ "send_calls", udp->counters.send_calls },
			{ "received_datagrams",
			    udp->counters.received_datagrams },
			{ "received_bytes", udp->counters.received_bytes },
			{ "receive_calls", udp->counters.receive_calls },
			{ "dropped_full", udp->counters.dropped_full },
			{ "dropped_error", udp->counters.dropped_error },
			{ "truncated", udp->counters.truncated },
			{ "errors", udp->counters.errors },
			{ "has_segment", udp->has_segment },
			{ "has_gro", udp->has_gro },
		};

		for (size_t k = 0; k < ARRAY_COUNT(counts); k++) {
			begin(report, "name=udp_");
			text_put(&report->out, counts[k].name);
			put_number(report, "link", i);
			put_number(report, "value", counts[k].value);
			end(report);
		}
	}
}

static void
put_mcast_counts(struct report *report)
{
	const struct ringd *r = report->r;

	for (uint32_t i = 0; i < ringd_net_link_count(r->net); i++) {
		struct ringd_net_mcast group;

		ringd_net_mcast(r->net, i, &group);
		begin(report, "name=mcast_sent_packets");
		put_number(report, "link", i);
		put_number(report, "value", group.sent_packets);
		end(report);
		begin(report, "name=mcast_sent_bytes");
		put_number(report, "link", i);
		put_number(report, "value", group.sent_bytes);
		end(report);
	}
}

static void
put_refused_counts(struct report *report)
{
	struct ringd_net_status net;

	ringd_net_status(report->r->net, &net);
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++) {
		begin(report, "name=net_refused");
		put(report, "reason",
		    session_refusal_name((enum session_refusal)i));
		put_number(report, "value", net.refused[i]);
		end(report);
	}
}

static void
put_peer_counts(struct report *report, const struct cluster_node *node)
{
	const struct ringd *r = report->r;
	struct ringd_net_peer peer;

	if (!ringd_net_peer(r->net, node->id, r->now_ns, &peer))
		return;
	for (uint32_t i = 0; i < node->link_count; i++) {
		const struct ringd_net_counters *link = &peer.links[i];
		const struct {
			const char *name;
			uint64_t value;
		} counts[] = {
			{ "sent_packets", link->sent_packets },
			{ "sent_bytes", link->sent_bytes },
			{ "received_packets", link->received_packets },
			{ "received_bytes", link->received_bytes },
			{ "refused", link->refused },
			{ "filtered_in", link->filtered_in },
			{ "filtered_out", link->filtered_out },
			{ "link_downs", peer.state[i].downs },
			{ "mcast_packets", link->mcast_packets },
			{ "mcast_bytes", link->mcast_bytes },
		};

		for (size_t k = 0; k < ARRAY_COUNT(counts); k++) {
			begin(report, "name=peer_");
			text_put(&report->out, counts[k].name);
			put_number(report, "peer", node->id);
			put_number(report, "link", i);
			put_number(report, "value", counts[k].value);
			end(report);
		}
	}
}

static void
put_shell_counts(struct report *report)
{
	const struct ringd *r = report->r;
	struct svc_stats svc;
	struct loop_stats loop;

	svc_stats(r->svc, &svc);
	loop_stats(r->loop, &loop);
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "clients", svc.clients },
		{ "clients_accepted", svc.accepted },
		{ "clients_refused", svc.refused },
		{ "clients_closed_slow", svc.closed_slow },
		{ "requests", svc.requests },
		{ "requests_failed", svc.failed },
		{ "bytes_in", svc.bytes_in },
		{ "bytes_out", svc.bytes_out },
		{ "queued_bytes", svc.queued_bytes },
		{ "loop_turns", loop.iterations },
		{ "loop_busy_ns_max", loop.busy_ns_max },
		{ "loop_late_ns_max", loop.late_ns_max },
		{ "cpu_ns", clock_cpu_ns() },
	};

	for (size_t k = 0; k < ARRAY_COUNT(counts); k++)
		put_count(report, "", counts[k].name, counts[k].value);
}

enum svc_result
ringd_svc_stats(void *arg, struct svc_request *req)
{
	struct report report = { .r = arg, .req = req };
	const struct cluster_conf *conf = report.r->conf;

	ringd_set_now(arg, req->now_ns);
	put_core_counts(&report);
	put_shell_counts(&report);
	put_udp_counts(&report);
	put_mcast_counts(&report);
	put_refused_counts(&report);
	for (uint32_t i = 0; i < conf->node_count; i++)
		put_peer_counts(&report, &conf->nodes[i]);
	svc_ok(
	    req->client, req->tag, "n=%llu", (unsigned long long)report.items);
	return SVC_DONE;
}
