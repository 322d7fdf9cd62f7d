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


def email_check(locale: str, link: str) -> Letter:
    """Send somebody the link by which they show that a new address is theirs."""
    if locale == "ja":
        return Letter(
            "新しいメールアドレスの確認",
            f"1時間以内に次のリンクを開き、このアドレスを確認してください。\n\n{link}\n\n"
            "心当たりがない場合は、何もしないでください。\n",
        )
    return Letter(
        "Confirm your new address",
        f"Open this link within an hour to confirm this address:\n\n{link}\n\nIf you do not know why, do nothing.\n",
    )


def email_change_asked(locale: str) -> Letter:
    """Tell somebody at their present address that another was asked for."""
    if locale == "ja":
        return Letter(
            "メールアドレスの変更が申し込まれました",
            "アカウントのメールアドレスの変更が申し込まれました。新しいアドレスで確認されるまで、変更されません。\n"
            "心当たりがない場合は、すぐにパスワードを変更し、取引所の運営者に連絡してください。\n",
        )
    return Letter(
        "Another address was asked for",
        "Somebody asked for another e-mail address for your account. It changes once the new address is confirmed.\n"
        "If it was not you, change your password now and tell the operator of the exchange.\n",
    )


def email_changed(locale: str) -> Letter:
    """Tell somebody at their old address that it is theirs no more."""
    if locale == "ja":
        return Letter(
            "メールアドレスが変更されました",
            "アカウントのメールアドレスが変更され、サインインはすべて終了しました。\n"
            "心当たりがない場合は、すぐに取引所の運営者に連絡してください。\n",
        )
    return Letter(
        "Your address has changed",
        "The e-mail address of your account has changed, and you were signed out everywhere.\n"
        "If it was not you, tell the operator of the exchange at once.\n",
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
