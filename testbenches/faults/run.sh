#!/bin/sh
# Plants every fault of this folder, one at a time, and requires that the test it names catches it.
exec "$(dirname "$0")/../../scripts/faults.sh" testbenches/faults
