#!/usr/bin/env python3
"""Checks the sources against the table in docs/architecture.md: who includes whom, and that only
src/cli prints or exits. Prints each offence and exits 1 if there is one.

    scripts/check_edges.py [ROOT]
"""

import re
import sys
from pathlib import Path

LIBRARIES = {
    "torch": r"(ATen|c10|torch|caffe2)/",
    "cuda": r"(cuda|cublas|cudnn|mma\b|cooperative_groups)",
    "nlohmann": r"nlohmann/",
    "fmt": r"fmt/",
    "cli11": r"CLI/",
    "opencv": r"opencv2/",
    "libav": r"lib(av\w+|sw\w+)/",
    "libexif": r"libexif/",
    "xxhash": r"xxh(ash|3)\.h",
    "spdlog": r"spdlog/",
    "gtest": r"(gtest|gmock)/",
}
SOURCES = {".h", ".cpp", ".cu", ".cuh"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
PRINTS = re.compile(
    r"std::(?:cout|cerr|clog|print|println)\b"
    r"|fmt::print(?:ln)?\b"
    r"|(?<![\w.>:])(?:std::|::)?"
    r"(?:v?f?printf|f?puts|putchar|perror|exit|quick_exit|_[eE]xit|abort)\s*\("
)


def read_table(page: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Folder -> (folders it may include, libraries it may include)."""
    text = page.read_text()
    block = re.search(r"<!-- edges: begin -->(.*?)<!-- edges: end -->", text, re.DOTALL)
    if not block:
        sys.exit(f"{page}: no table between 'edges: begin' and 'edges: end'")
    rows = {}
    for line in block.group(1).strip().splitlines()[2:]:
        folder, folders, libraries = (cell.strip() for cell in line.strip().strip("|").split("|"))
        rows[folder] = tuple({name.strip() for name in cell.split(",") if name.strip()} for cell in (folders, libraries))
        unknown = rows[folder][1] - LIBRARIES.keys()
        if unknown:
            sys.exit(f"{page}: unknown libraries {sorted(unknown)} in the row of {folder}")
    return rows


def without_comments_and_strings(code: str) -> str:
    """Blanks both, keeping line numbers."""
    pattern = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda match: "\n" * match.group(0).count("\n"), code)


def check_file(path: Path, folder: str, folders: set[str], libraries: set[str], known: set[str]):
    code = path.read_text()
    own = folder.rsplit("/", 1)[-1]

    def line(position: int) -> int:
        return code.count("\n", 0, position) + 1

    for match in INCLUDE.finditer(code):
        target = match.group(2)
        head = target.split("/", 1)[0]
        if "/" in target and head in known:
            if head != own and head not in folders:
                yield line(match.start()), f"{folder} may not include {head}: {target}"
            continue
        for library, pattern in LIBRARIES.items():
            if re.match(pattern, target) and library not in libraries:
                yield line(match.start()), f"{folder} may not include {library}: {target}"
    if folder != "src/cli":
        bare = without_comments_and_strings(code)
        for match in PRINTS.finditer(bare):
            yield bare.count("\n", 0, match.start()) + 1, f"only src/cli prints or exits: {match.group(0)}"


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    table = read_table(root / "docs" / "architecture.md")
    known = {folder.rsplit("/", 1)[-1] for folder in table}
    offences = []
    for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
        if f"src/{folder.name}" not in table:
            offences.append(f"src/{folder.name}: not in the table of docs/architecture.md")
    for folder, (folders, libraries) in table.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES:
                for line, text in check_file(path, folder, folders, libraries, known):
                    offences.append(f"{path.relative_to(root)}:{line}: {text}")
    print("\n".join(offences) or f"{len(table)} folders follow docs/architecture.md")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
