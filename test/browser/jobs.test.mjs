// Jobs on the pages, with a model that takes its time (test/models): a bar that
// moves, a draft at its end, cancelling half way, and what is said of each way in
// which a model fails.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startModels } from '../models/index.mjs';
import { Person } from './lib/person.mjs';
import { startWorld } from './lib/world.mjs';

let world;
let models;
let ada;
const TITLE = 'Written by the model';
const LONG = { title: TITLE, caption: 'Slowly, and to the brim. '.repeat(150) };
const rows = (text, values) => world.database.sql(text, values);
const answers = (...list) => models.call('POST', 'answers', { answers: list });
const useModel = (key) => rows(`SELECT orla.configure_model('default', 'anthropic', $1, 'test-model', $2)`, [models.description.anthropic, key]);
const main = () => ada.page.locator('main');

before(async () => {
  world = await startWorld();
  models = await startModels();
  await useModel(models.description.key);
  ada = await (await Person.arrive(world, 'Ada')).join();
  await rows(`INSERT INTO orla.brand_strategy (user_id, brand_voice) VALUES ($1, '{"tone": "calm"}')`, [ada.id]);
});

after(async () => {
  await models?.stop();
  await world?.close();
});

/** Asks for a draft on the library's page. */
async function ask(topic) {
  await ada.open('library');
  await ada.page.getByRole('button', { name: 'Create a draft' }).first().click();
  await ada.page.getByLabel('What shall it be?').selectOption('social');
  await ada.page.getByLabel('Topic').fill(topic);
  await ada.page.getByRole('button', { name: 'Start writing' }).click();
}
const library = async () => (await rows('SELECT 1 FROM orla.content_library')).length;
const follows = (topic) => ada.page.getByRole('region', { name: `Writing: ${topic}` });

describe('a job', () => {
  test('shows how far it is, in a bar and in words, and ends with the draft', async () => {
    await models.call('POST', 'reset');
    await answers({ object: LONG, pieces: 400, hold_after: 300 });
    await ask('The brim');
    await models.call('GET', 'wait', { held: 1 });
    const bar = follows('The brim').getByRole('progressbar');
    await world.eventually('a bar that has moved', async () => await bar.evaluate(({ value }) => value) > 5);
    assert.ok(await bar.evaluate(({ value, max }) => value < max), 'and does not say that it is done');
    await follows('The brim').getByText(/^[1-9]\d? %$/).waitFor();
    const other = await ada.tab();
    await ada.open('jobs', other);
    await other.getByText(/^[1-9]\d? %$/).waitFor();
    await other.getByRole('progressbar', { name: 'Writing: progress' }).waitFor();
    assert.equal(await library(), 0);
    await models.call('POST', 'release');
    await ada.page.getByText('Your draft is ready.').waitFor();
    await ada.page.getByRole('dialog', { name: 'Edit' }).getByRole('textbox', { name: 'Title' }).waitFor();
    assert.equal(await ada.page.getByRole('textbox', { name: 'Title' }).inputValue(), TITLE);
    await other.getByText('Done', { exact: true }).waitFor();
    await other.getByText(/ · \d+ tokens/).waitFor();
    await other.close();
  });

  for (const where of ['the page that asked', 'the list of jobs']) {
    test(`is cancelled half way, on ${where}, and nothing is written`, async () => {
      await models.call('POST', 'reset');
      const had = await library();
      await answers({ object: LONG, pieces: 400, hold_after: 300 });
      await ask('Never mind');
      await models.call('GET', 'wait', { held: 1 });
      if (where === 'the list of jobs') {
        await ada.open('jobs');
        await ada.page.getByRole('button', { name: 'Cancel Writing' }).click();
        await main().getByText('Cancelled', { exact: true }).first().waitFor();
      } else {
        await follows('Never mind').getByRole('button', { name: 'Cancel' }).click();
        await main().getByText('Writing: Never mind: cancelled.').waitFor();
      }
      await models.call('GET', 'wait', { idle: 1 });
      assert.equal(models.plan.torn, 1, 'the model is not listened to any more');
      assert.equal(await library(), had);
    });
  }

  test('that a model answers with nonsense, twice, says so', async () => {
    await models.call('POST', 'reset');
    await answers({ text: 'I like tea.' }, { text: 'I really do.' });
    await ask('Nonsense');
    const alert = main().getByRole('alert');
    await alert.getByText('Writing: Nonsense did not work.').waitFor();
    await alert.getByText('The model\'s answer could not be used, twice: the answer has no JSON object in it.').waitFor();
    await answers({ refusal: 'I would rather not.' });
    await ask('A refusal');
    await alert.getByText('The model declines to write this: I would rather not.').waitFor();
  });

  test('waits where the installation has a wrong key, says whose matter it is, and goes on by itself', async () => {
    await models.call('POST', 'reset');
    await useModel('sk-wrong-key-0123456789');
    await ask('A wrong key');
    await follows('A wrong key').getByText(/^The model refuses this installation: status 401, .*An operator has to check/).waitFor();
    await useModel(models.description.key);
    await ada.page.getByText('Your draft is ready.').waitFor();
  });

  test('of a model that does not answer now says that it is tried again', async () => {
    await models.call('POST', 'reset');
    await answers({ status: 529, retry_after: 3600 });
    await ask('Overloaded');
    await follows('Overloaded').getByText('The model does not answer: status 529, overloaded_error.').waitFor();
    await follows('Overloaded').getByRole('button', { name: 'Cancel' }).click();
    await main().getByText('Writing: Overloaded: cancelled.').waitFor();
  });

  test('finds the next keyword, from which a draft is begun, and looks at the market', async () => {
    await models.call('POST', 'reset');
    await ada.open('strategy');
    await ada.page.getByRole('button', { name: 'Suggest a keyword' }).click();
    const found = ada.page.getByRole('dialog', { name: 'Next keyword' });
    await found.getByText('A keyword by the model').waitFor();
    assert.equal(await found.getByText('generated').count(), 0, 'what is for programs is not shown');
    await found.getByRole('link', { name: 'Create a draft' }).click();
    await ada.page.waitForURL('**/library');
    assert.equal(await ada.page.getByLabel('Topic').inputValue(), 'A title by the model');
    assert.equal(await ada.page.getByLabel('Keyword').inputValue(), 'A keyword by the model');
    await ada.open('strategy');
    await ada.page.getByRole('button', { name: 'Look at the market' }).click();
    await ada.page.getByLabel('Of what in it?').fill('Second flush');
    await ada.page.getByRole('button', { name: 'Start', exact: true }).click();
    await ada.page.getByRole('dialog', { name: 'Market research' }).getByText('A summary by the model').waitFor();
    assert.match(models.plan.log.at(-1).prompt, /as far as it concerns: Second flush/);
  });

  test('leaves no complaint in the browser', async () => {
    await ada.hasNoProblems();
  });
});
