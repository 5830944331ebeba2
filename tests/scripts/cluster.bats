# The templates of scripts/cluster, with a program that writes down its arguments; with the real one
# where SVD_GEN names it.
bats_require_minimum_version 1.5.0

setup() {
  CLUSTER=$(cd "$BATS_TEST_DIRNAME/../../scripts/cluster" && pwd)
  REPOSITORY=$(cd "$CLUSTER/../.." && pwd)
  REAL=${SVD_GEN:-}
  mkdir "$BATS_TEST_TMPDIR/a work"
  cd "$BATS_TEST_TMPDIR/a work" || return 1
  mkdir list
  echo '{"image": "in.png"}' >list/jobs.jsonl
  cat >fake <<'END'
#!/usr/bin/env bash
printf '%s|' "$@" >"arguments.$$"
END
  chmod +x fake
  export SVD_GEN=$PWD/fake
}

recorded() { cat arguments.* | sed 's/|--batch/\n--batch/g'; }

@test "Slurm: an array's tasks take the shards" {
  SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=4 \
    bash "$CLUSTER/slurm_array.sbatch" list/jobs.jsonl --preset draft
  [ "$(recorded)" = "--batch|list/jobs.jsonl|--shard|2/4|--resume|--results|list/results.2-of-4.jsonl|--progress|plain|--preset|draft|" ]
}

@test "Slurm: without an array or a list nothing runs" {
  run -2 bash "$CLUSTER/slurm_array.sbatch"
  run env -u SLURM_ARRAY_TASK_ID bash "$CLUSTER/slurm_array.sbatch" list/jobs.jsonl
  [ "$status" -ne 0 ]
  [[ $output == *--array* ]]
  [ -z "$(ls arguments.* 2>/dev/null)" ]
}

@test "Slurm: directives come before the first command" {
  [ "$(awk '/^#SBATCH/ {last = NR} !/^#/ && NF && !first {first = NR} END {print (last < first)}' "$CLUSTER/slurm_array.sbatch")" = 1 ]
}

@test "GNU parallel: every shard once, arguments as they were given" {
  command -v parallel >/dev/null || skip "no GNU parallel"
  "$CLUSTER/gnu_parallel.sh" 3 list/jobs.jsonl -o 'out {stem} $x "y".mp4' --device 'cuda:{1}'
  [ "$(ls arguments.* | wc -l)" -eq 3 ]
  for shard in 0 1 2; do
    grep -lF -- "--batch|list/jobs.jsonl|--shard|$shard/3|--resume|--results|list/results.$shard-of-3.jsonl|--progress|plain|-o|out {stem} \$x \"y\".mp4|--device|cuda:$shard|" arguments.*
  done
}

@test "GNU parallel: a failed shard is the script's failure" {
  command -v parallel >/dev/null || skip "no GNU parallel"
  printf '#!/bin/sh\ncase "$*" in *1/2*) exit 4 ;; esac\n' >fake
  run "$CLUSTER/gnu_parallel.sh" 2 list/jobs.jsonl
  [ "$status" -ne 0 ]
}

@test "GNU parallel: a wrong number of shards" {
  for count in 0 -1 x ''; do run -2 "$CLUSTER/gnu_parallel.sh" "$count" list/jobs.jsonl; done
}

@test "Kubernetes: an indexed job whose pods take the shards" {
  python3 -c 'import yaml' || skip "no PyYAML"
  python3 - "$CLUSTER/kubernetes_indexed_job.yaml" >command.sh <<'END'
import sys, yaml
claim, job = yaml.safe_load_all(open(sys.argv[1]))
spec = job["spec"]
assert (claim["kind"], job["kind"], job["apiVersion"]) == ("PersistentVolumeClaim", "Job", "batch/v1")
assert spec["completionMode"] == "Indexed"
pod = spec["template"]["spec"]
assert pod["restartPolicy"] in ("OnFailure", "Never")
(container,) = pod["containers"]
shards = {entry["name"]: entry["value"] for entry in container["env"]}["SHARDS"]
assert int(shards) == spec["completions"] and spec["parallelism"] <= spec["completions"]
(volume,) = pod["volumes"]
assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": container["workingDir"]}]
assert container["command"] == ["/bin/sh", "-c"]
(line,) = container["args"]
print(line)
END
  ln -s fake svd-gen
  PATH=$PWD:$PATH JOB_COMPLETION_INDEX=2 SHARDS=4 sh -c "$(cat command.sh)"
  [ "$(recorded)" = "--batch|jobs.jsonl|--shard|2/4|--resume|--results|results.2-of-4.jsonl|--progress|json|" ]
}

@test "the real program: shards render the whole list, and again nothing" {
  [ -n "$REAL" ] || skip "SVD_GEN is not set"
  export SVD_GEN=$REAL
  python3 "$REPOSITORY/tests/support/pictures.py" rgb 96 64 in.png
  for seed in 1 2 3; do
    echo "{\"image\": \"in.png\", \"output\": \"$seed.mp4\", \"seed\": $seed, \"model\": \"tiny\", \"frames\": 2, \"steps\": 1, \"size\": \"64x64\", \"device\": \"cpu\"}"
  done >list/jobs.jsonl
  for round in 1 2; do
    for task in 0 1; do
      SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=2 bash "$CLUSTER/slurm_array.sbatch" list/jobs.jsonl
    done
    [ "$(cat list/results.*.jsonl | wc -l)" -eq 3 ]
  done
  [ -s 1.mp4 ] && [ -s 2.mp4 ] && [ -s 3.mp4 ]
}
