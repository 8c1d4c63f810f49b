/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a ringd waits for the votes on what it proposed. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"

#include "bin/ringd/ringd.h"
#include "tests/unit/check.h"

static struct ringd r; /* as much of it as proposes */
static struct ringd_change change;
static struct ringd_confs confs;
static void *memory;

static void
set_node(struct cluster_conf *conf, uint32_t i, const char *addr)
{
	struct cluster_node *node = &conf->nodes[i];

	node->id = i + 1;
	node->link_count = conf->link_count;
	CHECK_EQ(udp_addr_parse(&node->link[0], addr, 5410), 0);
}

/* What is read will be what is in force, until a test changes it. */
static void
begin(void)
{
	struct totem_view view = { .phase = TOTEM_PHASE_REGULAR,
		.ring = { .seq = 1, .rep = 1 },
		.members = { .count = 2, .id = { 1, 2 } },
		.incarnation = { 1, 1 } };
	struct arena arena;

	for (uint32_t i = 0; i < 2; i++) {
		confs.conf[i].node_count = 2;
		confs.conf[i].link_count = 1;
		set_node(&confs.conf[i], 0, "10.0.0.1");
		set_node(&confs.conf[i], 1, "10.0.0.2");
	}
	arena_init(&arena, NULL, 0);
	CHECK(change_create(&arena, 1, 1) == NULL);
	memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	arena_init(&arena, memory, arena.used_bytes);
	change = (struct ringd_change){ .core = change_create(&arena, 1, 1) };
	change_view(change.core, &view);
	r = (struct ringd){ .conf = &confs.conf[0],
		.change = &change,
		.now_ns = 1000 * CLOCK_S_NS,
		.reload.confs = &confs };
}

/* The file was read: it is proposed, for so long. */
static uint64_t
patience_ns(void)
{
	struct ringd_reload_answer answer = { .kind = RINGD_JOB_RELOAD,
		.is_read = true,
		.number = 3,
		.digest = 4711 };

	r.reload.asked = RINGD_CHANGE_RELOAD;
	r.reload.asked_job = answer.number;
	r.reload.cookie = 1;
	memcpy(r.disk.answer, &answer, sizeof answer);
	r.disk.answer_len = sizeof answer;
	ringd_reload_read(&r);
	CHECK_EQ(change.asked, RINGD_CHANGE_RELOAD);
	CHECK_EQ(change.cookie, 1);
	free(memory);
	return change.deadline_ns - r.now_ns;
}

static void
test_ringd_change_has_time_where_no_link_changes(void)
{
	begin();
	confs.conf[1].nodes[1].votes = 2;
	CHECK_EQ(patience_ns(), 40 * CLOCK_S_NS);
	confs.conf[1].nodes[1].votes = 0;
}

static void
test_ringd_change_of_an_address_is_not_waited_for(void)
{
	begin();
	set_node(&confs.conf[1], 1, "10.0.0.3");
	CHECK_EQ(patience_ns(), RINGD_LINKS_VOTE_NS);
}

static void
test_ringd_change_of_the_number_of_links_is_not_waited_for(void)
{
	begin();
	confs.conf[1].link_count = 2;
	CHECK_EQ(patience_ns(), RINGD_LINKS_VOTE_NS);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_change_has_time_where_no_link_changes),
		CHECK_TEST(test_ringd_change_of_an_address_is_not_waited_for),
		CHECK_TEST(
		    test_ringd_change_of_the_number_of_links_is_not_waited_for),
	};

	return CHECK_MAIN(argc, argv, tests);
}
