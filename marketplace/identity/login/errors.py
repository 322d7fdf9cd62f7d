"""What signing in refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal


class SignInRefused(Refusal):
    """Unknown address, wrong password, disabled person: one answer for all of them."""

    slug, status = "sign-in-refused", 401
    title, title_ja = "Sign-in refused", "サインインできません"
    cause = "The e-mail address or the password is wrong."
    cure = "Try again, or ask for a link to set a new password."
    cause_ja = "メールアドレスまたはパスワードが正しくありません。"
    cure_ja = "もう一度試すか、パスワード再設定のリンクを請求してください。"


class TooManySignIns(Refusal):
    """Too many failures from one network address (RFC 6585 section 4)."""

    slug, status = "too-many-sign-ins", 429
    title, title_ja = "Too many failed attempts", "失敗が多すぎます"
    cause = "There were too many failed attempts from this network address, or with this code generator."
    cure = "Wait for the seconds in Retry-After, and try again."
    cause_ja = "このネットワークアドレスから、またはこの認証コードで、失敗が続きました。"
    cure_ja = "Retry-Afterの秒数だけ待ってから、もう一度試してください。"


class AttemptOver(Refusal):
    """A sign-in half done that has run out, was finished already, or was never begun with this browser."""

    slug, status = "attempt-over", 401
    title, title_ja = "This attempt is over", "この手続きは終了しています"
    cause = "What you began has run out, was finished already, or was begun with another browser."
    cure = "Begin again."
    cause_ja = "手続きの期限が切れたか、すでに終わったか、別のブラウザーで始められたものです。"
    cure_ja = "もう一度はじめからやり直してください。"


class CodeRefused(Refusal):
    """A wrong code, or one that was used before."""

    slug, status = "code-refused", 401
    title, title_ja = "Code refused", "認証コードが正しくありません"
    cause = "The code is wrong, or was used before."
    cure = "Wait for the next code of your generator, or use another recovery code."
    cause_ja = "認証コードが正しくないか、すでに使われています。"
    cure_ja = "次の認証コードを待つか、別の回復コードを使ってください。"


class PasswordRefused(Invalid):
    """A password that others would guess; ``errors`` says why."""

    slug = "password-refused"
    title, title_ja = "Choose another password", "別のパスワードを選んでください"
    cause = "A password has 8 to 128 characters, is on no list of known passwords, and is not your name or address."
    cure = "Choose a longer one; several words in a row are good. Fifteen characters or more are best."
    cause_ja = "パスワードは8〜128文字で、よく使われるもの、氏名やメールアドレスと同じものは使えません。"
    cure_ja = "より長いものを選んでください。単語をいくつか並べると良く、15文字以上を勧めます。"


class PasskeyRefused(Refusal):
    """An answer of an authenticator that proves nothing here (WebAuthn level 3 section 7)."""

    slug, status = "passkey-refused", 401
    title, title_ja = "Passkey refused", "パスキーを確認できません"
    cause = "The passkey is not known here, or its answer does not fit what was asked."
    cure = "Begin again, or sign in with your password."
    cause_ja = "パスキーが登録されていないか、応答が要求と一致しません。"
    cure_ja = "はじめからやり直すか、パスワードでサインインしてください。"


class ProviderRefused(Refusal):
    """An answer of the other provider that proves nothing (OpenID Connect Core section 3.1.3.7)."""

    slug, status = "provider-refused", 401
    title, title_ja = "The other provider's answer is refused", "外部認証の応答を確認できません"
    cause = "What came back from the other provider is not a good answer to what this browser asked."
    cure = "Begin again; if it goes on, tell the operator of the exchange."
    cause_ja = "外部の認証サービスの応答が、このブラウザーからの要求と一致しません。"
    cure_ja = "はじめからやり直し、続く場合は取引所の運営者に連絡してください。"


class IdentityUnknown(Forbidden):
    """Somebody whom the other provider knows and the exchange does not."""

    slug = "identity-unknown"
    title, title_ja = "You are not known here", "この取引所に登録されていません"
    cause = "The other provider knows you, but nobody here is linked to that identity; e-mail addresses link nobody."
    cure = "Open the link of your invitation first, or sign in and link the identity in your account."
    cause_ja = "外部の認証サービスでは確認できましたが、その身元に結び付いた利用者がいません。"
    cure_ja = "先に招待のリンクを開くか、サインインしてアカウントで身元を結び付けてください。"


class IdentityTaken(Conflict):
    """The identity at the other provider belongs to another person here."""

    slug = "identity-taken"
    title, title_ja = "Identity is linked already", "その身元は結び付け済みです"
    cause = "Another person of the exchange is linked to this identity of the other provider."
    cure = "Sign in as that person, and remove the link there first."
    cause_ja = "この身元は、取引所の別の利用者に結び付いています。"
    cure_ja = "その利用者としてサインインし、先に結び付きを外してください。"


class LinkOver(NotFound):
    """The token of a mailed link that was used, replaced, or has run out."""

    slug = "link-over"
    title, title_ja = "This link no longer works", "このリンクは使えません"
    cause = "The link was used already, was replaced by a later one, or has run out."
    cure = "Ask for a new one."
    cause_ja = "リンクはすでに使われたか、新しいものに替わったか、期限が切れています。"
    cure_ja = "新しいリンクを請求してください。"


class SignInFirst(Conflict):
    """An invitation to the address of somebody who can sign in already."""

    slug = "sign-in-first"
    title, title_ja = "Sign in to accept", "承諾するにはサインインしてください"
    cause = "Somebody with the invited address can sign in already."
    cure = "Sign in, and open the link of the invitation again."
    cause_ja = "招待されたアドレスの利用者は、すでに登録されています。"
    cure_ja = "サインインしてから、招待のリンクをもう一度開いてください。"


class MemberJoined(Conflict):
    """The member, or the person, has joined the organization already."""

    slug = "member-joined"
    title, title_ja = "Has joined already", "すでに参加しています"
    cause = "The member has joined already, or you belong to the organization as another member."
    cure = "Nothing is left to do; sign in."
    cause_ja = "このメンバーはすでに参加しているか、あなたは別のメンバーとして所属しています。"
    cure_ja = "必要な操作はありません。サインインしてください。"


class OrganizationNotChosen(Conflict):
    """Somebody signed in who acts for no organization at the moment."""

    slug = "organization-not-chosen"
    title, title_ja = "Choose an organization", "組織を選んでください"
    cause = "You act for no organization: none is chosen, or the chosen one is suspended."
    cure = "Choose one of your organizations."
    cause_ja = "どの組織として操作するかが選ばれていないか、その組織が停止されています。"
    cure_ja = "所属する組織から一つを選んでください。"


class LastFactor(Conflict):
    """What is left to sign in with may not be taken away."""

    slug = "last-factor"
    title, title_ja = "It is your only way to sign in", "唯一のサインイン手段です"
    cause = "Without this you could not sign in any more."
    cure = "Set a password or add a passkey first."
    cause_ja = "これを外すと、サインインできなくなります。"
    cure_ja = "先にパスワードを設定するか、パスキーを追加してください。"
