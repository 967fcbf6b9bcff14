"""What every test runs under."""

from __future__ import annotations

import os

from hypothesis import settings

# A machine shared with other work makes single examples slow, which is no fault of the code.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

# The settings of whoever runs the tests must not reach the programs that the tests start. The choice of the
# verifier's implementation does: it is how one runs the suite on another one.
for _name in [name for name in os.environ if name.startswith("SESSIOND_") and name != "SESSIOND_FORCE_IMPL"]:
    del os.environ[_name]
