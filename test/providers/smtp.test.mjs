// The mail server: what is accepted is in the mailbox, what the knobs forbid is not.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { startProviders } from './index.mjs';

const provider = 'smtp';
let providers;
let folder;
let port;
const knobs = (values) => providers.call('POST', 'knobs', { provider, ...values });
const mails = (to) => providers.call('GET', 'mails', { provider, to });

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'orla-smtp-'));
  providers = await startProviders({ tls: folder, only: ['smtp'] });
  port = Number(new URL(providers.description.smtp.url).port);
});
after(async () => {
  await providers.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => providers.call('POST', 'reset', { provider }));

function send({ to = 'ben@x.example', tls = 'yes', ca = 'ca.pem', auth = true, ...mail } = {}) {
  const { user, password } = providers.description.smtp;
  const transport = createTransport({ host: '127.0.0.1', port, requireTLS: tls === 'yes', ignoreTLS: tls === 'no', tls: { ca: readFileSync(join(folder, ca)) },
    ...auth && { auth: auth === true ? { user, pass: password } : auth }, connectionTimeout: 2000, greetingTimeout: 300 });
  return transport.sendMail({ from: 'orla@x.example', to, subject: 'Grüße an alle 🦊', text: 'Ein Link: https://x.example/?token=abc\n.\nNach dem Punkt — Ende', ...mail });
}
const code = (promise) => promise.then(() => 'sent', (problem) => problem.responseCode ?? problem.code);

test('a mail arrives whole, over STARTTLS, from a known user', async () => {
  await send();
  const [mail] = await mails('ben@x.example');
  assert.deepEqual([mail.from, mail.to, mail.secure, mail.user, mail.subject], ['orla@x.example', ['ben@x.example'], true, 'orla', 'Grüße an alle 🦊']);
  assert.match(mail.text, /^Ein Link: https:\/\/x\.example\/\?token=abc\r?\n\.\r?\nNach dem Punkt — Ende/);
  assert.deepEqual(await mails('eve@x.example'), []);
});

test('STARTTLS required, offered, none; a certificate of another authority', async () => {
  assert.equal(await code(send({ tls: 'no', auth: false })), 'sent');
  await knobs({ starttls: 'required' });
  assert.equal(await code(send({ tls: 'no', auth: false })), 530);
  assert.equal(await code(send()), 'sent');
  await knobs({ starttls: 'none' });
  assert.equal(await code(send()), 500, 'no such command');
  await knobs({ starttls: 'offered' });
  assert.equal(await code(send({ ca: 'other.pem' })), 'ESOCKET');
});

test('a wrong password, no password', async () => {
  assert.equal(await code(send({ auth: { user: 'orla', pass: 'no' } })), 535);
  await knobs({ auth: 'required' });
  assert.equal(await code(send({ auth: false })), 530);
  assert.equal(await code(send()), 'sent');
});

test('recipients are refused one by one, for good or for now', async () => {
  await knobs({ refuse: { 'gone@x.example': 550, 'full@x.example': { code: 452, message: 'Mailbox full', times: 1 } } });
  assert.equal(await code(send({ to: 'gone@x.example' })), 550);
  assert.equal(await code(send({ to: 'full@x.example' })), 452);
  assert.equal(await code(send({ to: 'full@x.example' })), 'sent');
  assert.equal(await code(send()), 'sent');
  await knobs({ refuse_data: 451 });
  assert.equal(await code(send()), 451);
  assert.equal((await mails()).length, 2);
  const { requests, statuses } = await providers.call('GET', 'counts', { provider });
  assert.deepEqual([requests.rcpt, statuses['rcpt 550'], statuses['data 451']], [5, 1, 1]);
});

test('down, up on the same port, busy, mute', async () => {
  await knobs({ up: false });
  assert.match(String(await code(send())), /ESOCKET|ECONNREFUSED|ECONNECTION/);
  await knobs({ up: true, busy: 421 });
  assert.equal(await code(send()), 421);
  await knobs({ busy: null, mute: true });
  assert.equal(await code(send()), 'ETIMEDOUT');
  await knobs({ mute: false });
  assert.equal(await code(send()), 'sent');
});

test('a mail that was accepted and whose answer is lost; one that is too large', async () => {
  await knobs({ lose: 1 });
  assert.notEqual(await code(send()), 'sent');
  assert.equal((await mails()).length, 1);
  assert.equal(await code(send()), 'sent');
  await knobs({ max_bytes: 1000 });
  assert.equal(await code(send({ text: 'x'.repeat(2000) })), 552);
  assert.equal((await mails()).length, 2);
});
