/* SPDX-License-Identifier: BSD-3-Clause */
/* linplay SEED [LIE [STEPS]]: prints a random history for lincheck. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check/lingame.h"

int
main(int argc, char **argv)
{
	struct lingame game = { .clients = 5, .keys = 4, .steps = 600 };
	if (argc < 2) {
		fputs("usage: linplay SEED [LIE [STEPS]]\n", stderr);
		return 64;
	}
	game.seed = strtoull(argv[1], NULL, 10);
	while (argc > 2 && game.lie < LINGAME_LIES &&
	    strcmp(argv[2], lingame_name(game.lie)) != 0)
		game.lie++;
	if (argc > 3)
		game.steps = (unsigned)strtoul(argv[3], NULL, 10);
	if (game.lie == LINGAME_LIES) {
		fprintf(stderr, "linplay: %s: no such lie\n", argv[2]);
		return 64;
	}
	fprintf(stderr, "%u lies\n", lingame_play(&game, stdout));
	return 0;
}
