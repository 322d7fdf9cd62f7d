"""What is written to whoever applies, in both languages: no one knows yet which one they read."""

from marketplace.identity.login.letters import Letter


def check(organization_ja: str, organization_en: str, link: str) -> Letter:
    """Ask whoever reads an address whether the application is theirs."""
    return Letter(
        f"{organization_ja} の参加申請の確認 / Confirm the application of {organization_en}",
        f"{organization_ja} の参加申請に、このメールアドレスが担当者として記入されました。\n"
        f"48時間以内に次のリンクを開き、内容を確かめて確定してください。\n\n{link}\n\n"
        "心当たりがない場合は、何もしないでください。申請は消去されます。\n\n"
        f"This address was given as the contact of {organization_en}, which applies to take part.\n"
        f"Open this link within 48 hours, look the application through, and confirm it:\n\n{link}\n\n"
        "If you did not apply, do nothing: the application is deleted.\n",
    )


def admitted(organization_ja: str, organization_en: str, link: str | None, base_url: str) -> Letter:
    """Tell the applicant that the organization takes part, with the link to set up the sign-in where it is missing."""
    where = link or f"{base_url}/sign-in"
    ja = "サインインの設定がまだの場合は、7日以内に次のリンクを開いてください。" if link else "サインインはこちらから。"
    en = "Set up your sign-in within seven days:" if link else "Sign in here:"
    return Letter(
        f"{organization_ja} の参加が承認されました / {organization_en} takes part now",
        f"{organization_ja} の参加が承認されました。{ja}\n\n{where}\n\n"
        f"{organization_en} takes part now. {en}\n\n{where}\n",
    )
