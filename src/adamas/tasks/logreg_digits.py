"""Logistic regression on handwritten digits: section 6.1 of the Adam paper in kind, with its schedule α/√t.

Kingma & Ba train on MNIST in mini-batches of 128; scikit-learn's 1,797 digits of 8 × 8 pixels need no download.
"""

from adamas.tasks import Task
from adamas.tasks.digits_mlp import data
from adamas.tasks.softmax import regression

init, loss, evaluate = regression(features=64, classes=10)

task = Task(
    name="logreg-digits",
    doc="Logistic regression, a model of one layer, learns to read handwritten digits from 8 × 8 pixel images.",
    init=init,
    loss=loss,
    evaluate=evaluate,
    data=data,
    lr=0.5,
    schedule="inverse-sqrt",
    epochs=40,
    batch_size=128,
)
