"""The report: complete, self-contained, and safe whatever names a run carries."""

import html
import json
import re
from html.parser import HTMLParser

import pytest

from adamas import report

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Tags in balance, text outside scripts, attributes, and the contents of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.attributes, self.code = [], [], [], {"script": [], "style": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        if tag not in VOID:
            self.open.append(tag)
            if tag in self.code:
                self.code[tag].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]][-1] += data
        else:
            self.text.append(data)

    def fetched(self):
        """Whatever a browser would fetch."""
        links = [
            v
            for _, k, v in self.attributes
            if k in ("src", "href", "srcset", "poster", "data", "action", "background")
            and not v.startswith(("#", "data:"))
        ]
        return links + re.findall(r"url\(.*?\)|@import[^;]*", "".join(self.code["style"]))


def write_run(folder, status="finished", losses=(2.0, 0.5), tensors=None, axis="epoch", **diagnosed):
    """A run as the runner leaves it; ``diagnosed`` goes into the diagnostics of all tensors."""
    tensors = tensors or {EVIL: [3, 4], "b": []}
    splits = ["train", "validation"] if axis == "epoch" else ["function"]
    config = {
        "command": f"adamas run {EVIL} --lr 0.1",
        "task": EVIL,
        "about": f"What {EVIL} is.",
        "rule": {"name": "adam", "title": "Adam", "about": "Adam (Kingma & Ba)."},
        "options": {"task": EVIL, "rule": "adam", "lr": 0.1, "schedule": "linear", "state": None},
        "hyper": {"lr": 0.1, "betas": [0.9, 0.999], "growth_rate": "inf"},
        "axis": axis,
        "splits": splits,
        "examples": {"train": 30, "validation": 10} if axis == "epoch" else {},
        "facts": {"checksum": f"abc {EVIL}"},
        "tensors": tensors,
        "dtypes": dict.fromkeys(tensors, "bfloat16"),
        "state_per_parameter": 8.0,
        "resumed": [7],
        "started": "2020-02-02",
        "machine": {"processor": f"Chip {EVIL}"},
        "versions": {"python": "3"},
    }
    healthy = {"update_ratio": 1e-3, "signal_to_noise": 0.3, "eps_share": 0.0, "lost_share": 0.0}
    looks = {name: {**healthy, **diagnosed} for name in tensors}
    looks["b"] = {**looks.get("b", healthy), "update_ratio": None}
    looks = {name: looks[name] for name in tensors}
    lines = []
    for i, loss in enumerate(losses):
        at = {"step": i, "epoch": i if axis == "epoch" else None}
        values = {"loss": loss, "accuracy": 0.5 + 0.1 * i} if axis == "epoch" else {"loss": loss, "distance": loss}
        lines.append({"kind": "epoch", **at, "metrics": dict.fromkeys(splits, values)})
        after = {"step": i + 1, "epoch": i + 1 if axis == "epoch" else None}
        look = {"clip_rate": diagnosed.get("clip_rate", 0.0), "tensors": looks}
        for t in looks.values():
            t.pop("clip_rate", None)
        lines.append({"kind": "step", **after, "lr": 0.1 / (i + 1), "loss": loss, "diagnostics": look})
    lines.append({"kind": "end", "step": len(losses), "seconds": 1.5, "status": status})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    report.write(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_a_browser_finds_nothing_to_fetch_and_may_fetch_nothing(page):
    assert page.open == []
    assert page.fetched() == []
    (policy,) = [v for _, k, v in page.attributes if k == "content" and "default-src" in v]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_names_are_text_and_never_markup(folder, page):
    text = " ".join(page.text)
    assert text.count(EVIL) >= 5  # title, sentence, fact, tensor, machine
    assert len(page.code["script"]) == 2  # the library and the charts
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert EVIL not in source
    assert html.escape(EVIL).replace("&#x27;", "&#39;") in source


def test_numbers_settings_and_command_are_there(page):
    text = " ".join("".join(page.text).split())
    text = text.replace("resumed after step 7", "resumed after step7")
    for words in (
        "60.00%",
        "0.5",
        "10 examples",
        "1.5 s",
        "13",
        "0.9, 0.999",
        "Kingma & Ba",
        "--lr 0.1",
        "3 × 4",
        "1.00e-03",
        "resumed after step7",
        "bfloat16",
    ):
        assert words in text
    assert "did not finish" not in text


def test_every_plot_is_on_the_page_and_a_file(folder, page):
    names = {"loss", "accuracy", "update-ratio", "signal-to-noise", "learning-rate"}
    assert names <= {v for tag, k, v in page.attributes if (tag, k) == ("div", "id")}
    charts, _ = json.JSONDecoder().raw_decode(page.code["script"][1].split("charts = ", 1)[1])
    assert set(charts) == names
    for name, chart in charts.items():
        assert chart["width"] == "container"
        assert sum(map(len, chart["datasets"].values())) > 0
        png = (folder / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert len(png) > 5000


def test_a_run_that_diverged_says_so_and_still_makes_a_report(tmp_path):
    write_run(tmp_path, "stopped at step 2 of 9: the loss became nan", (None, None), update_ratio=None)
    report.write(tmp_path)
    text = "".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "This run did not finish: it stopped at step 2 of 9: the loss became nan" in text
    assert "not finite" in text
    assert not (tmp_path / "loss.png").exists()  # nothing to draw
    assert (tmp_path / "accuracy.png").exists()


def test_a_loss_below_zero_is_drawn_too(tmp_path):
    write_run(tmp_path, losses=(1.0, -2.0))
    chart = report.plots(report.load(tmp_path))[0].chart
    (rows,) = chart["datasets"].values()
    assert sorted({row["loss"] for row in rows}) == [-2.0, 1.0]
    assert "log" not in json.dumps(chart["layer"])


def test_metrics_are_shown_as_people_read_them():
    assert report.shown("accuracy", 0.98666) == "98.67%"
    assert report.shown("loss", 0.0512345) == "0.05123"
    assert report.shown("loss", None) == "not finite"


# -------------------------------------------------------------------------------------- warnings


def warnings_of(folder, **run):
    write_run(folder, **run)
    return report.warnings(report.load(folder))


def test_a_healthy_run_warns_of_nothing(tmp_path):
    assert warnings_of(tmp_path) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (dict(lost_share=0.37), "37% of the updates to w are lost: its weights round them away"),
        (dict(eps_share=0.8), "Eps dominates 80% of w's denominators"),
        (dict(update_ratio=0.4), "The step on w is 40% of its size"),
        (dict(clip_rate=0.95), "95% of the steps were clipped"),
        (dict(losses=(2.0, 0.5, 0.7)), "The validation loss ended 40% above its lowest, which was at epoch 1"),
        (dict(losses=(2.0, 2.5)), "The train loss ended no lower than it began (2 → 2.5): try a smaller --lr."),
        (dict(losses=(2.0, 2.5), axis="step"), "The function loss ended no lower than it began"),
        (dict(status="interrupted after step 3 of 9"), "This run did not finish: it interrupted after step 3 of 9."),
    ],
)
def test_what_should_worry_is_said_in_words(tmp_path, run, words):
    found = warnings_of(tmp_path, tensors={"w": [3, 4]}, **run)
    assert any(text.startswith(words) for text in found), found
    report.write(tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert words in " ".join("".join(page.text).split())


def test_many_findings_of_one_kind_are_counted(tmp_path):
    found = warnings_of(tmp_path, tensors={f"w{i}": [2] for i in range(150)}, lost_share=0.5)
    assert len(found) == 6
    assert found[-1] == "There are 145 more such findings: see the table of arrays."


# ------------------------------------------------------------------------------------ other forms


def test_a_function_has_no_epochs_and_no_examples(tmp_path):
    write_run(tmp_path, axis="step", tensors={"x": [2]})
    report.write(tmp_path)
    text = "".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "epoch" not in text
    assert "example" not in text
    assert "function distance" in text
    assert {plot.name for plot in report.plots(report.load(tmp_path))} >= {"loss", "distance", "update-ratio"}


def test_of_many_arrays_the_largest_are_drawn_and_all_are_in_the_table(tmp_path):
    names = [f"layer{i}.weight" for i in range(150)]
    write_run(tmp_path, tensors={name: [4, 4] for name in names})
    (sizes,) = [plot for plot in report.plots(report.load(tmp_path)) if plot.name == "update-ratio"]
    (rows,) = sizes.chart["datasets"].values()
    assert len({row["curve"] for row in rows}) == 8
    assert "Of 150 arrays, the 8 with the largest values are shown." in sizes.caption
    report.write(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in text for name in names)


@pytest.mark.parametrize(("clip_rate", "drawn"), [(0.0, False), (0.4, True)])
def test_clipping_is_drawn_where_there_was_any(tmp_path, clip_rate, drawn):
    write_run(tmp_path, clip_rate=clip_rate)
    assert ("clip-rate" in {plot.name for plot in report.plots(report.load(tmp_path))}) is drawn


def test_shares_are_drawn_where_they_are_not_zero(tmp_path):
    write_run(tmp_path, eps_share=0.2)
    names = {plot.name for plot in report.plots(report.load(tmp_path))}
    assert "eps-share" in names
    assert "lost-share" not in names
