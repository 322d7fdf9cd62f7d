"""Where a bucket is, who asks it, and how patiently."""

from dataclasses import dataclass

from marketplace.delivery.stores.presigned import Keys


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in a bucket; without keys, the machine's own role is used.

    ``endpoint`` None is AWS itself. A call takes at most ``timeout_seconds`` without an answer, and is tried again
    ``retries_max`` times where the service failed.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "ap-northeast-1"
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    timeout_seconds: int = 20
    retries_max: int = 3

    @property
    def keys(self) -> Keys | None:
        """The keys to sign with, if they are known here."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        return Keys(self.access_key_id, self.secret_access_key, self.session_token)

    @property
    def bucket_url(self) -> str:
        """The address of the bucket, without a final slash: by path at other services, by host at AWS."""
        if self.endpoint is not None:
            return f"{self.endpoint}/{self.bucket}"
        return f"https://{self.bucket}.s3.{self.region}.amazonaws.com"

    @property
    def url(self) -> str:
        """The address of the folder, without a final slash."""
        return f"{self.bucket_url}/{self.prefix}" if self.prefix else self.bucket_url
