#!/bin/sh
# A Slurm of one machine for tests: munged, slurmctld and slurmd of the present user, with configuration, key, sockets,
# state and logs in DIR and ports of their own. Needs no systemd, no cgroups and nothing of /etc.
set -eu

usage() {
    cat >&2 <<TEXT
usage: $0 start DIR [NODES]   starts a cluster of NODES nodes (1 unless told), node0, node1.., each with all cores;
                              then use it with export SLURM_CONF=DIR/slurm.conf
       $0 stop DIR            cancels its jobs, stops it and leaves its logs
TEXT
    exit 2
}

fail() {
    echo "$0: $1" >&2
    exit 1
}

# Debian keeps the daemons where other users' PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

runs() { # process id, what its command line holds: an ended process that nobody waited for has no command line
    tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$2"
}

stop_daemon() { # the file that holds its process id, what its command line holds
    [ -r "$1" ] || return 0
    pid=$(cat "$1")
    tries=0
    while runs "$pid" "$2"; do
        signal=TERM
        [ "$tries" -lt 50 ] || signal=KILL
        kill -s "$signal" "$pid" 2>/dev/null || true
        tries=$((tries + 1))
        sleep 0.1
    done
    rm -f "$1"
}

stop() {
    if [ -r "$dir/slurmctld.pid" ] && SLURM_CONF="$dir/slurm.conf" timeout 5 scontrol ping >/dev/null 2>&1; then
        export SLURM_CONF="$dir/slurm.conf"
        timeout 5 scancel --user="$(id -un)" 2>/dev/null || true
        tries=0
        # A job's processes outlive the daemons, so they go first.
        while [ -n "$(timeout 5 squeue --noheader --states=running,completing 2>/dev/null)" ] && [ "$tries" -lt 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi
    for pid in "$dir"/node*.pid; do
        stop_daemon "$pid" "$dir/slurm.conf"
    done
    stop_daemon "$dir/slurmctld.pid" "$dir/slurm.conf"
    stop_daemon "$dir/munged.pid" "$dir/munge.key"
}

free_port() { # the first port from $1 on that nothing listens at
    port=$1
    while grep -qi ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6; do
        port=$((port + 1))
    done
    echo "$port"
}

start() { # nodes
    for tool in munged slurmctld slurmd scontrol sinfo; do
        command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install munge slurmctld slurmd slurm-client"
    done
    [ ! -e "$dir/slurmctld.pid" ] || fail "a cluster runs in $dir already: $0 stop $dir"
    trap 'status=$?; [ "$status" = 0 ] || stop' EXIT
    mkdir -p "$dir/state" "$dir/spool"
    user=$(id -un)
    cores=$(nproc)
    memory_mb=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
    # Below the ports that the kernel gives to clients; process ids keep clusters that start at once apart.
    controller=$(free_port $((10000 + $$ % 2000 * 10)))
    (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
    {
        cat <<TEXT
ClusterName=test
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$controller
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=300
TEXT
        node=0
        port=$controller
        while [ "$node" -lt "$1" ]; do
            port=$(free_port $((port + 1)))
            echo "NodeName=node$node NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$port" \
                "CPUs=$cores RealMemory=$memory_mb"
            node=$((node + 1))
        done
        echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
    } >"$dir/slurm.conf"
    export SLURM_CONF="$dir/slurm.conf"

    # --force: munged dislikes directories that others may write, as /tmp is.
    munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
        --log-file="$dir/munged.log" --seed-file="$dir/munged.seed" --num-threads=2 2>"$dir/munged.err" ||
        fail "munged did not start: $(cat "$dir/munged.err" "$dir/munged.log" 2>/dev/null | tail -n 3)"
    slurmctld -c -f "$dir/slurm.conf" 2>"$dir/slurmctld.err" ||
        fail "slurmctld did not start: $(tail -n 3 "$dir/slurmctld.err")"
    node=0
    while [ "$node" -lt "$1" ]; do
        slurmd -c -N "node$node" -f "$dir/slurm.conf" 2>"$dir/node$node.err" ||
            fail "slurmd did not start: $(tail -n 3 "$dir/node$node.err")"
        node=$((node + 1))
    done
    tries=0
    until [ "$(timeout 5 sinfo --noheader --Node --states=idle --format=%N 2>/dev/null | wc -l)" = "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] ||
            fail "the nodes were not idle within 10 s: $(tail -n 3 "$dir"/slurmctld.log "$dir"/node*.log)"
        sleep 0.1
    done
}

[ $# -ge 2 ] || usage
case $1 in
start)
    [ $# -le 3 ] || usage
    mkdir -p "$2"
    dir=$(cd "$2" && pwd)
    case $dir in *[[:space:]]*) fail "$dir has a space, which slurm.conf does not allow" ;; esac
    case ${3:-1} in *[!0-9]* | 0*) fail "NODES is ${3:-1}; it must be at least 1" ;; esac
    # The kernel's limit on the names of sockets, less the name itself.
    [ ${#dir} -le 90 ] || fail "$dir has ${#dir} characters; sockets in it allow 90"
    start "${3:-1}"
    echo "export SLURM_CONF=$dir/slurm.conf"
    ;;
stop)
    [ $# = 2 ] || usage
    [ -d "$2" ] || fail "$2 is no directory"
    dir=$(cd "$2" && pwd)
    stop
    ;;
*) usage ;;
esac
