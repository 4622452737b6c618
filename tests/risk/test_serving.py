"""The web process decides without the libraries of training."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SERVE = """
import sys
import config.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
import risk.services.scoring, risk.judgment
from risk.engine.scorecard import Scorecard
import json
card = Scorecard.from_json(json.loads(open("config/simulation/cards/person.json").read())["card"])
assert card.score(dict.fromkeys(card.inputs)).grade in "ABCDEF"
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"sklearn", "pandas", "scipy", "skops"})
print("loaded:", loaded)
"""


def test_scores_are_served_without_scikit_learn_and_pandas():
    """In a process of its own: this one has loaded them long ago."""
    done = subprocess.run(
        [sys.executable, "-c", SERVE], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "loaded: []"
