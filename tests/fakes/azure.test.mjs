// The fake is honest as far as the vendor's own speech library gets along with it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import sdk from 'microsoft-cognitiveservices-speech-sdk';
import { control, createFake } from './azure.mjs';

const key = 'examplekey0123456789';
let fake;
let port;

before(async () => {
  fake = createFake({ key });
  fake.server.listen(0, '127.0.0.1');
  await once(fake.server, 'listening');
  port = fake.server.address().port;
});
after(() => {
  control.hangup(fake.world);
  fake.server.close();
  fake.server.closeAllConnections();
});

function synthesizer(withKey = key, voice = 'en-US-JennyNeural') {
  const config = sdk.SpeechConfig.fromHost(new URL(`ws://127.0.0.1:${port}`), withKey);
  config.speechSynthesisVoiceName = voice;
  config.speechSynthesisOutputFormat = sdk.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm;
  return new sdk.SpeechSynthesizer(config, null);
}

const ssml = (text, voice = 'en-US-JennyNeural') => `<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"><voice name="${voice}">${text}</voice></speak>`;

function speak(s, text) {
  const words = [];
  s.wordBoundary = (_, e) => words.push([e.text, e.audioOffset / 1e4, e.boundaryType]);
  return new Promise((resolve, reject) => {
    s.speakSsmlAsync(text, (r) => resolve({ r, words }), reject);
  });
}

test('sound and word events arrive, two turns on one connection', async () => {
  const s = synthesizer();
  for (const style of ['', 'spaced']) {
    control.fault(fake.world, { where: 'turn', style });
    const { r, words } = await speak(s, ssml('The tide comes in, slowly.'));
    assert.equal(r.reason, sdk.ResultReason.SynthesizingAudioCompleted, r.errorDetails);
    assert.deepEqual(words.map((w) => w[0]), ['The', 'tide', 'comes', 'in', 'slowly']);
    assert.equal(words[0][1], 80);
    assert.ok(words.every((w, i) => i === 0 || w[1] > words[i - 1][1]));
    assert.ok(Math.abs(r.audioDuration / 1e4 - (r.audioData.byteLength / 48000) * 1000) < 100);
  }
  s.close();
  assert.equal(fake.world.upgrades, 1);
  assert.deepEqual(fake.world.complaints, []);
});

test('punctuation, visemes and the end of the session are events of their own', async () => {
  const s = synthesizer();
  control.fault(fake.world, { where: 'turn', events: 'types' });
  const { r, words } = await speak(s, ssml('One two.'));
  assert.equal(r.reason, sdk.ResultReason.SynthesizingAudioCompleted, r.errorDetails);
  assert.deepEqual(words.filter((w) => w[2] === 'WordBoundary').map((w) => w[0]), ['One', 'two']);
  s.close();
});

test('a wrong key, an unknown voice and a used-up quota are told apart', async () => {
  const of = async (s, voice) => {
    const { r } = await speak(s, ssml('One two.', voice));
    s.close();
    assert.equal(r.reason, sdk.ResultReason.Canceled);
    return r.errorDetails;
  };
  assert.match(await of(synthesizer('wrong')), /401|Authentication/i);
  assert.match(await of(synthesizer(), 'nobody'), /Unsupported voice nobody/);
  control.fault(fake.world, { where: 'turn', kind: 'close', code: 1007, reason: 'Quota exceeded.' });
  assert.match(await of(synthesizer()), /Quota exceeded/);
});
