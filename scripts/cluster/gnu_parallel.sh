#!/usr/bin/env bash
# Renders a list of clips as N shards at once with GNU parallel, on this machine or on several:
#
#   scripts/cluster/gnu_parallel.sh N jobs.jsonl [svd-gen's options]
#   SVD_HOSTS=1/alice,1/bob scripts/cluster/gnu_parallel.sh 8 /shared/jobs.jsonl --memory 16G
#
# SVD_HOSTS is parallel's --sshlogin (shards at once/host, ':' is this one); the hosts share the folder
# of the list and the current folder. Several shards on one machine pay only where one does not fill
# it: one for each card (--device 'cuda:{1}'; {1} is the shard), or many small clips.
# Run it again to go on after a stop. Every shard writes results of its own beside the list:
# appending to one file is not safe across machines. SVD_GEN names the program if it is not on the
# PATH.
set -euo pipefail

if (($# < 2)) || ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "error: gnu_parallel.sh N jobs.jsonl [options]" >&2
  exit 2
fi
count=$1
list=$2
shift 2
where=(--jobs "$count")
[[ -z ${SVD_HOSTS:-} ]] || where=(--sshlogin "$SVD_HOSTS" --workdir "$PWD")

# Quoted once for the shell that parallel starts; {1} stays for parallel to fill in.
command=$(printf '%q ' "${SVD_GEN:-svd-gen}" --batch "$list")
command+="--shard {1}/$count --resume --results "
command+="$(printf '%q' "$(dirname "$list")/results.")'{1}'-of-$count.jsonl --progress plain"
for option; do
  quoted=$(printf '%q' "$option")
  command+=" ${quoted//'\{1\}'/'{1}'}"
done
seq 0 $((count - 1)) | parallel "${where[@]}" --line-buffer --tag --halt never "$command"
