"""The command line: a module a command, which imports what it needs when it is called."""

# isort: off
# `adamas --help` lists the commands in this order.
from adamas.cli.common import app as app
from adamas.cli import run as run
from adamas.cli import compare as compare
from adamas.cli import paper as paper
from adamas.cli import tasks as tasks
from adamas.cli import rules as rules
from adamas.cli import memory as memory
from adamas.cli import bench as bench
from adamas.cli import doctor as doctor
