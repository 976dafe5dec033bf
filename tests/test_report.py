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

    def words(self):
        """All that is read on the page."""
        return " ".join(" ".join(self.text).split())

    def fetched(self):
        """Whatever a browser would fetch."""
        links = [
            v
            for _, k, v in self.attributes
            if k in ("src", "href", "srcset", "poster", "data", "action", "background")
            and not v.startswith(("#", "data:"))
        ]
        return links + re.findall(r"url\(.*?\)|@import[^;]*", "".join(self.code["style"]))


HEALTHY = {"update_ratio": 1e-3, "signal_to_noise": 0.3, "eps_share": 0.0, "lost_share": 0.0}


def write_run(
    folder, status="finished", losses=(2.0, 0.5), trained=None, tensors=None, axis="epoch", clip_rate=0.0, also=(),
    **diagnosed,
):  # fmt: skip
    """A run as the runner leaves it.

    losses: of each evaluation. trained: those of the training set, if others. also: names of more metrics.
    diagnosed: diagnostics of all tensors; a list has a value for each gathering.
    """
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
        "steps": len(losses),
        "resumed": [7],
        "started": "2020-02-02",
        "machine": {"processor": f"Chip {EVIL}"},
        "versions": {"python": "3"},
    }
    lines = []
    for i, loss in enumerate(losses):
        other = {"accuracy": 0.5 + 0.1 * i} if axis == "epoch" else {"distance": loss}
        metrics = {split: {"loss": loss, **other, **dict.fromkeys(also, i)} for split in splits}
        metrics[splits[0]]["loss"] = (trained or losses)[i]
        lines.append({"kind": "epoch", "step": i, "epoch": i if axis == "epoch" else None, "metrics": metrics})
        seen = HEALTHY | {key: value[i] if isinstance(value, list) else value for key, value in diagnosed.items()}
        looks = {name: seen | ({"update_ratio": None} if name == "b" else {}) for name in tensors}
        lines.append(
            {
                "kind": "step",
                "step": i + 1,
                "epoch": i + 1 if axis == "epoch" else None,
                "lr": 0.1 / (i + 1),
                "loss": loss,
                "diagnostics": {"clip_rate": clip_rate, "tensors": looks},
            }
        )
    lines.append({"kind": "end", "step": len(losses), "seconds": 1.5, "status": status})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def page_of(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    report.write(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return page_of(folder)


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
    text = page.words()
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
        "0.001",
        "resumed after step 7",
        "Finished: 2 steps (1 epoch) in 1.5 s. Started 2020-02-02.",
        "learning rate",
        "bfloat16",
    ):
        assert words in text
    assert "did not finish" not in text


def test_every_diagnostic_has_its_last_and_its_worst_value_and_a_sentence(tmp_path):
    write_run(tmp_path, signal_to_noise=[0.02, 0.04], lost_share=[0.3, 0.05], tensors={"w": [2]})
    report.write(tmp_path)
    text = page_of(tmp_path).words()
    assert "w bfloat16 2 2 0.001 0.001 0.04 0.02 0.0% 0.0% 5.0% 30.0%" in text
    for words in (
        "as a share of the array's own size",
        "about 0.053 where they are nothing but noise",
        "smaller than eps",
    ):
        assert words in text
    marked = [v for tag, k, v in page_of(tmp_path).attributes if tag == "td" and "bad" in v]
    assert len(marked) == 1  # the worst loss of updates


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
    text = page_of(tmp_path).words()
    assert "This run did not finish. Stopped at step 2 of 9: the loss became nan." in text
    assert "not finite" in text
    assert not (tmp_path / "loss.png").exists()  # nothing to draw
    assert (tmp_path / "accuracy.png").exists()


def curve_of(folder, name):
    """The chart of that name, and its (curve, x, y)."""
    (plot,) = [plot for plot in report.plots(report.load(folder)) if plot.name == name]
    (rows,) = plot.chart["datasets"].values()
    return plot.chart, [(row["curve"], row["epoch"], row["value"]) for row in rows]


@pytest.mark.parametrize(
    ("losses", "log"), [((1.0, -2.0), False), ((1.0, 0.5), False), ((10.0, 0.5), True), ((1.0, 0.1, 0.0), True)]
)
def test_an_axis_is_logarithmic_where_numbers_span_a_decade(tmp_path, losses, log):
    write_run(tmp_path, losses=losses)
    chart, points = curve_of(tmp_path, "loss")
    assert {y for _, _, y in points} == {y for y in losses if y > 0 or not log}
    assert ('"type": "log"' in json.dumps(chart["layer"])) is log


def test_points_of_a_short_run_stay_apart(tmp_path):
    write_run(tmp_path)
    file = tmp_path / "metrics.jsonl"
    file.write_text(
        file.read_text().replace('"epoch": 2', '"epoch": 1.0004').replace('"epoch": 1,', '"epoch": 1.0001,')
    )
    _, points = curve_of(tmp_path, "update-ratio")
    assert [x for _, x, _ in points] == [1.0001, 1.0004]


def test_whatever_a_metric_is_called_its_plot_has_a_file_of_its_own(tmp_path):
    names = ["../../up", "Learning rate", "learning/rate", EVIL, "epoch", "curve", "1", "…", "x" * 300]
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run", also=names)
    report.write(tmp_path / "run")
    found = [plot.name for plot in report.plots(report.load(tmp_path / "run"))]
    assert len(found) == len(set(found)) == len(names) + 5
    assert {f"{name}.png" for name in found} == {p.name for p in (tmp_path / "run").glob("*.png")}
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


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
        (dict(clip_rate=0.95), "The gradients of 95% of the steps were clipped"),
        (dict(lost_share=[0.37, 0.05]), "Up to 37% of the updates to w were lost during the run"),
        (
            dict(losses=(2.0, 0.5, 0.7), trained=(2.0, 0.5, 0.3)),
            "The validation loss ended at 0.7, well above its lowest, 0.5 at epoch 1, while the train loss fell",
        ),
        (dict(losses=(2.0, 2.5)), "The train loss never fell below its start (2; at the end 2.5): try a smaller --lr."),
        (dict(losses=(2.0, 0.5, 0.7)), "The train loss rose again, from 0.5 at epoch 1 to 0.7 at the end"),
        (dict(losses=(2.0, 2.5), axis="step"), "The loss never fell below its start"),
        (dict(losses=(2.0, 0.5, 0.7), axis="step"), "The loss rose again, from 0.5 at step 1 to 0.7 at the end"),
        (
            dict(status="interrupted after step 3 of 9"),
            "This run did not finish. Interrupted after step 3 of 9; adamas run --resume",
        ),
    ],
)
def test_what_should_worry_is_said_in_words(tmp_path, run, words):
    found = warnings_of(tmp_path, tensors={"w": [3, 4]}, **run)
    assert any(text.startswith(words) for text in found), found


def test_warnings_stand_before_the_numbers(tmp_path):
    (found,) = warnings_of(tmp_path, clip_rate=1.0)
    report.write(tmp_path)
    text = page_of(tmp_path).words()
    assert 0 < text.index(found) < text.index("validation accuracy")


def test_many_findings_of_one_kind_are_counted(tmp_path):
    found = warnings_of(tmp_path, tensors={f"w{i}": [2] for i in range(150)}, lost_share=0.5)
    assert len(found) == 4
    assert found[-1] == "More findings like these, marked in the table of arrays: 147."


def test_what_is_near_its_lowest_is_no_warning(tmp_path):
    assert warnings_of(tmp_path, losses=(2.0, 0.5, 0.52)) == []
    assert warnings_of(tmp_path, losses=(2.0, 0.5, 0.7), trained=(2.0, 0.5, 0.55)) == []  # both rose a little
    assert warnings_of(tmp_path, losses=(1.0, 1e-13, 1e-12), axis="step") == []


# ------------------------------------------------------------------------------------ other forms


def test_a_function_has_no_epochs_and_no_examples(tmp_path):
    write_run(tmp_path, axis="step", tensors={"x": [2]})
    report.write(tmp_path)
    text = page_of(tmp_path).words()
    assert "epoch" not in text
    assert "example" not in text
    assert "minimised with" in text
    assert '"curve": "mini-batch"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert {plot.name for plot in report.plots(report.load(tmp_path))} >= {"loss", "distance", "update-ratio"}


def test_of_many_arrays_the_most_telling_are_drawn_and_all_are_in_the_table(tmp_path):
    names = [f"layer{i}.weight" for i in range(150)]
    write_run(tmp_path, tensors={name: [4, 4] for name in names}, lost_share=0.01)
    file = tmp_path / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        for i, name in enumerate(names if "diagnostics" in line else []):
            line["diagnostics"]["tensors"][name].update(update_ratio=1e-4 * (i + 1), lost_share=i / 1000)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, places, words in (
        ("update-ratio", [0, 1, 2, 3, 146, 147, 148, 149], "Of 150 arrays, the 4 that end lowest and the 4 that end "),
        ("lost-share", range(142, 150), "Of 149 arrays, the 8 with the largest values are drawn"),
    ):
        (plot,) = [plot for plot in report.plots(report.load(tmp_path)) if plot.name == name]
        assert {curve for curve, _, _ in curve_of(tmp_path, name)[1]} == {names[i] for i in places}
        assert words in plot.caption
    report.write(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in text for name in names)


@pytest.mark.parametrize(("clip_rate", "drawn"), [(0.0, False), (0.4, True)])
def test_clipping_is_drawn_where_there_was_any(tmp_path, clip_rate, drawn):
    write_run(tmp_path, clip_rate=clip_rate)
    assert ("clip-rate" in {plot.name for plot in report.plots(report.load(tmp_path))}) is drawn


@pytest.mark.parametrize(("tensors", "named"), [({"w": [2]}, False), ({"w": [2], "b": [2]}, True)])
def test_a_curve_that_is_one_array_of_several_is_named(tmp_path, tensors, named):
    write_run(tmp_path, tensors=tensors)  # of b, no update size is known
    chart, _ = curve_of(tmp_path, "update-ratio")
    assert (chart["layer"][0]["encoding"]["color"]["legend"] is not None) is named


def test_shares_are_drawn_where_they_are_not_zero(tmp_path):
    write_run(tmp_path, eps_share=0.2)
    names = {plot.name for plot in report.plots(report.load(tmp_path))}
    assert "eps-share" in names
    assert "lost-share" not in names
