# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringkit for fish.

# The command that was given, as "-q status" gives it; fails without one.
function __ringkit_command
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; and continue
        echo $word
        return 0
    end
    return 1
end

function __ringkit_is # COMMAND...
    set -l command (__ringkit_command); and contains -- $command $argv
end

# Another program's completions.  That of msgcat has the name under which it
# is installed.
function __ringkit_program
    set -l command (__ringkit_command)
    set -l words (commandline -opc)
    set -l at (contains -i -- $command $words)
    set -l name $command
    test $command = msgcat; and set name ringkit-msgcat
    set -l line $name (string escape -- $words[(math $at + 1)..])
    complete -C "$line "(commandline -ct)
end

function __ringkit_nodes
    set -l file /etc/ringkit/ringkit.conf
    set -l words (commandline -opc)
    for option in -c --config
        set -l at (contains -i -- $option $words); and set file $words[(math $at + 1)]
    end
    for word in $words
        string match -q -- '--config=*' $word; and set file (string replace -- --config= '' $word)
    end
    test -r $file; or return 0
    string replace -rf '^\[node ([^]]*)\].*' '$1' <$file 2>/dev/null
end

# The nodes that the ringd that runs has; none without, and after 300 ms.
function __ringkit_known_nodes
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

set -l programs cfgstore cfgstored check-quorum memberd msgcat msgsend quorumd ringd ringlock watch-membership

complete -c ringkit -f
complete -c ringkit -n 'not __ringkit_command' -a status -d 'Show the state of this node'
complete -c ringkit -n 'not __ringkit_command' -a members -d 'Show the nodes'
complete -c ringkit -n 'not __ringkit_command' -a tag -d 'Set a tag of a node'
complete -c ringkit -n 'not __ringkit_command' -a forget -d 'Know nothing more of a node'
complete -c ringkit -n 'not __ringkit_command' -a fence-confirm -d 'Vouch for a node being stopped'
complete -c ringkit -n 'not __ringkit_command' -a up -d 'Start the daemons of this node'
complete -c ringkit -n 'not __ringkit_command' -a down -d 'End the daemons of this node'
complete -c ringkit -n 'not __ringkit_command' -a sandbox -d 'Run a cluster on this machine'
complete -c ringkit -n 'not __ringkit_command' -a keygen -d 'Make a key file'
complete -c ringkit -n 'not __ringkit_command' -a rotate-key -d 'Give the ring another key while it runs'
complete -c ringkit -n 'not __ringkit_command' -a reload -d 'Take the changed configuration while it runs'
complete -c ringkit -n 'not __ringkit_command' -a check-config -d 'Say what is wrong with the configuration'
complete -c ringkit -n 'not __ringkit_command' -a cfgstore -d 'Read, write and watch the configuration store'
complete -c ringkit -n 'not __ringkit_command' -a cfgstored -d 'Keep the configuration of the cluster'
complete -c ringkit -n 'not __ringkit_command' -a check-quorum -d 'Tell, wait for or hold a condition'
complete -c ringkit -n 'not __ringkit_command' -a memberd -d 'Tell which nodes are members'
complete -c ringkit -n 'not __ringkit_command' -a msgcat -d 'Print the messages of groups'
complete -c ringkit -n 'not __ringkit_command' -a msgsend -d 'Send messages to a group'
complete -c ringkit -n 'not __ringkit_command' -a quorumd -d 'Decide whether this node may act'
complete -c ringkit -n 'not __ringkit_command' -a ringd -d 'Order messages among the nodes'
complete -c ringkit -n 'not __ringkit_command' -a ringlock -d 'Run a command under a lock'
complete -c ringkit -n 'not __ringkit_command' -a watch-membership -d 'Tell who is there, run hooks'
complete -c ringkit -n "__ringkit_is $programs" -a '(__ringkit_program)'

set -l common "not __ringkit_is $programs"
complete -c ringkit -n $common -s h -l help -d 'Print the options and exit'
complete -c ringkit -n $common -s V -l version -d 'Print the version and exit'
complete -c ringkit -n $common -s q -l quiet -d 'Say less'
complete -c ringkit -n $common -s v -l verbose -d 'Say more'

complete -c ringkit -n '__ringkit_is status' -s j -l json -d 'Print a JSON object a fact'
complete -c ringkit -n '__ringkit_is status' -s l -l records -d 'Print a record a fact'
complete -c ringkit -n '__ringkit_is members' -s j -l json -d 'Print a JSON object a node'
complete -c ringkit -n '__ringkit_is members' -s l -l records -d 'Print a record a node'
complete -c ringkit -n '__ringkit_is members' -s o -l fields -x -a 'node name addr state inc local version since_ms tags' -d 'Print only these'
complete -c ringkit -n '__ringkit_is tag' -s N -l node -x -a '(__ringkit_known_nodes)' -d 'Of this node'
complete -c ringkit -n '__ringkit_is tag' -s u -l unset -d 'Take the tag away'
complete -c ringkit -n '__ringkit_is forget fence-confirm' -a '(__ringkit_known_nodes)'
complete -c ringkit -n '__ringkit_is fence-confirm' -s m -l method -x -d 'How it was done'
complete -c ringkit -n '__ringkit_is status members tag forget fence-confirm rotate-key reload up down' -l rundir -x -a '(__fish_complete_directories)' -d 'Where the sockets are'
complete -c ringkit -n '__ringkit_is keygen' -s o -l output -rF -d 'The key file, - is stdout'
complete -c ringkit -n '__ringkit_is keygen' -l id -x -d 'The number of the key'
complete -c ringkit -n '__ringkit_is rotate-key' -s n -l dry-run -d 'Only show what would be next'
complete -c ringkit -n '__ringkit_is rotate-key' -l resume -d 'Only end a rotation that was begun'
complete -c ringkit -n '__ringkit_is rotate-key' -s j -l json -d 'Print a JSON object a node'
complete -c ringkit -n '__ringkit_is rotate-key' -s l -l records -d 'Print a record a node'
complete -c ringkit -n '__ringkit_is reload' -s n -l dry-run -d 'Only have all nodes check their files'
complete -c ringkit -n '__ringkit_is reload' -s f -l force -d 'Even if that costs the quorum'
complete -c ringkit -n '__ringkit_is reload' -s j -l json -d 'Print a JSON object a node'
complete -c ringkit -n '__ringkit_is reload' -s l -l records -d 'Print a record a node'
complete -c ringkit -n '__ringkit_is check-config' -F
complete -c ringkit -n '__ringkit_is up' -s c -l config -rF -d Configuration
complete -c ringkit -n '__ringkit_is up' -l statedir -x -a '(__fish_complete_directories)' -d 'What must survive'
complete -c ringkit -n '__ringkit_is up' -l node -x -a '(__ringkit_nodes)' -d 'Be this node of the configuration'
complete -c ringkit -n '__ringkit_is up' -l log -rF -d 'Where the logs go'
complete -c ringkit -n '__ringkit_is up down sandbox' -s t -l timeout -x -d 'Give up by then'
complete -c ringkit -n '__ringkit_is down' -l force -d 'Even when it costs the others their quorum'
complete -c ringkit -n '__ringkit_is sandbox' -l stop -d 'End the nodes of DIR'
complete -c ringkit -n '__ringkit_is sandbox' -l start -x -d 'Start a node of DIR again'
complete -c ringkit -n '__ringkit_is sandbox' -s p -l port -x -d 'The UDP port'
complete -c ringkit -n '__ringkit_is sandbox' -s c -l config -rF -d 'Lines for the end of ringkit.conf'
complete -c ringkit -n '__ringkit_is sandbox' -l only -xa 'ringd ringd,memberd' -d 'Run only these daemons'
complete -c ringkit -n '__ringkit_is sandbox; and not contains -- -- (commandline -opc)' -a '(__fish_complete_directories)'
complete -c ringkit -n '__ringkit_is sandbox; and contains -- -- (commandline -opc)' -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
