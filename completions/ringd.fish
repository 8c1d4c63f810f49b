# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringd for fish.

# The nodes of the configuration.
function __ringd_nodes
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

complete -c ringd -f
complete -c ringd -s c -l config -rF -d Configuration
complete -c ringd -l rundir -x -a '(__fish_complete_directories)' -d 'Where ring.sock is made'
complete -c ringd -l statedir -x -a '(__fish_complete_directories)' -d 'What must survive'
complete -c ringd -l node -x -a '(__ringd_nodes)' -d 'Be this node'
complete -c ringd -l user -x -a '(__fish_complete_users)' -d 'Become this user'
complete -c ringd -l log-level -x -a 'error warning notice info debug' -d 'Log that and what is graver'
complete -c ringd -l ready-fd -x -d 'Write a newline to it when the socket answers'
complete -c ringd -l check -d 'Check the configuration, and exit'
complete -c ringd -l no-supervisor -d 'Be one process'
complete -c ringd -s h -l help -d 'Print the options and exit'
complete -c ringd -s V -l version -d 'Print the version and exit'
complete -c ringd -s q -l quiet -d 'Say less'
complete -c ringd -s v -l verbose -d 'Say more'
