"""What is written to the owners and finance members of a buyer whose budget is being used up, in both languages."""

from marketplace.identity.login.letters import Letter


def alert(name: str, percent: int, yen: int, limit_yen: int, period: str) -> Letter:
    """Tell that a budget has reached a share of its limit in a period."""
    # A subject is one printable line, which an ideographic space is not.
    name = "".join(sign if sign.isprintable() else " " for sign in name)
    when_ja, when_en = ("", "") if period == "none" else (f"（{period}）", f" in {period}")
    return Letter(
        f"予算「{name}」が{percent}%に達しました / The budget {name} has reached {percent} %",
        f"予算「{name}」{when_ja}が{percent}%に達しました。\n"
        f"税抜 {limit_yen:,} 円のうち {yen:,} 円です（進行中のダウンロードに確保された額を含みます）。\n"
        "超える見込みのダウンロードと、超える注文は断られます。\n\n"
        f"The budget {name} has reached {percent} %{when_en}:\n"
        f"{yen:,} of {limit_yen:,} yen before tax, with what running downloads hold.\n"
        "Downloads that could pass it, and orders that would, are refused.\n",
    )
