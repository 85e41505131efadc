"""From the JSON of a run to a page: `python benchmarks/results.py RAW.json [FOLDER [--part]]`.

With a folder, writes RESULTS.md, results.json and growth.png there; else prints the page. With `--part` the tables of
the run replace those of the folder's results.json, and the page says which they are.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from contenders import Contender, contenders_of
from growth_figure import draw, slope

Json = dict[str, Any]
CAUSES = Path(__file__).parent / "causes.toml"
HEAD = """# stnkit beside what its users would otherwise pick

Printed by `make bench`, `make bench FILTER=tps` for a part: all contenders on the same inputs in one run, their outputs
compared first, each in turns with the first row of its table (six turns, of the native warp three; 4, 2 or 1 where a
call takes more than 0.25, 1 or 3 s). Two calls of under 70 ms each, or of under 150 ms with the longer at most three
times the shorter, alternate. Next to a longer one, a call of under 70 ms is repeated for 70 ms or a tenth of the longer
one, whichever is more (at most 30 calls), and 64 MB are read before each. So no short call finds its own inputs in the
caches.

Milliseconds are the median of all calls. A ratio is the time over that of the first row next to it, the median over
turns: 2× takes twice as long. As the machine's speed drifts, it is not quite the quotient of the milliseconds. Memory
is the peak of the first call above what was there before, what it keeps included. Where only some images of a batch
were made, the time is that of all in proportion, and the memory is not. The difference is the norm of the difference to
the first row's result over that result's norm, the largest of the columns; forward and backward, of the gradient to the
image. Raw figures of every call: `benchmarks/results.json`.
"""


def page(run: Json, causes: list[Json]) -> str:
    """All of it, in Markdown."""
    works: dict[tuple[str, str], list[Json]] = {}
    for case in run["cases"]:
        works.setdefault((case["group"] or case["work"], case["device"]), []).append(case)
    growing = {key: cases for key, cases in works.items() if cases[0]["axis"]}
    tables = [_table(cases) for key, cases in works.items() if key not in growing]
    parts = [HEAD, _machine(run), _targets(run), *tables, _growth(growing), _short(run, causes)]
    return "\n".join(part for part in parts if part)


def _machine(run: Json) -> str:
    machine = run["machine_info"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    gpu = machine["gpu"] or "none, so that the CPU alone was measured"
    return (
        f"{run['datetime'][:10]}, {machine['cpu']['brand_raw']}, {machine['cores']} cores, "
        f"{machine['threads']} threads, {machine['memory_gib']} GiB; GPU: {gpu}. "
        f"It took {run['minutes']} minutes.\n\n{versions}\n{_parts(run)}"
    )


def _parts(run: Json) -> str:
    again = [f"- {part['datetime'][:10]}: {'; '.join(part['works'])}\n" for part in run.get("parts", [])]
    return "\nMeasured in a later run, their tables whole:\n\n" + "".join(again) if again else ""


def joined(run: Json, part: Json) -> Json:
    """A run in which the tables of a later one take the place of its own.

    Args:
        run: of all works.
        part: of some, in which each table is whole.
    """
    works = list(dict.fromkeys(case["group"] or case["work"] for case in part["cases"]))
    kept = [case for case in run["cases"] if (case["group"] or case["work"]) not in works]
    earlier = [
        {**known, "works": left}
        for known in run.get("parts", [])
        if (left := [work for work in known["works"] if work not in works])
    ]
    return {
        **run,
        "cases": [*kept, *part["cases"]],
        "parts": [*earlier, {"datetime": part["datetime"], "commit_info": part["commit_info"], "works": works}],
    }


def _targets(run: Json) -> str:
    aimed = [c for case in run["cases"] for c in contenders_of(case) if c.wanted]
    if not aimed:
        return ""
    lines = [
        "## Targets\n",
        f"{sum(c.holds for c in aimed)} of {len(aimed)} hold by the median over turns (✓ in the tables below); in "
        f"{sum(c.is_open for c in aimed)}, single turns are on both sides of the target.\n",
    ]
    lines += ["| work | against | wanted | worst case | reached | turns | |", "|---|---|---|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[Contender]] = {}
    for contender in aimed:
        groups.setdefault((contender.work, contender.rival, contender.wanted), []).append(contender)
    for (work, rival, wanted), members in groups.items():
        worst = min(members, key=lambda c: c.margin)
        held = sum(c.holds for c in members)
        mark = "✓" if held == len(members) else f"✗ {held} of {len(members)} hold"
        lines.append(f"| {work} | {rival} | {wanted} | {worst.case} | {worst.reached} | {worst.turns} | {mark} |")
    return "\n".join(lines) + "\n"


def _table(cases: list[Json]) -> str:
    first = cases[0]
    title, grouped = first["group"] or first["work"], bool(first["group"])
    lines = [f"## {title[0].upper()}{title[1:]}{' (GPU)' if first['device'] == 'cuda' else ''}\n"]
    if first["note"]:
        lines.append(first["note"] + "\n")
    columns = list(dict.fromkeys(case["case"] for case in cases))
    lines.append(f"| | {' | '.join(columns)} | difference |")
    lines.append("|---|" + "---|" * (len(columns) + 1))
    rows: dict[str, dict[str, Contender]] = {}
    cells: dict[str, dict[str, str]] = {}
    for case in cases:
        for contender in contenders_of(case):
            # In a group every contender has a base of its own.
            if not (grouped and contender.name == contender.base):
                rows.setdefault(contender.name, {})[case["case"]] = contender
        for name, why in case["missing"].items():
            cells.setdefault(name, {})[case["case"]] = why
    notes = []
    for name in sorted({**rows, **cells}, key=lambda name: name != first["base"]):
        row = rows.get(name, {})
        written = [row[c].cell() if c in row else cells.get(name, {}).get(c, "") for c in columns]
        known = [c.difference for c in row.values() if c.difference is not None]
        lines.append(f"| {name} | {' | '.join(written)} | {f'{max(known):.0e}' if known else ''} |")
        if differs := next((c.differs for c in row.values() if c.differs), ""):
            notes.append(f"\n{name} computes something else: {differs}.")
    return "\n".join(lines + notes) + "\n"


def _growth(works: dict[tuple[str, str], list[Json]]) -> str:
    if not works:
        return ""
    lines = [
        "## Growth\n",
        "The slope of a line through the logarithms, forward and backward: 1 is in proportion, 0 not at all. The "
        "smallest inputs cost what a call costs.\n",
        "![time and memory against what grows](growth.png)\n",
        "| work | contender | from | to | slope of time | slope of memory |",
        "|---|---|---|---|---|---|",
    ]
    for (work, device), cases in works.items():
        on = " (GPU)" if device == "cuda" else ""
        series: dict[str, list[tuple[float, Contender]]] = {}
        for case in cases:
            for contender in contenders_of(case):
                series.setdefault(contender.name, []).append((float(case["case"]), contender))
        for name, points in series.items():
            if len(points) < 3:
                continue
            x = [at for at, _ in points]
            time, memory = slope(x, [c.seconds for _, c in points]), slope(x, [c.peak for _, c in points])
            lines.append(f"| {work}{on} | {name} | {x[0]:.0f} | {x[-1]:.0f} | {time:.2f} | {memory:.2f} |")
    return "\n".join(lines) + "\n"


def _short(run: Json, causes: list[Json]) -> str:
    short = [c for case in run["cases"] for c in contenders_of(case) if c.wanted and not c.holds]
    if not short:
        return ""
    lines = [
        "## What is short of its target, and why\n",
        "Profile: of stnkit's call, 20 times one after the other, the operators with the largest shares of the time of "
        "all; Python outside of them is not counted.\n",
    ]
    groups: dict[str, list[Contender]] = {}
    for contender in short:
        cause = next((c["why"] for c in causes if contender.is_due_to(c)), "Not known yet.")
        groups.setdefault(cause, []).append(contender)
    for cause, members in groups.items():
        lines += [
            f"- **{c.work}, {c.case}, {c.rival}: {c.reached}** ({c.wanted}; {c.turns} over the turns)."
            + (f" Profile: {c.profile}." if c.profile else "")
            for c in members
        ]
        lines.append(f"\n  {cause.strip()}\n")
    return "\n".join(lines) + "\n"


def main() -> None:
    if not Path(sys.argv[1]).is_file():
        sys.exit("nothing was measured: what was chosen cannot run here, as a library is not installed, say")
    run = json.loads(Path(sys.argv[1]).read_text())
    if "--part" in sys.argv[3:]:
        run = joined(json.loads((Path(sys.argv[2]) / "results.json").read_text()), run)
    text = page(run, tomllib.loads(CAUSES.read_text())["cause"])
    if len(sys.argv) < 3:
        print(text)
        return
    folder = Path(sys.argv[2])
    (folder / "RESULTS.md").write_text(text)
    (folder / "results.json").write_text(json.dumps(run, ensure_ascii=False, separators=(",", ":")) + "\n")
    draw(run, folder / "growth.png")
    print(f"wrote {folder}/RESULTS.md, {folder}/results.json and {folder}/growth.png")


if __name__ == "__main__":
    main()
