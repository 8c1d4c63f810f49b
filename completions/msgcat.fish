# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringkit's msgcat for fish, as that of ringkit-msgcat, which is
# where ringkit.fish asks for it: the command msgcat is gettext's.

# What the ringd that runs tells; nothing when there is none, and after 300 ms
# in any case.
function __ringkit_msgcat_ask # OPTION KEY
    set -l dir /run/ringkit
    set -q RINGKIT_RUNDIR; and set dir $RINGKIT_RUNDIR
    set -l words (commandline -opc)
    set -l at (contains -i -- --rundir $words); and set dir $words[(math $at + 1)]
    for word in $words
        string match -q -- '--rundir=*' $word; and set dir (string replace -- --rundir= '' $word)
    end
    test -S $dir/ring.sock; or return 0
    RINGKIT_TIMEOUT=300ms ringkit msgcat -q -n 0 $argv[1] --rundir=$dir 2>/dev/null |
        string replace -rf "^exists .*?\b$argv[2]=([^ \\\\]*) .*" '$1' | sort -u
end

function __ringkit_msgcat_runs_command
    contains -- -- (commandline -opc)
end

complete -c ringkit-msgcat -f
complete -c ringkit-msgcat -n __ringkit_msgcat_runs_command -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c ringkit-msgcat -n 'not __ringkit_msgcat_runs_command' -a '(__ringkit_msgcat_ask --members group)'
complete -c ringkit-msgcat -s n -l count -x -d 'End after N messages'
complete -c ringkit-msgcat -s t -l timeout -x -d 'End with 124 after so long'
complete -c ringkit-msgcat -s i -l idle -x -d 'End when no message came for so long'
complete -c ringkit-msgcat -s l -l records -d 'Print a record a message'
complete -c ringkit-msgcat -s j -l json -d 'Print a JSON object a message'
complete -c ringkit-msgcat -s N -l no-newline -d 'Print nothing behind a message'
complete -c ringkit-msgcat -s 0 -l null -d 'End messages with a NUL'
complete -c ringkit-msgcat -l framed -d 'Print len=N and the bytes'
complete -c ringkit-msgcat -s F -l pattern -x -d 'Print that for each message'
complete -c ringkit-msgcat -l from -x -a '(__ringkit_msgcat_ask --views name)' -d 'Only messages of this node'
complete -c ringkit-msgcat -l members -d 'Print who joins and leaves the groups, too'
complete -c ringkit-msgcat -l views -d 'Print the configurations of the ring, too'
complete -c ringkit-msgcat -l lossless -d 'End with 75 in place of losing a message'
complete -c ringkit-msgcat -l no-reconnect -d 'End with 69 when ringd goes away'
complete -c ringkit-msgcat -l ready-fd -x -d 'Write a line feed there once listening'
complete -c ringkit-msgcat -l hook-timeout -x -d 'End CMD after so long'
complete -c ringkit-msgcat -l on-error -x -a 'continue exit' -d 'When CMD fails'
complete -c ringkit-msgcat -l rundir -x -a '(__fish_complete_directories)' -d 'Where ring.sock is'
complete -c ringkit-msgcat -s h -l help -d 'Print the options and exit'
complete -c ringkit-msgcat -s V -l version -d 'Print the version and exit'
complete -c ringkit-msgcat -s q -l quiet -d 'Say less'
complete -c ringkit-msgcat -s v -l verbose -d 'Say more'
