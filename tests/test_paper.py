"""Adam's paper remade: what its claims are made of, each claim, and a quick remake of a figure."""

import itertools
import json
import math

import numpy as np
import pytest
import test_browser
from test_browser import browser  # noqa: F401, a fixture
from test_cli import adamas_cli

from adamas import rules, tasks
from adamas.optimizer import optimizer_class
from adamas.paper import claims
from adamas.paper.claims import AGREES, CLAIMS, DISAGREES, UNDECIDED, UNMEASURED
from adamas.paper.figures import BETA1, BETA2, CORRECTED, FIGURES, NAMES, QUICK, UNCORRECTED, grid, setting
from adamas.paper.outcomes import best, chosen, evaluated, losses_of, mean, ratios, tenth, training, whole
from adamas.paper.remake import pick, trials
from adamas.trials import Result, Trial

PANELS = {panel.key: panel for figure in FIGURES for panel in figure.panels}


# ------------------------------------------------------------------------------------- the figures


def test_a_grid_has_four_learning_rates_a_decade():
    assert grid(1.0) == (0.178, 0.316, 0.562, 1.0, 1.78, 3.16, 5.62)


def test_every_run_can_be_made():
    for panel in PANELS.values():
        for rule in panel.lrs:
            assert rule in NAMES
            (first, *_) = panel.trials(rule, 0.1, 1)
            assert first.chosen.epochs == panel.epochs


def test_seeds_of_a_setting_differ_in_nothing_else():
    one, other = PANELS["1 dense"].trials("adam", 0.1, 2)
    assert (one.seed, other.seed) == (0, 1)
    assert (one.task, one.rule, one.lr, one.options) == (other.task, other.rule, other.lr, other.options)


def test_a_quick_look_has_one_seed_and_keeps_the_middle_of_each_grid():
    (full,), (quick,) = (FIGURES[:1], pick([1], QUICK))
    assert quick.seeds == 1
    assert quick.panels[0].epochs < full.panels[0].epochs / 4
    for rule, lrs in full.panels[0].lrs.items():
        assert lrs[3] in quick.panels[0].lrs[rule]
        assert len(quick.panels[0].lrs[rule]) == 3
    assert len(trials([quick])) < len(trials([full])) / 6


@pytest.mark.parametrize("numbers", [[], [0], [1, 5]])
def test_other_figures_are_refused(numbers):
    with pytest.raises(ValueError, match="expected some of 1, 2, 3, 4"):
        pick(numbers)


def test_without_its_corrections_adam_s_first_step_is_too_long():
    p = np.zeros(1)
    optimizer_class(UNCORRECTED)(p, lr=0.1, betas=(0.9, 0.999)).step(np.ones(1))
    assert p[0] == pytest.approx(-0.1 * 0.1 / math.sqrt(0.001), rel=1e-6)
    assert rules.get(UNCORRECTED).name not in rules.REGISTRY


# ------------------------------------------------------------------------------------ the outcomes


def result(losses, epochs, curve=(), epoch=2):
    metrics = tuple({"train": {"loss": loss}} for loss in losses)
    return Result(Trial("t", "adam", 0.1, options=(("epochs", epochs),)), "finished", curve, (), metrics, epoch=epoch)


def test_the_training_cost_is_the_mean_of_each_epoch_s_mini_batches():
    assert training(result([], 2, ((1, 4.0), (2, 2.0), (3, 1.0), (4, 3.0)))) == (3.0, 2.0)


def test_from_where_a_loss_is_no_number_it_is_infinite():
    assert training(result([], 3, ((1, 4.0), (2, 2.0), (3, None)))) == (3.0, math.inf, math.inf)
    assert evaluated(result([9.0, 5.0, None], 3)) == (9.0, 5.0, math.inf, math.inf)


def test_means_are_geometric_and_zero_is_no_miracle():
    assert mean((1.0, 4.0)) == pytest.approx(2.0)
    assert mean((0.0,)) == pytest.approx(1e-7)
    assert mean((1.0, math.inf)) == math.inf


def test_the_best_learning_rate_is_lowest_over_seeds_and_did_not_diverge():
    curves = {0.1: ((2.0, 2.0), (2.0, 2.0)), 1.0: ((1.0, 1.0), (1.0, 2.0)), 10.0: ((0.1, 0.1), (0.1, math.inf))}
    assert best(curves) == 1.0
    assert chosen({"adam": curves}, "adam") == curves[1.0]


def test_ratios_are_by_seed_and_may_be_of_some_epochs():
    ours, theirs = [(1.0, 4.0), (2.0, 2.0)], [(1.0, 1.0), (4.0, 1.0)]
    assert ratios(ours, theirs) == pytest.approx([2.0, 1.0])
    assert ratios(ours, theirs, slice(1)) == pytest.approx([1.0, 0.5])


def test_a_learning_rate_with_a_failed_run_is_left_out():
    panel = PANELS["1 dense"]
    good = {t: Result(t, "finished", ((11, 1.0),), epoch=11) for t in panel.every(1)}
    failed = {t: Result(t, "failed: no memory") for t in panel.trials("adam", panel.lrs["adam"][0], 1)}
    found = losses_of(panel, 1, {**good, **failed})
    assert set(found["adam"]) == set(panel.lrs["adam"][1:])
    assert set(found["nesterov"]) == set(panel.lrs["nesterov"])


def test_a_tenth_of_the_epochs_is_one_at_least():
    assert [tenth((1.0,) * n) for n in (3, 11, 101)] == [1, 1, 10]
    assert whole((1.0,) * 101) == 100


# -------------------------------------------------------------------------------------- the claims


def flat(**levels):
    """Rule → curves of nine epochs at its level, two seeds."""
    return {rule: {0.1: ((level,) * 9,) * 2} for rule, level in levels.items()}


def turning(**levels):
    """The same with one level for the first half and another for the rest."""
    return {rule: {0.1: ((early,) * 4 + (late,) * 5,) * 2} for rule, (early, late) in levels.items()}


CONVOLUTIONAL = turning(adam=(1.0, 0.1), adagrad=(1.0, 0.5), nesterov=(1.2, 0.12))
LIKE_THE_PAPER = {
    "1 dense": flat(adam=1.0, nesterov=1.1, adagrad=2.0),
    "1 sparse": flat(adam=1.0, adagrad=1.0, rmsprop=1.0, nesterov=1.3),
    "1 sparse, no dropout": flat(adam=1.0, adagrad=1.0, rmsprop=1.0, nesterov=1.3),
    "2 dropout": flat(adam=1.0, adagrad=1.1, rmsprop=1.1, nesterov=1.1),
    "2 no dropout": flat(adam=1.0, adagrad=1.1, rmsprop=1.1, nesterov=1.1),
    "3 dropout": CONVOLUTIONAL,
    "3 no dropout": CONVOLUTIONAL,
}
OTHERWISE = {
    "1 dense": flat(adam=1.0, nesterov=2.0, adagrad=0.9),
    "1 sparse": flat(adam=2.0, adagrad=1.0, rmsprop=1.0, nesterov=1.1),
    "1 sparse, no dropout": flat(adam=2.0, adagrad=1.0, rmsprop=1.0, nesterov=1.1),
    "2 dropout": flat(adam=1.0, adagrad=1.1, rmsprop=0.99, nesterov=1.1),
    "2 no dropout": flat(adam=1.0, adagrad=1.1, rmsprop=1.1, nesterov=1.1),
    "3 dropout": turning(adam=(1.0, 0.4), adagrad=(2.0, 0.4), nesterov=(1.0, 0.2)),
    "3 no dropout": turning(adam=(1.0, 0.4), adagrad=(2.0, 0.4), nesterov=(1.0, 0.2)),
}


def autoencoders(early, late, lowest):
    """Figure 4 of untrained loss 50 and losses of 30 at lr 0.001. ``early`` and ``late``: β₂ → the loss without
    correction at lr 0.1; ``lowest``: (β₂, rule) of a single loss of 29.
    """
    figure = {}
    for b1, b2 in itertools.product(BETA1, BETA2):
        end = {rule: 29.0 if (b2, rule) == lowest else 30.0 for rule in (CORRECTED, UNCORRECTED)}
        figure[setting(b1, b2)] = {
            CORRECTED: {1e-3: both(30.0, end[CORRECTED]), 0.1: both(32.0, 32.0)},
            UNCORRECTED: {1e-3: both(30.0, end[UNCORRECTED]), 0.1: both(early[b2], late[b2])},
        }
    return figure


def both(early, late):
    return ((50.0, *[early] * 5, *[late] * 15),) * 2


LIKE_THE_PAPER |= autoencoders(
    {0.99: 32.0, 0.999: 40.0, 0.9999: math.inf}, {0.99: 32.0, 0.999: 32.0, 0.9999: 32.0}, (0.9999, CORRECTED)
)
OTHERWISE |= autoencoders(dict.fromkeys(BETA2, 40.0), dict.fromkeys(BETA2, 40.0), (0.99, UNCORRECTED))


def of_figure(number, panels):
    return {key: losses for key, losses in panels.items() if key.startswith(f"{number} ")}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.figure} {claim.paper}")
def test_a_claim_agrees_with_what_the_paper_found_and_with_nothing_else(claim):
    assert claim.verdict(of_figure(claim.figure, LIKE_THE_PAPER)).answer == AGREES
    assert claim.verdict(of_figure(claim.figure, OTHERWISE)).answer == DISAGREES
    assert claim.verdict(of_figure(claim.figure, {key: {} for key in PANELS})).answer == UNMEASURED


def test_seeds_that_differ_leave_a_claim_undecided():
    dense = flat(adam=1.0, nesterov=1.1, adagrad=2.0)
    dense["adagrad"][0.1] = ((2.0,) * 9, (0.9,) * 9)
    (claim,) = (c for c in CLAIMS if c.paper.startswith("Dense features: both"))
    verdict = claim.verdict({"1 dense": dense})
    assert verdict.answer == UNDECIDED
    assert "0.81 (0.50 to 1.11)" in verdict.found


def test_who_is_spoiled_lost_a_tenth_of_the_way_by_the_missing_correction():
    figure = of_figure(4, LIKE_THE_PAPER)
    shares = [claims.spoiled(figure, b2, tenth, 0) for b2 in BETA2]
    assert shares == [0.0, 0.5, 0.5]  # lr 0.1 of two; β₁ alike
    assert claims.lowest(figure, 0) == (0.0, 0.9999, CORRECTED, 1e-3)


# ---------------------------------------------------------------------------------------- the whole


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("paper") / "out"
    done = adamas_cli("paper", "--figures", "2", "--quick", "--jobs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    assert "Of the paper's 1 claims, " in done.output
    return out


def test_a_quick_remake_judges_every_claim_and_needs_no_network(folder):
    verdicts = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert [row["claim"] for row in verdicts] == [claim.paper for claim in CLAIMS if claim.figure == 2]
    assert {row["verdict"] for row in verdicts} <= {AGREES, DISAGREES}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for row in verdicts:
        assert row["claim"] in page
        assert row["found"] in page
    assert "src=" not in page.replace("vegaEmbed", "").split("<script>")[0]
    assert "adamas paper --figures 2 --quick" in " ".join(page.replace("<span>", "").replace("</span>", "").split())


@pytest.mark.skipif(bool(test_browser.MISSING), reason="there is no browser")
@pytest.mark.parametrize("width", [400, 1200])
def test_every_plot_is_drawn_and_fits_the_page(browser, folder, width):  # noqa: F811
    page, wrong, fetched = test_browser.opened(browser, folder, viewport={"width": width, "height": 900})
    assert (wrong, fetched) == ([], [])
    assert page.locator(".chart .mark-line path").count() == 8  # four rules, twice
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_second_time_nothing_is_measured_again(folder):
    before = {path.name: path.read_bytes() for path in folder.rglob("*.json")}
    done = adamas_cli("paper", "--figures", "2", "--quick", "--out", folder)
    assert done.exit_code == 0
    assert "24 runs; 24 are done already" in done.output
    assert {path.name: path.read_bytes() for path in folder.rglob("*.json")} == before


def test_what_cannot_be_is_refused_in_words(tmp_path):
    done = adamas_cli("paper", "--figures", "one")
    assert done.exit_code == 2
    assert "--figures one: expected numbers with commas between, such as 1,4" in done.output
    (tmp_path / "thesis.txt").write_text("")
    done = adamas_cli("paper", "--out", tmp_path)
    assert done.exit_code == 2
    assert "thesis.txt" in done.output


def test_tasks_without_dropout_are_deterministic():
    for name in ("logreg-topics-l2", "digits-mlp-plain"):
        task = tasks.get(name)
        batch = tuple(a[:16] for a in task.data()["train"])
        params = task.init(np.random.default_rng(0))
        losses = [task.loss(params, batch, np.random.default_rng(seed))[0] for seed in (1, 2)]
        assert losses[0] == losses[1] == pytest.approx(task.evaluate(params, batch)["loss"], rel=1e-6)
