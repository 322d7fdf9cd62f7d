"""What can be found of a person in a column, and how much weight it has."""

from dataclasses import asdict, dataclass
from typing import Any

from marketplace.kit.labels import Labelled


class Kind(Labelled):
    """One kind of description by which a person is, or may be, identified."""

    MY_NUMBER = "myNumber", "個人番号（マイナンバー）", "My Number (individual number)"
    DRIVING_LICENCE = "drivingLicence", "運転免許証番号", "Driving licence number"
    PENSION_NUMBER = "pensionNumber", "基礎年金番号", "Basic pension number"
    CARD_NUMBER = "cardNumber", "クレジットカード番号", "Payment card number"
    CARD_PART = "cardPart", "カード番号の一部", "Part of a payment card number"
    NAME = "name", "氏名", "Name of a person"
    KANA_NAME = "kanaName", "氏名の読み", "Reading of a person's name"
    BIRTH_DATE = "birthDate", "生年月日", "Date of birth"
    TELEPHONE = "telephone", "電話番号", "Telephone number"
    EMAIL = "email", "電子メールアドレス", "E-mail address"
    ADDRESS = "address", "住所", "Postal address"
    POSTAL_CODE = "postalCode", "郵便番号", "Postal code"
    CUSTOMER_NUMBER = "customerNumber", "会員・顧客等の番号", "Number of a customer or member"
    COORDINATES = "coordinates", "詳細な位置情報", "Fine coordinates"
    UNREAD = "unread", "検査できない内容", "Content that cannot be inspected"


class Level(Labelled):
    """What a finding asks for before the file may be published."""

    BLOCKED = "blocked", "公開不可", "Can never be published"
    HIGH = "high", "二人の確認が必要", "Needs the answer of a person and the consent of a second"
    MEDIUM = "medium", "回答が必要", "Needs the answer of a person"
    NOTE = "note", "参考", "Worth knowing; needs no answer"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one column: never a value of it, only how often and in which rows it stands.

    ``rows`` are numbers of data rows, from 1; ``share_mille`` is of the cells that are not empty. ``table`` names the
    sheet where a file has several.
    """

    kind: Kind
    level: Level
    column: str
    place: int
    hits: int
    cells: int
    rows: tuple[int, ...] = ()
    table: str = ""

    @property
    def share_mille(self) -> int:
        """How many of a thousand filled cells hold it."""
        return self.hits * 1000 // max(1, self.cells)

    def document(self) -> dict[str, Any]:
        """Return the finding in plain JSON."""
        plain = asdict(self) | {"kind": self.kind.value, "level": self.level.value, "rows": list(self.rows)}
        return plain | {"share_mille": self.share_mille}
