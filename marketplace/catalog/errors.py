"""What the catalogue refuses."""

from marketplace.kit.errors import Conflict, Invalid, Unavailable


class DatasetWithdrawn(Conflict):
    """A deed on a dataset that was taken out of the catalogue for good."""

    slug = "dataset-withdrawn"
    title, title_ja = "Dataset withdrawn", "データセットは取り下げ済みです"
    cause = "The dataset was withdrawn; grants already sold stay valid, but nothing new may be done with it."
    cure = "Register a new dataset."
    cause_ja = "データセットは取り下げられました。販売済みの利用権は有効ですが、新たな操作はできません。"
    cure_ja = "新しいデータセットを登録してください。"


class VersionStale(Conflict):
    """An update of a version that is no longer the current one (RFC 9110 section 13.1.1)."""

    slug, status = "version-stale", 412
    title, title_ja = "Version out of date", "版が古くなっています"
    cause = "Someone changed the dataset after you read it; `version` is the present one."
    cure = "Read the dataset again and send your change with its present ETag in If-Match."
    cause_ja = "読み取った後に、誰かがデータセットを変更しました。version が現在の版です。"
    cure_ja = "データセットをもう一度読み取り、現在のETagをIf-Matchに付けて変更を送ってください。"


class ReleaseLabelTaken(Conflict):
    """Two releases of one dataset under the same label."""

    slug = "release-label-taken"
    title, title_ja = "Release label taken", "同じラベルのリリースがあります"
    cause = "The dataset already has a release with this label."
    cure = "Choose another label, or go on with the release named in `release_id`."
    cause_ja = "データセットには、このラベルの版がすでにあります。"
    cure_ja = "別のラベルを選ぶか、release_id に示された版を使い続けてください。"


class ReleaseSealed(Conflict):
    """A change of a release that is no longer a draft."""

    slug = "release-sealed"
    title, title_ja = "Release sealed", "リリースは確定済みです"
    cause = "The release was published or withdrawn; its files never change again."
    cure = "Open a new release and put the changed files there."
    cause_ja = "版は公開されたか取り下げられており、そのファイルは二度と変わりません。"
    cure_ja = "新しい版を作り、変更したファイルをそこに入れてください。"


class ReleaseWithdrawn(Conflict):
    """Withdrawing twice."""

    slug = "release-withdrawn"
    title, title_ja = "Release withdrawn already", "リリースは取り下げ済みです"
    cause = "The release was withdrawn before."
    cure = "Nothing needs to be done; open a new release to offer data again."
    cause_ja = "この版は以前に取り下げられました。"
    cure_ja = "何もする必要はありません。再びデータを提供するには、新しい版を作ってください。"


class ReleaseEmpty(Conflict):
    """Publishing a release without a file."""

    slug = "release-empty"
    title, title_ja = "Release without files", "リリースにファイルがありません"
    cause = "A release is published with at least one file, and this one has none."
    cure = "Upload a file to the release and publish it then."
    cause_ja = "版の公開には一つ以上のファイルが必要ですが、この版にはありません。"
    cure_ja = "版にファイルをアップロードしてから公開してください。"


class ReleaseFull(Conflict):
    """More files than one release may hold."""

    slug = "release-full"
    title, title_ja = "Release full", "リリースのファイル数が上限です"
    cause = "The release holds as many files as one release may hold."
    cure = "Put further files into another dataset, or bundle them."
    cause_ja = "この版のファイル数は、一つの版に入れられる上限に達しています。"
    cure_ja = "残りのファイルは別のデータセットに入れるか、一つにまとめてください。"


class ProfilePending(Conflict):
    """Publishing before every file was looked at."""

    slug = "profile-pending"
    title, title_ja = "Files not profiled yet", "ファイルの解析が終わっていません"
    cause = "The files named in `files` are still being profiled."
    cure = "Wait until no file of the release has the profile state `pending`, then publish again."
    cause_ja = "files に示されたファイルは、まだ内容を調べている途中です。"
    cure_ja = "版のどのファイルの状態も pending でなくなるまで待ち、もう一度公開してください。"


class FileNameTaken(Conflict):
    """Two different files under one name in a release."""

    slug = "file-name-taken"
    title, title_ja = "File name taken", "同じ名前のファイルがあります"
    cause = (
        "The release already holds a file of this name with other content; names that differ only"
        " in case, width or composition count as the same."
    )
    cure = "Upload it under another name, or open another release for the changed file."
    cause_ja = (
        "この版には、同じ名前で内容の異なるファイルがすでにあります。大文字と小文字、全角と半角、"
        "合成の違いだけの名前は同じとみなします。"
    )
    cure_ja = "別の名前でアップロードするか、変更したファイルのために新しい版を作ってください。"


class FileNameUnsafe(Invalid):
    """A file name that some system on the way would misread."""

    slug = "file-name-unsafe"
    title, title_ja = "Unsafe file name", "使えないファイル名です"
    cause = "The name could be taken for a path, a device, a header or another name on some system."
    cure = "Rename the file: letters of any script, digits, spaces, dots, dashes, underscores; at most 255 bytes."
    cause_ja = "この名前は、システムによってはパス、装置、ヘッダー、または別の名前と解釈されるおそれがあります。"
    cure_ja = "名前を変えてください。使えるのは各国の文字、数字、空白、ピリオド、ハイフン、下線で、255バイトまでです。"


class PackageUnreadable(Invalid):
    """A CKAN package that cannot be taken over."""

    slug = "package-unreadable"
    title, title_ja = "CKAN package not readable", "CKANパッケージを読み取れません"
    cause = "The package lacks an id or a title, or holds text that cannot be stored."
    cure = "Send the `result` of CKAN's package_show unchanged."
    cause_ja = "パッケージにIDまたは題名がないか、保存できない文字が含まれています。"
    cure_ja = "CKANのpackage_showの result を、変更せずに送ってください。"


class IndexBusy(Unavailable):
    """Another process is writing the search index."""

    slug = "search-index-busy"
    title, title_ja = "Search index busy", "検索インデックスは更新中です"
    cause = "Only one process at a time may write the search index, and another one is writing."
    cure = "Try again in a moment; the catalogue itself is unaffected."
    cause_ja = "検索索引に書き込めるのは一度に一つのプロセスで、別のプロセスが書込み中です。"
    cure_ja = "しばらくしてからもう一度試してください。カタログ自体に影響はありません。"


class IndexBroken(Unavailable):
    """The search index on disk cannot be read."""

    slug = "search-index-broken"
    title, title_ja = "Search index unreadable", "検索インデックスを読み取れません"
    cause = "The files of the search index are damaged or of another version; no data is lost, the index is derived."
    cure = "Ask the operator to rebuild the index from the database."
    cause_ja = "検索索引のファイルが壊れているか、別の版のものです。索引は派生物なので、データは失われていません。"
    cure_ja = "データベースからの索引の再構築を、運営者に依頼してください。"
