// What the methods of the Bot API do to the state of the fake. A Refusal is an answer with ok:false.
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHtml } from './telegram_html.mjs';

export class Refusal extends Error {
  constructor(code, description, parameters) {
    super(description);
    this.code = code;
    this.parameters = parameters;
  }
}
const bad = (text) => { throw new Refusal(400, `Bad Request: ${text}`); };

const target = ['chat_id', 'message_thread_id', 'disable_notification', 'protect_content',
  'reply_parameters', 'reply_markup', 'message_effect_id', 'allow_paid_broadcast'];
const place = ['chat_id', 'message_id', 'inline_message_id', 'reply_markup'];
const words = ['caption', 'parse_mode', 'caption_entities', 'show_caption_above_media'];
// The real server ignores what it does not know; here a typo is a complaint that tests look at.
const known = {
  getMe: [], logOut: [], close: [],
  getUpdates: ['offset', 'limit', 'timeout', 'allowed_updates'],
  deleteWebhook: ['drop_pending_updates'], setWebhook: ['url'], getWebhookInfo: [],
  sendMessage: [...target, 'text', 'parse_mode', 'entities', 'link_preview_options'],
  sendPhoto: [...target, ...words, 'photo', 'has_spoiler'],
  sendVideo: [...target, ...words, 'video', 'duration', 'width', 'height', 'thumbnail', 'cover',
    'start_timestamp', 'has_spoiler', 'supports_streaming'],
  sendDocument: [...target, ...words, 'document', 'thumbnail', 'disable_content_type_detection'],
  sendVoice: [...target, ...words, 'voice', 'duration'],
  editMessageText: [...place, 'text', 'parse_mode', 'entities', 'link_preview_options'],
  editMessageCaption: [...place, ...words],
  editMessageReplyMarkup: place,
  editMessageMedia: [...place, 'media'],
  deleteMessage: ['chat_id', 'message_id'],
  answerCallbackQuery: ['callback_query_id', 'text', 'show_alert', 'url', 'cache_time'],
  sendChatAction: ['chat_id', 'action', 'message_thread_id'],
  getChatAdministrators: ['chat_id'],
  getFile: ['file_id'],
  getMyCommands: ['scope', 'language_code'], setMyCommands: ['commands', 'scope', 'language_code'],
  getMyDescription: ['language_code'], setMyDescription: ['description', 'language_code'],
  getMyShortDescription: ['language_code'],
  setMyShortDescription: ['short_description', 'language_code'],
};
const jsonParams = new Set(['reply_markup', 'reply_parameters', 'commands', 'scope', 'allowed_updates',
  'link_preview_options', 'entities', 'caption_entities', 'media']);
const mediaInner = ['type', 'media', 'thumbnail', 'cover', 'start_timestamp', 'caption', 'parse_mode',
  'caption_entities', 'show_caption_above_media', 'width', 'height', 'duration', 'supports_streaming',
  'has_spoiler', 'disable_content_type_detection'];

const codePoints = (s) => [...s].length;
const asInt = (v) => (v === undefined ? undefined : parseInt(v, 10));
const asBool = (v) => v === true || v === 'true' || v === '1' || v === 'yes' || v === 'True';

export function readParams(world, method, raw) {
  const params = { ...raw };
  for (const name of Object.keys(params)) {
    if (known[method] && !known[method].includes(name) && !world.attachments?.[name])
      world.complaints.push(`${method}: unknown parameter ${name}`);
    if (jsonParams.has(name) && typeof params[name] === 'string') {
      try {
        params[name] = JSON.parse(params[name]);
      } catch {
        bad(`Can't parse ${name} JSON object`);
      }
    }
  }
  for (const value of Object.values(params))
    if (typeof value === 'string' && value.includes('\ufffd') && !world.allowReplacement)
      world.complaints.push(`${method}: text with U+FFFD`);
  return params;
}

function chatOf(world, params) {
  const id = asInt(params.chat_id);
  if (!Number.isSafeInteger(id)) bad('chat_id is empty');
  const chat = world.chats.get(id);
  if (!chat) bad('chat not found');
  if (chat.migratedTo)
    throw new Refusal(400, 'Bad Request: group chat was upgraded to a supergroup chat',
      { migrate_to_chat_id: chat.migratedTo });
  if (chat.blocked) throw new Refusal(403, 'Forbidden: bot was blocked by the user');
  if (chat.kicked) throw new Refusal(403, `Forbidden: bot was kicked from the ${chat.type} chat`);
  if (chat.deactivated) throw new Refusal(403, 'Forbidden: user is deactivated');
  return chat;
}

function threadOf(chat, params) {
  const thread = asInt(params.message_thread_id);
  if (thread === undefined) return undefined;
  const topic = chat.topics?.[thread];
  if (!topic) bad('message thread not found');
  if (topic === 'closed') bad('TOPIC_CLOSED');
  return thread;
}

function formatted(text, mode, limit, what) {
  if (typeof text !== 'string') text = '';
  if (Buffer.byteLength(text) > 32768) bad(`${what} is too long`);
  let parsed = { text, entities: [] };
  if (mode !== undefined) {
    if (mode !== 'HTML') bad('unsupported parse_mode');
    try {
      parsed = parseHtml(text);
    } catch (e) {
      throw new Refusal(400, e.message);
    }
  }
  if (codePoints(parsed.text) > limit) bad(what === 'text' ? 'message is too long' : 'message caption is too long');
  return parsed;
}

function keyboardOf(markup) {
  if (markup === undefined) return undefined;
  if (!Array.isArray(markup.inline_keyboard)) bad('inline keyboard expected');
  for (const row of markup.inline_keyboard) {
    if (!Array.isArray(row)) bad("can't parse inline keyboard button");
    for (const b of row) {
      const kinds = ['url', 'callback_data', 'copy_text', 'web_app'].filter((k) => b[k] !== undefined);
      if (typeof b.text !== 'string' || b.text === '' || kinds.length !== 1)
        bad("can't parse inline keyboard button: exactly one kind");
      if (b.callback_data !== undefined) {
        const n = Buffer.byteLength(b.callback_data);
        if (n < 1 || n > 64) bad('BUTTON_DATA_INVALID');
      }
      if (b.url !== undefined && !/^(https?|tg):\/\//.test(b.url)) bad('BUTTON_URL_INVALID');
      if (b.copy_text !== undefined && !(codePoints(b.copy_text.text ?? '') >= 1 && codePoints(b.copy_text.text) <= 256))
        bad('BUTTON_COPY_TEXT_INVALID');
    }
  }
  return markup.inline_keyboard.length ? markup : undefined;
}

// A file_id that we know, or an upload of this request.
function fileOf(world, value, files, kind, limit) {
  if (typeof value === 'string' && value.startsWith('attach://')) value = { part: value.slice(9) };
  if (value?.part !== undefined) {
    const file = files[value.part];
    if (!file) bad(`wrong file identifier/HTTP URL specified: no part ${value.part}`);
    if (file.bytes.length === 0) bad('file must be non-empty');
    if (file.bytes.length > limit) throw new Refusal(413, 'Request Entity Too Large');
    const id = `${kind}_${randomBytes(12).toString('hex')}`;
    const stored = { file_id: id, file_unique_id: createHash('sha1').update(file.bytes).digest('hex').slice(0, 16),
      file_size: file.bytes.length, filename: file.filename, mime: file.type };
    if (world.dir) {
      stored.path = join(world.dir, `${id}.bin`);
      writeFileSync(stored.path, file.bytes);
    }
    world.files.set(id, { ...stored, bytes: world.keepBytes ? file.bytes : undefined });
    world.uploads.push({ part: value.part, kind, bytes: file.bytes.length, filename: file.filename, mime: file.type });
    return stored;
  }
  const stored = world.files.get(value);
  if (!stored) bad('wrong file identifier/HTTP URL specified');
  return stored;
}

function videoOf(world, p, files) {
  const video = fileOf(world, p.media ?? p.video, files, 'video', world.uploadLimit);
  const uploaded = String(p.media ?? p.video?.part ?? p.video).startsWith('attach://') || p.video?.part;
  const out = { file_id: video.file_id, file_unique_id: video.file_unique_id, file_size: video.file_size,
    duration: asInt(p.duration) ?? 0, width: asInt(p.width) ?? 320, height: asInt(p.height) ?? 320, mime_type: 'video/mp4' };
  if (uploaded && (p.duration === undefined || p.width === undefined || !asBool(p.supports_streaming)))
    world.complaints.push('video without size, duration or streaming flag: shown as a square tile');
  if (p.thumbnail) {
    const thumb = fileOf(world, p.thumbnail, files, 'thumb', 200_000);
    out.thumbnail = { file_id: thumb.file_id, file_unique_id: thumb.file_unique_id, width: 180, height: 320, file_size: thumb.file_size };
  }
  if (p.cover) out.cover = [fileOf(world, p.cover, files, 'photo', 10_000_000)].map((f) => ({ file_id: f.file_id, file_unique_id: f.file_unique_id, width: 720, height: 1280 }));
  return out;
}

const part = (params, files, name) => (files[name] ? { part: name } : params[name]);

function newMessage(world, chat, params, content) {
  const thread = threadOf(chat, params);
  if (chat.muted) bad(content.video ? 'not enough rights to send videos to the chat' : 'have no rights to send a message');
  if (chat.noVideos && content.video) bad('not enough rights to send videos to the chat');
  const message = {
    message_id: ++chat.lastMessage, from: world.me, chat: chat.public, date: world.now(),
    ...(thread ? { message_thread_id: thread, is_topic_message: true } : {}), ...content,
  };
  const reply = params.reply_parameters;
  if (reply) {
    const original = chat.messages.get(asInt(reply.message_id));
    if (original) message.reply_to_message = { ...original, reply_to_message: undefined };
    else if (!asBool(reply.allow_sending_without_reply)) bad('message to be replied not found');
  }
  const markup = keyboardOf(params.reply_markup);
  if (markup) message.reply_markup = markup;
  message.silent = asBool(params.disable_notification);
  chat.messages.set(message.message_id, message);
  world.log.push({ at: Date.now(), chat: chat.public.id, message_id: message.message_id, what: 'send', kind: Object.keys(content)[0] });
  return message;
}

function editable(world, chat, params) {
  const message = chat.messages.get(asInt(params.message_id));
  if (!message || message.deleted) bad('message to edit not found');
  if (message.from?.id !== world.me.id) bad("message can't be edited");
  return message;
}

function applyEdit(world, chat, message, change, markup) {
  const same = JSON.stringify([change, markup ?? null]) === message.shape;
  if (same) bad('message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message');
  Object.assign(message, change, { edit_date: world.now() });
  for (const key of Object.keys(message)) if (message[key] === undefined) delete message[key];
  if (markup) message.reply_markup = markup;
  else delete message.reply_markup;
  message.shape = JSON.stringify([change, markup ?? null]);
  message.edits = (message.edits ?? 0) + 1;
  world.log.push({ at: Date.now(), chat: chat.public.id, message_id: message.message_id, what: 'edit', kind: Object.keys(change)[0] });
  return message;
}

const captioned = (world, p, extra) => {
  const caption = formatted(p.caption, p.parse_mode, 1024, 'caption');
  return { ...extra, caption: caption.text || undefined, caption_entities: caption.entities.length ? caption.entities : undefined };
};

export const methods = {
  getMe: (w) => ({ ...w.me, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false }),
  getWebhookInfo: (w) => ({ url: w.webhook, has_custom_certificate: false, pending_update_count: w.queue.length }),
  setWebhook: (w, p) => { w.webhook = p.url ?? ''; return true; },
  deleteWebhook: (w) => { w.webhook = ''; return true; },
  sendMessage(w, p) {
    const chat = chatOf(w, p);
    const text = formatted(p.text, p.parse_mode, 4096, 'text');
    if (text.text.trim() === '') bad('message text is empty');
    return newMessage(w, chat, p, { text: text.text, entities: text.entities.length ? text.entities : undefined });
  },
  sendPhoto(w, p, files) {
    const chat = chatOf(w, p);
    const photo = fileOf(w, part(p, files, 'photo'), files, 'photo', 10_000_000);
    if (w.badPhotos) bad('PHOTO_INVALID_DIMENSIONS');
    return newMessage(w, chat, p, { photo: [{ file_id: photo.file_id, file_unique_id: photo.file_unique_id, width: 320, height: 240, file_size: photo.file_size }], ...captioned(w, p) });
  },
  sendVideo(w, p, files) {
    const chat = chatOf(w, p);
    const video = videoOf(w, { ...p, video: part(p, files, 'video'), thumbnail: part(p, files, 'thumbnail'), cover: part(p, files, 'cover') }, files);
    return newMessage(w, chat, p, { video, ...captioned(w, p) });
  },
  sendDocument(w, p, files) {
    const chat = chatOf(w, p);
    const doc = fileOf(w, part(p, files, 'document'), files, 'document', w.uploadLimit);
    return newMessage(w, chat, p, { document: { file_id: doc.file_id, file_unique_id: doc.file_unique_id, file_name: doc.filename, file_size: doc.file_size }, ...captioned(w, p) });
  },
  sendVoice(w, p, files) {
    const chat = chatOf(w, p);
    if (chat.no_voice) bad('VOICE_MESSAGES_FORBIDDEN');
    const voice = fileOf(w, part(p, files, 'voice'), files, 'voice', w.uploadLimit);
    return newMessage(w, chat, p, { voice: { file_id: voice.file_id, file_unique_id: voice.file_unique_id, duration: p.duration ?? 0, mime_type: voice.mime ?? 'audio/ogg', file_size: voice.file_size }, ...captioned(w, p) });
  },
  editMessageText(w, p) {
    const chat = chatOf(w, p);
    const message = editable(w, chat, p);
    if (message.text === undefined) bad('there is no text in the message to edit');
    const text = formatted(p.text, p.parse_mode, 4096, 'text');
    if (text.text.trim() === '') bad('message text is empty');
    return applyEdit(w, chat, message, { text: text.text, entities: text.entities.length ? text.entities : undefined }, keyboardOf(p.reply_markup));
  },
  editMessageCaption(w, p) {
    const chat = chatOf(w, p);
    const message = editable(w, chat, p);
    if (message.text !== undefined) bad('there is no caption in the message to edit');
    return applyEdit(w, chat, message, captioned(w, p), keyboardOf(p.reply_markup));
  },
  editMessageReplyMarkup(w, p) {
    const chat = chatOf(w, p);
    return applyEdit(w, chat, editable(w, chat, p), {}, keyboardOf(p.reply_markup));
  },
  editMessageMedia(w, p, files) {
    const chat = chatOf(w, p);
    const message = editable(w, chat, p);
    const media = p.media;
    if (!media || typeof media !== 'object') bad("Can't parse InputMedia JSON object");
    for (const name of Object.keys(media))
      if (!mediaInner.includes(name)) w.complaints.push(`InputMedia: unknown field ${name}`);
    if (chat.noVideos && media.type === 'video') bad('not enough rights to send videos to the chat');
    const gone = { text: undefined, entities: undefined, photo: undefined, video: undefined, document: undefined };
    let content;
    if (media.type === 'video') content = { video: videoOf(w, media, files) };
    else if (media.type === 'photo') {
      const f = fileOf(w, media.media, files, 'photo', 10_000_000);
      content = { photo: [{ file_id: f.file_id, file_unique_id: f.file_unique_id, width: 320, height: 240 }] };
    } else if (media.type === 'document') {
      const f = fileOf(w, media.media, files, 'document', w.uploadLimit);
      content = { document: { file_id: f.file_id, file_unique_id: f.file_unique_id, file_size: f.file_size } };
    } else bad('unsupported media type');
    return applyEdit(w, chat, message, { ...gone, ...content, ...captioned(w, media) }, keyboardOf(p.reply_markup));
  },
  deleteMessage(w, p) {
    const message = chatOf(w, p).messages.get(asInt(p.message_id));
    if (!message) bad('message to delete not found');
    message.deleted = true;
    return true;
  },
  answerCallbackQuery(w, p) {
    const query = w.queries.get(p.callback_query_id);
    if (!query || query.answered || Date.now() - query.at > w.queryMs)
      bad('query is too old and response timeout expired or query ID is invalid');
    if ((p.text ?? '').length > 200) bad('MESSAGE_TOO_LONG');
    query.answered = Date.now();
    query.text = p.text;
    return true;
  },
  sendChatAction(w, p) {
    const chat = chatOf(w, p);
    threadOf(chat, p);
    if (!['typing', 'upload_photo', 'record_video', 'upload_video', 'upload_document'].includes(p.action)) bad('wrong parameter action in request');
    return true;
  },
  getChatAdministrators(w, p) {
    const chat = chatOf(w, p);
    if (chat.type === 'private') bad('there are no administrators in the private chat');
    return (chat.admins ?? []).map((id) => ({ status: 'administrator', user: { id, is_bot: false, first_name: 'Admin' } }));
  },
  getFile(w, p) {
    const file = w.files.get(p.file_id);
    if (!file) bad('wrong file_id or the file is temporarily unavailable');
    if (file.file_size > 20_000_000) bad('file is too big');
    return { file_id: file.file_id, file_unique_id: file.file_unique_id, file_size: file.file_size, file_path: file.file_path ?? `videos/${file.file_id}.mp4` };
  },
  getMyCommands: (w, p) => w.menus.get(`c:${p.language_code ?? ''}`) ?? [],
  setMyCommands(w, p) {
    if (!Array.isArray(p.commands) || p.commands.length > 100) bad("can't parse commands");
    for (const c of p.commands)
      if (!/^[a-z0-9_]{1,32}$/.test(c.command) || codePoints(c.description) < 1 || codePoints(c.description) > 256) bad('BOT_COMMAND_INVALID');
    if (p.language_code && !/^[a-z]{2}$/.test(p.language_code)) bad('language_code is invalid');
    w.menus.set(`c:${p.language_code ?? ''}`, p.commands);
    w.menuWrites++;
    return true;
  },
  getMyDescription: (w, p) => ({ description: w.menus.get(`d:${p.language_code ?? ''}`) ?? '' }),
  setMyDescription(w, p) {
    if (codePoints(p.description ?? '') > 512) bad('description is too long');
    w.menus.set(`d:${p.language_code ?? ''}`, p.description ?? '');
    w.menuWrites++;
    return true;
  },
  getMyShortDescription: (w, p) => ({ short_description: w.menus.get(`s:${p.language_code ?? ''}`) ?? '' }),
  setMyShortDescription(w, p) {
    if (codePoints(p.short_description ?? '') > 120) bad('short description is too long');
    w.menus.set(`s:${p.language_code ?? ''}`, p.short_description ?? '');
    w.menuWrites++;
    return true;
  },
};
