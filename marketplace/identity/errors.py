"""What identity refuses."""

from marketplace.kit.errors import Conflict, Forbidden, Invalid, Refusal


class NotAuthenticated(Refusal):
    """No token where one is needed."""

    slug, status = "not-authenticated", 401
    title, title_ja = "Not authenticated", "認証が必要です"
    cause = "The request carries no bearer token."
    cure = "Ask /oauth/token for an access token and send it as `Authorization: Bearer …`."
    cause_ja = "要求にBearerトークンがありません。"
    cure_ja = "/oauth/token でアクセストークンを取得し、Authorization: Bearer … として送ってください。"


class InvalidToken(Refusal):
    """A token that is forged, expired, revoked, or not for us."""

    slug, status = "invalid-token", 401
    title, title_ja = "Invalid access token", "アクセストークンが無効です"
    cause = "The access token is malformed, expired, revoked, or not meant for this exchange."
    cure = "Ask /oauth/token for a new one."
    cause_ja = "アクセストークンの形式が正しくないか、期限切れか、失効したか、この取引所のものではありません。"
    cure_ja = "/oauth/token で新しいトークンを取得してください。"


class SeveralCredentials(Refusal):
    """More than one credential in one request (RFC 6750 section 3.1, ``invalid_request``)."""

    slug, status = "several-credentials", 400
    title, title_ja = "Several credentials", "認証情報が複数あります"
    cause = "The request carries more than one access token, or more than one Authorization header."
    cure = "Send one Authorization header with one access token, and none in the address."
    cause_ja = "要求に、複数のアクセストークンまたは複数のAuthorizationヘッダーがあります。"
    cure_ja = "アクセストークンは一つだけを、一つのAuthorizationヘッダーで送り、アドレスには付けないでください。"


class DpopProofInvalid(Refusal):
    """A token bound to a key came without a good proof of that key (RFC 9449 section 7.1)."""

    slug, status = "dpop-proof-invalid", 401
    title, title_ja = "Invalid DPoP proof", "DPoP 証明が無効です"
    cause = "The DPoP proof is missing, malformed, made for another request, or was used before."
    cure = "Make a new proof for this very request and send it in the DPoP header."
    cause_ja = "DPoP証明がないか、形式が正しくないか、別の要求のものか、すでに使われています。"
    cure_ja = "この要求のための新しい証明を作り、DPoPヘッダーに付けて送ってください。"


class DpopNonceNeeded(Refusal):
    """A DPoP proof without a fresh nonce of ours (RFC 9449 section 9)."""

    slug, status = "dpop-nonce-needed", 401
    title, title_ja = "A DPoP nonce is needed", "DPoP の nonce が必要です"
    cause = "The DPoP proof does not carry a fresh nonce of this exchange."
    cure = "Make a new proof with the nonce of the DPoP-Nonce header and repeat the request."
    cause_ja = "DPoP証明に、この取引所の新しいnonceが含まれていません。"
    cure_ja = "DPoP-Nonceヘッダーのnonceを入れた新しい証明を作り、要求をやり直してください。"

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce


class InsufficientScope(Forbidden):
    """The token does not carry the scope that the permission table asks for (RFC 6750 section 3.1)."""

    slug = "insufficient-scope"
    title, title_ja = "Insufficient scope", "スコープが不足しています"
    cause = "The token does not carry the scope that this deed needs."
    cure = "Ask for a token with the scope named in `scope`."
    cause_ja = "トークンに、この操作に必要なスコープがありません。"
    cure_ja = "scope に示されたスコープのトークンを取得してください。"


class CapacityMissing(Forbidden):
    """The organization is not verified in a capacity that may do this."""

    slug = "capacity-missing"
    title, title_ja = "Capacity missing", "資格がありません"
    cause = "Your organization is not verified in a capacity that may do this."
    cure = "Ask the operator of the exchange to verify your organization in that capacity."
    cause_ja = "貴組織は、この操作ができる資格で確認されていません。"
    cure_ja = "その資格での組織の確認を、取引所の運営者に依頼してください。"


class RoleMissing(Forbidden):
    """A member whose role does not include this."""

    slug = "role-missing"
    title, title_ja = "Role missing", "役割がありません"
    cause = "Your role in the organization does not include this."
    cure = "Ask an owner of your organization for a role that does, or to do it."
    cause_ja = "組織におけるあなたの役割では、この操作はできません。"
    cure_ja = "この操作ができる役割を付けるか、代わりに行うよう、組織の管理者に依頼してください。"


class StepUpRequired(Refusal):
    """A deed of weight, and no second factor proved lately (RFC 9470 section 3)."""

    slug, status = "step-up-required", 401
    title, title_ja = "A fresh second factor is needed", "二要素での再認証が必要です"
    cause = "This deed asks for a second factor, proved within the last ten minutes."
    cure = "Sign in again with a passkey or a code, and repeat the deed."
    cause_ja = "この操作には、過去10分以内の二要素での認証が必要です。"
    cure_ja = "パスキーまたは認証コードでもう一度サインインし、操作をやり直してください。"


class AssuranceTooLow(Refusal):
    """A dataset that asks for a surer sign-in than the token's (RFC 9470 section 3)."""

    slug, status = "assurance-too-low", 401
    title, title_ja = "A surer sign-in is needed", "より確実な認証が必要です"
    cause = "The dataset asks for the assurance level in `assurance_required`; your token is of the level in `acr`."
    cure = "Sign in with a second factor, and have a new token issued with `acr_values` set to that level."
    cause_ja = "データセットは assurance_required の認証レベルを求めていますが、トークンは acr のレベルです。"
    cure_ja = "二要素でサインインし、acr_values にそのレベルを指定して新しいトークンを取得してください。"


class KeyedClientNeeded(Forbidden):
    """A dataset that asks for assurance, and a program that proves itself by a secret."""

    slug = "keyed-client-needed"
    title, title_ja = "A client with a key is needed", "鍵で認証するクライアントが必要です"
    cause = "The dataset asks for assurance; a program gets it only if it proves itself by a key."
    cure = "Give the client keys (`PUT /v1/clients/{id}/keys`), or act through a member who signs in."
    cause_ja = "データセットは認証レベルを求めています。プログラムは鍵で認証する場合だけ利用できます。"
    cure_ja = "クライアントに鍵を登録する（PUT /v1/clients/{id}/keys）か、サインインした担当者として操作してください。"


class TrustTooLow(Forbidden):
    """A deed that asks for more trust than the operator has given the organization."""

    slug = "trust-too-low"
    title, title_ja = "Your organization is not trusted far enough", "組織の信頼区分が足りません"
    cause = "This asks for organizations trusted as in `trust_required`; yours is trusted as in `trust`."
    cure = "Ask the operator of the exchange to qualify your organization."
    cause_ja = "これには trust_required の信頼区分が必要ですが、貴組織の区分は trust です。"
    cure_ja = "取引所の運営者に、組織の資格審査を依頼してください。"


class TokenNarrowed(Forbidden):
    """A token for certain grants alone, used for something else."""

    slug = "token-narrowed"
    title, title_ja = "The token is for certain grants alone", "特定の利用権に限られたトークンです"
    cause = "The token was narrowed to certain grants and opens nothing else."
    cure = "Ask for a token without authorization_details."
    cause_ja = "トークンは特定の利用権に限られており、ほかの操作には使えません。"
    cure_ja = "authorization_details を付けずにトークンを取得してください。"


class NotDelegated(Forbidden):
    """A deed in the name of an organization that has not let the caller do it."""

    slug = "not-delegated"
    title, title_ja = "Not delegated", "委任されていません"
    cause = "No delegation that counts lets your organization do this in the name of the one in On-Behalf-Of."
    cure = "Ask an owner of that organization to delegate it, or leave On-Behalf-Of out to act for your own."
    cause_ja = "On-Behalf-Ofの組織に代わって、貴組織がこの操作を行う有効な委任がありません。"
    cure_ja = "その組織の管理者に委任を依頼するか、自組織として操作する場合はOn-Behalf-Ofを外してください。"


class DelegateNotOpen(Invalid):
    """Listings can be delegated to another verified provider alone; nobody is told which of that is missing."""

    slug = "delegate-not-open"
    title, title_ja = "Nobody to delegate to", "この組織には委任できません"
    cause = "The delegate must be another organization, verified and a provider."
    cure = "Compare the id with the one your partner reads at /v1/organizations/me."
    cause_ja = "委任先は、確認済みで提供者の資格を持つ、別の組織でなければなりません。"
    cure_ja = "委任先が /v1/organizations/me で読み取ったIDと照らし合わせてください。"


class DelegationOpen(Conflict):
    """The two organizations have a delegation in this direction already."""

    slug = "delegation-open"
    title, title_ja = "There is a delegation already", "すでに委任しています"
    cause = "You let this organization act in your name already."
    cure = "End that delegation first, to let it do more or less."
    cause_ja = "この組織にはすでに委任しています。"
    cure_ja = "委任の範囲を変えるには、先に今の委任を終えてください。"


class RegistrationClosed(Forbidden):
    """The public may not apply at this exchange."""

    slug = "registration-closed"
    title, title_ja = "Registration is closed", "参加申請は受け付けていません"
    cause = "This exchange admits organizations by invitation of its operator."
    cure = "Ask the operator of the exchange to found your organization."
    cause_ja = "この取引所は、運営者の招待によって組織を受け入れています。"
    cure_ja = "組織の登録を、取引所の運営者に依頼してください。"


class ApplicationsFull(Refusal):
    """More applications wait for the operator than it wants to look through."""

    slug, status = "applications-full", 429
    title, title_ja = "Too many applications are waiting", "審査待ちの参加申請が上限に達しています"
    cause = "As many applications as the exchange takes at a time are waiting for its operator."
    cure = "Apply again after the seconds in Retry-After, or write to the operator."
    cause_ja = "審査待ちの申請が、取引所が一度に受け付ける上限に達しています。"
    cure_ja = "Retry-Afterの秒数の後に再度申請するか、運営者に連絡してください。"


class CapacityNotOpen(Forbidden):
    """The public may apply to provide and to buy, not to operate or to audit."""

    slug = "capacity-not-open"
    title, title_ja = "Capacity is not open to applications", "その資格には申請できません"
    cause = "Operators and auditors are appointed by those who run the exchange; nobody can apply for it."
    cure = "Apply as `provider`, as `buyer`, or as both."
    cause_ja = "運営者と監査人は取引所の設置者が任命するもので、申請はできません。"
    cure_ja = "provider、buyer、またはその両方として申請してください。"


class CorporateNumberTaken(Conflict):
    """An organization with this corporate number takes part already."""

    slug = "corporate-number-taken"
    title, title_ja = "Corporate number is known already", "その法人番号は登録済みです"
    cause = "An organization with this corporate number has applied already."
    cure = "Ask your colleagues for a client of your organization, or the operator if somebody used your number."
    cause_ja = "この法人番号の組織はすでに申請しています。"
    cure_ja = "同僚に貴組織のクライアントの発行を、番号が他者に使われた場合は運営者に対応を依頼してください。"


class OrganizationMoveRefused(Conflict):
    """The organization is not in a state from which it can be moved there."""

    slug = "organization-move-refused"
    title, title_ja = "Organization cannot be moved to that state", "その状態へは変更できません"
    cause = "The organization's present state does not allow this move."
    cure = "Read the organization again; its `state` says what can follow."
    cause_ja = "組織の現在の状態は、この変更を許しません。"
    cure_ja = "組織をもう一度読み取ってください。次に可能な変更は state から分かります。"


class OwnSuspension(Conflict):
    """An operator may not suspend itself, since nobody could undo it."""

    slug = "own-suspension"
    title, title_ja = "You cannot suspend your own organization", "自組織を停止することはできません"
    cause = "Suspending the organization one acts for would lock the exchange from inside."
    cure = "Let another operator do it."
    cause_ja = "自らの属する組織を停止すると、取引所を内側から閉め出すことになります。"
    cure_ja = "別の運営者に依頼してください。"


class ScopeNotAvailable(Invalid):
    """A client was to get a scope that its organization's capacities never use."""

    slug = "scope-not-available"
    title, title_ja = "Scope is not available", "そのスコープは利用できません"
    cause = "A client may only carry scopes that its organization can use and that your own token carries."
    cure = "Ask for the scopes named in `available`."
    cause_ja = "クライアントが持てるのは、組織の資格で使え、かつ自分のトークンが持つスコープだけです。"
    cure_ja = "available に示されたスコープを求めてください。"


class ClientSuspended(Conflict):
    """The API client was suspended, which is final."""

    slug = "client-suspended"
    title, title_ja = "API client is suspended", "APIクライアントは停止されています"
    cause = "A suspended API client stays suspended; its secret cannot be changed."
    cure = "Register a new client."
    cause_ja = "停止されたAPIクライアントは停止のままで、シークレットは変更できません。"
    cure_ja = "新しいクライアントを登録してください。"


class ClientKeepsNoSecret(Conflict):
    """The API client proves itself by keys, or by nothing: there is no secret to renew."""

    slug = "client-keeps-no-secret"
    title, title_ja = "API client keeps no secret", "シークレットを持たないAPIクライアントです"
    cause = "The client proves itself by a key of its own, or is a public one; it has no secret."
    cure = "Replace its keys, or register a client with a secret."
    cause_ja = "このクライアントは鍵で認証するか公開クライアントであり、シークレットがありません。"
    cure_ja = "鍵を差し替えるか、シークレットを持つクライアントを登録してください。"


class EmailTaken(Conflict):
    """A member with this e-mail address exists in the organization."""

    slug = "email-taken"
    title, title_ja = "E-mail address is used already", "そのメールアドレスは登録済みです"
    cause = "Another member of your organization has this e-mail address."
    cure = "Remove that member first, or give another address."
    cause_ja = "貴組織の別のメンバーがこのメールアドレスを使っています。"
    cure_ja = "先にそのメンバーを外すか、別のアドレスを指定してください。"


class LastOwner(Conflict):
    """An organization keeps one owner at least, and one who can sign in where there is any."""

    slug = "last-owner"
    title, title_ja = "The last owner stays", "最後の管理者は外せません"
    cause = "Without this member nobody would be left who can manage the members of the organization."
    cure = "Make another member an owner first, and have them sign in."
    cause_ja = "このメンバーを外すか役割を変えると、組織のメンバーを管理できる人がいなくなります。"
    cure_ja = "先に別のメンバーを管理者にし、サインインできるようにしてください。"


class MyNumberRefused(Invalid):
    """Twelve digits with the check digit of an individual number stand in a field; the number is not repeated."""

    slug = "my-number-refused"
    title, title_ja = "Never enter an individual number", "個人番号（マイナンバー）は入力できません"
    cause = "A field holds what looks like an individual number (My Number), which this exchange may not take in."
    cure = "Take it out. An organization is known by its corporate number, of 13 digits."
    cause_ja = "個人番号（マイナンバー）と見られる数字が入力されています。この取引所は個人番号を取り扱いません。"
    cure_ja = "その数字を削除してください。組織は13桁の法人番号で登録します。"
