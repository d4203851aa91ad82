// The model server does what the real ones do.
import { after, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { startModels } from './index.mjs';

const models = await startModels();
const { anthropic, openai } = models.description;
after(() => models.stop());
beforeEach(() => models.call('POST', 'reset'));

const SHAPE = '{"title": "text 20", "level": "low | high", "n": "integer", "list?": ["text 5"]}';
const ask = (body = {}, headers = {}) => fetch(`${anthropic}/v1/messages`, { method: 'POST', headers: { 'x-api-key': 'sk-right', 'anthropic-version': '2023-06-01', ...headers },
  body: JSON.stringify({ model: 'm', max_tokens: 100, stream: true, messages: [{ role: 'user', content: `Write.\n${SHAPE}` }], ...body }) });
const complete = (body = {}, key = 'sk-right') => fetch(`${openai}/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}` },
  body: JSON.stringify({ model: 'm', stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: `Write.\n${SHAPE}` }], ...body }) });
const events = (text) => text.trim().split('\n\n').map((event) => /^data: (.*)$/m.exec(event)[1]).filter((data) => data !== '[DONE]').map((data) => JSON.parse(data));
const queue = (...answers) => models.call('POST', 'answers', { answers });

test('streams a message in the order of the protocol, with usage', async () => {
  const res = await ask();
  assert.equal(res.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const all = events(await res.text());
  assert.deepEqual([...new Set(all.map(({ type }) => type))], ['message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop']);
  const said = JSON.parse(all.filter(({ type }) => type === 'content_block_delta').map(({ delta }) => delta.text).join(''));
  assert.deepEqual([said.level, said.n, said.list.length], ['low', 7, 2]);
  assert.ok(all[0].message.usage.input_tokens > 1);
  assert.equal(all.at(-2).delta.stop_reason, 'end_turn');
});

test('streams chunks of a completion, with usage when asked and an end', async () => {
  const raw = await (await complete()).text();
  assert.ok(raw.endsWith('data: [DONE]\n\n'));
  const all = events(raw);
  assert.ok(JSON.parse(all.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).title);
  assert.deepEqual(all.at(-1).choices, []);
  assert.ok(all.at(-1).usage.completion_tokens > 0);
  assert.equal(events(await (await complete({ stream_options: undefined })).text()).at(-1).choices[0].finish_reason, 'stop');
});

test('in one piece without stream', async () => {
  assert.equal((await (await ask({ stream: false })).json()).content[0].type, 'text');
  assert.equal((await (await complete({ stream: undefined, stream_options: undefined })).json()).object, 'chat.completion');
});

test('errors have the real bodies', async () => {
  for (const [status, type] of [[400, 'invalid_request_error'], [403, 'permission_error'], [413, 'request_too_large'], [429, 'rate_limit_error'], [500, 'api_error'], [529, 'overloaded_error']]) {
    await queue({ status, retry_after: 3 });
    const res = await ask();
    assert.equal(res.status, status);
    assert.equal(res.headers.get('retry-after'), '3');
    assert.equal((await res.json()).error.type, type);
  }
  assert.equal((await ask({}, { 'x-api-key': 'sk-wrong' })).status, 401);
  const refused = await complete({}, 'sk-wrong-key-0123456789');
  assert.equal(refused.status, 401);
  const { error } = await refused.json();
  assert.equal(error.code, 'invalid_api_key');
  assert.match(error.message, /sk-wr\*+6789/);
});

test('refuses requests that the real ones refuse', async () => {
  assert.match((await (await ask({ max_tokens: undefined })).json()).error.message, /max_tokens/);
  assert.match((await (await ask({}, { 'anthropic-version': '' })).json()).error.message, /anthropic-version/);
  assert.match((await (await ask({ messages: [{ role: 'system', content: 'x' }] })).json()).error.message, /system/);
  assert.match((await (await ask({ stream_options: {} })).json()).error.message, /Extra inputs/);
  assert.equal((await complete({ stream: false })).status, 400);
  await models.call('POST', 'limit', { max_bytes: 100 });
  assert.equal((await ask()).status, 413);
});

test('refusals, cut connections, errors in the stream, half events', async () => {
  await queue({ refusal: 'I cannot.' }, { cut_after: 2 }, { error_after: 2 }, { malformed: true });
  assert.equal(events(await (await ask()).text()).at(-2).delta.stop_reason, 'refusal');
  await assert.rejects(async () => (await ask()).text());
  assert.equal(events(await (await ask()).text()).at(-1).error.type, 'overloaded_error');
  const raw = await (await ask()).text();
  assert.throws(() => events(raw), SyntaxError);
  await queue({ refusal: 'I cannot.' });
  assert.equal(events(await (await complete()).text()).map(({ choices }) => choices[0]?.delta.refusal ?? '').join(''), 'I cannot.');
});

test('holds an answer until it is told, and counts', async () => {
  await queue({ hold_after: 1 });
  const asked = ask().then((res) => res.text());
  await models.call('GET', 'wait', { held: 1 });
  assert.equal(models.plan.show().in_flight, 1);
  await models.call('POST', 'release');
  await asked;
  assert.equal((await models.call('GET', 'wait', { idle: 1 })).requests, 1);
});
