"""Datasets as DCAT-AP 3.0.1 asks for them (https://semiceu.github.io/DCAT-AP/releases/3.0.1/). Pure.

Every thing that is named carries its class and, where the profile wants one, its label: readers need fetch nothing.
"""

from collections.abc import Mapping
from typing import Any

from marketplace.catalog.states import FREQUENCY_LABELS, LICENCE_LABELS, THEME_LABELS, Frequency, Licence, Theme
from marketplace.protocols.catalogue import measured, odrl, vocabulary
from marketplace.protocols.catalogue.entries import Document, Entry, region_names
from marketplace.protocols.catalogue.rdf import Iri, Literal, Node, Said, both, iri, moment, node, text, typed
from marketplace.protocols.catalogue.site import Site

WKT = "geo:wktLiteral"


def dataset(entry: Entry, site: Site) -> Node:
    """Return a dataset with its distributions and offers."""
    return node("dcat:Dataset", _dataset(entry, site), site.dataset(entry.id))


def _dataset(entry: Entry, site: Site) -> Said:
    document = entry.document
    yield from both("dct:title", document["title_ja"], document["title_en"])
    yield from both("dct:description", *entry.descriptions())
    yield "dct:identifier", text(entry.id)
    yield "dcat:landingPage", Node(("foaf:Document",), (), site.page(entry.id))
    yield "dct:issued", moment(entry.issued_at)
    yield "dct:modified", moment(entry.changed_at)
    yield "dct:publisher", publisher(document["publisher"], site)
    yield "dcat:contactPoint", _contact(document)
    yield from _subject(document, site)
    yield from _coverage(entry)
    yield "dct:accessRights", _access(document, is_open=entry.is_free)
    if origin := entry.origin():
        yield "prov:wasDerivedFrom", iri(origin)
    yield from _sources(entry, site)
    yield from measured.measurements(document, site)
    yield from high_value(document)
    yield from (("odrl:hasPolicy", one) for one in odrl.offers(document, entry.terms, site, site.dataset(entry.id)))
    yield from _releases(entry, site)


def _sources(entry: Entry, site: Site) -> Said:
    """Say what a dataset was made of, here and elsewhere."""
    for source in entry.sources:
        if source.dataset_id:
            yield "dct:source", Iri(site.dataset(source.dataset_id))
            yield "prov:wasDerivedFrom", Iri(site.dataset(source.dataset_id))
        elif source.url:
            yield "prov:wasDerivedFrom", node("prov:Entity", both("dct:title", source.title, ""), source.url)


def publisher(organization: Mapping[str, Any], site: Site) -> Node:
    """Return an organization as an agent."""
    return node(("foaf:Agent", "foaf:Organization"), _publisher(organization), site.publisher(organization["id"]))


def _publisher(organization: Mapping[str, Any]) -> Said:
    yield from both("foaf:name", organization["name_ja"], organization["name_en"])
    if organization.get("corporate_number"):
        yield "dct:identifier", text(organization["corporate_number"])


def _contact(document: Document) -> Node:
    def said() -> Said:
        organization = document["publisher"]
        yield "vcard:fn", text(document["contact_name"] or organization["name_ja"] or organization["name_en"])
        if document["contact_email"]:
            yield "vcard:hasEmail", iri(f"mailto:{document['contact_email']}")
        if document["contact_url"]:
            yield "vcard:hasURL", iri(document["contact_url"])

    return node(("vcard:Kind", "vcard:Organization"), said())


def _subject(document: Document, site: Site) -> Said:
    for word in document["keywords"]:
        yield "dcat:keyword", text(word, document["language"])
    for code in document["themes"]:
        yield "dcat:theme", theme(code, site)
    for name in sorted(filter(None, {vocabulary.eu_theme(code) for code in document["themes"]})):
        yield "dcat:theme", _concept(name, name.rpartition("/")[2], "", vocabulary.EU_THEMES)
    yield "dct:language", language(document["language"])
    if often := vocabulary.frequency(document["frequency"]):
        label = FREQUENCY_LABELS[Frequency(document["frequency"])]
        yield "dct:accrualPeriodicity", node("dct:Frequency", both("rdfs:label", label.ja, label.en), often)


def theme(code: str, site: Site) -> Node:
    """Return one of the 17 fields by which official statistics are grouped."""
    label = THEME_LABELS[Theme(code)]
    return _concept(site.theme(code), label.en, label.ja, site.themes)


def _concept(name: str, en: str, ja: str, scheme: str) -> Node:
    def said() -> Said:
        yield from both("skos:prefLabel", ja, en)
        yield "skos:inScheme", Iri(scheme)

    return node("skos:Concept", said(), name)


def language(tag: str) -> Node:
    """Return a language."""
    return Node(("dct:LinguisticSystem",), (), vocabulary.language(tag))


def _coverage(entry: Entry) -> Said:
    yield "dct:spatial", place(entry.document["region"])
    if covered := entry.period():
        ends = zip(("dcat:startDate", "dcat:endDate"), covered, strict=True)
        said = tuple((name, typed(day, "xsd:date")) for name, day in ends if day)
        yield "dct:temporal", Node(("dct:PeriodOfTime",), said)
    if box := entry.bbox():
        yield "dct:spatial", Node(("dct:Location",), (("dcat:bbox", _polygon(*box)),))


def place(region: str) -> Node:
    """Return Japan, or a local government with the name of its prefecture."""

    def said() -> Said:
        yield from both("skos:prefLabel", *region_names(region))
        yield "dct:identifier", text(region)

    return node("dct:Location", said(), vocabulary.place(region))


def _polygon(west: str, south: str, east: str, north: str) -> Literal:
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return Literal(f"POLYGON(({','.join(' '.join(corner) for corner in corners)}))", None, WKT)


def _access(document: Document, *, is_open: bool) -> Node:
    is_public = is_open and not (document.get("trust_required") or document.get("assurance_required"))
    return Node(("dct:RightsStatement",), (), vocabulary.PUBLIC if is_public else vocabulary.RESTRICTED)


def high_value(document: Document) -> Said:
    """Say that a dataset is of high value in the sense of regulation (EU) 2023/138, where its provider says so."""
    categories = document.get("high_value_categories") or ()
    if categories:
        yield "dcatap:applicableLegislation", legislation()
    for name in categories:
        yield "dcatap:hvdCategory", _concept(vocabulary.high_value(name), name, "", vocabulary.HVD_CATEGORIES)


def legislation() -> Node:
    """Return the regulation that lists which datasets are of high value."""
    return Node((vocabulary.LEGAL_RESOURCE,), (), vocabulary.HVD_REGULATION)


def _releases(entry: Entry, site: Site) -> Said:
    for place, link in enumerate(entry.links(), start=1):
        yield "dcat:distribution", _link(entry, link, site, place)
    newest = entry.newest
    if newest is None:
        return
    yield "dcat:version", text(newest["label"])
    yield from both("adms:versionNotes", newest["notes"], "")
    for file in entry.files():
        yield "dcat:distribution", distribution(entry, newest, file, site)
    for earlier in entry.document["releases"][1:]:
        yield "dct:hasVersion", _version(entry.id, earlier, site)


def _link(entry: Entry, link: Document, site: Site, place: int) -> Node:
    """Return a file that lies where the dataset was taken over from, and is fetched there by everybody."""

    def said() -> Said:
        yield "dct:title", text(link["name"] or entry.name())
        yield from both("dct:description", "提供元のファイル", "A file at the source")
        yield "dcat:accessURL", iri(link["url"])
        yield "dcat:downloadURL", iri(link["url"])
        if name := vocabulary.file_type(link.get("format")):
            yield "dct:format", Node(("dct:MediaTypeOrExtent",), (), name)
        yield from licence(entry.document.get("licence_hint"))
        yield from high_value_law(entry.document)

    return node("dcat:Distribution", said(), f"{site.page(entry.id)}#link-{place}")


def _version(dataset_id: str, release: Document, site: Site) -> Node:
    def said() -> Said:
        yield "dct:title", text(release["label"])
        yield from both("adms:versionNotes", release["notes"], "")
        if release["published_at"]:
            yield "dct:issued", moment(release["published_at"])

    return node("prov:Entity", said(), site.release(dataset_id, release["id"]))


def distribution(entry: Entry, release: Document, file: Document, site: Site) -> Node:
    """Return a file of a release; who wants it takes one of the offers, at the address where access is given."""
    said = _distribution(entry, release, file, site)
    return node("dcat:Distribution", said, site.file(entry.id, release["id"], file["name"]))


def _distribution(entry: Entry, release: Document, file: Document, site: Site) -> Said:
    profile = file.get("profile") or {}
    yield "dct:title", text(file["name"])
    yield from both("dct:description", *_file_in_words(release, file))
    yield "dcat:accessURL", Iri(site.page(entry.id))
    yield "dcat:accessService", Iri(site.service)
    yield "dcat:byteSize", typed(file["size_bytes"], "xsd:nonNegativeInteger")
    yield "dcat:mediaType", node("dct:MediaType", iter(()), vocabulary.media_type(file["media_type"]))
    if name := vocabulary.file_type(profile.get("format")):
        yield "dct:format", Node(("dct:MediaTypeOrExtent",), (), name)
    yield "spdx:checksum", _checksum(file["sha256"])
    if release["published_at"]:
        yield "dct:issued", moment(release["published_at"])
    yield "dcatap:availability", _concept(vocabulary.AVAILABLE, "available", "", vocabulary.AVAILABILITIES)
    yield from licence(entry.document.get("licence_hint"))
    yield from high_value_law(entry.document)
    # The profile allows a distribution one policy; where several offers stand side by side, the dataset names them.
    offers = entry.document.get("offers", ())
    if len(offers) == 1:
        yield "odrl:hasPolicy", Iri(site.offer(offers[0]["id"]))


def high_value_law(document: Document) -> Said:
    """Say of what belongs to a dataset of high value by which law it does."""
    if document.get("high_value_categories"):
        yield "dcatap:applicableLegislation", legislation()


def licence(code: str | None) -> Said:
    """Say which public licence the provider names."""
    if name := vocabulary.licence(code):
        label = LICENCE_LABELS[Licence(str(code))]
        yield "dct:license", node("dct:LicenseDocument", both("dct:title", label.ja, label.en), name)


def _file_in_words(release: Document, file: Document) -> tuple[str, str]:
    rows = (file.get("profile") or {}).get("rows")
    counted = (f"、{rows:,}行", f", {rows:,} rows") if rows is not None else ("", "")
    bytes_ja, bytes_en = f"{file['size_bytes']:,}バイト", f"{file['size_bytes']:,} bytes"
    return (
        f"版「{release['label']}」のファイル（{bytes_ja}{counted[0]}）",
        f"A file of release {release['label']} ({bytes_en}{counted[1]})",
    )


def _checksum(sha256: str) -> Node:
    algorithm = Node(("spdx:ChecksumAlgorithm",), (), vocabulary.SHA256)
    said = (("spdx:algorithm", algorithm), ("spdx:checksumValue", typed(sha256, "xsd:hexBinary")))
    return Node(("spdx:Checksum",), said)
