/* SPDX-License-Identifier: BSD-3-Clause */
/* `quorumd --simulate`: a story of nodes in, the core's verdicts out. */
#ifndef RK_QUORUMD_SIMULATE_H
#define RK_QUORUMD_SIMULATE_H

/*
 * Reads the script (quorumd(8)) at path, or standard input for NULL or "-",
 * and prints one record a line on standard output.  Answers what the program
 * ends with: 0; 64 for a mistake in the script, told on standard error.
 */
int quorumd_simulate(const char *path);

#endif
