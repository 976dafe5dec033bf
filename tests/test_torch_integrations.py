"""The page about PyTorch runs; others' trainers step and resume with nothing changed but the optimizer's class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import accelerate
import lightning
import pytest
import torch
import transformers
from test_docs import run, sections
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from adamas.torch import AdamW

OPTIONS = dict(lr=0.01, weight_decay=0.1)
QUIET = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*updates to 16-bit parameters are lost"),  # which the page shows
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning"),  # Lightning 2.6 with torch 2.13
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small are slower on several threads, and much slower beside another test's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("section", sections("torch.md"))
def test_every_section_of_the_page_runs_by_itself(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("torch.md", section)


def test_the_page_of_rules_runs():
    run("which.md")


class Classifier(lightning.LightningModule):
    """Tells which of two halves of a point is longer."""

    def __init__(self, make: Callable[..., torch.optim.Optimizer]) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 2))
        self.make = make

    def forward(self, points: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": F.cross_entropy(self.network(points), labels)}

    def training_step(self, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
        return self(**batch)["loss"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make(self.parameters(), **OPTIONS)


def data() -> list[dict[str, torch.Tensor]]:
    points = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    labels = (points[:, :4].norm(dim=1) > points[:, 4:].norm(dim=1)).long()
    return [{"points": point, "labels": label} for point, label in zip(points, labels, strict=True)]


def loss_of(model: Classifier) -> float:
    with torch.no_grad():
        return model(**torch.utils.data.default_collate(data()))["loss"].item()


def with_hugging_face(model: Classifier, folder: Path, epochs: int, *, resume: bool = False) -> None:
    arguments = transformers.TrainingArguments(
        str(folder / "hugging-face"),
        num_train_epochs=epochs,
        per_device_train_batch_size=32,
        max_grad_norm=0,
        lr_scheduler_type="constant",
        save_strategy="epoch",
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
    )
    trainer = transformers.Trainer(
        model, arguments, train_dataset=data(), optimizer_cls_and_kwargs=(model.make, dict(OPTIONS))
    )
    trainer.train(resume_from_checkpoint=resume)


def with_lightning(model: Classifier, folder: Path, epochs: int, *, resume: bool = False) -> None:
    trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", **QUIET)
    trainer.fit(model, DataLoader(data(), batch_size=32), ckpt_path=folder / "lightning" if resume else None)
    trainer.save_checkpoint(folder / "lightning")


def with_accelerate(model: Classifier, folder: Path, epochs: int, *, resume: bool = False) -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    prepared, opt, batches = accelerator.prepare(model, model.configure_optimizers(), DataLoader(data(), batch_size=32))
    if resume:
        accelerator.load_state(folder / "accelerate")
    for _ in range(epochs - resume):
        for batch in batches:
            accelerator.backward(prepared(**batch)["loss"])
            opt.step()
            opt.zero_grad()
    accelerator.save_state(folder / "accelerate")


@pytest.fixture(params=[with_hugging_face, with_lightning, with_accelerate], ids=lambda with_: with_.__name__)
def fit(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Classifier]:
    """fit(optimizer class, epochs): a trained model; with ``resume=True``, trained on from the end of the last call."""

    def fitted(make: Callable[..., torch.optim.Optimizer], epochs: int, **options: Any) -> Classifier:
        torch.manual_seed(1)
        model = Classifier(make)
        request.param(model, tmp_path, epochs, **options)
        return model

    return fitted


def test_a_trainer_steps_as_with_torch_optim(fit):
    ours, theirs = fit(AdamW, epochs=10), fit(torch.optim.AdamW, epochs=10)
    assert loss_of(ours) < 0.5 * loss_of(Classifier(AdamW))
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


def test_a_trainer_resumes_to_the_bit(fit):
    fit(AdamW, epochs=1)
    resumed = fit(AdamW, epochs=2, resume=True)
    whole = fit(AdamW, epochs=2)
    for p, q in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)
