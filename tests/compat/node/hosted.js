// What a self-hosted server leaves out: { operation: call }, which must give an empty list or a 404.
const { assert, refused } = require("./world.js");

const SOME = "00000000-0000-0000-0000-000000000007";
const empty = async (call, key) => assert.deepEqual(await call.then((page) => [page.count, page[key]]), [0, []]);
const absent = (call) => refused(404, call);

module.exports = {
    "accounts.list": (test) => empty(test.client.accounts.list(), "accounts"),
    "accounts.get": (test) => absent(() => test.client.accounts.get(SOME)),
    "providers.list": (test) => empty(test.client.providers.list(), "providers"),
    "providers.search": (test) => empty(test.client.providers.search({ q: "mail" }), "providers"),
    "providers.get": (test) => absent(() => test.client.providers.get(SOME)),
    "providers.listAccounts": (test) => absent(() => test.client.providers.listAccounts(SOME)),
    "providers.connect": (test) => absent(() => test.client.providers.connect(SOME, {})),
    "inboxes.authorize": async (test) => {
        const inbox = await test.inbox();
        await absent(() => test.client.inboxes.authorize(inbox, { authToken: "x" }));
    },
};
