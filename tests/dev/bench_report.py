"""Tables, the page docs/performance.md and its plot, from what `./dev bench` measured."""
import datetime
import html
import pathlib
import platform
import subprocess

import pieces

PAGE = pieces.ROOT / "docs/performance.md"
PLOT = pieces.ROOT / "docs/performance.svg"
COLOURS = ["#9aa0a6", "#1a73e8", "#e8710a", "#188038", "#a142f4", "#d93025"]


def number(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def multiple_of(figures, row, name):
    """Of the floor; None where one of the two is missing."""
    value, floor = figures.median(row, name), figures.floor(row)
    return value / floor if value is not None and floor else None


def cell(figures, row, name):
    text = number(figures.median(row, name))
    multiple = None if name == "floor" else multiple_of(figures, row, name)
    return text + (f" ({multiple:.2f}x)" if multiple is not None else "")


def line(figures, row, names):
    return f"  {row.title}: " + ", ".join(f"{name} {cell(figures, row, name)}" for name in names) + f" {row.unit}"


def verdict(figures, row):
    value = figures.median(row, "shoal")
    if value is None:
        return "not measured"
    if not row.absolute and figures.floor(row) is None:
        return "no floor in this run"
    p99 = figures.p99_us(row, "shoal") if row.p99_us else None
    is_met = row.is_met(value, figures.floor(row)) and (p99 is None or p99 <= row.p99_us)
    tail = f", p99 {p99 / 1000:.1f} ms" if p99 is not None else ""
    return ("met" if is_met else "not met") + tail


def table(figures, rows, names):
    """Markdown: a row a load, a column a broker."""
    lines = ["\nMicroseconds of CPU a delivered message (connects: a connect), or bytes of resident memory a connection; "
             "in brackets the multiple of the floor in the same run. TLS and clusters are compared with the floor of "
             "the same load without.\n",
             "| load | " + " | ".join(names) + " | wanted of shoal | |",
             "|---|" + "---|" * (len(names) + 2)]
    for row in rows:
        cells = " | ".join(cell(figures, row, name) for name in names)
        lines.append(f"| {row.title} | {cells} | {row.wanted()} | {verdict(figures, row)} |")
    return "\n".join(lines) + "\n"


def spreads(figures, rows, names):
    lines = ["| load | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for row in rows:
        cells = []
        for name in names:
            has_value = figures.median(row, name) is not None
            cells.append(" to ".join(number(v) for v in figures.spread(row, name)) if has_value else "-")
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine():
    """What was measured on, as lines of Markdown."""
    cpu = {}
    for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = text.partition(":")
        cpu.setdefault(name.strip(), value.strip())
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1024
    cores = sum(text.startswith("processor") for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines())
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    load = pathlib.Path("/proc/loadavg").read_text().split()[0]
    return (f"- Processor: {cpu.get('model name', 'unknown')}, {cores} cores; memory {memory:,} MiB\n"
            f"- Kernel: {platform.system()} {platform.release()}; compiler: {compiler}\n"
            f"- Load average at the end: {load} (the brokers' and the generator's own included)\n"
            + ("- Other work kept this machine busy: CPU times vary by a third, and latencies are those of waiting for a core\n"
               if float(load) > 3 * cores else ""))


def bars(rows, names, figures):
    """(title, [(broker, multiple)]) of the rows that have a floor."""
    found = []
    for row in rows:
        values = [(name, multiple_of(figures, row, name)) for name in names if name != "floor"]
        values = [(name, value) for name, value in values if value is not None]
        if values:
            found.append((row.title, values))
    return found


def svg(groups, names):
    """Horizontal bars, a group a load: multiples of the floor, cut off at `most`."""
    left, width, bar, gap, most = 430, 420, 12, 14, 8.0
    parts, y = [], 60
    for title, values in groups:
        middle = y + bar * len(values) / 2 + 4
        parts.append(f'<text x="{left - 10}" y="{middle:.0f}" text-anchor="end">{html.escape(title)}</text>')
        for name, value in values:
            length = min(value, most) / most * width
            colour = COLOURS[names.index(name) % len(COLOURS)]
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 2}" fill="{colour}"/>')
            parts.append(f'<text x="{left + length + 5:.1f}" y="{y + bar - 3}">{value:.2f}</text>')
            y += bar
        y += gap
    floor_x = left + width / most
    parts.append(f'<line x1="{floor_x:.1f}" y1="48" x2="{floor_x:.1f}" y2="{y - gap}" stroke="#000" stroke-dasharray="4 3"/>')
    legend = [f'<rect x="{left + 110 * i}" y="22" width="10" height="10" fill="{COLOURS[names.index(name)]}"/>'
              f'<text x="{left + 110 * i + 15}" y="31">{html.escape(name)}</text>'
              for i, name in enumerate(n for n in names if n != "floor")]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            f'<text x="10" y="31" font-size="14">Multiples of the floor (dashed): less is better</text>\n'
            + "\n".join(legend + parts) + "\n</svg>\n")


def write_performance(figures, rows, names, options):
    PLOT.write_text(svg(bars(rows, names, figures), names))
    date = datetime.datetime.now(datetime.timezone.utc)
    PAGE.write_text(
        "# Performance\n\n"
        f"Written by `./dev bench compare` on {date:%Y-%m-%d}, commit {pieces.commit()}: medians of {options.rounds} "
        f"round{'s' if options.rounds > 1 else ''} of {options.seconds} s a load. "
        "[What the figures are made of](hot-path.md) explains them.\n\n"
        + machine() +
        "\nGenerator and brokers share the cores, all brokers run at once and the loads go to them in turn. The floor is "
        "`tests/bench/floor`: one epoll loop that forwards and does nothing else. Shoal has a worker for each core, "
        "`one-worker` is Shoal with `--workers 1`.\n"
        + table(figures, rows, names)
        + "\n![Multiples of the floor](performance.svg)\n\n## Spread over the rounds\n\n"
        + spreads(figures, rows, names))
