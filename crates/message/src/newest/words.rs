//! What mail programs write around a quoted message, in the languages they speak. Tables are in lower case, with `|`
//! between their entries.

/// A field of the block that Outlook and others put above a quoted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldName {
    From,
    Date,
    To,
    Copy,
    Subject,
}

/// The field a label of such a block names.
pub(super) fn field_name(label: &str) -> Option<FieldName> {
    let names = [
        (FieldName::From, FROM),
        (FieldName::Date, DATE),
        (FieldName::To, TO),
        (FieldName::Copy, COPY),
        (FieldName::Subject, SUBJECT),
    ];
    let named = names
        .iter()
        .find(|(_, labels)| each(labels).any(|known| known == label));
    named.map(|(name, _)| *name)
}

/// The entries of one of these tables.
pub(super) fn each(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.split('|')
}

const FROM: &str = "\
    from|von|de|da|van|od|från|fra|lähettäjä|от|від|від кого|от кого|kimden|gönderen|差出人|送信者|送信元|\
    发件人|寄件者|寄件人|보낸 사람|보낸사람|expéditeur|remitente|mittente|remetente|afzender|nadawca|feladó|\
    avsändare";

const DATE: &str = "\
    sent|date|sent at|gesendet|gesendet am|datum|envoyé|envoyé le|envoyé à|enviado|enviado el|fecha|inviato|\
    inviato il|data|enviada em|enviado em|enviada|verzonden|verzonden op|wysłano|wysłane|data wysłania|skickat|\
    skickades|sendt|dato|lähetetty|päivämäärä|päiväys|pvm|odesláno|отправлено|дата|дата отправки|надіслано|\
    відправлено|gönderilen|gönderildi|gönderme tarihi|gönderim tarihi|gönderilme tarihi|tarih|送信日時|日付|\
    日時|送信|发送时间|发送日期|日期|时间|時間|寄件日期|傳送日期|傳送時間|보낸 날짜|보낸날짜|날짜|보낸 시간";

const TO: &str = "\
    to|an|à|a|para|aan|do|till|til|vastaanottaja|komu|кому|kime|alıcı|宛先|收件人|收件者|받는 사람|받는사람|\
    destinataire|destinatario|destinatário|pro|do kogo";

const COPY: &str = "\
    cc|kopie|dw|kopia|kopi|kopio|копия|копія|bilgi|抄送|副本|참조|ccn|c.c.|cópia";

const SUBJECT: &str = "\
    subject|betreff|objet|sujet|asunto|oggetto|assunto|onderwerp|temat|ämne|emne|aihe|předmět|тема|konu|件名|\
    主题|主題|主旨|제목|re";

/// `wrote`, as it ends or begins an attribution.
pub(super) const WROTE: &str = "\
    wrote|writes|schrieb|schreibt|a écrit|écrivait|escribió|ha escrito|ha scritto|scrive|escreveu|schreef|\
    napisał(a)|napisał|napisała|pisze|skrev|skriver|kirjoitti|napsal(a)|napsal|napsala|píše|пишет|писал|\
    писал(а)|написал|написал(а)|написала|пише|писав|написав|написала|написав(ла)|yazdı|yazmış|írta|a scris|\
    έγραψε|napísal|написа";

/// The same in languages that put no spaces between words.
pub(super) const WROTE_UNSPACED: &str = "\
    書きました|書いた|のメッセージ|写道|寫道|撰写|쓴 글|썼습니다|작성|님이 쓴|쓰셨습니다";

/// How attributions begin that begin with the time.
pub(super) const ATTRIBUTION_STARTS: &str = "\
    on |am |le |el |il |em |op |w dniu |dnia |den |dne |в |в\u{a0}|在 |en date |il giorno |a |pe ";

/// `Original message`, between dashes.
pub(super) const ORIGINAL: &str = "\
    original message|original appointment|reply message|ursprüngliche nachricht|originalnachricht|\
    original-nachricht|message d'origine|message d’origine|message original|message initial|mensaje original|\
    messaggio originale|messaggio original|mensagem original|oorspronkelijk bericht|origineel bericht|\
    wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|ursprungligt meddelande|originalmeddelande|\
    oprindelig meddelelse|original meddelelse|original besked|oprindelig besked|opprinnelig melding|\
    original melding|alkuperäinen viesti|původní zpráva|původní e-mail|исходное сообщение|\
    оригинальное сообщение|исходное письмо|вихідне повідомлення|оригінальне повідомлення|початкове повідомлення|\
    özgün i̇leti|özgün ileti|orijinal mesaj|orijinal ileti|元のメッセージ|元のメール|原始邮件|邮件原件|原邮件|\
    原始郵件|原始信件|原始訊息|원본 메시지|원본 메일|원본메일|원래 메시지";

/// `Forwarded message`, between dashes or before a colon.
pub(super) const FORWARDED: &str = "\
    forwarded message|forwarded by|weitergeleitete nachricht|weitergeleiteten nachricht|message transféré|\
    message réexpédié|message transmis|mensaje reenviado|messaggio inoltrato|mensagem encaminhada|\
    mensagem reencaminhada|doorgestuurd bericht|doorgestuurde bericht|przekazana wiadomość|wiadomość przekazana|\
    przekazywanej wiadomości|przekazywana wiadomość|przesłana dalej wiadomość|vidarebefordrat|videresendt|\
    vidaresendt|välitetty viesti|edelleenlähetetty|přeposlaná zpráva|přeposílané zprávy|přeposlané zprávy|\
    пересылаемое сообщение|пересланное сообщение|переадресованное сообщение|переадресованного сообщения|\
    пересылаемого сообщения|пересланного сообщения|переслане повідомлення|пересилане повідомлення|\
    пересланого повідомлення|переадресоване повідомлення|переадресованого повідомлення|yönlendirilmiş ileti|\
    yönlendirilen ileti|iletilen ileti|iletilmiş ileti|iletilmiş mesaj|yönlendirilen mesaj|転送メッセージ|\
    転送されたメッセージ|転送メール|转发的邮件|转发邮件|转发邮件信息|已转发邮件|轉寄郵件|轉寄的郵件|轉寄訊息|\
    轉寄的訊息|전달된 메시지|전달된 메일|전달 메시지";

/// How a line begins that a program puts below what it sends.
pub(super) const SENT_FROM: &str = "\
    sent from|sent via|sent with|sent using|von meinem|vom |gesendet von|gesendet mit|gesendet über|\
    diese nachricht wurde von|envoyé de|envoyé depuis|envoyé avec|envoyé à partir|envoyé par|enviado desde|\
    enviado con|enviado de|enviado do|enviado a partir|enviado pelo|enviado com|enviado através|inviato da|\
    inviato con|inviato tramite|verzonden vanaf|verstuurd vanaf|verzonden met|verzonden via|verstuurd met|\
    wysłane z|wysłano z|wysłane za|wysłano za|skickat från|skickat med|skickades från|sendt fra|sendt med|\
    sendt via|lähetetty|odesláno z|odesláno přes|posláno z|отправлено с|отправлено из|отправлено через|\
    відправлено з|надіслано з|надіслано через|发自我的|发送自|从我的|發自我的|寄自我的|從我的|傳送自|나의 |내 ";

/// The same, where it stands at the end.
pub(super) const SENT_FROM_AT_END: &str = "\
    gönderildi|から送信|より送信|に送信|에서 보냄|에서 보냈습니다|에서 발송|傳送|发送|寄出";

/// What such a line names.
pub(super) const DEVICES: &str = "\
    iphone|iphonu|ipad|ipod|apple watch|android|galaxy|samsung|huawei|xiaomi|redmi|oneplus|pixel|blackberry|nokia|\
    smartphone|phone|handy|mobile|mobil|téléphone|telefon|móvil|celular|cellulare|tablet|телефон|смартфон|\
    мобильн|мобільн|puhelin|puhelimesta|outlook|yahoo|proton|gmail|thunderbird|mail for windows|\
    mail für windows|mail pour windows|posta per windows|correo para windows|gmx|web.de|k-9|airmail|tuta|\
    mailspring|superhuman|fastmail|почты|mail.ru|スマートフォン|手机|手機|휴대폰|갤럭시";
