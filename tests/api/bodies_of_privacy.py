"""Bodies that work at the addresses of the privacy gate and of impact assessments."""

BODIES = {
    "POST /v1/privacy/findings/<finding_id>/answer": {
        "sha256": "0f" * 32,
        "answer": "falseAlarm",
        "reason": "店舗名の列であり、個人に関する情報ではない。",
    },
    "POST /v1/privacy/findings/<finding_id>/second": {"agrees": True},
    "PUT /v1/datasets/<dataset_id>/privacy": {"basis": "consent", "basis_reference": "同意書 第2版"},
    "POST /v1/datasets/<dataset_id>/assessments": {"privacy_class": "personalInformation"},
    "PUT /v1/assessments/<assessment_id>/answers": {"answers": {"purpose": "防災計画の策定"}},
    "POST /v1/assessments/<assessment_id>/review": {"approves": True, "note": "妥当である。"},
    "POST /v1/assessments/<assessment_id>/objections": {"words": "対象者が特定されるおそれがある。"},
    "POST /v1/assessments/<assessment_id>/objections/<objection_id>/response": {"response": "集計単位を広げた。"},
    "POST /v1/assessments/<assessment_id>/conclude": {"accepts": True},
}
