/* SPDX-License-Identifier: BSD-3-Clause */
/* The oracle against runs written by hand: what it must pass, and what it
 * must not, with the predicate it must name and the event it must point at.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/sim/oracle.h"
#include "tests/sim/oracle_script.h"
#include "tests/unit/check.h"

#define UP1 "start 1; reg 1 1.1 1;"
#define UP2 UP1 "start 2; reg 2 2.1 2; go 1,2 1.2;"
#define UP3 UP1 "start 2; reg 2 2.1 2; start 3; reg 3 3.1 3; go 1,2,3 1.2;"

enum { S = ORACLE_SUBMITS, L = ORACLE_LATE, LS = ORACLE_LATE | ORACLE_SUBMITS };

struct oracle_case {
	const char *about;
	unsigned options;
	const char *script;
	const char *predicate; /* "": a good run */
};

/* ---- good runs
 * --------------------------------------------------------------- */

static const struct oracle_case good_cases[] = {
	{ "nothing", S, "", "" },
	{ "one node", S, UP1 "sub 1 1; dlv 1 1 1 1.1:1.0; heal", "" },
	{ "first ring never shown", S,
	    "start 1; sub 1 1; dlv 1 1 1 1.1:1.0; trans 1 1.2 1 from=1.1; reg 1 1.2 1",
	    "" },
	{ "two nodes, one order", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 1 1 1.2:4.0; dlv 1 2 1 1.2:4.1;"
		"dlv 2 1 1 1.2:4.0; dlv 2 2 1 1.2:4.1; heal",
	    "" },
	{ "system messages overtake", S,
	    UP2 "sub 1 1; sub 1 2 sys; dlv 1 1 2 1.2:4.0; dlv 1 1 1 1.2:5.0;"
		"dlv 2 1 2 1.2:4.0; dlv 2 1 1 1.2:5.0; heal",
	    "" },
	{ "a crash excuses everything", S,
	    UP2 "sub 1 1 safe; sub 2 1; dlv 1 1 1 1.2:4.0; crash 2;"
		"trans 1 1.3 1; reg 1 1.3 1; heal",
	    "" },
	{ "a leave excuses from what others say", S,
	    UP2 "sub 1 1 safe; dlv 1 1 1 1.2:4.0; leave 2;"
		"trans 1 1.3 1; reg 1 1.3 1; heal",
	    "" },
	{ "a transitional phase delivers the rest", S,
	    UP3 "sub 1 1; sub 2 1 safe; sub 3 1; dlv 1 1 1 1.2:4.0;"
		"dlv 2 1 1 1.2:4.0; crash 3; trans 1 1.3 1,2;"
		"dlv 1 2 1 1.2:5.0 tr; trans 2 1.3 1,2; dlv 2 2 1 1.2:5.0 tr;"
		"reg 1 1.3 1,2; reg 2 1.3 1,2; heal",
	    "" },
	{ "a stranger's message may be lost after a gap", S,
	    UP3 "sub 3 1; sub 1 1; dlv 3 3 1 1.2:4.0; crash 3; trans 1 1.3 1,2;"
		"dlv 1 1 1 1.2:5.0 tr; reg 1 1.3 1,2; trans 2 1.3 1,2;"
		"dlv 2 1 1 1.2:5.0 tr; reg 2 1.3 1,2; heal",
	    "" },
	{ "who was unaware of it may go on", S,
	    UP3 "sub 2 1; sub 3 1; dlv 3 2 1 1.2:4.0; dlv 3 3 1 1.2:5.0;"
		"trans 1 1.3 1; dlv 1 3 1 1.2:5.0 tr",
	    "" },
	{ "a restart is somebody else", S,
	    UP2 "crash 2; start 2; reg 2 2.3 2; trans 1 1.4 1; trans 2 1.4 2;"
		"reg 1 1.4 1,2; reg 2 1.4 1,2; sub 2 1; dlv 1 2 1 1.4:1.0;"
		"dlv 2 2 1 1.4:1.0; heal",
	    "" },
	{ "a dropped message is no loss", S,
	    UP2 "sub 1 1 if=1.1; drop 1 1; heal", "" },
	{ "if_view holds", S,
	    UP2 "sub 1 1 if=1.2; dlv 1 1 1 1.2:4.0; dlv 2 1 1 1.2:4.0", "" },
	{ "a message waits for the next ring", S,
	    UP2 "sub 1 1; go 1,2 1.3; dlv 1 1 1 1.3:2.0; dlv 2 1 1 1.3:2.0;"
		"heal",
	    "" },
	{ "an unhealed run may stop anywhere", S,
	    UP2 "sub 1 1 safe; sub 2 1; dlv 1 1 1 1.2:4.0; trans 1 1.3 1", "" },
	{ "who never installed the ring", S,
	    UP1 "start 2; reg 2 2.1 2; trans 1 1.2 1; reg 1 1.2 1,2;"
		"sub 1 1 safe; dlv 1 1 1 1.2:1.0; crash 2; trans 1 1.3 1;"
		"reg 1 1.3 1; heal",
	    "" },
	{ "assigned, known before and after", S,
	    UP2 "sub 1 1; sub 2 1; asg 2 1.2:5.0; dlv 1 1 1 1.2:4.0;"
		"asg 1 1.2:4.0; asg 2 1.2:5.0; dlv 1 2 1 1.2:5.0",
	    "" },
	{ "an amnesic start may fall back", S,
	    "start 1; reg 1 1.5 1; crash 1; start 1 amnesic; reg 1 1.4 1", "" },
	{ "calm, and then a reason", S,
	    UP2 "calm; at 5; crash 2; trans 1 1.3 1; reg 1 1.3 1", "" },
	{ "views in time", S, UP2 "at 10; heal views=5; at 15; go 1,2 1.3",
	    "" },
	{ "deaths noticed in time", S,
	    UP2 "at 10; crash 2 detect=20; at 30; trans 1 1.3 1; reg 1 1.3 1;"
		"at 90",
	    "" },
	{ "messages in time", S,
	    UP2 "heal agreed=5 safe=9; at 3; sub 1 1; sub 1 2 safe; at 8;"
		"dlv 1 1 1 1.2:4.0; dlv 2 1 1 1.2:4.0; at 12;"
		"dlv 1 1 2 1.2:5.0; dlv 2 1 2 1.2:5.0",
	    "" },
	{ "few JOINs, before and after a heal", S,
	    UP1 "join 1; join 1; heal joins=1; join 1; trans 1 1.2 1;"
		"reg 1 1.2 1; join 1; size 1 7 7",
	    "" },
	{ "cliques", S,
	    UP3 "graph 1-2,2-3; trans 1 1.3 1,2; trans 2 1.3 1,2;"
		"reg 1 1.3 1,2; reg 2 1.3 1,2; trans 3 3.4 3; reg 3 3.4 3;"
		"heal",
	    "" },
	{ "late: begins anywhere", L,
	    "start 1; reg 1 1.7 1,2/1; dlv 1 2/1 9 1.7:40.0;"
	    "start 2; reg 2 1.7 1,2; dlv 2 2 8 1.7:39.0; dlv 2 2 9 1.7:40.0;"
	    "trans 2 1.8 1,2; reg 2 1.8 1,2; crash 2;"
	    "trans 1 1.8 1,2; reg 1 1.8 1,2",
	    "" },
	{ "late: a gap excuses", LS,
	    "start 1; start 2; reg 1 1.7 1,2; reg 2 1.7 1,2;"
	    "sub 1 1; sub 1 2 safe; sub 1 3; dlv 1 1 1 1.7:1.0;"
	    "dlv 1 1 2 1.7:2.0; dlv 1 1 3 1.7:3.0; dlv 2 1 1 1.7:1.0; gap 2;"
	    "dlv 2 1 3 1.7:3.0; heal",
	    "" },
	{ "late: a gap hides a view", L,
	    "start 1; start 2; reg 1 1.7 1,2; reg 2 1.7 1,2;"
	    "dlv 1 1 1 1.7:1.0; gap 1; reg 1 1.9 1,2; dlv 1 1 4 1.9:3.0;"
	    "dlv 2 1 1 1.7:1.0; dlv 2 1 2 1.7:2.0; go 2 1.8;"
	    "trans 2 1.9 2; reg 2 1.9 1,2; dlv 2 1 3 1.9:2.0;"
	    "dlv 2 1 4 1.9:3.0; heal",
	    "" },
	{ "late: a node that nobody recorded", L,
	    "start 1; reg 1 1.7 1,2/1; dlv 1 1 1 1.7:1.0 safe; heal", "" },
	{ "late: a gap in the transitional phase", L,
	    "start 1; start 2; start 3; reg 1 1.7 1,2,3; reg 2 1.7 1,2,3;"
	    "dlv 1 1 1 1.7:1.0; dlv 1 1 2 1.7:2.0; dlv 2 1 1 1.7:1.0;"
	    "trans 2 1.8 1,2; gap 2; dlv 2 3 1 1.7:3.0 tr",
	    "" },
};

/* ---- what one life must keep
 * --------------------------------------------------- */

static const struct oracle_case life_cases[] = {
	{ "starts twice", S, "start 1; !start 1", "input" },
	{ "acts after its end", S, UP1 "crash 1; !pause 1", "input" },
	{ "acts after it left", S, UP1 "leave 1; !pause 1", "input" },
	{ "incarnation falls", S, "start 1/5; crash 1; !start 1/3", "P3" },
	{ "submits backwards", S, UP1 "sub 1 2; !sub 1 1", "P1" },
	{ "drops what it never sent", S, UP1 "!drop 1 5", "P1" },
	{ "drops what was delivered", S,
	    UP1 "sub 1 1; dlv 1 1 1 1.1:1.0; !drop 1 1", "P1" },
	{ "too many JOINs", S, UP1 "heal joins=1; join 1; !join 1", "P18" },
	{ "too large", S, UP1 "!size 1 8 7", "P18" },
	{ "late: delivers before any view", L, "start 1; !dlv 1 1 1 1.1:1.0",
	    "input" },
	{ "late: leaves before any view", L, "start 1; !trans 1 1.2 1",
	    "input" },
};

/* ---- views
 * --------------------------------------------------------------------- */

static const struct oracle_case view_cases[] = {
	{ "no members", S, "start 1; !reg 1 1.1 -", "P3" },
	{ "members do not ascend", S, UP2 "!trans 1 1.3 2,1", "P3" },
	{ "a member twice", S, UP2 "!trans 1 1.3 1,2,2", "P3" },
	{ "without itself", S, "start 1; start 2; !reg 1 1.1 2", "P3" },
	{ "with its former self", S,
	    "start 1; crash 1; start 1; !reg 1 1.1 1/1", "P3" },
	{ "with a node that never was", S, UP1 "trans 1 1.2 1; !reg 1 1.2 1,2",
	    "P3" },
	{ "begins among others", S, "start 1; start 2; !reg 1 1.1 1,2", "P3" },
	{ "two regular views", S, UP1 "!reg 1 1.2 1", "P3" },
	{ "two transitional views", S, UP1 "trans 1 1.2 1; !trans 1 1.3 1",
	    "P3" },
	{ "goes elsewhere than it said", S, UP1 "trans 1 1.3 1; !reg 1 1.2 1",
	    "P3" },
	{ "leaves another ring", S, UP1 "!trans 1 1.3 1 from=1.2", "P3" },
	{ "goes to an old ring", S, UP2 "!trans 1 1.2 1,2", "P3" },
	{ "ring seq falls after a restart", S,
	    "start 1; reg 1 1.5 1; crash 1; start 1; !reg 1 1.5 1", "P3" },
	{ "ring seq falls in the hidden first ring", S,
	    "start 1; reg 1 1.5 1; crash 1; start 1; !trans 1 1.6 1 from=1.5",
	    "P3" },
	{ "along comes who was not there", S,
	    UP2 "start 3; reg 3 3.1 3; !trans 1 1.3 1,3", "P3" },
	{ "who came along is not in the ring", S,
	    UP2 "trans 1 1.3 1,2; !reg 1 1.3 1", "P3" },
	{ "one joined too many", S,
	    UP2 "trans 1 1.3 1,2; !reg 1 1.3 1,2 joined=2", "P3" },
	{ "the wrong one joined", S,
	    UP2 "start 3; reg 3 3.1 3; trans 1 1.3 1,2;"
		"!reg 1 1.3 1,2,3 joined=2",
	    "P3" },
	{ "one left too few", S, UP2 "!trans 1 1.3 1 left=-", "P3" },
	{ "one left too many", S, UP2 "!trans 1 1.3 1,2 left=2", "P3" },
	{ "the wrong one left", S, UP3 "!trans 1 1.3 1,2 left=2", "P3" },
	{ "other members", S,
	    UP1 "start 2; reg 2 2.1 2; start 3; reg 3 3.1 3; trans 1 1.2 1;"
		"trans 2 1.2 2; reg 1 1.2 1,2; !reg 2 1.2 2,3",
	    "P4" },
	{ "fewer members", S,
	    UP1 "start 2; reg 2 2.1 2; trans 1 1.2 1; trans 2 1.2 2;"
		"reg 1 1.2 1,2; !reg 2 1.2 2",
	    "P4" },
	{ "a hidden first ring of others", S,
	    UP1 "start 2; !trans 2 2.5 2 from=1.1", "P4" },
	{ "others come along with others", S,
	    UP3 "trans 1 1.3 1,2; !trans 2 1.3 2", "P4" },
	{ "comes from two rings", S,
	    UP2 "trans 1 1.9 1,2; trans 2 1.5 2; reg 2 1.5 2; !trans 2 1.9 2",
	    "P4" },
	{ "comes from two rings, seen late", S,
	    UP2 "trans 2 1.5 2; reg 2 1.5 2; trans 2 1.9 2; !trans 1 1.9 1,2",
	    "P4" },
	{ "a message less", S, UP2 "sub 1 1; !dlv 1 1 1 1.2:4.0; go 1,2 1.3",
	    "P10" },
	{ "a message more", S, UP2 "sub 2 1; !dlv 2 2 1 1.2:4.0; go 1,2 1.3",
	    "P10" },
	{ "another message", S,
	    UP3 "sub 3 1; sub 3 2 sys; trans 1 1.3 1,2; trans 2 1.3 1,2;"
		"dlv 1 3 1 1.2:4.0 tr; !dlv 2 3 2 1.2:5.0 tr; reg 1 1.3 1,2;"
		"reg 2 1.3 1,2",
	    "P10" },
	{ "another phase", S,
	    UP2 "sub 1 1; dlv 1 1 1 1.2:4.0; trans 1 1.3 1,2;"
		"trans 2 1.3 1,2; !dlv 2 1 1 1.2:4.0 tr; reg 1 1.3 1,2;"
		"reg 2 1.3 1,2",
	    "P10" },
	{ "late: the view after the gap hides nothing", L,
	    "start 1; reg 1 1.7 1; gap 1; reg 1 1.8 1; !reg 1 1.9 1", "P3" },
	{ "late: a gap before a transitional view", L,
	    "start 1; reg 1 1.7 1; gap 1; trans 1 1.8 1; !reg 1 1.9 1", "P3" },
	{ "a view in the calm", S, UP1 "calm; !trans 1 1.2 1", "P16" },
	{ "a view too late", S, UP1 "heal views=5; at 6; !trans 1 1.2 1",
	    "P14" },
	{ "a view too late on a graph", S,
	    UP1 "graph 1-2,2-3; heal views=5; at 6; !trans 1 1.2 1", "P19" },
	{ "no clique", S,
	    UP3 "graph 1-2,2-3; trans 1 1.3 1,2,3; !reg 1 1.3 1,2,3", "P19" },
	{ "noticed late", S,
	    UP2 "crash 2 detect=20; at 21; trans 1 1.3 1; !reg 1 1.3 1",
	    "P17" },
	{ "never noticed", S, UP2 "crash 2 detect=20; at 21", "P17" },
	{ "no view in the end", S, "start 1; heal", "P14" },
	{ "between rings in the end", S, UP1 "heal; trans 1 1.2 1", "P14" },
	{ "two rings in the end", S, UP1 "start 2; reg 2 2.1 2; heal", "P14" },
	{ "in a ring with the dead", S, UP2 "crash 2; heal", "P14" },
	{ "the others are not in the ring", S,
	    UP2 "heal; trans 1 1.3 1,2; reg 1 1.3 1,2", "P14" },
	{ "the others are not in the ring, on a graph", S,
	    UP2 "graph 1-2,2-3; heal; trans 1 1.3 1,2; reg 1 1.3 1,2", "P19" },
	{ "between rings in the end, on a graph", S,
	    UP1 "graph 1-2,2-3; heal; trans 1 1.2 1", "P19" },
};

/* ---- messages
 * ------------------------------------------------------------------ */

static const struct oracle_case order_cases[] = {
	{ "never submitted", S, UP2 "!dlv 1 2 1 1.2:4.0", "P1" },
	{ "submitted later", S, UP1 "!dlv 1 1 1 1.1:1.0; sub 1 1", "P1" },
	{ "of another length", S, UP1 "sub 1 1 len=5; !dlv 1 1 1 1.1:1.0 len=4",
	    "P1" },
	{ "of other bytes", S, UP1 "sub 1 1 hash=5; !dlv 1 1 1 1.1:1.0 hash=4",
	    "P1" },
	{ "of another service", S,
	    UP1 "sub 1 1 safe; !dlv 1 1 1 1.1:1.0 agreed", "P1" },
	{ "late: of other bytes elsewhere", L,
	    "start 1; start 2; reg 1 1.7 1,2; reg 2 1.7 1,2;"
	    "dlv 1 1 1 1.7:1.0 hash=5; !dlv 2 1 1 1.7:1.0 hash=4",
	    "P1" },
	{ "after it was dropped", S,
	    UP1 "sub 1 1; drop 1 1; !dlv 1 1 1 1.1:1.0", "P1" },
	{ "of no member", S,
	    UP2 "start 3; reg 3 3.1 3; sub 3 1; !dlv 1 3 1 1.2:4.0", "P1" },
	{ "of a former life", S,
	    UP2 "sub 2 1; crash 2; start 2; reg 2 2.3 2; trans 1 1.4 1;"
		"reg 1 1.4 1,2; !dlv 1 2/1 1 1.4:4.0",
	    "P1" },
	{ "at two places", S,
	    UP2 "sub 1 1; dlv 1 1 1 1.2:4.0; !dlv 2 1 1 1.2:5.0", "P2" },
	{ "in two rings", S,
	    UP3 "sub 1 1; dlv 3 1 1 1.2:4.0; go 1,2 1.3; !dlv 1 1 1 1.3:4.0",
	    "P2" },
	{ "twice", S, UP1 "sub 1 1; dlv 1 1 1 1.1:1.0; !dlv 1 1 1 1.1:1.0",
	    "P2" },
	{ "two at one place", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 1 1 1.2:4.0; !dlv 2 2 1 1.2:4.0",
	    "P2" },
	{ "from another ring", S, UP2 "sub 1 1; !dlv 1 1 1 1.1:1.0", "P2" },
	{ "assigned to two", S, UP2 "asg 1 1.2:4.0; !asg 2 1.2:4.0", "P2" },
	{ "assigned to another", S,
	    UP2 "sub 1 1; asg 2 1.2:4.0; !dlv 1 1 1 1.2:4.0", "P2" },
	{ "in the wrong phase", S, UP1 "sub 1 1; !dlv 1 1 1 1.1:1.0 tr", "P3" },
	{ "in the wrong phase, transitional", S,
	    UP1 "sub 1 1; trans 1 1.2 1; !dlv 1 1 1 1.1:1.0", "P3" },
	{ "backwards", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 1 1 1.2:5.0; !dlv 1 2 1 1.2:4.0",
	    "P5" },
	{ "backwards in one frame", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 1 1 1.2:4.1; !dlv 1 2 1 1.2:4.0",
	    "P5" },
	{ "on both sides of one passage", S,
	    UP2 "sub 1 1; dlv 1 1 1 1.2:4.0; trans 1 1.3 1,2;"
		"trans 2 1.3 1,2; !dlv 2 1 1 1.2:4.0 tr",
	    "P5" },
	{ "a gap", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 1 1 1.2:4.0; dlv 1 2 1 1.2:4.1;"
		"!dlv 2 2 1 1.2:4.1",
	    "P6" },
	{ "a gap, seen late", S,
	    UP2 "sub 1 1; sub 2 1; dlv 1 2 1 1.2:5.0; !dlv 2 1 1 1.2:4.0",
	    "P6" },
	{ "a gap to what was assigned", S,
	    UP2 "sub 2 1; asg 1 1.2:4.0; !dlv 1 2 1 1.2:5.0", "P6" },
	{ "a gap to what was assigned, seen late", S,
	    UP2 "sub 2 1; dlv 1 2 1 1.2:5.0; !asg 1 1.2:4.0", "P6" },
	{ "late: a gap after the beginning", L,
	    "start 1; reg 1 1.7 1,2/1; dlv 1 2/1 9 1.7:40.0; dlv 1 2/1 11 1.7:42.0;"
	    "start 2; reg 2 1.7 1,2; dlv 2 2 8 1.7:39.0; dlv 2 2 9 1.7:40.0;"
	    "!dlv 2 2 10 1.7:41.0",
	    "P6" },
	{ "a member's message passed over", S,
	    UP3 "sub 2 1; sub 3 1; dlv 3 2 1 1.2:4.0; dlv 3 3 1 1.2:5.0;"
		"trans 1 1.3 1,2; !dlv 1 3 1 1.2:5.0 tr",
	    "P7" },
	{ "a member's message on the wire passed over", S,
	    UP3 "sub 3 1; asg 2 1.2:4.0; trans 1 1.3 1,2;"
		"!dlv 1 3 1 1.2:5.0 tr",
	    "P7" },
	{ "a member's message passed over after a regular phase", S,
	    UP3 "sub 3 1; sub 2 1; sub 3 2; dlv 1 3 1 1.2:3.0;"
		"dlv 3 3 1 1.2:3.0; dlv 3 2 1 1.2:4.0; dlv 3 3 2 1.2:5.0;"
		"trans 1 1.3 1,2; !dlv 1 3 2 1.2:5.0 tr",
	    "P7" },
	{ "last in, first out", S,
	    UP1 "sub 1 1; sub 1 2; dlv 1 1 2 1.1:1.0; !dlv 1 1 1 1.1:2.0",
	    "P8" },
	{ "the older one in the later ring", S,
	    UP2 "sub 1 1; sub 1 2; dlv 1 1 2 1.2:4.0; dlv 2 1 2 1.2:4.0;"
		"go 1,2 1.3; !dlv 1 1 1 1.3:4.0",
	    "P8" },
	{ "the older one passed over", S,
	    UP3 "sub 3 1; sub 3 2; dlv 2 3 1 1.2:4.0; dlv 2 3 2 1.2:5.0;"
		"trans 1 1.3 1; !dlv 1 3 2 1.2:5.0 tr",
	    "P8" },
	{ "before what its sender had delivered", S,
	    UP2 "sub 1 1; dlv 2 1 1 1.2:5.0; sub 2 1; !dlv 2 2 1 1.2:4.0",
	    "P9" },
	{ "without what its sender had delivered", S,
	    UP3 "sub 2 1; dlv 3 2 1 1.2:4.0; sub 3 1; dlv 3 3 1 1.2:5.0;"
		"trans 1 1.3 1; !dlv 1 3 1 1.2:5.0 tr",
	    "P9" },
	{ "in another view than asked for", S,
	    UP2 "sub 1 1 if=1.1; !dlv 1 1 1 1.2:4.0", "if_view" },
};

/* ---- what must have happened in the end
 * ------------------------------------------ */

static const struct oracle_case end_cases[] = {
	{ "never delivered at home", S, UP1 "!sub 1 1; heal", "P11" },
	{ "left without delivering", S, UP2 "!sub 1 1; leave 1", "P11" },
	{ "delivered elsewhere only", S,
	    UP2 "!sub 1 1; dlv 2 1 1 1.2:4.0; trans 1 1.3 1; leave 1", "P11" },
	{ "safe, but who lives on has not got it", S,
	    UP2 "sub 1 1 safe; !dlv 1 1 1 1.2:4.0; trans 2 2.3 2; reg 2 2.3 2",
	    "P12" },
	{ "safe, and it crashed only later", S,
	    UP2 "sub 1 1 safe; !dlv 1 1 1 1.2:4.0; trans 2 2.3 2;"
		"reg 2 2.3 2; crash 2",
	    "P12" },
	{ "safe, but it went past that ring", S,
	    UP1 "start 2; reg 2 2.1 2; trans 1 1.2 1; reg 1 1.2 1,2;"
		"sub 1 1 safe; !dlv 1 1 1 1.2:1.0; trans 2 2.3 2;"
		"reg 2 2.3 2; crash 2",
	    "P12" },
	{ "safe, and nothing comes in the end", S,
	    UP2 "sub 1 1 safe; !dlv 1 1 1 1.2:4.0; heal", "P12" },
	{ "safe, transitional, a member lives on without", S,
	    UP3 "sub 1 1 safe; trans 1 1.3 1,2; !dlv 1 1 1 1.2:4.0 tr;"
		"trans 2 2.4 2; reg 2 2.4 2",
	    "P13" },
	{ "not delivered by all in the end", S,
	    UP2 "!sub 1 1; heal; dlv 1 1 1 1.2:4.0", "P15" },
	{ "late: not delivered by all in the end", L,
	    "start 1; start 2; reg 1 1.7 1,2,3/1; reg 2 1.7 1,2,3/1;"
	    "dlv 1 1 1 1.7:1.0; dlv 2 1 1 1.7:1.0; !dlv 1 1 2 1.7:2.0; heal",
	    "P15" },
	{ "late: not delivered after a gap", L,
	    "start 1; start 2; reg 1 1.7 1,2; reg 2 1.7 1,2;"
	    "dlv 1 1 1 1.7:1.0; gap 2; dlv 2 1 1 1.7:1.0;"
	    "!dlv 1 1 2 1.7:2.0; heal",
	    "P15" },
	{ "late: not all end in one ring", L,
	    "start 1; start 2; reg 1 1.7 1,2; reg 2 1.7 1,2; gap 2;"
	    "reg 2 1.8 1,2; heal",
	    "P14" },
	{ "late: some are in another ring", L,
	    "start 1; start 2; reg 1 1.7 1,3/1; reg 2 1.8 2,3/1; heal", "P14" },
	{ "delivered too late", S,
	    UP2 "heal agreed=5; at 3; !sub 1 1; at 8; dlv 1 1 1 1.2:4.0; at 9;"
		"dlv 2 1 1 1.2:4.0",
	    "P15" },
	{ "safe delivered too late", S,
	    UP2 "heal safe=5; at 3; !sub 1 1 safe; at 8;"
		"dlv 1 1 1 1.2:4.0; at 9; dlv 2 1 1 1.2:4.0",
	    "P15" },
};

static const char *
name_of(const struct oracle_failure *failure)
{
	return failure == NULL ? "" : failure->predicate;
}

static void
run_case(struct oracle *oracle, const struct oracle_case *is)
{
	check_case(is->about);
	oracle_reset(oracle, is->options);
	struct oracle_outcome outcome = oracle_script_run(oracle, is->script);
	const struct oracle_failure *failure = outcome.failure;
	CHECK_STR(name_of(failure), is->predicate);
	if (failure == NULL || outcome.marked_no == 0)
		return;
	CHECK_EQ(failure->event_no, outcome.marked_no);
	CHECK(strlen(failure->text) > 10);
}

static void
run_cases(const struct oracle_case *cases, size_t count)
{
	struct oracle *oracle = oracle_create(0);
	for (size_t i = 0; i < count; i++)
		run_case(oracle, &cases[i]);
	check_case(NULL);
	oracle_destroy(oracle);
}

static void
test_oracle_good_runs_pass(void)
{
	run_cases(good_cases, ARRAY_COUNT(good_cases));
}

static void
test_oracle_a_life_breaks_its_own_rules(void)
{
	run_cases(life_cases, ARRAY_COUNT(life_cases));
}

static void
test_oracle_bad_views_are_named(void)
{
	run_cases(view_cases, ARRAY_COUNT(view_cases));
}

static void
test_oracle_bad_orders_are_named(void)
{
	run_cases(order_cases, ARRAY_COUNT(order_cases));
}

static void
test_oracle_what_is_missing_in_the_end_is_named(void)
{
	run_cases(end_cases, ARRAY_COUNT(end_cases));
}

/* ---- the rest
 * -------------------------------------------------------------------- */

static void
test_oracle_first_failure_stays(void)
{
	struct oracle *oracle = oracle_create(S);

	const struct oracle_failure *first =
	    oracle_script_run(oracle, UP1 "calm; trans 1 1.2 1; trans 1 1.1 1")
		.failure;

	CHECK_STR(name_of(first), "P16");
	CHECK(oracle_end(oracle, 0) == first);
	oracle_destroy(oracle);
}

static void
test_oracle_counts_what_it_saw(void)
{
	struct oracle *oracle = oracle_create(S);

	oracle_script_run(oracle, UP1 "sub 1 1; dlv 1 1 1 1.1:1.0");

	CHECK_EQ(oracle_deliveries(oracle), 1);
	CHECK_EQ(oracle_views(oracle), 1);
	oracle_reset(oracle, S);
	CHECK_EQ(oracle_deliveries(oracle), 0);
	CHECK_EQ(oracle_views(oracle), 0);
	oracle_destroy(oracle);
}

static void
test_oracle_too_many_nodes_are_refused(void)
{
	struct oracle *oracle = oracle_create(S);
	struct oracle_event start = { .kind = ORACLE_START, .incarnation = 1 };

	for (start.node = 1; start.node <= LIMIT_NODES; start.node++)
		CHECK(oracle_event(oracle, &start) == NULL);
	const struct oracle_failure *failure = oracle_event(oracle, &start);

	CHECK_STR(name_of(failure), "input");
	oracle_destroy(oracle);
}

static void
test_oracle_too_many_members_are_refused(void)
{
	struct oracle *oracle = oracle_create(S);
	struct totem_view view = { .members = { .count = LIMIT_NODES + 1 } };
	struct oracle_event event = { .kind = ORACLE_START, .node = 1 };

	CHECK(oracle_event(oracle, &event) == NULL);
	event.kind = ORACLE_VIEW;
	event.view = &view;
	const struct oracle_failure *failure = oracle_event(oracle, &event);

	CHECK_STR(name_of(failure), "input");
	oracle_destroy(oracle);
}

/* Tables grow, and the order is still known: one message lost among many. */
static void
test_oracle_finds_one_loss_among_many(void)
{
	struct oracle *oracle = oracle_create(S);
	const uint64_t lost = 4321;
	struct totem_delivery got = { .node = 1,
		.incarnation = 1,
		.ring = { .seq = 2, .rep = 1, .nonce = 7 } };
	struct oracle_event event = { .node = 1, .incarnation = 1 };

	CHECK(oracle_script_run(oracle, UP2).failure == NULL);
	for (got.msg_no = 1; got.msg_no <= 5000; got.msg_no++) {
		got.seq = 3 + got.msg_no / 4;
		got.idx = got.msg_no % 4;
		event.kind = ORACLE_SUBMIT;
		event.node = 1;
		event.submit.msg_no = got.msg_no;
		event.submit.service = TOTEM_AGREED;
		event.submit.class = TOTEM_CLASS_CLIENT;
		event.submit.len = 0;
		event.submit.hash = 0;
		event.submit.has_if_view = false;
		CHECK(oracle_event(oracle, &event) == NULL);
		event.kind = ORACLE_DELIVER;
		event.deliver.is = &got;
		event.deliver.hash = 0;
		CHECK(oracle_event(oracle, &event) == NULL);
		event.node = 2;
		if (got.msg_no == lost)
			continue;
		const struct oracle_failure *failure =
		    oracle_event(oracle, &event);
		CHECK_STR(name_of(failure), got.msg_no < lost ? "" : "P6");
		if (got.msg_no > lost)
			break;
	}
	oracle_destroy(oracle);
}

static uint64_t
hash_in_pieces(const char *text, size_t piece)
{
	struct oracle_hash hash;
	size_t len = strlen(text);
	oracle_hash_init(&hash);
	for (size_t at = 0; at < len; at += piece)
		oracle_hash_add(
		    &hash, text + at, piece < len - at ? piece : len - at);
	return oracle_hash_end(&hash);
}

static void
test_oracle_hash_does_not_know_pieces(void)
{
	const char *text = "a ring of one is a ring, and its token turns fast";
	uint64_t whole = hash_in_pieces(text, 100);

	for (size_t piece = 1; piece < 50; piece++)
		CHECK_EQ(hash_in_pieces(text, piece), whole);
}

static void
test_oracle_hash_knows_bytes_and_length(void)
{
	const char *texts[] = { "", "a", "b", "aa", "aaaaaaaa", "aaaaaaab",
		"aaaaaaaaa", "baaaaaaaa" };

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		for (size_t j = 0; j < i; j++)
			CHECK(hash_in_pieces(texts[i], 3) !=
			    hash_in_pieces(texts[j], 3));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_oracle_good_runs_pass),
		CHECK_TEST(test_oracle_a_life_breaks_its_own_rules),
		CHECK_TEST(test_oracle_bad_views_are_named),
		CHECK_TEST(test_oracle_bad_orders_are_named),
		CHECK_TEST(test_oracle_what_is_missing_in_the_end_is_named),
		CHECK_TEST(test_oracle_first_failure_stays),
		CHECK_TEST(test_oracle_counts_what_it_saw),
		CHECK_TEST(test_oracle_too_many_nodes_are_refused),
		CHECK_TEST(test_oracle_too_many_members_are_refused),
		CHECK_TEST(test_oracle_finds_one_loss_among_many),
		CHECK_TEST(test_oracle_hash_does_not_know_pieces),
		CHECK_TEST(test_oracle_hash_knows_bytes_and_length),
	};
	return CHECK_MAIN(argc, argv, tests);
}
