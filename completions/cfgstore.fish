# SPDX-License-Identifier: BSD-3-Clause
# Completion of cfgstore for fish.

# The verb that was given, as "-q get" gives it; fails without one.
function __cfgstore_verb
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; and continue
        echo $word
        return 0
    end
    return 1
end

function __cfgstore_is # VERB...
    set -l verb (__cfgstore_verb); and contains -- $verb $argv
end

function __cfgstore_runs_command
    __cfgstore_is watch; and contains -- -- (commandline -opc)
end

# The keys that the store has; none without a daemon, and after 300 ms.
function __cfgstore_keys
    set -l dir /run/ringkit
    set -q RINGKIT_RUNDIR; and set dir $RINGKIT_RUNDIR
    set -l words (commandline -opc)
    set -l at (contains -i -- --rundir $words); and set dir $words[(math $at + 1)]
    for word in $words
        string match -q -- '--rundir=*' $word; and set dir (string replace -- --rundir= '' $word)
    end
    test -S $dir/cfg.sock; or return 0
    RINGKIT_TIMEOUT=300ms ringkit cfgstore list -q -k -0 -p --rundir=$dir -- (commandline -ct) 2>/dev/null |
        string split0 | head -n 1000
end

complete -c cfgstore -f
complete -c cfgstore -n 'not __cfgstore_verb' -a get -d 'Print a value'
complete -c cfgstore -n 'not __cfgstore_verb' -a list -d 'Print keys and values'
complete -c cfgstore -n 'not __cfgstore_verb' -a set -d 'Give a key a value'
complete -c cfgstore -n 'not __cfgstore_verb' -a cas -d 'Give a key a value if it has a revision'
complete -c cfgstore -n 'not __cfgstore_verb' -a del -d 'Delete keys'
complete -c cfgstore -n 'not __cfgstore_verb' -a txn -d 'Change several keys, all or none'
complete -c cfgstore -n 'not __cfgstore_verb' -a edit -d 'Change a value in an editor'
complete -c cfgstore -n 'not __cfgstore_verb' -a wait -d 'Wait until a key is so'
complete -c cfgstore -n 'not __cfgstore_verb' -a watch -d 'Tell changes, run a command'
complete -c cfgstore -n 'not __cfgstore_verb' -a history -d 'Print what a key was'
complete -c cfgstore -n 'not __cfgstore_verb' -a revert -d 'Make a key what it was'
complete -c cfgstore -n 'not __cfgstore_verb' -a export -d 'Print keys and values as a file'
complete -c cfgstore -n 'not __cfgstore_verb' -a import -d 'Make the store what a file says'
complete -c cfgstore -n 'not __cfgstore_verb' -a diff -d 'Show what import would change'
complete -c cfgstore -n 'not __cfgstore_verb' -a leader -d 'Tell who holds a lock'
complete -c cfgstore -n 'not __cfgstore_verb' -a lease -d 'Grant, renew, release leases'
complete -c cfgstore -n 'not __cfgstore_verb' -a status -d 'Show the state of the replica'
complete -c cfgstore -n 'not __cfgstore_verb' -a nodes -d 'Show the replicas of all nodes'
complete -c cfgstore -n 'not __cfgstore_verb' -a init -d 'Begin a new store'
complete -c cfgstore -n 'not __cfgstore_verb' -a electorate -d 'Show or change who votes'
complete -c cfgstore -n 'not __cfgstore_verb' -a limits -d 'Show or change what fits'
complete -c cfgstore -n 'not __cfgstore_verb' -a compact -d 'Forget old versions'
complete -c cfgstore -n __cfgstore_runs_command -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c cfgstore -n '__cfgstore_is get list set cas del edit wait watch history revert export; and not __cfgstore_runs_command' -a '(__cfgstore_keys)'
complete -c cfgstore -n '__cfgstore_is txn import diff' -F
complete -c cfgstore -n '__cfgstore_is lease' -a 'grant renew release list'
complete -c cfgstore -n '__cfgstore_is limits' -a 'keys= bytes= value= leases='
complete -c cfgstore -s h -l help -d 'Print the options and exit'
complete -c cfgstore -s V -l version -d 'Print the version and exit'
complete -c cfgstore -s q -l quiet -d 'Say less'
complete -c cfgstore -s v -l verbose -d 'Say more'
complete -c cfgstore -n '__cfgstore_is get' -s r -l raw -d 'Print the bytes of the value and no line feed'
complete -c cfgstore -n '__cfgstore_is get' -s d -l default -x -d 'Print this when there is no such key'
complete -c cfgstore -n '__cfgstore_is get' -s R -l rev -x -d 'The value as it was at that revision'
complete -c cfgstore -n '__cfgstore_is get list export diff leader' -l sync -d 'See all that was written before; needs a quorum'
complete -c cfgstore -n '__cfgstore_is get' -s j -l json -d 'Print a JSON object'
complete -c cfgstore -n '__cfgstore_is get' -s o -l fields -x -a 'key rev created by lease store_rev age_ms len value' -d 'Print these, apart by blanks: rev,created,by,…'
complete -c cfgstore -n '__cfgstore_is get' -s O -l output -rF -d 'Put the bytes in the place of FILE, in one step'
complete -c cfgstore -n '__cfgstore_is get list set cas del txn edit history revert export import diff leader lease status nodes init electorate limits compact' -s t -l timeout -x -d 'How long the daemon may take, then end with 124'
complete -c cfgstore -n '__cfgstore_is get list set cas del txn edit wait watch history revert export import diff leader lease status nodes init electorate limits compact' -l rundir -x -a '(__fish_complete_directories)' -d 'Where cfg.sock is'
complete -c cfgstore -n '__cfgstore_is list' -s l -l records -d 'Print a record of key=value words each'
complete -c cfgstore -n '__cfgstore_is list' -s k -l keys -d 'Print only the keys'
complete -c cfgstore -n '__cfgstore_is list watch history diff leader' -s j -l json -d 'Print a JSON object each'
complete -c cfgstore -n '__cfgstore_is list' -s o -l fields -x -a 'key rev created by lease len value' -d 'Print these, apart by blanks: key,rev,value,…'
complete -c cfgstore -n '__cfgstore_is list' -s 0 -l null -d 'End each with a NUL; with -k exact bytes'
complete -c cfgstore -n '__cfgstore_is list watch export' -s p -l prefix -d 'The operands are beginnings of keys, not globs'
complete -c cfgstore -n '__cfgstore_is set del' -l if-rev -x -d 'Only if the key has that revision; 0: it is not there'
complete -c cfgstore -n '__cfgstore_is set' -l if-absent -d 'Only if there is no such key'
complete -c cfgstore -n '__cfgstore_is set' -l if-exists -d 'Only if there is such a key'
complete -c cfgstore -n '__cfgstore_is set' -l if-value -x -d 'Only if the key has that value'
complete -c cfgstore -n '__cfgstore_is set cas' -s c -l chomp -d 'Take one line feed off the end of the value'
complete -c cfgstore -n '__cfgstore_is set cas' -l literal -d 'Values are themselves, also - and @FILE'
complete -c cfgstore -n '__cfgstore_is set cas' -l ttl -x -d 'The key goes after so long, 100ms to a year'
complete -c cfgstore -n '__cfgstore_is set cas' -l lease -x -d 'The key goes with that lease'
complete -c cfgstore -n '__cfgstore_is set cas del txn edit revert import' -l lock -d 'Only while that lock is held; without: our own'
complete -c cfgstore -n '__cfgstore_is set cas del txn edit revert import' -l durability -x -a 'disk memory' -d 'Disk, or memory: it may be lost in a power cut'
complete -c cfgstore -n '__cfgstore_is set cas del txn edit revert' -s j -l json -d 'Print the outcome as a JSON object'
complete -c cfgstore -n '__cfgstore_is set cas del edit revert' -s o -l fields -x -a 'rev n lease key' -d 'Print these of the outcome: rev,…'
complete -c cfgstore -n '__cfgstore_is del' -s p -l prefix -d 'All keys that begin so'
complete -c cfgstore -n '__cfgstore_is txn' -s o -l fields -x -a 'rev n lease key' -d 'Print these of the outcome: rev,n,lease'
complete -c cfgstore -n '__cfgstore_is edit' -s c -l chomp -d 'A line feed behind the value, only in the editor'
complete -c cfgstore -n '__cfgstore_is wait' -l absent -d 'Until there is no such key'
complete -c cfgstore -n '__cfgstore_is wait' -l is -x -d 'Until it has this value; all of the operand is the key'
complete -c cfgstore -n '__cfgstore_is wait' -l is-not -x -d 'Until it has another, or none; likewise'
complete -c cfgstore -n '__cfgstore_is wait' -s t -l timeout -x -d 'End with 124 after so long; 0: with 1 at once'
complete -c cfgstore -n '__cfgstore_is wait watch' -l sync -d 'Begin with all that was written before'
complete -c cfgstore -n '__cfgstore_is wait' -s j -l json -d 'Print what the key was then as a JSON object'
complete -c cfgstore -n '__cfgstore_is wait' -s o -l fields -x -a 'event key rev by value' -d 'Print these of it, apart by blanks: rev,value,…'
complete -c cfgstore -n '__cfgstore_is wait' -l ready-fd -x -d 'Write a line feed there once no change is missed'
complete -c cfgstore -n '__cfgstore_is watch' -l now -d 'Print the keys as they are and end'
complete -c cfgstore -n '__cfgstore_is watch' -l no-snapshot -d 'Print only what changes'
complete -c cfgstore -n '__cfgstore_is watch' -l since -x -d 'Print what changed behind that revision, first'
complete -c cfgstore -n '__cfgstore_is watch' -s n -l count -x -d 'End after N changes'
complete -c cfgstore -n '__cfgstore_is watch' -s 1 -d 'End after one change'
complete -c cfgstore -n '__cfgstore_is watch' -s t -l timeout -x -d 'End with 124 after so long'
complete -c cfgstore -n '__cfgstore_is watch' -s o -l fields -x -a 'event key rev prev by lease value old seq ts' -d 'Print these, apart by blanks: event,key,rev,…'
complete -c cfgstore -n '__cfgstore_is watch' -s 0 -l null -d 'End records with a NUL'
complete -c cfgstore -n '__cfgstore_is watch' -l no-reconnect -d 'End with 69 when the daemon goes away'
complete -c cfgstore -n '__cfgstore_is watch' -l wait-daemon -d 'Wait for a daemon that is not there at the start'
complete -c cfgstore -n '__cfgstore_is watch' -l ready-fd -x -d 'Write a line feed there once the state was told'
complete -c cfgstore -n '__cfgstore_is watch' -l every -d 'Run CMD for every change, not for what gathered'
complete -c cfgstore -n '__cfgstore_is watch' -l settle -x -d 'Run CMD once it was quiet for so long'
complete -c cfgstore -n '__cfgstore_is watch' -l max-delay -x -d 'But do not wait longer than that'
complete -c cfgstore -n '__cfgstore_is watch' -l hook-timeout -x -d 'End CMD after so long (default: 30s)'
complete -c cfgstore -n '__cfgstore_is watch' -l retries -x -d 'Run CMD again so often after 75 (default: no end)'
complete -c cfgstore -n '__cfgstore_is watch' -l on-error -x -a 'continue exit' -d 'When CMD fails: continue or exit (default: continue)'
complete -c cfgstore -n '__cfgstore_is watch' -l state -rF -d 'Remember what CMD did, run it only for what follows'
complete -c cfgstore -n '__cfgstore_is history' -s n -l count -x -d 'Only the newest N'
complete -c cfgstore -n '__cfgstore_is history' -s o -l fields -x -a 'event key rev by value' -d 'Print these, apart by blanks: event,rev,by,…'
complete -c cfgstore -n '__cfgstore_is import diff' -l merge -d 'Leave other keys alone: the default'
complete -c cfgstore -n '__cfgstore_is import diff' -l replace -d 'Delete all keys that are not in the file'
complete -c cfgstore -n '__cfgstore_is import diff' -l allow-empty -d 'The file may be empty with --replace'
complete -c cfgstore -n '__cfgstore_is import diff' -s g -l glob -x -d 'The file is about these keys only'
complete -c cfgstore -n '__cfgstore_is import' -s n -l dry-run -d 'Only print what would be done'
complete -c cfgstore -n '__cfgstore_is import' -l atomic -d 'All or none, or end with 65'
complete -c cfgstore -n '__cfgstore_is import' -s j -l json -d 'With --dry-run: print a JSON object each'
complete -c cfgstore -n '__cfgstore_is import' -s o -l fields -x -a 'event key value old' -d 'With --dry-run: print these: event,key,value,old'
complete -c cfgstore -n '__cfgstore_is diff' -s o -l fields -x -a 'event key value old' -d 'Print these, apart by blanks: event,key,value,old'
complete -c cfgstore -n '__cfgstore_is leader' -s w -l wait -x -d 'Wait so long for a holder, then end with 124'
complete -c cfgstore -n '__cfgstore_is leader' -l self -d 'End with 1 unless a holder is on this node'
complete -c cfgstore -n '__cfgstore_is leader' -s o -l fields -x -a 'value by rev key' -d 'Print these, apart by blanks: value,by,rev,key'
complete -c cfgstore -n '__cfgstore_is lease status nodes electorate limits compact' -s j -l json -d 'Print the answer as a JSON object'
complete -c cfgstore -n '__cfgstore_is lease' -s o -l fields -x -a 'lease ttl_ms left_ms renewals by keys n' -d 'Print these of the answer: lease,ttl_ms,…'
complete -c cfgstore -n '__cfgstore_is status' -l open -d 'End with 1 when writes are not taken now'
complete -c cfgstore -n '__cfgstore_is status' -s o -l fields -x -a 'state why epoch index acked rev compacted keys bytes view votes needed age_ms' -d 'Print these of the answer, apart by blanks'
complete -c cfgstore -n '__cfgstore_is nodes electorate limits compact' -s o -l fields -x -d 'Print these of the answer, apart by blanks'
complete -c cfgstore -n '__cfgstore_is init' -l yes -d 'Whatever was stored on nodes that are away is given up'
complete -c cfgstore -n '__cfgstore_is electorate' -l remove -x -d 'This node votes no more'
complete -c cfgstore -n '__cfgstore_is electorate' -l shrink -d 'Only the nodes that are there vote from now on'
complete -c cfgstore -n '__cfgstore_is electorate' -l node -x -d 'This node has the votes of --votes'
complete -c cfgstore -n '__cfgstore_is electorate' -l votes -x -d 'How many'
