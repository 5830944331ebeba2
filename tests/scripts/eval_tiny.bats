#!/usr/bin/env bats
# The numbers of scripts/eval_tiny.py, from clips whose flow is known.

setup() {
  EVAL=$BATS_TEST_DIRNAME/../../scripts/eval_tiny.py
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return 1
  # clips NAME SCORE...: a dataset's index with clips of these motion scores, all of them to the left and nearer.
  cat >make.py <<'END'
import json
import pathlib


def clips(name, *scores):
    folder = pathlib.Path(f"{name}.clips")
    folder.mkdir()
    lines = [json.dumps({"fps": 8.0, "frames": 5, "motion_score": score, "flow": {"x": -score, "y": 0, "divergence": 1}})
             for score in scores]
    (folder / "clips.jsonl").write_text("\n".join(lines) + "\n")


def compared(name, *scores):
    """True clips and, of each kind, the same clips: 30 dB in the frames that count."""
    folder = pathlib.Path(name)
    folder.mkdir()
    videos = [{"file": f"clip-{i}.mp4", "fps": 8.0, "motion_score": score} for i, score in enumerate(scores)]
    (folder / "annotations.jsonl").write_text("".join(json.dumps(video) + "\n" for video in videos))
    clips(name, *scores)
    for kind in ("model", "repeated", "faded", "faded_to_own"):
        clips(f"{name}-{kind}", *(score * (1 if kind == "model" else 2) for score in scores))
        pathlib.Path(f"{name}-{kind}").mkdir()
        for i in range(len(scores)):
            levels = ("inf", 30 + i, 32 + i, 34 + i, 10)
            pathlib.Path(f"{name}-{kind}/clip-{i}.psnr").write_text(
                "".join(f"n:{n} psnr_avg:{level}\n" for n, level in enumerate(levels)))


for bucket, score in ((30, 0.8), (80, 1.6), (127, 2.4), (200, 3.2)):
    clips(f"bucket_{bucket}", score, score)
clips("fps_5", 1.0)
clips("fps_14", 1.0)
clips("lora_static", 0.6)
compared("all", 0.4, 0.8)
compared("pan", 0.4, 0.8)
END
  python3 make.py
}

@test "motion is in short sides a second, and is compared" {
  run python3 "$EVAL" report .
  [ "$status" -eq 0 ]
  [[ "$output" == *"| bucket 30 | 2 | 0.1000 | 0.01250 | 100 % | 100 % | 1.00 |"* ]]
  [[ "$output" == *"bucket 200 over bucket 30: 4.00; growing: yes"* ]]
  [[ "$output" == *"static LoRA over base: 0.25"* ]]
}

@test "PSNR is that of frames between the first and the last, by how far clips move" {
  run python3 "$EVAL" report .
  [ "$status" -eq 0 ]
  # 0.4 and 0.8 are 0.05 and 0.1 short sides a second, for half a second.
  [[ "$output" == *"of 1 that move less than 0.04 | of 1 that move 0.04 to 0.12"* ]]
  [[ "$output" == *"| the model | 32.50 | 32.00 | 33.00 | 0.00 |"* ]]
  # Means and deviations of x and of the score are twice the true ones: (0.6^2 + 0.2^2) / 0.2^2 of each.
  [[ "$output" == *"| first frame repeated | 32.50 | 32.00 | 33.00 | 20.00 |"* ]]
}

@test "motion that does not grow is called so" {
  rm -r bucket_200.clips
  cp -r bucket_30.clips bucket_200.clips
  run python3 "$EVAL" report .
  [[ "$output" == *"bucket 200 over bucket 30: 1.00; growing: NO"* ]]
}

@test "more seeds come after fewer, so that a list grows at its end" {
  python3 "$EVAL" jobs pan rendered --seeds 1 >one.jsonl
  python3 "$EVAL" jobs pan rendered --seeds 3 >three.jsonl
  [ "$(wc -l <one.jsonl)" -eq 2 ]
  [ "$(wc -l <three.jsonl)" -eq 6 ]
  [ "$(head -n 2 three.jsonl)" = "$(cat one.jsonl)" ]
}
