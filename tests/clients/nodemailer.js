// Sends with nodemailer over STARTTLS and TLS, with a password and with a key as OAuth token; prints one JSON line per message.
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const settings = JSON.parse(process.argv[2]);

async function send(way, transport) {
  const mailer = nodemailer.createTransport({ host: settings.host, tls: { ca: fs.readFileSync(settings.ca) }, name: "laptop.example", ...transport });
  await mailer.verify();
  const sent = await mailer.sendMail({
    from: { name: "Scoüt, the agent", address: settings.user },
    to: settings.to,
    bcc: settings.bcc,
    subject: `nodemailer ${way} ✓`,
    text: "hello\n.\n",
    html: "<p>hello</p>",
    attachments: [{ filename: "größe.bin", content: Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)) }],
  });
  mailer.close();
  console.log(JSON.stringify({ way, accepted: sent.accepted, rejected: sent.rejected, messageId: sent.messageId, response: sent.response }));
}

async function main() {
  const password = { user: settings.user, pass: settings.password };
  await send("starttls", { port: settings.submission, secure: false, requireTLS: true, auth: password });
  await send("tls", { port: settings.submissions, secure: true, auth: password });
  await send("oauth2", { port: settings.submissions, secure: true, auth: { type: "OAuth2", user: settings.user, accessToken: settings.key } });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
