/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs written by hand, for the tests of the oracle.
 *
 * A script is a list of events, separated by ';' or LF.  N is a node, or
 * NODE/INC, by default its newest incarnation; RING is REP.SEQ; POS is
 * RING:SEQ.IDX; LIST is N,N,… and may be "-" when empty.
 *
 *	at MS                               time from here on
 *	start N [amnesic]  crash N [detect=MS]
 *	leave N  pause N  resume N  gap N
 *	reg N RING LIST [joined=LIST]       a regular view
 *	trans N RING LIST [from=RING] [left=LIST]
 *	                                    a transitional one, to RING
 *	go LIST RING                        all of LIST: trans and reg
 *	sub N NO [safe] [sys] [len=] [hash=] [if=RING]
 *	drop N NO
 *	dlv N SENDER NO POS [tr] [safe] [agreed] [len=] [hash=]
 *	asg SENDER POS
 *	op N NO join|leave|exit GROUP CONN
 *	gview N GROUP N:CONN,…   gmsg N GROUP SENDER NO   sync N RING
 *	join N   size N VALUE LIMIT
 *	fault  heal [views=MS] [agreed=MS] [safe=MS] [joins=N]  calm
 *	graph N-N,N-N,…
 *
 * A dlv has the properties of its sub unless it names others.  An event that
 * begins with '!' is the one that a failure must point at.
 */
#ifndef RK_ORACLE_SCRIPT_H
#define RK_ORACLE_SCRIPT_H

#include "tests/sim/oracle.h"

struct oracle_outcome {
	const struct oracle_failure *failure; /* or NULL */
	uint64_t marked_no;                   /* of the '!' event; 0: none */
};

/* Aborts when the script cannot be read. */
struct oracle_outcome oracle_script_run(
    struct oracle *oracle, const char *script);

#endif
