# SPDX-License-Identifier: BSD-3-Clause
# Completion of memberd for fish.

# The nodes of the configuration.
function __memberd_nodes
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

complete -c memberd -f
complete -c memberd -s c -l config -rF -d Configuration
complete -c memberd -l rundir -x -a '(__fish_complete_directories)' -d 'Where member.sock is made'
complete -c memberd -l statedir -x -a '(__fish_complete_directories)' -d 'What must survive'
complete -c memberd -l node -x -a '(__memberd_nodes)' -d 'Be this node'
complete -c memberd -l user -x -a '(__fish_complete_users)' -d 'Become this user'
complete -c memberd -l log-level -x -a 'error warning notice info debug' -d 'Log that and what is graver'
complete -c memberd -l ready-fd -x -d 'Write a newline to it when the socket answers'
complete -c memberd -l check -d 'Check the configuration, and exit'
complete -c memberd -s h -l help -d 'Print the options and exit'
complete -c memberd -s V -l version -d 'Print the version and exit'
complete -c memberd -s q -l quiet -d 'Say less'
complete -c memberd -s v -l verbose -d 'Say more'
