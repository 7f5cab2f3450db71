#!/bin/sh
# Plants every fault of this folder, one at a time, and requires that the test it names catches it.
#
# A patch begins with four lines: what is wrong, in which block, `test: PACKAGE TARGET NAME`, and what the test's message must
# show. Everything happens in a copy of the tree below target/faults; nothing else is touched. Status 0: every fault was
# caught, and without a fault every test passes.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
work=$root/target/faults
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

# Runs the test that a patch names: status of cargo, output in $log.
run_test() {
    # shellcheck disable=SC2046 # three words
    set -- $(field test "$1")
    cargo test --package "$1" --test "$2" -- --exact "$3" > "$log" 2>&1
}

# Whether $log is of a run of exactly the one test, with the result $2.
ran() {
    # shellcheck disable=SC2046 # three words
    set -- "$2" $(field test "$1")
    grep -q "^test $4 \.\.\. $1\$" "$log"
}

failed=0
for patch in "$root"/testbenches/faults/*.patch; do
    if ! { run_test "$patch" && ran "$patch" ok; }; then
        echo "without any fault, $(field test "$patch") does not pass:"
        tail -n 40 "$log"
        exit 1
    fi
done
echo "without a fault every test passes"
echo
echo "| fault | block | test | caught | first line of the failure |"
echo "|---|---|---|---|---|"
for patch in "$root"/testbenches/faults/*.patch; do
    name=$(basename "$patch" .patch)
    if ! patch --batch --forward --fuzz=1 --strip=1 --no-backup-if-mismatch --reject-file=- < "$patch" > "$log" 2>&1; then
        caught=no
        line="the patch does not apply"
        # What was applied of it is undone from the original.
        sed -n 's|^+++ b/||p' "$patch" | while read -r file; do cp "$root/$file" "$file"; done
    else
        if run_test "$patch"; then
            caught=no
            line="the test passes"
        elif ran "$patch" FAILED; then
            line=$(sed -n '/panicked at/{n;p;}' "$log" | head -n 1)
            case $line in
                *"$(field shows "$patch")"*) caught=yes ;;
                *) caught="no, for another reason" ;;
            esac
            line=$(printf '%s' "$line" | cut -c 1-150)
        else
            caught=no
            line="it does not compile, or the test was not run"
            tail -n 30 "$log" >&2
        fi
        patch --batch --reverse --strip=1 --no-backup-if-mismatch < "$patch" > "$log" 2>&1
    fi
    [ "$caught" = yes ] || failed=1
    echo "| $name: $(field fault "$patch") | $(field block "$patch") | $(field test "$patch") | $caught | $line |"
done
exit "$failed"
