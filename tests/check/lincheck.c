/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lincheck: did the store keep its promises?
 *
 * Reads what its clients wrote down, each in a file of its own or all in one,
 * and says whether there is an order of all operations that explains it: each
 * took place between its beginning and its end, reads saw what was last
 * written, watchers were told of everything, and locks had one holder.
 */
#include "tests/check/lincheck.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check/lincheck_read.h"

enum {
	OK = 0,
	BROKEN = 1,
	UNDECIDED = 2,
	USAGE = 64,
	BAD_DATA = 65,
	NO_INPUT = 66
};

static const char usage[] =
    "usage: lincheck HISTORY...\n"
    "Checks what clients of cfgstored wrote down, as lincheck_read.h says.\n"
    "  -h, --help  this text\n"
    "Ends 0 and prints `lincheck: ok N operations U unanswered F found E\n"
    "events H holds`, or ends 1 after FILE:LINE: RULE: which two contradict\n"
    "each other; 2: undecided; 64, 65, 66: bad usage, line, file.\n";

static int
read_file(struct lincheck *check, const char *path)
{
	struct lincheck_reader reader = { .check = check, .path = path };
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		fprintf(stderr, "lincheck: %s: %s\n", path, strerror(errno));
		return NO_INPUT;
	}
	bool is_good = lincheck_read(&reader, file);
	fclose(file);
	if (is_good)
		return OK;
	fprintf(stderr, "lincheck: %s:%" PRIu64 ": %s\n", path, reader.line,
	    reader.why);
	return BAD_DATA;
}

static int
judge(struct lincheck *check)
{
	static struct lincheck_breach breach;
	struct lincheck_tally tally;
	lincheck_judge(check, &breach, &tally);
	if (breach.rule == NULL) {
		printf("lincheck: ok %zu operations %zu unanswered %zu found "
		       "%zu events %zu holds\n",
		    tally.operations, tally.unanswered, tally.found,
		    tally.events, tally.holds);
		return OK;
	}
	printf("%s:%" PRIu64 ": %s: %s\n", breach.path, breach.line,
	    breach.rule, breach.text);
	return strcmp(breach.rule, "undecided") == 0 ? UNDECIDED : BROKEN;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option = getopt_long(argc, argv, "h", options, NULL);
	if (option == 'h') {
		fputs(usage, stdout);
		return OK;
	}
	if (option != -1 || optind == argc) {
		fputs(usage, stderr);
		return USAGE;
	}
	struct lincheck *check = lincheck_create();
	int rc = OK;
	for (int i = optind; rc == OK && i < argc; i++)
		rc = read_file(check, argv[i]);
	if (rc == OK)
		rc = judge(check);
	lincheck_destroy(check);
	return rc;
}
