"""Threads, forks, far addresses, and optimizers that are packed up and go on: never a bit of difference."""

from __future__ import annotations

import copy
import hashlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import adamas
from adamas.backends import Grads, Tensor, threads
from adamas.backends.cpu import ONE_THREAD, Cpu

RULES = pytest.mark.parametrize("rule", cases.kinds())
#: Enough elements for the pool, in leaves that are cut into many items, a few, or one.
SHAPES = {"flat": (150_001,), "wide": (700, 130), "tall": (2_000, 17), "bias": (77,), "scalar": ()}
assert sum(int(np.prod(s)) for s in SHAPES.values()) > ONE_THREAD


@pytest.fixture(autouse=True)
def default_threads() -> Iterator[None]:
    yield
    adamas.set_num_threads(None)


def draw(seed: int, dtype: str = "float32") -> dict[str, np.ndarray]:
    values = cases.arrays(list(SHAPES.values()), dtype, seed, spread=0.5)
    return dict(zip(SHAPES, values, strict=True))


GRADS = [draw(seed) for seed in range(1, 4)]


def make(rule: str, p: Any, **options: Any) -> Any:
    return adamas.optimizer_class(rule)(p, **options)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(cases.same_bits(a[k], b[k]) for k in a)


def digest(p: dict[str, np.ndarray]) -> bytes:
    return hashlib.sha256(b"".join(x.tobytes() for x in p.values())).digest()


# ------------------------------------------------------------------------------- threads and grouping


@RULES
def test_the_number_of_threads_changes_no_bit(rule: str) -> None:
    results = []
    for n in (1, 2, 3, 5):
        adamas.set_num_threads(n)
        p = draw(0)
        opt = make(rule, p, max_grad_norm=1.0)
        norms = [opt.step(g).norm for g in GRADS]
        results.append((p, opt.state_dict(), norms))
    for p, state, norms in results[1:]:
        assert same(p, results[0][0])
        assert cases.same_state(state, results[0][1])
        assert norms == results[0][2]


def test_the_number_of_threads_may_change_between_steps() -> None:
    p, q = draw(0), draw(0)
    a, b = make("lamb", p), make("lamb", q)
    for n, g in zip((5, 1, 3), GRADS, strict=True):
        adamas.set_num_threads(1)
        b.step(g)
        adamas.set_num_threads(n)
        a.step(g)
    assert same(p, q)


@RULES
def test_the_grouping_of_tensors_changes_no_bit(rule: str) -> None:
    """All together; the other way round; in groups of options; each alone (unless sums run over all)."""
    p = draw(0)
    whole = make(rule, p)
    others = []
    turned = dict(reversed(draw(0).items()))
    grouped = draw(0)
    others = [(turned, make(rule, turned)), (grouped, make(rule, grouped, groups={"w*": {"lr": whole_lr(rule)}}))]
    for g in GRADS:
        whole.step(g)
        for _, opt in others:
            opt.step(g)
    if rule != "prodigy":  # sums over all tensors add up in the tensors' order
        assert same({name: turned[name] for name in p}, p)
    assert same(grouped, p)
    if rule != "prodigy":
        for name, x in draw(0).items():
            opt = make(rule, x)
            for g in GRADS:
                opt.step(g[name])
            assert cases.same_bits(x, p[name])


def whole_lr(rule: str) -> float:
    """The rule's own learning rate."""
    lr: float = adamas.rules.get(rule).hyper["lr"].default
    return lr


def test_sums_over_all_tensors_do_not_depend_on_how_dtypes_group_them() -> None:
    p, q = ({k: x.astype("f8" if k in ("wide", "bias") else "f4") for k, x in draw(0).items()} for _ in range(2))
    a, b = make("prodigy", p), make("prodigy", q, backend="reference")
    for g in GRADS:
        assert a.step(g) == b.step(g)
    assert same(p, q)
    assert a.state_dict()["shared"] == b.state_dict()["shared"]


def together(*runs: Callable[[], None]) -> None:
    """Run at once, in threads that start at a barrier; raise what any of them raised."""
    barrier, errors = threading.Barrier(len(runs)), []

    def task(run: Callable[[], None]) -> None:
        try:
            barrier.wait()
            run()
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=task, args=(run,)) for run in runs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers), "a thread hangs"
    if errors:
        raise errors[0]


def test_two_threads_step_two_optimizers_at_once() -> None:
    adamas.set_num_threads(3)
    serial = draw(0)
    opt = make("adam", serial, max_grad_norm=1.0)
    for g in GRADS * 10:
        opt.step(g)
    many = [draw(0) for _ in range(3)]

    def run(p: dict[str, np.ndarray]) -> Callable[[], None]:
        mine = make("adam", p, max_grad_norm=1.0)
        return lambda: [mine.step(g) for g in GRADS * 10] and None

    together(*map(run, many))
    assert all(same(p, serial) for p in many)


def test_two_threads_compile_the_same_new_kernel_at_once() -> None:
    start = cases.arrays([(1000,)], "complex128", 0)[0]
    many = [start.copy() for _ in range(3)]
    together(*(lambda p=p: make("amsgrad", p, state="mean", maximize=True).step(start) for p in many))
    assert all(cases.same_bits(p, many[0]) for p in many)
    assert not cases.same_bits(many[0], start)


def test_the_number_of_threads_may_change_while_others_step() -> None:
    """A step that cannot be shared out must not stop halfway."""
    p, q = draw(0), draw(0)
    opt, oracle = make("adam", p), make("adam", q)
    for g in GRADS * 20:
        oracle.step(g)
    done = threading.Event()

    def steps() -> None:
        try:
            for g in GRADS * 20:
                opt.step(g)
        finally:
            done.set()

    def changes() -> None:
        n = 0
        while not done.is_set():
            adamas.set_num_threads(2 + n % 4)
            n += 1

    together(steps, changes)
    assert same(p, q)


# ------------------------------------------------------------------------------- how many threads


def test_the_number_of_threads_is_what_was_set_or_the_default() -> None:
    default = adamas.get_num_threads()
    assert default >= 1
    adamas.set_num_threads(7)
    assert adamas.get_num_threads() == 7
    adamas.set_num_threads(None)
    assert adamas.get_num_threads() == default


def test_a_number_of_numpy_is_a_number_of_threads() -> None:
    adamas.set_num_threads(np.int64(3))  # type: ignore[arg-type]
    assert adamas.get_num_threads() == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_the_default_respects_the_affinity() -> None:
    script = """
import os
os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:1]))
import adamas
print(adamas.get_num_threads())
"""
    env = {**os.environ, "PYTHONPATH": str(Path(adamas.__file__).parents[1])}
    out = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    assert out.stdout.split() == ["1"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "nonsense\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_quotas_of_both_kinds_of_control_groups(files: dict[str, str], expected: float, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads.quota(tmp_path) == expected


# ------------------------------------------------------------------------------- forks


def forked(run: Callable[[], bytes]) -> bytes:
    """What a fork computes; fails if it hangs or dies."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, run())
            os._exit(0)
        except BaseException:
            os._exit(1)
    os.close(write)
    deadline = time.monotonic() + 30
    while not (waited := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.005)
    with os.fdopen(read, "rb") as file:
        answer = file.read()
    assert os.waitstatus_to_exitcode(waited[1]) == 0
    return answer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_after_the_first_step_steps_as_its_parent_does() -> None:
    adamas.set_num_threads(3)
    p = draw(0)
    opt = make("adam", p, max_grad_norm=1.0)
    opt.step(GRADS[0])  # now the pool has threads, which a fork does not inherit

    def step() -> bytes:
        for g in GRADS[1:]:
            opt.step(g)
        return digest(p)

    child = forked(step)
    again = forked(lambda: forked(step))
    assert step() == child == again


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_steps() -> None:
    adamas.set_num_threads(3)
    busy, p = draw(0), draw(0)
    background, opt = make("adam", busy), make("adam", p)
    opt.step(GRADS[0])
    stop = threading.Event()

    def steps() -> None:
        while not stop.is_set():
            background.step(GRADS[0])

    def step() -> bytes:
        opt.step(GRADS[1])
        return digest(p)

    worker = threading.Thread(target=steps)
    worker.start()
    try:
        children = [forked(step) for _ in range(8)]
    finally:
        stop.set()
        worker.join()
    assert set(children) == {step()}


# ------------------------------------------------------------------------------- far addresses


@pytest.fixture
def far() -> Callable[[int], np.ndarray]:
    """Float16 arrays of zeros whose pages exist only once they are touched, one by one."""
    if sys.platform != "linux" or sys.maxsize < 2**40:
        pytest.skip("needs lazily committed memory")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)

    def zeros(size: int) -> np.ndarray:
        memory = mmap.mmap(-1, 2 * size, flags=flags)
        memory.madvise(getattr(mmap, "MADV_NOHUGEPAGE", 15))
        return np.frombuffer(memory, np.float16)

    return zeros


def test_strides_reach_past_two_to_the_31(far: Callable[[int], np.ndarray]) -> None:
    """1,025 elements; the last lies 2³¹ elements and 2³² bytes from the first."""
    last = 2**31
    step = last // 1024
    forward, backward, of_g = far(last + 1), far(last + 1), far(last + 1)
    matrix = far(last)[:last].reshape(4, -1)[:, ::step]
    p = {"forward": forward[::step], "backward": backward[::-step], "matrix": matrix}
    g = {"forward": of_g[::step], "backward": of_g[::-step], "matrix": np.ones((4, 256), np.float16)}
    of_g[::step] = np.cos(np.arange(1025))
    for x in p.values():
        x[...] = 0.5
    dense = {name: x.copy() for name, x in p.items()}
    far_away, near = make("adam", p, lr=0.1), make("adam", dense, lr=0.1)
    for _ in range(2):
        far_away.step(g)
        near.step({name: x.copy() for name, x in g.items()})
    assert same(p, dense)
    assert forward[last] != 0.5
    assert forward[1] == forward[last - 1] == backward[last - 1] == 0


def test_elements_past_two_to_the_31_are_counted_right(far: Callable[[int], np.ndarray]) -> None:
    """A tensor of 2³¹ + 70,000 elements; only its last items are run, so that only their pages exist."""
    sgd = adamas.rules.get("adam").but(
        "sgd", "SGD", "p ← p − lr·g", slots=(), before=(), moments=lambda g: {"d": g}, step=lambda d: d
    )
    size = 2**31 + 70_000
    p, g = far(size), far(size)
    g[-40_000:] = 1 + np.arange(40_000) % 7
    launch = Cpu().launch(sgd, {}, [Tensor("p", p, (0,))], np.dtype(np.float16))
    whole = launch.kernel.work
    assert whole[-1, 2] == size
    launch.kernel.work = whole[-3:].copy()
    row = {"lr": 0.5, "grad_scale": 1.0, "first": 0.0}
    for _ in launch.step(Grads([g], Cpu().addresses([g])), [row], np.zeros(1, np.int64), np.ones(1, np.int64)):
        pass
    assert (p[-40_000:] == -0.5 * g[-40_000:]).all()
    assert not p[:100_000].any()
    assert not p[size - 2**32 // 4 : size - 2**32 // 4 + 100_000].any()


# ------------------------------------------------------------------------------- packed up

#: Ways to go on with an optimizer: (a new optimizer, its parameters)
WAYS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "pickle": lambda opt, make_like: _own(pickle.loads(pickle.dumps(opt))),
    "old pickle": lambda opt, make_like: _own(pickle.loads(pickle.dumps(opt, protocol=2))),
    "deepcopy": lambda opt, make_like: _own(copy.deepcopy(opt)),
    "state_dict": lambda opt, make_like: _loaded(opt, make_like),
    "pickled state_dict": lambda opt, make_like: _loaded(opt, make_like, lambda s: pickle.loads(pickle.dumps(s))),
}


def _own(opt: Any) -> tuple[Any, Any]:
    return opt, opt.params


def _loaded(opt: Any, make_like: Callable[[Any], Any], through: Callable[[Any], Any] = lambda s: s) -> tuple[Any, Any]:
    params = {name: x.copy("K") for name, x in opt.params.items()}
    fresh = make_like(params)
    fresh.load_state_dict(through(opt.state_dict()))
    return fresh, params


def leaves(dtype: str, seed: int) -> dict[str, np.ndarray]:
    c, f, v, e, z = cases.arrays([(6, 5), (6, 5), (30,), (0, 3), ()], dtype, seed, spread=0.5)
    dense = {"c": c, "f": np.asfortranarray(f), "empty": e, "zero": z}
    return {**dense, "strided": v[::3], "reversed": v[1::3][::-1]} if dtype == "float32" else dense


#: Every rule, and one of other dtypes.
PACKED = [*((rule, "float32") for rule in cases.kinds()), ("adam", "bfloat16"), ("lamb", "float64")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("rule", "dtype"), PACKED)
def test_an_optimizer_that_was_packed_up_goes_on_bit_for_bit(rule: str, dtype: str, way: str) -> None:
    def make_like(p: Any) -> Any:
        groups = {"f": {"lr": 0.05}, "zero": {"maximize": True}}
        return make(rule, p, max_grad_norm=10.0, nonfinite="skip", groups=groups)

    p = leaves(dtype, 0)
    opt = make_like(p)
    for t in range(1, 4):
        opt.step({name: None if name == "c" and t == 2 else g for name, g in leaves(dtype, t).items()})
    opt.step({name: g * np.nan for name, g in leaves(dtype, 1).items()})
    opt.param_groups[1]["lr"] = 0.02
    new, q = WAYS[way](opt, make_like)
    assert (new.t, new.skipped_steps) == (opt.t, opt.skipped_steps) == (3, 1)
    assert new.gate == opt.gate
    assert repr(new) == repr(opt)
    assert not any(np.shares_memory(a, b) for a, b in zip(p.values(), q.values(), strict=True))
    for t in range(4, 7):
        for o in (opt, new):
            o.step(leaves(dtype, t))
    assert same(q, p)
    assert cases.same_state(new.state_dict(), opt.state_dict())


@pytest.mark.parametrize("way", WAYS)
def test_sums_go_on_bit_for_bit_in_any_layout(way: str) -> None:
    """A transposed slice is pickled in another layout than it had; the order of sums must not follow."""
    rng = np.random.default_rng(0)
    gs = [rng.normal(size=(300, 700)) for _ in range(6)]
    p = {"w": np.zeros((1400, 300))[::2].T}
    p["w"][...] = rng.normal(size=(300, 700))
    opt = make("lamb", p)
    for g in gs[:3]:
        opt.step({"w": g})
    new, q = WAYS[way](opt, lambda x: make("lamb", x))
    for g in gs[3:]:
        for o in (opt, new):
            o.step({"w": g})
    assert same(p, q)


def test_a_state_goes_on_in_another_layout_backend_and_number_of_threads() -> None:
    p = {"w": np.asfortranarray(cases.arrays([(700, 300)], "float32", 0)[0])}
    gs = [{"w": g} for g in cases.arrays([(700, 300)] * 4, "float32", 1)]
    opt = make("adam", p)
    for g in gs[:2]:
        opt.step(g)
    adamas.set_num_threads(2)
    q = {"w": np.ascontiguousarray(p["w"])}
    new = make("adam", q, backend="reference")
    new.load_state_dict(opt.state_dict())
    for g in gs[2:]:
        opt.step(g)
        new.step(g)
    assert same(p, q)


def test_a_schedule_goes_on_where_it_was() -> None:
    lr = adamas.schedules.cosine(0.1, steps=10, warmup=2)
    p = {"w": np.ones(5)}
    opt = make("adam", p, lr=lr)
    for _ in range(3):
        opt.step({"w": p["w"].copy()})
    for new, q in (WAYS["pickle"](opt, None), WAYS["state_dict"](opt, lambda x: make("adam", x, lr=lr))):
        twin = copy.deepcopy(opt)
        for o in (new, twin):
            o.step({"w": np.ones(5)})
        assert same(q, twin.params)


def test_a_model_and_its_optimizer_stay_together() -> None:
    """Packed up in one object, the new optimizer steps the new model."""
    for pack in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        model = {"w": np.ones(3)}
        both = {"model": model, "optimizer": make("adam", model, lr=0.1)}
        new = pack(both)
        new["optimizer"].step({"w": np.ones(3)})
        assert new["model"]["w"] == pytest.approx(0.9)
        assert (model["w"] == 1).all()
