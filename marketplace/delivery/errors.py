"""What delivery refuses, and what it must admit."""

from marketplace.kit.errors import Invalid, Refusal, Unavailable


class StorageFull(Refusal):
    """The store has no room for the bytes; nothing of them was kept."""

    slug, status = "storage-full", 507
    title, title_ja = "Storage full", "保存領域が不足しています"
    cause = "The store of the exchange has no room for this file; nothing of it was kept."
    cure = "Tell the operator; send the same file again once there is room."
    cause_ja = "取引所の保管場所に、このファイルの空きがありません。何も保存されていません。"
    cure_ja = "運営者に伝え、空きができてから同じファイルを送ってください。"


class UploadTruncated(Invalid):
    """The body ended before, or went on after, the announced length."""

    slug = "upload-truncated"
    title, title_ja = "Upload has another length than announced", "アップロードの長さが宣言と異なります"
    cause = "The number of bytes that arrived is not the number that was announced; nothing of them was kept."
    cure = "Send the whole file again."
    cause_ja = "届いたバイト数が、予告された数と一致しません。何も保存されていません。"
    cure_ja = "ファイル全体をもう一度送ってください。"


class DigestMismatch(Invalid):
    """The bytes that arrived do not have the announced SHA-256."""

    slug = "digest-mismatch"
    title, title_ja = "Digest mismatch", "ハッシュ値が一致しません"
    cause = "The bytes that arrived do not have the SHA-256 that was announced; nothing of them was kept."
    cure = "Compute the SHA-256 of the file as stored on your side and send the file again."
    cause_ja = "届いたバイト列のSHA-256が、予告された値と一致しません。何も保存されていません。"
    cure_ja = "手元のファイルのSHA-256を計算し、ファイルをもう一度送ってください。"


class ChecksumMismatch(Refusal):
    """A piece of an upload that is not what its sender hashed (tus 1.0, Checksum: status 460)."""

    slug, status = "checksum-mismatch", 460
    title, title_ja = "Checksum mismatch", "チェックサムが一致しません"
    cause = "The piece that arrived does not have the Upload-Checksum that was sent with it; nothing of it was kept."
    cure = "Send the same piece again from the same Upload-Offset."
    cause_ja = "届いた部分が、同時に送られた Upload-Checksum と一致しません。この部分は保存されていません。"
    cure_ja = "同じ Upload-Offset から、同じ部分をもう一度送ってください。"


class BytesMissing(Refusal):
    """The catalogue names bytes that the store does not hold: our fault, never the caller's."""

    slug, status = "bytes-missing", 500
    title, title_ja = "Stored bytes missing", "保存データが見つかりません"
    cause = "The exchange has lost, or cannot reach, the bytes of this file. You were not charged for them."
    cure = "Tell the operator the id in `instance`; the provider can upload the same file again."
    cause_ja = "取引所がこのファイルのバイト列を失ったか、読み出せません。料金は発生していません。"
    cure_ja = "instance にあるIDを運営者に伝えてください。提供者は同じファイルを再度アップロードできます。"


class StoreUnavailable(Unavailable):
    """The object store is slow, breaks off, or answers with errors, also when asked again."""

    slug = "store-unavailable"
    title, title_ja = "Store does not answer", "保存先が応答しません"
    cause = "The object store of the exchange does not answer as it should. Nothing was kept, and nothing charged."
    cure = "Send the same request again after the seconds in Retry-After."
    cause_ja = "取引所のオブジェクトストレージが正しく応答していません。何も保存されず、料金も発生していません。"
    cure_ja = "Retry-After の秒数が過ぎてから、同じ要求をもう一度送ってください。"
