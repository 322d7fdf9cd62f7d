"""What teasers refuse."""

from marketplace.kit.errors import Conflict


class TeaserEnded(Conflict):
    """A deed on an announcement that has become a listing, or was given up."""

    slug = "teaser-ended"
    title, title_ja = "Announcement ended", "予告は終了しています"
    cause = "The announced dataset is listed, on its way to be, or was given up; `state` and `dataset_id` say which."
    cure = "Look at the dataset, or announce another one."
    cause_ja = (
        "予告されたデータセットは掲載済みか掲載準備中、または取りやめになりました。state と dataset_id を見てください。"
    )
    cure_ja = "データセットを見るか、別のデータセットを予告してください。"
