# SPDX-License-Identifier: BSD-3-Clause
# Completion of cfgstored for fish.

# The nodes of the configuration.
function __cfgstored_nodes
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

complete -c cfgstored -f
complete -c cfgstored -s c -l config -rF -d Configuration
complete -c cfgstored -l rundir -x -a '(__fish_complete_directories)' -d 'Where cfg.sock is made'
complete -c cfgstored -l statedir -x -a '(__fish_complete_directories)' -d 'What must survive'
complete -c cfgstored -l node -x -a '(__cfgstored_nodes)' -d 'Be this node'
complete -c cfgstored -l user -x -a '(__fish_complete_users)' -d 'Become this user'
complete -c cfgstored -l log-level -x -a 'error warning notice info debug' -d 'Log that and what is graver'
complete -c cfgstored -l ready-fd -x -d 'Write a newline to it when the socket answers'
complete -c cfgstored -l check -d 'Check the configuration, and exit'
complete -c cfgstored -s h -l help -d 'Print the options and exit'
complete -c cfgstored -s V -l version -d 'Print the version and exit'
complete -c cfgstored -s q -l quiet -d 'Say less'
complete -c cfgstored -s v -l verbose -d 'Say more'
