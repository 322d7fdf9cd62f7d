"""What is written of the gate, in both languages: what waits or was decided, and where. No word of the data."""

from marketplace.identity.login.letters import Letter
from marketplace.privacy.reminders.states import Decision, Occasion


def of_waiting(occasion: Occasion, dataset_id: str, address: str, *, days: int | None = None) -> Letter:
    """Tell whoever can do it what waits for them, and for how many days where that is too long."""
    late_ja = f"{days}日以上経過しています。" if days is not None else ""
    late_en = f" It has waited for more than {days} days." if days is not None else ""
    mark_ja, mark_en = ("【期限超過】", "Overdue: ") if days is not None else ("", "")
    return Letter(
        f"{mark_ja}{occasion.ja} / {mark_en}{occasion.en}",
        f"データセット {dataset_id} について：{occasion.ja}。{late_ja}\n\n{address}\n\n"
        f"Of the dataset {dataset_id}: {occasion.en}.{late_en}\n\n{address}\n",
    )


def of_decision(decision: Decision, dataset_id: str, address: str) -> Letter:
    """Tell the provider what was decided."""
    return Letter(
        f"{decision.ja} / {decision.en}",
        f"データセット {dataset_id} について：{decision.ja}。\n\n{address}\n\n"
        f"Of the dataset {dataset_id}: {decision.en}.\n\n{address}\n",
    )
