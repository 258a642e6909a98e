// The fake is honest as far as a real client library gets along with it: grammY drives it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Bot, GrammyError, HttpError, InlineKeyboard, InputFile, InputMediaBuilder } from 'grammy';
import { control, createFake } from './telegram.mjs';

const token = '7000000001:AAExampleTokenForTests_abcdefghijk';
const ana = 6123456789;
let fake;
let apiRoot;
let bot;

before(async () => {
  fake = createFake({ token });
  fake.server.listen(0, '127.0.0.1');
  await once(fake.server, 'listening');
  apiRoot = `http://127.0.0.1:${fake.server.address().port}`;
  bot = new Bot(token, { client: { apiRoot } });
  control.chat(fake.world, { id: ana });
});
after(() => {
  fake.server.close();
  fake.server.closeAllConnections();
});

test('getMe tells who we are; a wrong token is refused', async () => {
  assert.equal((await bot.api.getMe()).username, 'ExampleClipBot');
  const wrong = new Bot('1:wrongwrongwrongwrongwrong', { client: { apiRoot } });
  await assert.rejects(wrong.api.getMe(), (e) => e instanceof GrammyError && e.error_code === 401);
});

test('long polling: commands, buttons and answers go round', async () => {
  const seen = [];
  const polled = new Bot(token, { client: { apiRoot } });
  polled.command('make', async (ctx) => {
    seen.push(`make ${ctx.match}`);
    await ctx.reply('<b>ok</b> &amp; go', { parse_mode: 'HTML', reply_markup: new InlineKeyboard().text('Go', '/go 1') });
  });
  polled.on('callback_query:data', async (ctx) => {
    seen.push(ctx.callbackQuery.data);
    await ctx.answerCallbackQuery();
    await ctx.editMessageText('queued');
  });
  control.say(fake.world, { text: '/make how tides work' });
  const running = polled.start({ timeout: 1 });
  const until = async (f) => { for (let i = 0; i < 200 && !f(); i++) await new Promise((r) => setTimeout(r, 10)); assert.ok(f()); };
  const card = () => [...fake.world.chats.get(ana).messages.values()].findLast((m) => m.from.is_bot);
  await until(() => card());
  assert.equal(card().text, 'ok & go');
  assert.deepEqual(card().entities, [{ type: 'bold', offset: 0, length: 2 }]);
  control.press(fake.world, { chat: ana, message_id: card().message_id, label: 'Go' });
  await until(() => card().text === 'queued');
  assert.equal(card().reply_markup, undefined, 'an edit without a keyboard removes it');
  await polled.stop();
  await running;
  assert.deepEqual(seen, ['make how tides work', '/go 1']);
  assert.ok([...fake.world.queries.values()].every((q) => q.answered));
  assert.equal(fake.world.queue.length, 0, 'the last batch was confirmed');
});

test('uploads: video with thumbnail, by file_id, and into an existing message', async () => {
  const clip = new InputFile(Buffer.alloc(300_000, 7), 'v.mp4');
  const thumb = new InputFile(Buffer.alloc(2000, 1), 't.jpg');
  const sent = await bot.api.sendVideo(ana, clip, { width: 720, height: 1280, duration: 45, supports_streaming: true, thumbnail: thumb });
  assert.equal(sent.video.file_size, 300_000);
  assert.equal(sent.video.duration, 45);
  const again = await bot.api.sendVideo(ana, sent.video.file_id, { caption: 'again' });
  assert.equal(again.video.file_unique_id, sent.video.file_unique_id);
  const card = await bot.api.sendMessage(ana, 'rendering');
  const media = InputMediaBuilder.video(new InputFile(Buffer.alloc(1000, 3), 'w.mp4'), { caption: 'done', width: 1, height: 1, duration: 1, supports_streaming: true });
  const edited = await bot.api.editMessageMedia(ana, card.message_id, media);
  assert.equal(edited.message_id, card.message_id);
  assert.equal(edited.text, undefined);
  assert.equal(edited.caption, 'done');
  await assert.rejects(bot.api.editMessageText(ana, card.message_id, 'x'), /no text in the message/);
  const file = await bot.api.getFile(edited.video.file_id);
  const got = await fetch(`${apiRoot}/file/bot${token}/${file.file_path}`);
  assert.equal((await got.arrayBuffer()).byteLength, 1000);
});

test('refusals carry code, text and parameters', async () => {
  const is = (code, text) => (e) => e instanceof GrammyError && e.error_code === code && e.description.includes(text);
  await assert.rejects(bot.api.sendMessage(404404, 'x'), is(400, 'chat not found'));
  await assert.rejects(bot.api.sendMessage(ana, '<b>x', { parse_mode: 'HTML' }), is(400, "can't parse entities"));
  await assert.rejects(bot.api.sendMessage(ana, 'x'.repeat(4097)), is(400, 'message is too long'));
  await assert.rejects(bot.api.sendMessage(ana, ' '), is(400, 'text is empty'));
  await assert.rejects(bot.api.sendMessage(ana, 'x', { reply_markup: new InlineKeyboard().text('a', 'é'.repeat(33)) }), is(400, 'BUTTON_DATA_INVALID'));
  const m = await bot.api.sendMessage(ana, 'same');
  await bot.api.editMessageText(ana, m.message_id, 'other');
  await assert.rejects(bot.api.editMessageText(ana, m.message_id, 'other'), is(400, 'message is not modified'));
  await assert.rejects(bot.api.editMessageText(ana, 99999, 'x'), is(400, 'message to edit not found'));
  await assert.rejects(bot.api.sendVideo(ana, 'no_such_file'), is(400, 'wrong file identifier'));
  control.chat(fake.world, { id: 77, blocked: true });
  await assert.rejects(bot.api.sendMessage(77, 'x'), is(403, 'blocked by the user'));
  control.migrate(fake.world, { from: -55, to: -1001234567890 });
  await assert.rejects(bot.api.sendMessage(-55, 'x'), (e) => e.parameters.migrate_to_chat_id === -1001234567890);
  control.chat(fake.world, { id: -1009, topics: { 42: 'open', 43: 'closed' } });
  assert.equal((await bot.api.sendMessage(-1009, 'x', { message_thread_id: 42 })).message_thread_id, 42);
  await assert.rejects(bot.api.sendMessage(-1009, 'x', { message_thread_id: 43 }), is(400, 'TOPIC_CLOSED'));
  await assert.rejects(bot.api.sendMessage(-1009, 'x', { message_thread_id: 1 }), is(400, 'thread not found'));
});

test('faults on demand: 429, gateway page, reset, lost answer', async () => {
  control.fault(fake.world, { method: 'sendMessage', kind: 'status', code: 429, description: 'Too Many Requests: retry after 5', parameters: { retry_after: 5 } });
  await assert.rejects(bot.api.sendMessage(ana, 'x'), (e) => e.error_code === 429 && e.parameters.retry_after === 5);
  control.fault(fake.world, { method: 'sendMessage', kind: 'html', code: 502 });
  await assert.rejects(bot.api.sendMessage(ana, 'x'), (e) => e instanceof HttpError);
  control.fault(fake.world, { method: 'sendMessage', kind: 'reset' });
  await assert.rejects(bot.api.sendMessage(ana, 'x'), (e) => e instanceof HttpError);
  const before = fake.world.chats.get(ana).messages.size;
  control.fault(fake.world, { method: 'sendMessage', kind: 'lost' });
  await assert.rejects(bot.api.sendMessage(ana, 'x'), (e) => e instanceof HttpError);
  assert.equal(fake.world.chats.get(ana).messages.size, before + 1, 'it was sent all the same');
});

test('menus: only what was set comes back, per language', async () => {
  await bot.api.setMyCommands([{ command: 'make', description: 'Make a video' }]);
  await bot.api.setMyCommands([{ command: 'make', description: 'Faz um vídeo' }], { language_code: 'pt' });
  assert.equal((await bot.api.getMyCommands())[0].description, 'Make a video');
  assert.equal((await bot.api.getMyCommands({ language_code: 'pt' }))[0].description, 'Faz um vídeo');
  assert.deepEqual(await bot.api.getMyCommands({ language_code: 'de' }), []);
  await assert.rejects(bot.api.setMyCommands([{ command: 'Make!', description: 'x' }]), /BOT_COMMAND_INVALID/);
});

test('two pollers: the older one is told', async () => {
  await bot.api.getUpdates({ offset: fake.world.nextUpdate }); // nothing waits any more
  const first = bot.api.getUpdates({ timeout: 20 });
  await new Promise((r) => setTimeout(r, 50));
  const rejected = assert.rejects(first, (e) => e.error_code === 409 && e.description.includes('other getUpdates'));
  const second = bot.api.getUpdates({ timeout: 0 });
  await rejected;
  await second;
  await bot.api.setWebhook('https://example.org/hook');
  await assert.rejects(bot.api.getUpdates(), (e) => e.error_code === 409 && e.description.includes('webhook'));
  await bot.api.deleteWebhook();
});

test('nothing was complained about', () => {
  assert.deepEqual(fake.world.complaints, []);
});
