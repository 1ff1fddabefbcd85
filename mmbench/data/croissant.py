"""Croissant, the description of datasets as JSON-LD (MLCommons, version 1.0): written and read.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench.data.log import DataError
from mmbench.data.names import NAMES, plain
from mmbench.data.spec import FILE_NAME, FolderSpec, Reading, on_disk
from mmbench.hookspecs import DatasetInfo

NAMES_OF_FILE = ("croissant.json", "croissant.jsonld", "metadata.croissant.json")
CONFORMS = "http://mlcommons.org/croissant/1.0"
MEDIA = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "atomic": "text/tab-separated-values",
    "parquet": "application/x-parquet",
    "jsonl": "application/jsonlines",
    "json": "application/json",
}
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True, slots=True)
class Croissant:
    """What a description tells.

    Attributes:
        name: of the dataset.
        licence: it, or its address.
        origin: the description's own words, and where it says that the data are from.
        digests: name of a file to its sha256, where the description gives one.
        columns: (file, column) to the name of the field that is made of it.
        times: (file, column) of the fields that are dates.
    """

    name: str = ""
    licence: str = ""
    origin: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], str] = field(default_factory=dict)
    times: tuple[tuple[str, str], ...] = ()


def find(folder: Path) -> Path | None:
    """The description in a folder."""
    return next((folder / name for name in NAMES_OF_FILE if (folder / name).is_file()), None)


def read(path: Path) -> Croissant:
    """What a description tells. Raises DataError where it is none."""
    try:
        whole = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(whole, dict) or "distribution" not in whole:
        raise DataError(f"{path}: is no Croissant description: it has no `distribution`")
    files, digests = {}, {}
    for one in _list(whole["distribution"]):
        name = str(one.get("contentUrl") or one.get("name") or "")
        place = name.rpartition("/")[2] if "://" in name else name
        files[str(one.get("@id") or one.get("name") or "")] = place
        if one.get("sha256"):
            digests[place] = str(one["sha256"]).lower()
    columns, times = {}, []
    for records in _list(whole.get("recordSet")):
        for one in _list(records.get("field")):
            source = one.get("source") or {}
            held = source.get("fileObject") or source.get("fileSet") or {}
            file = files.get(str(held.get("@id", "")) if isinstance(held, dict) else str(held), "")
            column = (source.get("extract") or {}).get("column")
            if file and column:
                columns[file, str(column)] = str(one.get("name") or one.get("@id") or "")
                if {str(kind).rpartition(":")[2] for kind in _list(one.get("dataType"))} & {
                    *("Date", "DateTime", "Time"),
                }:
                    times.append((file, str(column)))
    origin = ". ".join(str(whole[k]).rstrip(".") for k in ("description", "url") if whole.get(k))
    licences = [str(one) for one in _list(whole.get("license"))]
    return Croissant(
        str(whole.get("name") or ""), ", ".join(licences), origin, digests, columns, tuple(times)
    )


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def check_files(told: Croissant, folder: Path) -> list[str]:
    """Compare the files that are here with what the description says of them.

    Returns:
        A sentence on each file that it names and that is not here.

    Raises:
        DataError: a file is another than the description says.
    """
    absent = []
    for name, digest in told.digests.items():
        if not (folder / name).is_file():
            absent.append(f"{name}: its description names it, and it is not here")
            continue
        found = _digest(folder / name)
        if found != digest:
            raise DataError(
                f"{folder / name}: its sha256 is {found[:16]}..., and its description says "
                f"{digest[:16]}...; get the file again, or mend the description"
            )
    return absent


def hints(told: Croissant) -> dict[str, str]:
    """Columns by kind (``user``, ``item``, ``time``, ``rating``), by the names of their fields."""
    found: dict[str, str] = {}
    for kind in ("user", "item", "time", "rating"):
        for (_, column), name in told.columns.items():
            last = plain(name.rpartition("/")[2])
            if last in NAMES[kind] and plain(column) not in NAMES[kind]:
                found.setdefault(kind, column)
    if "time" not in found and len(told.times) == 1:
        found["time"] = told.times[0][1]
    return found


def of_dataset(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a dataset by its id, alias or folder. Raises DataError."""
    from mmbench.data import folder
    from mmbench.data.find import resolve

    source = resolve(name)
    named = Path(name).expanduser()
    places = [named.parent if named.name == FILE_NAME else named, Path(source.where)]
    there = [place for place in places if place.is_dir()]
    if not there:
        return describe(source.info, card)
    spec = next((s for place in there if (s := folder.described(place))), None)
    return describe(source.info, card, spec or folder.spec_of(there[-1]))


def describe(
    info: DatasetInfo, card: Mapping[str, Any], spec: FolderSpec | None = None
) -> dict[str, Any]:
    """A dataset's description, JSON-able.

    Args:
        info: what the dataset says of itself.
        card: of its prepared log.
        spec: where it is a folder, its files and columns; else only what it holds is told.
    """
    sizes = f"{card['users']:,} users, {card['items']:,} items, {card['events']:,} events"
    described = ". ".join(part.rstrip(".") for part in (card["name"], sizes, *info.remarks) if part)
    whole: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": info.id,
        "description": f"{described}.",
        "citeAs": info.origin or info.id,
        "license": info.licence or "not stated",
        "url": _address(info.origin),
        "version": f"0.0.0+events.{card['fingerprints']['events']}",
        "distribution": [],
        "recordSet": [],
    }
    if spec is None:
        return whole
    files = [on_disk(name) for name in spec.files()]
    whole["distribution"] = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": _media(spec, name),
            "sha256": _digest(spec.root / name),
        }
        for name in files
        if (spec.root / name).is_file()
    ]
    whole["recordSet"] = [records for records in _records(spec) if records["field"]]
    return whole


def _address(origin: str) -> str:
    """The first address in a sentence, or the standard's own for data without one."""
    words = [word.strip("`.,;()") for word in origin.split()]
    return next((word for word in words if word.startswith("http")), "https://schema.org/Dataset")


def _records(spec: FolderSpec) -> list[dict[str, Any]]:
    events, items = spec.interactions, spec.items
    roles = {"user": events.user, "item": events.item, "rating": events.rating, "time": events.time}
    found = [("events", events.file, events.reading, roles)]
    if items is not None:
        texts = {name: name for name in items.text}
        found.append(("items", items.file, items.reading, {"item": items.id, **texts}))
    return [
        {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "field": [
                _field(name, role, file, column)
                for role, column in columns.items()
                if column and _has_columns(reading) and on_disk(file) == file
            ],
        }
        for name, file, reading, columns in found
    ]


def _has_columns(reading: Reading) -> bool:
    return reading.format in MEDIA


def _field(records: str, role: str, file: str, column: str) -> dict[str, Any]:
    kind = "sc:Float" if role == "rating" else "sc:Text"
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{role}",
        "name": role,
        "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }


def _media(spec: FolderSpec, name: str) -> str:
    if name.lower().endswith(".zip"):
        return "application/zip"
    if name.lower().endswith(".gz"):
        return "application/gzip"
    tables = {spec.interactions.file: spec.interactions.reading.format}
    if spec.items is not None:
        tables[spec.items.file] = spec.items.reading.format
    return MEDIA.get(tables.get(name, ""), "text/plain")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
