#!/bin/bash
# blur.sh PROGRAM - each pixel becomes the mean of those around it.
#
# SPDX-License-Identifier: MIT
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

# bytes NUMBER...: as they are, whatever the locale.
bytes()
{
    local byte text=
    for byte; do printf -v text '%s\\x%02x' "$text" "$byte"; done
    printf '%b' "$text"
}

# A white point amid black: a ninth of it in each of the nine pixels around, and 28.3 becomes 28.
{
    printf 'P5\n5 4\n255\n'
    bytes 0 0 0 0 0  0 0 255 0 0  0 0 0 0 0  0 0 0 0 0
} > "$scratch/point"
# The top row sees two rows, or six pixels: 42.5 becomes 43.
{
    printf 'P5\n5 4\n255\n'
    bytes 0 43 43 43 0  0 28 28 28 0  0 28 28 28 0  0 0 0 0 0
} > "$scratch/expected"
"$program" 1 < "$scratch/point" > "$scratch/out" 2> "$scratch/err"
is "blur succeeds" $? 0
same "a point becomes a square, and the edges have fewer neighbours" "$scratch/out" "$scratch/expected"
is "blur writes nothing on standard error" "$(cat "$scratch/err")" ""

# Colours, with numbers like dice, against the same in awk.
width=61 height=47 radius=3
pixels=$(awk -v n=$((3 * width * height)) 'BEGIN { x = 1; for (i = 0; i < n; i++) { x = (x * 16807) % 2147483647; print x % 256 } }')
# shellcheck disable=SC2086 # a word for each
{ printf 'P6\n%d %d\n255\n' $width $height && bytes $pixels; } > "$scratch/dice"
expected=$(awk -v width=$width -v height=$height -v radius=$radius '
    { pixel[NR - 1] = $1 }
    END {
        for (y = 0; y < height; y++) for (x = 0; x < width; x++) for (c = 0; c < 3; c++) {
            sum = count = 0
            for (v = y - radius; v <= y + radius; v++) for (u = x - radius; u <= x + radius; u++)
                if (v >= 0 && v < height && u >= 0 && u < width) { sum += pixel[(v * width + u) * 3 + c]; count++ }
            print int((sum + int(count / 2)) / count)
        }
    }' <<< "$pixels")
# shellcheck disable=SC2086
{ printf 'P6\n%d %d\n255\n' $width $height && bytes $expected; } > "$scratch/expected"
"$program" $radius < "$scratch/dice" > "$scratch/out"
same "a picture in colour is blurred as awk does it" "$scratch/out" "$scratch/expected"
"$program" 0 < "$scratch/dice" > "$scratch/out"
same "radius 0 leaves a picture as it is" "$scratch/out" "$scratch/dice"

for wrong in "" "-x" "1x" "1 2"; do
    # shellcheck disable=SC2086 # none, one or two words
    "$program" $wrong < "$scratch/dice" > "$scratch/out" 2> "$scratch/err"
    is "blur $wrong is refused" "$?:$(cat "$scratch/out")" "2:"
done
head -c 1000 "$scratch/dice" | "$program" 1 > "$scratch/out" 2> "$scratch/err"
is "half a picture is refused" "$?:$(cat "$scratch/out" "$scratch/err")" \
    "1:blur: no picture that can be read: P5 or P6, 8 bits"

done_testing
