#!/bin/sh
# faults.sh FOLDER: plants every fault of a folder, one at a time, and requires that the tests it names catch it.
#
# A patch begins with four lines: what is wrong (`fault:`), in which block, which test, and what the test's message must show:
#
#     test: PACKAGE TARGET NAME      that one test fails, and the first line of its failure has the text of `shows:`
#     test: PACKAGE TARGET,TARGET    each of these test programs has a test that fails; `shows:` is left out
#
# A target is a file of `tests`, or `lib`: the unit tests of the library, whose names have the module, as in `pareto::tests::NAME`.
#
# Everything happens in a copy of the tree below target/; nothing else is touched. Status 0: every fault was caught, and without
# a fault every test passes.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
folder=${1:?"which folder of patches?"}
ls "$folder"/*.patch > /dev/null
work=$root/target/$(basename "$folder")
tree=$work/tree
log=$work/log
mkdir -p "$tree"
# Debug information is not read by anyone here.
export CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_DIR="$work/build" SYSTOLE_CACHE="$work/verilated" RUST_BACKTRACE=0 CARGO_TERM_COLOR=never

# The tree as it is, uncommitted files too. Files that are the same stay as they are, so that cargo keeps its builds; a
# copied file is new, so that cargo sees it.
git ls-files --cached --others --exclude-standard | sort > "$work/files"
(cd "$tree" && find . -type f | sed 's|^\./||' | sort) | comm -13 "$work/files" - | while read -r file; do
    rm "$tree/$file"
done
while read -r file; do
    if [ ! -e "$file" ]; then
        rm -f "$tree/$file"
    elif ! cmp -s "$file" "$tree/$file"; then
        mkdir -p "$tree/$(dirname "$file")"
        cp "$file" "$tree/$file"
    fi
done < "$work/files"
cd "$tree"

field() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# Runs tests, given as `PACKAGE TARGETS [NAME]`: status of cargo, output in $log.
run_tests() {
    package=$1 targets=$(echo "$2" | tr , ' ') only=${3-}
    set --
    for target in $targets; do
        case $target in
            lib) set -- "$@" --lib ;;
            *) set -- "$@" --test "$target" ;;
        esac
    done
    [ -z "$only" ] || set -- "$@" -- --exact "$only"
    cargo test --package "$package" --no-fail-fast "$@" > "$log" 2>&1
}

# Whether $log, of `PACKAGE TARGETS [NAME]`, is of a run with the result $1 of exactly the one test, or of each target.
ran() {
    result=$1 targets=$(echo "$3" | tr , ' ') only=${4-}
    if [ -n "$only" ]; then
        grep -q "^test $only \.\.\. $result\$" "$log"
        return
    fi
    for target in $targets; do
        case $target in
            lib) program=src/lib.rs ;;
            *) program=tests/$target.rs ;;
        esac
        awk -v program="$program" -v result="test result: $result" '
            /^ *Running / { found = index($0, program) > 0 }
            found && index($0, result) == 1 { seen = 1 }
            END { exit !seen }' "$log" || return 1
    done
}

failed=0
for patch in "$root/$folder"/*.patch; do field test "$patch"; done | sort -u > "$work/tests"
while read -r tests; do
    # shellcheck disable=SC2086 # two or three words
    if ! { run_tests $tests < /dev/null && ran ok $tests; }; then
        echo "without any fault, $tests does not pass:"
        tail -n 40 "$log"
        exit 1
    fi
done < "$work/tests"
echo "without a fault every test passes"
echo
echo "| fault | block | test | caught | first line of the failure |"
echo "|---|---|---|---|---|"
for patch in "$root/$folder"/*.patch; do
    name=$(basename "$patch" .patch)
    tests=$(field test "$patch")
    if ! patch --batch --forward --fuzz=1 --strip=1 --no-backup-if-mismatch --reject-file=- < "$patch" > "$log" 2>&1; then
        caught=no
        line="the patch does not apply"
        # What was applied of it is undone from the original.
        sed -n 's|^+++ b/||p' "$patch" | while read -r file; do cp "$root/$file" "$file"; done
    else
        # shellcheck disable=SC2086 # two or three words
        if run_tests $tests; then
            caught=no
            line="the test passes"
        elif ran FAILED $tests; then
            line=$(sed -n '/panicked at/{n;p;}' "$log" | head -n 1)
            case $line in
                *"$(field shows "$patch")"*) caught=yes ;;
                *) caught="no, for another reason" ;;
            esac
            line=$(printf '%s' "$line" | cut -c 1-150)
        else
            caught=no
            line="it does not compile, or a test did not run, or did not fail"
            tail -n 30 "$log" >&2
        fi
        patch --batch --reverse --strip=1 --no-backup-if-mismatch < "$patch" > "$log" 2>&1
    fi
    [ "$caught" = yes ] || failed=1
    echo "| $name: $(field fault "$patch") | $(field block "$patch") | $tests | $caught | $line |"
done
exit "$failed"
