# SPDX-License-Identifier: BSD-3-Clause
# Completion of msgsend for fish.

# Groups that somebody is in; nothing when no ringd runs, and after 300 ms.
function __msgsend_groups
    set -l dir /run/ringkit
    set -q RINGKIT_RUNDIR; and set dir $RINGKIT_RUNDIR
    set -l words (commandline -opc)
    set -l at (contains -i -- --rundir $words); and set dir $words[(math $at + 1)]
    for word in $words
        string match -q -- '--rundir=*' $word; and set dir (string replace -- --rundir= '' $word)
    end
    test -S $dir/ring.sock; or return 0
    RINGKIT_TIMEOUT=300ms ringkit msgcat -q -n 0 --members --rundir=$dir 2>/dev/null |
        string match -r '^exists group=[^ \\\\]*' | string replace 'exists group=' '' | sort -u
end

complete -c msgsend -f
complete -c msgsend -n '__fish_is_nth_token 1' -a '(__msgsend_groups)'
complete -c msgsend -s l -l lines -d 'One line is one message'
complete -c msgsend -s w -l whole -d 'All of the input is one message'
complete -c msgsend -s 0 -l null -d 'Messages end in a NUL'
complete -c msgsend -l framed -d 'Messages are framed'
complete -c msgsend -l json -d 'A line is an object with data'
complete -c msgsend -s f -l file -rF -d 'Send a file'
complete -c msgsend -s m -l message -x -d 'Send this message'
complete -c msgsend -s T -l separator -x -d 'Messages end in SEP'
complete -c msgsend -l confirm -x -a 'agreed safe none' -d 'Wait for that'
complete -c msgsend -l require-quorum -d 'Send only in a view that has a quorum'
complete -c msgsend -l retry -x -d 'When ringd is away, try again for so long'
complete -c msgsend -l rate -x -d 'Send at most N messages a second'
complete -c msgsend -l tee -d 'Copy what was confirmed to standard output'
complete -c msgsend -l skip-empty -d 'Do not send empty messages'
complete -c msgsend -l allow-empty -d 'Send empty input as an empty message'
complete -c msgsend -s t -l timeout -x -d 'Give up when no answer comes for so long'
complete -c msgsend -l rundir -x -a '(__fish_complete_directories)' -d 'Where ring.sock is'
complete -c msgsend -s h -l help -d 'Print the options and exit'
complete -c msgsend -s V -l version -d 'Print the version and exit'
complete -c msgsend -s q -l quiet -d 'Say less'
complete -c msgsend -s v -l verbose -d 'Say more'
