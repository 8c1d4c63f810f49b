/* SPDX-License-Identifier: BSD-3-Clause */
/* simulate [FILE]: what `quorumd --simulate` does, without the rest of it. */
#include <stddef.h>

#include "bin/quorumd/quorumd_simulate.h"

int
main(int argc, char **argv)
{
	return quorumd_simulate(argc > 1 ? argv[1] : NULL);
}
