/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs what may abort, crash or hang, and lives on. */
#ifndef RK_SIM_CATCH_H
#define RK_SIM_CATCH_H

struct sim;

/*
 * A broken ENSURE, a bad access and a step that never ends become failures
 * of the run.  What the run held in memory is lost until the next reset.
 */
void sim_catch_run(struct sim *sim, void (*run)(struct sim *sim));

/* What runs has not hung: it has as long again. */
void sim_catch_renew(void);

#endif
