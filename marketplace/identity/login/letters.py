"""What is written to people, in their language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject and a body."""

    subject: str
    body: str


def invitation(organization_ja: str, organization_en: str, link: str) -> Letter:
    """Ask somebody whose language is not known yet to join an organization."""
    return Letter(
        f"{organization_ja} への招待 / Invitation to {organization_en}",
        f"{organization_ja} のメンバーとして招待されています。7日以内に次のリンクを開いてください。\n\n{link}\n\n"
        "心当たりがない場合は、何もしないでください。\n\n"
        f"You are invited to act for {organization_en}. Open this link within seven days:\n\n{link}\n\n"
        "If you do not know why, do nothing.\n",
    )


def recovery(locale: str, link: str) -> Letter:
    """Send somebody the link to set a new password."""
    if locale == "ja":
        return Letter(
            "パスワードの再設定",
            f"1時間以内に次のリンクを開き、新しいパスワードを設定してください。\n\n{link}\n\n"
            "心当たりがない場合は、何もしないでください。パスワードは変わりません。\n",
        )
    return Letter(
        "Set a new password",
        f"Open this link within an hour to set a new password:\n\n{link}\n\n"
        "If you did not ask for it, do nothing: your password stays as it is.\n",
    )


def password_changed(locale: str) -> Letter:
    """Tell somebody that their password has changed."""
    if locale == "ja":
        return Letter(
            "パスワードが変更されました",
            "パスワードが変更され、ほかのサインインはすべて終了しました。\n"
            "心当たりがない場合は、すぐに再設定し、取引所の運営者に連絡してください。\n",
        )
    return Letter(
        "Your password has changed",
        "Your password has changed, and you were signed out everywhere else.\n"
        "If it was not you, set a new one now and tell the operator of the exchange.\n",
    )
