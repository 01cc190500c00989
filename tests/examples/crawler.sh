#!/bin/bash
# crawler.sh PROGRAM - the workers find every page that is linked to, read each once, and end.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

"$program" > "$scratch/out" 2> "$scratch/err"
is "crawler succeeds" $? 0
cat > "$scratch/expected" <<'END'
page a: 3 links
page b: 2 links
page c: 3 links
page d: 1 links
page e: 2 links
page f: 2 links
page g: 0 links
page h: 1 links
END
same "crawler prints each page that can be reached, once" "$scratch/out" "$scratch/expected"
is "crawler writes nothing on standard error" "$(cat "$scratch/err")" ""

done_testing
