"""What lineage and citations refuse."""

from marketplace.kit.errors import Conflict


class LineageCircular(Conflict):
    """A dataset that would be derived from itself."""

    slug = "lineage-circular"
    title, title_ja = "Derived from itself", "由来が循環しています"
    cause = "With these sources the dataset would be derived from itself, by way of the datasets in `through`."
    cure = "Leave out the source that is itself made of this dataset."
    cause_ja = "この由来では、through に示すデータセットを経て、データセットが自分自身から作られたことになります。"
    cure_ja = "このデータセットから作られたものを、由来から除いてください。"


class CitedAlready(Conflict):
    """The same address shown already, or cited twice by the same organization; what waits of others nobody is told."""

    slug = "cited-already"
    title, title_ja = "Cited already", "この引用は登録済みです"
    cause = "This address is shown among the citations of the dataset, or your organization has given it already."
    cure = "Nothing needs to be done, or give another address."
    cause_ja = "このアドレスは、データセットの引用・活用事例として掲載済みか、貴組織がすでに登録しています。"
    cure_ja = "何もする必要はありません。別のアドレスを登録することもできます。"


class CitationDecided(Conflict):
    """A second decision that differs from the first."""

    slug = "citation-decided"
    title, title_ja = "Citation decided already", "引用は判断済みです"
    cause = "The citation is `state` already, from where it does not go there."
    cure = "Read the citations of the dataset again."
    cause_ja = "この引用はすでに state の状態にあり、その状態には変えられません。"
    cure_ja = "データセットの引用をもう一度読み取ってください。"


class CitationsWaiting(Conflict):
    """More citations than may wait for a provider at a time."""

    slug = "citations-waiting"
    title, title_ja = "Too many citations waiting", "確認待ちの引用が多すぎます"
    cause = "As many citations of your organization as may wait for one provider at a time wait already."
    cure = "Wait until the provider has looked at them."
    cause_ja = "貴組織の引用で、この提供者の確認を待っているものが上限に達しています。"
    cure_ja = "提供者が確認するまでお待ちください。"
