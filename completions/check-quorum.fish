# SPDX-License-Identifier: BSD-3-Clause
# Completion of check-quorum for fish.

# The nodes that the ringd that runs has; none without, and after 300 ms.
function __check_quorum_nodes
    set -l dir /run/ringkit
    set -q RINGKIT_RUNDIR; and set dir $RINGKIT_RUNDIR
    set -l words (commandline -opc)
    set -l at (contains -i -- --rundir $words); and set dir $words[(math $at + 1)]
    for word in $words
        string match -q -- '--rundir=*' $word; and set dir (string replace -- --rundir= '' $word)
    end
    test -S $dir/ring.sock; or return 0
    RINGKIT_TIMEOUT=300ms ringkit msgcat -q -n 0 --views --rundir=$dir 2>/dev/null |
        string replace -rf '^exists node=\d+ name=([^ ]*) .*' '$1' | sort -u
end

function __check_quorum_conditions
    set -l not (string match -r '^!' -- (commandline -ct))
    printf "$not%s\n" quorate coordinator alone all daemon settled 'members>='
    for node in (__check_quorum_nodes)
        printf "$not%s:$node\n" member lost restarted fenced
    end
end

function __check_quorum_runs_command
    contains -- -- (commandline -opc)
end

complete -c check-quorum -f
complete -c check-quorum -n __check_quorum_runs_command -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c check-quorum -n 'not __check_quorum_runs_command' -a '(__check_quorum_conditions)'
complete -c check-quorum -s j -l json -d 'Print a JSON object'
complete -c check-quorum -s o -l fields -x -a 'quorate votes needed expected basis view pos members self name coordinator settled age_ms waiting_for why' -d 'Print these, apart by blanks'
complete -c check-quorum -l why -d 'Print the rules that decided'
complete -c check-quorum -l nagios -d 'Be a monitoring plugin'
complete -c check-quorum -l fresh -x -d 'What is older than that is unknown'
complete -c check-quorum -l wait -d 'Wait until the conditions hold'
complete -c check-quorum -l hold -d 'Wait likewise, then end when they stop to hold'
complete -c check-quorum -l for -x -d 'They must hold for so long'
complete -c check-quorum -s t -l timeout -x -d 'Wait at most so long'
complete -c check-quorum -l ignore-child -d 'How CMD ends does not matter'
complete -c check-quorum -l kill-after -x -d 'From TERM to KILL for CMD'
complete -c check-quorum -l watch -d 'Print every change of the verdict'
complete -c check-quorum -l rundir -x -a '(__fish_complete_directories)' -d 'Where quorum.sock is'
complete -c check-quorum -s h -l help -d 'Print the options and exit'
complete -c check-quorum -s V -l version -d 'Print the version and exit'
complete -c check-quorum -s q -l quiet -d 'Say less'
complete -c check-quorum -s v -l verbose -d 'Say more'
