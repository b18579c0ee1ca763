"""Write every mail, with made-up data, to a folder: `python -m mails.preview OUTDIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mails.formats import Language
from mails.kinds import MailKind
from mails.render import render
from mails.samples import samples


def write_previews(folder: Path) -> int:
    """Render each sample of each kind and language as `<language>/<kind>.<sample>.html` and `.txt`.

    Returns:
        The number of mails written.
    """
    written = 0
    for language in Language:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for kind in MailKind:
            for name, context in samples(kind, language).items():
                mail = render(kind, context)
                stem = folder / language / f"{kind}.{name}"
                stem.with_name(stem.name + ".html").write_text(mail.html, encoding="utf-8")
                stem.with_name(stem.name + ".txt").write_text(
                    f"{mail.subject}\n\n{mail.text}", encoding="utf-8"
                )
                written += 1
    return written


def main() -> None:
    """Read the folder from the command line."""
    parser = argparse.ArgumentParser(prog="python -m mails.preview", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made if it does not exist")
    folder: Path = parser.parse_args().folder
    sys.stdout.write(f"{write_previews(folder)} mails written to {folder}\n")


if __name__ == "__main__":
    main()
