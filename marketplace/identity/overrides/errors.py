"""What overrides refuse."""

from marketplace.kit.errors import Conflict, Forbidden


class OverrideNeedsTwo(Forbidden):
    """An operator overrides alone where two people must agree."""

    slug = "override-needs-two"
    title, title_ja = "Two people must agree", "二人の承認が必要です"
    cause = (
        "This exchange carries out refunds and corrections of others' sales, and lifts suspensions, "
        "only if two people of the operator's agree."
    )
    cure = "Propose it at `/v1/overrides`; another person approves it there, which carries it out."
    cause_ja = (
        "この取引所では、他者の販売の返金と計量の訂正、および利用停止の解除は、"
        "運営者の二人が合意した場合にのみ行われます。"
    )
    cure_ja = "/v1/overrides に提案してください。別の担当者がそこで承認すると、実行されます。"


class SamePerson(Forbidden):
    """Whoever proposed an override approves it."""

    slug = "same-person"
    title, title_ja = "Proposed by yourself", "ご自身の提案です"
    cause = "An override is approved by another person than the one that proposed it, in whichever organization."
    cure = "Have somebody else approve it, with their own sign-in."
    cause_ja = "提案は、提案者とは別の人が承認する必要があります。所属する組織が異なっていても同じ人は承認できません。"
    cure_ja = "別の担当者に、その人自身のサインインで承認してもらってください。"


class PersonNeeded(Forbidden):
    """A program proposes or approves an override."""

    slug = "person-needed"
    title, title_ja = "A person must act", "担当者本人の操作が必要です"
    cause = (
        "Overrides are proposed and approved by people, and this token is a program's: "
        "whoever holds the secrets of two programs may be one person."
    )
    cure = "Let a person sign in and give their consent (authorization code or device code), and use that token."
    cause_ja = (
        "提案と承認は人が行うもので、このトークンはプログラムのものです。"
        "二つのプログラムの秘密情報を一人が持っていることがあるためです。"
    )
    cure_ja = "担当者がサインインして同意した（認可コードまたはデバイスコードの）トークンを使ってください。"


class ProposerBarred(Conflict):
    """Whoever proposed an override may no longer do so: it would be one person's deed."""

    slug = "proposer-barred"
    title, title_ja = "The proposer may no longer do this", "提案者に権限がなくなりました"
    cause = (
        "Whoever proposed it has left the organization, has a role without this deed, "
        "or used a program that may do less now; one person alone would stand behind it."
    )
    cure = "Withdraw it, and have somebody who may do the deed propose it anew."
    cause_ja = (
        "提案者が組織を離れたか、この操作ができない役割になったか、使ったプログラムの権限が減りました。"
        "このままでは一人だけの判断になります。"
    )
    cure_ja = "提案を撤回し、この操作ができる人に改めて提案してもらってください。"


class OverrideOver(Conflict):
    """The proposal was carried out, withdrawn, or has run out."""

    slug = "override-over"
    title, title_ja = "The proposal is no longer open", "提案は終了しています"
    cause = "The proposal was carried out or withdrawn, or nobody approved it in time; `state` says which."
    cure = "Read it; propose it anew if it is still wanted."
    cause_ja = "提案は実行または撤回されたか、期限内に承認されませんでした。state がそのどれかを示します。"
    cure_ja = "提案を読み取り、なお必要であれば改めて提案してください。"
