"""What saved searches refuse."""

from marketplace.kit.errors import Conflict


class SearchNameTaken(Conflict):
    """The organization has a search of this name."""

    slug = "search-name-taken"
    title, title_ja = "There is a search of this name", "この名前の検索条件は既にあります"
    cause = "Saved searches are shared within the organization, and found by their names."
    cure = "Choose another name, or remove the search that has it."
    cause_ja = "保存した検索条件は組織内で共有され、名前で見分けられます。"
    cure_ja = "別の名前にするか、その名前の検索条件を削除してください。"
