"""What adopting a record refuses."""

from marketplace.kit.errors import Refusal


class RecordRefused(Refusal):
    """An archive that is not sound under the keys that were given, or that cannot be adopted here."""

    slug, status = "record-refused", 422
    title, title_ja = "The record is not adopted", "記録を引き継げません"
    cause = "The archive is not sound under the keys that were given, or it cannot be adopted by this exchange."
    cure = "Have the former operator export it again, and ask for the key elsewhere than in the archive."
    cause_ja = "指定された鍵では書庫の健全性を確認できないか、この取引所では引き継げない書庫です。"
    cure_ja = "前の運営者に書庫の再出力を依頼し、鍵は書庫とは別の経路で確かめてください。"


class RecordDamaged(Refusal):
    """An adopted record, or its archive, is not any more what was adopted: our fault, never the caller's."""

    slug, status = "adopted-record-damaged", 500
    title, title_ja = "The archive is damaged", "書庫が破損しています"
    cause = "The archive of the adopted record, or what is noted of it, has changed: no proof can be made of it."
    cure = "Tell the operator, who restores it from a backup, or from whoever else holds the archive."
    cause_ja = "引き継いだ記録の書庫またはその控えが変わっているため、証明を作れません。"
    cure_ja = "運営者に連絡してください。運営者は、バックアップまたは書庫の他の保管者から復元します。"
