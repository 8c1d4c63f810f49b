/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker of histories, on random ones: it believes every honest store,
 * finds every kind of lie, and agrees with who tries all orders.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check/linbrute.h"
#include "tests/check/lincheck.h"
#include "tests/check/lincheck_internal.h"
#include "tests/check/lincheck_read.h"
#include "tests/check/lingame.h"
#include "tests/unit/check.h"

enum { HONEST_GAMES = 60, LYING_GAMES = 6, SMALL_GAMES = 8000 };

static struct lincheck *
read_all(FILE *file)
{
	struct lincheck *check = lincheck_create();
	struct lincheck_reader reader = { .check = check, .path = "h" };
	rewind(file);
	if (!CHECK(lincheck_read(&reader, file)))
		printf("h:%llu: %s\n", (unsigned long long)reader.line,
		    reader.why);
	return check;
}

static FILE *
play(const struct lingame *game, unsigned *lies)
{
	FILE *file = tmpfile();
	if (!CHECK(file != NULL))
		exit(1);
	*lies = lingame_play(game, file);
	return file;
}

/* NULL: it is believed. */
static const char *
judge(const struct lingame *game, unsigned *lies)
{
	static struct lincheck_breach breach;
	struct lincheck_tally tally;
	FILE *file = play(game, lies);
	struct lincheck *check = read_all(file);
	lincheck_judge(check, &breach, &tally);
	lincheck_destroy(check);
	fclose(file);
	return breach.rule == NULL ? NULL : breach.text;
}

static void
about(const struct lingame *game)
{
	static char text[64];
	snprintf(text, sizeof text, "seed %llu, %s",
	    (unsigned long long)game->seed, lingame_name(game->lie));
	check_case(text);
}

static void
test_lincheck_believes_an_honest_store(void)
{
	struct lingame game = { .clients = 5, .keys = 4, .steps = 400 };
	unsigned lies;
	for (game.seed = 1; game.seed <= HONEST_GAMES; game.seed++) {
		about(&game);
		game.is_vague = game.seed % 3 == 0;
		game.values = game.seed % 5 == 0 ? 20 : 0;
		CHECK_STR(judge(&game, &lies), NULL);
	}
	check_case(NULL);
}

/* A lie that nobody can have noticed is none: most games have several. */
static void
test_lincheck_finds_every_kind_of_lie(void)
{
	struct lingame game = { .clients = 5, .keys = 4, .steps = 600 };
	unsigned lies;
	for (game.lie = 1; game.lie < LINGAME_LIES; game.lie++) {
		unsigned told = 0, found = 0;
		for (game.seed = 1; game.seed <= LYING_GAMES; game.seed++) {
			bool is_found = judge(&game, &lies) != NULL;
			told += lies > 0;
			found += is_found;
			about(&game);
			CHECK(lies > 0 || !is_found);
		}
		CHECK(told > LYING_GAMES / 3);
		CHECK(found * 3 >= told * 2);
	}
	check_case(NULL);
}

/* Only the first disagreement is told. */
static bool
agrees(const struct lingame *game, unsigned verdicts[2])
{
	static struct lincheck_breach breach;
	struct lincheck_tally tally;
	unsigned lies;
	FILE *file = play(game, &lies);
	struct lincheck *check = read_all(file);
	bool does_agree = true;
	fclose(file);
	if (check->ops.count <= LINBRUTE_OPS) {
		bool is_good = linbrute_is_linearizable(check);
		lincheck_judge(check, &breach, &tally);
		verdicts[is_good]++;
		does_agree = CHECK_EQ(breach.rule == NULL, is_good);
		if (!does_agree && breach.rule != NULL)
			printf("%s\n", breach.text);
	}
	lincheck_destroy(check);
	return does_agree;
}

static void
test_lincheck_agrees_with_who_tries_all_orders(void)
{
	struct lingame game = { .clients = 3,
		.keys = 2,
		.values = 3,
		.steps = 16,
		.is_plain = true };
	unsigned verdicts[2] = { 0 };
	bool do_agree = true;
	for (game.seed = 1; do_agree && game.seed <= SMALL_GAMES; game.seed++) {
		game.lie = game.seed % (LINGAME_VANISHED + 1);
		game.is_vague = game.seed % 2 == 0;
		about(&game);
		do_agree = agrees(&game, verdicts);
	}
	check_case(NULL);
	CHECK(!do_agree || verdicts[0] > SMALL_GAMES / 20);
	CHECK(!do_agree || verdicts[1] > SMALL_GAMES / 4);
}

static void
test_lincheck_says_so_when_it_cannot_decide(void)
{
	/* Any of forty may have been at any of forty places, and none helps. */
	FILE *file = tmpfile();
	static struct lincheck_breach breach;
	struct lincheck_tally tally;
	if (!CHECK(file != NULL))
		exit(1);
	for (int i = 1; i <= 12; i++)
		fprintf(file, "u%d 1 - txn if=a value=%d put=a value=%d\n", i,
		    i + 1, i);
	for (int i = 1; i <= 12; i++)
		fprintf(
		    file, "v%d 1 - txn if=b exists=yes put=b value=%d\n", i, i);
	fputs("c 2 3 set key=z value=1 -> ok rev=40\n"
	      "c 4 5 set key=b value=99 if_exists=yes -> ok rev=41\n",
	    file);
	struct lincheck *check = read_all(file);
	lincheck_judge(check, &breach, &tally);
	CHECK_STR(breach.rule, "undecided");
	lincheck_destroy(check);
	fclose(file);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lincheck_believes_an_honest_store),
		CHECK_TEST(test_lincheck_finds_every_kind_of_lie),
		CHECK_TEST(test_lincheck_agrees_with_who_tries_all_orders),
		CHECK_TEST(test_lincheck_says_so_when_it_cannot_decide),
	};
	return CHECK_MAIN(argc, argv, tests);
}
