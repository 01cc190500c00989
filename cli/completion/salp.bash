# SPDX-License-Identifier: MIT
#
# Completion of salp for bash.
#
# Nothing of the command is written down here: commands and options are read from what 'salp --help' and
# 'salp COMMAND --help-all' print, and what an option takes from the word behind it: FILE, FOLDER, COMMAND, a|b.

# Lines "OPTION ARGUMENT" of a command; no ARGUMENT: it takes none, "=ARGUMENT": it may be left out.
_salp_options() {
    { "$1" "$2" --help-all || "$1" "$2" --help; } 2> /dev/null | awk '
        /^ +-/ {
            sub(/^ +/, "")
            sub(/  .*/, "")
            count = split($0, names, /, /)
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
                print substr(name, 1, RLENGTH), (argument == "" ? "" : optional argument)
            }
        }'
}

# What the option takes; fails if it is none of these.
_salp_argument_of() {
    local name argument
    while read -r name argument; do
        if [ "$name" = "$1" ]; then
            printf '%s\n' "$argument"
            return 0
        fi
    done <<< "$2"
    return 1
}

# Files, folders or words for an argument that is called like that.
_salp_complete_argument() {
    case $1 in
    FILE* | PAGE) mapfile -t COMPREPLY < <(compgen -f -- "$2") && compopt -o filenames 2> /dev/null ;;
    FOLDER | DIR) mapfile -t COMPREPLY < <(compgen -d -- "$2") && compopt -o filenames 2> /dev/null ;;
    COMMAND) mapfile -t COMPREPLY < <(compgen -c -- "$2") ;;
    *'|'*) mapfile -t COMPREPLY < <(compgen -W "${1//|/ }" -- "$2") ;;
    esac
}

_salp() {
    local salp=$1 options argument at command=0 current
    local words=("${COMP_WORDS[@]}")
    # As they are on the line, not as bash takes them apart at '=' and ':'.
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [ "${COMP_LINE:COMP_POINT-1:1}" != " " ] || words+=("")
    local last=$((${#words[@]} - 1))
    current=${words[last]}
    COMPREPLY=()
    if [ "$last" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "--help --version $("$salp" --help 2> /dev/null |
            awk '/^Commands:/ { on = 1; next } on && /^  / { print $1 }')" -- "$current")
        return
    fi
    options=$(_salp_options "$salp" "${words[1]}")
    # Where the options end: the first word that is neither one nor the argument of one.
    for ((at = 2; at < last; at++)); do
        case ${words[at]} in
        --) command=$((at + 1)) && break ;;
        -?*)
            argument=$(_salp_argument_of "${words[at]}" "$options") || continue
            [ -n "$argument" ] && [ "${argument#=}" = "$argument" ] || continue
            if [ $((at + 1)) -eq "$last" ]; then
                _salp_complete_argument "$argument" "$current"
                return
            fi
            at=$((at + 1))
            ;;
        *) command=$at && break ;;
        esac
    done
    if [ "$command" -gt 0 ] && [ "$command" -lt "$last" ]; then
        _salp_complete_argument FILE "$current"
        return
    fi
    case $current in
    --*=*)
        argument=$(_salp_argument_of "${current%%=*}" "$options") && _salp_complete_argument "${argument#=}" "${current#*=}"
        ;;
    -*) mapfile -t COMPREPLY < <(compgen -W "$(awk '{ print $1 }' <<< "$options")" -- "$current") ;;
    *)
        case ${words[1]} in
        map | worth) _salp_complete_argument COMMAND "$current" ;;
        *) _salp_complete_argument FILE "$current" ;;
        esac
        ;;
    esac
}

complete -F _salp salp
