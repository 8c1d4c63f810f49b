#!/usr/bin/env bats
# From the death of a ringd to hooks that have run, a few times: `make bench`
# measures it properly.  FAILOVER_KILLS is how often.

# failover KIND COUNT P50_MS: half of them are not slower; ten times what it
# takes when nothing else runs.
failover()
{
	local row p50
	row=$(FAILOVER_KINDS=$1 FAILOVER_KILLS=$2 \
		bash "$BATS_TEST_DIRNAME/../bench/failover.sh" 3>&-)
	echo "$row"
	case $row in
	'# no failover: '*) skip "${row#*: }" ;;
	esac
	p50=$(tr '\t' '\n' <<<"$row" | sed -n 's/^p50_ms=//p')
	[ "${p50%.*}" -le "$3" ]
}

@test "a kill: the hooks of the others run" {
	failover kill "${FAILOVER_KILLS:-10}" 1700
}

@test "a loss of power" {
	failover power "${FAILOVER_KILLS:-3}" 1500
}

@test "a leave" {
	failover leave "${FAILOVER_KILLS:-3}" 150
}
