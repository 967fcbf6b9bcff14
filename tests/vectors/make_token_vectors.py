"""Make ``refresh_v1.json`` and ``access_v1.json`` again: ``python -m tests.vectors.make_token_vectors``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors.access_vectors import access_vectors
from tests.vectors.refresh_vectors import refresh_vectors
from tests.vectors.vector_forms import Json

HERE = Path(__file__).parent


def render(vectors: Json) -> str:
    """Spell vectors in the one way of the files."""
    return json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"


FILES = {"refresh_v1.json": refresh_vectors, "access_v1.json": access_vectors}


def main() -> None:
    """Write both files."""
    for name, vectors in FILES.items():
        (HERE / name).write_text(render(vectors()))


if __name__ == "__main__":
    main()
