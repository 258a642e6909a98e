#!/usr/bin/env node
// Fake chat-completion services for tests, with faults on demand. Plain Node, no dependencies.
//
//   node llm.mjs [--port N] [--key K]     prints {"port":N} once it listens
//
// /openai/v1  /deepseek/v1  /moonshot/v1  /openrouter/v1  /custom/v1   each as particular as the real one:
//   POST .../chat/completions, GET .../models
// POST /control/fault   {service?, path?, times?, skip?, kind, ...}; kinds see `faults`
// POST /control/set     {...}: fields of the world (latency, seconds, models, ...)
// GET  /control/state   calls, bodies and complaints
// The script is written from what the prompt asks: language, number of words or characters.
import { createServer } from 'node:http';

export function createWorld({ key = 'sk-fake-0123456789abcdef' } = {}) {
  return {
    key, latency: 0, factor: 1, flags: {}, faults: [], calls: [], complaints: [], ids: 0,
    models: {
      openai: ['gpt-6-luna', 'gpt-5.4-mini'], deepseek: ['deepseek-flash', 'deepseek-v4-pro'],
      moonshot: ['kimi-k2.6', 'kimi-k3'], openrouter: ['openrouter/auto'], custom: ['llama3:latest'],
    },
  };
}

class Refusal extends Error {
  constructor(status, body, headers = {}) { super(JSON.stringify(body)); Object.assign(this, { status, body, headers }); }
}
const refuse = (status, message, { type = 'invalid_request_error', param = null, code = null } = {}) =>
  new Refusal(status, { error: { message, type, param, code } });

// --- what each service takes ---

function checkSchema(schema, at = 'root') {
  if (schema.type === 'object' || schema.type?.includes?.('object')) {
    const names = Object.keys(schema.properties ?? {});
    if (schema.additionalProperties !== false) throw refuse(400, `Invalid schema: additionalProperties must be false at ${at}`, { param: 'response_format' });
    if (names.some((n) => !schema.required?.includes(n))) throw refuse(400, `Invalid schema: required must list every property at ${at}`, { param: 'response_format' });
    for (const n of names) checkSchema(schema.properties[n], `${at}.${n}`);
  }
  if (schema.items) checkSchema(schema.items, `${at}[]`);
}

function checkFormat(body) {
  const f = body.response_format;
  if (!f || f.type === 'text' || f.type === 'json_object') return;
  if (f.type !== 'json_schema') throw refuse(400, `Invalid response_format ${f.type}`, { param: 'response_format.type' });
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(f.json_schema?.name ?? '')) throw refuse(400, 'Invalid name', { param: 'response_format.json_schema.name' });
  if (f.json_schema.strict) checkSchema(f.json_schema.schema);
}

const services = {
  openai(world, body) {
    const modern = /^(gpt-[5-9]|o\d)/.test(body.model);
    if (modern && body.max_tokens !== undefined) throw refuse(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", { param: 'max_tokens', code: 'unsupported_parameter' });
    if (modern && body.temperature !== undefined && body.temperature !== 1) throw refuse(400, "Unsupported value: 'temperature'", { param: 'temperature', code: 'unsupported_value' });
    if (body.safety_identifier !== undefined && !/^[0-9a-f]{64}$/.test(body.safety_identifier)) throw refuse(400, 'Invalid safety_identifier', { param: 'safety_identifier' });
    if (body.thinking !== undefined) throw refuse(400, "Unknown parameter: 'thinking'.", { param: 'thinking', code: 'unknown_parameter' });
    const efforts = body.model.startsWith('gpt-6') ? ['none', 'low', 'medium', 'high'] : ['low', 'medium', 'high'];
    if (body.reasoning_effort !== undefined && !efforts.includes(body.reasoning_effort)) throw refuse(400, `Unsupported value: 'reasoning_effort' does not support '${body.reasoning_effort}' with this model.`, { param: 'reasoning_effort', code: 'unsupported_value' });
    checkFormat(body);
  },
  deepseek(world, body) {
    if (body.messages.some((m) => typeof m.content !== 'string')) throw refuse(422, 'Failed to deserialize the JSON body: messages content must be a string');
    if (body.response_format?.type === 'json_schema') throw refuse(400, 'This response_format type is unavailable now');
    if (body.response_format?.type === 'json_object' && !body.messages.some((m) => /json/i.test(m.content))) throw refuse(400, "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.");
    if (body.thinking?.type !== 'disabled') world.complaints.push('deepseek: thinking is on');
  },
  moonshot(world, body) {
    if (body.temperature !== undefined && body.temperature !== 1) throw refuse(400, 'invalid temperature: only 1 is allowed for this model');
    if (body.max_completion_tokens === undefined) world.complaints.push('moonshot: max_completion_tokens is missing');
    if (/^kimi-k2/.test(body.model) && body.thinking?.type !== 'disabled') world.complaints.push('moonshot: thinking is on');
    if (/^kimi-k3/.test(body.model) && body.reasoning_effort !== 'low') world.complaints.push('moonshot: effort is not low');
    checkFormat(body);
  },
  openrouter(world, body) { checkFormat(body); },
  custom() {},
};

function checkModel(world, service, body) {
  if (world.models[service].some((m) => m === body.model || m === `${body.model}:latest`)) return;
  if (service === 'deepseek') throw refuse(400, 'Model Not Exist');
  throw refuse(404, `The model \`${body.model}\` does not exist or you do not have access to it.`, { code: 'model_not_found' });
}

function checkRequest(world, service, body) {
  if (!Array.isArray(body.messages) || body.messages.length === 0) throw refuse(400, "Missing required parameter: 'messages'.", { param: 'messages', code: 'missing_required_parameter' });
  checkModel(world, service, body);
  services[service](world, body);
}

// --- the author ---

const bank = {
  en: ['The sea never stands still and twice a day it breathes along every coast.', 'Far above us the moon pulls at the water and lifts it into a slow wave.', 'When the wave meets the land the beach grows narrow and boats begin to float.', 'Hours later the water leaves again and the sand shines in the evening light.', 'Fishermen read this rhythm as other people read a clock on the wall.'],
  zh: ['大海从来不会静止，每天沿着海岸呼吸两次。', '月亮在高空牵引着海水，掀起缓慢的波浪。', '波浪靠近陆地的时候，沙滩变窄，小船浮起。', '几个小时以后，海水退去，沙子在夕阳下发光。', '渔民看潮水，就像别人看墙上的时钟。'],
  ar: ['البحر لا يهدأ أبدا فهو يتنفس مرتين كل يوم على طول الساحل.', 'القمر البعيد يجذب الماء ويرفعه في موجة بطيئة هادئة.', 'عندما تصل الموجة إلى اليابسة يضيق الشاطئ وتطفو القوارب.', 'بعد ساعات يعود الماء ويلمع الرمل في ضوء المساء.', 'يقرأ الصيادون هذا الإيقاع كما يقرأ الناس الساعة.'],
};
const titles = { en: 'Why the sea breathes', zh: '大海为什么呼吸', ar: 'لماذا يتنفس البحر' };
const terms = ['ocean waves beach', 'full moon night', 'fishing boat harbor', 'sunset wet sand', 'old wall clock', 'lighthouse storm', 'tide pool rocks', 'aerial coastline'];
const units = (text, lang) => (lang === 'zh' ? [...text].filter((c) => /\p{L}|\p{N}/u.test(c)).length : text.split(/\s+/).filter(Boolean).length);

// The last sentence stops where the length is reached.
function shorten(sentence, lang, max) {
  if (units(sentence, lang) <= max) return sentence;
  return lang === 'zh' ? `${[...sentence].filter((c) => /\p{L}/u.test(c)).slice(0, max).join('')}。` : `${sentence.split(' ').slice(0, max).join(' ')}.`;
}

export function writeScript(prompt, factor = 1) {
  const asked = /about (\d+) (words|characters)/.exec(prompt);
  const lang = /\(([a-z]{2,3})(?:-[A-Za-z0-9]+)*\)/.exec(prompt)?.[1] ?? 'en';
  const list = bank[lang] ?? bank.en;
  const target = Number(asked?.[1] ?? 140) * factor;
  const scenes = [];
  let have = 0;
  for (let i = 0; have < target && i < 200; i++) {
    const sentence = shorten(list[i % list.length], lang, Math.max(target - have, 2));
    if (scenes.length && scenes.at(-1).count === 1) { scenes.at(-1).narration += (lang === 'zh' ? '' : ' ') + sentence; scenes.at(-1).count = 2; } else scenes.push({ narration: sentence, count: 1 });
    have += units(sentence, lang);
  }
  return {
    title: titles[lang] ?? titles.en, language: lang, mood: 'inspiring', caption: list[0], hashtags: ['sea', '#moon'],
    scenes: scenes.map(({ narration }, i) => ({ narration, search_terms: [0, 1, 2].map((k) => `${terms[(i + k) % terms.length]}${i + k >= terms.length ? ` ${i + k}` : ''}`), on_screen: i === 0 ? titles[lang] ?? titles.en : null })),
  };
}

// --- answers ---

function send(res, status, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

const event = (res, data) => res.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);

async function stream(res, base, content, finish, withUsage, usage) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const chunk = (delta, reason = null) => ({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }] });
  res.write(': keep-alive\n\n');
  event(res, chunk({ role: 'assistant', content: '' }));
  for (let i = 0; i < content.length; i += 40) event(res, chunk({ content: content.slice(i, i + 40) }));
  event(res, chunk({}, finish));
  if (withUsage) event(res, { ...base, object: 'chat.completion.chunk', choices: [], usage });
  event(res, '[DONE]');
  res.end();
}

async function complete(world, res, body, fault) {
  const prompt = body.messages.map((m) => (typeof m.content === 'string' ? m.content : '')).join('\n');
  const script = JSON.stringify(writeScript(prompt, fault?.factor ?? world.factor));
  const content = fault?.kind === 'content' ? fault.text.replaceAll('{{script}}', script) : fault?.kind === 'blank' ? '   \n' : script;
  const finish = fault?.finish ?? 'stop';
  const message = { role: 'assistant', content, refusal: null };
  if (fault?.kind === 'refusal') Object.assign(message, { content: null, refusal: fault.text ?? "I'm sorry, I can't help with that." });
  if (fault?.kind === 'reasoning') Object.assign(message, { content: fault.text ?? '', [fault.field ?? 'reasoning_content']: script });
  const usage = { prompt_tokens: Math.ceil(prompt.length / 4), completion_tokens: Math.ceil(content.length / 4), total_tokens: Math.ceil((prompt.length + content.length) / 4) };
  const base = { id: `chatcmpl-${++world.ids}`, object: 'chat.completion', created: Math.floor(Date.now() / 1000), model: body.model };
  if (body.stream || fault?.kind === 'sse') return stream(res, base, content, finish, body.stream_options?.include_usage, usage);
  const text = JSON.stringify({ ...base, choices: [{ index: 0, message, finish_reason: finish, logprobs: null }], usage, system_fingerprint: 'fp_fake' });
  return send(res, 200, (fault?.kind === 'noise' ? '\n'.repeat(500) : '') + text, { 'x-request-id': `req_${world.ids}` });
}

// Flags whatever contains one of world.flags: { word: category }.
function moderate(world, res, body) {
  if (typeof body.input !== 'string' || body.input === '') throw refuse(400, "Invalid 'input'", { param: 'input' });
  const hit = Object.entries(world.flags).find(([word]) => body.input.includes(word))?.[1];
  const names = ['hate', 'illicit/violent', 'sexual', 'violence'];
  return send(res, 200, { id: `modr-${++world.ids}`, model: body.model, results: [{ flagged: Boolean(hit),
    categories: Object.fromEntries(names.map((n) => [n, n === hit])),
    category_scores: Object.fromEntries(names.map((n) => [n, n === hit ? 0.98 : 0.001])),
    category_applied_input_types: Object.fromEntries(names.map((n) => [n, ['text']])) }] });
}

// --- faults ---

// kinds: status {code, body, headers}, html {code}, reset, cut (mid body), slow {ms}, junk {body}, content {text: {{script}} is
// the script; finish}, blank, refusal, reasoning {field}, sse, noise, length {factor}
function takeFault(world, service, path) {
  const i = world.faults.findIndex((f) => (!f.service || f.service === service) && (f.path ?? 'chat') === path);
  if (i < 0) return null;
  const f = world.faults[i];
  if (f.skip > 0) { f.skip--; return null; }
  if (--f.times <= 0) world.faults.splice(i, 1);
  return f;
}

// True: the fault was the whole answer.
async function crash(req, res, fault) {
  if (fault?.kind === 'slow') await new Promise((r) => setTimeout(r, fault.ms));
  if (fault?.kind === 'reset') { req.socket.resetAndDestroy(); return true; }
  if (fault?.kind === 'html') { send(res, fault.code ?? 200, '<!doctype html><title>Bad gateway</title>', { 'Content-Type': 'text/html' }); return true; }
  if (fault?.kind === 'junk') { send(res, fault.code ?? 200, fault.body ?? ''); return true; }
  if (fault?.kind === 'status') { send(res, fault.code, fault.body ?? {}, fault.headers); return true; }
  if (fault?.kind === 'cut') { res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 5000 }); res.write('{"choices":[{"mess'); setTimeout(() => req.socket.resetAndDestroy(), 20); return true; }
  return false;
}

export const control = {
  fault: (world, q) => { world.faults.push({ times: 1, skip: 0, ...q }); return true; },
  set: (world, q) => { Object.assign(world, q); return true; },
  reset: (world) => { Object.assign(world, { faults: [], calls: [], complaints: [], latency: 0, factor: 1, flags: {} }); return true; },
  state: (world) => ({ calls: world.calls, complaints: world.complaints, faults: world.faults.length }),
};

async function readBody(req) {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  return Buffer.concat(chunks).toString();
}

async function serve(world, req, res, service, path) {
  const text = await readBody(req);
  const name = path === 'models' ? 'models' : path === 'moderations' ? 'moderations' : 'chat';
  const body = text ? JSON.parse(text) : {};
  world.calls.push({ service, path: name, body });
  if (world.latency) await new Promise((r) => setTimeout(r, world.latency));
  const fault = takeFault(world, service, name);
  if (await crash(req, res, fault)) return undefined;
  if (service !== 'custom' && req.headers.authorization !== `Bearer ${world.key}`) throw refuse(401, 'Incorrect API key provided.', { code: 'invalid_api_key' });
  if (service === 'custom' && !req.headers.authorization) world.complaints.push('custom: no key at all');
  if (path === 'models') return send(res, 200, { object: 'list', data: world.models[service].map((id) => ({ id, object: 'model', created: 1, owned_by: service })) });
  if (path === 'moderations') return moderate(world, res, body);
  if (req.headers['content-type'] !== 'application/json') throw refuse(415, 'Unsupported content type');
  checkRequest(world, service, body);
  return complete(world, res, body, fault);
}

export function createFake(options) {
  const world = createWorld(options);
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, async (req, res) => {
    try {
      const url = new URL(req.url, 'http://localhost');
      const c = /^\/control\/(\w+)$/.exec(url.pathname);
      if (c) { const q = await readBody(req); return send(res, 200, control[c[1]](world, q ? JSON.parse(q) : {})); }
      const m = /^\/(\w+)\/v1\/(chat\/completions|models|moderations)$/.exec(url.pathname);
      if (!m || !services[m[1]]) { await readBody(req); throw refuse(404, `Invalid URL (${req.method} ${url.pathname})`); }
      return await serve(world, req, res, m[1], m[2]);
    } catch (e) {
      if (res.headersSent || res.destroyed) return undefined;
      if (e instanceof Refusal) return send(res, e.status, e.body, e.headers);
      return send(res, 500, { error: { message: `fake: ${e.stack}`, type: 'server_error' } });
    }
  });
  return { world, server };
}

function option(name) {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : undefined;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const { server } = createFake({ key: option('key') });
  server.listen(Number(option('port') ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
}
