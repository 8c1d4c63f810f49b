# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringlock for fish.

function __ringlock_runs_command
    contains -- -- (commandline -opc)
end

complete -c ringlock -f
complete -c ringlock -n __ringlock_runs_command -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c ringlock -l try -d 'End with 1 when it is not free'
complete -c ringlock -s w -l wait -x -d 'Wait at most so long'
complete -c ringlock -l slots -x -d 'So many may hold it at once'
complete -c ringlock -l prio -x -d 'Come before those with a lower one'
complete -c ringlock -l value -x -d 'What others are told of the holder'
complete -c ringlock -l ttl -x -d 'So long it is ours without the store'
complete -c ringlock -l grace -x -d 'From TERM to the end of that'
complete -c ringlock -l kill-on-loss -x -a 'yes no' -d 'End CMD when the lock is lost'
complete -c ringlock -l on-stuck -x -a 'none watchdog reboot' -d 'What to do when CMD cannot be ended'
complete -c ringlock -l watchdog -r -d 'The device for that'
complete -c ringlock -l contain -d 'CMD in a PID namespace'
complete -c ringlock -l for-pid -x -a '(__fish_complete_pids)' -d 'Hold it for this process'
complete -c ringlock -l holder -d 'Print who holds it'
complete -c ringlock -l list -d 'Print all locks'
complete -c ringlock -s j -l json -d 'Print JSON objects'
complete -c ringlock -l rundir -x -a '(__fish_complete_directories)' -d 'Where cfg.sock is'
complete -c ringlock -s h -l help -d 'Print the options and exit'
complete -c ringlock -s V -l version -d 'Print the version and exit'
complete -c ringlock -s q -l quiet -d 'Say less'
complete -c ringlock -s v -l verbose -d 'Say more'
