//! The words of mail that brings codes and links, in the languages it is written in. Tables are in lower case, with `|`
//! between their entries.

/// The entries of one of these tables.
pub(super) fn each(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.split('|')
}

/// `code`: words, or the ends of words that are made of several.
pub(super) const CODE: &str = "\
    code|código|codigo|codice|kod|kode|kód|koodi|код|otp|passcode|pin|tan|einmalpasswort|einmalkennwort|codi|\
    kódot|codul|kodu|kodunuz|kodunu|kodem|kodzie|kódem|kódu|koden|koodin|koodisi|koodia|кода|кодом|коду|κωδικός|\
    passwort-token|codigos";

/// The same in more than one word, or in languages that put no spaces between words.
pub(super) const CODE_PHRASES: &str = "\
    one-time password|one time password|one-time pass|single-use password|mot de passe à usage unique|\
    mot de passe temporaire|contraseña de un solo uso|contraseña temporal|password monouso|senha de uso único|\
    wachtwoord voor eenmalig gebruik|hasło jednorazowe|jednorazowe hasło|engångslösenord|engangsadgangskode|\
    engangspassord|kertakäyttöinen salasana|jednorázové heslo|одноразовый пароль|одноразовий пароль|\
    tek kullanımlık şifre|doğrulama şifre|ワンタイムパスワード|ワンタイムコード|認証コード|認証番号|確認コード|確認番号|\
    セキュリティコード|ログインコード|検証コード|验证码|校验码|动态码|动态密码|确认码|安全码|一次性密码|登录码|驗證碼|\
    認證碼|確認碼|安全碼|動態密碼|一次性密碼|登入碼|인증번호|인증 번호|인증코드|인증 코드|확인 코드|확인코드|보안 코드|\
    보안코드|일회용 비밀번호|로그인 코드|일회용 코드";

/// What makes another thing of a code, before it or behind it, or within the same word.
pub(super) const OTHER_CODE: &str = "\
    promo|promotion|promotional|discount|coupon|voucher|gift|zip|postal|post|postcode|area|country|qr|bar|barcode|\
    source|error|status|exit|tracking|booking|reservation|referral|invite|product|item|order|swift|sort|tax|vat|dress|\
    color|colour|currency|language|dial|building|backup|recovery|offer|sku|morse|unicode|decode|encode|zipcode|\
    promocode|response|device|rabatt|rabattcode|gutschein|gutscheincode|aktions|aktionscode|fehler|fehlercode|\
    bestell|strichcode|réduction|promotionnel|barres|erreur|parrainage|descuento|barras|cupón|promocional|desconto|cupom|\
    sconto|fiscale|postale|errore|kortings|kortingscode|actiecode|postkode|fout|foutcode|rabatowy|pocztowy|błędu|\
    rabattkod|rabattkode|rabatkode|postnummer|alennuskoodi|postikoodi|slevový|slevovy|промокод|скидки|почтовый|ошибки|\
    знижки|поштовий|indirim|posta|hata|penal|civil|klarna|wifi|wi-fi|gate|door|entry|activity|authority|bank|iban|bic";

/// What a number is that follows one of these: no code.
pub(super) const REFERENCE: &str = "\
    order|invoice|ticket|case|booking|reference|ref|account|customer|card|id|no|nr|num|number|phone|tel|fax|call|box|\
    suite|room|street|flight|shipment|parcel|tracking|ending|extension|ext|version|build|issue|since|copyright|\
    bestellung|bestellnummer|rechnung|rechnungsnummer|kundennummer|auftrag|auftragsnummer|vorgang|telefon|konto|\
    postfach|commande|facture|dossier|compte|client|téléphone|pedido|factura|fatura|cuenta|cliente|teléfono|conta|\
    telefone|ordine|fattura|conto|telefono|bestelling|bestelnummer|factuur|klantnummer|telefoon|zamówienie|\
    zamówienia|faktura|faktury|konta|beställning|ordernummer|kundnummer|ordre|ordrenummer|kundenummer|tilaus|tilausnumero|\
    lasku|puhelin|objednávka|objednávky|zákazník|účtu|заказ|заказа|счёт|счет|телефон|договор|замовлення|рахунок|\
    sipariş|fatura|müşteri|hesap|n°|nº|№|注文番号|電話|订单|订单号|電話番号|주문번호|주문|전화";

/// What makes a number an amount or a time when it follows.
pub(super) const AMOUNT: &str = "\
    usd|eur|gbp|chf|jpy|cny|krw|sek|nok|dkk|pln|czk|rub|uah|try|euro|euros|dollar|dollars|pounds|zł|kr|kč|руб|грн|tl|円|元|원|\
    points|punkte|people|users|items|mb|gb|kb|km|miles|characters|digits|times|years|jahre|ans|años|st|street|ave|avenue|\
    road|rd|blvd";

/// Marks that make a number an amount or a part of something.
pub(super) const AMOUNT_MARKS: &str = "$€£¥₩₽₴₺%‰#+№§";

/// What says that something holds for a time.
pub(super) const HOLDS: &str = "\
    expire|valid for|valid within|is valid|within|good for|only valid|remains valid|next|gültig|läuft|abläuft|verfällt|innerhalb|\
    valable|valide|dans les|pendant|expira|caduca|vence|válid|dentro de|durante|próximos|próximas|scade|scadrà|valid|\
    entro|geldig|verloopt|verlopen|binnen|ważny|ważn|wygas|traci|w ciągu|przez|giltig|går ut|upphör|inom|gyldig|udløber|\
    utløper|inden for|innen|voimassa|vanhenee|vanhentuu|kuluessa|platn|vyprší|během|действ|истека|истеч|в течение|дійсн|\
    діє|закінч|протягом|geçerli|içinde|dolacak|sona er|有効|以内|期限|有效|过期|過期|失效|之内|內|유효|만료|이내|동안";

/// Units of time: the beginnings of their words, with their seconds.
pub(super) const UNITS: [(&str, u32); 4] = [
    ("sec|sekund|segund|secon|секунд|saniye|sek|秒|초", 1),
    ("min|мин|хв|dakika|dk|分|분", 60),
    (
        "hour|hr|stund|heure|hora|ora|ore|uur|uren|godz|timm|time|tunti|tunn|hodin|час|годин|saat|時間|小时|小時|시간",
        3600,
    ),
    (
        "day|tag|jour|día|dia|giorn|dag|dni|dzień|päivä|den|dny|dní|день|дня|дней|днів|дні|gün|日|天|일",
        86_400,
    ),
];

/// Numbers in words.
pub(super) const NUMBERS: [(&str, u32); 11] = [
    (
        "a|an|one|eine|einer|einem|ein|une|un|una|um|uma|één|een|jedną|jedna|en|ett|et|один|одного|одну|одной|bir|yhden",
        1,
    ),
    (
        "two|zwei|deux|dos|due|dois|duas|twee|dwie|två|to|kaksi|dvě|два|две|дві|iki",
        2,
    ),
    ("three|drei|trois|tres|tre|três|drie|trzy|kolme|tři|три|üç", 3),
    ("five|fünf|cinq|cinco|cinque|vijf|pięć|fem|viisi|пять|beş", 5),
    (
        "ten|zehn|dix|diez|dieci|dez|tien|dziesięć|tio|ti|kymmenen|deset|десять|on",
        10,
    ),
    ("fifteen|fünfzehn|quinze|quince|quindici|vijftien|piętnaście|femton", 15),
    ("twenty|zwanzig|vingt|veinte|venti|vinte|twintig", 20),
    (
        "thirty|dreißig|trente|treinta|trenta|trinta|dertig|trzydzieści|trettio",
        30,
    ),
    ("forty-five|quarante-cinq", 45),
    ("sixty|sechzig|soixante|sesenta|sessanta|sessenta|zestig", 60),
    ("twenty-four|vierundzwanzig", 24),
];

/// What a link says that confirms something.
pub(super) const VERIFY: &str = "\
    verify|verification|confirm|activate|activation|validate|complete your registration|complete registration|\
    complete sign|finish signing up|finish sign|finish registr|accept invit|accept the invit|accept your invit|join the team|\
    bestätig|verifizier|aktivier|freischalt|einladung annehmen|registrierung abschließen|confirmer|confirmez|vérifier|vérifiez|\
    activer|activez|valider|validez|accepter l|confirmar|confirme|confirma|verificar|verifica|verifique|activar|activa tu|\
    ativar|ative|aceptar la invit|conferma|attiva|accetta l|bevestig|verifieer|verifiëren|activeer|potwierdź|potwierdz|\
    zweryfikuj|aktywuj|bekräfta|verifiera|aktivera|bekræft|bekreft|verificer|aktiver|vahvista|aktivoi|ověř|potvrd|aktivuj|\
    подтверд|активир|підтверд|активув|doğrula|onayla|etkinleştir|aktive et|確認する|認証する|を確認|を認証|有効化|登録を完了|\
    验证|确认|激活|驗證|確認您|確認電子|啟用|인증하기|인증하|이메일 인증|확인하기|활성화";

/// What a link says that sets a new password.
pub(super) const RESET: &str = "\
    reset|new password|choose a password|change your password|change password|set your password|set a password|\
    zurücksetzen|neues passwort|neues kennwort|réinitialis|nouveau mot de passe|restablec|nueva contraseña|reimposta|\
    nuova password|reimpost|redefin|nova senha|nova palavra-passe|wachtwoord herstel|opnieuw instellen|nieuw wachtwoord|\
    zresetuj|resetuj|nowe hasło|återställ|nytt lösenord|nulstil|ny adgangskode|tilbakestill|nytt passord|nollaa|vaihda salasana|\
    uusi salasana|obnov|nové heslo|сброс|новый пароль|восстанов|скин|новий пароль|віднов|sıfırla|yeni şifre|再設定|リセット|\
    重置|重設|新密码|新密碼|재설정|새 비밀번호";

/// What a link says that signs in.
pub(super) const LOGIN: &str = "\
    log in|login|log into|sign in|signin|sign into|magic link|anmelden|einloggen|se connecter|connectez|connexion|\
    iniciar sesión|inicia sesión|acceder|accedi|entrar|fazer login|inloggen|log nu in|zaloguj|logga in|log ind|logg inn|\
    kirjaudu|přihlás|войти|вход в|увійти|giriş yap|oturum aç|ログイン|サインイン|登录|登入|로그인";

/// What a link says that is never one of those.
pub(super) const ASIDE: &str = "\
    unsubscribe|preferences|privacy|terms|help|support|view in browser|view this email|contact|faq|blog|abmelden von|abbestellen|\
    datenschutz|impressum|désabonner|désinscri|confidentialité|cancelar la suscripción|darse de baja|annulla l|disiscri|\
    afmelden|uitschrijven|wypisz|avsluta prenumeration|afmeld|meld av|peruuta tilaus|odhlásit|отписаться|відписатися|\
    aboneliği|配信停止|退订|取消訂閱|수신 거부|수신거부|didn't request|did not request|wasn't you|not you|report|nicht angefordert";
