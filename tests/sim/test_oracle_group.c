/* SPDX-License-Identifier: BSD-3-Clause */
/* The oracle's view of process groups, by runs written by hand. */
#include "libcommon/base/num.h"

#include "tests/sim/oracle.h"
#include "tests/sim/oracle_script.h"
#include "tests/unit/check.h"

#define UP1 "start 1; reg 1 1.1 1; sync 1 1.1;"
#define UP2                                                 \
	UP1 "start 2; reg 2 2.1 2; sync 2 2.1; go 1,2 1.2;" \
	    "sync 1 1.2; sync 2 1.2;"
/* Conn 20 of node 2 is in group 5. */
#define ONE                                                     \
	UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0;" \
	    "gview 1 5 2:20; dlv 2 2 1 1.2:3.0; gview 2 5 2:20;"
/* Both nodes are alone; conn 10 of node 1 and 20 of node 2 are in group 5. */
#define APART                                                           \
	"start 1; reg 1 1.1 1; sync 1 1.1; start 2; reg 2 2.1 2;"       \
	"sync 2 2.1; sub 1 1 sys; op 1 1 join 5 10; dlv 1 1 1 1.1:1.0;" \
	"gview 1 5 1:10; sub 2 1 sys; op 2 1 join 5 20;"                \
	"dlv 2 2 1 2.1:1.0; gview 2 5 2:20;"

static const struct group_case {
	const char *about;
	const char *script;
	const char *predicate; /* "": a good run */
} cases[] = {
	{ "nothing", "", "" },
	{ "a hidden first ring is in step",
	    "start 1; sub 1 1; dlv 1 1 1 1.1:1.0; gmsg 1 5 1 1", "" },
	{ "join, message, leave",
	    ONE "sub 2 2; dlv 1 2 2 1.2:4.0; gmsg 1 5 2 2; dlv 2 2 2 1.2:4.0;"
		"gmsg 2 5 2 2; sub 2 3; op 2 3 leave 5 20; dlv 1 2 3 1.2:5.0;"
		"gview 1 5 -; dlv 2 2 3 1.2:5.0; gview 2 5 -; heal",
	    "" },
	{ "exit leaves all groups",
	    ONE "sub 2 2; op 2 2 join 6 20; dlv 1 2 2 1.2:4.0; gview 1 6 2:20;"
		"sub 2 3; op 2 3 exit 0 20; dlv 1 2 3 1.2:5.0; gview 1 5 -;"
		"gview 1 6 -; dlv 2 2 2 1.2:4.0; gview 2 6 2:20;"
		"dlv 2 2 3 1.2:5.0; gview 2 5 -; gview 2 6 -; heal",
	    "" },
	{ "a second join changes nothing",
	    ONE "sub 2 2; op 2 2 join 5 20; dlv 1 2 2 1.2:4.0;"
		"dlv 2 2 2 1.2:4.0; heal",
	    "" },
	{ "a node goes",
	    ONE "crash 2; trans 1 1.3 1; gview 1 5 -; reg 1 1.3 1; sync 1 1.3;"
		"heal",
	    "" },
	{ "two come together",
	    APART "go 1,2 1.2; sub 1 2 sys; sub 2 2 sys; dlv 1 1 2 1.2:3.0;"
		  "dlv 1 2 2 1.2:4.0; gview 1 5 1:10,2:20; sync 1 1.2;"
		  "dlv 2 1 2 1.2:3.0; dlv 2 2 2 1.2:4.0;"
		  "gview 2 5 2:20,1:10; sync 2 1.2; sub 1 3;"
		  "dlv 1 1 3 1.2:5.0; gmsg 1 5 1 3; dlv 2 1 3 1.2:5.0;"
		  "gmsg 2 5 1 3; heal",
	    "" },
	{ "a newcomer acts before all are in step",
	    APART "go 1,2 1.2; sub 2 2 sys; op 2 2 join 6 21; sub 2 3 sys;"
		  "op 2 3 leave 5 20; dlv 1 2 2 1.2:3.0; dlv 1 2 3 1.2:4.0;"
		  "gview 1 6 2:21; sync 1 1.2; dlv 2 2 2 1.2:3.0;"
		  "gview 2 6 2:21; dlv 2 2 3 1.2:4.0; gview 2 5 1:10;"
		  "sync 2 1.2; heal",
	    "" },
	{ "an old one acts before all are in step",
	    APART "go 1,2 1.2; sub 2 2 sys; op 2 2 leave 5 20;"
		  "dlv 2 2 2 1.2:3.0; gview 2 5 1:10; sync 2 1.2;"
		  "dlv 1 2 2 1.2:3.0; sync 1 1.2; heal",
	    "" },
	{ "the next ring comes before all are in step",
	    APART "go 1,2 1.2; sub 2 2 sys; op 2 2 join 6 21;"
		  "dlv 1 2 2 1.2:3.0; dlv 2 2 2 1.2:3.0; gview 2 6 2:21;"
		  "go 1,2 1.3; gview 1 5 1:10,2:20; gview 1 6 2:21;"
		  "sync 1 1.3; gview 2 5 1:10,2:20; sync 2 1.3; heal",
	    "" },
	{ "gone and back: a leave, then a join",
	    APART "go 1,2 1.2; gview 1 5 1:10,2:20; sync 1 1.2;"
		  "gview 2 5 1:10,2:20; sync 2 1.2; trans 1 1.3 1;"
		  "gview 1 5 1:10; reg 1 1.3 1; sync 1 1.3; trans 1 1.4 1;"
		  "trans 2 1.4 2; gview 2 5 2:20; reg 1 1.4 1,2;"
		  "reg 2 1.4 1,2; gview 1 5 1:10,2:20; sync 1 1.4;"
		  "gview 2 5 1:10,2:20; sync 2 1.4; heal",
	    "" },
	{ "events in the transitional phase",
	    ONE "sub 2 2; trans 1 1.3 1,2; dlv 1 2 2 1.2:4.0 tr;"
		"gmsg 1 5 2 2; trans 2 1.3 1,2; dlv 2 2 2 1.2:4.0 tr;"
		"gmsg 2 5 2 2; reg 1 1.3 1,2; reg 2 1.3 1,2; sync 1 1.3;"
		"sync 2 1.3; heal",
	    "" },

	/* P20: the same for all, and true. */
	{ "a change is not shown",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0; sub 2 2;"
		"!dlv 1 2 2 1.2:4.0",
	    "P20" },
	{ "a change is not shown before a view",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0;"
		"!trans 1 1.3 1",
	    "P20" },
	{ "a change is never shown",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0", "P20" },
	{ "the wrong one is shown",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0;"
		"!gview 1 5 2:21",
	    "P20" },
	{ "who left is still shown",
	    ONE "sub 2 2; op 2 2 leave 5 20; dlv 1 2 2 1.2:4.0; sub 2 3;"
		"!dlv 1 2 3 1.2:5.0",
	    "P20" },
	{ "a view without a change", ONE "!gview 1 5 2:20", "P20" },
	{ "a member twice",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0;"
		"!gview 1 5 2:20,2:20",
	    "P20" },
	{ "a member that never was",
	    UP2 "sub 2 1 sys; op 2 1 join 5 20; dlv 1 2 1 1.2:3.0;"
		"!gview 1 5 2:20,3:20",
	    "P20" },
	{ "a message that was not delivered now",
	    ONE "sub 2 2; dlv 1 2 2 1.2:4.0; !gmsg 1 5 2 1", "P20" },
	{ "a message that never was", ONE "!gmsg 1 5 2 9", "P20" },
	{ "another group's message",
	    ONE "sub 2 2; dlv 1 2 2 1.2:4.0; gmsg 1 5 2 2; dlv 2 2 2 1.2:4.0;"
		"!gmsg 2 6 2 2",
	    "P20" },
	{ "another group's message in the transitional phase",
	    ONE "sub 2 2; trans 1 1.3 1,2; dlv 1 2 2 1.2:4.0 tr;"
		"gmsg 1 5 2 2; trans 2 1.3 1,2; dlv 2 2 2 1.2:4.0 tr;"
		"!gmsg 2 6 2 2",
	    "P20" },
	{ "a message only some of those see who go on together",
	    ONE "sub 2 2; dlv 1 2 2 1.2:4.0; gmsg 1 5 2 2; dlv 2 2 2 1.2:4.0;"
		"trans 1 1.3 1,2; !trans 2 1.3 1,2",
	    "P20" },
	{ "a message only some see in the end",
	    ONE "sub 2 2; dlv 1 2 2 1.2:4.0; !gmsg 1 5 2 2;"
		"dlv 2 2 2 1.2:4.0; heal",
	    "P20" },

	/* P21: in step, all at one place, before any client message. */
	{ "a client message before all are in step",
	    UP2 "go 1,2 1.3; sub 1 1; !dlv 1 1 1 1.3:1.0", "P21" },
	{ "in step in another ring", UP2 "!sync 1 1.3", "P21" },
	{ "in step twice", UP2 "!sync 1 1.2", "P21" },
	{ "in step too late", UP2 "go 1,2 1.3; trans 1 1.4 1; !sync 1 1.3",
	    "P21" },
	{ "in step at another place",
	    UP2 "go 1,2 1.3; sub 1 1 sys; dlv 1 1 1 1.3:1.0; sync 1 1.3;"
		"!sync 2 1.3",
	    "P21" },
	{ "in step before everybody is there",
	    "start 1; reg 1 1.1 1; sync 1 1.1; start 2; reg 2 2.1 2;"
	    "sync 2 2.1; trans 1 1.2 1; reg 1 1.2 1,2; !sync 1 1.2",
	    "P21" },
	{ "some leave in step and some not",
	    UP2 "go 1,2 1.3; sync 1 1.3; trans 1 1.4 1,2; !trans 2 1.4 1,2",
	    "P21" },
	{ "never in step",
	    "start 1; reg 1 1.1 1; sync 1 1.1; trans 1 1.2 1; !reg 1 1.2 1;"
	    "heal",
	    "P21" },

	/* P22: who was away has left and come back. */
	{ "a ghost after a node went",
	    ONE "crash 2; trans 1 1.3 1; !reg 1 1.3 1", "P22" },
	{ "a ghost, and the groups were not in step",
	    ONE "go 1,2 1.3; crash 2; trans 1 1.4 1; !reg 1 1.4 1", "P22" },
	{ "silence about who came", APART "go 1,2 1.2; !sync 1 1.2", "P22" },
	{ "silence about who is gone and back",
	    APART "go 1,2 1.2; gview 1 5 1:10,2:20; sync 1 1.2;"
		  "gview 2 5 1:10,2:20; sync 2 1.2; trans 1 1.3 1;"
		  "!reg 1 1.3 1",
	    "P22" },

	/* What the harness must not tell. */
	{ "a meaning without a message", UP1 "!op 1 1 join 5 10", "input" },
	{ "a meaning too late",
	    UP1 "sub 1 1 sys; dlv 1 1 1 1.1:1.0; !op 1 1 join 5 10", "input" },
	{ "groups before any view", "start 1; !gview 1 5 1:10", "P3" },
};

static void
test_oracle_group_cases_are_named(void)
{
	unsigned options = ORACLE_SUBMITS | ORACLE_GROUPS;
	struct oracle *oracle = oracle_create(options);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].about);
		oracle_reset(oracle, options);
		struct oracle_outcome outcome =
		    oracle_script_run(oracle, cases[i].script);
		const struct oracle_failure *failure = outcome.failure;
		CHECK_STR(failure == NULL ? "" : failure->predicate,
		    cases[i].predicate);
		if (failure != NULL && outcome.marked_no != 0)
			CHECK_EQ(failure->event_no, outcome.marked_no);
	}
	check_case(NULL);
	oracle_destroy(oracle);
}

static void
test_oracle_without_groups_asks_for_nothing(void)
{
	struct oracle *oracle = oracle_create(ORACLE_SUBMITS);

	struct oracle_outcome outcome = oracle_script_run(
	    oracle, "start 1; reg 1 1.1 1; sub 1 1; dlv 1 1 1 1.1:1.0; heal");

	CHECK(outcome.failure == NULL);
	oracle_destroy(oracle);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_oracle_group_cases_are_named),
		CHECK_TEST(test_oracle_without_groups_asks_for_nothing),
	};
	return CHECK_MAIN(argc, argv, tests);
}
