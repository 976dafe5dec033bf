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


def write_run(folder, status="finished", losses=(2.0, 0.5), update=1e-3):
    config = {
        "command": f"adamas run {EVIL} --lr 0.1",
        "task": EVIL,
        "about": f"What {EVIL} is.",
        "rule": {"name": "adam", "title": "Adam", "about": "Adam (Kingma & Ba)."},
        "options": {"task": EVIL, "rule": "adam", "lr": 0.1, "schedule": "linear", "state": None},
        "hyper": {"lr": 0.1, "betas": [0.9, 0.999], "growth_rate": "inf"},
        "examples": {"train": 30, "validation": 10},
        "tensors": {EVIL: [3, 4], "b": []},
        "state_per_parameter": 8.0,
        "started": "2020-02-02",
        "machine": {"processor": f"Chip {EVIL}"},
        "versions": {"python": "3"},
    }
    lines = []
    for i, loss in enumerate(losses):
        metrics = {"loss": loss, "accuracy": 0.5 + 0.1 * i}
        lines.append({"kind": "epoch", "step": i, "epoch": i, "metrics": {"train": metrics, "validation": metrics}})
        lines.append(
            {
                "kind": "step",
                "step": i + 1,
                "epoch": i + 1,
                "lr": 0.1 / (i + 1),
                "loss": loss,
                "update": {EVIL: update, "b": None},
            }
        )
    lines.append({"kind": "end", "step": 2, "seconds": 1.5, "status": status})
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
    assert text.count(EVIL) >= 4  # title, sentence, tensor, machine
    assert len(page.code["script"]) == 2  # the library and the charts
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert EVIL not in source
    assert html.escape(EVIL).replace("&#x27;", "&#39;") in source


def test_numbers_settings_and_command_are_there(page):
    text = " ".join("".join(page.text).split())
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
    ):
        assert words in text
    assert "did not finish" not in text


def test_every_plot_is_on_the_page_and_a_file(folder, page):
    names = {"loss", "accuracy", "update-size", "learning-rate"}
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
    write_run(tmp_path, "stopped at step 2 of 9: the loss became nan", (None, None), update=None)
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
