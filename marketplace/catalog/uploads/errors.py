"""What is refused of an upload that comes in pieces."""

from marketplace.kit.errors import Conflict, Refusal


class UploadOffsetWrong(Conflict):
    """A piece that does not begin where the upload ends so far (tus 1.0, Core: Upload-Offset)."""

    slug = "upload-offset-wrong"
    title, title_ja = "Not where the upload goes on", "アップロードの続きの位置が異なります"
    cause = "The piece does not begin at the byte that the upload has come to; another connection may have gone on."
    cure = "Ask with HEAD for Upload-Offset, and go on from there."
    cause_ja = "送られた部分の開始位置が、受信済みの位置と一致しません。別の接続が先に進めた可能性があります。"
    cure_ja = "HEAD で Upload-Offset を尋ね、その位置から続けてください。"


class ProviderQuotaExhausted(Refusal):
    """More bytes than one provider may have stored."""

    slug, status = "provider-quota-exhausted", 403
    title, title_ja = "No room left for this provider", "提供者の保存容量の上限です"
    cause = "With this file the provider would have more bytes stored and announced than the exchange allows each one."
    cure = (
        "Send no more than `left_bytes`, give up uploads that are no longer wanted, or ask the operator for more room."
    )
    cause_ja = "このファイルを加えると、保存済みと予告済みのバイト数が、提供者ごとに取引所が認める上限を超えます。"
    cure_ja = "left_bytes 以下で送るか、不要なアップロードを取り消すか、運営者に容量の追加を依頼してください。"


class UploadsOpenTooMany(Refusal):
    """More uploads begun and not ended than one provider may have."""

    slug, status = "uploads-open-too-many", 403
    title, title_ja = "Too many uploads begun", "未完了のアップロードが多すぎます"
    cause = "The provider has begun as many uploads as the exchange allows each one, and ended none of them."
    cure = "Complete them, or give up with DELETE those that are no longer wanted; each ends by itself when it expires."
    cause_ja = "提供者の未完了のアップロードが、取引所の認める数に達しています。"
    cure_ja = "続きを送って完了させるか、不要なものを DELETE で取り消してください。期限が来れば自動的に終わります。"
