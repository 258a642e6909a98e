// The fake is honest as far as the public client library gets along with it: `openai` drives it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { control, createFake, writeScript } from './llm.mjs';

const key = 'sk-fake-0123456789abcdef';
let fake;
let root;
const client = (service, options = {}) => new OpenAI({ apiKey: key, baseURL: `${root}/${service}/v1`, maxRetries: 0, ...options });
const ask = (model, more = {}) => ({ model, messages: [{ role: 'user', content: 'Tides, about 140 words, English (en), as json' }], ...more });
const schema = { type: 'object', additionalProperties: false, required: ['title'], properties: { title: { type: 'string' } } };

before(async () => {
  fake = createFake({ key });
  fake.server.listen(0, '127.0.0.1');
  await once(fake.server, 'listening');
  root = `http://127.0.0.1:${fake.server.address().port}`;
});
beforeEach(() => control.reset(fake.world));
after(() => { fake.server.close(); fake.server.closeAllConnections(); });

test('a completion has all that the library promises', async () => {
  const format = { type: 'json_schema', json_schema: { name: 'video_script', strict: true, schema } };
  const r = await client('openai').chat.completions.create(ask('gpt-6-luna', { max_completion_tokens: 2000, reasoning_effort: 'none', store: false, response_format: format }));
  assert.equal(r.object, 'chat.completion');
  assert.equal(r.choices[0].finish_reason, 'stop');
  assert.equal(r.choices[0].message.refusal, null);
  assert.ok(r.usage.prompt_tokens > 0 && r.usage.completion_tokens > 0);
  assert.match(r._request_id, /^req_/);
  const script = JSON.parse(r.choices[0].message.content);
  const words = script.scenes.flatMap((s) => s.narration.split(/\s+/)).length;
  assert.ok(words >= 140 && words < 155, `${words} words`);
});

test('the library parses structured output out of it', async () => {
  const format = { type: 'json_schema', json_schema: { name: 'video_script', strict: true, schema } };
  const r = await client('openai').chat.completions.parse(ask('gpt-6-luna', { response_format: format }));
  assert.equal(JSON.parse(r.choices[0].message.content).title, 'Why the sea breathes');
});

test('streams: deltas, usage, the end', async () => {
  const parts = await client('openai').chat.completions.create(ask('gpt-6-luna', { stream: true, stream_options: { include_usage: true } }));
  let text = '';
  let usage;
  let finish;
  for await (const p of parts) { text += p.choices[0]?.delta.content ?? ''; finish = p.choices[0]?.finish_reason ?? finish; usage = p.usage ?? usage; }
  assert.equal(finish, 'stop');
  assert.ok(usage.total_tokens > 0);
  assert.equal(JSON.parse(text).language, 'en');
});

test('models are listed, wrong keys and models refused', async () => {
  const names = [];
  for await (const m of client('moonshot').models.list()) names.push(m.id);
  assert.deepEqual(names, ['kimi-k2.6', 'kimi-k3']);
  await assert.rejects(client('openai', { apiKey: 'sk-wrong' }).models.list(), (e) => e instanceof OpenAI.AuthenticationError && e.code === 'invalid_api_key');
  await assert.rejects(client('openai').chat.completions.create(ask('gpt-9')), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found');
  await assert.rejects(client('deepseek').chat.completions.create(ask('gpt-9')), (e) => e instanceof OpenAI.BadRequestError && /Model Not Exist/.test(e.message));
});

test('each service is as particular as the real one', async () => {
  const format = { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } };
  const bad = (param) => (e) => e instanceof OpenAI.BadRequestError && (e.param ?? '').startsWith(param);
  await assert.rejects(client('openai').chat.completions.create(ask('gpt-6-luna', { max_tokens: 10 })), bad('max_tokens'));
  await assert.rejects(client('openai').chat.completions.create(ask('gpt-6-luna', { temperature: 0.3 })), bad('temperature'));
  await assert.rejects(client('openai').chat.completions.create(ask('gpt-5.4-mini', { reasoning_effort: 'none' })), bad('reasoning_effort'));
  await assert.rejects(client('openai').chat.completions.create(ask('gpt-6-luna', { response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema: { type: 'object', properties: { a: { type: 'string' } } } } } })), bad('response_format'));
  await assert.rejects(client('deepseek').chat.completions.create(ask('deepseek-flash', { response_format: format })), /unavailable now/);
  await assert.rejects(client('deepseek').chat.completions.create({ model: 'deepseek-flash', messages: [{ role: 'user', content: 'hi' }], response_format: { type: 'json_object' } }), /the word 'json'/);
  await assert.rejects(client('deepseek').chat.completions.create({ model: 'deepseek-flash', messages: [{ role: 'user', content: [{ type: 'text', text: 'json' }] }] }), OpenAI.UnprocessableEntityError);
  await assert.rejects(client('moonshot').chat.completions.create(ask('kimi-k2.6', { temperature: 0.7 })), /only 1 is allowed/);
});

test('faults: rate limits with a wait, money, overload, pages, cuts', async () => {
  const api = client('openai');
  control.fault(fake.world, { kind: 'status', code: 429, headers: { 'retry-after-ms': '30' }, body: { error: { message: 'slow down', type: 'requests', code: 'rate_limit_exceeded', param: null } } });
  const r = await client('openai', { maxRetries: 1 }).chat.completions.create(ask('gpt-6-luna'));
  assert.equal(r.choices.length, 1, 'the library waited and came again');
  assert.equal(fake.world.calls.length, 2);
  control.fault(fake.world, { kind: 'status', code: 429, body: { error: { message: 'no money', type: 'insufficient_quota', code: 'insufficient_quota', param: null } } });
  await assert.rejects(api.chat.completions.create(ask('gpt-6-luna')), (e) => e instanceof OpenAI.RateLimitError && e.code === 'insufficient_quota');
  control.fault(fake.world, { kind: 'html', code: 502 });
  await assert.rejects(api.chat.completions.create(ask('gpt-6-luna')), OpenAI.InternalServerError);
  control.fault(fake.world, { kind: 'reset' });
  await assert.rejects(api.chat.completions.create(ask('gpt-6-luna')), OpenAI.APIConnectionError);
  control.fault(fake.world, { kind: 'refusal' });
  assert.match((await api.chat.completions.create(ask('gpt-6-luna'))).choices[0].message.refusal, /sorry/);
  control.fault(fake.world, { kind: 'noise' });
  assert.equal((await api.chat.completions.create(ask('gpt-6-luna'))).choices[0].finish_reason, 'stop');
});

test('scripts are as long as asked, in three languages', () => {
  const zh = writeScript('Chinese (zh, Mandarin) about 250 characters (zh)');
  const count = zh.scenes.map((s) => s.narration).join('').match(/\p{Script=Han}/gu).length;
  assert.ok(count >= 250 && count < 275, `${count}`);
  assert.match(writeScript('Arabic (ar), about 100 words').scenes[0].narration, /\p{Script=Arabic}/u);
});

test('moderation flags what it was told to flag', async () => {
  control.set(fake.world, { flags: { badger: 'violence' } });
  const good = await client('openai').moderations.create({ model: 'omni-moderation-latest', input: 'How tides work' });
  assert.equal(good.results[0].flagged, false);
  const bad = await client('openai').moderations.create({ model: 'omni-moderation-latest', input: 'the badger' });
  assert.equal(bad.results[0].flagged, true);
  assert.equal(bad.results[0].categories.violence, true);
  assert.ok(bad.results[0].category_scores.violence > 0.9);
});
