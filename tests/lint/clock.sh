#!/bin/sh
# clock.sh FILE...: the clocks are read in libcommon/os/clock.c alone, so that
# everything else gets its time as an argument and can be simulated.
set -eu
names='clock_gettime|clock_getres|CLOCK_REALTIME|gettimeofday|timespec_get'
! printf '%s\n' "$@" | grep -v -e '^tests/' -e '^libcommon/os/clock\.c$' |
	xargs grep -nEw "$names|time\((NULL|0|&[a-z])" /dev/null
