"""Put the tables of a report into a page of the docs, between its two marks.

python benchmarks/docs_tables.py report/report.md docs/evaluation.md
"""

import argparse
from pathlib import Path

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="report.md of python main.py evaluate")
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    tables = options.report.read_text(encoding="utf-8").partition("\n## Protocol")[0]
    text = "\n".join("#" + line if line.startswith("## ") else line for line in tables.splitlines()[2:])
    page = options.page.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{options.page} lacks the marks {BEGIN} and {END}.")
    options.page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
