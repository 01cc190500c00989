# SPDX-License-Identifier: MIT
#
# Completion of salp for fish.
#
# Nothing of the command is written down here: commands and options are read from what 'salp --help' and
# 'salp COMMAND --help-all' print, and what an option takes from the word behind it: FILE, FOLDER, COMMAND, a|b.

function __salp_commands
    salp --help 2>/dev/null | awk '
        /^Commands:/ { on = 1; next }
        on && /^  / { name = $1; $1 = ""; sub(/^ +/, ""); print name "\t" $0 }'
end

# Lines "OPTION<tab>ARGUMENT<tab>HELP" of a command; no ARGUMENT: it takes none, "=ARGUMENT": it may be left out.
function __salp_options
    begin
        salp $argv[1] --help-all; or salp $argv[1] --help
    end 2>/dev/null | awk '
        function flush(  i, count, names, name, optional, argument) {
            count = split(line, names, /, /)
            argument = ""
            for (i = count; i > 0; i--) {
                name = names[i]
                match(name, /^(--[^ =[]+|-.)/)
                # "-j, --jobs N": both have it.
                if (name !~ /^-.$/ || names[i + 1] !~ /^--/) {
                    argument = substr(name, RLENGTH + 1)
                    optional = argument ~ /\[/ ? "=" : ""
                    gsub(/[][= ]/, "", argument)
                }
                print substr(name, 1, RLENGTH) "\t" (argument == "" ? "" : optional argument) "\t" help
            }
            line = ""
        }
        /^ +-/ {
            flush()
            sub(/^ +/, "")
            line = help = $0
            sub(/  .*/, "", line)
            help = substr(help, length(line) + 1)
            sub(/^ +/, "", help)
            next
        }
        line != "" && /^          / { sub(/^ +/, ""); help = help (help == "" ? "" : " ") $0; next }
        { flush() }
        END { flush() }'
end

function __salp_argument
    switch $argv[1]
        case 'FILE*' PAGE
            __fish_complete_path $argv[2]
        case FOLDER DIR
            __fish_complete_directories $argv[2]
        case COMMAND
            __fish_complete_command
        case '*|*'
            string split '|' -- $argv[1]
    end
end

function __salp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    if test (count $words) -eq 1
        __salp_commands
        printf '%s\n' --help --version
        return
    end
    set -l names
    set -l arguments
    set -l shown
    for line in (__salp_options $words[2])
        set -l fields (string split \t -- $line)
        set -a names $fields[1]
        set -a arguments "$fields[2]"
        set -a shown $fields[1]\t$fields[3]
    end
    # Where the options end: the first word that is neither one nor the argument of one.
    set -l command 0
    set -l at 3
    while test $at -le (count $words)
        switch $words[$at]
            case --
                set command 1
                break
            case '-?*'
                set -l index (contains -i -- $words[$at] $names)
                if test -n "$index"; and test -n "$arguments[$index]"; and not string match -q '=*' -- $arguments[$index]
                    if test $at -eq (count $words)
                        __salp_argument $arguments[$index] "$current"
                        return
                    end
                    set at (math $at + 1)
                end
            case '*'
                set command 1
                break
        end
        set at (math $at + 1)
    end
    if test $command -eq 1
        __fish_complete_path "$current"
    else if string match -q -- '--*=*' "$current"
        set -l parts (string split -m 1 = -- $current)
        set -l index (contains -i -- $parts[1] $names)
        if test -n "$index"
            for found in (__salp_argument (string trim -l -c = -- $arguments[$index]) $parts[2])
                printf '%s=%s\n' $parts[1] $found
            end
        end
    else if string match -q -- '-*' "$current"
        printf '%s\n' $shown
    else if contains -- $words[2] map worth
        __fish_complete_command
    else
        __fish_complete_path "$current"
    end
end

complete -c salp -f -a '(__salp_complete)'
