# SPDX-License-Identifier: BSD-3-Clause
# Completion of watch-membership for fish.

# The nodes that the ringd that runs has; none without, and after 300 ms.
function __watch_membership_nodes
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

function __watch_membership_runs_command
    contains -- -- (commandline -opc)
end

complete -c watch-membership -f
complete -c watch-membership -n __watch_membership_runs_command -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c watch-membership -s e -l events -x -a 'exists ready leave join view quorum fenced update forget add remove pause gap down up tick' -d 'Only these'
complete -c watch-membership -s N -l nodes -x -a '(__watch_membership_nodes)' -d 'Only what is about these'
complete -c watch-membership -l now -d 'Print the state and end'
complete -c watch-membership -l no-snapshot -d 'Print only what changes'
complete -c watch-membership -l since -x -d 'Print what happened since then, first'
complete -c watch-membership -s n -l count -x -d 'End after N events'
complete -c watch-membership -s 1 -d 'End after one event'
complete -c watch-membership -s t -l timeout -x -d 'End with 124 after so long'
complete -c watch-membership -s j -l json -d 'Print a JSON object an event'
complete -c watch-membership -s o -l fields -x -a 'event node name addr state inc view members quorate reason cursor seq ts' -d 'Print only these values'
complete -c watch-membership -s 0 -l null -d 'End records with a NUL'
complete -c watch-membership -l heartbeat -x -d 'Print tick when the daemon answers, so often'
complete -c watch-membership -l no-reconnect -d 'End with 69 when the daemon goes away'
complete -c watch-membership -l wait-daemon -d 'Wait for a daemon that is not there'
complete -c watch-membership -l raw -d 'Ask memberd, not quorumd: no verdict'
complete -c watch-membership -l ready-fd -x -d 'Write a line feed there once the state was told'
complete -c watch-membership -l hooks-dir -d 'Run the files of DIR/EVENT.d'
complete -c watch-membership -l every -d 'Run CMD for every event'
complete -c watch-membership -l settle -x -d 'Run CMD once it was quiet for so long'
complete -c watch-membership -l max-delay -x -d 'But do not wait longer than that'
complete -c watch-membership -l hook-timeout -x -d 'End CMD after so long'
complete -c watch-membership -l retries -x -d 'Run CMD again so often after 75'
complete -c watch-membership -l on-error -x -a 'continue exit' -d 'When CMD fails'
complete -c watch-membership -l state -r -F -d 'Remember what CMD did'
complete -c watch-membership -l rundir -x -a '(__fish_complete_directories)' -d 'Where quorum.sock is'
complete -c watch-membership -s h -l help -d 'Print the options and exit'
complete -c watch-membership -s V -l version -d 'Print the version and exit'
complete -c watch-membership -s q -l quiet -d 'Say less'
complete -c watch-membership -s v -l verbose -d 'Say more'
