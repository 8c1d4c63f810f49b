/* SPDX-License-Identifier: BSD-3-Clause */
/* Small worlds in full: three nodes form a ring with messages under way, and
 * everything that can be lost is lost once; who can die dies everywhere. */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/scenario.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)

enum {
	SMALL_PAIRS = 2500, /* of all pairs of losses, drawn */
	SMALL_FORM_MS = 40, /* formation and traffic */
};

/* Datagrams are numbered as they are sent, from 0. */
static uint64_t small_sent;
static uint64_t small_lost[2];

static bool
lose_numbered(struct sim *sim, uint32_t from, uint32_t to,
    const struct sim_packet *packet)
{
	uint64_t number = small_sent++;

	(void)sim;
	(void)from;
	(void)to;
	(void)packet;
	return number != small_lost[0] && number != small_lost[1];
}

/* The same story each time, up to the moment when something is lost. */
static void
form_with_traffic(struct sim *sim)
{
	scenario_world(sim, 3);
	small_sent = 0;
	sim->net.filter = lose_numbered;
	scenario_start(sim, "123");
	scenario_send(sim, "13", 1, 100, TOTEM_SAFE);
	scenario_run_ms(sim, SMALL_FORM_MS / 2);
	scenario_send(sim, "123", 1, 3000, TOTEM_AGREED);
	scenario_send(sim, "21", 1, 10, TOTEM_SAFE);
	scenario_run_ms(sim, SMALL_FORM_MS / 2);
}

/* How many datagrams the story has when nothing is lost. */
static uint64_t
story_length(struct sim *sim)
{
	small_lost[0] = small_lost[1] = UINT64_MAX;
	form_with_traffic(sim);
	uint64_t length = small_sent;
	scenario_end(sim);
	return length;
}

static void
small_every_single_loss(struct sim *sim)
{
	uint64_t length = story_length(sim);

	for (uint64_t i = 0; i < length && !sim_has_failed(sim); i++) {
		small_lost[0] = i;
		form_with_traffic(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			sim_tell(
			    sim, NULL, "lost: %llu", (unsigned long long)i);
	}
}

static void
small_pairs_of_losses(struct sim *sim)
{
	uint64_t length = story_length(sim);
	struct rng rng;

	rng_init(&rng, 2);
	for (int i = 0; i < SMALL_PAIRS && !sim_has_failed(sim); i++) {
		small_lost[0] = rng_below(&rng, length);
		small_lost[1] = rng_below(&rng, length);
		form_with_traffic(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			sim_tell(sim, NULL, "lost: %llu %llu",
			    (unsigned long long)small_lost[0],
			    (unsigned long long)small_lost[1]);
	}
}

/* One node dies at each datagram it would send, and comes back or not. */
static void
die_everywhere(struct sim *sim, uint32_t id, bool is_restarted)
{
	const char name[] = { (char)('0' + id), '\0' };

	small_lost[0] = small_lost[1] = UINT64_MAX;
	for (uint32_t datagram = 1; !sim_has_failed(sim); datagram++) {
		scenario_world(sim, 3);
		scenario_start(sim, "123");
		scenario_node(sim, id)->crash_in = datagram;
		scenario_send(sim, "13", 1, 100, TOTEM_SAFE);
		scenario_run_ms(sim, SMALL_FORM_MS / 2);
		scenario_send(sim, id == 2 ? "13" : "2", 1, 3000, TOTEM_AGREED);
		scenario_run_ms(sim, SMALL_FORM_MS / 2);
		bool is_over = scenario_node(sim, id)->power == SIM_ON;
		if (is_restarted && !is_over)
			scenario_start(sim, name);
		scenario_end(sim);
		if (is_over)
			return;
	}
}

static void
small_crash_of_1_everywhere(struct sim *sim)
{
	die_everywhere(sim, 1, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 1, true);
}

static void
small_crash_of_2_everywhere(struct sim *sim)
{
	die_everywhere(sim, 2, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 2, true);
}

static void
small_crash_of_3_everywhere(struct sim *sim)
{
	die_everywhere(sim, 3, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 3, true);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(small_every_single_loss),
		SCENARIO(small_pairs_of_losses),
		SCENARIO(small_crash_of_1_everywhere),
		SCENARIO(small_crash_of_2_everywhere),
		SCENARIO(small_crash_of_3_everywhere),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
