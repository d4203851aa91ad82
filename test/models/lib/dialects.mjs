// The two protocols: what a request must have, and the bytes of an answer.
import { randomBytes } from 'node:crypto';

const id = (prefix) => `${prefix}${randomBytes(12).toString('hex')}`;
const words = (text) => Math.max(1, Math.ceil(text.length / 4));
const blockText = (content) => (typeof content === 'string' ? content : content.map((block) => block.text ?? '').join(''));

// ---- the Messages API ---------------------------------------------------------

const MESSAGES_ERRORS = {
  400: ['invalid_request_error', 'There was an issue with the format or content of your request.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'There is an issue with your billing or payment information.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'The requested resource could not be found.'],
  413: ['request_too_large', 'Request exceeds the maximum allowed number of bytes.'],
  429: ['rate_limit_error', 'This request would exceed your organization\'s rate limit.'],
  500: ['api_error', 'Internal server error'],
  504: ['timeout_error', 'The request timed out.'],
  529: ['overloaded_error', 'Overloaded'],
};

export const messages = {
  path: '/v1/messages',
  key: (headers) => headers['x-api-key'],
  problem(body, headers) {
    if (!headers['anthropic-version']) return 'anthropic-version: header is required';
    if (!body.model) return 'model: Field required';
    if (!Number.isInteger(body.max_tokens) || body.max_tokens < 1) return 'max_tokens: Field required';
    if (!Array.isArray(body.messages) || !body.messages.length) return 'messages: at least one message is required';
    if (body.messages.some(({ role }) => !['user', 'assistant'].includes(role))) return 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter';
    if (body.messages[0].role !== 'user') return 'messages: first message must use the "user" role';
    if (body.messages.some(({ content }) => !blockText(content).trim())) return 'messages: text content blocks must be non-empty';
    for (const key of Object.keys(body)) {
      if (!['model', 'max_tokens', 'messages', 'system', 'stream', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'metadata', 'thinking', 'service_tier'].includes(key)) return `${key}: Extra inputs are not permitted`;
    }
    return null;
  },
  prompt: (body) => [blockText(body.system ?? ''), ...body.messages.map(({ content }) => blockText(content))].join('\n'),
  error(status, { type, message } = {}) {
    const [usualType, usualMessage] = MESSAGES_ERRORS[status] ?? (status >= 500 ? MESSAGES_ERRORS[500] : MESSAGES_ERRORS[400]);
    return { type: 'error', error: { type: type ?? usualType, message: message ?? usualMessage }, request_id: id('req_') };
  },
  stop: ({ stop, refusal }) => stop ?? (refusal === undefined ? 'end_turn' : 'refusal'),
  said: ({ refusal }, text) => refusal ?? text,
  whole: (body, answer, text, usage) => ({
    id: id('msg_'), type: 'message', role: 'assistant', model: body.model, content: [{ type: 'text', text }],
    stop_reason: messages.stop(answer), stop_sequence: null,
    usage: { input_tokens: usage.input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: usage.output },
  }),
  head: (body, answer, usage) => [
    ['message_start', { type: 'message_start', message: {
      id: id('msg_'), type: 'message', role: 'assistant', model: body.model, content: [], stop_reason: null, stop_sequence: null,
      usage: { input_tokens: usage.input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 } } }],
    ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
    ['ping', { type: 'ping' }],
  ],
  piece: (body, answer, text) => [['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }]],
  foot: (body, answer, usage) => [
    ['content_block_stop', { type: 'content_block_stop', index: 0 }],
    ['message_delta', { type: 'message_delta', delta: { stop_reason: messages.stop(answer), stop_sequence: null }, usage: { output_tokens: usage.output } }],
    ['message_stop', { type: 'message_stop' }],
  ],
  broken: ({ type = 'overloaded_error', message = 'Overloaded' }) => [['error', { type: 'error', error: { type, message } }]],
  line: ([event, data]) => `event: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
  headers: { 'request-id': id('req_'), 'anthropic-organization-id': 'org-test' },
};

// ---- chat completions ---------------------------------------------------------

const masked = (key = '') => (key.length > 8 ? `${key.slice(0, 5)}${'*'.repeat(8)}${key.slice(-4)}` : '*'.repeat(key.length));
const COMPLETIONS_ERRORS = {
  400: ['invalid_request_error', null, 'We could not parse the JSON body of your request.'],
  401: ['invalid_request_error', 'invalid_api_key', null],
  403: ['invalid_request_error', 'unsupported_country_region_territory', 'Country, region, or territory not supported'],
  404: ['invalid_request_error', 'model_not_found', 'The model does not exist or you do not have access to it.'],
  413: ['invalid_request_error', null, 'Maximum content size limit exceeded.'],
  429: ['requests', 'rate_limit_exceeded', 'Rate limit reached for requests.'],
  500: ['server_error', null, 'The server had an error while processing your request. Sorry about that!'],
  503: ['server_error', null, 'The engine is currently overloaded, please try again later'],
};

const chunk = (body, stamp, choices, more = {}) => [null, {
  id: stamp, object: 'chat.completion.chunk', created: 1700000000, model: body.model, system_fingerprint: 'fp_test', choices, ...body.stream_options?.include_usage && { usage: null }, ...more }];

export const completions = {
  path: '/v1/chat/completions',
  key: (headers) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1],
  problem(body) {
    if (!body.model) return 'you must provide a model parameter';
    if (!Array.isArray(body.messages) || !body.messages.length) return '\'messages\' is too short';
    if (body.messages.some(({ role }) => !['system', 'developer', 'user', 'assistant', 'tool'].includes(role))) return 'Invalid value for \'role\'';
    if (body.stream_options && !body.stream) return 'The \'stream_options\' parameter is only allowed when \'stream\' is enabled.';
    return null;
  },
  prompt: (body) => body.messages.map(({ content }) => blockText(content)).join('\n'),
  error(status, { type, code, message, key } = {}) {
    const [usualType, usualCode, usualMessage] = COMPLETIONS_ERRORS[status] ?? (status >= 500 ? COMPLETIONS_ERRORS[500] : COMPLETIONS_ERRORS[400]);
    return { error: {
      message: message ?? usualMessage ?? `Incorrect API key provided: ${masked(key)}. You can find your API key at https://platform.openai.com/account/api-keys.`,
      type: type ?? usualType, param: null, code: code ?? usualCode } };
  },
  stop: ({ stop }) => stop ?? 'stop',
  said: (answer, text) => text,
  whole: (body, answer, text, usage) => ({
    id: id('chatcmpl-'), object: 'chat.completion', created: 1700000000, model: body.model,
    choices: [{ index: 0, message: { role: 'assistant', content: answer.refusal === undefined ? text : null, refusal: answer.refusal ?? null }, logprobs: null, finish_reason: completions.stop(answer) }],
    usage: { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output },
  }),
  head(body, answer) {
    answer.stamp = id('chatcmpl-');
    return [chunk(body, answer.stamp, [{ index: 0, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null }])];
  },
  piece: (body, answer, text) => [chunk(body, answer.stamp, [{ index: 0, delta: answer.refusal === undefined ? { content: text } : { refusal: text }, logprobs: null, finish_reason: null }])],
  foot: (body, answer, usage) => [
    chunk(body, answer.stamp, [{ index: 0, delta: {}, logprobs: null, finish_reason: completions.stop(answer) }]),
    ...body.stream_options?.include_usage ? [chunk(body, answer.stamp, [], { usage: { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output } })] : [],
    [null, '[DONE]'],
  ],
  broken: ({ type = 'server_error', message = 'The server had an error while processing your request. Sorry about that!' }) => [[null, { error: { message, type, param: null, code: null } }]],
  line: ([, data]) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
  headers: { 'x-request-id': id('req_'), 'openai-version': '2020-10-01' },
};

export const usageOf = (answer, prompt, text) => ({ input: answer.usage?.input ?? words(prompt), output: answer.usage?.output ?? words(text) });
