"""Bad input: an error of the right kind that names leaf, value and remedy, and nothing has changed."""

from __future__ import annotations

import ast
import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas import nest

F64 = np.float64
NAN, INF = float("nan"), float("inf")
#: What a user may be shown for a wrong value; anything else is a crash.
REFUSED = (TypeError, ValueError)


def params() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "layer": {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)},
        "pair": [rng.normal(size=2) + 1j, rng.normal(size=2)],
    }


def grads() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return nest.rebuild(params(), iter([rng.normal(size=p.shape).astype(p.dtype) for p in leaves(params())]))


def leaves(tree: Any) -> list[Any]:
    return list(nest.flatten(tree).values())


def started(rule: str = "adam", **options: Any) -> tuple[Any, Any]:
    """An optimizer after two steps, so that there is something to lose, and its parameters."""
    p = params()
    opt = adamas.optimizer_class(rule)(p, **({} if rule == "adam" else {"backend": "reference"}), **options)
    for _ in range(2):
        opt.step(grads())
    return opt, p


def bits(x: Any) -> Any:
    """Something that compares equal only to its own kind in every bit, NaN and any nonsense included."""
    if isinstance(x, dict):
        return {k: bits(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [bits(v) for v in x]
    return (str(x.dtype), x.shape, x.tobytes()) if isinstance(x, np.ndarray) else (type(x), repr(x))


@contextlib.contextmanager
def refused(opt: Any, kind: Any, *texts: str) -> Iterator[None]:
    """Raises, says all the texts, and leaves every bit of parameters and state as it was."""
    before, state = [p.tobytes() for p in leaves(opt.params)], bits(opt.state_dict())
    with pytest.raises(kind) as error:
        yield
    assert [p.tobytes() for p in leaves(opt.params)] == before, "parameters changed"
    assert bits(opt.state_dict()) == state, "state changed"
    for text in texts:
        assert text in str(error.value)


# --------------------------------------------------------------------------------- gradients


def put(path: str, value: Any) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        *way, last = path.split(".")
        for key in way:
            tree = tree[int(key) if isinstance(tree, list) else key]
        tree[int(last) if isinstance(tree, list) else last] = value

    return change


W = np.ones((3, 4))
BAD_GRADIENTS: dict[str, tuple[Callable[[Any], Any], Any, tuple[str, ...]]] = {
    "integers": (put("layer.w", W.astype(int)), TypeError, ("layer.w", "int64", "float64")),
    "bools": (put("layer.w", W > 0), TypeError, ("layer.w", "bool", "float64")),
    "objects": (put("layer.w", W.astype(object)), TypeError, ("layer.w", "object")),
    "texts": (put("layer.w", W.astype(str)), TypeError, ("layer.w",)),
    "long double": (put("layer.w", W.astype(np.longdouble)), TypeError, ("layer.w",)),
    "big-endian": (put("layer.w", W.astype(">f8")), TypeError, ("layer.w", "byte order", "newbyteorder('=')")),
    "complex for real": (put("layer.w", W + 0j), TypeError, ("layer.w", "complex128", "g.real")),
    "real for complex": (put("pair.0", np.ones(2)), TypeError, ("pair.0", "float64", "g.astype(complex)")),
    "transposed": (put("layer.w", W.T), ValueError, ("layer.w", "(4, 3)", "(3, 4)")),
    "flat": (put("layer.w", W.ravel()), ValueError, ("layer.w", "(12,)", "(3, 4)")),
    "one more axis": (put("layer.w", W[..., None]), ValueError, ("layer.w", "(3, 4, 1)")),
    "would broadcast": (put("layer.w", np.ones(4)), ValueError, ("layer.w", "(4,)")),
    "scalar": (put("layer.w", 1.0), ValueError, ("layer.w", "()")),
    "empty": (put("layer.b", np.ones(0)), ValueError, ("layer.b", "(0,)")),
    "ragged": (put("layer.w", [[1.0], [1.0, 2.0]]), REFUSED, ("layer.w",)),
    "dict for an array": (put("layer.w", {"x": W}), TypeError, ("layer.w",)),
    "array for a dict": (put("layer", W), TypeError, ("layer", "dict", "ndarray")),
    "array for a list": (put("pair", np.ones((2, 2))), TypeError, ("pair", "list", "ndarray")),
    "None for a dict": (put("layer", None), TypeError, ("layer", "dict")),
    "list too short": (put("pair", [np.ones(2) + 0j]), ValueError, ("pair", "2", "1")),
    "list too long": (put("pair", [np.ones(2) + 0j] * 3), ValueError, ("pair", "2", "3")),
    "dict for a list": (put("pair", {0: np.ones(2), 1: np.ones(2)}), TypeError, ("pair", "list", "dict")),
    "key too many": (put("layer.v", W), ValueError, ("layer", "'v'", "['w', 'b']")),
    "key missing": (lambda g: g["layer"].pop("b") is None, ValueError, ("layer", "'b'")),
    "key renamed": (lambda g: g.update(pear=g.pop("pair")), ValueError, ("'pair'", "'pear'")),
}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("case", BAD_GRADIENTS)
def test_bad_gradients_are_refused_and_change_nothing(case: str, backend: str) -> None:
    change, kind, texts = BAD_GRADIENTS[case]
    opt, p = started(backend=backend)
    bad = grads()
    change(bad)
    with refused(opt, kind, *texts):
        opt.step(bad)
    opt.step(grads())
    clean, q = started(backend=backend)
    clean.step(grads())
    assert all(cases.same_bits(a, b) for a, b in zip(leaves(p), leaves(q), strict=True)), "the error left a trace"


@pytest.mark.parametrize("whole", [None, 1.0, W, [W, W], {}, "text"], ids=str)
def test_a_wrong_form_of_all_gradients_is_refused(whole: Any) -> None:
    opt, _ = started()
    with refused(opt, REFUSED, "the gradients"):
        opt.step(whole)


def test_the_remedies_for_gradients_work() -> None:
    opt, _ = started()
    g = grads()
    wide, swapped = g["layer"]["w"] + 0j, g["layer"]["b"].astype(">f8")
    g["layer"] = {"w": wide.real, "b": swapped.astype(swapped.dtype.newbyteorder("="))}
    g["pair"][0] = g["pair"][0].real.astype(complex)
    opt.step(g)
    assert opt.t == 3


# --------------------------------------------------------------------------------- hyper-parameters

#: (rule, name, value): every one is refused wherever it may be given.
BAD_HYPER: list[tuple[str, str, Any]] = [
    *(("adam", name, x) for name in ("lr", "eps", "weight_decay") for x in (NAN, INF, -INF, -1e-9)),
    *(("adam", name, x) for name in ("lr", "eps") for x in ("0.1", None, True, 1 + 2j, [0.1], np.ones(2))),
    ("adam", "lr", np.complex128(1 + 2j)),
    *(("adam", "betas", x) for x in ((1.0, 0.999), (0.9, 1.0), (-0.1, 0.999), (0.9, NAN), (INF, 0.999))),
    *(("adam", "betas", x) for x in (0.9, (0.9,), (0.9, 0.99, 0.999), None, "ab", ("0.9", 0.999))),
    ("adafactor", "d", 0.0),
    ("adafactor", "d", NAN),
    ("adafactor", "beta2_decay", 0.0),
    ("adafactor", "eps", (NAN, 1e-3)),
    ("adafactor", "eps", 1e-30),
    ("prodigy", "d0", 0.0),
    ("prodigy", "d_coef", -1.0),
    ("prodigy", "growth_rate", 0.5),
    ("prodigy", "growth_rate", NAN),
]
HYPER = pytest.mark.parametrize(("rule", "name", "value"), BAD_HYPER, ids=lambda x: str(x).replace(" ", ""))


@HYPER
@pytest.mark.filterwarnings("error")
def test_a_bad_hyper_parameter_is_refused_at_the_start(rule: str, name: str, value: Any) -> None:
    make = adamas.optimizer_class(rule)
    for options in ({name: value}, {"groups": {"layer.*": {name: value}}}):
        with pytest.raises(REFUSED) as error:
            make(params(), **options)
        assert name in str(error.value)
        assert make.__name__ in str(error.value)


@HYPER
def test_a_hyper_parameter_spoilt_between_steps_stops_every_step(rule: str, name: str, value: Any) -> None:
    opt, _ = started(rule)
    good = opt.param_groups[0][name]
    opt.param_groups[0][name] = value
    for _ in range(2):  # the second time, too: an error must not be remembered as checked
        with refused(opt, REFUSED, name):
            opt.step(grads())
    opt.param_groups[0][name] = good
    opt.step(grads())
    assert opt.t == 3


@HYPER
def test_a_bad_hyper_parameter_does_not_load(rule: str, name: str, value: Any) -> None:
    opt, _ = started(rule)
    saved = opt.state_dict()
    opt.step(grads())
    saved["param_groups"][0][name] = value
    if value is None and name == "lr":
        return  # a schedule is saved as None: the optimizer keeps its own
    with refused(opt, REFUSED, name):
        opt.load_state_dict(saved)


@pytest.mark.parametrize(("name", "value", "spoil"), [("betas", [0.9, 0.999], 2.0), ("lr", np.array(0.1), NAN)])
def test_a_value_changed_inside_its_container_is_seen(name: str, value: Any, spoil: float) -> None:
    opt, _ = started(**{name: value})
    value[... if name == "lr" else 0] = spoil
    with refused(opt, REFUSED, name):
        opt.step(grads())


@pytest.mark.parametrize("bad", [NAN, INF, -1.0, None, "x", 1j])
def test_a_schedule_that_goes_bad_stops_the_step(bad: Any) -> None:
    opt, _ = started(lr=lambda t: 0.1 if t < 3 else bad)
    with refused(opt, REFUSED, "lr"):
        opt.step(grads())
    assert opt.t == 2


def test_a_schedule_that_raises_stops_the_step() -> None:
    opt, _ = started(lr=lambda t: 0.1 / (3 - t))
    with refused(opt, ZeroDivisionError):
        opt.step(grads())


def test_groups_of_one_estimate_must_agree_at_every_step() -> None:
    opt, _ = started("prodigy", groups={"layer.*": {"weight_decay": 0.1}})
    opt.param_groups[1]["betas"] = (0.5, 0.9)
    for _ in range(2):
        with refused(opt, ValueError, "b2"):
            opt.step(grads())


def test_groups_of_one_estimate_do_not_count_an_empty_default() -> None:
    opt, _ = started("prodigy", groups={"*": {"betas": (0.8, 0.99)}})
    same, _ = started("prodigy", betas=(0.8, 0.99))
    assert opt.state_dict()["shared"] == same.state_dict()["shared"]


# --------------------------------------------------------------------------------- options

BAD_OPTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"lrr": 1}, ("lrr", "'lr'")),
    ({"weightdecay": 1}, ("weightdecay", "'weight_decay'")),
    ({"max_norm": 1}, ("max_norm", "'max_grad_norm'")),
    ({"amsgrad": True}, ("amsgrad",)),
    ({"backend": "refrence"}, ("refrence", "'reference'")),
    ({"backend": None}, ("backend",)),
    ({"backend": 5}, ("backend",)),
    ({"state": "flaot32"}, ("flaot32", "'float32'")),
    ({"state": 5}, ("state",)),
    ({"state": ["float32"]}, ("state",)),
    ({"state": {"v": "factord"}}, ("factord", "'factored'")),
    ({"state": {"v": 5}}, ("5",)),
    ({"state": {"v": None}}, ("None",)),
    ({"state": {"vv": "float32"}}, ("adam", "vv", "'v'")),
    ({"state": {"m": "factored"}}, ("adam", "m", "factored")),
    ({"state": {"m": "mean"}}, ("adam", "m", "mean")),
    ({"state": "bogus", "groups": {"*": {"state": "float32"}}}, ("bogus",)),
    ({"groups": {"*": {"state": 5}}}, ("state",)),
    ({"groups": {"*": {"state": "meen"}}}, ("meen", "'mean'")),
    ({"groups": [1]}, ("groups", "[1]")),
    ({"groups": "layer"}, ("groups", "layer")),
    ({"groups": {"layer.*": 3}}, ("layer.*", "3")),
    ({"groups": {"layer.*": None}}, ("layer.*", "None")),
    ({"groups": {3: {}}}, ("groups", "3")),
    ({"groups": {"layer.*": {"lrr": 1}}}, ("layer.*", "lrr", "'lr'")),
    ({"groups": {"layer.*": {"backend": "cpu"}}}, ("layer.*", "backend")),
    ({"groups": {"layer.x": {"lr": 1}}}, ("layer.x", "layer.")),
    ({"groups": {"Layer.*": {"lr": 1}}}, ("Layer.*", "layer.")),
    ({"groups": {"*": {"lr": 1}, "layer.w": {"lr": 2}}}, ("layer.w",)),
    ({"max_grad_norm": "abc"}, ("max_grad_norm", "abc")),
    ({"max_grad_norm": [1]}, ("max_grad_norm", "[1]")),
    ({"max_grad_norm": NAN}, ("max_grad_norm", "nan")),
    ({"max_grad_norm": 0}, ("max_grad_norm", "0")),
    ({"max_grad_norm": -1.0}, ("max_grad_norm", "-1")),
    ({"nonfinite": None}, ("nonfinite", "None", "propagate")),
    ({"nonfinite": "Skip"}, ("nonfinite", "Skip", "skip")),
    ({"maximize": "no"}, ("maximize", "no")),
    ({"groups": {"*": {"maximize": "no"}}}, ("maximize", "no")),
]


@pytest.mark.parametrize(("options", "texts"), BAD_OPTIONS, ids=lambda x: str(x).replace(" ", "")[:60])
def test_bad_options_are_refused_at_the_start(options: dict[str, Any], texts: tuple[str, ...]) -> None:
    with pytest.raises(REFUSED) as error:
        adamas.optimizer_class("adam")(params(), **options)
    for text in texts:
        assert text in str(error.value)


def test_unknown_rules_and_classes_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'adammw'.*'adamw'"):
        adamas.optimizer_class("adammw")
    with pytest.raises(ValueError, match=r"'xyzzy'.*adam, adamw"):
        adamas.optimizer_class("xyzzy")
    with pytest.raises(AttributeError, match="Adamm"):
        adamas.__getattr__("Adamm")


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True, NAN])
def test_bad_numbers_of_threads_are_refused(n: Any) -> None:
    before = adamas.get_num_threads()
    with pytest.raises(REFUSED, match="integer"):
        adamas.set_num_threads(n)
    assert adamas.get_num_threads() == before


# --------------------------------------------------------------------------------- parameters


def read_only() -> np.ndarray:
    x = np.ones(3)
    x.flags.writeable = False
    return x


def unaligned() -> np.ndarray:
    return np.zeros(25, np.uint8)[1:].view(F64)


def broadcast() -> np.ndarray:
    return np.lib.stride_tricks.as_strided(np.ones(3), (4, 3), (0, 8), writeable=True)


def windows() -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(np.ones(6), 3, writeable=True)


BAD_PARAMETERS: dict[str, tuple[Callable[[], Any], Any, tuple[str, ...]]] = {
    "read-only": (read_only, ValueError, ("read-only", "p.copy()")),
    "unaligned": (unaligned, ValueError, ("aligned", "p.copy()")),
    "broadcast": (broadcast, ValueError, ("share memory", "p.copy()")),
    "overlapping windows": (windows, ValueError, ("share memory", "p.copy()")),
    "big-endian": (lambda: np.ones(3, ">f4"), TypeError, ("byte order", "newbyteorder('=')")),
    "integers": (lambda: np.ones(3, int), TypeError, ("int64", "float32")),
    "bools": (lambda: np.ones(3, bool), TypeError, ("bool",)),
    "objects": (lambda: np.ones(3, object), TypeError, ("object",)),
    "long double": (lambda: np.ones(3, np.longdouble), TypeError, ("float64",)),
    "records": (lambda: np.ones(3, "f4,f4"), TypeError, ("float64",)),
    "number": (lambda: 1.0, TypeError, ("NumPy array", "float")),
    "NumPy number": (lambda: F64(1), TypeError, ("NumPy array", "float64")),
    "None": (lambda: None, TypeError, ("NumPy array", "None")),
    "text": (lambda: "abc", TypeError, ("NumPy array", "str")),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_refused(case: str) -> None:
    make, kind, texts = BAD_PARAMETERS[case]
    p = make()
    with pytest.raises(kind) as error:
        adamas.optimizer_class("adam")({"ok": np.ones(2), "layers": [p]})
    for text in ("layers.0", *texts):
        assert text in str(error.value)
    if "p.copy()" in texts:
        q = p.copy()
        adamas.optimizer_class("adam")({"layers": [q]}).step({"layers": [np.ones(q.shape)]})


def test_two_leaves_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'a\.b'"):
        adamas.optimizer_class("adam")({"a.b": np.ones(2), "a": {"b": np.ones(2)}})


BUFFER = 60
SHARING: dict[str, tuple[list[slice], bool]] = {
    "same": ([slice(0, 9), slice(0, 9)], True),
    "overlapping": ([slice(0, 9), slice(8, 12)], True),
    "inside": ([slice(0, 30), slice(10, 12)], True),
    "reversed": ([slice(0, 9), slice(8, None, -1)], True),
    "one in common": ([slice(0, 30, 3), slice(0, 30, 5)], True),
    "two under a third": ([slice(0, 60, 3), slice(1, 40, 3), slice(7, 40, 3)], True),
    "interleaved": ([slice(0, None, 2), slice(1, None, 2)], False),
    "three interleaved": ([slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)], False),
    "neighbours": ([slice(0, 9), slice(9, 20)], False),
    "with an empty one": ([slice(0, 9), slice(5, 5)], False),
}


@pytest.mark.parametrize("case", SHARING)
def test_leaves_that_share_memory_are_refused_and_interleaved_ones_step_apart(case: str) -> None:
    cuts, shares = SHARING[case]
    buffer = np.linspace(-1, 1, BUFFER)
    views = {f"p{i}": buffer[cut] for i, cut in enumerate(cuts)}
    if shares:
        with pytest.raises(ValueError, match=r"p\d and p\d share memory.*copy"):
            adamas.optimizer_class("adam")(views)
        return
    apart = {name: v.copy() for name, v in views.items()}
    for p in (views, apart):
        opt = adamas.optimizer_class("adam")(p)
        for _ in range(2):
            opt.step({name: np.cos(np.arange(v.size)) for name, v in p.items()})
    assert all(cases.same_bits(views[n], apart[n]) for n in views)


SLICES = st.builds(slice, st.integers(0, 20), st.integers(0, 40), st.integers(1, 4))


@settings(max_examples=200, deadline=None)
@given(st.lists(SLICES, min_size=2, max_size=4))
def test_sharing_is_refused_exactly_where_numpy_sees_it(cuts: list[slice]) -> None:
    buffer = np.zeros(40)
    views = [buffer[c] for c in cuts]
    shares = any(np.shares_memory(a, b) for i, a in enumerate(views) for b in views[:i])
    if shares:
        with pytest.raises(ValueError, match="share memory"):
            adamas.optimizer_class("adam")(views)
    else:
        adamas.optimizer_class("adam")(views)


# --------------------------------------------------------------------------------- state=


@pytest.mark.parametrize("leaf", ["b", "layers.0.bias", "w[0]", "a*", "what?"])
def test_the_remedy_for_a_leaf_that_a_codec_cannot_hold_works(leaf: str) -> None:
    """Leaf names with the signs of patterns, too."""
    p = {leaf: np.ones(3), "w": np.ones((3, 2))}
    make = partial(adamas.optimizer_class("adam"), backend="reference")
    with pytest.raises(ValueError, match="two dimensions") as error:
        make(p, state="factored")
    text = str(error.value)
    assert text.startswith(f"{leaf}: ")
    assert "(3,)" in text
    found = re.search(r"groups=(\{.*\})", text)
    assert found
    opt = make(p, state="factored", groups=ast.literal_eval(found[1]))
    opt.step({name: np.ones(x.shape) for name, x in p.items()})
    assert set(opt.state_dict()["arrays"][leaf]) == {"m", "v"}
    assert "v" not in opt.state_dict()["arrays"]["w"]


def test_the_remedy_for_a_bare_array_works() -> None:
    make = adamas.optimizer_class("adam")
    with pytest.raises(ValueError, match="params: factored") as error:
        make(np.ones(3), state="factored")
    found = re.search(r"groups=(\{.*\})", str(error.value))
    assert found
    make(np.ones(3), state="factored", groups=ast.literal_eval(found[1])).step(np.ones(3))


def test_a_rule_without_a_fitting_slot_says_so() -> None:
    with pytest.raises(ValueError, match=r"adamax.*factored.*state='float32'"):
        adamas.optimizer_class("adamax")(np.ones((2, 2)), state="factored")
    adamas.optimizer_class("adamax")(np.ones((2, 2)), state="float32")


# --------------------------------------------------------------------------------- load_state_dict


def at(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        for key in path[:-1]:
            saved = saved[key]
        saved[path[-1]] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        for key in path[:-1]:
            saved = saved[key]
        del saved[path[-1]]

    return change


W_OF = ("arrays", "layer.w")
BAD_STATES: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    **{f"no {key}": (drop(key), (key,)) for key in ("rule", "steps", "skipped", "t", "shared", "own", "arrays")},
    "no param_groups": (drop("param_groups"), ("param_groups",)),
    "another rule": (at("rule", value="adamw"), ("'adamw'", "'adam'")),
    "a leaf missing": (drop(*W_OF), ("layer.w",)),
    "a leaf too many": (at("arrays", "extra", value={}), ("extra",)),
    "a count missing": (drop("t", "layer.w"), ("t", "layer.w")),
    "a slot missing": (drop(*W_OF, "v"), ("layer.w", "v", "state=")),
    "a slot too many": (at(*W_OF, "w", value=W), ("layer.w", "w")),
    "another shape": (at(*W_OF, "m", value=W.T), ("layer.w", "m", "(4, 3)", "(3, 4)")),
    "a wider dtype": (at(*W_OF, "m", value=W + 0j), ("layer.w", "m", "complex128", "float64")),
    "objects": (at(*W_OF, "m", value=W.astype(object)), ("layer.w", "m")),
    "None for an array": (at(*W_OF, "m", value=None), ("layer.w", "m")),
    "None for a leaf": (at(*W_OF, value=None), ("layer.w",)),
    "None for t": (at("t", value=None), ("t",)),
    "None for shared": (at("shared", value=None), ("shared",)),
    "a count of text": (at("t", "pair.1", value="x"), ("t", "pair.1")),
    "a broken count": (at("t", "pair.1", value=1.5), ("t", "pair.1")),
    "a negative count": (at("t", "pair.1", value=-1), ("t", "pair.1")),
    "a NaN count": (at("t", "pair.1", value=NAN), ("t", "pair.1")),
    "steps of text": (at("steps", value="x"), ("steps",)),
    "negative steps": (at("steps", value=-3), ("steps",)),
    "skipped of None": (at("skipped", value=None), ("skipped",)),
    "None for the groups": (at("param_groups", value=None), ("param_groups",)),
    "text for the groups": (at("param_groups", value="abc"), ("param_groups",)),
    "no groups": (at("param_groups", value=[]), ("param_groups",)),
    "other names in a group": (at("param_groups", 0, "names", value=["a"]), ("param_groups",)),
    "a group without lr": (drop("param_groups", 0, "lr"), ("lr",)),
    "a group without maximize": (drop("param_groups", 0, "maximize"), ("maximize",)),
    "maximize of text": (at("param_groups", 0, "maximize", value="no"), ("maximize",)),
}


@pytest.mark.parametrize("case", BAD_STATES)
def test_a_state_that_does_not_fit_is_refused_whole(case: str) -> None:
    change, texts = BAD_STATES[case]
    opt, _ = started()
    saved = opt.state_dict()
    for _ in range(3):
        opt.step(grads())
    change(saved)
    with refused(opt, REFUSED, *texts):
        opt.load_state_dict(saved)


@pytest.mark.parametrize("whole", [None, 5, [], "text", {}], ids=str)
def test_what_is_no_state_is_refused(whole: Any) -> None:
    opt, _ = started()
    with refused(opt, REFUSED):
        opt.load_state_dict(whole)


def test_shared_scalars_of_text_are_refused_whole() -> None:
    opt, _ = started("prodigy")
    saved = opt.state_dict()
    opt.step(grads())
    saved["shared"]["d"] = "x"
    with refused(opt, REFUSED, "d"):
        opt.load_state_dict(saved)


def test_state_of_other_groups_codecs_and_precision_is_refused() -> None:
    def opt(dtype: Any = np.float32, **options: Any) -> Any:
        p = {"w": np.ones((2, 3), dtype), "b": np.ones(3, dtype)}
        made = adamas.optimizer_class("adam")(p, backend="reference", **options)
        made.step({k: np.ones(x.shape, dtype) for k, x in p.items()})
        return made

    mine = opt()
    for other, text in ((opt(groups={"b": {"lr": 0.1}}), "groups"), (opt(state="mean"), "v"), (opt(F64), "float64")):
        with refused(mine, ValueError, text):
            mine.load_state_dict(other.state_dict())
    wide = opt(F64)
    wide.load_state_dict(mine.state_dict())  # float64 holds every float32
    assert wide.state_dict()["arrays"]["w"]["m"].dtype == F64
    wide.load_state_dict(dict(reversed(wide.state_dict().items())))  # by name, in any order


def test_what_was_exported_or_loaded_is_a_copy() -> None:
    opt, _ = started()
    saved = opt.state_dict()
    kept = copy.deepcopy(saved)
    opt.step(grads())
    assert cases.same_state(saved, kept), "a step changed an exported state"
    opt.load_state_dict(saved)
    opt.step(grads())
    assert cases.same_state(saved, kept), "a step changed a loaded state"
    saved["param_groups"][0]["names"].clear()
    saved["arrays"]["layer.w"]["m"][...] = NAN
    assert np.isfinite(opt.state_dict()["arrays"]["layer.w"]["m"]).all()


# --------------------------------------------------------------------------------- nests

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
KEYS = st.text("abcxyz", min_size=1, max_size=3)
NESTS = st.recursive(
    SHAPES.map(lambda shape: np.zeros(shape)),
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3) | st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=8,
)


def same_form(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return type(a) is type(b) and a.keys() == b.keys() and all(same_form(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_form, a, b))
    return a is b


def shuffled(tree: Any) -> Any:
    """The same nest with every dict the other way round."""
    if isinstance(tree, dict):
        return {k: shuffled(v) for k, v in reversed(tree.items())}
    return type(tree)(map(shuffled, tree)) if isinstance(tree, (list, tuple)) else tree


@given(NESTS)
def test_flatten_and_rebuild_are_inverse(tree: Any) -> None:
    flat = nest.flatten(tree)
    assert same_form(nest.rebuild(tree, iter(flat.values())), tree)
    assert all(map(same_form, nest.Form(tree).leaves(shuffled(tree), "it"), flat.values()))


@settings(max_examples=60, deadline=None)
@given(NESTS, st.integers(0, 99))
def test_a_nest_steps_as_its_leaves_do_alone(tree: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def fill() -> Any:
        return nest.rebuild(tree, iter([rng.normal(size=x.shape) for x in leaves(tree)]))

    p = fill()
    alone = [x.copy() for x in leaves(p)]
    opt = adamas.optimizer_class("adam")(p)
    refs = [adamas.optimizer_class("adam")(x, backend="reference") for x in alone]
    for _ in range(2):
        g = fill()
        opt.step(shuffled(g))
        for ref, part in zip(refs, leaves(g), strict=True):
            ref.step(part)
    assert all(map(cases.same_bits, leaves(p), alone))


@pytest.mark.parametrize("spoil", ["reorder", "rebind", "remove", "add"])
def test_changing_the_dict_of_parameters_later_moves_no_gradient_to_another_leaf(spoil: str) -> None:
    """The order of keys is free; another array, or another key, would never be stepped, and that is said."""
    a, b = np.zeros(2), np.zeros(2)
    p = {"a": a, "b": b}
    opt = adamas.optimizer_class("adam")(p, lr=1.0)
    g = {"a": np.ones(2), "b": -np.ones(2)}
    if spoil == "reorder":
        p["a"] = p.pop("a")
        opt.step(g)
        assert (a < 0).all()
        assert (b > 0).all()
        copy.deepcopy(opt).step(g)
        return
    if spoil == "rebind":
        p["a"] = np.zeros((3, 3))
    elif spoil == "remove":
        del p["a"]
    else:
        p["c"] = np.zeros(2)
    with pytest.raises(ValueError, match="a: params now holds another array|the parameters: (missing|unexpected)"):
        opt.step(g)
    assert not a.any()
    assert not b.any()
