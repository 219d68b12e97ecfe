"""Where things lie: the checkout, files of earlier versions, and real files beside the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
EARLIER = FIXTURES / "earlier"
SHARED = ROOT.parent / "shared"  # tests that need it skip where it is missing
