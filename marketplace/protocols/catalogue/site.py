"""The addresses of the catalogue, under which its things are named and their documents are read. Pure."""

from dataclasses import dataclass
from urllib.parse import quote

FORMATS = {"jsonld": "application/ld+json", "ttl": "text/turtle", "rdf": "application/rdf+xml"}
"""The notations of RDF by suffix, with their media types."""


@dataclass(frozen=True, slots=True)
class Site:
    """An exchange at an address, without a slash at its end.

    Pages have addresses, and what they are about has the same with a fragment: a dataset is no web page.
    """

    base_url: str

    @property
    def catalogue_page(self) -> str:
        """Return where people search."""
        return f"{self.base_url}/catalog"

    @property
    def catalogue(self) -> str:
        """Return the name of the catalogue."""
        return f"{self.catalogue_page}#catalogue"

    @property
    def operator(self) -> str:
        """Return the name of whoever runs the exchange."""
        return f"{self.catalogue_page}#operator"

    @property
    def service(self) -> str:
        """Return the name of the interface that delivers what was bought."""
        return f"{self.catalogue_page}#service"

    def theme(self, code: str) -> str:
        """Return the name of one of the 17 fields of official statistics."""
        return f"{self.catalogue_page}#theme-{code}"

    @property
    def themes(self) -> str:
        """Return the name of the scheme of the 17 fields."""
        return f"{self.catalogue_page}#themes"

    def metric(self, name: str) -> str:
        """Return the name of what is counted of the quality of a description."""
        return f"{self.catalogue_page}#quality-{name}"

    def publisher(self, organization_id: str) -> str:
        """Return the name of an organization."""
        return f"{self.catalogue_page}#{_part(organization_id)}"

    def page(self, dataset_id: str) -> str:
        """Return the page of a dataset."""
        return f"{self.catalogue_page}/{_part(dataset_id)}"

    def dataset(self, dataset_id: str) -> str:
        """Return the name of a dataset."""
        return f"{self.page(dataset_id)}#dataset"

    def document(self, dataset_id: str, suffix: str) -> str:
        """Return the address of a dataset's description in a notation of RDF."""
        return f"{self.page(dataset_id)}.{suffix}"

    def beside(self, dataset_id: str, name: str) -> str:
        """Return the address of another description of a dataset, such as ``croissant.json``."""
        return f"{self.page(dataset_id)}/{name}"

    def release(self, dataset_id: str, release_id: str) -> str:
        """Return the page of a release with all its files."""
        return f"{self.page(dataset_id)}/releases/{_part(release_id)}"

    def file(self, dataset_id: str, release_id: str, name: str) -> str:
        """Return the name of a file."""
        return f"{self.release(dataset_id, release_id)}#{_part(name)}"

    def sample(self, dataset_id: str, release_id: str, name: str) -> str:
        """Return where the first rows of a table are read as CSV by everybody."""
        return f"{self.release(dataset_id, release_id)}/samples/{_part(name)}.csv"

    def offer(self, offer_id: str) -> str:
        """Return the address of an offer, which is its name."""
        return f"{self.base_url}/v1/offers/{_part(offer_id)}"

    def terms(self, sha256: str) -> str:
        """Return the address of usage terms."""
        return f"{self.base_url}/v1/terms/{_part(sha256)}"


def _part(text: str) -> str:
    return quote(text, safe="")
