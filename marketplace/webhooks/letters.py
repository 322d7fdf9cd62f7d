"""What is written to those who look after an endpoint that takes nothing, in both languages."""

from marketplace.identity.login.letters import Letter


def disabled(endpoint_id: str, failures: int) -> Letter:
    """Tell that an endpoint gets no more messages until it is enabled."""
    return Letter(
        "Webhookの宛先を停止しました / A webhook endpoint is disabled",
        f"Webhookの宛先 {endpoint_id} への送信が続けて {failures} 回失敗したため、停止しました。\n"
        "受信側を直してから、POST /v1/webhooks/{id}/enable で再開してください。\n\n"
        f"Messages to the webhook endpoint {endpoint_id} failed {failures} times in a row, and it is disabled.\n"
        "Mend the receiver, then enable it with POST /v1/webhooks/{id}/enable.\n",
    )
