# SPDX-License-Identifier: BSD-3-Clause
# Completion of quorumd for fish.

# The nodes of the configuration.
function __quorumd_nodes
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

complete -c quorumd -f
complete -c quorumd -s c -l config -rF -d Configuration
complete -c quorumd -l rundir -x -a '(__fish_complete_directories)' -d 'Where quorum.sock is made'
complete -c quorumd -l statedir -x -a '(__fish_complete_directories)' -d 'What must survive'
complete -c quorumd -l node -x -a '(__quorumd_nodes)' -d 'Be this node'
complete -c quorumd -l user -x -a '(__fish_complete_users)' -d 'Become this user'
complete -c quorumd -l log-level -x -a 'error warning notice info debug' -d 'Log that and what is graver'
complete -c quorumd -l ready-fd -x -d 'Write a newline to it when the socket answers'
complete -c quorumd -l check -d 'Check the configuration, and exit'
complete -c quorumd -l simulate -rF -d 'Play a script; print verdicts'
complete -c quorumd -s h -l help -d 'Print the options and exit'
complete -c quorumd -s V -l version -d 'Print the version and exit'
complete -c quorumd -s q -l quiet -d 'Say less'
complete -c quorumd -s v -l verbose -d 'Say more'
